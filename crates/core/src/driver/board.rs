//! Which jobs an application has, how far they are, and what came of them. Pure.
//!
//! Responsible for turning actions into jobs in the right order (a sort needs
//! a sample of its input first), for collecting their results, and for the
//! figures of the report. It submits nothing itself, and waits for nothing.

mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

pub use self::entry::Entry;
use super::purpose::Purpose;
use super::readers::{Readers, Unread};
use super::rounds::Rounds;
use super::work::{Making, Sample};
use crate::clock::Timestamp;
use crate::facts::Metrics;
use crate::ids::{DatasetId, JobId, Partition, ShuffleId, StageId};
use crate::plan::application::{Action, ActionKind, Application, circular};
use crate::report::{JobReport, LOOK, Status};

/// So many records are drawn for each range of a sort, over all partitions
/// (Spark's `samplePointsPerPartitionHint`).
const SAMPLES_PER_RANGE: u32 = 20;

/// No sample is larger.
const MOST_SAMPLES: u32 = 1_000_000;

/// A sample has about so many bytes at most, for the driver holds it.
const SAMPLE_BYTES: u32 = 64 << 20;

/// Of each record so many bytes are drawn, if they are few and if they are many.
const SAMPLED_LENGTH: std::ops::RangeInclusive<u32> = 64..=4096;

/// Partitions differ in size, so each gives more than its part.
const OVERSAMPLING: u32 = 3;

/// See the module.
#[derive(Debug)]
pub struct Board {
    application: Arc<Application>,
    jobs: BTreeMap<JobId, Entry>,
    /// Those that want more partitions than they have asked for.
    wanting: Vec<Entry>,
    /// Those that have all results and have not handed them over, by the number
    /// in their report.
    whole: BTreeMap<JobId, Entry>,
    /// Those of them that are to be printed, by their action.
    to_print: BTreeMap<usize, JobId>,
    /// Actions before this one have printed what they print.
    printed: usize,
    /// Those that are over, and those that were never submitted.
    over: Vec<JobReport>,
    submitted: BTreeSet<Purpose>,
    failed_samples: BTreeMap<ShuffleId, String>,
    /// Actions that have not ended.
    open: BTreeSet<usize>,
    /// Actions that have their result, be it printed or not.
    succeeded: BTreeSet<usize>,
    /// What they, and samples that run, still read.
    readers: Readers,
    /// The datasets that are made round by round.
    pub rounds: Rounds,
}

impl Board {
    /// All actions are still to be done.
    pub fn new(application: Arc<Application>) -> Self {
        let mut readers = Readers::new(Arc::clone(&application.plan));
        for action in &application.actions {
            readers.opened(action.dataset);
        }
        for (dataset, sorts) in &application.kept_for_sorts {
            readers.keeps_for(*dataset, sorts);
        }
        let after: Vec<_> = application
            .actions
            .iter()
            .map(|it| it.after.clone())
            .collect();
        let circular = circular(&after);
        let mut board = Self {
            readers,
            open: (0..application.actions.len()).collect(),
            rounds: Rounds::new(Arc::clone(&application)),
            application,
            jobs: BTreeMap::new(),
            wanting: Vec::new(),
            whole: BTreeMap::new(),
            to_print: BTreeMap::new(),
            printed: 0,
            succeeded: BTreeSet::new(),
            over: Vec::new(),
            submitted: BTreeSet::new(),
            failed_samples: BTreeMap::new(),
        };
        for index in circular {
            board.give_up(index, "it comes after itself".to_owned());
        }
        board
    }

    /// Whether every action has ended.
    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// The next job to submit, if one is ready. `missing` says which bounds a
    /// dataset still needs, the first one first.
    pub fn next(&mut self, missing: impl Fn(DatasetId) -> Vec<ShuffleId>) -> Option<Purpose> {
        loop {
            let open = self.open.len();
            self.give_up_followers();
            let next = self.next_of_open(&missing);
            // What is given up may be what others come after.
            if next.is_some() || self.open.len() == open {
                return next;
            }
        }
    }

    fn next_of_open(&mut self, missing: impl Fn(DatasetId) -> Vec<ShuffleId>) -> Option<Purpose> {
        for index in 0..self.application.actions.len() {
            if !self.open.contains(&index)
                || self.submitted.contains(&Purpose::Action(index))
                || !self.comes_next(index)
            {
                continue;
            }
            let dataset = self.application.actions[index].dataset;
            let next = match self.rounds.next_before(dataset) {
                None => Purpose::Action(index),
                Some(Ok(round)) => round,
                Some(Err(error)) => {
                    self.give_up(index, error);
                    continue;
                }
            };
            let wanted = missing(self.dataset_of(next));
            let purpose = match wanted.first() {
                None => next,
                Some(first) => match self.failed_samples.get(first) {
                    Some(error) => {
                        let error = error.clone();
                        self.give_up(index, error);
                        continue;
                    }
                    None => Purpose::Sample(*first),
                },
            };
            if self.submitted.insert(purpose) {
                return Some(purpose);
            }
        }
        None
    }

    /// Whether all actions have succeeded that an action comes after.
    fn comes_next(&self, index: usize) -> bool {
        let after = &self.application.actions[index].after;
        after.iter().all(|it| self.succeeded.contains(it))
    }

    /// Ends the actions that come after one that has failed, and those after
    /// them.
    fn give_up_followers(&mut self) {
        let failed = |board: &Self, index: &usize| {
            !board.open.contains(index) && !board.succeeded.contains(index)
        };
        loop {
            let next = self.open.iter().find_map(|index| {
                let after = &self.application.actions[*index].after;
                let before = after.iter().find(|it| failed(self, it))?;
                Some((*index, *before))
            });
            let Some((index, before)) = next else { return };
            let error = match self.application.actions.get(before) {
                Some(action) => {
                    let dataset = self.application.plan.dataset(action.dataset).name();
                    let name = action.name.as_ref().unwrap_or(dataset);
                    format!("`{name}`, after which it comes, did not succeed")
                }
                None => format!("there is no action {before}, after which it comes"),
            };
            self.give_up(index, error);
        }
    }

    /// The action that a job is for, and for a sample or a round the first one that
    /// waits for it.
    pub fn action_of(&self, purpose: Purpose) -> &Action {
        let index = match purpose {
            Purpose::Action(index) => index,
            Purpose::Sample(_) | Purpose::Round(_) | Purpose::Watch(_) => {
                self.open.first().copied().unwrap_or_default()
            }
        };
        &self.application.actions[index]
    }

    /// The dataset of a job.
    pub fn dataset_of(&self, purpose: Purpose) -> DatasetId {
        match purpose {
            Purpose::Action(index) => self.application.actions[index].dataset,
            Purpose::Sample(shuffle) => self.application.plan.shuffle(shuffle).map_side,
            Purpose::Round(it) => {
                let leaves = self.rounds.leaves(it);
                self.application.plan.shuffle(leaves).map_side
            }
            Purpose::Watch(it) => self.rounds.watched(it).unwrap_or_default(),
        }
    }

    /// A job was taken in.
    pub fn accepted(&mut self, now: Timestamp, job: JobId, purpose: Purpose) {
        let dataset = self.dataset_of(purpose);
        let plan = &self.application.plan;
        let (name, making) = match purpose {
            Purpose::Action(index) => {
                let kind = &self.application.actions[index].kind;
                (kind.name().to_owned(), making_of(kind))
            }
            Purpose::Sample(shuffle) => {
                let ranges = plan.shuffle(shuffle).partitioner.partitions;
                let sample = ranges.saturating_mul(SAMPLES_PER_RANGE).min(MOST_SAMPLES);
                let partitions = plan.dataset(dataset).partitions().max(1);
                let each = sample.saturating_mul(OVERSAMPLING).div_ceil(partitions);
                let (least, most) = SAMPLED_LENGTH.into_inner();
                let drawn = each.max(1).saturating_mul(partitions);
                let sample = Sample {
                    records: each.max(1),
                    seed: u64::from(shuffle.0),
                    longest: (SAMPLE_BYTES / drawn).clamp(least, most),
                };
                ("sample".to_owned(), Making::Sample(sample))
            }
            Purpose::Round(it) => (self.rounds.told(it).0, Making::Count),
            Purpose::Watch(_) => (LOOK.to_owned(), Making::Count),
        };
        let of_dataset = match purpose {
            Purpose::Round(it) => self.rounds.told(it).1,
            Purpose::Action(_) | Purpose::Sample(_) | Purpose::Watch(_) => {
                Arc::clone(plan.dataset(dataset).name())
            }
        };
        let report = JobReport {
            id: Some(job.0),
            action: name,
            dataset: of_dataset.to_string(),
            name: match purpose {
                Purpose::Action(index) => self.application.actions[index].name.as_deref(),
                Purpose::Sample(_) | Purpose::Round(_) | Purpose::Watch(_) => None,
            }
            .map(str::to_owned),
            round_of: match purpose {
                Purpose::Round(it) | Purpose::Watch(it) => Some(self.rounds.told(it).1.to_string()),
                Purpose::Action(_) | Purpose::Sample(_) => None,
            },
            status: Status::Failed,
            stages: 0,
            tasks: 0,
            attempts: 0,
            failed_attempts: 0,
            records: 0,
            submitted_seconds: now.since_start().as_secs_f64(),
            seconds: 0.0,
            error: None,
        };
        let entry = Entry {
            purpose,
            dataset,
            making,
            results: BTreeMap::new(),
            counted: Some(0),
            tried: 0,
            started: now,
            finished: None,
            stages: BTreeSet::new(),
            report,
        };
        self.jobs.insert(job, entry);
        if matches!(purpose, Purpose::Sample(_)) {
            self.readers.opened(dataset);
        }
    }

    /// The stages of a job are known.
    pub fn started(&mut self, job: JobId, stages: &[StageId]) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.stages = stages.iter().copied().collect();
        }
    }

    /// A job has more stages.
    pub fn stages_added(&mut self, job: JobId, stages: &[StageId]) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.stages.extend(stages);
        }
    }

    /// An active job.
    pub fn job(&self, job: JobId) -> Option<&Entry> {
        self.jobs.get(&job)
    }

    /// An active job.
    pub fn job_mut(&mut self, job: JobId) -> Option<&mut Entry> {
        self.jobs.get_mut(&job)
    }

    /// The active job that needs a stage; the oldest if there are several.
    pub fn job_of_stage(&self, stage: StageId) -> Option<JobId> {
        self.jobs
            .iter()
            .find(|(_, entry)| entry.stages.contains(&stage))
            .map(|(job, _)| *job)
    }

    /// A result counts.
    pub fn result(&mut self, job: JobId, partition: Partition, bytes: Bytes, metrics: &Metrics) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        entry.result(partition, bytes, metrics);
    }

    /// A job is over, with the error of what failed.
    pub fn ended(&mut self, now: Timestamp, job: JobId, status: Status, error: Option<String>) {
        if let Some(entry) = self.jobs.remove(&job) {
            self.closed(now, entry, status, error);
        }
    }

    /// A job that had all its results is over.
    pub fn handed_over(&mut self, now: Timestamp, job: JobId, result: Result<(), String>) {
        if let Some(entry) = self.whole.remove(&job) {
            let status = match result {
                Ok(()) => Status::Succeeded,
                Err(_) => Status::Failed,
            };
            self.closed(now, entry, status, result.err());
        }
    }

    fn closed(&mut self, now: Timestamp, mut entry: Entry, status: Status, error: Option<String>) {
        entry.report.status = status;
        entry.report.error = error.clone();
        let ended = entry.finished.unwrap_or(now);
        entry.report.seconds = (ended - entry.started).as_secs_f64();
        self.over.push(entry.report);
        match entry.purpose {
            Purpose::Action(index) => {
                if self.open.remove(&index) && entry.finished.is_none() {
                    self.readers.closed(entry.dataset);
                }
                if status == Status::Succeeded {
                    self.succeeded.insert(index);
                }
            }
            Purpose::Sample(shuffle) => {
                self.readers.closed(entry.dataset);
                if status != Status::Succeeded {
                    let error = error.unwrap_or_default();
                    self.failed_samples.insert(shuffle, error);
                }
            }
            // What it reads is open as long as the action that waits for it is.
            Purpose::Round(it) | Purpose::Watch(it) => {
                if status != Status::Succeeded {
                    self.rounds.failed(it, &error.unwrap_or_default());
                }
            }
        }
    }

    /// A job has all its results. Those that are printed wait for their turn; what
    /// others are to read of them is not needed any more.
    pub fn finished(&mut self, now: Timestamp, job: JobId) -> Option<JobId> {
        let mut entry = self.jobs.remove(&job)?;
        let told = JobId(entry.report.id?);
        if let Purpose::Action(index) = entry.purpose
            && self.application.actions[index].kind.is_told()
        {
            entry.finished = Some(now);
            self.readers.closed(entry.dataset);
            self.succeeded.insert(index);
            self.to_print.insert(index, told);
        }
        self.whole.insert(told, entry);
        Some(told)
    }

    /// A job that has all its results.
    pub fn whole_mut(&mut self, job: JobId) -> Option<&mut Entry> {
        self.whole.get_mut(&job)
    }

    /// The next result to print, if all that come before it have been: results
    /// are printed in the order of their actions.
    pub fn next_to_print(&mut self) -> Option<JobId> {
        while let Some(action) = self.application.actions.get(self.printed) {
            if action.kind.is_told() {
                if let Some(job) = self.to_print.remove(&self.printed) {
                    self.printed += 1;
                    return Some(job);
                }
                if self.open.contains(&self.printed) {
                    return None;
                }
            }
            self.printed += 1;
        }
        None
    }

    /// A job that wants more partitions than it has had so far.
    pub fn wants_more(&mut self, job: JobId) {
        self.wanting.extend(self.jobs.remove(&job));
    }

    /// The next job that wants more, to be [`resumed`](Self::resumed).
    pub fn next_wanting(&mut self) -> Option<Entry> {
        self.wanting.pop()
    }

    /// A job goes on under another number.
    pub fn resumed(&mut self, job: JobId, mut entry: Entry) {
        entry.stages.clear();
        self.jobs.insert(job, entry);
    }

    /// A job that wants more will not have it.
    pub fn stopped(&mut self, now: Timestamp, entry: Entry, status: Status, error: &str) {
        self.closed(now, entry, status, Some(error.to_owned()));
    }

    /// An action whose job cannot even be submitted is over.
    pub fn give_up(&mut self, index: usize, error: String) {
        if self.open.remove(&index) {
            let action = &self.application.actions[index];
            self.readers.closed(action.dataset);
            self.over.push(JobReport {
                id: None,
                action: action.kind.name().into(),
                dataset: self
                    .application
                    .plan
                    .dataset(action.dataset)
                    .name()
                    .to_string(),
                name: action.name.as_deref().map(str::to_owned),
                round_of: None,
                status: Status::Failed,
                stages: 0,
                tasks: 0,
                attempts: 0,
                failed_attempts: 0,
                records: 0,
                submitted_seconds: 0.0,
                seconds: 0.0,
                error: Some(error),
            });
        }
    }

    /// No action that has not been submitted will be: the application ends.
    pub fn give_up_rest(&mut self, error: &str) {
        let rest: Vec<_> = self
            .open
            .iter()
            .copied()
            .filter(|index| !self.submitted.contains(&Purpose::Action(*index)))
            .collect();
        for index in rest {
            self.give_up(index, error.to_owned());
        }
    }

    /// A shuffle has all its outputs.
    pub fn made(&mut self, shuffle: ShuffleId) {
        self.readers.made(shuffle);
    }

    /// What became unread since this was called last: no job that runs or is
    /// still to come can read it.
    pub fn take_unread(&mut self) -> Unread {
        self.readers.take_unread()
    }

    /// What came of all jobs, in the order of their numbers.
    pub fn reports(self) -> Vec<JobReport> {
        let mut reports = self.over;
        reports.sort_by_key(|report| report.id.unwrap_or(u32::MAX));
        reports
    }
}

/// The number in the result of a count.
fn count_in(bytes: &[u8]) -> u64 {
    bytes
        .try_into()
        .map_or(0, |eight: [u8; 8]| u64::from_le_bytes(eight))
}

fn making_of(kind: &ActionKind) -> Making {
    match kind {
        ActionKind::Count => Making::Count,
        ActionKind::Collect { limit } => Making::Collect { limit: *limit },
        ActionKind::Save {
            to,
            compress,
            partition_by,
            overwrite: _,
        } => Making::Save {
            to: to.as_str().into(),
            compress: *compress,
            partition_by: partition_by.as_slice().into(),
        },
    }
}

#[cfg(test)]
mod tests;
