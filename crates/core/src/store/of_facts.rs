//! From the facts of a run that lasts into the store. Pure.
//!
//! Responsible for the store of a live run being the one that its event log gives. This
//! is the only place of the store that knows facts. What happens a million times, an
//! attempt that begins or ends or an offer, is taken as it is; what happens seldom is put
//! into the words of the [log](crate::event_log) first, and read as such.

pub(crate) mod offers;

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::Store;
use super::attempts::{Began, Ended, LOCALITIES, State};
use super::lines::Parser;
use super::measures::{Measure, Measures};
use crate::event_log::{AboutRun, EventLog, millis, nanos, reason, result_size};
use crate::facts::{AttemptFacts, Fact, Happened, Metrics};
use crate::ids::TaskId;
use crate::plan::Plan;
use mesquite_scheduler::task::TaskEndReason;

/// See the module.
pub struct OfFacts {
    store: Store,
    log: EventLog,
    /// The attempts that run.
    running: FxHashMap<TaskId, AttemptFacts>,
    parser: Parser,
    lines: Vec<u8>,
}

impl OfFacts {
    /// The store of a run that begins.
    pub fn new(plan: Arc<Plan>, about: &AboutRun) -> Self {
        let mut made = Self {
            store: Store::new(),
            log: EventLog::new(plan),
            running: FxHashMap::default(),
            parser: Parser::default(),
            lines: Vec::new(),
        };
        made.log.begin(about, &mut made.lines);
        made.read();
        made
    }

    /// What is known so far.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What happened.
    pub fn add(&mut self, facts: &[Happened]) {
        for happened in facts {
            let at = millis(happened.at);
            match &happened.fact {
                Fact::TaskStarted(facts) => self.task_started(at, facts),
                Fact::TaskEnded {
                    task,
                    reason,
                    metrics,
                    ..
                } => self.task_ended(at, *task, reason, metrics.as_ref()),
                Fact::Cluster(fact) if fact.is_detail() => {
                    self.store.at(at);
                    self.store.offers.told(at, fact, &mut |_, _| {});
                }
                _ => {
                    self.log.add(happened, &mut self.lines);
                    self.read();
                }
            }
        }
    }

    /// It is so late, and nothing new has happened: what runs has run until now.
    pub fn time_passes(&mut self, at: Duration) {
        self.store.at(millis(at));
    }

    /// The run is over. What still runs is stopped, as the log has it.
    pub fn end(&mut self, at: Duration) {
        let mut left: Vec<_> = self.running.keys().copied().collect();
        left.sort_unstable();
        let reason = EventLog::stopped();
        for task in left {
            self.task_ended(millis(at), task, &reason, None);
        }
        self.log.end(at, &mut self.lines);
        self.read();
    }

    /// Takes in the lines that were written.
    fn read(&mut self) {
        let batch = self.parser.parse(&self.lines);
        self.lines.clear();
        self.store.apply(batch);
    }

    fn task_started(&mut self, at: u64, facts: &AttemptFacts) {
        self.running.insert(facts.task, facts.clone());
        let names = &mut self.store.names;
        let locality = facts.locality.name();
        let locality = LOCALITIES.iter().position(|it| *it == locality);
        let began = Began {
            task: facts.task.0,
            stage: facts.stage.0,
            stage_attempt: facts.stage_attempt.0,
            index: facts.index.0,
            attempt: facts.attempt,
            partition: facts.partition.0,
            launched: at,
            executor: names.of(facts.executor.as_str()),
            host: names.of(facts.host.as_str()),
            locality: locality.unwrap_or(LOCALITIES.len() - 1) as u8,
            speculative: facts.speculative,
        };
        self.store.task_started(&began);
    }

    fn task_ended(
        &mut self,
        at: u64,
        task: TaskId,
        how: &TaskEndReason,
        metrics: Option<&Metrics>,
    ) {
        // One whose output is lost after its end has told its end.
        let Some(facts) = self.running.remove(&task) else {
            return;
        };
        let state = match how {
            TaskEndReason::Success(_) => State::Succeeded,
            TaskEndReason::Killed { .. } => State::Killed,
            TaskEndReason::Resubmitted
            | TaskEndReason::FetchFailed { .. }
            | TaskEndReason::Failed { .. }
            | TaskEndReason::CommitDenied
            | TaskEndReason::ResultLost
            | TaskEndReason::ExecutorLost { .. }
            | TaskEndReason::Unknown => State::Failed,
        };
        let counted = if *how == TaskEndReason::CommitDenied {
            State::Killed
        } else {
            state
        };
        let why = match how {
            TaskEndReason::Success(_) => None,
            how => super::log_events::why(&reason(&facts, how)),
        };
        let ended = Ended {
            getting_result: 0,
            finished: at,
            state,
            counted,
            why,
            measures: metrics.map(|it| measures(it, result_size(how))),
        };
        self.store.task_ended(task.0, &ended);
    }
}

/// What executors measure, where Spark has it: as in the lines of the log.
fn measures(metrics: &Metrics, result: u64) -> Measures {
    let mut measures = Measures::default();
    let reads_input = metrics.shuffle_bytes_read == 0 || metrics.bytes_read > 0;
    let records_read = if reads_input {
        Measure::InputRecords
    } else {
        Measure::ShuffleRecordsRead
    };
    let records_written = if metrics.shuffle_bytes_written > 0 {
        Measure::ShuffleRecordsWritten
    } else {
        Measure::OutputRecords
    };
    let local = metrics.shuffle_bytes_read;
    let local = local.saturating_sub(metrics.shuffle_bytes_fetched);
    for (measure, value) in [
        (Measure::ResultSize, result),
        (Measure::RunTime, millis(metrics.ran)),
        (Measure::CpuTime, nanos(metrics.cpu)),
        (Measure::PeakMemory, metrics.peak_memory),
        (Measure::FetchWait, millis(metrics.fetch_wait)),
        (Measure::DiskSpilled, metrics.spilled_bytes),
        (Measure::RemoteBytes, metrics.shuffle_bytes_fetched),
        (Measure::LocalBytes, local),
        (Measure::ShuffleBytesWritten, metrics.shuffle_bytes_written),
        (Measure::InputBytes, metrics.bytes_read),
        (Measure::OutputBytes, metrics.bytes_written),
        (records_read, metrics.records_read),
        (records_written, metrics.records_written),
    ] {
        measures.set(measure, value);
    }
    measures
}

#[cfg(test)]
mod tests;
