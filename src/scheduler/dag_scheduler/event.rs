//! What can happen to the DAG scheduler.
//!
//! Responsible for the words in which the world reaches it. Events are past
//! tense; none of them can be wrong: what is late, unknown or repeated has no
//! effect.

use std::sync::Arc;

use crate::ids::{DatasetId, ExecutorId, Host, JobId, Partition, ShuffleId, StageId, TaskId};
use crate::plan::JobRequest;
use crate::scheduler::task::TaskReport;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DagEvent {
    /// Someone wants a job run. The answer names it
    /// ([`JobAccepted`](super::DagNotice::JobAccepted)).
    JobSubmitted(JobRequest),
    /// Someone wants a job no longer.
    JobCancelled {
        /// The job.
        job: JobId,
        /// Why, for people; may be empty.
        reason: Arc<str>,
    },
    /// Someone wants all jobs that use a stage no longer.
    StageCancelled {
        /// The stage.
        stage: StageId,
        /// Why, for people, if they said.
        reason: Option<Arc<str>>,
    },
    /// Someone wants all jobs of a group no longer.
    GroupCancelled {
        /// The group (`spark.jobGroup.id`).
        group: Arc<str>,
        /// Whether jobs of the group that are yet to come are meant as well.
        and_future_jobs: bool,
    },
    /// Someone wants no job any longer.
    AllCancelled,
    /// Whoever asked for a job could not use a result of it.
    ResultRefused {
        /// The job.
        job: JobId,
        /// What went wrong, for people.
        message: Arc<str>,
    },
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
    /// No job to come will read this shuffle.
    ShuffleReleased(ShuffleId),
    /// Time has passed; needed when a deadline comes and nothing else happens.
    TimePassed,
    /// The application ends.
    Stopped,
}

/// What one executor can run at once, whether or not it is busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorCapacity {
    /// Its cores.
    pub cores: u32,
    /// Its named resources and how many addresses of each.
    pub resources: Vec<(Arc<str>, u32)>,
}
