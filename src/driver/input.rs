//! What reaches the driver's loop.

use bytes::Bytes;

use super::cluster::ClusterInput;
use crate::ids::{ExecutorId, JobId, Partition, StageId, TaskId};
use crate::rpc::message::Outcome;

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// An attempt ended.
    Ended {
        /// Where it ran.
        executor: ExecutorId,
        /// The attempt.
        task: TaskId,
        /// How.
        outcome: Outcome,
    },
    /// An attempt asks whether it may put its output in place.
    Commit {
        /// The attempt.
        task: TaskId,
        /// Its stage.
        stage: StageId,
        /// Its partition.
        partition: Partition,
        /// Who waits for the answer.
        answer: CommitAnswer,
    },
    /// A large result was fetched, or could not be.
    Fetched {
        /// The attempt whose result it is.
        task: TaskId,
        /// The result, or what went wrong.
        result: Result<Bytes, String>,
    },
    /// Saved files were put in place, or could not be.
    Saved {
        /// The job.
        job: JobId,
        /// What went wrong.
        result: Result<(), String>,
    },
    /// An attempt has read so many records.
    Progress {
        /// The attempt.
        task: TaskId,
        /// The records.
        records: u64,
    },
    /// The user wants an end.
    Interrupted,
    /// A deadline came.
    TimePassed,
    /// To the executors, or where they come from.
    Cluster(Box<ClusterInput>),
}

/// Who waits for the answer to a commit.
#[derive(Debug)]
pub enum CommitAnswer {
    /// A thread of this process.
    Thread(std::sync::mpsc::Sender<bool>),
    /// An executor.
    Executor(ExecutorId),
}
