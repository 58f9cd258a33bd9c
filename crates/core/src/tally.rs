//! What a run comes to, stage by stage. Pure.
//!
//! Responsible for the figures that are told at the end of a run: it reads
//! [facts](crate::facts) as they are handed on, and keeps four bytes of each task, for its
//! quantiles are exact. The driver's core feeds it, so that a driver that goes on with a run
//! counts what the earlier one did, too; the words are [`report`](crate::report)'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::facts::{Fact, Happened, Metrics};
use crate::ids::{Host, Partition, StageId};
use crate::report::{FailureCause, RunSeconds, SlowTask, StageReport, Sums};
use crate::telling::has_failed;
use mesquite_scheduler::running::FAR_LONGER;
use mesquite_scheduler::task::TaskEndReason;

/// So many slow tasks are told.
const SLOWEST: usize = 5;

/// A task is far slower than others only if it ran so much longer than their median.
const LEAST_SECONDS: f32 = 1.0;

/// So many causes of failures are told apart; others are one. Whoever makes a cause of
/// each item's name cannot fill the driver's memory.
const CAUSES: usize = 100;

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    stages: BTreeMap<StageId, Stage>,
    causes: FxHashMap<String, Cause>,
    /// When the last fact came to be.
    last: Duration,
}

#[derive(Debug, Default)]
struct Stage {
    name: Arc<str>,
    attempts: u32,
    /// Since when an attempt at it runs.
    began: Option<Duration>,
    took: Duration,
    failed: u64,
    /// How long tasks that succeeded ran, in seconds.
    ran: Vec<f32>,
    succeeded: u64,
    /// The slowest of them, the slowest first.
    slowest: Vec<Slow>,
    shuffle_bytes_written: u64,
    shuffle_bytes_read: u64,
    spilled_bytes: u64,
}

#[derive(Debug)]
struct Slow {
    partition: Partition,
    attempt: u32,
    host: Host,
    ran: f32,
}

#[derive(Debug)]
struct Cause {
    /// How many causes came before.
    order: usize,
    attempts: u64,
    stages: BTreeSet<StageId>,
}

impl Tally {
    /// Takes in what happened.
    pub fn read(&mut self, facts: &[Happened]) {
        for Happened { at, fact } in facts {
            self.last = self.last.max(*at);
            match fact {
                Fact::StageStarted { stage, name, .. } => {
                    let stage = self.stages.entry(*stage).or_default();
                    stage.name = Arc::clone(name);
                    stage.attempts += 1;
                    stage.began.get_or_insert(*at);
                }
                Fact::StageEnded { stage, .. } => {
                    if let Some(stage) = self.stages.get_mut(stage) {
                        stage.end(*at);
                    }
                }
                Fact::TaskEnded { .. } => self.task(fact),
                // Whatever else happens, figures come of stages and attempts alone.
                _ => {}
            }
        }
    }

    fn task(&mut self, fact: &Fact) {
        let Fact::TaskEnded {
            stage: id,
            partition,
            attempt,
            host,
            reason,
            metrics,
            ..
        } = fact
        else {
            return;
        };
        let stage = self.stages.entry(*id).or_default();
        if let Some(metrics) = metrics {
            stage.measured(metrics);
        }
        if matches!(reason, TaskEndReason::Success(_)) {
            stage.succeeded += 1;
            if let Some(metrics) = metrics {
                stage.ran(metrics.ran.as_secs_f32(), (*partition, *attempt), host);
            }
        } else if has_failed(reason) {
            stage.failed += 1;
            self.failed(*id, reason);
        }
    }

    fn failed(&mut self, stage: StageId, reason: &TaskEndReason) {
        let mut cause = cause(reason);
        if self.causes.len() >= CAUSES && !self.causes.contains_key(&cause) {
            "other causes".clone_into(&mut cause);
        }
        let order = self.causes.len();
        let cause = self.causes.entry(cause).or_insert_with(|| Cause {
            order,
            attempts: 0,
            stages: BTreeSet::new(),
        });
        cause.attempts += 1;
        cause.stages.insert(stage);
    }

    /// What it came to.
    pub fn into_sums(self) -> Sums {
        let mut sums = Sums::default();
        for (id, mut stage) in self.stages {
            stage.end(self.last);
            let run_seconds = quantiles(&mut stage.ran);
            if let Some(RunSeconds { median, .. }) = run_seconds {
                let slow = stage.far_slower(id, median);
                sums.slowest_tasks.extend(slow);
            }
            sums.stages.push(StageReport {
                id: id.0,
                name: stage.name.to_string(),
                attempts: stage.attempts,
                tasks: stage.succeeded,
                failed_attempts: stage.failed,
                seconds: stage.took.as_secs_f64(),
                run_seconds,
                shuffle_bytes_written: stage.shuffle_bytes_written,
                shuffle_bytes_read: stage.shuffle_bytes_read,
                spilled_bytes: stage.spilled_bytes,
            });
        }
        let slowest = &mut sums.slowest_tasks;
        slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        slowest.truncate(SLOWEST);
        let mut causes: Vec<_> = self.causes.into_iter().collect();
        causes.sort_by_key(|(_, it)| (std::cmp::Reverse(it.attempts), it.order));
        let causes = causes.into_iter().map(|(cause, it)| FailureCause {
            cause,
            attempts: it.attempts,
            stages: it.stages.into_iter().map(|stage| stage.0).collect(),
        });
        sums.failures_by_cause = causes.collect();
        sums
    }
}

impl Stage {
    /// An attempt at it is over, if one runs.
    fn end(&mut self, at: Duration) {
        if let Some(began) = self.began.take() {
            self.took += at.saturating_sub(began);
        }
    }

    fn measured(&mut self, metrics: &Metrics) {
        let add = |to: &mut u64, some| *to = to.saturating_add(some);
        add(
            &mut self.shuffle_bytes_written,
            metrics.shuffle_bytes_written,
        );
        add(&mut self.shuffle_bytes_read, metrics.shuffle_bytes_read);
        add(&mut self.spilled_bytes, metrics.spilled_bytes);
    }

    /// A task succeeded, which ran for so long.
    fn ran(&mut self, ran: f32, (partition, attempt): (Partition, u32), host: &Host) {
        self.ran.push(ran);
        let is_slow = |it: &Slow| it.ran < ran;
        if self.slowest.len() == SLOWEST && !self.slowest.last().is_some_and(is_slow) {
            return;
        }
        self.slowest.truncate(SLOWEST - 1);
        let at = self.slowest.partition_point(|it| it.ran >= ran);
        let host = host.clone();
        let slow = Slow {
            partition,
            attempt,
            host,
            ran,
        };
        self.slowest.insert(at, slow);
    }

    /// Its tasks that are far slower than their median.
    fn far_slower(&self, id: StageId, median: f32) -> impl Iterator<Item = SlowTask> {
        let limit = (median * FAR_LONGER as f32).max(median + LEAST_SECONDS);
        let slow = self.slowest.iter().filter(move |it| it.ran > limit);
        slow.map(move |it| SlowTask {
            stage: id.0,
            name: self.name.to_string(),
            partition: it.partition.0,
            attempt: it.attempt,
            host: it.host.to_string(),
            seconds: it.ran,
            median_seconds: median,
        })
    }
}

/// As the pages have them: the value of one task and never between two.
fn quantiles(ran: &mut [f32]) -> Option<RunSeconds> {
    ran.sort_unstable_by(f32::total_cmp);
    let max = *ran.last()?;
    let at = |percent: usize| ran[ran.len() * percent / 100];
    Some(RunSeconds {
        median: at(50),
        p95: at(95),
        max,
    })
}

/// What attempts that failed have in common: which map output could not be read, say, is
/// another one each time.
fn cause(reason: &TaskEndReason) -> String {
    let text = match reason {
        TaskEndReason::FetchFailed {
            source: Some((executor, host)),
            ..
        } => format!("fetch of map outputs failed, from executor {executor} on {host}"),
        TaskEndReason::FetchFailed { .. } => "fetch of map outputs failed: they are lost".into(),
        other => other.to_string(),
    };
    // How the last lines of a stderr go on belongs to that attempt.
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
