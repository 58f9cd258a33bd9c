//! What an unreadable map output means.
//!
//! Responsible for forgetting the output, giving up the attempt that wanted
//! it, and trying both stages again after a short while, in which the other
//! tasks that met the same fault report as well. A stage that fails so in too
//! many attempts in a row is given up.

use super::DagScheduler;
use super::completion::{Ended, FetchFailure};
use crate::ids::{StageAttempt, StageId};

impl DagScheduler {
    pub(super) fn fetch_failed(&mut self, ended: &Ended<'_>, failure: &FetchFailure<'_>) {
        let id = ended.stage;
        if !self.stage(id).is_latest(ended.attempt) {
            // The stage has been tried again since.
            return;
        }
        let too_many = !self.is_excused(failure) && self.count_failed_attempt(id, ended.attempt);
        if self.stage(id).is_running() {
            // Only the first failure of an attempt ends it.
            self.mark_stage_finished(id, Some(failure.message), !too_many);
        }
        let map_stage = self.map_stages.get(&failure.shuffle).copied();
        self.forget_unreadable_output(map_stage, failure);
        if self.stage(id).barrier {
            match self.stage(id).shuffle() {
                Some(shuffle) => self.outputs.unregister_all_outputs(shuffle),
                None => self.abort_failed_barrier_result_stage(id, failure.message),
            }
        }
        if too_many {
            self.abort_after_too_many_attempts(id, failure.message);
        } else if self.stages.contains_key(&id) {
            self.retry_after_fetch_failure(id, map_stage);
        }
        if let Some((executor, host)) = failure.source {
            self.source_failed(executor, host, ended.epoch);
        }
    }

    /// Whether the failure is owed to an orderly farewell.
    fn is_excused(&self, failure: &FetchFailure<'_>) -> bool {
        self.config.ignore_decommission_fetch_failure
            && failure
                .source
                .is_some_and(|(executor, _)| self.decommissioned.contains_key(executor))
    }

    /// Counts an attempt as failed; whether that was one too many in a row.
    pub(super) fn count_failed_attempt(&mut self, id: StageId, attempt: StageAttempt) -> bool {
        let most = self.config.max_consecutive_stage_attempts as usize;
        let stage = self.stage_mut(id);
        stage.failed_attempts.insert(attempt);
        stage.failed_attempts.len() >= most
    }

    pub(super) fn abort_after_too_many_attempts(&mut self, id: StageId, message: &str) {
        let Some(stage) = self.stages.get(&id) else {
            return;
        };
        let most = self.config.max_consecutive_stage_attempts;
        let reason = format!(
            "{stage} has failed the maximum allowable number of times: {most}. \
             Most recent failure reason: {message}"
        );
        self.abort_stage(id, &reason);
    }

    fn forget_unreadable_output(&mut self, map_stage: Option<StageId>, failure: &FetchFailure<'_>) {
        if map_stage.is_some_and(|stage| self.stage(stage).barrier) {
            self.outputs.unregister_all_outputs(failure.shuffle);
        } else if let (Some(map), Some((executor, host))) = (failure.map, failure.source) {
            self.outputs
                .unregister_output(failure.shuffle, map, executor, host);
        }
    }

    fn retry_after_fetch_failure(&mut self, id: StageId, map_stage: Option<StageId>) {
        let first = !self.failed.contains(&id);
        self.retry_soon([id].into_iter().chain(map_stage));
        if let Some(map_stage) = map_stage
            && first
            && self.stage(map_stage).indeterminate
        {
            self.roll_back(map_stage);
        }
    }
}
