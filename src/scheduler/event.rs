//! What can happen to the task scheduler.
//!
//! Responsible for the words alone. Commands come from the DAG scheduler, all
//! else from a backend or from the passing of time.

use std::sync::Arc;

use crate::ids::{ExecutorId, Host, TaskId};
use crate::scheduler::task::{ExecutorLossReason, TaskCommand, TaskEndReason, TaskOutput};
use crate::scheduler::worker_offer::WorkerOffer;

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
        status: TaskStatus,
    },
    /// An executor went away and the reason is still to come, by
    /// [`TaskSchedulerEvent::ExecutorLost`]: nothing more is placed there, and
    /// the fate of its attempts waits for the reason.
    ExecutorDisconnected {
        /// The executor.
        executor: ExecutorId,
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
    /// It became known in which racks hosts stand.
    RacksKnown(Vec<(Host, Arc<str>)>),
    /// Somebody wants one attempt killed.
    KillAttempt {
        /// The attempt.
        task: TaskId,
        /// Why, for people.
        reason: Arc<str>,
    },
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
pub enum TaskStatus {
    /// Its executor started it.
    Running,
    /// It has read so many records up to now.
    Progress {
        /// The records.
        records: u64,
    },
    /// It did its work, and its result of so many bytes waits to be fetched.
    /// Answered by [`BackendRequest::FetchResult`] unless the results of its
    /// set become too large; then comes [`TaskStatus::Finished`], or
    /// [`TaskStatus::Failed`] with [`TaskEndReason::ResultLost`].
    ///
    /// [`BackendRequest::FetchResult`]: super::action::BackendRequest::FetchResult
    ResultReady {
        /// Size of the result.
        bytes: u64,
    },
    /// It did its work and the driver has its result.
    Finished {
        /// What it made.
        output: TaskOutput,
        /// Records it read; zero if that is not counted.
        records: u64,
    },
    /// It failed.
    Failed(TaskEndReason),
    /// It was killed.
    Killed {
        /// Why, for people.
        reason: Arc<str>,
    },
    /// Nobody knows of it any more: its executor is taken as lost too.
    Lost {
        /// What is known, for people.
        message: Arc<str>,
        /// Whether the application may be to blame; not if an agent went away
        /// or the executor was preempted.
        caused_by_app: bool,
    },
}
