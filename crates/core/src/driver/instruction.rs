//! What executors are told. Pure.
//!
//! Responsible for the words that the driver's machines say to executors. How they travel
//! is [`wire`](crate::wire)'s business, which makes a message of each where it becomes an
//! effect. Tasks alone are the wire's own from the start: a task is measured, and in fine
//! mode encoded, where it is made, and a form of our own would cost each of them a copy.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::facts::misfit::Misfit;
use crate::ids::{DatasetId, ExecutorId, ShuffleId, TaskId};
use mesquite_workload::message::Task;

/// Something an executor is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    /// It is registered. Comes first on each connection.
    Welcome(Welcome),
    /// It is to start these attempts.
    Launch(Vec<Task>),
    /// It is to stop an attempt.
    Kill {
        /// The attempt.
        task: TaskId,
        /// Why, for people.
        reason: String,
    },
    /// An attempt may commit what it has saved, or may not.
    Commit {
        /// The attempt.
        task: TaskId,
        /// Whether it may.
        granted: bool,
    },
    /// It is to end.
    Stop(WhyStop),
    /// This is not needed any more.
    Released(Released),
    /// Batches of statuses up to this number took effect.
    Acknowledge {
        /// The number.
        number: u64,
    },
    /// It is to serve the outputs of an executor that ended on its host.
    TakeOver {
        /// The executor.
        executor: ExecutorId,
        /// Where its outputs lie.
        folder: String,
    },
    /// Where the outputs of an executor are served now.
    Located {
        /// The executor.
        executor: ExecutorId,
        /// The address; none if they are lost.
        address: Option<String>,
    },
}

/// Why an executor is to end at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyStop {
    /// The scheduler wants it ended.
    Unwanted,
    /// It has nothing to do.
    Idle,
    /// It was away for too long, or whoever started it says that it is gone.
    GivenUp,
    /// Nobody of this name is waited for, or not any more.
    NotExpected,
    /// Another one has registered under this name.
    NameTaken,
    /// Nothing is to run on its host.
    HostExcluded,
    /// It is not what it was launched as.
    Misfit(Misfit),
}

/// What an executor has to know before its first task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// The program, as JSON.
    pub program: Bytes,
    /// The application.
    pub app_id: String,
    /// Settings, by the names that both ends know.
    pub conf: BTreeMap<String, String>,
    /// What was released before, of which it may have something, or take it over.
    pub released: Released,
}

/// What no task will read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Map outputs.
    pub shuffles: Vec<ShuffleId>,
    /// Partitions that are kept, of these datasets.
    pub datasets: Vec<DatasetId>,
    /// Map outputs that are not needed now, and may be made again.
    pub freed: Vec<ShuffleId>,
}
