//! Executors as processes of this machine: the shell.
//!
//! Responsible for starting and killing them, for telling of their ends, and for
//! waiting until all are gone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::core::input::Input;
use super::links::Arrival;
use crate::executor::worker::variable;
use crate::ids::ExecutorId;

/// An executor that was told to stop is given so long.
const GRACE: Duration = Duration::from_secs(3);

/// How processes are started.
pub(super) struct ProcessSettings {
    /// Cores of each.
    pub(super) cores: u32,
    /// Where the driver listens.
    pub(super) driver: String,
    /// The application's secret.
    pub(super) secret: String,
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
                .env(variable::SECRET, &settings.secret)
                .env(variable::EXECUTOR, executor.as_str())
                .env(variable::HOST, "localhost")
                .env(variable::CORES, settings.cores.to_string())
                .env(variable::FOLDER, &settings.folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                // Ctrl-C is for the driver, which tells its executors.
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
        });
        let arrivals = self.arrivals.clone();
        let (kill, killed) = oneshot::channel();
        let of = executor.clone();
        let waiting = tokio::spawn(async move {
            let how = match child {
                Ok(child) => wait(child, killed).await,
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
        Ok(status) => format!("its process ended: {status}"),
        Err(error) => format!("its process is lost: {error}"),
    }
}
