//! The DAG scheduler as it is now, for tests to look at.

use std::sync::Arc;

use super::DagScheduler;
use crate::ids::{JobId, ShuffleId, StageAttempt, StageId};
use crate::job::JobGoal;
use crate::stage::{Stage, StageGoal, StagePhase};

/// An active job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobView {
    /// The job.
    pub(crate) id: JobId,
    /// Its stages in ascending order; none while it waits for slots.
    pub(crate) stages: Vec<StageId>,
    /// How many results it has; 0 or 1 for a map-stage job.
    pub(crate) finished: u32,
    /// How many results it wants; 1 for a map-stage job.
    pub(crate) wanted: u32,
}

/// A stage of an active job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActiveStage {
    /// The stage.
    pub(crate) id: StageId,
    /// The name of its last dataset.
    pub(crate) name: Arc<str>,
    /// The shuffle that it makes, if it is a map stage.
    pub(crate) shuffle: Option<ShuffleId>,
    /// Where it stands.
    pub(crate) phase: StagePhase,
    /// Whether it failed and is to be tried again shortly.
    pub(crate) is_to_be_retried: bool,
    /// The attempt that was started last, or that was skipped.
    pub(crate) attempt: Option<StageAttempt>,
    /// How many partitions it is to make.
    pub(crate) tasks: u32,
    /// How many partitions have an output or a result.
    pub(crate) finished: u32,
    /// The stages whose output it reads directly.
    pub(crate) parents: Vec<StageId>,
    /// The active jobs that need it, in ascending order.
    pub(crate) jobs: Vec<JobId>,
}

impl DagScheduler {
    /// Active jobs, in ascending order, those that wait for slots last.
    pub(crate) fn jobs(&self) -> Vec<JobView> {
        let active = self.jobs.iter().map(|(id, job)| {
            let (finished, wanted) = match &job.goal {
                JobGoal::Results { finished, wanted } => (finished.len(), *wanted),
                JobGoal::MapOutput => (0, 1),
            };
            JobView {
                id: *id,
                stages: job.stages.iter().copied().collect(),
                finished,
                wanted,
            }
        });
        let waiting = self.slot_waits.iter().map(|(id, wait)| JobView {
            id: *id,
            stages: Vec::new(),
            finished: 0,
            wanted: self.wanted(wait.request.target()),
        });
        active.chain(waiting).collect()
    }

    /// Stages of active jobs, in ascending order.
    pub(crate) fn stages(&self) -> Vec<ActiveStage> {
        self.stages
            .values()
            .map(|stage| self.view_of(stage))
            .collect()
    }

    /// One stage, if an active job needs it.
    pub(crate) fn find_stage(&self, id: StageId) -> Option<ActiveStage> {
        self.stages.get(&id).map(|stage| self.view_of(stage))
    }

    /// The stage that makes a shuffle, if an active job needs it.
    pub(crate) fn stage_of_shuffle(&self, shuffle: ShuffleId) -> Option<StageId> {
        self.map_stages.get(&shuffle).copied()
    }

    fn view_of(&self, stage: &Stage) -> ActiveStage {
        let finished = match &stage.goal {
            StageGoal::ShuffleMap { shuffle, .. } => self.outputs.available(*shuffle),
            StageGoal::Result { job } => match &self.jobs[job].goal {
                JobGoal::Results { finished, .. } => finished.len(),
                JobGoal::MapOutput => 0,
            },
        };
        ActiveStage {
            id: stage.id,
            name: stage.name.clone(),
            shuffle: stage.shuffle(),
            phase: stage.phase,
            is_to_be_retried: self.failed.contains(&stage.id),
            attempt: stage.latest_attempt(),
            tasks: stage.tasks,
            finished,
            parents: stage.parents.clone(),
            jobs: stage.jobs.iter().copied().collect(),
        }
    }
}
