//! Records through a shell command.
//!
//! Responsible for a command's life: started in a process group of its own,
//! fed by one thread, read by whoever wants its records, and gone with all its
//! descendants when the stream ends, fails, is dropped or is cancelled. Neither
//! its input nor its output is ever held whole.
//!
//! ```text
//!  parent ──▶ feeder thread ──stdin──▶ sh -c ──stdout──▶ next()
//!                                        └─────stderr──▶ next(): lines for people, tail
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `pipeline` | what the text of a command tells |
//! | `shell` | which shell runs it |
//! | `stderr` | what it says |
//! | `place` | where it starts, and with which variables |
//! | `holders` | who holds its output open |
//! | `ending` | what its end means |
//! | `measured` | what it takes of memory and processors |

mod ending;
mod holders;
mod measured;
mod pipeline;
mod shell;
mod start;
mod stderr;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use memchr::memrchr;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use self::ending::{End, failure};
use self::measured::{Measured, reap};
use self::shell::Shell;
pub use self::start::Start;
use self::stderr::Stderr;
use super::limit::too_long;
use crate::clock::{SystemClock, Timestamp};
use crate::executor::worker::variable::HANDED_OVER;
use crate::executor::worker::{ALLOCATOR, SECRETS};
use crate::task::{CHUNK, Records, TaskContext, TaskError, WakerGuard, end_line, first_longer};
use crate::usage;

/// A pipe as large as this moves a chunk with few switches between processes.
const PIPE_SIZE: i32 = 1 << 20;

/// What commands are not given beside [`SECRETS`], which are only there where this
/// process could not begin anew without them.
const HIDDEN: [&str; 2] = ["SPARK_MESOS_PRINCIPAL", HANDED_OVER];

/// While nothing comes it is looked so often whether the command has ended.
const LOOK: Duration = Duration::from_millis(500);

/// What a command left running may hold its output for so long before that is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// The records that a command writes.
pub struct Pipe {
    command: String,
    dataset: String,
    child: Child,
    group: Pid,
    pipefail: bool,
    stdout: ChildStdout,
    stderr: Stderr,
    feeder: Option<JoinHandle<Result<(), TaskError>>>,
    /// What was read at once.
    buffer: Box<[u8]>,
    /// The beginning of a line.
    rest: Vec<u8>,
    /// Bytes that were handed on.
    passed: u64,
    ended: bool,
    left: Left,
    measured: Measured,
    context: TaskContext,
    wake: Option<WakerGuard>,
    /// Goes when the group has gone.
    _place: Start,
}

/// What is known of processes that a command left running, and that hold its output.
struct Left {
    clock: SystemClock,
    looked: Timestamp,
    /// Since when the command itself has been gone.
    since: Option<Timestamp>,
    patience: Duration,
    told: bool,
}

impl Pipe {
    /// Starts a shell with the parent's records on its stdin, for the records of
    /// this dataset.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_at(
        place: Start,
        parent: Box<dyn Records>,
        (command, dataset): (&str, &str),
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        context.cancel.check()?;
        let failed =
            |error: &io::Error| TaskError::io(format_args!("start a shell for {command:?}"), error);
        let shell = Shell::of(command);
        let mut started = shell.command(command);
        started
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .env("MESQUITE_APP_ID", &*context.app_id)
            .env("MESQUITE_JOB", context.job.to_string())
            .env("MESQUITE_STAGE", context.stage.to_string())
            .env("MESQUITE_PARTITION", context.part.to_string())
            .env("MESQUITE_ATTEMPT", context.attempt.to_string());
        for name in SECRETS.into_iter().chain(HIDDEN) {
            started.env_remove(name);
        }
        for (name, _) in ALLOCATOR {
            started.env_remove(name);
        }
        place.give(&mut started, &context.resources);
        let mut child = started.spawn().map_err(|e| failed(&e))?;
        let group = Pid::from_raw(i32::try_from(child.id()).expect("a process id is positive"));
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        // Smaller pipes work as well; a system may limit them.
        let _ = fcntl(&stdin, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        let clock = SystemClock::start();
        let mut pipe = Self {
            command: command.to_owned(),
            dataset: dataset.to_owned(),
            child,
            group,
            pipefail: shell.pipefail,
            stdout,
            stderr: Stderr::new(stderr, dataset, context),
            feeder: None,
            buffer: vec![0; 2 * CHUNK].into(),
            rest: Vec::new(),
            passed: 0,
            ended: false,
            left: Left {
                clock,
                looked: clock.now(),
                since: None,
                patience: PATIENCE,
                told: false,
            },
            measured: Measured::new(group, clock.now(), &context.metrics),
            context: context.clone(),
            wake: Some(context.cancel.on_cancel(move || kill(group))),
            _place: place,
        };
        // From here on dropping the pipe ends the group.
        if let Some(warning) = shell.warning {
            pipe.stderr.warn(warning);
        }
        let metrics = Arc::clone(&context.metrics);
        pipe.feeder = Some(
            thread::Builder::new()
                .name("stdin".to_owned())
                .spawn(move || {
                    let fed = feed(parent, stdin);
                    metrics.add_cpu(usage::of_thread());
                    fed
                })
                .map_err(|e| failed(&e))?,
        );
        Ok(pipe)
    }

    /// Whether all records are short enough.
    fn check(&self, chunk: &[u8]) -> Result<(), TaskError> {
        let longest = self.context.longest_record;
        first_longer(chunk, longest).map_or(Ok(()), |start| {
            let Self {
                command, dataset, ..
            } = self;
            let of = format!("the output of command {command:?} of dataset `{dataset}`");
            let told = too_long(&of, self.passed + start as u64, longest);
            Err(TaskError::Failed(told))
        })
    }

    /// Waits until there is output to read, and takes in what is said meanwhile.
    fn await_output(&mut self) -> io::Result<()> {
        loop {
            let most = self.measured.look(self.left.clock.now()).min(LOOK);
            let (output, said) = ready(Some(self.stdout.as_fd()), self.stderr.open(), most)?;
            if said {
                self.stderr.take();
            }
            if output {
                return Ok(());
            }
            self.look_for_left()?;
        }
    }

    /// Tells who is waited for if the command itself has ended.
    fn look_for_left(&mut self) -> io::Result<()> {
        let left = &mut self.left;
        let now = left.clock.now();
        if left.told || now - left.looked < LOOK.min(left.patience) {
            return Ok(());
        }
        left.looked = now;
        if left.since.is_none() && has_ended(self.group)? {
            left.since = Some(now);
        }
        if left.since.is_some_and(|since| now - since >= left.patience) {
            left.told = true;
            let holders = holders::of(&self.stdout, self.group);
            self.stderr.warn(format!(
                "the command has ended, but {holders}, which it left running, has its output open \
                 and is waited for: what it writes are records. If it writes none, send its output \
                 elsewhere (`... > /dev/null &`) or end it in the command (`kill $!`)"
            ));
        }
        Ok(())
    }

    /// Waits for the end of the command itself, and ends all that it left running.
    fn wait(&mut self) -> io::Result<ExitStatus> {
        let mut pause = Duration::from_millis(1);
        // Mostly all ends at once. What is left running may keep stderr open.
        while self.stderr.open().is_some() && !has_ended(self.group)? {
            if ready(None, self.stderr.open(), pause)?.1 {
                self.stderr.take();
            }
            self.measured.look(self.left.clock.now());
            pause = (pause * 2).min(LOOK);
        }
        let _ = waitid(
            Id::Pid(self.group),
            WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
        );
        // As long as nobody has asked for its status, its number is nobody else's.
        kill(self.group);
        self.wake = None;
        reap(&mut self.child, &mut self.measured)
    }

    /// What the end of the command's output means.
    fn finish(&mut self) -> Result<(), TaskError> {
        self.ended = true;
        let status = self
            .wait()
            .map_err(|error| TaskError::io(format_args!("wait for {:?}", self.command), &error))?;
        // With the group gone the feeder cannot block either.
        let fed = join(self.feeder.take()).unwrap_or(Ok(()));
        let said = self.stderr.finish();
        self.context.cancel.check()?;
        // The command saw only a part of its input, so its own end says nothing.
        fed?;
        let end = match (status.code(), status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, Some(signal)) => End::Signal(signal),
            (None, None) => End::Unknown,
        };
        failure(&self.command, end, self.pipefail, said)
            .map_or(Ok(()), |why| Err(TaskError::Failed(why)))
    }
}

/// Waits until one of these can be read, or has ended, for so long at most; which.
fn ready(
    output: Option<BorrowedFd<'_>>,
    said: Option<BorrowedFd<'_>>,
    most: Duration,
) -> io::Result<(bool, bool)> {
    let all = output.into_iter().chain(said);
    let mut all: Vec<_> = all.map(|it| PollFd::new(it, PollFlags::POLLIN)).collect();
    let most = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
    match poll(&mut all, most) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready = all.iter().map(|it| it.any().unwrap_or(true));
    let output = output.is_some() && ready.next().unwrap_or(false);
    Ok((output, said.is_some() && ready.next().unwrap_or(false)))
}

/// Whether a process of ours has ended. Nobody is asked for its status.
fn has_ended(process: Pid) -> io::Result<bool> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    let status = waitid(Id::Pid(process), flags)?;
    Ok(status != WaitStatus::StillAlive)
}

fn join<T>(thread: Option<JoinHandle<T>>) -> Option<T> {
    thread.and_then(|thread| thread.join().ok())
}

fn kill(group: Pid) {
    // A group that is gone needs no signal.
    let _ = killpg(group, Signal::SIGKILL);
}

/// Writes the parent's records to the command. A command that has read enough
/// is no error.
fn feed(mut parent: Box<dyn Records>, mut stdin: ChildStdin) -> Result<(), TaskError> {
    let mut chunk = Vec::new();
    while parent.next(&mut chunk)? {
        match stdin.write_all(&chunk) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(TaskError::io("write to a command", &error)),
        }
    }
    Ok(())
}

impl Records for Pipe {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        if self.ended {
            return Ok(false);
        }
        chunk.append(&mut self.rest);
        loop {
            // So far the chunk is the beginning of one line.
            self.check(chunk)?;
            let read = self
                .await_output()
                .and_then(|()| self.stdout.read(&mut self.buffer));
            let read = match read {
                Ok(0) => {
                    self.finish()?;
                    end_line(chunk);
                    return Ok(!chunk.is_empty());
                }
                Ok(count) => &self.buffer[..count],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(TaskError::io(
                        format_args!("read from {:?}", self.command),
                        &error,
                    ));
                }
            };
            let Some(end) = memrchr(b'\n', read) else {
                chunk.extend_from_slice(read);
                continue;
            };
            chunk.extend_from_slice(&read[..=end]);
            self.rest.extend_from_slice(&read[end + 1..]);
            self.check(chunk)?;
            self.passed += chunk.len() as u64;
            return Ok(true);
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if !self.ended {
            kill(self.group);
            self.wake = None;
            let _ = reap(&mut self.child, &mut self.measured);
            self.stderr.finish();
        }
        let _ = join(self.feeder.take());
    }
}

#[cfg(test)]
mod tests;
