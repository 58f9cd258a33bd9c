//! One active job, and the ways in which jobs fail.
//!
//! Responsible for what the DAG scheduler remembers of a job between its
//! submission and its end, and for the errors that people read when it ends
//! badly. Messages begin as Spark's do, because that is what people and their
//! scripts search logs for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use super::partition_set::PartitionSet;
use crate::ids::{JobId, ShuffleId, StageId};
use crate::plan::JobRequest;

/// The generation of each indeterminate shuffle that something was computed
/// from.
pub(super) type MadeFrom = BTreeMap<ShuffleId, u64>;

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobError {
    /// A stage that it needs could not be completed.
    #[error("Job aborted due to stage failure: {reason}")]
    StageFailed {
        /// The stage.
        stage: StageId,
        /// Why, naming the task and its failures.
        reason: Arc<str>,
    },
    /// Someone cancelled it.
    #[error("Job {job} cancelled {reason}")]
    Cancelled {
        /// The job.
        job: JobId,
        /// Why; may be empty.
        reason: Arc<str>,
    },
    /// Datasets of one stage ask for different resources.
    #[error(
        "dataset `{dataset}` would run in one stage with datasets that need other resources per task: \
         multiple resource profiles in a stage are allowed with \
         spark.scheduler.resource.profileMergeConflicts=true, which takes the larger of each"
    )]
    NeedsConflict {
        /// The last dataset of the stage.
        dataset: Arc<str>,
    },
    /// A barrier stage can never have all its tasks running at once.
    #[error(
        "barrier stage of dataset `{dataset}` needs {needed} slots at once, but the cluster has {slots}: \
         use fewer partitions or more executors"
    )]
    TooFewSlots {
        /// The last dataset of the stage.
        dataset: Arc<str>,
        /// Slots needed.
        needed: u32,
        /// Slots there were at the last check.
        slots: u64,
    },
    /// Barrier stages need a fixed set of executors.
    #[error(
        "barrier stage of dataset `{dataset}` cannot run with dynamic allocation: \
         set spark.dynamicAllocation.enabled=false"
    )]
    BarrierWithDynamicAllocation {
        /// The last dataset of the stage.
        dataset: Arc<str>,
    },
    /// The tasks of a barrier stage do not match its partitions one to one.
    #[error(
        "barrier stage of dataset `{dataset}` must compute all partitions of one barrier dataset: \
         unions, partial jobs and several barriers in a stage are not possible"
    )]
    BarrierShape {
        /// The last dataset of the stage.
        dataset: Arc<str>,
    },
}

/// What an active job still waits for.
#[derive(Debug)]
pub(super) enum JobGoal {
    /// A result of each wanted partition.
    Results { finished: PartitionSet, wanted: u32 },
    /// The map output of its final stage.
    MapOutput,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: JobRequest,
    pub(super) final_stage: StageId,
    /// The final stage and all its ancestors.
    pub(super) stages: BTreeSet<StageId>,
    pub(super) goal: JobGoal,
    /// What its results so far were computed from.
    pub(super) made_from: MadeFrom,
}
