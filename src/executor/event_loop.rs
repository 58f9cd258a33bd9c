//! The executor's loop: wait, hand over to the core, do what it says.
//!
//! Responsible for the processes and the connection that the core only speaks
//! of. It decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::core::{Action, ExecutorCore, Input, Timing};
use super::runner::{Group, Process};
use super::worker::{self, Door, Wanted, WorkerConfig, WorkerError};
use crate::clock::SystemClock;
use crate::ids::MesosTaskId;
use crate::mesos::event::ExitStatus;
use crate::mesos::executor::client::ExecutorClient;
use crate::mesos::executor::environment::{EnvironmentError, ExecutorEnvironment};
use crate::mesos::executor::session::Notice;
use crate::mesos::http::HttpError;
use crate::mesos::task::TaskState;
use crate::rpc::message::{self, Outcome, outcome::End};
use crate::timer::sleep_until;

/// When the work for a driver is over, the driver may have ended its framework
/// already, and nobody acknowledges the last status: it is not waited for longer.
const LEAVE_WITHIN: Duration = Duration::from_millis(500);

/// In fine mode TASK_RUNNING is sent of tasks that run for so long.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

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
    let fine = worker.as_ref().is_some_and(|it| it.fine);
    let timing = Timing {
        shutdown_grace_period: environment.shutdown_grace_period,
        announce_after: if fine { ANNOUNCE_AFTER } else { Duration::ZERO },
    };
    let core = ExecutorCore::new(timing, fastrand::u64(..));
    let mut shell = Shell {
        core,
        clock,
        client,
        groups: BTreeMap::new(),
        ends,
        worker: None,
    };
    let (outcomes, mut tasks_ended) = mpsc::unbounded_channel();
    shell.worker = worker.map(|config| Working::start(config, outcomes));
    let mut work_ended = None;
    if let Some(working) = &mut shell.worker
        && working.wanted.is_some()
    {
        work_ended = working.work.take();
    }
    let mut leave_by = None;
    loop {
        let deadline = shell.core.next_deadline();
        let input = tokio::select! {
            notice = notices.recv() => match notice.map(input_of) {
                Some(Some(input)) => input,
                Some(None) => continue,
                None => Input::AgentLost,
            },
            Some((task, outcome)) = tasks_ended.recv() => match shell.task_ended(task, &outcome) {
                Some(input) => input,
                None => continue,
            },
            () = work_over(&mut work_ended) => {
                leave_by = Some(clock.now() + LEAVE_WITHIN);
                Input::Shutdown
            }
            () = sleep_until(clock, leave_by) => return Ok(()),
            Some((task, input)) = ended.recv() => {
                shell.groups.remove(&task);
                if shell.worker.as_ref().is_some_and(|it| it.wanted.is_none()) {
                    // It came to work for its driver, and that is over.
                    if shell.handle(input) {
                        return Ok(());
                    }
                    leave_by = Some(clock.now() + LEAVE_WITHIN);
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

/// Waits for the end of the work, once.
async fn work_over(work: &mut Option<JoinHandle<Result<(), WorkerError>>>) {
    match work {
        Some(handle) => {
            match handle.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("{error}"),
                Err(error) => tracing::error!("the executor's work broke off: {error}"),
            }
            *work = None;
        }
        None => std::future::pending().await,
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
    /// In fine mode, where tasks of the agent are handed over.
    wanted: Option<mpsc::UnboundedSender<Wanted>>,
    /// In fine mode, the Mesos task of each task that runs.
    names: HashMap<u64, MesosTaskId>,
}

impl Working {
    fn start(config: WorkerConfig, ended: mpsc::UnboundedSender<(u64, Outcome)>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let (wanted, door) = if config.fine {
            let (sender, wanted) = mpsc::unbounded_channel();
            (Some(sender), Some(Door { wanted, ended }))
        } else {
            (None, None)
        };
        Self {
            stop: Some(stop),
            work: Some(tokio::spawn(worker::work(config, stopped, door))),
            wanted,
            names: HashMap::new(),
        }
    }
}

/// What an outcome is to Mesos.
fn state_of(outcome: &Outcome) -> (TaskState, String) {
    match &outcome.end {
        Some(End::Success(_)) => (TaskState::Finished, String::new()),
        Some(End::Killed(reason)) => (TaskState::Killed, reason.clone()),
        Some(End::Failed(failure)) => (TaskState::Failed, failure.message.clone()),
        Some(End::FetchFailed(failure)) => (TaskState::Failed, failure.message.clone()),
        Some(End::CommitDenied(_)) | None => (TaskState::Failed, String::new()),
    }
}

impl Shell {
    /// Does what the core says; true when the executor is to end.
    fn handle(&mut self, input: Input) -> bool {
        for action in self.core.handle(self.clock.now(), input) {
            match action {
                Action::Start { task, data } => self.start(task, &data),
                Action::Terminate(task) => {
                    self.stop_work(&task);
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

    /// A task of the agent ended.
    fn task_ended(&mut self, task: u64, outcome: &Outcome) -> Option<Input> {
        let task = self.worker.as_mut()?.names.remove(&task)?;
        let (state, message) = state_of(outcome);
        Some(Input::Ended {
            task,
            state,
            message,
            data: outcome.encode_to_vec().into(),
        })
    }

    /// Stops the work for the driver, or the one task of it that is meant.
    fn stop_work(&mut self, task: &MesosTaskId) {
        let Some(working) = &mut self.worker else {
            return;
        };
        if let Some(wanted) = &working.wanted {
            for (id, _) in working.names.iter().filter(|(_, name)| *name == task) {
                let _ = wanted.send(Wanted::Kill(*id));
            }
        } else if let Some(stop) = working.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Hands a task of the agent to the work for the driver.
    fn hand_over(&mut self, task: MesosTaskId, data: &Bytes) -> Option<Input> {
        let working = self.worker.as_mut()?;
        let wanted = working.wanted.as_ref()?;
        match message::Task::decode(data.clone()) {
            Ok(decoded) => {
                working.names.insert(decoded.id, task);
                let _ = wanted.send(Wanted::Run(Box::new(decoded)));
                None
            }
            Err(error) => Some(Input::Ended {
                task,
                state: TaskState::Failed,
                message: format!("the task cannot be read: {error}"),
                data: Bytes::new(),
            }),
        }
    }

    fn start(&mut self, task: MesosTaskId, data: &Bytes) {
        if self.worker.as_ref().is_some_and(|it| it.wanted.is_some()) {
            if let Some(input) = self.hand_over(task.clone(), data) {
                let _ = self.ends.send((task, input));
            }
            return;
        }
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
        let command = String::from_utf8_lossy(data);
        match Process::start(&command) {
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
