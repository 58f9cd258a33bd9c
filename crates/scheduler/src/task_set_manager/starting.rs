//! Starting attempts, all of a barrier set together.

use std::time::Duration;

use super::kept::{Attempt, AttemptState, NO_ATTEMPT};
use super::{Spot, TaskSetManager};
use crate::clock::Timestamp;
use crate::cluster::Cluster;
use crate::ids::{TaskId, TaskIndex};
use crate::locality::LocalityLevel;
use crate::stock::Held;
use crate::task::{TaskDescription, TaskReport};

/// People are told so often at most that a barrier set cannot start, as by
/// Spark.
const POSTPONED_NOTICE_INTERVAL: Duration = Duration::from_secs(60);

impl TaskSetManager {
    /// Starts an attempt of a chosen task; gives back its place.
    pub(crate) fn launch(&mut self, now: Timestamp, task: TaskId, index: u32, spot: Spot) -> u32 {
        let attempt = self.attempts.len() as u32;
        let alone = self.is_to_run_alone(index);
        let entry = &mut self.tasks[index as usize];
        let previous_on_executor = self
            .last_on_executor
            .insert(spot.executor, attempt)
            .unwrap_or(NO_ATTEMPT);
        self.attempts.push(Attempt {
            task,
            launched: now,
            index,
            number: entry.attempts,
            executor: spot.executor,
            host: spot.host,
            previous_of_task: entry.last_attempt,
            previous_on_executor,
            state: AttemptState::Launching,
            killed_by_other: false,
            result_counted: false,
            alone,
            left_out: self.left_out.contains(&index),
        });
        entry.last_attempt = attempt;
        entry.attempts += 1;
        self.running += 1;
        if std::mem::take(&mut entry.parked) {
            self.parked -= 1;
        }
        self.change(index, |task| task.copies += 1);
        self.rewatch(index);
        attempt
    }

    /// The description of an attempt that was just launched.
    pub(crate) fn describe(
        &self,
        attempt: u32,
        cluster: &Cluster,
        locality: LocalityLevel,
        speculative: bool,
        resources: Vec<Held>,
    ) -> TaskDescription {
        let attempt = &self.attempts[attempt as usize];
        TaskDescription {
            task: attempt.task,
            stage: self.stage,
            stage_attempt: self.attempt,
            index: TaskIndex(attempt.index),
            partition: self.tasks[attempt.index as usize].partition,
            attempt: attempt.number,
            executor: cluster.executor_id(attempt.executor).clone(),
            locality,
            speculative,
            left_out: attempt.left_out,
            addresses: None,
            cpus: self.needs.cpus,
            resources,
            epoch: self.epoch,
        }
    }

    pub(crate) fn started_report(&self, attempt: u32) -> TaskReport {
        let attempt = &self.attempts[attempt as usize];
        TaskReport::TaskStarted {
            stage: self.stage,
            stage_attempt: self.attempt,
            partition: self.tasks[attempt.index as usize].partition,
            task: attempt.task,
        }
    }

    /// Sets chosen tasks of a barrier set aside until all of them have room.
    pub(crate) fn park(&mut self, index: u32) {
        self.tasks[index as usize].parked = true;
        self.parked += 1;
    }

    /// Not all had room: the parked tasks wait again.
    pub(crate) fn unpark(
        &mut self,
        parked: impl DoubleEndedIterator<Item = u32>,
        cluster: &Cluster,
    ) {
        for index in parked.rev() {
            self.tasks[index as usize].parked = false;
            self.parked -= 1;
            self.list(index, cluster);
        }
    }

    /// Whether people should be told that not all had room; not too often.
    pub(crate) fn postponed_is_news(&mut self, now: Timestamp) -> bool {
        let news = self
            .told_postponed
            .is_none_or(|last| now - last >= POSTPONED_NOTICE_INTERVAL);
        if news {
            self.told_postponed = Some(now);
        }
        news
    }
}
