//! Records through a shell command.
//!
//! Responsible for a command's life: started in a process group of its own,
//! fed by one thread, drained by others, and gone with all its descendants when
//! the stream ends, fails, is dropped or is cancelled. Neither its input nor its
//! output is ever held whole.
//!
//! ```text
//!  parent ──▶ feeder thread ──stdin──▶ /bin/sh -c ──stdout──▶ next()
//!                                           └─────stderr────▶ tail, own stderr
//! ```

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use memchr::memrchr;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::task::{CHUNK, Records, TaskContext, TaskError, WakerGuard, end_line};

/// So much of the end of stderr is told.
const STDERR_TAIL: usize = 2 * 1024;

/// A pipe as large as this moves a chunk with few switches between processes.
const PIPE_SIZE: i32 = 1 << 20;

/// What commands are not to see.
const HIDDEN: [&str; 2] = ["MESQUITE_SECRET", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"];

/// The records that a command writes.
pub struct Pipe {
    command: String,
    child: Child,
    group: Pid,
    stdout: ChildStdout,
    feeder: Option<JoinHandle<Result<(), TaskError>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    /// The beginning of a line.
    rest: Vec<u8>,
    ended: bool,
    context: TaskContext,
    _wake: WakerGuard,
}

impl Pipe {
    /// Starts `/bin/sh -c command` with the parent's records on its stdin.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        parent: Box<dyn Records>,
        command: &str,
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        context.cancel.check()?;
        let failed =
            |error: &io::Error| TaskError::io(format_args!("start /bin/sh for {command:?}"), error);
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .env("MESQUITE_APP_ID", &*context.app_id)
            .env("MESQUITE_JOB", context.job.to_string())
            .env("MESQUITE_STAGE", context.stage.to_string())
            .env("MESQUITE_PARTITION", context.partition.to_string())
            .env("MESQUITE_ATTEMPT", context.attempt.to_string());
        for name in HIDDEN {
            shell.env_remove(name);
        }
        let mut child = shell.spawn().map_err(|e| failed(&e))?;
        let group = Pid::from_raw(i32::try_from(child.id()).expect("a process id is positive"));
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        // Smaller pipes work as well; a system may limit them.
        let _ = fcntl(&stdin, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        let wake = context.cancel.on_cancel(move || kill(group));
        let mut pipe = Self {
            command: command.to_owned(),
            child,
            group,
            stdout,
            feeder: None,
            stderr: None,
            rest: Vec::new(),
            ended: false,
            context: context.clone(),
            _wake: wake,
        };
        // From here on dropping the pipe ends the group.
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        pipe.stderr = Some(
            thread("stderr")
                .spawn(move || drain(stderr))
                .map_err(|e| failed(&e))?,
        );
        pipe.feeder = Some(
            thread("stdin")
                .spawn(move || feed(parent, stdin))
                .map_err(|e| failed(&e))?,
        );
        Ok(pipe)
    }

    /// What the end of the command's output means.
    fn finish(&mut self) -> Result<(), TaskError> {
        self.ended = true;
        let status = self
            .child
            .wait()
            .map_err(|error| TaskError::io(format_args!("wait for {:?}", self.command), &error))?;
        // What it left running ends with it; so the feeder cannot block either.
        kill(self.group);
        let fed = join(self.feeder.take()).unwrap_or(Ok(()));
        self.context.cancel.check()?;
        // The command saw only a part of its input, so its own end says nothing.
        fed?;
        if status.success() {
            return Ok(());
        }
        let stderr = join(self.stderr.take()).unwrap_or_default();
        Err(TaskError::Failed(failure(&self.command, status, &stderr)))
    }
}

fn failure(command: &str, status: ExitStatus, stderr: &[u8]) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    };
    let stderr = String::from_utf8_lossy(stderr);
    match stderr.trim_end() {
        "" => format!("command {command:?} failed: {how}"),
        stderr => format!("command {command:?} failed: {how}; its stderr ends with: {stderr}"),
    }
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

/// Passes stderr on to our own, and keeps its end.
fn drain(mut stderr: ChildStderr) -> Vec<u8> {
    let mut tail = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => return tail,
            Ok(count) => {
                tail.extend_from_slice(&buffer[..count]);
                let surplus = tail.len().saturating_sub(STDERR_TAIL);
                tail.drain(..surplus);
                // A sandbox that is full must not end the task.
                let _ = io::stderr().write_all(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return tail,
        }
    }
}

impl Records for Pipe {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        if self.ended {
            return Ok(false);
        }
        chunk.append(&mut self.rest);
        let mut searched = chunk.len();
        loop {
            let filled = chunk.len();
            let room = filled.max(CHUNK) * 2;
            chunk.resize(room.max(filled + CHUNK), 0);
            let read = self.stdout.read(&mut chunk[filled..]);
            chunk.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => {
                    self.finish()?;
                    end_line(chunk);
                    return Ok(!chunk.is_empty());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(TaskError::io(
                        format_args!("read from {:?}", self.command),
                        &error,
                    ));
                }
            }
            if let Some(end) = memrchr(b'\n', &chunk[searched..]) {
                self.rest.extend_from_slice(&chunk[searched + end + 1..]);
                chunk.truncate(searched + end + 1);
                return Ok(true);
            }
            searched = chunk.len();
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if !self.ended {
            kill(self.group);
            let _ = self.child.wait();
        }
        // A grandchild in a group of its own may hold stderr open: that thread
        // is left to end by itself.
        let _ = join(self.feeder.take());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::task::{all_lines, test_context, test_records};

    fn pipe(parent: impl Records + 'static, command: &str) -> Result<Vec<String>, TaskError> {
        let context = test_context(Path::new("/"));
        all_lines(Pipe::start(Box::new(parent), command, &context)?)
    }

    /// Records without an end.
    struct Endless;

    impl Records for Endless {
        fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
            chunk.clear();
            chunk.resize(CHUNK, b'\n');
            Ok(true)
        }
    }

    #[test]
    fn lines_go_in_and_lines_come_out() {
        let upper = pipe(test_records(&["a", "b c"]), "tr a-z A-Z").expect("translated");
        assert_eq!(upper, ["A", "B C"]);
        let open = pipe(test_records(&[]), "printf 'x\\ny'").expect("printed");
        assert_eq!(open, ["x", "y"]);
        assert_eq!(
            pipe(test_records(&["a"]), "cat > /dev/null").expect("silent"),
            [""; 0]
        );
    }

    #[test]
    fn a_command_knows_what_it_works_on() {
        let said = pipe(
            test_records(&[]),
            "echo $MESQUITE_APP_ID $MESQUITE_PARTITION",
        )
        .expect("said");
        assert_eq!(said, ["app 0"]);
    }

    #[test]
    fn a_failed_command_is_told_with_the_end_of_its_stderr() {
        let error =
            pipe(test_records(&["a"]), "echo out; echo why >&2; exit 3").expect_err("failed");
        let text = error.to_string();
        assert!(
            text.contains("exit code 3; its stderr ends with: why"),
            "{text}"
        );
        let error = pipe(test_records(&[]), "kill -9 $$").expect_err("killed");
        assert!(error.to_string().contains("signal 9"), "{error}");
        let error = pipe(test_records(&[]), "no-such-command-here").expect_err("missing");
        assert!(error.to_string().contains("exit code 127"), "{error}");
    }

    #[test]
    fn a_command_that_stops_reading_is_fine() {
        let first = pipe(Endless, "head -n 3").expect("three lines");
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn both_outputs_can_be_flooded_and_lines_can_be_long() {
        let command = "head -c 3000000 /dev/zero | tr '\\0' e >&2 & head -c 3000000 /dev/zero | tr '\\0' o; wait";
        let context = test_context(Path::new("/"));
        // Its stderr is not passed on here, to keep the test's own readable.
        let quiet = format!("({command}) 2>/dev/null");
        let lines =
            all_lines(Pipe::start(Box::new(test_records(&[])), &quiet, &context).expect("started"));
        let lines = lines.expect("read");
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [3_000_000]
        );
    }

    #[test]
    fn the_error_of_the_input_wins() {
        struct Broken;
        impl Records for Broken {
            fn next(&mut self, _: &mut Vec<u8>) -> Result<bool, TaskError> {
                Err(TaskError::Permanent("broken input".into()))
            }
        }
        let error = pipe(Broken, "cat; exit 1").expect_err("broken");
        assert_eq!(error.to_string(), "broken input");
    }

    #[test]
    fn cancelling_or_dropping_ends_the_whole_group() {
        let context = test_context(Path::new("/"));
        let mut stream = Pipe::start(Box::new(Endless), "sleep 1000 & echo $!; wait", &context)
            .expect("started");
        let mut chunk = Vec::new();
        assert!(stream.next(&mut chunk).expect("a line"));
        context.cancel.cancel();
        assert!(matches!(stream.next(&mut chunk), Err(TaskError::Killed)));
        let other = test_context(Path::new("/"));
        let dropped = Pipe::start(Box::new(Endless), "sleep 1000", &other).expect("started");
        let group = dropped.group;
        drop(dropped);
        // Its leader was waited for; what it left may still be a zombie.
        assert!(!Path::new(&format!("/proc/{group}")).exists());
    }
}
