//! Which jobs an application has, how far they are, and what came of them. Pure.
//!
//! Responsible for turning actions into jobs in the right order (a sort needs
//! a sample of its input first), for collecting their results, and for the
//! figures of the report. It submits nothing itself, and waits for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::driver::report::{JobReport, Status};
use crate::ids::{DatasetId, JobId, Partition, ShuffleId, StageId};
use crate::plan::application::{Action, ActionKind, Application};
use crate::rpc::message::{Metrics, result_work};

/// So many records are drawn for each range of a sort, over all partitions
/// (Spark's `samplePointsPerPartitionHint`).
const SAMPLES_PER_RANGE: u32 = 20;

/// No sample is larger.
const MOST_SAMPLES: u32 = 1_000_000;

/// Partitions differ in size, so each gives more than its part.
const OVERSAMPLING: u32 = 3;

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The action of this place in the application.
    Action(usize),
    /// The bounds of a shuffle by ranges.
    Sample(ShuffleId),
}

/// A job of the board.
#[derive(Debug)]
pub struct Entry {
    /// What it is for.
    pub purpose: Purpose,
    /// Its dataset.
    pub dataset: DatasetId,
    /// What each task makes of a partition.
    pub result: result_work::Action,
    /// Results by partition, until they are used.
    pub results: BTreeMap<Partition, Bytes>,
    started: Timestamp,
    stages: BTreeSet<StageId>,
    /// What it comes to in the report.
    pub report: JobReport,
}

/// See the module.
#[derive(Debug)]
pub struct Board {
    application: Arc<Application>,
    jobs: BTreeMap<JobId, Entry>,
    /// Those that are over, and those that were never submitted.
    over: Vec<JobReport>,
    submitted: BTreeSet<Purpose>,
    failed_samples: BTreeMap<ShuffleId, String>,
    /// Actions that have not ended.
    open: BTreeSet<usize>,
}

impl Board {
    /// All actions are still to be done.
    pub fn new(application: Arc<Application>) -> Self {
        Self {
            open: (0..application.actions.len()).collect(),
            application,
            jobs: BTreeMap::new(),
            over: Vec::new(),
            submitted: BTreeSet::new(),
            failed_samples: BTreeMap::new(),
        }
    }

    /// Whether every action has ended.
    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// The next job to submit, if one is ready. `missing` says which bounds a
    /// dataset still needs, the first one first.
    pub fn next(&mut self, missing: impl Fn(DatasetId) -> Vec<ShuffleId>) -> Option<Purpose> {
        for index in 0..self.application.actions.len() {
            if !self.open.contains(&index) || self.submitted.contains(&Purpose::Action(index)) {
                continue;
            }
            let wanted = missing(self.application.actions[index].dataset);
            let purpose = match wanted.first() {
                None => Purpose::Action(index),
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

    /// The action that a job is for, and for a sample the first one that
    /// waits for it.
    pub fn action_of(&self, purpose: Purpose) -> &Action {
        let index = match purpose {
            Purpose::Action(index) => index,
            Purpose::Sample(_) => self.open.first().copied().unwrap_or_default(),
        };
        &self.application.actions[index]
    }

    /// The dataset of a job.
    pub fn dataset_of(&self, purpose: Purpose) -> DatasetId {
        match purpose {
            Purpose::Action(index) => self.application.actions[index].dataset,
            Purpose::Sample(shuffle) => self.application.plan.shuffle(shuffle).map_side,
        }
    }

    /// A job was taken in.
    pub fn accepted(&mut self, now: Timestamp, job: JobId, purpose: Purpose) {
        let dataset = self.dataset_of(purpose);
        let plan = &self.application.plan;
        let (name, result) = match purpose {
            Purpose::Action(index) => {
                let kind = &self.application.actions[index].kind;
                (kind.name(), result_of(kind))
            }
            Purpose::Sample(shuffle) => {
                let ranges = plan.shuffle(shuffle).partitioner.partitions;
                let sample = ranges.saturating_mul(SAMPLES_PER_RANGE).min(MOST_SAMPLES);
                let partitions = plan.dataset(dataset).partitions().max(1);
                let each = sample.saturating_mul(OVERSAMPLING).div_ceil(partitions);
                let sample = result_work::TakeSample {
                    records: each.max(1),
                    seed: u64::from(shuffle.0),
                };
                ("sample", result_work::Action::Sample(sample))
            }
        };
        let report = JobReport {
            id: Some(job.0),
            action: name.into(),
            dataset: plan.dataset(dataset).name().to_string(),
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
            result,
            results: BTreeMap::new(),
            started: now,
            stages: BTreeSet::new(),
            report,
        };
        self.jobs.insert(job, entry);
    }

    /// The stages of a job are known.
    pub fn started(&mut self, job: JobId, stages: &[StageId]) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.stages = stages.iter().copied().collect();
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
        entry.report.records += match entry.result {
            result_work::Action::Count(_) => count_in(&bytes),
            _ => metrics.records_written,
        };
        entry.results.insert(partition, bytes);
    }

    /// A job is over, with the error of what failed.
    pub fn ended(&mut self, now: Timestamp, job: JobId, status: Status, error: Option<String>) {
        let Some(mut entry) = self.jobs.remove(&job) else {
            return;
        };
        entry.report.status = status;
        entry.report.error = error.clone();
        entry.report.seconds = (now - entry.started).as_secs_f64();
        self.over.push(entry.report);
        match entry.purpose {
            Purpose::Action(index) => {
                self.open.remove(&index);
            }
            Purpose::Sample(shuffle) => {
                if status != Status::Succeeded {
                    let error = error.unwrap_or_default();
                    self.failed_samples.insert(shuffle, error);
                }
            }
        }
    }

    /// An action whose job cannot even be submitted is over.
    pub fn give_up(&mut self, index: usize, error: String) {
        if self.open.remove(&index) {
            let action = &self.application.actions[index];
            self.over.push(JobReport {
                id: None,
                action: action.kind.name().into(),
                dataset: self
                    .application
                    .plan
                    .dataset(action.dataset)
                    .name()
                    .to_string(),
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

    /// What came of all jobs, in the order of their numbers.
    pub fn reports(self) -> Vec<JobReport> {
        let mut reports = self.over;
        reports.sort_by_key(|report| report.id.unwrap_or(u32::MAX));
        reports
    }
}

/// The number in the result of a count.
pub fn count_in(bytes: &[u8]) -> u64 {
    bytes
        .try_into()
        .map_or(0, |eight: [u8; 8]| u64::from_le_bytes(eight))
}

fn result_of(kind: &ActionKind) -> result_work::Action {
    match kind {
        ActionKind::Count => result_work::Action::Count(result_work::Nothing {}),
        ActionKind::Collect { limit } => result_work::Action::Collect(result_work::Collect {
            limit: limit.unwrap_or(0),
        }),
        ActionKind::Save { to, compress, .. } => result_work::Action::Save(result_work::Save {
            to: to.clone(),
            compress: compress.name().into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ApplicationBuilder;
    use crate::plan::operation::SortOrder;

    /// A count, and two actions of the same sort.
    fn application() -> Arc<Application> {
        let mut builder = ApplicationBuilder::new();
        let numbers = builder.range("numbers", 0, 9, 3).expect("a dataset");
        let sorted = builder.sort("sorted", numbers, SortOrder::default(), Some(2));
        let sorted = sorted.expect("a dataset");
        builder.action(numbers, ActionKind::Count, None);
        builder.action(sorted, ActionKind::Count, None);
        builder.action(sorted, ActionKind::Collect { limit: Some(1) }, None);
        Arc::new(builder.build())
    }

    const SHUFFLE: ShuffleId = ShuffleId(0);

    fn board() -> (Board, impl Fn(DatasetId) -> Vec<ShuffleId>) {
        let application = application();
        let sorted = application.actions[1].dataset;
        let missing = move |dataset| {
            if dataset == sorted {
                vec![SHUFFLE]
            } else {
                vec![]
            }
        };
        (Board::new(application), missing)
    }

    fn all(board: &mut Board, missing: impl Fn(DatasetId) -> Vec<ShuffleId>) -> Vec<Purpose> {
        std::iter::from_fn(|| board.next(&missing)).collect()
    }

    #[test]
    fn a_sort_is_sampled_once_and_its_actions_wait_for_that() {
        let (mut board, missing) = board();
        let first = all(&mut board, missing);
        assert_eq!(first, [Purpose::Action(0), Purpose::Sample(SHUFFLE)]);
        for (job, purpose) in first.into_iter().enumerate() {
            let job = JobId(u32::try_from(job).expect("few"));
            board.accepted(Timestamp::ZERO, job, purpose);
            board.ended(Timestamp::from_millis(500), job, Status::Succeeded, None);
        }
        let then = all(&mut board, |_| vec![]);
        assert_eq!(then, [Purpose::Action(1), Purpose::Action(2)]);
        assert!(!board.is_done());
    }

    #[test]
    fn without_its_sample_a_sort_is_given_up_for_the_samples_reason() {
        let (mut board, missing) = board();
        let _ = all(&mut board, &missing);
        board.accepted(Timestamp::ZERO, JobId(0), Purpose::Action(0));
        board.accepted(Timestamp::ZERO, JobId(1), Purpose::Sample(SHUFFLE));
        let error = Some("no luck".to_owned());
        board.ended(Timestamp::ZERO, JobId(1), Status::Failed, error);
        assert_eq!(all(&mut board, &missing), []);
        board.ended(Timestamp::ZERO, JobId(0), Status::Succeeded, None);
        assert!(board.is_done());
        let reports = board.reports();
        let told: Vec<_> = reports
            .iter()
            .map(|it| (it.action.as_str(), it.status, it.error.as_deref()))
            .collect();
        let failed = (Status::Failed, Some("no luck"));
        assert_eq!(
            told,
            [
                ("count", Status::Succeeded, None),
                ("sample", failed.0, failed.1),
                ("count", failed.0, failed.1),
                ("collect", failed.0, failed.1),
            ]
        );
    }

    #[test]
    fn results_are_counted_and_timed() {
        let (mut board, _) = board();
        board.accepted(Timestamp::from_millis(1000), JobId(4), Purpose::Action(0));
        for partition in 0..3 {
            let three = Bytes::copy_from_slice(&3_u64.to_le_bytes());
            board.result(JobId(4), Partition(partition), three, &Metrics::default());
        }
        board.ended(
            Timestamp::from_millis(3000),
            JobId(4),
            Status::Succeeded,
            None,
        );
        let reports = board.reports();
        assert_eq!((reports[0].id, reports[0].records), (Some(4), 9));
        assert_eq!(reports[0].submitted_seconds, 1.0);
        assert_eq!(reports[0].seconds, 2.0);
    }
}
