//! Barrier stages: all tasks at once or none.
//!
//! Responsible for refusing barrier stages that could never start, for making
//! jobs wait while the cluster is too small for theirs, and for failing the
//! whole attempt when one task of it fails.

use std::sync::Arc;

use super::DagScheduler;
use super::completion::Ended;
use crate::clock::Timestamp;
use crate::dag_scheduler::DagNotice;
use crate::dag_scheduler::ExecutorCapacity;
use crate::ids::{DatasetId, JobId, StageId};
use crate::job::JobError;
use crate::plan::TaskNeeds;
use crate::plan::{JobRequest, Pipeline};
use crate::task::TaskCommand;

/// A barrier job that waits for the cluster to grow.
#[derive(Debug)]
pub(super) struct SlotWait {
    pub(super) request: JobRequest,
    pub(super) failed_checks: u32,
    pub(super) next_check: Timestamp,
}

impl DagScheduler {
    /// Whether a stage, if it is a barrier stage, can run.
    pub(super) fn check_barrier(
        &self,
        dataset: DatasetId,
        pipeline: &Pipeline,
        needs: &TaskNeeds,
        tasks: u32,
    ) -> Result<(), JobError> {
        let last = self.plan.dataset(dataset);
        if !last.is_barrier() {
            return Ok(());
        }
        let name = last.name().clone();
        let datasets = || pipeline.datasets.iter().map(|id| self.plan.dataset(*id));
        let one_to_one = datasets().all(|dataset| dataset.partitions() == tasks);
        let barriers = datasets().filter(|dataset| dataset.declares_barrier());
        if !one_to_one || barriers.count() > 1 {
            return Err(JobError::BarrierShape { dataset: name });
        }
        if self.config.dynamic_allocation {
            return Err(JobError::BarrierWithDynamicAllocation { dataset: name });
        }
        let slots = self.slots(needs);
        if slots < u64::from(tasks) {
            return Err(JobError::TooFewSlots {
                dataset: name,
                needed: tasks,
                slots,
            });
        }
        Ok(())
    }

    /// How many tasks with these needs the cluster could run at once.
    fn slots(&self, needs: &TaskNeeds) -> u64 {
        let slots_of = |executor: &ExecutorCapacity| {
            let by_cores = executor.cores / needs.cpus.max(1);
            let limits = needs.resources.iter().map(|(name, amount)| {
                let has = executor.resources.iter().find(|(known, _)| known == name);
                has.map_or(0, |(_, has)| amount.tasks_on(*has))
            });
            u64::from(limits.fold(by_cores, u32::min))
        };
        self.capacity.iter().map(slots_of).sum()
    }

    pub(super) fn wait_for_slots(
        &mut self,
        job: JobId,
        request: JobRequest,
        failed_checks: u32,
        reason: JobError,
    ) {
        let failed_checks = failed_checks + 1;
        if failed_checks > self.config.barrier_check_max_failures {
            let outcome = Err(reason);
            self.notice(DagNotice::JobEnded { job, outcome });
            return;
        }
        self.notice(DagNotice::JobWaitsForSlots { job, reason });
        let next_check = self.now + self.config.barrier_check_interval;
        self.slot_waits.insert(
            job,
            SlotWait {
                request,
                failed_checks,
                next_check,
            },
        );
    }

    pub(super) fn check_slots_again(&mut self) {
        let due: Vec<_> = self
            .slot_waits
            .iter()
            .filter(|(_, wait)| wait.next_check <= self.now)
            .map(|(job, _)| *job)
            .collect();
        for job in due {
            if let Some(wait) = self.slot_waits.remove(&job) {
                self.begin_job(job, wait.request, wait.failed_checks);
            }
        }
    }

    /// A task of a barrier stage failed, in whatever way: all others are
    /// killed, and the stage is tried again as a whole.
    pub(super) fn barrier_task_failed(&mut self, ended: &Ended<'_>) {
        let stage = self.stage(ended.stage);
        if !stage.is_latest(ended.attempt) || !stage.is_running() {
            // A failure of this attempt has been dealt with, or it is over.
            return;
        }
        let message: Arc<str> = format!(
            "stage failed because task {} of barrier stage {stage} did not succeed: {}",
            ended.task, ended.reason
        )
        .into();
        let (id, shuffle) = (stage.id, stage.shuffle());
        self.command(TaskCommand::KillAllAttempts {
            stage: id,
            reason: message.clone(),
        });
        self.mark_stage_finished(id, Some(&message), shuffle.is_some());
        if self.count_failed_attempt(id, ended.attempt) {
            self.abort_after_too_many_attempts(id, &message);
            return;
        }
        match shuffle {
            Some(shuffle) => {
                self.outputs.unregister_all_outputs(shuffle);
                self.retry_soon([id]);
            }
            None => self.abort_failed_barrier_result_stage(id, &message),
        }
    }

    /// Some partitions of a result stage may have been used already, so its
    /// tasks cannot start together once more.
    pub(super) fn abort_failed_barrier_result_stage(&mut self, stage: StageId, message: &str) {
        let reason = format!(
            "Could not recover from a failed barrier ResultStage. Most recent failure reason: {message}"
        );
        self.abort_stage(stage, &reason);
    }
}
