//! The process of one task.
//!
//! Responsible for starting a command in a process group of its own, for
//! signals to the whole group, and for its end: nothing of the group is left
//! when the end is told. It does not know why a task is killed.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};

use crate::mesos::event::ExitStatus;
use crate::mesos::executor::environment::TOKEN;

/// So much of the end of stderr is told to the framework.
const STDERR_TAIL: usize = 2 * 1024;

/// After the end of the group, stderr can only be held open by a process that
/// left the group; it is not waited for longer than this.
const DRAIN: Duration = Duration::from_secs(1);

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    /// Its code or signal; `None` if the system does not say.
    pub status: Option<ExitStatus>,
    /// The end of what it wrote to stderr.
    pub stderr: String,
}

/// A running command.
#[derive(Debug)]
pub struct Process {
    child: Child,
    group: Group,
}

/// Sends signals to a process and its descendants.
#[derive(Clone, Copy, Debug)]
pub struct Group(Pid);

impl Group {
    /// Asks the processes to end.
    pub fn terminate(self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends the processes.
    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = killpg(self.0, signal);
    }
}

impl Process {
    /// Starts `/bin/sh -c command` with the executor's environment, but for
    /// the executor's own token.
    ///
    /// # Errors
    /// The shell cannot be started.
    pub fn start(command: &str) -> std::io::Result<Self> {
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .env_remove(TOKEN)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.ok_or_else(|| std::io::Error::other("the process has no id"))?;
        Ok(Self {
            child,
            group: Group(Pid::from_raw(id)),
        })
    }

    /// Its process group. Not to be used after the end is known.
    pub const fn group(&self) -> Group {
        self.group
    }

    /// Waits for its end. Its stderr is passed on to the executor's own.
    pub async fn wait(mut self) -> Exit {
        let stderr = self.child.stderr.take();
        let mut tail = Vec::new();
        let status = {
            let mut passing_on = std::pin::pin!(pass_on(stderr, &mut tail));
            let mut open = true;
            let status = loop {
                tokio::select! {
                    status = self.child.wait() => break status,
                    () = &mut passing_on, if open => open = false,
                }
            };
            // What the command left running in its group ends with it.
            self.group.kill();
            if open {
                let _ = tokio::time::timeout(DRAIN, passing_on).await;
            }
            status
        };
        let status = status.ok().and_then(|status| {
            let code = status.code().map(ExitStatus::Code);
            code.or(status.signal().map(ExitStatus::Signal))
        });
        Exit {
            status,
            stderr: String::from_utf8_lossy(&tail).into_owned(),
        }
    }
}

async fn pass_on(stderr: Option<ChildStderr>, tail: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    let mut own = tokio::io::stderr();
    let mut buffer = [0; 4096];
    loop {
        match stderr.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                tail.extend_from_slice(&buffer[..count]);
                let surplus = tail.len().saturating_sub(STDERR_TAIL);
                tail.drain(..surplus);
                // A sandbox that is full must not end the task.
                let _ = own.write_all(&buffer[..count]).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(command: &str) -> Exit {
        Process::start(command).unwrap().wait().await
    }

    #[tokio::test]
    async fn a_command_ends_with_its_code_and_the_end_of_its_stderr() {
        let exit =
            run("(echo first; head -c 3000 /dev/zero | tr '\\0' x; echo last) >&2; exit 7").await;
        assert_eq!(exit.status, Some(ExitStatus::Code(7)));
        assert!(exit.stderr.ends_with("last\n"));
        assert!(!exit.stderr.contains("first"));
        assert!(exit.stderr.len() <= STDERR_TAIL);
    }

    #[tokio::test]
    async fn a_signal_reaches_the_whole_group() {
        let process = Process::start("sleep 1000 & wait").unwrap();
        process.group().terminate();
        let exit = process.wait().await;
        assert_eq!(exit.status, Some(ExitStatus::Signal(15)));
    }

    #[tokio::test]
    async fn nothing_of_the_group_outlives_the_command() {
        let exit = run("sleep 1000 & echo $! >&2").await;
        let left: i32 = exit.stderr.trim().parse().unwrap();
        // Killed at once; gone when its new parent has reaped it.
        let gone = || match std::fs::read_to_string(format!("/proc/{left}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let reaped = async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reaped)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_process_that_left_the_group_and_holds_stderr_is_not_waited_for() {
        let exit = run("setsid sleep 5 & exit 0").await;
        assert_eq!(exit.status, Some(ExitStatus::Code(0)));
    }
}
