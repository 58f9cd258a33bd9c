//! The task scheduler: task sets on one side, room on executors on the other.
//!
//! Responsible for the table of task sets, for offering room to them in pool
//! order, for carrying what is heard of attempts to the right set, and for the
//! moments at which something must be looked at again (Spark's
//! `TaskSchedulerImpl`). One owner holds it and feeds it one event after
//! another; it never waits and never looks at a clock. Equal events, times and
//! seed give equal actions.
//!
//! ```text
//!  DAG scheduler -- Command -->  +----------------+ --> reports
//!                                | TaskScheduler  |
//!  backend -- Offers, Status --> |  pools, health | --> launches, requests, revive
//!             ExecutorLost ...   |  task sets     |
//!  shell -- TimePassed ------->  +----------------+ --> notices
//! ```
//!
//! - this file: the face, and commands
//! - `offers`: room becomes attempts; `room`: what is left of an offer; `round`: what starts
//! - `barrier`: sets whose tasks start together
//! - `alone`: room for tasks that run alone on an executor
//! - `statuses`: what is heard of attempts
//! - `executors`: executors come and go
//! - `timers`: what happens as time passes
//!
//! An event that is late, doubled or of something unknown changes nothing.

mod alone;
mod barrier;
mod executors;
mod offers;
mod room;
mod round;
mod statuses;
mod timers;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::action::{Actions, BackendRequest, Notice};
use super::cluster::{Cluster, ExecutorIx};
use super::config::TaskSchedulerConfig;
use super::event::TaskSchedulerEvent;
use super::health::HealthTracker;
use super::making::Making;
use super::pool::{PoolDefinition, PoolTree, SetIx, SetToPlace};
use super::starvation::Starvation;
use super::task::{TaskCommand, TaskSet};
use super::task_set_manager::{Context, TaskSetManager};
use crate::clock::Timestamp;
use crate::ids::{StageId, TaskId};

/// Where a running attempt is kept.
#[derive(Clone, Copy, Debug)]
struct AttemptRef {
    set: SetIx,
    attempt: u32,
}

/// See the module.
pub struct TaskScheduler {
    pub(super) config: TaskSchedulerConfig,
    pub(super) cluster: Cluster,
    pub(super) pools: PoolTree,
    pub(super) sets: Vec<Option<Box<TaskSetManager>>>,
    free: Vec<SetIx>,
    /// In the order of submission.
    by_stage: BTreeMap<StageId, Vec<SetIx>>,
    attempts: FxHashMap<TaskId, AttemptRef>,
    next_task: TaskId,
    pub(super) health: Option<HealthTracker>,
    /// Task sets that can run nowhere, the task found to be so, and when the
    /// set is given up for it.
    pub(super) unschedulable: BTreeMap<SetIx, (u32, Timestamp)>,
    /// Gets nothing to do until it is idle, for a task that is to run alone.
    reserved: Option<ExecutorIx>,
    pub(super) making: Making,
    random: fastrand::Rng,
    pub(super) running: u64,
    pub(super) waiting: u64,
    pub(super) waiting_copies: u64,
    /// Cores of all that waits or runs.
    pub(super) cores: u64,
    starvation: Starvation,
    next_speculation: Option<Timestamp>,
    locality_deadline: Option<Timestamp>,
}

impl TaskScheduler {
    /// A task scheduler that knows nobody yet. `pools` is what the allocation
    /// file defines, `None` if there is none; `seed` decides the order in which
    /// equal offers are used.
    pub fn new(config: TaskSchedulerConfig, pools: Option<&[PoolDefinition]>, seed: u64) -> Self {
        Self {
            cluster: Cluster::new(config.retained_removed_decommissioned),
            pools: PoolTree::new(config.mode, pools),
            sets: Vec::new(),
            free: Vec::new(),
            by_stage: BTreeMap::new(),
            attempts: FxHashMap::default(),
            next_task: TaskId(0),
            health: config
                .exclusion
                .clone()
                .map(|exclusion| HealthTracker::new(exclusion, config.outputs_outlive_executors)),
            unschedulable: BTreeMap::new(),
            reserved: None,
            making: Making::default(),
            random: fastrand::Rng::with_seed(seed),
            running: 0,
            waiting: 0,
            waiting_copies: 0,
            cores: 0,
            starvation: Starvation::new(config.starvation_timeout),
            next_speculation: None,
            locality_deadline: None,
            config,
        }
    }

    /// Takes an event in, and says what is to be done about it.
    pub fn handle(&mut self, now: Timestamp, event: TaskSchedulerEvent) -> Actions {
        let mut actions = Actions::default();
        match event {
            TaskSchedulerEvent::Command(command) => self.command(now, command, &mut actions),
            TaskSchedulerEvent::Offers { offers, all_free } => {
                self.resource_offers(now, offers, all_free, &mut actions);
            }
            TaskSchedulerEvent::Status { task, status } => {
                self.status(now, task, status, &mut actions);
            }
            TaskSchedulerEvent::ExecutorLost { executor, reason } => {
                self.executor_lost(now, &executor, reason, &mut actions);
            }
            TaskSchedulerEvent::ExecutorDecommissioning { executor, host } => {
                self.executor_decommissioning(now, &executor, host.is_some(), &mut actions);
            }
            TaskSchedulerEvent::PartitionKept {
                partition,
                executor,
            } => self.partition_kept(partition, &executor),
            TaskSchedulerEvent::PartitionDropped {
                partition,
                executor,
            } => {
                if let Some(executor) = self.cluster.find_executor(&executor) {
                    self.making.dropped(partition, executor);
                }
            }
            TaskSchedulerEvent::RacksKnown(racks) => self.racks_known(&racks),
            TaskSchedulerEvent::BackendFailed { message } => {
                for set in self.sets_by_stage() {
                    self.with_set(now, set, &mut actions, |manager, context| {
                        manager.abort(&message, context.actions);
                    });
                }
            }
            TaskSchedulerEvent::TimePassed => self.time_passed(now, &mut actions),
        }
        self.watch_clocks(now);
        actions
    }

    // --- commands

    fn command(&mut self, now: Timestamp, command: TaskCommand, actions: &mut Actions) {
        match command {
            TaskCommand::Submit(set) => self.submit(now, set, actions),
            TaskCommand::CancelStage { stage, reason } => {
                let message = match &*reason {
                    "" => format!("Stage {stage} cancelled"),
                    reason => format!("Stage {stage} cancelled: {reason}"),
                };
                for set in self.sets_of(stage) {
                    self.with_set(now, set, actions, |manager, context| {
                        manager.kill_all(&reason, context.cluster, context.actions);
                        manager.abort(&message, context.actions);
                    });
                }
            }
            TaskCommand::KillAllAttempts { stage, reason } => {
                for set in self.sets_of(stage) {
                    self.with_set(now, set, actions, |manager, context| {
                        manager.kill_all(&reason, context.cluster, context.actions);
                    });
                }
            }
            TaskCommand::PartitionCompleted { stage, partition } => {
                for set in self.sets_of(stage) {
                    self.with_set(now, set, actions, |manager, _| {
                        manager.partition_completed(partition);
                    });
                }
            }
        }
    }

    fn submit(&mut self, now: Timestamp, set: TaskSet, actions: &mut Actions) {
        for older in self.sets_of(set.stage) {
            self.with_set(now, older, actions, |manager, _| manager.make_zombie());
        }
        let manager = TaskSetManager::new(now, set, &self.config, &mut self.cluster);
        let (stage, attempt) = (manager.stage(), manager.attempt());
        let index = self.free.pop().unwrap_or_else(|| {
            self.sets.push(None);
            SetIx(u32::try_from(self.sets.len() - 1).expect("fewer than 2^32 task sets"))
        });
        if let Some(pool) = self.pools.add(&SetToPlace {
            set: index,
            pool: manager.pool(),
            job: manager.job(),
            stage,
            attempt,
        }) {
            actions.notices.push(Notice::PoolCreated { pool });
        }
        self.waiting += u64::from(manager.waiting());
        self.cores += Counts::of(&manager).cores;
        self.sets[index.index()] = Some(Box::new(manager));
        self.by_stage.entry(stage).or_default().push(index);
        // A set without tasks is done at once.
        self.with_set(now, index, actions, |manager, _| {
            if manager.tasks() == 0 {
                manager.make_zombie();
            }
        });
        actions.revive = true;
    }

    // --- the table of task sets

    pub(super) fn set(&self, set: SetIx) -> &TaskSetManager {
        self.sets[set.index()]
            .as_deref()
            .expect("referred to sets are in the table")
    }

    /// The task sets of a stage, older attempts first.
    fn sets_of(&self, stage: StageId) -> Vec<SetIx> {
        self.by_stage.get(&stage).cloned().unwrap_or_default()
    }

    /// All task sets, by stage and attempt.
    pub(super) fn sets_by_stage(&self) -> Vec<SetIx> {
        self.by_stage.values().flatten().copied().collect()
    }

    /// Lets something happen to a task set, then brings the counts of its pool
    /// and of the scheduler in step, and takes the set away if it is done.
    fn with_set<T>(
        &mut self,
        now: Timestamp,
        set: SetIx,
        actions: &mut Actions,
        happen: impl FnOnce(&mut TaskSetManager, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let manager = self.sets[set.index()].as_deref_mut()?;
        let before = Counts::of(manager);
        let mut context = Context {
            now,
            config: &self.config,
            cluster: &mut self.cluster,
            health: self.health.as_mut(),
            making: &mut self.making,
            actions,
        };
        let answer = happen(manager, &mut context);
        let after = Counts::of(manager);
        let (done, zombie) = (manager.is_done(), manager.is_zombie());
        self.count(set, before, after);
        if zombie {
            // It starts nothing more, so it need not be able to.
            self.unwatch_unschedulable(set, actions);
        }
        if done {
            self.finish(now, set, actions);
        }
        Some(answer)
    }

    fn count(&mut self, set: SetIx, before: Counts, after: Counts) {
        self.pools
            .running_changed(set, before.running, after.running);
        let step = |sum: u64, before: u32, after: u32| sum + u64::from(after) - u64::from(before);
        self.running = step(self.running, before.running, after.running);
        self.waiting = step(self.waiting, before.waiting, after.waiting);
        self.waiting_copies = step(self.waiting_copies, before.copies, after.copies);
        self.cores = self.cores + after.cores - before.cores;
    }

    /// Takes a task set away.
    fn finish(&mut self, now: Timestamp, set: SetIx, actions: &mut Actions) {
        let Some(manager) = self.sets[set.index()].take() else {
            return;
        };
        if manager.is_complete()
            && let (Some(health), Some(exclusions)) = (&mut self.health, manager.proven_failures())
        {
            health.task_set_succeeded(now, exclusions, &self.cluster, actions);
        }
        self.pools.remove(set);
        if let Some(attempts) = self.by_stage.get_mut(&manager.stage()) {
            attempts.retain(|other| *other != set);
            if attempts.is_empty() {
                self.by_stage.remove(&manager.stage());
            }
        }
        self.unwatch_unschedulable(set, actions);
        self.free.push(set);
    }

    fn unwatch_unschedulable(&mut self, set: SetIx, actions: &mut Actions) {
        if self.unschedulable.remove(&set).is_some() {
            self.publish_unschedulable(actions);
        }
    }

    fn publish_unschedulable(&self, actions: &mut Actions) {
        if self.config.dynamic_allocation {
            actions.requests.push(BackendRequest::UnschedulableTaskSets(
                self.unschedulable.len(),
            ));
        }
    }
}

/// The numbers of a task set that others add up.
#[derive(Clone, Copy)]
struct Counts {
    running: u32,
    waiting: u32,
    copies: u32,
    /// Cores of all of them.
    cores: u64,
}

impl Counts {
    fn of(manager: &TaskSetManager) -> Self {
        let (running, waiting) = (manager.running(), manager.waiting());
        let copies = manager.waiting_copies();
        let tasks = u64::from(running) + u64::from(waiting) + u64::from(copies);
        Self {
            running,
            waiting,
            copies,
            cores: tasks * u64::from(manager.needs().cpus),
        }
    }
}
