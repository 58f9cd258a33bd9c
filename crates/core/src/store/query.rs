//! Questions about the attempts of a stage. Pure.
//!
//! Responsible for quantiles and pages, exact, as Spark defines them: a quantile is the
//! value of one attempt and never between two, and speaks of attempts that succeeded.

use super::Store;
use super::attempts::{Attempts, State};
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
    /// The values at these parts (0 to 1) of the sorted values of all attempts of a stage
    /// that succeeded and told what they measured. None if there is no such attempt.
    pub fn quantiles(
        &self,
        stage: &Stage,
        parts: &[f64],
        value: impl Fn(&Attempts, u32) -> u64,
    ) -> Option<Vec<u64>> {
        let attempts = &self.attempts;
        let counts =
            |row: &u32| attempts.state(*row) == State::Succeeded && attempts.is_measured(*row);
        let rows = stage.rows().iter().copied().filter(counts);
        let mut values: Vec<_> = rows.map(|row| value(attempts, row)).collect();
        let last = values.len().checked_sub(1)?;
        values.sort_unstable();
        let at = |part: &f64| values[((part * values.len() as f64) as usize).min(last)];
        Some(parts.iter().map(at).collect())
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
        match wanted.order {
            Order::Task => {}
            Order::RunTime => rows.sort_by_cached_key(|row| self.run_time(*row)),
            Order::Duration => {
                rows.sort_by_cached_key(|row| attempts.duration(*row).unwrap_or(u64::MAX));
            }
            Order::Measure(measure) => {
                rows.sort_by_cached_key(|row| attempts.measure(*row, measure));
            }
        }
        if wanted.descending {
            rows.reverse();
        }
        let all = rows.len();
        let page = rows.into_iter().skip(wanted.offset).take(wanted.length);
        (page.collect(), all)
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
            _ => -1 - took,
        }
    }
}
