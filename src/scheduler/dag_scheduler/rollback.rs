//! What must be undone when an indeterminate stage runs again.
//!
//! Responsible for keeping a result free of a mixture of two different
//! outputs of the same stage: everything that was computed from the first
//! output is forgotten. Results that have been handed over cannot be taken
//! back, so a job that has some of them fails.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::DagScheduler;
use crate::ids::{JobId, StageId};
use crate::scheduler::job::JobGoal;
use crate::scheduler::stage::StageGoal;

impl DagScheduler {
    /// Forgets what was computed from the output of `map_stage`, which is
    /// about to be made again and may come out differently.
    pub(super) fn roll_back(&mut self, map_stage: StageId) {
        for id in self.stages_after(map_stage) {
            // Failing one job can end others' interest in a stage.
            let Some(stage) = self.stages.get_mut(&id) else {
                continue;
            };
            stage.rolled_back = stage.latest_attempt();
            let had_results = match stage.goal {
                StageGoal::ShuffleMap { shuffle, .. } => {
                    if self.outputs.available(shuffle) > 0 {
                        self.outputs.unregister_all_outputs(shuffle);
                    }
                    false
                }
                StageGoal::Result { job } => self.has_results(job),
            };
            if !had_results {
                self.restart(id);
                continue;
            }
            let reason = format!(
                "{} has indeterminate output and is run again, but {} cannot be rolled back: \
                 some of its results have been used already; \
                 sort the input of the repartition to make it determinate",
                self.stage(map_stage),
                self.stage(id),
            );
            self.abort_stage(id, &reason);
            // The jobs that ended may have been all that needed it.
            if !self.stages.contains_key(&map_stage) {
                return;
            }
        }
    }

    /// The stages that read the output of `first`, directly or not, in
    /// ascending order.
    fn stages_after(&self, first: StageId) -> BTreeSet<StageId> {
        let mut after = BTreeSet::new();
        // A parent has a smaller id, so one walk upwards meets them all.
        for (id, stage) in self.stages.range(first.next()..) {
            let reads = |parent: &StageId| *parent == first || after.contains(parent);
            if stage.parents.iter().any(reads) {
                after.insert(*id);
            }
        }
        after
    }

    fn has_results(&self, job: JobId) -> bool {
        match &self.jobs[&job].goal {
            JobGoal::Results { finished, .. } => !finished.is_empty(),
            JobGoal::MapOutput => false,
        }
    }

    /// Ends the running attempt at a stage, to begin a new one soon.
    fn restart(&mut self, id: StageId) {
        if self.stage(id).is_running() {
            let why: Arc<str> = "its input is being made anew".into();
            self.mark_stage_finished(id, Some(&why), true);
            self.retry_soon([id]);
        }
    }
}
