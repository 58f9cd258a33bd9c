//! Delay scheduling: how far from its input a task may be placed by now.
//!
//! Responsible for one task set's present level and for the clock that allows
//! the next one. The task set manager tells it which levels are valid and what
//! waits at each; it never looks at a task.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::LocalityWait;
use crate::locality::{Levels, LocalityLevel};

/// The state of delay scheduling of one task set.
#[derive(Clone, Debug)]
pub(super) struct DelaySchedule {
    waits: LocalityWait,
    levels: Levels,
    level: LocalityLevel,
    last_reset: Timestamp,
}

impl DelaySchedule {
    /// Starts at the nearest of the valid levels.
    pub(super) fn new(waits: LocalityWait, levels: Levels, now: Timestamp) -> Self {
        Self {
            waits,
            levels,
            level: levels.first(),
            last_reset: now,
        }
    }

    /// The valid levels.
    pub(super) fn levels(&self) -> Levels {
        self.levels
    }

    /// The level reached.
    pub(super) fn level(&self) -> LocalityLevel {
        self.level
    }

    /// The farthest level allowed at `now`. Levels at which nothing waits are
    /// passed at once; the others after their wait.
    pub(super) fn allowed(
        &mut self,
        now: Timestamp,
        waits_at: impl Fn(LocalityLevel) -> bool,
    ) -> LocalityLevel {
        while let Some(next) = self.levels.after(self.level) {
            if !waits_at(self.level) {
                self.last_reset = now;
            } else {
                let wait = self.waits.at(self.level);
                if now - self.last_reset < wait {
                    break;
                }
                // Added, not set to now: time waited beyond this level counts
                // for the next one.
                self.last_reset += wait;
            }
            self.level = next;
        }
        self.level
    }

    /// Starts the clock anew after launches of which the nearest was at
    /// `launched`.
    pub(super) fn reset(&mut self, now: Timestamp, launched: LocalityLevel) {
        self.last_reset = now;
        self.level = self.levels.at_least(launched);
    }

    /// Nothing waits at any level: as if [`DelaySchedule::allowed`] were asked.
    pub(super) fn exhaust(&mut self, now: Timestamp) {
        let _ = self.allowed(now, |_| false);
    }

    /// Takes in new valid levels after executors came or went. If nearer levels
    /// appeared, the nearest new one is tried; else the level stays, or the
    /// next farther one takes its place. The clock runs on.
    pub(super) fn set_levels(&mut self, levels: Levels) {
        let old = self.levels;
        let position = old.position(self.level);
        self.levels = levels;
        self.level = levels.at_least(self.level);
        if levels.position(self.level) > position
            && let Some(nearer) = levels.first_not_in(old)
        {
            self.level = nearer;
        }
    }

    /// When the wait at the present level is over; `None` at the last level.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.levels.after(self.level)?;
        Some(self.last_reset + self.waits.at(self.level))
    }
}

impl LocalityWait {
    /// The wait at a level.
    pub fn at(&self, level: LocalityLevel) -> Duration {
        match level {
            LocalityLevel::ProcessLocal => self.process,
            LocalityLevel::NodeLocal => self.node,
            LocalityLevel::RackLocal => self.rack,
            LocalityLevel::NoPref | LocalityLevel::Any => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LocalityLevel::{Any, NoPref, NodeLocal, ProcessLocal, RackLocal};
    use super::*;

    const WAIT: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn schedule(levels: &[LocalityLevel]) -> DelaySchedule {
        DelaySchedule::new(
            LocalityWait::all(WAIT),
            levels.iter().copied().collect(),
            Timestamp::ZERO,
        )
    }

    #[test]
    fn each_level_is_left_after_its_wait() {
        let mut delay = schedule(&[ProcessLocal, NodeLocal]);
        assert_eq!(delay.allowed(at(2), |_| true), ProcessLocal);
        assert_eq!(delay.allowed(at(3), |_| true), NodeLocal);
        assert_eq!(delay.allowed(at(5), |_| true), NodeLocal);
        assert_eq!(delay.allowed(at(6), |_| true), Any);
    }

    #[test]
    fn time_waited_too_long_counts_for_the_next_level() {
        let mut delay = schedule(&[ProcessLocal, NodeLocal]);
        assert_eq!(delay.allowed(at(6), |_| true), Any);
    }

    #[test]
    fn a_level_at_which_nothing_waits_is_passed_and_restarts_the_clock() {
        let mut delay = schedule(&[ProcessLocal, NodeLocal]);
        let only_node = |level| level == NodeLocal;
        assert_eq!(delay.allowed(at(4), only_node), NodeLocal);
        assert_eq!(delay.allowed(at(6), only_node), NodeLocal);
        assert_eq!(delay.allowed(at(7), only_node), Any);
    }

    #[test]
    fn the_level_without_preference_has_no_wait() {
        let mut delay = schedule(&[NoPref]);
        assert_eq!(delay.allowed(at(0), |_| true), Any);
    }

    #[test]
    fn a_new_nearer_level_is_jumped_to() {
        let mut delay = schedule(&[ProcessLocal, NodeLocal]);
        delay.exhaust(at(1));
        assert_eq!(delay.level(), Any);
        delay.set_levels([ProcessLocal, NodeLocal, RackLocal].into_iter().collect());
        assert_eq!(delay.level(), RackLocal);
    }

    #[test]
    fn a_vanished_level_gives_way_to_the_next_farther_one() {
        let mut delay = schedule(&[ProcessLocal, NodeLocal]);
        delay.set_levels([NodeLocal].into_iter().collect());
        assert_eq!(delay.level(), NodeLocal);
        delay.set_levels(Levels::ANY);
        assert_eq!(delay.level(), Any);
    }

    #[test]
    fn a_reset_returns_to_the_level_launched_at() {
        let mut delay = schedule(&[ProcessLocal, NodeLocal]);
        delay.exhaust(at(1));
        delay.reset(at(2), NodeLocal);
        assert_eq!(delay.level(), NodeLocal);
        assert_eq!(delay.deadline(), Some(at(5)));
    }
}
