//! The loop of an executor that an agent started: wait, hand over to the core,
//! do what it says.
//!
//! Responsible for bringing two connections together: the agent's, which
//! [`mesos_tasks`](super::mesos_tasks) speaks of, and the work for the driver. It decides
//! nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::mesos_tasks::{Action, ExecutorCore, Input, Timing};
use super::worker::{self, Door, Wanted, WorkerConfig, WorkerError};
use crate::clock::SystemClock;
use crate::ids::MesosTaskId;
use crate::rpc::message::{self, Credential, Outcome, outcome::End};
use crate::timer::sleep_until;
use mesquite_mesos_client::endpoint::Endpoint;
use mesquite_mesos_client::executor::client::ExecutorClient;
use mesquite_mesos_client::executor::environment::{EnvironmentError, ExecutorEnvironment};
use mesquite_mesos_client::executor::session::Notice;
use mesquite_mesos_client::http::HttpError;
use mesquite_mesos_client::task::TaskState;

/// When the work for a driver is over, the driver may have ended its framework
/// already, and nobody acknowledges the last status: it is not waited for longer.
const LEAVE_WITHIN: Duration = Duration::from_millis(500);

/// In fine mode TASK_RUNNING is sent of tasks that run for so long.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// By this variable an agent tells where it shows what an executor leaves.
const SANDBOX: &str = "MESOS_SANDBOX";

/// Why an executor cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// It was not started by an agent.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// It cannot speak as it was told to.
    #[error("cannot speak to the agent")]
    Http(#[from] HttpError),
    /// The agent does not speak as it should.
    #[error("cannot speak TLS with the agent at {agent}: {why}")]
    NoTls {
        /// Where it is.
        agent: Endpoint,
        /// What went wrong.
        why: String,
    },
    /// It is not in its sandbox and cannot go there.
    #[error("cannot work in the sandbox {}", sandbox.display())]
    Sandbox {
        /// Where the agent says that it is.
        sandbox: PathBuf,
        /// What went wrong.
        #[source]
        error: std::io::Error,
    },
    /// It cannot wait for signals.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
}

/// Works for a driver until the work is over, or the agent says to stop or is
/// gone for good.
///
/// # Errors
/// The executor cannot begin. What goes wrong later ends it in good order.
pub async fn run(
    variables: &BTreeMap<String, String>,
    config: WorkerConfig,
) -> Result<(), ExecutorError> {
    let environment = ExecutorEnvironment::read(variables)?;
    let config = WorkerConfig {
        sandbox: variables.get(SANDBOX).map(PathBuf::from),
        ..config
    };
    // A container with an image may begin elsewhere.
    if let Some(sandbox) = &config.sandbox {
        std::env::set_current_dir(sandbox).map_err(|error| ExecutorError::Sandbox {
            sandbox: sandbox.clone(),
            error,
        })?;
    }
    tracing::info!(?environment, "starting");
    let clock = SystemClock::start();
    let mut terminate = signal(SignalKind::terminate()).map_err(ExecutorError::Signals)?;
    let (client, mut notices) = ExecutorClient::start(&environment, &config.host, clock)?;
    let announce_after = if config.fine {
        ANNOUNCE_AFTER
    } else {
        Duration::ZERO
    };
    let timing = Timing {
        shutdown_grace_period: environment.shutdown_grace_period,
        announce_after,
    };
    let (outcomes, mut tasks_ended) = mpsc::unbounded_channel();
    let mut shell = Shell {
        core: ExecutorCore::new(timing, fastrand::u64(..)),
        clock,
        client,
        work: Work::Awaited(config, outcomes),
        terminated: false,
    };
    let mut leave_by = None;
    loop {
        let deadline = shell.core.next_deadline();
        let input = tokio::select! {
            notice = notices.recv() => match notice {
                Some(Notice::NoTls { why }) => {
                    let agent = environment.endpoint;
                    return Err(ExecutorError::NoTls { agent, why });
                }
                Some(notice) => match input_of(notice) {
                    Some(input) => input,
                    None => continue,
                },
                None => Input::AgentLost,
            },
            Some((task, outcome)) = tasks_ended.recv() => match shell.task_ended(task, &outcome) {
                Some(input) => input,
                None => continue,
            },
            ended = shell.work.over(), if leave_by.is_none() => {
                leave_by = Some(clock.now() + LEAVE_WITHIN);
                if let Some(input) = shell.work_ended(ended)
                    && shell.handle(input)
                {
                    return Ok(());
                }
                Input::Shutdown
            }
            () = sleep_until(clock, leave_by) => return Ok(()),
            _ = terminate.recv() => {
                shell.terminated = true;
                Input::Terminated
            }
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
        Notice::Kill { task, .. } => Input::Kill(task),
        Notice::Settled(uuid) => Input::Settled(uuid),
        Notice::Shutdown => {
            tracing::info!("the agent wants the executor ended");
            Input::Shutdown
        }
        Notice::Ended { why } | Notice::NoTls { why } => {
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

/// How the work for the driver ended.
type WorkEnd = Result<Result<(), WorkerError>, tokio::task::JoinError>;

/// The work for a driver.
enum Work {
    /// It begins with the first task, which brings what the driver knows the
    /// executor by.
    Awaited(WorkerConfig, mpsc::UnboundedSender<(u64, Outcome)>),
    Begun(Working),
    /// Nothing to be begun was understood.
    Broken,
}

impl Work {
    /// Waits until it is over; for ever before it has begun.
    async fn over(&mut self) -> WorkEnd {
        match self {
            Self::Begun(working) => (&mut working.over).await,
            Self::Awaited(..) | Self::Broken => std::future::pending().await,
        }
    }

    /// Begins it with what came with the first task.
    fn begin(&mut self, credential: Credential) -> Option<&mut Working> {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Awaited(config, outcomes) => {
                Self::Begun(Working::start(config, credential, outcomes))
            }
            other => other,
        };
        self.begun()
    }

    const fn begun(&mut self) -> Option<&mut Working> {
        match self {
            Self::Begun(working) => Some(working),
            Self::Awaited(..) | Self::Broken => None,
        }
    }
}

struct Working {
    stop: Option<oneshot::Sender<()>>,
    mode: ModeOfWork,
    over: JoinHandle<Result<(), WorkerError>>,
}

enum ModeOfWork {
    /// One task is all the work: this one, once it came.
    Coarse(Option<MesosTaskId>),
    /// Each attempt is a task.
    Fine {
        /// Where attempts are handed over.
        wanted: mpsc::UnboundedSender<Wanted>,
        /// The Mesos task of each that runs.
        names: HashMap<u64, MesosTaskId>,
    },
}

impl Working {
    fn start(
        config: WorkerConfig,
        credential: Credential,
        ended: mpsc::UnboundedSender<(u64, Outcome)>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let (mode, door) = if config.fine {
            let (sender, wanted) = mpsc::unbounded_channel();
            let names = HashMap::new();
            let mode = ModeOfWork::Fine {
                wanted: sender,
                names,
            };
            (mode, Some(Door { wanted, ended }))
        } else {
            (ModeOfWork::Coarse(None), None)
        };
        let working = async move { worker::work(config, &credential, stopped, door).await };
        Self {
            stop: Some(stop),
            mode,
            over: tokio::spawn(working),
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

struct Shell {
    core: ExecutorCore,
    clock: SystemClock,
    client: ExecutorClient,
    work: Work,
    /// Whether the process was told to end.
    terminated: bool,
}

impl Shell {
    /// Does what the core says; true when the executor is to end.
    fn handle(&mut self, input: Input) -> bool {
        for action in self.core.handle(self.clock.now(), input) {
            match action {
                Action::Start { task, data } => {
                    if let Some(input) = self.begin(task, &data)
                        && self.handle(input)
                    {
                        return true;
                    }
                }
                Action::Stop(task) => self.stop(&task),
                Action::Send(status) => {
                    tracing::info!(task = %status.task, state = %status.state, message = status.message);
                    self.client.send(status);
                }
                Action::End => return true,
            }
        }
        false
    }

    /// Begins a task; what is to be told if it cannot.
    fn begin(&mut self, task: MesosTaskId, data: &Bytes) -> Option<Input> {
        let unreadable = |why: String| Input::Ended {
            task: task.clone(),
            state: TaskState::Failed,
            message: format!("the task cannot be read: {why}"),
            data: Bytes::new(),
        };
        let (credential, data) = match worker::read_launch(data) {
            Ok(launch) => launch,
            Err(error) => return Some(unreadable(error.to_string())),
        };
        // Tasks that were sent once the driver knew the executor bring none.
        let working = match credential {
            Some(credential) => self.work.begin(credential),
            None => self.work.begun(),
        };
        let Some(working) = working else {
            return Some(unreadable(worker::without_credential().to_string()));
        };
        match &mut working.mode {
            ModeOfWork::Coarse(work) => *work = Some(task),
            ModeOfWork::Fine { wanted, names } => match message::Task::decode(data) {
                Ok(decoded) if names.contains_key(&decoded.id) => {
                    return Some(unreadable(format!("attempt {} runs already", decoded.id)));
                }
                Ok(decoded) => {
                    names.insert(decoded.id, task);
                    let _ = wanted.send(Wanted::Run(Box::new(decoded)));
                }
                Err(error) => return Some(unreadable(error.to_string())),
            },
        }
        None
    }

    /// Stops a task: all the work, in coarse mode.
    fn stop(&mut self, task: &MesosTaskId) {
        let Some(working) = self.work.begun() else {
            return;
        };
        match &working.mode {
            ModeOfWork::Coarse(_) => {
                if let Some(stop) = working.stop.take() {
                    let _ = stop.send(());
                }
            }
            ModeOfWork::Fine { wanted, names } => {
                for (id, _) in names.iter().filter(|(_, name)| *name == task) {
                    let _ = wanted.send(Wanted::Kill(*id));
                }
            }
        }
    }

    /// An attempt ended that is a task of the agent.
    fn task_ended(&mut self, task: u64, outcome: &Outcome) -> Option<Input> {
        let ModeOfWork::Fine { names, .. } = &mut self.work.begun()?.mode else {
            return None;
        };
        let task = names.remove(&task)?;
        let (state, message) = state_of(outcome);
        // What was stopped with the process is lost with it: the driver did not want it.
        let data = match &outcome.end {
            Some(End::Killed(_)) if self.terminated => Vec::new(),
            _ => outcome.encode_to_vec(),
        };
        Some(Input::Ended {
            task,
            state,
            message,
            data: data.into(),
        })
    }

    /// The work is over: what that means for the task that stands for it.
    fn work_ended(&mut self, ended: WorkEnd) -> Option<Input> {
        let (state, message) = match ended {
            Ok(Ok(())) => (TaskState::Finished, String::new()),
            Ok(Err(error)) => (TaskState::Failed, error.to_string()),
            Err(error) => (
                TaskState::Failed,
                format!("the executor's work broke off: {error}"),
            ),
        };
        if state == TaskState::Failed {
            tracing::error!("{message}");
        }
        let ModeOfWork::Coarse(work) = &mut self.work.begun()?.mode else {
            return None;
        };
        Some(Input::Ended {
            task: work.take()?,
            state,
            message,
            data: Bytes::new(),
        })
    }
}
