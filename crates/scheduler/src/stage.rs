//! One stage of one or more jobs, as the DAG scheduler keeps it.
//!
//! Responsible for what a stage is and which state it is in; the rules that
//! move it from state to state are in `dag_scheduler`.
//!
//! ```text
//!             parents missing               parents complete
//!   Idle ───────────────────────▶ Waiting ───────────────────┐
//!    │ ▲                                                      │
//!    │ └──────── all tasks done, or failed ────────┐          │
//!    │           (failed: gathered, back in 200 ms)│          │
//!    └──────────── no parents missing ──────────▶ Running ◀───┘
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::partition_set::PartitionSet;
use super::task::StageKind;
use crate::ids::{DatasetId, JobId, ShuffleId, StageAttempt, StageId};
use crate::plan::TaskNeeds;

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagePhase {
    /// Not wanted yet, done, or failed and to be tried again soon.
    Idle,
    /// Wanted, but output that it reads is missing; the stages that make it
    /// have been submitted.
    Waiting,
    /// Its latest attempt's tasks are with the task scheduler.
    Running,
}

/// What a stage makes, and for whom.
#[derive(Debug)]
pub(super) enum StageGoal {
    /// The map output of a shuffle, for every job that needs it.
    ShuffleMap {
        shuffle: ShuffleId,
        /// Partitions of the latest attempt that have not succeeded since.
        pending: PartitionSet,
        /// Map-stage jobs that end when this stage is complete.
        jobs: Vec<JobId>,
    },
    /// The results of one job.
    Result { job: JobId },
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) id: StageId,
    pub(super) name: Arc<str>,
    pub(super) dataset: DatasetId,
    pub(super) goal: StageGoal,
    /// The stages that make the shuffles it reads directly.
    pub(super) parents: Vec<StageId>,
    /// The stages of which it is a parent.
    pub(super) children: BTreeSet<StageId>,
    /// Active jobs that need it; never empty.
    pub(super) jobs: BTreeSet<JobId>,
    /// The job that it was made for; orders stages that become ready together.
    pub(super) first_job: JobId,
    /// How many tasks a complete attempt has.
    pub(super) tasks: u32,
    pub(super) barrier: bool,
    /// Whether running it again may give other records.
    pub(super) indeterminate: bool,
    pub(super) needs: Arc<TaskNeeds>,
    pub(super) phase: StagePhase,
    /// The attempt that would be next. Attempts before it have been started,
    /// except that a stage which was skipped begins with attempt 1.
    pub(super) next_attempt: StageAttempt,
    /// Attempts that failed since the stage last succeeded. A set: many
    /// failures in one attempt count once.
    pub(super) failed_attempts: BTreeSet<StageAttempt>,
    /// Successes of attempts up to this one are worthless: what they read has
    /// been made again, and may have come out differently.
    pub(super) rolled_back: Option<StageAttempt>,
}

impl Stage {
    /// The attempt that was started last, if any.
    pub(super) fn latest_attempt(&self) -> Option<StageAttempt> {
        self.next_attempt.0.checked_sub(1).map(StageAttempt)
    }

    pub(super) fn is_latest(&self, attempt: StageAttempt) -> bool {
        self.latest_attempt() == Some(attempt)
    }

    pub(super) fn is_running(&self) -> bool {
        self.phase == StagePhase::Running
    }

    /// A job that is over needs the stage no more; others still do.
    pub(super) fn forget_job(&mut self, job: JobId) {
        self.jobs.remove(&job);
        if let StageGoal::ShuffleMap { jobs, .. } = &mut self.goal {
            jobs.retain(|other| *other != job);
        }
    }

    pub(super) fn shuffle(&self) -> Option<ShuffleId> {
        match self.goal {
            StageGoal::ShuffleMap { shuffle, .. } => Some(shuffle),
            StageGoal::Result { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> StageKind {
        self.shuffle()
            .map_or(StageKind::Result, StageKind::ShuffleMap)
    }
}

/// As Spark's messages name a stage: `ResultStage 1 (counts)`.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.goal {
            StageGoal::ShuffleMap { .. } => "ShuffleMapStage",
            StageGoal::Result { .. } => "ResultStage",
        };
        write!(f, "{kind} {} ({})", self.id, self.name)
    }
}
