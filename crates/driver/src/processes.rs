//! Executors as processes of this machine: the shell.
//!
//! Responsible for starting and killing them, for telling of their ends, and for
//! waiting until all are gone.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::level_filters::LevelFilter;

use super::core::input::Input;
use super::links::Arrival;
use super::office::Badges;
use super::report::Progress;
use crate::descriptors;
use crate::ids::ExecutorId;
use mesquite_engine::executor::worker::{ALLOCATOR, variable};
use mesquite_engine::rpc::credential::CredentialError;
use mesquite_workload::ending::Exit;

/// An executor that was told to stop is given so long.
const GRACE: Duration = Duration::from_secs(3);

/// What a process that has ended said last is waited for so long.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// No line of a log is longer, in bytes.
const LONGEST_LINE: u64 = 8 * 1024;

/// How processes are started.
pub(super) struct ProcessSettings {
    /// Cores of each.
    pub(super) cores: u32,
    /// Where the driver listens.
    pub(super) driver: String,
    /// What they prove themselves with.
    pub(super) badges: Badges,
    /// Where their work folders are.
    pub(super) folder: PathBuf,
}

/// See the module.
pub(super) struct ProcessRunner {
    settings: ProcessSettings,
    arrivals: mpsc::UnboundedSender<Arrival>,
    running: BTreeMap<ExecutorId, Running>,
}

struct Running {
    kill: Option<oneshot::Sender<()>>,
    waiting: JoinHandle<()>,
}

impl ProcessRunner {
    pub(super) const fn new(
        settings: ProcessSettings,
        arrivals: mpsc::UnboundedSender<Arrival>,
    ) -> Self {
        Self {
            settings,
            arrivals,
            running: BTreeMap::new(),
        }
    }

    /// Starts an executor.
    pub(super) fn start(&mut self, executor: &ExecutorId) {
        let settings = &self.settings;
        let child = std::env::current_exe().and_then(|program| {
            Command::new(program)
                .arg("executor")
                .env(variable::DRIVER, &settings.driver)
                .env(variable::EXECUTOR, executor.as_str())
                .env(variable::HOST, "localhost")
                .env(variable::CORES, settings.cores.to_string())
                .env(variable::FOLDER, &settings.folder)
                .envs(ALLOCATOR)
                .envs(descriptors::before().map(|it| (descriptors::BEFORE, it.to_string())))
                .envs(log_filter())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                // Its log is shown in lines, like all else.
                .stderr(Stdio::piped())
                // Ctrl-C is for the driver, which tells its executors.
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
        });
        let launch = settings.badges.launch(executor);
        let arrivals = self.arrivals.clone();
        let (kill, killed) = oneshot::channel();
        let of = executor.clone();
        let waiting = tokio::spawn(async move {
            let how = match child {
                Ok(mut child) => {
                    let log = child.stderr.take();
                    let log = tokio::spawn(show_log(of.clone(), log, arrivals.clone()));
                    hand_over(&mut child, launch).await;
                    let how = wait(child, killed).await;
                    // Its last words come before its end, unless it left somebody
                    // behind who might still say something.
                    let _ = tokio::time::timeout(LAST_WORDS, log).await;
                    how
                }
                Err(error) => format!("it cannot be started: {error}"),
            };
            let _ = arrivals.send(Input::ProcessEnded { executor: of, how }.into());
        });
        let running = Running {
            kill: Some(kill),
            waiting,
        };
        self.running.insert(executor.clone(), running);
    }

    /// Kills an executor.
    pub(super) fn kill(&mut self, executor: &ExecutorId) {
        if let Some(kill) = self.running.get_mut(executor).and_then(|it| it.kill.take()) {
            let _ = kill.send(());
        }
    }

    /// Waits until all have ended, and kills those that do not.
    pub(super) async fn stop(&mut self) {
        let running = std::mem::take(&mut self.running);
        let mut kills = Vec::new();
        let mut waiting = Vec::new();
        for (_, mut process) in running {
            kills.extend(process.kill.take());
            waiting.push(process.waiting);
        }
        let all = async {
            for process in &mut waiting {
                let _ = process.await;
            }
        };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            for kill in kills {
                let _ = kill.send(());
            }
            for process in waiting.iter_mut().filter(|it| !it.is_finished()) {
                let _ = process.await;
            }
        }
    }
}

/// Executors log as much as this process does.
fn log_filter() -> Option<(&'static str, String)> {
    const FILTER: &str = "MESQUITE_LOG";
    let level = LevelFilter::current();
    // What the user says counts for them too.
    std::env::var_os(FILTER)
        .is_none()
        .then(|| (FILTER, format!("warn,mesquite={level}")))
}

/// Shows the lines of an executor's log.
async fn show_log(
    executor: ExecutorId,
    log: Option<ChildStderr>,
    arrivals: mpsc::UnboundedSender<Arrival>,
) {
    let Some(log) = log else {
        return;
    };
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut piece = (&mut log).take(LONGEST_LINE);
        match piece.read_until(b'\n', &mut line).await {
            Ok(1..) => {
                let text = String::from_utf8_lossy(&line);
                let shown = format!("executor {executor}: {}", text.trim_end());
                // Without the loop nobody listens.
                let _ = arrivals.send(Arrival::Tell(Progress::Logged(shown)));
            }
            _ => return,
        }
    }
}

/// Gives a process what it proves itself with. One that does not get it ends.
async fn hand_over(child: &mut Child, launch: Result<Vec<u8>, CredentialError>) {
    let Some(mut stdin) = child.stdin.take() else {
        return;
    };
    match launch {
        // Less than a pipe holds: nobody waits for the process to read it.
        Ok(launch) => {
            if let Err(error) = stdin.write_all(&launch).await {
                tracing::debug!(%error, "a process ended before it began");
            }
        }
        Err(error) => tracing::error!(%error, "cannot launch"),
    }
}

/// Waits for a process, or ends it; how it ended.
async fn wait(mut child: Child, killed: oneshot::Receiver<()>) -> String {
    let status = tokio::select! {
        status = child.wait() => status,
        Ok(()) = killed => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code).to_string(),
            (None, Some(signal)) => Exit::Signal(signal).to_string(),
            (None, None) => format!("its process ended: {status}"),
        },
        Err(error) => format!("its process is lost: {error}"),
    }
}
