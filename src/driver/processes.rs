//! Executors as processes of this machine: `local-cluster`.
//!
//! Responsible for starting them, for starting others in the place of those
//! that die, and for their end.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::cluster::{ClusterInput, Over, Provider, Told};
use super::input::Input;
use super::report::Progress;
use crate::clock::Timestamp;
use crate::executor::worker::variable;
use crate::ids::ExecutorId;

/// So many executors are replaced; more deaths have a cause that a new process
/// does not remove (Spark's limit for an application's executors).
const MOST_REPLACED: u32 = 10;

/// An executor that was told to stop is given so long.
const GRACE: Duration = Duration::from_secs(3);

/// How processes are started.
pub(super) struct ProcessSettings {
    /// How many.
    pub(super) executors: u32,
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
pub(super) struct Processes {
    settings: ProcessSettings,
    inputs: mpsc::UnboundedSender<Input>,
    running: BTreeMap<ExecutorId, Running>,
    started: u32,
    replaced: u32,
}

struct Running {
    kill: Option<oneshot::Sender<()>>,
    waiting: JoinHandle<()>,
}

impl Processes {
    pub(super) fn new(settings: ProcessSettings, inputs: mpsc::UnboundedSender<Input>) -> Self {
        Self {
            settings,
            inputs,
            running: BTreeMap::new(),
            started: 0,
            replaced: 0,
        }
    }

    fn spawn(&mut self) {
        let executor = ExecutorId::from(self.started.to_string());
        self.started += 1;
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
        let inputs = self.inputs.clone();
        let (kill, killed) = oneshot::channel();
        let of = executor.clone();
        let waiting = tokio::spawn(async move {
            let how = match child {
                Ok(child) => wait(child, killed).await,
                Err(error) => format!("it cannot be started: {error}"),
            };
            let executor = of;
            let ended = ClusterInput::ProcessEnded { executor, how };
            let _ = inputs.send(Input::Cluster(Box::new(ended)));
        });
        let running = Running {
            kill: Some(kill),
            waiting,
        };
        self.running.insert(executor, running);
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

impl Provider for Processes {
    fn start(&mut self, _: Timestamp) -> Told {
        for _ in 0..self.settings.executors {
            self.spawn();
        }
        Told::default()
    }

    fn disconnected(&mut self, _: Timestamp, executor: &ExecutorId) -> Told {
        let Some(mut running) = self.running.remove(executor) else {
            return Told::default();
        };
        // Only its connection may be gone.
        if let Some(kill) = running.kill.take() {
            let _ = kill.send(());
        }
        if self.replaced == MOST_REPLACED {
            let text = format!("{MOST_REPLACED} executors have died; no more are started");
            return Told {
                over: self.running.is_empty().then(|| Over::Dying(text.clone())),
                notes: vec![Progress::Warning(text)],
                ..Told::default()
            };
        }
        self.replaced += 1;
        self.spawn();
        Told::default()
    }

    fn end(&mut self, _: Timestamp, executor: &ExecutorId) -> Told {
        if let Some(kill) = self.running.get_mut(executor).and_then(|it| it.kill.take()) {
            let _ = kill.send(());
        }
        Told::default()
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
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
        })
    }
}
