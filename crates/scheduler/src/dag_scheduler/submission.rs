//! Which stage runs now, and with which tasks.
//!
//! Responsible for running the stages whose output is missing before the
//! stages that read it, for task sets that hold exactly what is missing, and
//! for trying failed stages again.

use std::sync::Arc;

use super::DagScheduler;
use crate::dag_scheduler::DagNotice;
use crate::ids::{DatasetId, JobId, Partition, ShuffleId, StageAttempt, StageId};
use crate::job::{Job, JobGoal};
use crate::plain::times;
use crate::plan::{JobTarget, WantedPartitions};
use crate::stage::{Stage, StageGoal, StagePhase};
use crate::task::{TaskCommand, TaskSet, TaskSpec};

impl DagScheduler {
    /// Runs a stage if the output that it reads is there, else the stages that
    /// make the missing output. Does nothing for a stage that is under way.
    pub(super) fn submit_stage(&mut self, stage: StageId) {
        let mut to_submit = vec![stage];
        while let Some(id) = to_submit.pop() {
            // Aborting a stage for too many attempts can end the jobs of
            // others that are still on the list.
            let Some(stage) = self.stages.get(&id) else {
                continue;
            };
            if stage.phase != StagePhase::Idle || self.failed.contains(&id) {
                continue;
            }
            let attempts = stage.next_attempt.0;
            let most = self
                .config
                .max_stage_attempts
                .max(self.config.max_consecutive_stage_attempts);
            if attempts >= most {
                let reason = format!(
                    "{stage} has been tried {}, the most allowed",
                    times(attempts.into())
                );
                self.abort_stage(id, &reason);
                continue;
            }
            let missing = self.missing_parents(id);
            if missing.is_empty() {
                if self.settle_generations(id) {
                    self.submit_missing_tasks(id);
                }
            } else {
                self.stage_mut(id).phase = StagePhase::Waiting;
                self.waiting.insert(id);
                // Last in, first out: the lowest id is to be submitted first.
                to_submit.extend(missing.into_iter().rev());
            }
        }
    }

    /// The shuffles that a stage reads now: what stands behind a dataset that
    /// executors hold completely is not needed.
    pub(super) fn shuffles_read_by(&self, id: StageId) -> Vec<ShuffleId> {
        let dataset = self.stage(id).dataset;
        let held = |dataset| self.is_held(dataset);
        self.plan.pipeline_until(dataset, held).shuffles
    }

    /// The direct parents whose output is incomplete or of no use, in ascending
    /// order.
    fn missing_parents(&mut self, id: StageId) -> Vec<StageId> {
        self.create_parents(id);
        let shuffles = self.shuffles_read_by(id);
        let complete = |shuffle: &ShuffleId| self.outputs.is_complete(*shuffle);
        if shuffles.iter().all(complete) {
            self.drop_outdated_inputs(&shuffles);
        }
        let mut missing = Vec::new();
        for shuffle in &shuffles {
            let parent = self.map_stages[shuffle];
            if !self.is_available(parent) {
                missing.push(parent);
                continue;
            }
            // A stage that is skipped counts its skipping as attempt 0, so
            // that running it later shows as the retry that it is.
            let parent = self.stage_mut(parent);
            parent.next_attempt = parent.next_attempt.max(StageAttempt(1));
        }
        missing.sort_unstable();
        missing
    }

    /// Whether executors hold every partition of a persisted dataset.
    fn is_held(&self, dataset: DatasetId) -> bool {
        let partitions = self.plan.dataset(dataset).partitions();
        partitions > 0 && self.cached.partitions_held(dataset) == partitions
    }

    /// Whether a map stage's output is complete; never true of a result stage.
    pub(super) fn is_available(&self, stage: StageId) -> bool {
        self.stage(stage)
            .shuffle()
            .is_some_and(|shuffle| self.outputs.is_complete(shuffle))
    }

    /// Begins a new attempt at a stage with the tasks that are missing.
    fn submit_missing_tasks(&mut self, id: StageId) {
        self.drop_partial_output(id);
        let partitions = self.missing_partitions(id);
        let stage = self.stages.get_mut(&id).expect("the stage is registered");
        let attempt = stage.next_attempt;
        let outdated = stage.rolled_back.is_some() && stage.rolled_back == stage.latest_attempt();
        stage.next_attempt = attempt.next();
        stage.phase = StagePhase::Running;
        if let StageGoal::ShuffleMap { pending, .. } = &mut stage.goal {
            pending.clear();
            for partition in &partitions {
                pending.insert(*partition);
            }
        }
        let notice = DagNotice::StageSubmitted {
            stage: id,
            attempt,
            name: stage.name.clone(),
            kind: stage.kind(),
            tasks: u32::try_from(partitions.len()).expect("partitions fit 32 bits"),
        };
        self.notice(notice);
        if partitions.is_empty() {
            // Late successes of an earlier attempt were all that was missing.
            self.mark_stage_finished(id, None, false);
            self.finish_map_stage_jobs(id);
            self.submit_waiting_children(id);
            return;
        }
        if outdated {
            self.command(TaskCommand::KillAllAttempts {
                stage: id,
                reason: "its input is being made anew".into(),
            });
        }
        let set = self.task_set(id, partitions);
        self.command(TaskCommand::Submit(set));
    }

    /// A stage whose tasks only make sense together starts from nothing.
    fn drop_partial_output(&mut self, id: StageId) {
        let stage = self.stage(id);
        if (stage.indeterminate || stage.barrier)
            && let Some(shuffle) = stage.shuffle()
            && !self.outputs.is_complete(shuffle)
        {
            self.outputs.unregister_all_outputs(shuffle);
        }
    }

    /// What a stage has not made yet, in the order in which to try it.
    fn missing_partitions(&self, id: StageId) -> Vec<Partition> {
        let stage = self.stage(id);
        match &stage.goal {
            StageGoal::ShuffleMap { shuffle, .. } => self.outputs.missing(*shuffle).collect(),
            StageGoal::Result { job } => self.jobs[job].missing_results(stage),
        }
    }

    fn task_set(&mut self, id: StageId, partitions: Vec<Partition>) -> TaskSet {
        let stage = self.stage(id);
        let (dataset, is_result) = (stage.dataset, stage.shuffle().is_none());
        if is_result {
            // Committers are found by partition, so there is a place for all.
            let partitions = self.plan.dataset(dataset).partitions();
            self.commits.stage_started(id, partitions);
        }
        let mut preferences = self.preferences(dataset);
        let pipeline = self.plan.pipeline(dataset).datasets;
        let keeps = pipeline
            .iter()
            .any(|it| self.plan.dataset(*it).is_persisted());
        let tasks = partitions
            .into_iter()
            .map(|partition| TaskSpec {
                partition,
                locations: preferences.of(partition),
                to_keep: if keeps {
                    self.to_keep(dataset, partition)
                } else {
                    Box::default()
                },
            })
            .collect();
        let stage = self.stage(id);
        let job = self.job_of(stage);
        TaskSet {
            stage: id,
            attempt: stage.latest_attempt().expect("an attempt was started"),
            kind: stage.kind(),
            job,
            pool: self.jobs[&job].request.properties().pool.clone(),
            barrier: stage.barrier,
            skips: self.plan.dataset(dataset).skips(),
            needs: stage.needs.as_ref().clone(),
            epoch: self.outputs.epoch(),
            tasks,
        }
    }

    /// The job in whose name a stage runs: the oldest that needs it.
    fn job_of(&self, stage: &Stage) -> JobId {
        *stage.jobs.first().expect("a registered stage has a job")
    }

    /// Submits the stages that waited for this one.
    pub(super) fn submit_waiting_children(&mut self, parent: StageId) {
        let parent = self.stages.get(&parent);
        let children = parent.into_iter().flat_map(|stage| &stage.children);
        let mut children: Vec<_> = children
            .filter(|id| self.waiting.contains(id))
            .map(|id| (self.stage(*id).first_job, *id))
            .collect();
        children.sort_unstable();
        for (_, id) in &children {
            self.waiting.remove(id);
            self.stage_mut(*id).phase = StagePhase::Idle;
        }
        for (_, id) in children {
            self.submit_stage(id);
        }
    }

    /// Gathers failed stages, to be tried again a little later.
    pub(super) fn retry_soon(&mut self, stages: impl IntoIterator<Item = StageId>) {
        self.failed.extend(stages);
        let due = self.now + self.config.resubmit_delay;
        self.resubmit_at.get_or_insert(due);
    }

    pub(super) fn resubmit_failed_stages(&mut self) {
        self.resubmit_at = None;
        let mut stages: Vec<_> = std::mem::take(&mut self.failed)
            .into_iter()
            .map(|id| (self.stage(id).first_job, id))
            .collect();
        stages.sort_unstable();
        for (_, id) in stages {
            self.submit_stage(id);
        }
    }

    /// The latest attempt at a running stage is over. Succeeding forgives the
    /// failures before it; `will_retry` keeps the rights to commit.
    pub(super) fn mark_stage_finished(
        &mut self,
        id: StageId,
        failure: Option<&Arc<str>>,
        will_retry: bool,
    ) {
        let stage = self.stages.get_mut(&id).expect("the stage is registered");
        debug_assert!(stage.is_running(), "{stage} is finished but did not run");
        stage.phase = StagePhase::Idle;
        if failure.is_none() {
            stage.failed_attempts.clear();
        }
        let attempt = stage.latest_attempt().expect("a running stage has one");
        if !will_retry {
            self.commits.stage_ended(id);
        }
        self.notice(DagNotice::StageCompleted {
            stage: id,
            attempt,
            failure: failure.cloned(),
        });
    }
}

impl Job {
    /// The wanted partitions that have no result yet.
    fn missing_results(&self, stage: &Stage) -> Vec<Partition> {
        let JobGoal::Results { finished, wanted } = &self.goal else {
            return Vec::new();
        };
        let missing = |partition: &Partition| !finished.contains(*partition);
        match self.request.target() {
            JobTarget::Result {
                partitions: WantedPartitions::Some(partitions),
                ..
            } => partitions.iter().copied().filter(missing).collect(),
            JobTarget::Result {
                partitions: WantedPartitions::All,
                ..
            }
            | JobTarget::MapStage { .. } => {
                debug_assert_eq!(*wanted, stage.tasks);
                (0..*wanted).map(Partition).filter(missing).collect()
            }
        }
    }
}
