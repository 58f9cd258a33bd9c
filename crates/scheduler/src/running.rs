//! What runs and what waits, to look at.
//!
//! Responsible for plain values that whoever shows state can keep: no
//! references into the scheduler, no decisions.

use crate::clock::Timestamp;
use crate::ids::{Host, Partition, StageId};
use crate::task_scheduler::TaskScheduler;

/// An attempt that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningAttempt {
    /// Its stage.
    pub stage: StageId,
    /// Its partition.
    pub partition: Partition,
    /// How many attempts at the task came before, in its task set.
    pub attempt: u32,
    /// Where it runs.
    pub host: Host,
    /// When it was sent there.
    pub since: Timestamp,
}

impl TaskScheduler {
    /// The attempts that have run longest, at most `most`, the longest first.
    /// Looks at every attempt of every set: for people, now and then.
    pub fn longest_running(&self, most: usize) -> Vec<RunningAttempt> {
        let mut longest: Vec<RunningAttempt> = Vec::new();
        for set in self.sets_by_stage() {
            longest.extend(self.set(set).longest_running(most, &self.cluster));
        }
        longest.sort_by_key(|it| (it.since, it.stage, it.partition));
        longest.truncate(most);
        longest
    }

    /// Attempts that run, in all sets.
    pub fn running(&self) -> u64 {
        self.running
    }

    /// Tasks and copies that wait for room, in all sets: whether offers are
    /// wanted.
    pub fn waiting(&self) -> u64 {
        self.waiting + self.waiting_copies
    }
}
