//! What can happen to the task scheduler.
//!
//! Responsible for the words alone. Commands come from the DAG scheduler, all
//! else from a backend or from the passing of time.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{ExecutorId, Host, TaskId};
use crate::loss::ExecutorLossReason;
use crate::task::{PersistedPartition, TaskCommand, TaskEndReason};
use crate::worker_offer::WorkerOffer;

/// An input of the task scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskSchedulerEvent {
    /// The DAG scheduler asks for something.
    Command(TaskCommand),
    /// A backend offers room, to be answered at once. Each executor is in it
    /// at most once.
    Offers {
        /// The room.
        offers: Vec<WorkerOffer>,
        /// Whether this is all that is free at present, or only what became
        /// free on one executor (Spark's `isAllFreeResources`).
        all_free: bool,
    },
    /// Something was heard of an attempt.
    Status {
        /// The attempt.
        task: TaskId,
        /// What was heard.
        status: AttemptStatus,
    },
    /// An executor went away.
    ExecutorLost {
        /// The executor.
        executor: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// An executor is being decommissioned: it finishes what it runs.
    ExecutorDecommissioning {
        /// The executor.
        executor: ExecutorId,
        /// Its host, if the whole host is.
        host: Option<Host>,
    },
    /// An executor keeps a partition of a persisted dataset.
    PartitionKept {
        /// The partition.
        partition: PersistedPartition,
        /// The executor.
        executor: ExecutorId,
    },
    /// An executor keeps it no longer.
    PartitionDropped {
        /// The partition.
        partition: PersistedPartition,
        /// The executor.
        executor: ExecutorId,
    },
    /// It became known in which racks hosts stand.
    RacksKnown(Vec<(Host, Arc<str>)>),
    /// The backend broke for good: all task sets fail with the message.
    BackendFailed {
        /// What happened, for people.
        message: Arc<str>,
    },
    /// A deadline may have passed.
    TimePassed,
}

/// What was heard of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptStatus {
    /// Its executor started it.
    Running,
    /// How far it is.
    Progress {
        /// The records that it has read so far.
        records: u64,
        /// How long it had run by then.
        ran: Duration,
    },
    /// It did its work, and its result of so many bytes waits to be fetched.
    /// Answered by [`BackendRequest::FetchResult`] unless the results of its
    /// set become too large; then comes [`AttemptStatus::Ended`], with the result or with
    /// [`TaskEndReason::ResultLost`].
    ///
    /// [`BackendRequest::FetchResult`]: super::action::BackendRequest::FetchResult
    ResultReady {
        /// Size of the result.
        bytes: u64,
    },
    /// It is over. [`TaskEndReason::Resubmitted`] is never heard: the task set manager
    /// alone makes it.
    Ended {
        /// How.
        reason: TaskEndReason,
        /// Records that it read; zero if that is not counted.
        records: u64,
    },
}

impl AttemptStatus {
    /// An attempt is over of which nothing was counted.
    pub const fn ended(reason: TaskEndReason) -> Self {
        let records = 0;
        Self::Ended { reason, records }
    }
}
