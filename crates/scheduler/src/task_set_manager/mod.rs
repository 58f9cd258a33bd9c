//! The life of one task set: what waits, what runs, what is done.
//!
//! Responsible for choosing a task for an executor at a locality level, and
//! for what each end of an attempt means for its task and its set (Spark's
//! `TaskSetManager`). The task scheduler owns it, asks it in pool order, and
//! takes it away when it is done; it sees neither other sets nor the room on
//! an executor.
//!
//! ```text
//!              launch                 success
//!   waiting ------------> running -----------------> successful
//!      ^                     |                           |
//!      +---------------------+                           |
//!      |  failed, killed, executor lost                  |
//!      +-------------------------------------------------+
//!         the map output went with its executor
//!
//!   active --> zombie (all successful, aborted, a fetch failed, a newer
//!              attempt of the stage, a barrier set lost a task or an output)
//!          --> done, once nothing runs
//! ```
//!
//! - this file: the state
//! - `taking_in`: its beginning
//! - `starting`: starting attempts
//! - `choose`: which task for an executor
//! - `outcome`: ends of attempts
//! - `cluster_changes`: what it means that executors come and go
//! - `slow`: copies of slow attempts
//! - `seen`: what people see of it
//! - `alone`: tasks that get an executor of their own
//! - `records`: what is kept of a task and of an attempt

mod alone;
mod choose;
mod cluster_changes;
mod kept;
mod outcome;
mod seen;
mod slow;
mod starting;
mod taking_in;

use std::fmt;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::action::{Actions, BackendRequest, Notice};
use super::cluster::{Cluster, ExecutorIx};
use super::config::TaskSchedulerConfig;
use super::delay::DelaySchedule;
use super::durations::Durations;
use super::health::{HealthTracker, TaskSetExclusions};
use super::locality::{Levels, LocalityLevel};
use super::making::{Making, ToKeep};
use super::pending::{PendingTasks, Preferences};

use super::speculation::{Copying, Speculation};
use super::task::{PersistedPartition, StageKind, TaskEndReason, TaskReport};
use crate::clock::Timestamp;
use crate::ids::{JobId, Partition, StageAttempt, StageId, TaskId, TaskIndex};
use crate::plan::TaskNeeds;

use kept::{Attempt, AttemptState, NO_ATTEMPT, Task, chain};

pub(super) use choose::{Choice, Spot};

/// What a task set manager may touch while it handles something.
pub(super) struct Context<'a> {
    pub(super) now: Timestamp,
    pub(super) config: &'a TaskSchedulerConfig,
    pub(super) cluster: &'a mut Cluster,
    pub(super) health: Option<&'a mut HealthTracker>,
    pub(super) making: &'a mut Making,
    pub(super) actions: &'a mut Actions,
}

/// Why a task is given up: as it is told of the task, and of its set.
#[derive(Clone, Copy)]
pub(super) struct GivenUp<'a> {
    pub(super) task: &'a str,
    pub(super) set: &'a str,
}

/// See the module.
pub(super) struct TaskSetManager {
    stage: StageId,
    attempt: StageAttempt,
    kind: StageKind,
    job: JobId,
    pool: Option<Arc<str>>,
    barrier: bool,
    skips: bool,
    /// Tasks that are left out; mostly none.
    left_out: FxHashSet<u32>,
    needs: Arc<TaskNeeds>,
    epoch: u64,
    tasks: Vec<Task>,
    preferences: Preferences,
    to_keep: ToKeep,
    /// Where each partition is; `None` if partitions ascend, so that it can be
    /// searched for.
    index_of: Option<FxHashMap<Partition, u32>>,
    pending: PendingTasks,
    copies: PendingTasks,
    marked: u32,
    /// Tasks that get an executor of their own; mostly none.
    alone: Vec<u32>,
    parked: u32,
    waiting: u32,
    /// Waiting tasks that are listed at each level.
    waiting_at: [u32; LocalityLevel::ALL.len()],
    attempts: Vec<Attempt>,
    last_on_executor: FxHashMap<ExecutorIx, u32>,
    running: u32,
    successful: u32,
    zombie: bool,
    aborted: bool,
    delay: DelaySchedule,
    /// Whether no offer was rejected for locality since the last reset of the
    /// delay.
    pub(super) no_rejects_since_reset: bool,
    exclusions: Option<TaskSetExclusions>,
    /// What would be excluded without the failures that others may be to blame for.
    proven: Option<TaskSetExclusions>,
    speculation: Option<Speculation>,
    copying: Copying,
    /// Of attempts that succeeded.
    durations: Durations,
    /// When an attempt ended last.
    ended_last: Option<Timestamp>,
    result_bytes: u64,
    results: u64,
    /// When people were last told that the barrier set could not start.
    told_postponed: Option<Timestamp>,
}

impl TaskSetManager {
    // --- accessors

    pub(super) fn stage(&self) -> StageId {
        self.stage
    }

    pub(super) fn attempt(&self) -> StageAttempt {
        self.attempt
    }

    pub(super) fn job(&self) -> JobId {
        self.job
    }

    pub(super) fn pool(&self) -> Option<&str> {
        self.pool.as_deref()
    }

    pub(super) fn is_barrier(&self) -> bool {
        self.barrier
    }

    pub(super) fn needs(&self) -> &Arc<TaskNeeds> {
        &self.needs
    }

    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Attempts that run.
    pub(super) fn running(&self) -> u32 {
        self.running
    }

    /// Tasks that are successful.
    #[cfg(test)]
    pub(super) fn successful(&self) -> u32 {
        self.successful
    }

    /// Tasks that wait to be run; a zombie's never will.
    pub(super) fn waiting(&self) -> u32 {
        if self.zombie { 0 } else { self.waiting }
    }

    /// Slow attempts that wait for a copy.
    pub(super) fn waiting_copies(&self) -> u32 {
        if self.zombie { 0 } else { self.marked }
    }

    /// Starts no more attempts.
    pub(super) fn is_zombie(&self) -> bool {
        self.zombie
    }

    /// Nothing runs and nothing will.
    pub(super) fn is_done(&self) -> bool {
        self.zombie && self.running == 0
    }

    /// Every task is successful.
    pub(super) fn is_complete(&self) -> bool {
        self.successful as usize == self.tasks.len()
    }

    pub(super) fn proven_failures(&self) -> Option<&TaskSetExclusions> {
        self.proven.as_ref()
    }

    pub(super) fn delay(&self) -> &DelaySchedule {
        &self.delay
    }

    pub(super) fn delay_mut(&mut self) -> &mut DelaySchedule {
        &mut self.delay
    }

    /// The attempts that run, in the order of their launch.
    pub(super) fn running_attempts(&self) -> impl Iterator<Item = (TaskId, ExecutorIx)> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.is_running())
            .map(|attempt| (attempt.task, attempt.executor))
    }

    /// Whether some attempt of the task of `attempt` succeeded.
    pub(super) fn has_succeeded(&self, attempt: u32) -> bool {
        self.tasks[self.attempts[attempt as usize].index as usize].successful
    }

    /// What a task makes that executors keep.
    pub(super) fn to_keep(&self, index: u32) -> &[PersistedPartition] {
        self.to_keep.of(index)
    }

    pub(super) fn executor_of(&self, attempt: u32) -> ExecutorIx {
        self.attempts[attempt as usize].executor
    }

    /// Whether the attempt has given its room back, though it is not over.
    pub(super) fn is_fetching(&self, attempt: u32) -> bool {
        self.attempts[attempt as usize].state == AttemptState::Fetching
    }

    // --- ending

    /// No more attempts are started.
    pub(super) fn make_zombie(&mut self) {
        self.zombie = true;
    }

    /// Gives the set up, and says so once. Running attempts run on.
    pub(super) fn abort(&mut self, reason: &str, actions: &mut Actions) {
        self.zombie = true;
        if !self.aborted {
            self.aborted = true;
            actions.reports.push(TaskReport::TaskSetFailed {
                stage: self.stage,
                stage_attempt: self.attempt,
                reason: reason.into(),
            });
        }
    }

    /// A task cannot be done: its set is given up, or, where that is wanted, the
    /// task is left out. An attempt that is to make nothing still has to run: what
    /// is made of nothing is the same wherever it goes then. If not even that can be
    /// done, the set is given up after all.
    pub(super) fn give_up(&mut self, index: u32, why: GivenUp<'_>, actions: &mut Actions) {
        if self.skips && self.left_out.insert(index) {
            let task = &mut self.tasks[index as usize];
            task.failures = 0;
            actions.revive = true;
            actions.notices.push(Notice::TaskLeftOut {
                stage: self.stage,
                partition: task.partition,
                reason: why.task.into(),
            });
        } else {
            self.abort(why.set, actions);
        }
    }

    /// Asks for all running attempts to be killed.
    pub(super) fn kill_all(&self, reason: &Arc<str>, cluster: &Cluster, actions: &mut Actions) {
        for (task, executor) in self.running_attempts() {
            actions.requests.push(BackendRequest::KillTask {
                task,
                executor: cluster.executor_id(executor).clone(),
                reason: Arc::clone(reason),
            });
        }
    }

    // --- shared by the parts

    /// Changes a task and keeps the counts of waiting tasks in step.
    fn change(&mut self, index: u32, change: impl FnOnce(&mut Task)) {
        let task = &mut self.tasks[index as usize];
        let before = task.waits();
        change(task);
        let after = task.waits();
        if before == after {
            return;
        }
        let listed = task.listed;
        if after {
            self.waiting += 1;
        } else {
            self.waiting -= 1;
        }
        for level in listed.iter() {
            let count = &mut self.waiting_at[level as usize];
            if after {
                *count += 1;
            } else {
                *count -= 1;
            }
        }
    }

    /// Lists a task as the first to be taken. A zombie lists nothing.
    fn list(&mut self, index: u32, cluster: &Cluster) {
        if self.zombie {
            return;
        }
        let listed = self
            .pending
            .push(index, self.preferences.of(index), cluster);
        self.relist(index, listed);
    }

    /// The levels at which a task is listed changed.
    fn relist(&mut self, index: u32, listed: Levels) {
        let task = &mut self.tasks[index as usize];
        let old = std::mem::replace(&mut task.listed, listed);
        if old == listed || !task.waits() {
            return;
        }
        for level in old.iter() {
            self.waiting_at[level as usize] -= 1;
        }
        for level in listed.iter() {
            self.waiting_at[level as usize] += 1;
        }
    }

    /// The attempts of a task, the latest first.
    fn attempts_of(&self, index: u32) -> impl Iterator<Item = u32> {
        let first = self.tasks[index as usize].last_attempt;
        chain(first, |attempt| {
            self.attempts[attempt as usize].previous_of_task
        })
    }

    /// The attempts on an executor, the earliest first.
    fn attempts_on(&self, executor: ExecutorIx) -> Vec<u32> {
        let first = self
            .last_on_executor
            .get(&executor)
            .copied()
            .unwrap_or(NO_ATTEMPT);
        let mut attempts: Vec<u32> = chain(first, |attempt| {
            self.attempts[attempt as usize].previous_on_executor
        })
        .collect();
        attempts.reverse();
        attempts
    }

    fn mark_successful(&mut self, index: u32) {
        if self.tasks[index as usize].marked {
            self.marked -= 1;
        }
        self.change(index, |task| {
            task.successful = true;
            task.marked = false;
        });
        self.successful += 1;
        self.rewatch(index);
    }

    fn ended_report(&self, attempt: u32, cluster: &Cluster, reason: TaskEndReason) -> TaskReport {
        let attempt = &self.attempts[attempt as usize];
        TaskReport::TaskEnded {
            stage: self.stage,
            stage_attempt: self.attempt,
            index: TaskIndex(attempt.index),
            partition: self.tasks[attempt.index as usize].partition,
            task: attempt.task,
            attempt: attempt.number,
            executor: cluster.executor_id(attempt.executor).clone(),
            host: cluster.host_name(attempt.host).clone(),
            epoch: self.epoch,
            reason,
        }
    }

    /// The attempt's name for people, as Spark writes it.
    fn name_of(&self, attempt: u32) -> String {
        let attempt = &self.attempts[attempt as usize];
        format!(
            "task {}.{} in stage {}.{} (TID {})",
            attempt.index, attempt.number, self.stage, self.attempt, attempt.task
        )
    }
}

impl fmt::Display for TaskSetManager {
    /// The set's name, as Spark writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskSet_{}.{}", self.stage, self.attempt)
    }
}
