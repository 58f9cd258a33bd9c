//! The task scheduler as it is now, for tests to look at.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, JobId, StageAttempt, StageId};
use crate::locality::LocalityLevel;
use crate::pool::PoolView;
use crate::task_scheduler::TaskScheduler;

/// All there is to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskSchedulerSnapshot {
    /// The task sets, by stage and attempt.
    pub(crate) task_sets: Vec<TaskSetView>,
    /// The pools, the nameless root first.
    pub(crate) pools: Vec<PoolView>,
    /// The registered executors, in the order they first became known.
    pub(crate) executors: Vec<ExecutorView>,
    /// Hosts that are excluded for the application, and until when.
    pub(crate) excluded_hosts: Vec<(Host, Timestamp)>,
    /// Executors that are excluded for the application, and until when.
    pub(crate) excluded_executors: Vec<(ExecutorId, Timestamp)>,
}

/// One task set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskSetView {
    /// The stage.
    pub(crate) stage: StageId,
    /// Its attempt.
    pub(crate) attempt: StageAttempt,
    /// The job on whose behalf it runs.
    pub(crate) job: JobId,
    /// The pool that holds it; empty for the root.
    pub(crate) pool: Arc<str>,
    /// How many tasks it has.
    pub(crate) tasks: usize,
    /// Tasks that wait.
    pub(crate) waiting: u32,
    /// Slow attempts that wait for a copy.
    pub(crate) waiting_copies: u32,
    /// Attempts that run.
    pub(crate) running: u32,
    /// Tasks that are successful.
    pub(crate) successful: u32,
    /// Whether it starts no more attempts.
    pub(crate) zombie: bool,
    /// The locality levels at which it can start tasks.
    pub(crate) levels: Vec<LocalityLevel>,
    /// The level that delay scheduling has reached.
    pub(crate) level: LocalityLevel,
    /// When it is given up because it can run nowhere, if so.
    pub(crate) unschedulable_until: Option<Timestamp>,
}

/// One executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExecutorView {
    /// The executor.
    pub(crate) executor: ExecutorId,
    /// Its host.
    pub(crate) host: Host,
    /// Attempts that hold room there.
    pub(crate) running: u32,
    /// Whether it takes new work: not while it is being decommissioned.
    pub(crate) alive: bool,
}

impl TaskScheduler {
    /// The state at this moment.
    pub(crate) fn snapshot(&self) -> TaskSchedulerSnapshot {
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
}
