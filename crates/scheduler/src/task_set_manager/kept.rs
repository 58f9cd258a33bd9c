//! What is kept of a task and of an attempt: as little as will do, since there
//! may be a hundred thousand of each.

use crate::clock::Timestamp;
use crate::cluster::{ExecutorIx, HostIx};
use crate::ids::{Partition, TaskId};
use crate::locality::Levels;

/// No attempt: the end of a chain.
pub(super) const NO_ATTEMPT: u32 = u32::MAX;

/// One task, in 20 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) partition: Partition,
    /// The head of the chain of its attempts.
    pub(super) last_attempt: u32,
    /// How many attempts it had.
    pub(super) attempts: u32,
    /// Failures that count, since it last succeeded.
    pub(super) failures: u16,
    /// Attempts that run.
    pub(super) copies: u8,
    pub(super) successful: bool,
    /// Where it is in the speculative lists, waiting for a copy.
    pub(super) marked: bool,
    /// Chosen in this round for a barrier set that may yet not start.
    pub(super) parked: bool,
    /// The levels it is listed at.
    pub(super) listed: Levels,
}

impl Task {
    pub(super) fn waits(&self) -> bool {
        self.copies == 0 && !self.successful
    }
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptState {
    /// Sent to its executor, which has not been heard of yet.
    Launching,
    /// Running there.
    Running,
    /// Done; its result is being fetched.
    Fetching,
    /// Succeeded.
    Succeeded,
    /// Ended in any other way, or its output was lost afterwards.
    Ended,
}

/// One attempt of a task.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) task: TaskId,
    pub(super) launched: Timestamp,
    pub(super) index: u32,
    pub(super) number: u32,
    pub(super) executor: ExecutorIx,
    /// Where the executor stood at that time.
    pub(super) host: HostIx,
    /// The attempt of the same task before it.
    pub(super) previous_of_task: u32,
    /// The attempt on the same executor before it.
    pub(super) previous_on_executor: u32,
    pub(super) state: AttemptState,
    /// Asked to die since another attempt of the task succeeded.
    pub(super) killed_by_other: bool,
    /// Its result counts towards the size of the set's results.
    pub(super) result_counted: bool,
    /// It has its executor for itself.
    pub(super) alone: bool,
    /// It is to make nothing.
    pub(super) left_out: bool,
}

impl Attempt {
    pub(super) fn is_running(&self) -> bool {
        !matches!(self.state, AttemptState::Succeeded | AttemptState::Ended)
    }
}

pub(super) fn chain(first: u32, next: impl Fn(u32) -> u32) -> impl Iterator<Item = u32> {
    let some = |attempt: u32| (attempt != NO_ATTEMPT).then_some(attempt);
    std::iter::successors(some(first), move |attempt| some(next(*attempt)))
}
