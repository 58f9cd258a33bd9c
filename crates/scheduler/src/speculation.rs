//! Which running attempts deserve a copy.
//!
//! Responsible for the attempts of one task set that are being watched, oldest
//! first, so that a check looks only at those old enough, and for how slow is too
//! slow. The task set manager says what is watched and how long others took, and
//! acts on the answer.

use std::collections::BTreeSet;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::config::SpeculationConfig;
use crate::durations::Durations;

/// Whether slow attempts get a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// They do.
    On,
    /// They do not, and could (`spark.speculation`).
    Off,
    /// They cannot.
    Never,
}

/// How slow is too slow, at one check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slowness {
    /// Attempts that ran longer are slow.
    pub(super) threshold: Duration,
    /// Whether the threshold was configured, and not worked out.
    pub(super) fixed: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Speculation {
    config: SpeculationConfig,
    min_finished: usize,
    /// Whether a fixed threshold applies to this set.
    fixed_threshold: Option<Duration>,
    watched: BTreeSet<u32>,
    records_done: u64,
    /// What was last heard of attempts that run.
    heard: FxHashMap<u32, Heard>,
}

/// How many records an attempt had read after how long.
#[derive(Clone, Copy, Debug)]
struct Heard {
    records: u64,
    ran: Duration,
}

impl Speculation {
    /// For a set of so many tasks, of which an executor runs `slots` at once.
    pub(super) fn new(config: &SpeculationConfig, tasks: usize, slots: u32) -> Self {
        Self {
            min_finished: ((config.quantile * tasks as f64).floor() as usize).max(1),
            fixed_threshold: config
                .task_duration_threshold
                .filter(|_| tasks <= slots as usize),
            config: config.clone(),
            watched: BTreeSet::new(),
            records_done: 0,
            heard: FxHashMap::default(),
        }
    }

    /// Whether a threshold is configured.
    pub(super) fn has_fixed_threshold(&self) -> bool {
        self.config.task_duration_threshold.is_some()
    }

    /// An attempt is the only running one of its task.
    pub(super) fn watch(&mut self, attempt: u32) {
        self.watched.insert(attempt);
    }

    pub(super) fn unwatch(&mut self, attempt: u32) {
        self.watched.remove(&attempt);
    }

    /// The watched attempts, oldest first.
    pub(super) fn watched(&self) -> impl Iterator<Item = u32> {
        self.watched.iter().copied()
    }

    /// An attempt has read so many records in so long.
    pub(super) fn progress(&mut self, attempt: u32, records: u64, ran: Duration) {
        if self.config.efficiency {
            self.heard.insert(attempt, Heard { records, ran });
        }
    }

    /// An attempt succeeded.
    pub(super) fn succeeded(&mut self, attempt: u32, records: u64) {
        let heard = self.heard.remove(&attempt).map_or(0, |it| it.records);
        self.records_done += records.max(heard);
    }

    /// An attempt ended otherwise.
    pub(super) fn ended(&mut self, attempt: u32) {
        self.heard.remove(&attempt);
    }

    /// How slow is too slow at present, as long as others took; `None` if there is too
    /// little to tell.
    pub(super) fn slowness(&self, others: &Durations) -> Option<Slowness> {
        if others.len() >= self.min_finished {
            let median = others.median()?;
            return Some(Slowness {
                threshold: saturating_mul(median, self.config.multiplier)
                    .max(self.config.min_task_runtime),
                fixed: false,
            });
        }
        self.fixed_threshold.map(|threshold| Slowness {
            threshold,
            fixed: true,
        })
    }

    /// Whether an attempt that has run longer than the threshold deserves a
    /// copy. One that reads its records well is spared for a while.
    pub(super) fn deserves_copy(
        &self,
        attempt: u32,
        ran: Duration,
        slowness: Slowness,
        others: &Durations,
        tasks: usize,
    ) -> bool {
        slowness.fixed
            || !self.config.efficiency
            || tasks <= 1
            || ran > saturating_mul(slowness.threshold, self.config.long_run_task_factor)
            || self.is_inefficient(attempt, others)
    }

    /// Nothing known of its rate, or of the others', counts as inefficient. Its rate is
    /// that up to what was heard last: it has gone on since.
    fn is_inefficient(&self, attempt: u32, others: &Durations) -> bool {
        let time_done = others.total();
        if self.records_done == 0 || time_done.is_zero() {
            return true;
        }
        let Some(Heard { records, ran }) = self.heard.get(&attempt) else {
            return true;
        };
        let average = self.records_done as f64 / time_done.as_secs_f64();
        let rate = *records as f64 / ran.as_secs_f64().max(f64::MIN_POSITIVE);
        rate < average * self.config.process_rate_multiplier
    }

    /// Whether an attempt is likely to outlive its executor, which is being
    /// decommissioned since `decommissioned`; both are ages at this moment.
    pub(super) fn outlives_executor(
        &self,
        ran: Duration,
        decommissioned: Duration,
        others: &Durations,
    ) -> bool {
        let (Some(interval), Some(median)) =
            (self.config.decommission_kill_interval, others.median())
        else {
            return false;
        };
        // killed at -decommissioned + interval; done at -ran + median
        interval + ran < median + decommissioned
    }

    /// Whether attempts of any age may deserve a copy.
    pub(super) fn looks_at_decommissioned(&self) -> bool {
        self.config.decommission_kill_interval.is_some()
    }
}

fn saturating_mul(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_reads_its_records_well_is_spared_until_twice_the_threshold() {
        let mut speculation = Speculation::new(&SpeculationConfig::default(), 4, 1);
        let seconds = Duration::from_secs;
        let mut others = Durations::default();
        let slow = Slowness {
            threshold: seconds(10),
            fixed: false,
        };
        assert!(
            speculation.deserves_copy(3, seconds(11), slow, &others, 4),
            "nothing is known"
        );
        speculation.succeeded(0, 1000);
        others.insert(seconds(10));
        // It ran for twice as long as it was heard to, and has read on since.
        speculation.progress(3, 500, seconds(5));
        assert!(!speculation.deserves_copy(3, seconds(11), slow, &others, 4));
        speculation.progress(3, 1000, seconds(11));
        assert!(!speculation.deserves_copy(3, seconds(11), slow, &others, 4));
        assert!(speculation.deserves_copy(3, seconds(21), slow, &others, 4));
        speculation.progress(3, 700, seconds(11));
        assert!(speculation.deserves_copy(3, seconds(11), slow, &others, 4));
    }
}
