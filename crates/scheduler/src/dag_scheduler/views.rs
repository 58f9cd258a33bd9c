//! What others may read of the DAG scheduler.

use std::sync::Arc;

use super::DagScheduler;
use crate::cached_locations::CachedLocations;
use crate::ids::{DatasetId, Partition, StageId, TaskId};
use crate::map_outputs::MapOutputs;
use crate::plan::Plan;

/// A stage, as others see it.
#[derive(Clone, Copy, Debug)]
pub struct StageView<'a> {
    /// The name of its last dataset.
    pub name: &'a Arc<str>,
    /// That dataset.
    pub dataset: DatasetId,
    /// How many tasks a complete attempt has.
    pub tasks: u32,
    /// The stages that make the shuffles it reads directly.
    pub parents: &'a [StageId],
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

    /// Whether an attempt may have put its output in place, as far as its stage
    /// still counts.
    pub fn may_have_committed(&self, stage: StageId, partition: Partition, task: TaskId) -> bool {
        self.commits.may_have_committed(stage, partition, task)
    }

    /// Where persisted partitions are.
    pub fn cached_locations(&self) -> &CachedLocations {
        &self.cached
    }

    /// What is known of a stage of an active job.
    pub fn stage_view(&self, stage: StageId) -> Option<StageView<'_>> {
        let stage = self.stages.get(&stage)?;
        Some(StageView {
            name: &stage.name,
            dataset: stage.dataset,
            tasks: stage.tasks,
            parents: &stage.parents,
        })
    }

    /// How many stages active jobs have.
    pub fn stage_count(&self) -> usize {
        self.stages.len()
    }

    /// Whether no job is active.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.slot_waits.is_empty()
    }
}
