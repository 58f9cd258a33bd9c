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
//! - this file: the state, and starting attempts
//! - `choose`: which task for an executor
//! - `outcome`: ends of attempts
//! - `executors`: executors come and go
//! - `slow`: copies of slow attempts
//! - `records`: what is kept of a task and of an attempt

mod choose;
mod executors;
mod outcome;
mod records;
mod slow;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::action::{Actions, BackendRequest};
use super::cluster::{Cluster, ExecutorIx};
use super::config::{LocalityWait, TaskSchedulerConfig};
use super::delay::DelaySchedule;
use super::health::{HealthTracker, TaskSetExclusions};
use super::locality::{Levels, LocalityLevel};
use super::pending::{PendingTasks, Preferences};
use super::speculation::Speculation;
use super::task::{StageKind, TaskDescription, TaskEndReason, TaskNeeds, TaskReport, TaskSet};
use crate::clock::Timestamp;
use crate::ids::{JobId, Partition, StageAttempt, StageId, TaskId, TaskIndex};

use records::{Attempt, AttemptState, NO_ATTEMPT, Task, chain};

pub(super) use choose::{Choice, Spot};

/// What a task set manager may touch while it handles something.
pub(super) struct Context<'a> {
    pub(super) now: Timestamp,
    pub(super) config: &'a TaskSchedulerConfig,
    pub(super) cluster: &'a mut Cluster,
    pub(super) health: Option<&'a mut HealthTracker>,
    pub(super) actions: &'a mut Actions,
}

/// See the module.
pub(super) struct TaskSetManager {
    stage: StageId,
    attempt: StageAttempt,
    kind: StageKind,
    job: JobId,
    pool: Option<Arc<str>>,
    barrier: bool,
    needs: Arc<TaskNeeds>,
    epoch: u64,
    tasks: Vec<Task>,
    preferences: Preferences,
    /// Where each partition is; `None` if partitions ascend, so that it can be
    /// searched for.
    index_of: Option<FxHashMap<Partition, u32>>,
    pending: PendingTasks,
    copies: PendingTasks,
    marked: u32,
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
    speculation: Option<Speculation>,
    result_bytes: u64,
    results: u64,
    /// When people were last told that the barrier set could not start.
    told_postponed: Option<Timestamp>,
}

/// People are told so often at most that a barrier set cannot start, as by
/// Spark.
const POSTPONED_NOTICE_INTERVAL: Duration = Duration::from_secs(60);

impl TaskSetManager {
    /// Takes a task set in: all of its tasks wait.
    pub(super) fn new(
        now: Timestamp,
        set: TaskSet,
        config: &TaskSchedulerConfig,
        cluster: &mut Cluster,
    ) -> Self {
        let count = set.tasks.len();
        assert!(count < NO_ATTEMPT as usize, "fewer than 2^32 - 1 tasks");
        let mut tasks = Vec::with_capacity(count);
        let mut preferences = Preferences::default();
        let ascending = set
            .tasks
            .windows(2)
            .all(|pair| pair[0].partition < pair[1].partition);
        let mut without_preference = 0;
        for spec in &set.tasks {
            preferences.push(&spec.locations, cluster);
            without_preference += usize::from(spec.locations.is_empty());
            tasks.push(Task {
                partition: spec.partition,
                last_attempt: NO_ATTEMPT,
                attempts: 0,
                failures: 0,
                copies: 0,
                successful: false,
                marked: false,
                parked: false,
                listed: Levels::ANY,
            });
        }
        preferences.seal();
        let index_of = (!ascending).then(|| {
            (0..)
                .zip(&set.tasks)
                .map(|(index, spec)| (spec.partition, index))
                .collect()
        });
        drop(set.tasks);

        let mut pending = PendingTasks::default();
        pending.reserve(count, without_preference);
        let mut waiting_at = [0; LocalityLevel::ALL.len()];
        // Backwards, since each list is a stack: low indices go first.
        for index in (0..count).rev() {
            let listed = pending.push(index as u32, preferences.of(index as u32), cluster);
            tasks[index].listed = listed;
            for level in listed.iter() {
                waiting_at[level as usize] += 1;
            }
        }
        pending.seal();

        let mut waits = config.locality_wait;
        if set.barrier && config.legacy_locality_reset {
            // The old rule would reset the clock with every task parked, and
            // the set would never start together.
            waits = LocalityWait::all(Duration::ZERO);
        }
        let speculation = config
            .speculation
            .as_ref()
            .filter(|_| !config.local && !set.barrier)
            .map(|speculation| {
                Speculation::new(speculation, count, slots_of_one(config, &set.needs))
            });
        Self {
            stage: set.stage,
            attempt: set.attempt,
            kind: set.kind,
            job: set.job,
            pool: set.pool,
            barrier: set.barrier,
            needs: Arc::new(set.needs),
            epoch: set.epoch,
            tasks,
            preferences,
            index_of,
            delay: DelaySchedule::new(waits, pending.valid_levels(cluster), now),
            pending,
            copies: PendingTasks::default(),
            marked: 0,
            parked: 0,
            waiting: count as u32,
            waiting_at,
            attempts: Vec::new(),
            last_on_executor: FxHashMap::default(),
            running: 0,
            successful: 0,
            zombie: false,
            aborted: false,
            no_rejects_since_reset: true,
            exclusions: config.exclusion.clone().map(TaskSetExclusions::new),
            speculation,
            result_bytes: 0,
            results: 0,
            told_postponed: None,
        }
    }

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

    pub(super) fn exclusions(&self) -> Option<&TaskSetExclusions> {
        self.exclusions.as_ref()
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

    pub(super) fn executor_of(&self, attempt: u32) -> ExecutorIx {
        self.attempts[attempt as usize].executor
    }

    /// Whether the attempt has given its room back, though it is not over.
    pub(super) fn is_fetching(&self, attempt: u32) -> bool {
        self.attempts[attempt as usize].state == AttemptState::Fetching
    }

    // --- starting

    /// Starts an attempt of a chosen task; gives back its place.
    pub(super) fn launch(&mut self, now: Timestamp, task: TaskId, index: u32, spot: Spot) -> u32 {
        let attempt = self.attempts.len() as u32;
        let entry = &mut self.tasks[index as usize];
        let previous_on_executor = self
            .last_on_executor
            .insert(spot.executor, attempt)
            .unwrap_or(NO_ATTEMPT);
        self.attempts.push(Attempt {
            task,
            launched: now,
            index,
            number: entry.attempts,
            executor: spot.executor,
            host: spot.host,
            previous_of_task: entry.last_attempt,
            previous_on_executor,
            state: AttemptState::Launching,
            killed_by_other: false,
            result_counted: false,
        });
        entry.last_attempt = attempt;
        entry.attempts += 1;
        self.running += 1;
        if std::mem::take(&mut entry.parked) {
            self.parked -= 1;
        }
        self.change(index, |task| task.copies += 1);
        self.rewatch(index);
        attempt
    }

    /// The description of an attempt that was just launched.
    pub(super) fn describe(
        &self,
        attempt: u32,
        cluster: &Cluster,
        locality: LocalityLevel,
        speculative: bool,
        resources: Vec<(Arc<str>, Vec<Arc<str>>)>,
    ) -> TaskDescription {
        let attempt = &self.attempts[attempt as usize];
        TaskDescription {
            task: attempt.task,
            stage: self.stage,
            stage_attempt: self.attempt,
            index: TaskIndex(attempt.index),
            partition: self.tasks[attempt.index as usize].partition,
            attempt: attempt.number,
            executor: cluster.executor_id(attempt.executor).clone(),
            locality,
            speculative,
            addresses: None,
            cpus: self.needs.cpus,
            resources,
            epoch: self.epoch,
        }
    }

    pub(super) fn started_report(&self, attempt: u32) -> TaskReport {
        let attempt = &self.attempts[attempt as usize];
        TaskReport::TaskStarted {
            stage: self.stage,
            stage_attempt: self.attempt,
            partition: self.tasks[attempt.index as usize].partition,
            task: attempt.task,
        }
    }

    /// Sets chosen tasks of a barrier set aside until all of them have room.
    pub(super) fn park(&mut self, index: u32) {
        self.tasks[index as usize].parked = true;
        self.parked += 1;
    }

    /// Not all had room: the parked tasks wait again.
    pub(super) fn unpark(
        &mut self,
        parked: impl DoubleEndedIterator<Item = u32>,
        cluster: &Cluster,
    ) {
        for index in parked.rev() {
            self.tasks[index as usize].parked = false;
            self.parked -= 1;
            self.list(index, cluster);
        }
    }

    /// Whether people should be told that not all had room; not too often.
    pub(super) fn postponed_is_news(&mut self, now: Timestamp) -> bool {
        let news = self
            .told_postponed
            .is_none_or(|last| now - last >= POSTPONED_NOTICE_INTERVAL);
        if news {
            self.told_postponed = Some(now);
        }
        news
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

/// How many tasks one executor runs at once; 1 if its size is not fixed.
fn slots_of_one(config: &TaskSchedulerConfig, needs: &TaskNeeds) -> u32 {
    let Some(cores) = config.executor_cores else {
        return 1;
    };
    let by_cores = cores / needs.cpus.max(1);
    needs
        .resources
        .iter()
        .filter(|(_, amount)| *amount > 0)
        .map(|(name, amount)| {
            config
                .executor_resources
                .iter()
                .find(|(has, _)| has == name)
                .map_or(0, |(_, has)| has / amount)
        })
        .fold(by_cores, u32::min)
}
