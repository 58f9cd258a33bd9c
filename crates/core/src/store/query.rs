//! Questions about the attempts of a stage. Pure.
//!
//! Responsible for quantiles and pages, exact, as Spark defines them: a quantile is the
//! value of one attempt and never between two, and speaks of attempts that succeeded.

use super::Store;
use super::attempts::{Attempts, Of, State};
use super::measures::Measure;
use super::stages::Stage;

/// By what attempts are sorted; equal ones in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their numbers: as they were placed.
    Task,
    /// By the time that the work took, those that did not succeed before all others, as
    /// Spark sorts them.
    RunTime,
    /// By the time from launch to end; what runs comes last.
    Duration,
    /// By a measure.
    Measure(Measure),
}

/// Which attempts of a stage are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// In these states alone; in any if there is none.
    pub states: Vec<State>,
    /// By what they are sorted.
    pub order: Order,
    /// Whether the order is the other way round.
    pub descending: bool,
    /// How many are passed over.
    pub offset: usize,
    /// How many are wanted.
    pub length: usize,
}

impl Store {
    /// The attempts of a stage that quantiles speak of: those that succeeded and told what
    /// they measured.
    pub fn succeeded(&self, stage: &Stage) -> Sample<'_> {
        let attempts = &self.attempts;
        let counts =
            |row: &u32| attempts.state(*row) == State::Succeeded && attempts.is_measured(*row);
        let rows = stage.rows().iter().copied().filter(counts).collect();
        Sample { attempts, rows }
    }

    /// A page of the attempts of a stage, and how many there are on all pages.
    pub fn page(&self, stage: &Stage, wanted: &Wanted) -> (Vec<u32>, usize) {
        let attempts = &self.attempts;
        let counts =
            |row: &u32| wanted.states.is_empty() || wanted.states.contains(&attempts.state(*row));
        let rows = stage.rows().iter().copied().filter(counts);
        let mut rows: Vec<_> = rows.collect();
        if !rows.is_sorted_by_key(|row| attempts.task(*row)) {
            rows.sort_by_key(|row| attempts.task(*row));
        }
        let all = rows.len();
        let wanted_of = |rows| match wanted.order {
            Order::Task => in_turn(rows, wanted),
            Order::RunTime => sorted(&rows, wanted, |row| self.run_time(row)),
            Order::Duration => sorted(&rows, wanted, |row| {
                attempts.duration(row).unwrap_or(u64::MAX)
            }),
            Order::Measure(measure) => sorted(&rows, wanted, |row| attempts.measure(row, measure)),
        };
        (wanted_of(rows), all)
    }

    fn run_time(&self, row: u32) -> i64 {
        let attempts = &self.attempts;
        if !attempts.is_measured(row) {
            return -1;
        }
        let took = attempts.measure(row, Measure::RunTime);
        let took = i64::try_from(took).unwrap_or(i64::MAX);
        match attempts.state(row) {
            State::Succeeded => took,
            State::Running | State::Failed | State::Killed => -1 - took,
        }
    }
}

/// Attempts to be compared.
pub struct Sample<'a> {
    attempts: &'a Attempts,
    rows: Vec<u32>,
}

/// Numbers below this are counted and not sorted.
const COUNTED: u64 = 1 << 16;

impl Sample<'_> {
    /// The values at these parts (0 to 1) of the sorted values of all attempts. None if
    /// there is no attempt.
    pub fn quantiles(&self, parts: &[f64], of: Of<'_>) -> Option<Vec<u64>> {
        let last = self.rows.len().checked_sub(1)?;
        let mut values = self.attempts.all(of, &self.rows);
        let places = parts.iter().map(|part| {
            let place = (part * values.len() as f64) as usize;
            place.min(last)
        });
        let places: Vec<_> = places.collect();
        let most = values.iter().copied().max().unwrap_or(0);
        // Milliseconds and records of a million tasks are small as a rule, or 0 throughout.
        Some(match most {
            0 => vec![0; parts.len()],
            1..COUNTED => counted(&values, most, &places),
            _ => {
                values.sort_unstable();
                places.into_iter().map(|it| values[it]).collect()
            }
        })
    }
}

/// Those small numbers that stand at these places when all are sorted.
fn counted(values: &[u64], most: u64, places: &[usize]) -> Vec<u64> {
    let mut counts = vec![0_usize; most as usize + 1];
    for value in values {
        counts[*value as usize] += 1;
    }
    let at = |place: &usize| {
        let mut before = 0;
        let found = counts.iter().position(|count| {
            before += count;
            before > *place
        });
        found.map_or(most, |it| it as u64)
    };
    places.iter().map(at).collect()
}

fn in_turn(mut rows: Vec<u32>, wanted: &Wanted) -> Vec<u32> {
    if wanted.descending {
        rows.reverse();
    }
    let page = rows.into_iter().skip(wanted.offset).take(wanted.length);
    page.collect()
}

/// Those that are wanted, by a key, equal ones in the order in which they stand; all the
/// other way round, if that is wanted. Only what comes before the end of the page is sorted.
fn sorted<K: Ord + Copy>(rows: &[u32], wanted: &Wanted, key: impl Fn(u32) -> K) -> Vec<u32> {
    let keyed = rows.iter().zip(0_u32..);
    let mut keyed: Vec<(K, u32)> = keyed.map(|(row, at)| (key(*row), at)).collect();
    let order = |one: &(K, u32), other: &(K, u32)| match wanted.descending {
        false => one.cmp(other),
        true => other.cmp(one),
    };
    let end = wanted.offset.saturating_add(wanted.length);
    if end < keyed.len() {
        keyed.select_nth_unstable_by(end, order);
        keyed.truncate(end);
    }
    keyed.sort_unstable_by(order);
    let page = keyed.into_iter().skip(wanted.offset);
    page.map(|(_, at)| rows[at as usize]).collect()
}
