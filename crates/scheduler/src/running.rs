//! What runs and what waits, to look at.
//!
//! Responsible for plain values that whoever shows state can keep, with no references
//! into the scheduler, and for what people are told of them: which attempts have run far
//! longer than the others of their stage, and how long a stage will take. Nothing is
//! scheduled by that.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::durations::Durations;
use crate::ids::{ExecutorId, Host, Partition, StageAttempt, StageId};
pub use crate::speculation::Copying;
use crate::task_scheduler::TaskScheduler;

/// Attempts that run at some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// The moment.
    pub at: Timestamp,
    /// How many there are.
    pub attempts: u64,
    /// Tasks and copies that wait for room.
    pub waiting: u64,
    /// Those that have run longest, the longest first.
    pub longest: Vec<RunningAttempt>,
    /// The stages whose tasks they are, but for stages of which nothing more is started.
    pub stages: Vec<RunningStage>,
}

/// An attempt that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningAttempt {
    /// Its stage.
    pub stage: StageId,
    /// The stage's attempt.
    pub stage_attempt: StageAttempt,
    /// Its partition.
    pub partition: Partition,
    /// How many attempts at the task came before, in its task set.
    pub attempt: u32,
    /// Who runs it.
    pub executor: ExecutorId,
    /// Where that is.
    pub host: Host,
    /// When it was sent there.
    pub since: Timestamp,
    /// Whether another attempt at the task runs as well.
    pub has_copy: bool,
}

/// An attempt at a stage that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningStage {
    /// The stage.
    pub stage: StageId,
    /// Its attempt.
    pub attempt: StageAttempt,
    /// Attempts that run.
    pub running: u32,
    /// Tasks that wait.
    pub waiting: u32,
    /// Attempts that succeeded.
    pub ended: u32,
    /// How long these took in the middle.
    pub median: Option<Duration>,
    /// When an attempt ended last, however it did.
    pub ended_last: Option<Timestamp>,
    /// How long it will take at this pace, if that can be told.
    pub left: Option<Duration>,
    /// The attempts that have run longest at tasks that are not done, the longest first.
    pub longest: Vec<RunningAttempt>,
    /// So many have run far longer than those that ended, from the longest on; `None` if
    /// too few have ended to tell.
    pub far_longer: Option<u32>,
    /// Whether slow attempts get a copy.
    pub copying: Copying,
}

/// So many times the median is far longer,
pub const FAR_LONGER: u32 = 3;

/// but nothing that has not run for so long,
const LEAST: Duration = Duration::from_secs(10);

/// and nothing before so large a part of the tasks has ended.
const QUARTER: usize = 4;

/// How long an attempt has to run to have run far longer than others, if enough of a set of
/// so many tasks have ended to tell.
pub(super) fn far_longer(others: &Durations, tasks: usize) -> Option<Duration> {
    let median = others.median()?;
    let enough = others.len() * QUARTER >= tasks;
    enough.then(|| median.saturating_mul(FAR_LONGER).max(LEAST))
}

/// Fewer ends say nothing about how long a stage will take.
const ENDS: usize = 3;

/// How long a set will take of which so many tasks wait, if those that run, for so long by
/// now, take as long as others did. `None` if it cannot be told: the first to end are the
/// shortest, so it takes as many ends as there is room; and whatever runs for longer
/// than the others may do so for any time.
pub(super) fn left(
    others: &Durations,
    waiting: u32,
    running: impl Iterator<Item = Duration>,
) -> Option<Duration> {
    let mean = others.mean()?;
    let (mut room, mut most, mut sum) = (0_u32, Duration::ZERO, Duration::ZERO);
    for ran in running {
        let left = mean.saturating_sub(ran);
        room += 1;
        most = most.max(left);
        sum = sum.saturating_add(left);
    }
    if others.len() < ENDS.max(room as usize) {
        return None;
    }
    let sum = sum.saturating_add(mean.saturating_mul(waiting));
    let left = sum.checked_div(room)?.max(most);
    (!left.is_zero()).then_some(left)
}

impl TaskScheduler {
    /// What runs, with the attempts that have run longest, at most `most` of each set and
    /// `named` of all. Looks at every set: for people, now and then.
    pub fn seen(&self, now: Timestamp, most: usize, named: usize) -> Running {
        let mut seen = Running {
            at: now,
            attempts: self.running,
            waiting: self.waiting(),
            longest: Vec::new(),
            stages: Vec::new(),
        };
        for set in self.sets_by_stage() {
            let set = self.set(set);
            let stage = set.seen(now, most.max(named), &self.cluster);
            let longest = stage.longest.iter().take(named);
            seen.longest.extend(longest.cloned());
            if !set.is_zombie() {
                seen.stages.push(stage);
            }
        }
        seen.longest
            .sort_by_key(|it| (it.since, it.stage, it.partition));
        seen.longest.truncate(named);
        seen
    }

    /// Attempts that run, in all sets.
    pub fn running(&self) -> u64 {
        self.running
    }

    /// Cores of all attempts that run, and of tasks and copies that wait for room.
    pub fn cores(&self) -> u64 {
        self.cores
    }

    /// Tasks and copies that wait for room, in all sets: whether offers are
    /// wanted.
    pub fn waiting(&self) -> u64 {
        self.waiting + self.waiting_copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn took(all: &[u64]) -> Durations {
        let mut durations = Durations::default();
        for each in all {
            durations.insert(seconds(*each));
        }
        durations
    }

    #[test]
    fn far_longer_is_a_multiple_of_the_median_once_a_quarter_has_ended() {
        assert_eq!(far_longer(&took(&[]), 1), None, "of what?");
        assert_eq!(far_longer(&took(&[9, 9]), 9), None, "too few");
        assert_eq!(far_longer(&took(&[9, 9]), 8), Some(seconds(27)));
        let short = far_longer(&took(&[0, 1]), 8);
        assert_eq!(short, Some(LEAST), "what takes moments is no trouble");
    }

    #[test]
    fn what_is_left_is_what_waits_and_the_rest_of_what_runs_over_the_room() {
        let of = |ended: &[u64], waiting, ran: &[u64]| {
            left(
                &took(ended),
                waiting,
                ran.iter().map(|it| Duration::from_secs(*it)),
            )
        };
        let four = [10; 4];
        // 6 of 10 s that wait, and 10 + 4 + 0 s that run, in 3 places.
        assert_eq!(
            of(&four, 6, &[0, 6, 12]),
            Some(Duration::from_secs(74) / 3),
            "of 4"
        );
        assert_eq!(of(&four, 0, &[9, 2]), Some(seconds(8)), "the youngest");
        assert_eq!(of(&four, 0, &[11, 30]), None, "nobody knows");
        assert_eq!(of(&four, 9, &[]), None, "nothing runs");
        assert_eq!(of(&four, 90, &[1; 5]), None, "the first are the shortest");
        assert_eq!(of(&[10, 10], 9, &[1]), None, "too few");
        assert_eq!(of(&[], 9, &[1]), None);
    }
}
