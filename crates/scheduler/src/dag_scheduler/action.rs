//! What the DAG scheduler asks for and makes known.
//!
//! Responsible for the words in which decisions leave it: commands go to the
//! task scheduler, notices to whoever runs jobs, logs events or shows state.

use std::sync::Arc;

use crate::ids::{ExecutorId, Host, JobId, Partition, StageAttempt, StageId, TaskId};
use crate::job::JobError;
use crate::task::{StageKind, TaskCommand, TaskReport};

/// One thing the DAG scheduler wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DagAction {
    /// For the task scheduler.
    Command(TaskCommand),
    /// For everyone else.
    Notice(DagNotice),
}

/// Something that happened to a job, a stage or an attempt. The order of
/// notices is the order of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DagNotice {
    /// A job was taken in; the answer to its submission, and always the first
    /// notice of a job.
    JobAccepted {
        /// The id that it has from now on.
        job: JobId,
    },
    /// A job's stages were made.
    JobStarted {
        /// The job.
        job: JobId,
        /// Its stages in ascending order; those whose output exists already
        /// will be skipped.
        stages: Vec<StageId>,
    },
    /// Outputs of a round were lost: a job needs the stages that make them again.
    StagesAdded {
        /// The job.
        job: JobId,
        /// The stages that it did not have before, in ascending order.
        stages: Vec<StageId>,
    },
    /// A barrier job waits for the cluster to grow.
    JobWaitsForSlots {
        /// The job.
        job: JobId,
        /// Why, and what would help.
        reason: JobError,
    },
    /// An attempt's result counts; no other result of this partition does.
    ResultReady {
        /// The job.
        job: JobId,
        /// The partition.
        partition: Partition,
        /// The attempt whose result it is.
        task: TaskId,
    },
    /// A map-stage job's output is there.
    MapOutputReady {
        /// The job.
        job: JobId,
        /// About how many bytes each reduce partition has.
        bytes_by_reducer: Arc<[u64]>,
    },
    /// A job is over; the last notice of a job.
    JobEnded {
        /// The job.
        job: JobId,
        /// How.
        outcome: Result<(), JobError>,
    },
    /// An attempt at a stage begins.
    StageSubmitted {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: StageAttempt,
        /// The name of its last dataset.
        name: Arc<str>,
        /// What it makes.
        kind: StageKind,
        /// How many tasks this attempt has.
        tasks: u32,
    },
    /// An attempt at a stage is over.
    StageCompleted {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: StageAttempt,
        /// Why it failed, if it did.
        failure: Option<Arc<str>>,
    },
    /// An attempt of a task started or ended, whether or not anything follows
    /// from it.
    Task(TaskReport),
    /// The answer to an attempt that asked to commit its output.
    CommitDecided {
        /// The attempt.
        task: TaskId,
        /// Whether it may.
        granted: bool,
    },
    /// Map outputs of an executor, or of all executors of a host, count as
    /// lost.
    OutputsLost {
        /// The executor that was lost or could not serve.
        executor: ExecutorId,
        /// The host, if all its executors' outputs are lost with it.
        host: Option<Host>,
        /// The map output tracker's epoch from now on.
        epoch: u64,
    },
}

/// What follows from an event, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what is not carried out is lost"]
pub struct DagActions(Vec<DagAction>);

impl DagActions {
    pub(super) fn command(&mut self, command: TaskCommand) {
        self.0.push(DagAction::Command(command));
    }

    pub(super) fn notice(&mut self, notice: DagNotice) {
        self.0.push(DagAction::Notice(notice));
    }
}

impl IntoIterator for DagActions {
    type Item = DagAction;
    type IntoIter = std::vec::IntoIter<DagAction>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
