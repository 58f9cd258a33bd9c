//! What must be undone when an indeterminate stage runs again.
//!
//! Responsible for Spark's rule after a fetch failure: everything that was
//! computed from the first output of the stage is forgotten. Results that have
//! been handed over cannot be taken back, so a job that has some of them fails.

use std::collections::BTreeSet;

use super::DagScheduler;
use crate::ids::StageId;

impl DagScheduler {
    /// Forgets what was computed from the output of `map_stage`, which is
    /// about to be made again and may come out differently.
    pub(super) fn roll_back(&mut self, map_stage: StageId) {
        for id in self.stages_after(map_stage) {
            // Failing one job can end others' interest in a stage.
            let Some(stage) = self.stages.get(&id) else {
                continue;
            };
            if let Some(shuffle) = stage.shuffle()
                && self.outputs.available(shuffle) > 0
            {
                self.outputs.unregister_all_outputs(shuffle);
            }
            self.restart_or_abort(id, map_stage);
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
        let mut to_visit = vec![first];
        while let Some(id) = to_visit.pop() {
            let new = self.stage(id).children.iter().copied();
            to_visit.extend(new.filter(|child| after.insert(*child)));
        }
        after
    }
}
