//! The jobs of the application. Pure.
//!
//! Responsible for submitting those that are ready, for what the core says of
//! them, and for handing their results over when they are whole.

use std::sync::Arc;

use bytes::Bytes;

use super::Driver;
use super::board::{Purpose, count_in};
use super::effect::{Delivery, Effect};
use crate::driver::report::{Progress, Status};
use crate::ids::{JobId, ShuffleId};
use crate::plan::JobProperties;
use crate::plan::application::ActionKind;
use crate::scheduler::dag_scheduler::{DagEvent, DagNotice};
use crate::scheduler::job::JobError;
use crate::storage::order::bounds_of_sample;

impl Driver {
    /// Submits the jobs that are ready.
    pub(super) fn submit_ready(&mut self) {
        loop {
            let works = &self.works;
            let next = self.board.next(|dataset| works.missing_bounds(dataset));
            let Some(purpose) = next else { return };
            self.submit(purpose);
        }
    }

    fn submit(&mut self, purpose: Purpose) {
        let dataset = self.board.dataset_of(purpose);
        let action = self.board.action_of(purpose);
        let request = self
            .application
            .plan
            .result_job(dataset)
            .expect("actions are of datasets of the plan")
            .with_properties(JobProperties {
                pool: action.pool.clone(),
                ..JobProperties::default()
            });
        let now = self.now;
        let actions = self.core.handle(now, DagEvent::JobSubmitted(request));
        if let Some(DagNotice::JobAccepted { job }) = actions.job_notices.first() {
            let job = *job;
            self.board.accepted(now, job, purpose);
            if let Some(entry) = self.board.job(job) {
                let started = Progress::JobStarted {
                    job,
                    action: entry.report.action.clone(),
                    dataset: entry.report.dataset.clone(),
                };
                self.tell(started);
            }
        }
        let mut events = Vec::new();
        self.carry_out(actions, &mut events);
        for event in events {
            self.feed(event);
        }
    }

    /// What the core says of jobs.
    pub(super) fn job_notice(&mut self, notice: DagNotice) {
        match notice {
            // The answer to a submission, which reads it itself.
            DagNotice::JobAccepted { .. } | DagNotice::MapOutputReady { .. } => {}
            DagNotice::JobStarted { job, stages } => self.board.started(job, &stages),
            DagNotice::JobWaitsForSlots { reason, .. } => self.note(reason.to_string()),
            DagNotice::ResultReady {
                job,
                partition,
                task,
            } => {
                if let Some((bytes, metrics)) = self.results.remove(&task) {
                    self.board.result(job, partition, bytes, &metrics);
                }
            }
            DagNotice::JobEnded { job, outcome } => self.job_ended(job, outcome),
            DagNotice::StageSubmitted {
                stage,
                name,
                kind,
                tasks,
                ..
            } => {
                let job = self.board.job_of_stage(stage).unwrap_or_default();
                let result = self.board.job_mut(job).map(|entry| {
                    entry.report.stages += 1;
                    (entry.dataset, entry.result.clone())
                });
                self.works.submitted(stage, kind, job, result);
                self.tell(Progress::StageStarted {
                    stage,
                    name: name.to_string(),
                    tasks,
                });
            }
            DagNotice::StageCompleted { stage, failure, .. } => {
                self.tell_progress();
                self.tell(Progress::StageEnded {
                    stage,
                    failure: failure.map(|it| it.to_string()),
                });
            }
            DagNotice::Task(report) => self.task_report(report),
            DagNotice::CommitDecided { task, granted } => self.answer_commit(task, granted),
            DagNotice::OutputsLost { executor, .. } => {
                tracing::debug!(%executor, "map outputs count as lost");
            }
        }
    }

    fn job_ended(&mut self, job: JobId, outcome: Result<(), JobError>) {
        let Some(entry) = self.board.job(job) else {
            return;
        };
        let purpose = entry.purpose;
        if let Err(error) = outcome {
            let status = match error {
                JobError::Cancelled { .. } | JobError::Stopped { .. } => Status::Cancelled,
                _ => Status::Failed,
            };
            if let Purpose::Action(index) = purpose
                && let ActionKind::Save { to, .. } = &self.application.actions[index].kind
            {
                let to = to.clone();
                self.effect(Effect::AbortSave { to });
            }
            return self.close_job(job, status, Some(error.to_string()));
        }
        match purpose {
            Purpose::Sample(shuffle) => self.sampled(job, shuffle),
            Purpose::Action(index) => self.deliver(job, index),
        }
    }

    fn close_job(&mut self, job: JobId, status: Status, error: Option<String>) {
        self.board.ended(self.now, job, status, error);
    }

    fn sampled(&mut self, job: JobId, shuffle: ShuffleId) {
        let Some(entry) = self.board.job_mut(job) else {
            return;
        };
        let samples = std::mem::take(&mut entry.results);
        let exchange = self.application.program.exchange(shuffle);
        let bounds = bounds_of_sample(exchange.order, exchange.partitions, samples.values());
        self.works.set_bounds(shuffle, bounds);
        self.close_job(job, Status::Succeeded, None);
    }

    /// Hands a finished job's result to whoever asked for it.
    fn deliver(&mut self, job: JobId, index: usize) {
        let application = Arc::clone(&self.application);
        let Some(entry) = self.board.job_mut(job) else {
            return;
        };
        let results = std::mem::take(&mut entry.results);
        let delivery = match &application.actions[index].kind {
            ActionKind::Count => {
                Delivery::Count(results.values().map(|bytes| count_in(bytes)).sum())
            }
            ActionKind::Collect { limit } => {
                let mut left = limit.unwrap_or(u64::MAX);
                let mut records = Vec::with_capacity(results.len());
                entry.report.records = 0;
                for bytes in results.values() {
                    let (some, count) = first_lines(bytes, left);
                    left -= count;
                    entry.report.records += count;
                    records.push(some);
                }
                Delivery::Records(records)
            }
            ActionKind::Save { to, overwrite, .. } => {
                let dataset = application.plan.dataset(application.actions[index].dataset);
                Delivery::Save {
                    to: to.clone(),
                    partitions: dataset.partitions(),
                    overwrite: *overwrite,
                }
            }
        };
        let dataset = entry.report.dataset.clone();
        self.effect(Effect::Deliver {
            job,
            dataset,
            delivery,
        });
    }

    /// A result reached whoever asked for it, or could not.
    pub(super) fn delivered(&mut self, job: JobId, result: Result<(), String>) {
        match result {
            Ok(()) => self.close_job(job, Status::Succeeded, None),
            Err(error) => self.close_job(job, Status::Failed, Some(error)),
        }
    }
}

/// The first `limit` lines and how many there are.
fn first_lines(bytes: &Bytes, limit: u64) -> (Bytes, u64) {
    let mut count = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        if count == limit {
            break;
        }
        count += 1;
        if count == limit {
            return (bytes.slice(..=end), count);
        }
    }
    if limit == 0 {
        (Bytes::new(), 0)
    } else {
        (bytes.clone(), count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_as_many_lines_as_wanted_are_handed_on() {
        let first = |text: &'static str, limit| {
            let (lines, count) = first_lines(&Bytes::from_static(text.as_bytes()), limit);
            (String::from_utf8_lossy(&lines).into_owned(), count)
        };
        assert_eq!(first("a\nb\nc\n", 2), ("a\nb\n".into(), 2));
        assert_eq!(first("a\nb\n", 9), ("a\nb\n".into(), 2));
        assert_eq!(first("a\n", 0), (String::new(), 0));
        assert_eq!(first("", 3), (String::new(), 0));
    }
}
