//! Tasks, executors and task states, in the domain's own types. Pure.
//!
//! Responsible for what a framework says when it launches a task and for what
//! it hears of it. Which fields Mesos demands is checked here and in
//! `convert`; what a state means for a job is not decided here.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::container::{Container, Label};
use crate::ids::{AgentId, ExecutorId, MesosTaskId};
use crate::resources::Resources;

/// The state of a task, with Mesos's names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum TaskState {
    /// Launched, and not yet at its executor.
    Staging,
    /// Being started by its executor.
    Starting,
    /// Running.
    Running,
    /// Being killed.
    Killing,
    /// Ended well.
    Finished,
    /// Ended badly.
    Failed,
    /// Ended because it was told to.
    Killed,
    /// Never started: its description was wrong.
    Error,
    /// Gone, for frameworks that are not partition-aware.
    Lost,
    /// Never started: the launch did not reach the agent.
    Dropped,
    /// Its agent is out of reach; it may be running, and may come back.
    Unreachable,
    /// Its agent is back without it.
    Gone,
    /// An operator says that its agent is gone for good.
    GoneByOperator,
    /// The master knows nothing of it.
    Unknown,
}

impl TaskState {
    /// Whether nothing follows this state by Mesos's rules. Some of these tasks
    /// may still come back as running: `Lost` and `GoneByOperator`.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::Failed
                | Self::Killed
                | Self::Error
                | Self::Lost
                | Self::Dropped
                | Self::Gone
                | Self::GoneByOperator
        )
    }

    /// Mesos's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staging => "TASK_STAGING",
            Self::Starting => "TASK_STARTING",
            Self::Running => "TASK_RUNNING",
            Self::Killing => "TASK_KILLING",
            Self::Finished => "TASK_FINISHED",
            Self::Failed => "TASK_FAILED",
            Self::Killed => "TASK_KILLED",
            Self::Error => "TASK_ERROR",
            Self::Lost => "TASK_LOST",
            Self::Dropped => "TASK_DROPPED",
            Self::Unreachable => "TASK_UNREACHABLE",
            Self::Gone => "TASK_GONE",
            Self::GoneByOperator => "TASK_GONE_BY_OPERATOR",
            Self::Unknown => "TASK_UNKNOWN",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A status of a task, as it comes to the framework or leaves the executor.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TaskStatus {
    /// The task.
    pub task: MesosTaskId,
    /// Its state.
    pub state: TaskState,
    /// What happened, for people; empty if nobody said.
    pub message: String,
    /// Why, with Mesos's name (`REASON_...`), if given.
    pub reason: Option<String>,
    /// What the executor attached.
    #[serde(with = "crate::base64")]
    pub data: Bytes,
    /// Where it ran, if known.
    pub agent: Option<AgentId>,
    /// Its executor, if known.
    pub executor: Option<ExecutorId>,
    /// If present, the status must be acknowledged, whatever its source.
    pub uuid: Option<Uuid>,
    /// Seconds since the Unix epoch by the clock of whoever made the status;
    /// statuses of several hosts cannot be ordered by it.
    pub timestamp: Option<f64>,
}

impl TaskStatus {
    /// A status of which nothing but the task and its state is known.
    pub const fn new(task: MesosTaskId, state: TaskState) -> Self {
        Self {
            task,
            state,
            message: String::new(),
            reason: None,
            data: Bytes::new(),
            agent: None,
            executor: None,
            uuid: None,
            timestamp: None,
        }
    }
}

/// A task to launch on an executor, or one that an executor is told to start.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// For people.
    pub name: String,
    /// Never used before by this framework.
    pub task: MesosTaskId,
    /// The agent of the offer.
    pub agent: AgentId,
    /// What it holds; at least one resource, all of one role.
    pub resources: Resources,
    /// Its executor; started with the first task that names it.
    pub executor: Option<ExecutorInfo>,
    /// What the executor needs to know of it.
    pub data: Bytes,
    /// For whoever looks at Mesos.
    pub labels: Vec<Label>,
}

/// An executor of our own. The master compares it as a whole with the running
/// one of the same id: what differs from task to task belongs in the task.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorInfo {
    /// Unique for each run.
    pub executor: ExecutorId,
    /// For people.
    pub name: String,
    /// What starts it.
    pub command: Command,
    /// Where it runs, if not just on the agent.
    pub container: Option<Container>,
    /// What it holds beside its tasks.
    pub resources: Resources,
    /// How long it may take to end when told to; the agent's own if absent.
    pub shutdown_grace_period: Option<Duration>,
}

/// A command that an agent runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it runs.
    pub run: Run,
    /// What it fetches into the sandbox before.
    pub uris: Vec<Uri>,
    /// Its environment.
    pub environment: Vec<Variable>,
}

/// What an agent runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// With `/bin/sh -c` in the sandbox. Begin it with `exec`, so that signals reach the
    /// program.
    Shell(String),
    /// A program, without a shell.
    Program {
        /// Where it is; none for what a container begins with by itself.
        path: Option<String>,
        /// All that it is given. Mesos's own containers want its name as the first.
        arguments: Vec<String>,
    },
}

/// Something that Mesos fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// Where it is.
    pub value: String,
    /// What it is called in the sandbox; as at its end if absent.
    pub name: Option<String>,
    /// Whether it is a program. Anything else is unpacked if it is an archive.
    pub executable: bool,
    /// Whether the agent may keep it for others.
    pub cache: bool,
}

impl Command {
    /// What a shell runs, with nothing beside it.
    pub fn shell(value: &str) -> Self {
        Self {
            run: Run::Shell(value.into()),
            uris: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// An environment variable.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether the value is to be kept from logs and endpoints.
    pub secret: bool,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.secret {
            "<redacted>"
        } else {
            &self.value
        };
        write!(f, "{}={value}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let variable = Variable {
            name: "KEY".into(),
            value: "hunter2".into(),
            secret: true,
        };
        assert_eq!(format!("{variable:?}"), "KEY=<redacted>");
    }
}
