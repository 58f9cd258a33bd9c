//! Noticing that tasks wait and none runs, and saying why.
//!
//! Responsible for the clock of that warning and for the count of reasons why
//! offers were declined meanwhile. The task scheduler tells it of rounds that
//! launched nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host};
use crate::locality::LocalityLevel;
use crate::plan::Amount;

/// Why an offer was of no use. The first waiting task set in pool order is the
/// one that is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnusedReason {
    /// The host is excluded for the application.
    HostExcluded,
    /// The executor is excluded for the application.
    ExecutorExcluded,
    /// The executor was made for another resource profile.
    OtherProfile,
    /// It has fewer cores free than a task needs.
    TooFewCores {
        /// Cores that a task needs.
        needed: u32,
    },
    /// It has fewer of a named resource free than a task needs.
    TooFewOf {
        /// The resource.
        resource: Arc<str>,
        /// How much a task needs.
        needed: Amount,
    },
    /// The executor or its host is excluded for the task set.
    ExcludedForStage,
    /// All tasks of the set must start together, and there are too few slots.
    BarrierNeedsMoreSlots {
        /// Slots needed.
        needed: u32,
    },
    /// The tasks wait for a nearer place, which is allowed for some time.
    WaitsForLocality {
        /// The level they wait for.
        level: LocalityLevel,
    },
    /// Each task is kept away from there, since it failed there.
    TasksExcluded,
}

/// A reason, how often it held, and one offer for which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// The reason.
    pub reason: UnusedReason,
    /// How many offers were declined for it.
    pub offers: u64,
    /// An executor that was so offered.
    pub executor: ExecutorId,
    /// Its host.
    pub host: Host,
    /// Cores that were free there.
    pub cores: u32,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since ", self.offers)?;
        match &self.reason {
            UnusedReason::HostExcluded => f.write_str("the host is excluded")?,
            UnusedReason::ExecutorExcluded => f.write_str("the executor is excluded")?,
            UnusedReason::OtherProfile => {
                f.write_str("the executor is for another resource profile")?;
            }
            UnusedReason::TooFewCores { needed } => {
                write!(f, "a task needs {needed} cores")?;
            }
            UnusedReason::TooFewOf { resource, needed } => {
                write!(f, "a task needs {needed} {resource}")?;
            }
            UnusedReason::ExcludedForStage => {
                f.write_str("the stage is kept away from there")?;
            }
            UnusedReason::BarrierNeedsMoreSlots { needed } => {
                write!(f, "a barrier stage needs {needed} slots at once")?;
            }
            UnusedReason::WaitsForLocality { level } => {
                write!(f, "the tasks wait for a {level} place")?;
            }
            UnusedReason::TasksExcluded => f.write_str("each waiting task failed there")?,
        }
        write!(
            f,
            " (such as {} cores of executor {} on {})",
            self.cores, self.executor, self.host
        )
    }
}

/// The longest time between two warnings, unless the first comes later.
const RARELY: Duration = Duration::from_secs(300);

/// The clock and the counts; see the module.
#[derive(Debug)]
pub(super) struct Starvation {
    period: Duration,
    since: Option<Timestamp>,
    next: Option<Timestamp>,
    /// How long after a warning the next one is due.
    pause: Duration,
    offers: u64,
    declined: BTreeMap<UnusedReason, Unused>,
    /// The last offers that were none of use. Free executors are offered again only
    /// when something has changed: until then these still tell why nothing runs.
    told: (u64, Vec<Unused>),
}

impl Starvation {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            since: None,
            next: None,
            pause: period,
            offers: 0,
            declined: BTreeMap::new(),
            told: (0, Vec::new()),
        }
    }

    /// Tells whether tasks wait and none runs, after each event.
    pub(super) fn observe(&mut self, now: Timestamp, starving: bool) {
        if !starving {
            if self.since.is_some() {
                *self = Self::new(self.period);
            }
        } else if self.since.is_none() {
            self.since = Some(now);
            self.next = Some(now + self.period);
        }
    }

    pub(super) fn count_offers(&mut self, offers: usize) {
        self.offers += offers as u64;
    }

    /// Counts a declined offer.
    pub(super) fn decline(&mut self, reason: UnusedReason, example: impl FnOnce() -> Unused) {
        if let Some(known) = self.declined.get_mut(&reason) {
            known.offers += 1;
        } else {
            self.declined.insert(reason, example());
        }
    }

    /// When the next warning is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.next
    }

    /// If a warning is due: for how long nothing has run, the offers since the
    /// last warning, and why they were declined; without any, those before.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<(Duration, u64, Vec<Unused>)> {
        let since = self.since?;
        if self.next.is_none_or(|next| now < next) {
            return None;
        }
        // After that it is no news.
        self.pause = (self.pause * 2).min(self.period.max(RARELY));
        self.next = Some(now + self.pause);
        if self.offers > 0 {
            let mut declined: Vec<_> = std::mem::take(&mut self.declined).into_values().collect();
            declined.sort_by_key(|decline| std::cmp::Reverse(decline.offers));
            self.told = (std::mem::take(&mut self.offers), declined);
        }
        let (offers, declined) = self.told.clone();
        Some((now - since, offers, declined))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_declined_is_told_until_something_else_is() {
        let mut starvation = Starvation::new(Duration::from_secs(15));
        let at = |seconds| Timestamp::from_millis(1000 * seconds);
        starvation.observe(at(0), true);
        let told = starvation.due(at(15)).expect("due");
        assert_eq!(told, (Duration::from_secs(15), 0, Vec::new()));
        let decline = Unused {
            reason: UnusedReason::TasksExcluded,
            offers: 1,
            executor: "e".into(),
            host: "h".into(),
            cores: 2,
        };
        starvation.count_offers(1);
        starvation.decline(decline.reason.clone(), || decline.clone());
        for time in [45, 105] {
            let told = starvation.due(at(time)).expect("due");
            assert_eq!(told, (Duration::from_secs(time), 1, vec![decline.clone()]));
        }
        starvation.observe(at(106), false);
        starvation.observe(at(107), true);
        assert_eq!(starvation.due(at(122)).expect("due").1, 0);
    }
}
