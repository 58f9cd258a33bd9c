//! What can happen to the DAG scheduler.
//!
//! Responsible for the words in which the world reaches it. Events are past
//! tense; none of them can be wrong: what is late, unknown or repeated has no
//! effect.

use std::sync::Arc;

use crate::ids::{DatasetId, ExecutorId, Host, Partition, ShuffleId, StageId, TaskId};
use crate::plan::JobRequest;
use crate::task::TaskReport;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DagEvent {
    /// Someone wants a job run. The answer names it
    /// ([`JobAccepted`](super::DagNotice::JobAccepted)).
    JobSubmitted(JobRequest),
    /// Someone wants no job any longer.
    AllCancelled,
    /// News from the task scheduler.
    Reported(TaskReport),
    /// An executor is to go soon.
    ExecutorDecommissioned {
        /// The executor.
        executor: ExecutorId,
        /// Its host, if the whole host goes.
        host: Option<Host>,
    },
    /// The map outputs of an executor, which had outlived it, are gone.
    OutputsLost {
        /// The executor.
        executor: ExecutorId,
    },
    /// An executor keeps a partition of a persisted dataset.
    PartitionCached {
        /// The dataset.
        dataset: DatasetId,
        /// The partition.
        partition: Partition,
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
    },
    /// An executor dropped a partition of a persisted dataset.
    PartitionDropped {
        /// The dataset.
        dataset: DatasetId,
        /// The partition.
        partition: Partition,
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
    },
    /// An attempt wants to put its output in place.
    CommitRequested {
        /// The stage.
        stage: StageId,
        /// The partition.
        partition: Partition,
        /// The attempt.
        task: TaskId,
    },
    /// What the cluster could run at once changed; barrier stages must fit.
    CapacityChanged(Vec<ExecutorCapacity>),
    /// A dataset reads shuffle `to` where it read `from`, which nobody made: a loop has
    /// ended. No job on it has begun.
    LoopEnded {
        /// The dataset.
        result: DatasetId,
        /// What the plan had it read.
        from: ShuffleId,
        /// What the last round left.
        to: ShuffleId,
    },
    /// No active job reads this shuffle. Whoever needs it after all has it made again.
    ShuffleReleased(ShuffleId),
    /// No job to come will read what is kept of this dataset.
    DatasetReleased(DatasetId),
    /// Time has passed; needed when a deadline comes and nothing else happens.
    TimePassed,
}

/// What one executor can run at once, whether or not it is busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorCapacity {
    /// Its cores.
    pub cores: u32,
    /// Its named resources and how many addresses of each.
    pub resources: Vec<(Arc<str>, u32)>,
}
