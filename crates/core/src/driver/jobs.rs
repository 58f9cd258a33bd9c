//! The jobs of the application. Pure.
//!
//! Responsible for which job scheduling is asked for next, for what it says of them, and
//! for handing their results over when they are whole. It has the board, where each job
//! stands, and what was left out of them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::board::{Board, Entry};
use super::effect::{Delivery, Effect};
use super::left_out::LeftOut;
use super::purpose::{Purpose, RoundOf};
use super::queue::{Next, Queue};
use super::readers::Unread;
use super::waves::{first_lines, next_wave, records_in};
use super::work::Making;
use crate::clock::Timestamp;
use crate::facts::{Fact, Metrics, StageFacts};
use crate::ids::{DatasetId, JobId, Partition, ShuffleId, StageId, TaskId};
use crate::plan::application::{ActionKind, Application};
use crate::plan::{JobProperties, JobRequest};
use crate::report::{JobReport, LeftOutReport, Status};
use mesquite_scheduler::dag_scheduler::DagScheduler;
use mesquite_scheduler::job::JobError;
use mesquite_scheduler::task::TaskDescription;
use mesquite_workload::order::bounds_of_sample;

/// What scheduling was asked for and has not accepted.
#[derive(Debug)]
enum Unaccepted {
    /// A new job; of a wave so many partitions, from the first one on, are tried with it.
    New { purpose: Purpose, tried: u32 },
    /// More partitions for a job.
    More(Box<Entry>),
}

/// See the module.
pub(super) struct Jobs {
    application: Arc<Application>,
    board: Board,
    left_out: LeftOut,
    asked: Option<Unaccepted>,
    /// Nothing more is to be begun.
    ending: bool,
}

impl Jobs {
    /// All that the application asks for is still to be done.
    pub(super) fn new(application: Arc<Application>) -> Self {
        Self {
            board: Board::new(Arc::clone(&application)),
            left_out: LeftOut::new(Arc::clone(&application)),
            application,
            asked: None,
            ending: false,
        }
    }

    /// Whether every action has ended.
    pub(super) fn is_done(&self) -> bool {
        self.board.is_done()
    }

    /// What came of all jobs, and what was left out.
    pub(super) fn into_reports(self) -> (Vec<JobReport>, Vec<LeftOutReport>) {
        (self.board.reports(), self.left_out.reports())
    }

    /// What has not been submitted never will be, for this reason.
    pub(super) fn give_up_rest(&mut self, why: &str) {
        self.ending = true;
        self.board.give_up_rest(why);
    }

    // === what scheduling is asked for ===

    /// The next job that scheduling is to be asked for; it is to be told what becomes of
    /// that, before it is asked again. `missing` says which bounds a dataset still needs.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        missing: impl Fn(DatasetId) -> Vec<ShuffleId>,
    ) -> Option<JobRequest> {
        self.next_wave(now).or_else(|| self.next_job(missing))
    }

    fn next_job(&mut self, missing: impl Fn(DatasetId) -> Vec<ShuffleId>) -> Option<JobRequest> {
        let purpose = self.board.next(missing)?;
        let wave = match purpose {
            Purpose::Action(index) => self.first_wave(index),
            Purpose::Sample(_) | Purpose::Round(_) | Purpose::Watch(_) => None,
        };
        let tried = wave.as_ref().map_or(0, |it| it.end);
        self.asked = Some(Unaccepted::New { purpose, tried });
        Some(self.request(purpose, wave))
    }

    /// Asks for more partitions where those so far had too few records.
    fn next_wave(&mut self, now: Timestamp) -> Option<JobRequest> {
        while let Some(mut entry) = self.board.next_wanting() {
            if self.ending {
                let why = "interrupted";
                self.board.stopped(now, entry, Status::Cancelled, why);
                continue;
            }
            let Purpose::Action(index) = entry.purpose() else {
                continue;
            };
            let action = &self.application.actions[index];
            let partitions = self.application.plan.dataset(action.dataset).partitions();
            let limit = match action.kind {
                ActionKind::Collect { limit } => limit.unwrap_or(u64::MAX),
                ActionKind::Save { .. } | ActionKind::Count => u64::MAX,
            };
            let more = next_wave(entry.tried(), records_in(entry.results(), limit), limit);
            let wave = entry.tried()..entry.tried().saturating_add(more).min(partitions);
            entry.tries(wave.end);
            let request = self.request(entry.purpose(), Some(wave));
            self.asked = Some(Unaccepted::More(Box::new(entry)));
            return Some(request);
        }
        None
    }

    /// A job for all partitions, or for those of a wave.
    fn request(&self, purpose: Purpose, wave: Option<Range<u32>>) -> JobRequest {
        let dataset = self.board.dataset_of(purpose);
        let plan = &self.application.plan;
        let request = match (wave, purpose, &self.board.action_of(purpose).wanted) {
            (Some(wave), ..) => {
                let partitions: Vec<_> = wave.map(Partition).collect();
                plan.partial_result_job(dataset, partitions)
            }
            (None, Purpose::Action(_), Some(wanted)) => {
                plan.partial_result_job(dataset, Arc::clone(wanted))
            }
            (None, Purpose::Round(it), _) => plan.map_stage_job(self.board.rounds.leaves(it)),
            (None, ..) => plan.result_job(dataset),
        };
        request
            .expect("actions are of datasets of the plan, and waves of their partitions")
            .with_properties(JobProperties {
                pool: self.board.action_of(purpose).pool.clone(),
            })
    }

    /// The partitions that an action begins with, unless it wants all of them.
    fn first_wave(&self, index: usize) -> Option<Range<u32>> {
        let action = &self.application.actions[index];
        let ActionKind::Collect { limit: Some(limit) } = action.kind else {
            return None;
        };
        let partitions = self.application.plan.dataset(action.dataset).partitions();
        Some(0..u32::from(limit > 0).min(partitions))
    }

    /// Whether a job has fewer records than it may have, and partitions left.
    fn is_short(&self, entry: &Entry, index: usize) -> bool {
        let action = &self.application.actions[index];
        let ActionKind::Collect { limit: Some(limit) } = action.kind else {
            return false;
        };
        let partitions = self.application.plan.dataset(action.dataset).partitions();
        entry.tried() < partitions && records_in(entry.results(), limit) < limit
    }

    // === what scheduling says of jobs ===

    /// The job that was asked for was taken in.
    pub(super) fn accepted(&mut self, now: Timestamp, job: JobId) {
        match self.asked.take() {
            Some(Unaccepted::New { purpose, tried }) => {
                self.board.accepted(now, job, purpose);
                if let Some(entry) = self.board.job_mut(job) {
                    entry.tries(tried);
                }
            }
            Some(Unaccepted::More(entry)) => self.board.resumed(job, *entry),
            None => {}
        }
    }

    /// A job has these stages.
    pub(super) fn started(
        &mut self,
        job: JobId,
        stages: &[StageId],
        dag: &DagScheduler,
        queue: &mut Queue,
    ) {
        self.board.started(job, stages);
        let Some(entry) = self.board.job(job) else {
            return;
        };
        let report = entry.report();
        queue.fact(Fact::JobStarted {
            job,
            action: report.action.clone(),
            dataset: report.dataset.clone(),
            more_of: report.id.map(JobId).filter(|first| *first != job),
            stages: stage_facts(stages, dag),
        });
    }

    /// Outputs of a round were lost, and a job has more stages than it began with.
    pub(super) fn stages_added(
        &mut self,
        job: JobId,
        stages: &[StageId],
        dag: &DagScheduler,
        queue: &mut Queue,
    ) {
        self.board.stages_added(job, stages);
        let stages = stage_facts(stages, dag);
        queue.fact(Fact::StagesAdded { job, stages });
    }

    /// A round of a loop has left what it was to leave.
    pub(super) fn round_made(&mut self, job: JobId, is_empty: bool, queue: &mut Queue) {
        if let Some(entry) = self.board.job(job)
            && let Purpose::Round(it) = entry.purpose()
        {
            queue.then(Next::Round(self.board.rounds.made(it, is_empty)));
        }
    }

    /// It is known whether there is anything to do in a round.
    fn looked(&mut self, now: Timestamp, job: JobId, it: RoundOf, queue: &mut Queue) {
        let Some(entry) = self.board.job(job) else {
            return;
        };
        let records = entry.counted().unwrap_or(u64::MAX);
        queue.then(Next::Round(self.board.rounds.looked(it, records)));
        self.close(now, job, Status::Succeeded, None, queue);
    }

    /// A stage begins: the job on whose behalf, and what that makes of its dataset.
    pub(super) fn stage_submitted(
        &mut self,
        stage: StageId,
    ) -> (JobId, Option<(DatasetId, Making)>) {
        let job = self.board.job_of_stage(stage).unwrap_or_default();
        let result = self.board.job_mut(job).map(|entry| {
            entry.stage_began();
            entry.makes()
        });
        (job, result)
    }

    /// A shuffle has all its outputs.
    pub(super) fn made(&mut self, shuffle: ShuffleId) {
        self.board.made(shuffle);
    }

    /// A result counts.
    pub(super) fn result(&mut self, job: JobId, partition: Partition, result: (Bytes, Metrics)) {
        let (bytes, metrics) = result;
        self.board.result(job, partition, bytes, &metrics);
    }

    /// An attempt was started for a job.
    pub(super) fn attempt_started(&mut self, job: JobId) {
        if let Some(entry) = self.board.job_mut(job) {
            entry.attempt_began();
        }
    }

    /// An attempt of a job has ended, with success or by a failure or neither.
    pub(super) fn attempt_ended(&mut self, job: JobId, succeeded: bool, failed: bool) {
        if let Some(entry) = self.board.job_mut(job) {
            entry.attempt_ended(succeeded, failed);
        }
    }

    /// A job is over.
    pub(super) fn ended(
        &mut self,
        now: Timestamp,
        job: JobId,
        outcome: Result<(), JobError>,
        queue: &mut Queue,
    ) {
        let Some(entry) = self.board.job(job) else {
            return;
        };
        let purpose = entry.purpose();
        if let Err(error) = outcome {
            let status = match error {
                JobError::Cancelled { .. } => Status::Cancelled,
                JobError::StageFailed { .. }
                | JobError::NeedsConflict { .. }
                | JobError::TooFewSlots { .. }
                | JobError::BarrierWithDynamicAllocation { .. }
                | JobError::BarrierShape { .. } => Status::Failed,
            };
            self.abort_save(purpose, queue);
            return self.close(now, job, status, Some(error.to_string()), queue);
        }
        match purpose {
            Purpose::Sample(shuffle) => self.sampled(now, job, shuffle, queue),
            // What it left was told before its end.
            Purpose::Round(_) => self.close(now, job, Status::Succeeded, None, queue),
            Purpose::Watch(it) => self.looked(now, job, it, queue),
            Purpose::Action(index) => {
                let is_short = self.is_short(entry, index);
                let dataset = self.application.actions[index].dataset;
                if let Some(too_many) = self.left_out.too_many_before(dataset) {
                    self.abort_save(purpose, queue);
                    return self.close(now, job, Status::Failed, Some(too_many), queue);
                }
                let is_told = self.application.actions[index].kind.is_told();
                // Each wave is a job of its own to the scheduler, and what is told has
                // no part in it; what is saved is over when it is in its place.
                if is_told {
                    is_over(job, Status::Succeeded, None, queue);
                }
                if is_short {
                    return self.board.wants_more(job);
                }
                if let Some(job) = self.board.finished(now, job)
                    && !is_told
                {
                    self.deliver(now, job, queue);
                }
            }
        }
    }

    fn close(
        &mut self,
        now: Timestamp,
        job: JobId,
        status: Status,
        error: Option<String>,
        queue: &mut Queue,
    ) {
        is_over(job, status, error.as_deref(), queue);
        self.board.ended(now, job, status, error);
    }

    fn sampled(&mut self, now: Timestamp, job: JobId, shuffle: ShuffleId, queue: &mut Queue) {
        let Some(entry) = self.board.job_mut(job) else {
            return;
        };
        let samples = entry.take_results();
        let exchange = self.application.program.exchange(shuffle);
        let bounds = bounds_of_sample(exchange.order, exchange.partitions, samples.values());
        queue.then(Next::Bounded(shuffle, bounds));
        self.close(now, job, Status::Succeeded, None, queue);
    }

    // === items that are left out ===

    /// An attempt goes to its executor.
    pub(super) fn attempt_placed(&mut self, attempt: &TaskDescription) {
        self.left_out.placed(attempt);
    }

    /// An attempt at a partition of a dataset has ended.
    pub(super) fn item_ended(
        &mut self,
        task: TaskId,
        (dataset, partition): (DatasetId, Partition),
        succeeded: bool,
    ) {
        self.left_out
            .attempt_ended(task, dataset, partition, succeeded);
    }

    /// The item of a partition of a dataset is left out from now on.
    pub(super) fn leave_out(
        &mut self,
        (dataset, partition): (DatasetId, Partition),
        why: &str,
        queue: &mut Queue,
    ) {
        if let Some(news) = self.left_out.leave_out(dataset, partition, why) {
            queue.fact(news);
        }
    }

    // === results ===

    /// Hands over what is to be printed, as far as it is its turn.
    pub(super) fn print_next(&mut self, now: Timestamp, queue: &mut Queue) {
        while let Some(job) = self.board.next_to_print() {
            self.deliver(now, job, queue);
        }
    }

    /// What became unread since this was asked last. When all jobs are over so are the
    /// executors, with all that they have, and nothing is to be let go.
    pub(super) fn take_unread(&mut self) -> Option<Unread> {
        let unread = self.board.take_unread();
        (unread != Unread::default() && !self.board.is_done()).then_some(unread)
    }

    /// Hands a finished job's result to whoever asked for it.
    fn deliver(&mut self, now: Timestamp, job: JobId, queue: &mut Queue) {
        let application = &self.application;
        let Some(entry) = self.board.whole_mut(job) else {
            return;
        };
        let Purpose::Action(index) = entry.purpose() else {
            return;
        };
        let dataset = application.actions[index].dataset;
        let results = entry.take_results();
        let delivery = match &application.actions[index].kind {
            ActionKind::Count => {
                let Some(sum) = entry.counted() else {
                    let error = "the counts of its partitions together have more than 64 bits";
                    return self.board.handed_over(now, job, Err(error.into()));
                };
                Delivery::Count(sum)
            }
            ActionKind::Collect { limit } => {
                let mut left = limit.unwrap_or(u64::MAX);
                let mut records = Vec::with_capacity(results.len());
                let mut printed = 0;
                for bytes in results.values() {
                    let (some, count) = first_lines(bytes, left);
                    left -= count;
                    printed += count;
                    records.push(some);
                }
                entry.prints(printed);
                Delivery::Records(records)
            }
            ActionKind::Save { to, .. } => Delivery::Save {
                to: to.clone(),
                partitions: application.plan.dataset(dataset).partitions(),
                results: results.into_values().collect(),
                complete: self.left_out.too_many_within(dataset).is_none(),
                without: self.left_out.partitions_of(dataset),
            },
        };
        queue.effect(Effect::Deliver {
            job,
            action: index,
            delivery,
        });
    }

    /// A result reached whoever asked for it, or could not.
    pub(super) fn delivered(
        &mut self,
        now: Timestamp,
        job: JobId,
        result: Result<(), String>,
        queue: &mut Queue,
    ) {
        if let Some(entry) = self.board.whole_mut(job)
            && let purpose @ Purpose::Action(index) = entry.purpose()
            && !self.application.actions[index].kind.is_told()
        {
            match &result {
                Ok(()) => is_over(job, Status::Succeeded, None, queue),
                Err(error) => {
                    is_over(job, Status::Failed, Some(error), queue);
                    self.abort_save(purpose, queue);
                }
            }
        }
        self.board.handed_over(now, job, result);
    }

    /// What a job that failed wrote goes, if it was to save.
    fn abort_save(&self, purpose: Purpose, queue: &mut Queue) {
        if let Purpose::Action(index) = purpose
            && let ActionKind::Save { to, .. } = &self.application.actions[index].kind
        {
            queue.effect(Effect::AbortSave { to: to.clone() });
        }
    }
}

fn is_over(job: JobId, status: Status, error: Option<&str>, queue: &mut Queue) {
    let error = error.map(str::to_owned);
    queue.fact(Fact::JobEnded { job, status, error });
}

/// What is told of stages.
fn stage_facts(stages: &[StageId], dag: &DagScheduler) -> Vec<StageFacts> {
    let stage = |id: &StageId| {
        let stage = dag.stage_view(*id)?;
        Some(StageFacts {
            stage: *id,
            name: Arc::clone(stage.name),
            dataset: stage.dataset,
            tasks: stage.tasks,
            parents: stage.parents.to_vec(),
        })
    };
    stages.iter().filter_map(stage).collect()
}
