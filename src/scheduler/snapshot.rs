//! The task scheduler as it is now, to look at.
//!
//! Responsible for plain values that whoever shows state can keep: no
//! references into the scheduler, no decisions.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, JobId, StageAttempt, StageId};
use crate::scheduler::locality::LocalityLevel;
use crate::scheduler::pool::PoolView;
use crate::scheduler::task_scheduler::TaskScheduler;

/// All there is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSchedulerSnapshot {
    /// The task sets, by stage and attempt.
    pub task_sets: Vec<TaskSetView>,
    /// The pools, the nameless root first.
    pub pools: Vec<PoolView>,
    /// The registered executors, in the order they first became known.
    pub executors: Vec<ExecutorView>,
    /// Hosts that are excluded for the application, and until when.
    pub excluded_hosts: Vec<(Host, Timestamp)>,
    /// Executors that are excluded for the application, and until when.
    pub excluded_executors: Vec<(ExecutorId, Timestamp)>,
}

/// One task set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSetView {
    /// The stage.
    pub stage: StageId,
    /// Its attempt.
    pub attempt: StageAttempt,
    /// The job on whose behalf it runs.
    pub job: JobId,
    /// The pool that holds it; empty for the root.
    pub pool: Arc<str>,
    /// How many tasks it has.
    pub tasks: usize,
    /// Tasks that wait.
    pub waiting: u32,
    /// Slow attempts that wait for a copy.
    pub waiting_copies: u32,
    /// Attempts that run.
    pub running: u32,
    /// Tasks that are successful.
    pub successful: u32,
    /// Whether it starts no more attempts.
    pub zombie: bool,
    /// The locality levels at which it can start tasks.
    pub levels: Vec<LocalityLevel>,
    /// The level that delay scheduling has reached.
    pub level: LocalityLevel,
    /// When it is given up because it can run nowhere, if so.
    pub unschedulable_until: Option<Timestamp>,
}

/// One executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorView {
    /// The executor.
    pub executor: ExecutorId,
    /// Its host.
    pub host: Host,
    /// Attempts that hold room there.
    pub running: u32,
    /// Whether it takes new work: not while it is being decommissioned.
    pub alive: bool,
}

impl TaskScheduler {
    /// The state at this moment.
    pub fn snapshot(&self) -> TaskSchedulerSnapshot {
        let cluster = &self.cluster;
        let (excluded_executors, excluded_hosts) = match &self.health {
            Some(health) => {
                let (executors, hosts) = health.excluded();
                (
                    executors
                        .map(|(ix, until)| (cluster.executor_id(ix).clone(), until))
                        .collect(),
                    hosts
                        .map(|(ix, until)| (cluster.host_name(ix).clone(), until))
                        .collect(),
                )
            }
            None => (Vec::new(), Vec::new()),
        };
        TaskSchedulerSnapshot {
            task_sets: self
                .sets_by_stage()
                .into_iter()
                .map(|set| {
                    let manager = self.set(set);
                    TaskSetView {
                        stage: manager.stage(),
                        attempt: manager.attempt(),
                        job: manager.job(),
                        pool: self.pools.pool_of(set).cloned().unwrap_or_default(),
                        tasks: manager.tasks(),
                        waiting: manager.waiting(),
                        waiting_copies: manager.waiting_copies(),
                        running: manager.running(),
                        successful: manager.successful(),
                        zombie: manager.is_zombie(),
                        levels: manager.delay().levels().iter().collect(),
                        level: manager.delay().level(),
                        unschedulable_until: self.unschedulable.get(&set).map(|(_, at)| *at),
                    }
                })
                .collect(),
            pools: self.pools.views().collect(),
            executors: cluster
                .registered()
                .map(|ix| ExecutorView {
                    executor: cluster.executor_id(ix).clone(),
                    host: cluster.host_name(cluster.host_of(ix)).clone(),
                    running: cluster.running(ix),
                    alive: cluster.is_alive(ix),
                })
                .collect(),
            excluded_hosts,
            excluded_executors,
        }
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
