//! What executors say, in the driver's own words. Pure.
//!
//! Responsible for the words that the machines take: ids are of their kinds, and what
//! cannot be meant is not there. How they travel is [`wire`](crate::wire)'s, which reads
//! them once, where they come in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::facts::Metrics;
use crate::ids::{DatasetId, ExecutorId, Host, Partition, ShuffleId, StageId, TaskId};
use crate::report::Said;

/// What an executor says.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Who it is. Comes first on each connection.
    Registered(Registration),
    /// What became of attempts, in order.
    Statuses {
        /// Each attempt, and how it ended; `None` while it runs: it begins.
        statuses: Vec<(TaskId, Option<Outcome>)>,
        /// What is to be acknowledged, counted from 1; 0 if nothing is.
        number: u64,
    },
    /// May an attempt put its output in place?
    MayCommit {
        /// The attempt.
        task: TaskId,
        /// The stage that it says it is of.
        stage: StageId,
        /// The partition that it says it computes.
        partition: Partition,
    },
    /// How far attempts are that run.
    Progress(Vec<Far>),
    /// A persisted partition had to make room.
    Dropped {
        /// Its dataset.
        dataset: DatasetId,
        /// The partition.
        partition: Partition,
    },
    /// It serves the outputs of an executor that ended on its host, or why it cannot.
    TookOver {
        /// Whose outputs.
        store: ExecutorId,
        /// What came of it.
        result: Result<(), String>,
    },
    /// The outputs of an executor cannot be reached: where are they?
    Locate(ExecutorId),
    /// A command says something to people.
    Said(Said),
}

/// What an executor says of itself. Its host, what it may use and the name of its folder
/// are what it was launched with, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its name.
    pub executor: ExecutorId,
    /// What it was launched with, as it understood it.
    pub cores: u32,
    /// Where its block server listens, as it says; 0 if it has none.
    pub port: u32,
    /// Its folder.
    pub folder: String,
    /// Its process, on its host.
    pub process: u32,
    /// New for each run of an executor: one that comes back has the same.
    pub instance: String,
    /// The attempts that it has and of whose end the driver has not heard.
    pub tasks: Vec<TaskId>,
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Far {
    /// The attempt.
    pub task: TaskId,
    /// Records that it has read.
    pub records: u64,
    /// How long it has run.
    pub ran: Duration,
}

/// How an attempt ended, as its executor says.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How.
    pub end: End,
    /// What it measured.
    pub metrics: Option<Metrics>,
    /// Partitions of persisted datasets that the executor keeps since this attempt.
    pub kept: Vec<(DatasetId, Partition)>,
}

/// The word for an end. What scheduling hears is made of it where it is known to be an
/// answer to what the attempt was asked for (`outcome`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It spread its records: bytes of each block.
    Map(Arc<[u64]>),
    /// A small result.
    Result(Bytes),
    /// A large one of so many bytes, which the executor keeps to be fetched.
    Stored(u64),
    /// It could not read a map output.
    FetchFailed {
        /// Who should have served it, if that is known.
        source: Option<(ExecutorId, Host)>,
        /// The shuffle.
        shuffle: ShuffleId,
        /// Which map output, if a single one is to blame.
        map: Option<Partition>,
        /// What went wrong, for people.
        message: Arc<str>,
    },
    /// It failed.
    Failed {
        /// Why, for people.
        message: Arc<str>,
        /// Whether trying again cannot help.
        permanent: bool,
    },
    /// It was stopped, for this reason.
    Killed(Arc<str>),
    /// It was not let commit.
    CommitDenied,
    /// Its executor says nothing that can be understood.
    Unknown,
}

impl Outcome {
    /// An end of which nothing else is known.
    pub const fn of(end: End) -> Self {
        Self {
            end,
            metrics: None,
            kept: Vec::new(),
        }
    }

    /// An attempt failed, and may be tried again.
    pub fn failed(message: impl Into<Arc<str>>) -> Self {
        Self::of(End::Failed {
            message: message.into(),
            permanent: false,
        })
    }
}

impl End {
    /// Whether the attempt did its work.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Map(_) | Self::Result(_) | Self::Stored(_))
    }
}
