//! What an agent tells its executor, in the domain's own types. Pure.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::ids::MesosTaskId;
use crate::proto;

/// An event of the executor API.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutorEvent {
    /// The agent knows the executor; tasks may follow.
    Subscribed,
    /// Tasks to start.
    Launch(Vec<LaunchedTask>),
    /// A task to end. May be repeated, with a shorter time to end in.
    Kill {
        /// The task.
        task: MesosTaskId,
        /// How long it may take; the executor's own choice if absent.
        grace_period: Option<Duration>,
    },
    /// The agent has a status in its keeping: it need not be sent again.
    Acknowledged {
        /// The task.
        task: MesosTaskId,
        /// The status's uuid.
        uuid: Uuid,
    },
    /// A message of the framework.
    Message(Bytes),
    /// The subscription is over.
    Error(String),
    /// End all tasks and then yourself. May be the first event.
    Shutdown,
    /// The agent is alive; too rare to tell anything.
    Heartbeat,
    /// An event that this version does not know; by its number, if it had one.
    Unknown(Option<i32>),
}

/// A task as its executor gets it. It is told to the agent again, whole, until
/// a status of it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchedTask {
    /// The task.
    pub task: MesosTaskId,
    /// For people.
    pub name: String,
    /// What the framework attached for the executor.
    pub data: Bytes,
    /// How long it may take to end when killed, if the framework said.
    pub grace_period: Option<Duration>,
    /// What it came as.
    pub(super) wire: proto::TaskInfo,
}

impl LaunchedTask {
    /// A task of which nothing more is known, as a model of an agent has it.
    pub fn new(task: MesosTaskId, name: &str, data: Bytes) -> Self {
        let wire = proto::TaskInfo {
            name: name.to_owned(),
            task_id: proto::TaskId {
                value: task.as_str().to_owned(),
            },
            data: Some(data.clone()),
            ..proto::TaskInfo::default()
        };
        Self {
            task,
            name: name.to_owned(),
            data,
            grace_period: None,
            wire,
        }
    }
}
