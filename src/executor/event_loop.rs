//! The executor's loop: wait, hand over to the core, do what it says.
//!
//! Responsible for the processes and the connection that the core only speaks
//! of. It decides nothing.

use std::collections::BTreeMap;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::core::{Action, ExecutorCore, Input};
use super::runner::{Group, Process};
use super::worker::{self, WorkerConfig, WorkerError};
use crate::clock::SystemClock;
use crate::ids::MesosTaskId;
use crate::mesos::event::ExitStatus;
use crate::mesos::executor::client::ExecutorClient;
use crate::mesos::executor::environment::{EnvironmentError, ExecutorEnvironment};
use crate::mesos::executor::session::Notice;
use crate::mesos::http::HttpError;
use crate::timer::sleep_until;

/// Why an executor cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// It was not started by an agent.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// It cannot speak HTTP.
    #[error("cannot speak to the agent")]
    Http(#[from] HttpError),
    /// It cannot wait for signals.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs tasks until the agent says to stop or is gone for good.
///
/// # Errors
/// The executor cannot begin. What goes wrong later ends it in good order.
pub async fn run(
    variables: &BTreeMap<String, String>,
    worker: Option<WorkerConfig>,
) -> Result<(), ExecutorError> {
    let environment = ExecutorEnvironment::read(variables)?;
    tracing::info!(?environment, "starting");
    let clock = SystemClock::start();
    let mut terminate = signal(SignalKind::terminate()).map_err(ExecutorError::Signals)?;
    let (client, mut notices) = ExecutorClient::start(&environment, clock)?;
    let (ends, mut ended) = mpsc::unbounded_channel();
    let core = ExecutorCore::new(environment.shutdown_grace_period, fastrand::u64(..));
    let mut shell = Shell {
        core,
        clock,
        client,
        groups: BTreeMap::new(),
        ends,
        worker: worker.map(Working::start),
    };
    loop {
        let deadline = shell.core.next_deadline();
        let input = tokio::select! {
            notice = notices.recv() => match notice.map(input_of) {
                Some(Some(input)) => input,
                Some(None) => continue,
                None => Input::AgentLost,
            },
            Some((task, input)) = ended.recv() => {
                shell.groups.remove(&task);
                if shell.worker.is_some() {
                    // It came to work for its driver, and that is over.
                    if shell.handle(input) {
                        return Ok(());
                    }
                    Input::Shutdown
                } else {
                    input
                }
            }
            _ = terminate.recv() => Input::Shutdown,
            () = sleep_until(clock, deadline) => Input::Tick,
        };
        if shell.handle(input) {
            return Ok(());
        }
    }
}

/// What a notice means for the tasks, if anything.
fn input_of(notice: Notice) -> Option<Input> {
    Some(match notice {
        Notice::Launch(tasks) => Input::Launch(tasks),
        Notice::Kill { task, grace_period } => Input::Kill { task, grace_period },
        Notice::Settled(uuid) => Input::Settled(uuid),
        Notice::Shutdown => {
            tracing::info!("the agent wants the executor ended");
            Input::Shutdown
        }
        Notice::Ended { why } => {
            tracing::error!("ending, for the agent is gone: {why}");
            Input::AgentLost
        }
        Notice::Subscribed => {
            tracing::info!("subscribed with the agent");
            return None;
        }
        Notice::Disconnected { why } => {
            tracing::warn!("lost the agent: {why}");
            return None;
        }
        Notice::Message(_) => {
            tracing::debug!("skipped a message of the framework");
            return None;
        }
    })
}

struct Shell {
    core: ExecutorCore,
    clock: SystemClock,
    client: ExecutorClient,
    groups: BTreeMap<MesosTaskId, Group>,
    ends: mpsc::UnboundedSender<(MesosTaskId, Input)>,
    /// Set if the executor works for a driver: its one task is that work.
    worker: Option<Working>,
}

/// The work for a driver, which begins before the agent's first word: the two
/// connections are made at the same time.
struct Working {
    stop: Option<oneshot::Sender<()>>,
    work: Option<JoinHandle<Result<(), WorkerError>>>,
}

impl Working {
    fn start(config: WorkerConfig) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        Self {
            stop: Some(stop),
            work: Some(tokio::spawn(worker::work(config, stopped))),
        }
    }
}

impl Shell {
    /// Does what the core says; true when the executor is to end.
    fn handle(&mut self, input: Input) -> bool {
        for action in self.core.handle(self.clock.now(), input) {
            match action {
                Action::Start { task, command } => self.start(task, &command),
                Action::Terminate(task) => {
                    self.stop_work();
                    self.signal(&task, Group::terminate);
                }
                Action::Kill(task) => self.signal(&task, Group::kill),
                Action::Send(status) => {
                    tracing::info!(task = %status.task, state = %status.state, message = status.message);
                    self.client.send(status);
                }
                Action::End => {
                    self.groups.values().for_each(|group| group.kill());
                    return true;
                }
            }
        }
        false
    }

    fn stop_work(&mut self) {
        if let Some(stop) = self.worker.as_mut().and_then(|it| it.stop.take()) {
            let _ = stop.send(());
        }
    }

    fn start(&mut self, task: MesosTaskId, command: &str) {
        let ends = self.ends.clone();
        // Its receiver lives as long as the executor.
        let tell = move |task: MesosTaskId, input| drop(ends.send((task, input)));
        if let Some(work) = self.worker.as_mut().and_then(|it| it.work.take()) {
            tokio::spawn(async move {
                let (code, stderr) = match work.await {
                    Ok(Ok(())) => (0, String::new()),
                    Ok(Err(error)) => (1, error.to_string()),
                    Err(error) => (1, format!("the executor's work broke off: {error}")),
                };
                let input = Input::Exited {
                    task: task.clone(),
                    exit: Some(ExitStatus::Code(code)),
                    stderr,
                };
                tell(task, input);
            });
            return;
        }
        match Process::start(command) {
            Ok(process) => {
                self.groups.insert(task.clone(), process.group());
                tokio::spawn(async move {
                    let exit = process.wait().await;
                    let input = Input::Exited {
                        task: task.clone(),
                        exit: exit.status,
                        stderr: exit.stderr,
                    };
                    tell(task, input);
                });
            }
            Err(error) => {
                let why = format!("cannot start /bin/sh: {error}");
                tell(task.clone(), Input::NotStarted { task, why });
            }
        }
    }

    fn signal(&self, task: &MesosTaskId, send: impl Fn(Group)) {
        if let Some(group) = self.groups.get(task) {
            send(*group);
        }
    }
}
