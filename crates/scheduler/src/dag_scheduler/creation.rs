//! Which stages a job has.
//!
//! Responsible for taking jobs in: a map stage for every shuffle that the job
//! descends from and that no active job has a stage for, parents before
//! children, and its final stage. Whatever forbids one of the stages fails the
//! job before any of them is made.

use std::collections::BTreeSet;

use super::DagScheduler;
use crate::dag_scheduler::DagNotice;
use crate::ids::{DatasetId, JobId, ShuffleId, StageAttempt, StageId};
use crate::job::{Job, JobError, JobGoal, MadeFrom};
use crate::partition_set::PartitionSet;
use crate::plan::{Determinism, JobRequest, JobTarget, WantedPartitions};
use crate::stage::{Stage, StageGoal, StagePhase};

impl DagScheduler {
    pub(super) fn submit_job(&mut self, request: JobRequest) {
        let job = self.next_job;
        self.next_job = job.next();
        self.notice(DagNotice::JobAccepted { job });
        if self.wanted(request.target()) == 0 {
            let stages = Vec::new();
            self.notice(DagNotice::JobStarted { job, stages });
            let outcome = Ok(());
            self.notice(DagNotice::JobEnded { job, outcome });
        } else {
            self.begin_job(job, request, 0);
        }
    }

    /// Makes the stages of a job and submits the last. `slot_checks` barrier
    /// checks have failed before.
    pub(super) fn begin_job(&mut self, job: JobId, request: JobRequest, slot_checks: u32) {
        if let Err(error) = self.check_new_stages(request.target()) {
            if matches!(error, JobError::TooFewSlots { .. }) {
                self.wait_for_slots(job, request, slot_checks, error);
            } else {
                let outcome = Err(error);
                self.notice(DagNotice::JobEnded { job, outcome });
            }
            return;
        }
        let (final_stage, goal) = match request.target() {
            JobTarget::Result { dataset, .. } => {
                let partitions = self.plan.dataset(*dataset).partitions();
                let wanted = self.wanted(request.target());
                let goal = JobGoal::Results {
                    finished: PartitionSet::new(partitions),
                    wanted,
                };
                (self.create_result_stage(job, *dataset, wanted), goal)
            }
            JobTarget::MapStage { shuffle } => {
                self.create_map_stages(job, self.plan.shuffle(*shuffle).map_side);
                let stage = self.map_stage(job, *shuffle);
                if let StageGoal::ShuffleMap { jobs, .. } = &mut self.stage_mut(stage).goal {
                    jobs.push(job);
                }
                (stage, JobGoal::MapOutput)
            }
        };
        let stages = self.add_job_to_stages(job, final_stage);
        self.notice(DagNotice::JobStarted {
            job,
            stages: stages.iter().copied().collect(),
        });
        self.jobs.insert(
            job,
            Job {
                request,
                final_stage,
                stages,
                goal,
                made_from: MadeFrom::new(),
            },
        );
        if self.is_available(final_stage) {
            self.finish_map_stage_jobs(final_stage);
        } else {
            self.submit_stage(final_stage);
        }
    }

    /// How many tasks the final stage of a job has.
    pub(super) fn wanted(&self, target: &JobTarget) -> u32 {
        match target {
            JobTarget::Result {
                partitions: WantedPartitions::Some(partitions),
                ..
            } => u32::try_from(partitions.len()).expect("each partition is wanted once"),
            JobTarget::Result { dataset, .. } => self.plan.dataset(*dataset).partitions(),
            JobTarget::MapStage { shuffle } => {
                let map_side = self.plan.shuffle(*shuffle).map_side;
                self.plan.dataset(map_side).partitions()
            }
        }
    }

    /// Whether all stages that a job would add can run.
    fn check_new_stages(&self, target: &JobTarget) -> Result<(), JobError> {
        let last = match *target {
            JobTarget::Result { dataset, .. } => dataset,
            JobTarget::MapStage { shuffle } => self.plan.shuffle(shuffle).map_side,
        };
        for shuffle in self.unknown_shuffles(last) {
            let map_side = self.plan.shuffle(shuffle).map_side;
            let tasks = self.plan.dataset(map_side).partitions();
            self.check_stage(map_side, tasks)?;
        }
        match *target {
            JobTarget::MapStage { shuffle } if self.map_stages.contains_key(&shuffle) => Ok(()),
            JobTarget::MapStage { .. } | JobTarget::Result { .. } => {
                self.check_stage(last, self.wanted(target))
            }
        }
    }

    fn check_stage(&self, dataset: DatasetId, tasks: u32) -> Result<(), JobError> {
        let pipeline = self.plan.pipeline(dataset);
        let needs = self.needs_of(&pipeline)?;
        self.check_barrier(dataset, &pipeline, &needs, tasks)
    }

    /// The shuffles that `dataset` descends from and that have no stage. What stands
    /// behind the outputs of a round is left out as long as these are all there:
    /// [`create_parents`](Self::create_parents) makes up for that if they are not.
    fn unknown_shuffles(&self, dataset: DatasetId) -> Vec<ShuffleId> {
        let known = |shuffle| self.map_stages.contains_key(&shuffle);
        let hides = |shuffle| {
            self.plan.shuffle(shuffle).cuts_lineage() && self.outputs.is_complete(shuffle)
        };
        self.plan.ancestor_shuffles_until(dataset, known, hides)
    }

    /// Makes the stages before one that is to run and was made when its own output, and
    /// so its lineage, was of no concern.
    pub(super) fn create_parents(&mut self, id: StageId) {
        let stage = self.stage(id);
        let (dataset, first_job) = (stage.dataset, stage.first_job);
        let is_parent = |shuffle: &ShuffleId| {
            let made_by = self.map_stages.get(shuffle);
            made_by.is_some_and(|it| self.stage(id).parents.contains(it))
        };
        if self.shuffles_read_by(id).iter().all(is_parent) {
            return;
        }
        self.create_map_stages(first_job, dataset);
        let shuffles = self.plan.pipeline(dataset).shuffles;
        let parents: Vec<_> = shuffles.iter().map(|it| self.map_stages[it]).collect();
        for parent in &parents {
            self.stage_mut(*parent).children.insert(id);
        }
        let stage = self.stage_mut(id);
        stage.parents = parents;
        for job in stage.jobs.clone() {
            let before = self.add_job_to_stages(job, id);
            let known = &mut self.jobs.get_mut(&job).expect("a job of a stage").stages;
            let stages = before.into_iter().filter(|it| known.insert(*it)).collect();
            self.notice(DagNotice::StagesAdded { job, stages });
        }
    }

    fn create_result_stage(&mut self, job: JobId, dataset: DatasetId, tasks: u32) -> StageId {
        self.create_map_stages(job, dataset);
        let determinism = self.plan.dataset(dataset).determinism();
        self.create_stage(job, dataset, tasks, determinism, StageGoal::Result { job })
    }

    /// Makes the stages of all shuffles that `dataset` descends from.
    fn create_map_stages(&mut self, job: JobId, dataset: DatasetId) {
        for shuffle in self.unknown_shuffles(dataset) {
            self.map_stage(job, shuffle);
        }
    }

    /// The stage that makes a shuffle, a new one if there is none. The stages
    /// before it exist.
    fn map_stage(&mut self, job: JobId, shuffle: ShuffleId) -> StageId {
        if let Some(stage) = self.map_stages.get(&shuffle) {
            return *stage;
        }
        let plan = self.plan.clone();
        let spread = plan.shuffle(shuffle);
        let tasks = plan.dataset(spread.map_side).partitions();
        self.outputs
            .register_shuffle(shuffle, tasks, spread.partitioner.partitions);
        let goal = StageGoal::ShuffleMap {
            shuffle,
            pending: PartitionSet::new(tasks),
            jobs: Vec::new(),
        };
        let stage = self.create_stage(job, spread.map_side, tasks, spread.determinism, goal);
        self.map_stages.insert(shuffle, stage);
        stage
    }

    fn create_stage(
        &mut self,
        job: JobId,
        dataset: DatasetId,
        tasks: u32,
        determinism: Determinism,
        goal: StageGoal,
    ) -> StageId {
        let pipeline = self.plan.pipeline(dataset);
        // Those before a stage whose output is there may be missing.
        let parents = pipeline.shuffles.iter();
        let parents = parents.filter_map(|shuffle| self.map_stages.get(shuffle).copied());
        let parents = parents.collect();
        let id = self.next_stage;
        self.next_stage = id.next();
        let last = self.plan.dataset(dataset);
        let stage = Stage {
            id,
            name: last.name().clone(),
            dataset,
            goal,
            parents,
            children: BTreeSet::new(),
            jobs: BTreeSet::new(),
            first_job: job,
            tasks,
            barrier: last.is_barrier(),
            indeterminate: determinism == Determinism::Indeterminate,
            needs: self.settle_needs(&pipeline),
            phase: StagePhase::Idle,
            next_attempt: StageAttempt(0),
            failed_attempts: BTreeSet::new(),
            rolled_back: None,
        };
        for parent in &stage.parents {
            self.stage_mut(*parent).children.insert(id);
        }
        self.stages.insert(id, stage);
        id
    }

    /// Makes the final stage and all its ancestors stages of the job.
    fn add_job_to_stages(&mut self, job: JobId, final_stage: StageId) -> BTreeSet<StageId> {
        let mut stages = BTreeSet::new();
        let mut to_visit = vec![final_stage];
        while let Some(id) = to_visit.pop() {
            if stages.insert(id) {
                let stage = self.stage_mut(id);
                stage.jobs.insert(job);
                to_visit.extend(&stage.parents);
            }
        }
        stages
    }
}
