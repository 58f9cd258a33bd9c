//! How jobs end before their time.
//!
//! Responsible for failing the jobs that a failed stage or a user takes down, and for letting go of what only they needed.
//! Stages that other jobs need go on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::DagScheduler;
use crate::dag_scheduler::DagNotice;
use crate::ids::{JobId, StageAttempt, StageId};
use crate::job::JobError;
use crate::task::TaskCommand;

impl DagScheduler {
    /// The task scheduler gave a task set up.
    pub(super) fn task_set_failed(&mut self, id: StageId, attempt: StageAttempt, reason: &str) {
        let rolled_back = self.stages.get(&id).and_then(|stage| stage.rolled_back);
        // Of an attempt that was rolled back this is the expected end.
        if rolled_back.is_none_or(|last| attempt > last) {
            self.abort_stage(id, reason);
        }
    }

    /// Fails every job that needs the stage. A stage that is not registered
    /// any more is nobody's concern.
    pub(super) fn abort_stage(&mut self, stage: StageId, reason: &str) {
        let Some(found) = self.stages.get(&stage) else {
            return;
        };
        let dependent: Vec<_> = found
            .jobs
            .iter()
            .copied()
            .filter(|job| self.depends_on(*job, stage))
            .collect();
        let reason: Arc<str> = reason.into();
        for job in dependent {
            let reason = reason.clone();
            self.fail_job(job, JobError::StageFailed { stage, reason });
        }
    }

    /// Whether a job still needs the stage: a map stage with complete output,
    /// and what stands behind it, is not needed. One that runs nevertheless has
    /// children that wait for it to end.
    fn depends_on(&self, job: JobId, target: StageId) -> bool {
        let mut seen = BTreeSet::new();
        let mut to_visit = vec![self.jobs[&job].final_stage];
        while let Some(id) = to_visit.pop() {
            if id == target {
                return true;
            }
            if seen.insert(id) {
                let parents = self.stage(id).parents.iter().copied();
                to_visit.extend(parents.filter(|parent| {
                    !self.is_available(*parent) || self.stage(*parent).is_running()
                }));
            }
        }
        false
    }

    /// Fails a job that may still be waiting for slots.
    fn end_job_early(&mut self, job: JobId, error: JobError) {
        if self.slot_waits.remove(&job).is_some() {
            let outcome = Err(error);
            self.notice(DagNotice::JobEnded { job, outcome });
        } else if self.jobs.contains_key(&job) {
            self.fail_job(job, error);
        }
    }

    pub(super) fn cancel_all(&mut self) {
        let reason: Arc<str> = "as part of cancellation of all jobs".into();
        let active = self.jobs.keys();
        let all: BTreeSet<_> = active.chain(self.slot_waits.keys()).copied().collect();
        for job in all {
            let reason = reason.clone();
            self.end_job_early(job, JobError::Cancelled { job, reason });
        }
    }

    fn fail_job(&mut self, job: JobId, error: JobError) {
        self.release_stages(job, &error.to_string().into());
        let outcome = Err(error);
        self.notice(DagNotice::JobEnded { job, outcome });
    }

    /// Forgets a job, stopping the stages that only it needs and forgetting
    /// them too. Outputs they made stay, for jobs to come.
    pub(super) fn release_stages(&mut self, id: JobId, reason: &Arc<str>) {
        let job = self.jobs.remove(&id).expect("the job is active");
        for stage in job.stages {
            let found = self.stage(stage);
            if found.jobs.len() > 1 {
                self.stage_mut(stage).forget_job(id);
                continue;
            }
            if found.is_running() {
                self.command(TaskCommand::CancelStage {
                    stage,
                    reason: reason.clone(),
                });
                self.mark_stage_finished(stage, Some(reason), false);
            }
            self.remove_stage(stage);
        }
    }

    fn remove_stage(&mut self, id: StageId) {
        let stage = self.stages.remove(&id).expect("the stage is registered");
        if let Some(shuffle) = stage.shuffle() {
            self.map_stages.remove(&shuffle);
        }
        for parent in &stage.parents {
            if let Some(parent) = self.stages.get_mut(parent) {
                parent.children.remove(&id);
            }
        }
        self.waiting.remove(&id);
        self.failed.remove(&id);
        if self.failed.is_empty() {
            self.resubmit_at = None;
        }
        self.commits.stage_ended(id);
    }
}
