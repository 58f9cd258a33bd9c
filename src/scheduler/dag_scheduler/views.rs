//! Read-only views of the DAG scheduler.
//!
//! Responsible for what status pages, logs and the shell may know: plain
//! values, made when asked for. Nobody changes anything through them.

use std::sync::Arc;

use super::DagScheduler;
use crate::ids::{JobId, ShuffleId, StageAttempt, StageId};
use crate::plan::Plan;
use crate::scheduler::cached_locations::CachedLocations;
use crate::scheduler::job::JobGoal;
use crate::scheduler::map_outputs::MapOutputs;
use crate::scheduler::stage::{Stage, StageGoal, StagePhase};

/// An active job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// The job.
    pub id: JobId,
    /// What it is (`spark.job.description`).
    pub description: Option<Arc<str>>,
    /// Its group (`spark.jobGroup.id`).
    pub group: Option<Arc<str>>,
    /// Its stages in ascending order; none while it waits for slots.
    pub stages: Vec<StageId>,
    /// How many results it has; 0 or 1 for a map-stage job.
    pub finished: u32,
    /// How many results it wants; 1 for a map-stage job.
    pub wanted: u32,
}

/// A stage of an active job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageView {
    /// The stage.
    pub id: StageId,
    /// The name of its last dataset.
    pub name: Arc<str>,
    /// The shuffle that it makes, if it is a map stage.
    pub shuffle: Option<ShuffleId>,
    /// Where it stands.
    pub phase: StagePhase,
    /// Whether it failed and is to be tried again shortly.
    pub is_to_be_retried: bool,
    /// The attempt that was started last, or that was skipped.
    pub attempt: Option<StageAttempt>,
    /// How many partitions it is to make.
    pub tasks: u32,
    /// How many partitions have an output or a result.
    pub finished: u32,
    /// The stages whose output it reads directly.
    pub parents: Vec<StageId>,
    /// The active jobs that need it, in ascending order.
    pub jobs: Vec<JobId>,
}

impl DagScheduler {
    /// The plan whose jobs it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Where the map outputs are.
    pub fn map_outputs(&self) -> &MapOutputs {
        &self.outputs
    }

    /// Where persisted partitions are.
    pub fn cached_locations(&self) -> &CachedLocations {
        &self.cached
    }

    /// Whether no job is active.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.slot_waits.is_empty()
    }

    /// Active jobs, in ascending order, those that wait for slots last.
    pub fn jobs(&self) -> Vec<JobView> {
        let active = self.jobs.iter().map(|(id, job)| {
            let (finished, wanted) = match &job.goal {
                JobGoal::Results { finished, wanted } => (finished.len(), *wanted),
                JobGoal::MapOutput => (0, 1),
            };
            JobView {
                id: *id,
                description: job.request.properties().description.clone(),
                group: job.request.properties().group.clone(),
                stages: job.stages.iter().copied().collect(),
                finished,
                wanted,
            }
        });
        let waiting = self.slot_waits.iter().map(|(id, wait)| JobView {
            id: *id,
            description: wait.request.properties().description.clone(),
            group: wait.request.properties().group.clone(),
            stages: Vec::new(),
            finished: 0,
            wanted: self.wanted(wait.request.target()),
        });
        active.chain(waiting).collect()
    }

    /// Stages of active jobs, in ascending order.
    pub fn stages(&self) -> Vec<StageView> {
        self.stages
            .values()
            .map(|stage| self.view_of(stage))
            .collect()
    }

    /// One stage, if an active job needs it.
    pub fn find_stage(&self, id: StageId) -> Option<StageView> {
        self.stages.get(&id).map(|stage| self.view_of(stage))
    }

    /// The stage that makes a shuffle, if an active job needs it.
    pub fn stage_of_shuffle(&self, shuffle: ShuffleId) -> Option<StageId> {
        self.map_stages.get(&shuffle).copied()
    }

    fn view_of(&self, stage: &Stage) -> StageView {
        let finished = match &stage.goal {
            StageGoal::ShuffleMap { shuffle, .. } => self.outputs.available(*shuffle),
            StageGoal::Result { job } => match &self.jobs[job].goal {
                JobGoal::Results { finished, .. } => finished.len(),
                JobGoal::MapOutput => 0,
            },
        };
        StageView {
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
