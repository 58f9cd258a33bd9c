//! All attempts at tasks of an application, as columns. Pure.
//!
//! Responsible for keeping a million of them exactly, in some 10 to 40 bytes each, so that
//! quantiles, pages and sums need no samples. A row is an attempt; rows are in the order
//! in which attempts began. What few attempts have, such as the reason of a failure, is
//! kept beside the columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::column::{Column, Name, Sequence};
use super::measures::{Measure, Measures};

/// What an attempt has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It runs.
    Running,
    /// It did its work.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped.
    Killed,
}

impl State {
    const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Killed];

    /// As Spark writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// The bits of a state in the flags of a row.
const STATE: u8 = 0b11;
const SPECULATIVE: u8 = 0b100;
const MEASURED: u8 = 0b1000;

/// An attempt as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    /// The attempt's number, once in the application.
    pub task: u64,
    /// Its stage.
    pub stage: u32,
    /// The attempt at the stage.
    pub stage_attempt: u32,
    /// The place in the task set.
    pub index: u32,
    /// How many attempts at the index came before.
    pub attempt: u32,
    /// The partition.
    pub partition: u32,
    /// Milliseconds since the Unix epoch.
    pub launched: u64,
    /// The executor.
    pub executor: Name,
    /// Its host.
    pub host: Name,
    /// A place in [`LOCALITIES`].
    pub locality: u8,
    /// Whether it is a copy of one that takes too long.
    pub speculative: bool,
}

/// An attempt as it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it began to hand over its result; 0 if that is not known.
    pub getting_result: u64,
    /// Milliseconds since the Unix epoch.
    pub finished: u64,
    /// How; not `Running`.
    pub state: State,
    /// As what stages, jobs and executors count it: one whose commit was refused has
    /// failed, and counts as stopped.
    pub counted: State,
    /// Why, if it did not succeed.
    pub why: Option<Arc<str>>,
    /// What it measured, if it told.
    pub measures: Option<Measures>,
}

/// How near its input an attempt runs, as Spark writes it. The last one stands for
/// whatever else a log says.
pub const LOCALITIES: [&str; 6] = [
    "PROCESS_LOCAL",
    "NODE_LOCAL",
    "NO_PREF",
    "RACK_LOCAL",
    "ANY",
    "UNKNOWN",
];

/// A number that attempts are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// Milliseconds from launch to end; 0 of one that runs.
    Duration,
    /// Milliseconds that [nothing else accounts for](Attempts::scheduler_delay).
    SchedulerDelay,
    /// Milliseconds that the driver took to get its result.
    GettingResult,
    /// The sum of these measures.
    Sum(&'a [Measure]),
}

/// What accounts for the time of an attempt, beside getting its result.
const ACCOUNTED: [Measure; 3] = [
    Measure::RunTime,
    Measure::DeserializeTime,
    Measure::ResultSerializationTime,
];

/// Changes each number by the one beside it.
fn each(numbers: &mut [u64], others: &[u64], change: impl Fn(u64, u64) -> u64) {
    for (number, other) in numbers.iter_mut().zip(others) {
        *number = change(*number, *other);
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    stages: Sequence,
    launched: Sequence,
    executors: Sequence,
    hosts: Sequence,
    localities: Sequence,
    tasks: Sequence,
    indices: Sequence,
    partitions: Sequence,
    attempts: Sequence,
    flags: Column,
    durations: Column,
    measures: [Column; Measure::ALL.len()],
    getting_result: BTreeMap<u32, u64>,
    why: BTreeMap<u32, Arc<str>>,
}

impl Attempts {
    /// How many there are.
    pub fn len(&self) -> u32 {
        self.stages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Adds an attempt of the stage at this place; its row. None when all numbers of
    /// rows are taken.
    pub(super) fn begin(&mut self, stage: u32, began: &Began) -> Option<u32> {
        let row = Some(self.len()).filter(|it| *it < u32::MAX)?;
        self.stages.push(stage.into());
        self.launched.push(began.launched);
        self.executors.push(began.executor.0.into());
        self.hosts.push(began.host.0.into());
        self.localities.push(began.locality.into());
        self.tasks.push(began.task);
        self.indices.push(began.index.into());
        self.partitions.push(began.partition.into());
        self.attempts.push(began.attempt.into());
        let speculative = if began.speculative { SPECULATIVE } else { 0 };
        self.flags
            .set(row, (State::Running as u8 | speculative).into());
        Some(row)
    }

    pub(super) fn end(&mut self, row: u32, ended: &Ended) {
        let measured = if ended.measures.is_some() {
            MEASURED
        } else {
            0
        };
        let flags = (self.flags(row) & !STATE) | ended.state as u8 | measured;
        self.flags.set(row, flags.into());
        let took = ended.finished.saturating_sub(self.launched(row));
        self.durations.set(row, took);
        if let Some(measures) = &ended.measures {
            for (column, value) in self.measures.iter_mut().zip(measures.0) {
                column.set(row, value);
            }
        }
        if ended.getting_result > 0 {
            self.getting_result.insert(row, ended.getting_result);
        }
        if let Some(why) = &ended.why {
            self.why.insert(row, Arc::clone(why));
        }
    }

    fn flags(&self, row: u32) -> u8 {
        self.flags.get(row) as u8
    }

    /// Its stage's place in the store.
    pub fn stage(&self, row: u32) -> u32 {
        self.stages.get(row) as u32
    }

    /// The attempt's number.
    pub fn task(&self, row: u32) -> u64 {
        self.tasks.get(row)
    }

    /// The place in the task set.
    pub fn index(&self, row: u32) -> u32 {
        self.indices.get(row) as u32
    }

    /// The partition.
    pub fn partition(&self, row: u32) -> u32 {
        self.partitions.get(row) as u32
    }

    /// How many attempts at the index came before.
    pub fn attempt(&self, row: u32) -> u32 {
        self.attempts.get(row) as u32
    }

    /// When it began: milliseconds since the Unix epoch.
    pub fn launched(&self, row: u32) -> u64 {
        self.launched.get(row)
    }

    /// How long it took from its launch to its end, in milliseconds; nothing of one that
    /// runs.
    pub fn duration(&self, row: u32) -> Option<u64> {
        (self.state(row) != State::Running).then(|| self.durations.get(row))
    }

    /// When it ended.
    pub fn finished(&self, row: u32) -> Option<u64> {
        let took = self.duration(row)?;
        Some(self.launched(row).saturating_add(took))
    }

    /// When it began to hand over its result, if that is known.
    pub fn getting_result(&self, row: u32) -> Option<u64> {
        self.getting_result.get(&row).copied()
    }

    /// How long the driver took to get its result, in milliseconds.
    pub fn getting_result_time(&self, row: u32) -> u64 {
        match (self.getting_result(row), self.finished(row)) {
            (Some(since), Some(finished)) => finished.saturating_sub(since),
            _ => 0,
        }
    }

    /// The time between launch and end that nothing else accounts for, in milliseconds.
    pub fn scheduler_delay(&self, row: u32) -> u64 {
        let Some(took) = self.duration(row) else {
            return 0;
        };
        let known = ACCOUNTED.into_iter().map(|it| self.measure(row, it));
        let known = known.fold(self.getting_result_time(row), u64::saturating_add);
        took.saturating_sub(known)
    }

    /// A number of each of these attempts, in their order.
    pub(super) fn all(&self, of: Of<'_>, rows: &[u32]) -> Vec<u64> {
        let column = |measure: Measure| self.measures[measure as usize].all(rows);
        match of {
            Of::Duration => self.durations.all(rows),
            Of::GettingResult => {
                let times = rows.iter().map(|row| self.getting_result_time(*row));
                times.collect()
            }
            Of::SchedulerDelay => {
                let mut rest = self.durations.all(rows);
                for known in ACCOUNTED {
                    each(&mut rest, &column(known), u64::saturating_sub);
                }
                if !self.getting_result.is_empty() {
                    let getting = self.all(Of::GettingResult, rows);
                    each(&mut rest, &getting, u64::saturating_sub);
                }
                rest
            }
            Of::Sum(measures) => {
                let mut columns = measures.iter().map(|it| column(*it));
                let mut sums = columns.next().unwrap_or_else(|| vec![0; rows.len()]);
                for more in columns {
                    each(&mut sums, &more, u64::saturating_add);
                }
                sums
            }
        }
    }

    /// Where it ran.
    pub fn executor(&self, row: u32) -> Name {
        Name(self.executors.get(row) as u32)
    }

    /// On which host.
    pub fn host(&self, row: u32) -> Name {
        Name(self.hosts.get(row) as u32)
    }

    /// How near its input, as Spark writes it.
    pub fn locality(&self, row: u32) -> &'static str {
        LOCALITIES[self.localities.get(row) as usize]
    }

    /// What it has come to.
    pub fn state(&self, row: u32) -> State {
        State::ALL[usize::from(self.flags(row) & STATE)]
    }

    /// Whether it is a copy of one that took too long.
    pub fn is_speculative(&self, row: u32) -> bool {
        self.flags(row) & SPECULATIVE != 0
    }

    /// Whether it told what it measured.
    pub fn is_measured(&self, row: u32) -> bool {
        self.flags(row) & MEASURED != 0
    }

    /// A measure; 0 if it told of none.
    pub fn measure(&self, row: u32, measure: Measure) -> u64 {
        self.measures[measure as usize].get(row)
    }

    /// All measures.
    pub fn measures(&self, row: u32) -> Measures {
        Measures(std::array::from_fn(|at| self.measures[at].get(row)))
    }

    /// Why it did not succeed.
    pub fn why(&self, row: u32) -> Option<&str> {
        self.why.get(&row).map(|it| &**it)
    }
}
