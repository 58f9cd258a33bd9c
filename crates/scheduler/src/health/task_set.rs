//! Executors and hosts that are excluded for one task set, or one task of it.
//!
//! Responsible for the set's failures that count, and for what follows from
//! them until the set ends (Spark's `TaskSetExcludelist`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::cluster::{ExecutorIx, HostIx};
use crate::config::ExclusionConfig;

#[derive(Clone, Debug, PartialEq, Eq)]
struct ExecutorFailures {
    host: HostIx,
    /// Failed attempts of each task, and when the last one was.
    tasks: BTreeMap<u32, (u32, Timestamp)>,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewExclusions {
    /// The executor is excluded now; so many tasks failed there.
    pub(crate) executor: Option<usize>,
    /// The host is excluded now; so many of its executors are.
    pub(crate) host: Option<usize>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskSetExclusions {
    config: ExclusionConfig,
    failures: BTreeMap<ExecutorIx, ExecutorFailures>,
    failed_on: BTreeMap<HostIx, BTreeSet<ExecutorIx>>,
    tasks_on_host: BTreeSet<(HostIx, u32)>,
    executors: BTreeSet<ExecutorIx>,
    hosts: BTreeSet<HostIx>,
    latest: Option<Arc<str>>,
}

impl TaskSetExclusions {
    pub(crate) fn new(config: ExclusionConfig) -> Self {
        Self {
            config,
            failures: BTreeMap::new(),
            failed_on: BTreeMap::new(),
            tasks_on_host: BTreeSet::new(),
            executors: BTreeSet::new(),
            hosts: BTreeSet::new(),
            latest: None,
        }
    }

    /// Whether the set is kept away from the executor or its host.
    pub(crate) fn excludes(&self, executor: ExecutorIx, host: HostIx) -> bool {
        // Most sets never exclude anything.
        !self.executors.is_empty()
            && (self.executors.contains(&executor) || self.hosts.contains(&host))
    }

    /// Whether a task is kept away from the executor or its host.
    pub(crate) fn excludes_task(&self, task: u32, executor: ExecutorIx, host: HostIx) -> bool {
        if self.failures.is_empty() {
            return false;
        }
        self.tasks_on_host.contains(&(host, task))
            || self.failures.get(&executor).is_some_and(|failures| {
                failures
                    .tasks
                    .get(&task)
                    .is_some_and(|(count, _)| *count >= self.config.task_attempts_per_executor)
            })
    }

    /// Counts a failed attempt of a task, and says what follows.
    pub(crate) fn task_failed(
        &mut self,
        now: Timestamp,
        task: u32,
        executor: ExecutorIx,
        host: HostIx,
        reason: Arc<str>,
    ) -> NewExclusions {
        self.latest = Some(reason);
        let failures = self
            .failures
            .entry(executor)
            .or_insert_with(|| ExecutorFailures {
                host,
                tasks: BTreeMap::new(),
            });
        let (count, last) = failures.tasks.entry(task).or_insert((0, now));
        *count += 1;
        *last = now.max(*last);
        let failed_tasks = failures.tasks.len();

        let failed_here = self.failed_on.entry(host).or_default();
        failed_here.insert(executor);
        let attempts_here: u32 = failed_here
            .iter()
            .filter_map(|executor| self.failures.get(executor)?.tasks.get(&task))
            .map(|(count, _)| *count)
            .sum();
        if attempts_here >= self.config.task_attempts_per_node {
            self.tasks_on_host.insert((host, task));
        }

        let mut new = NewExclusions::default();
        if failed_tasks >= self.config.stage_failed_tasks_per_executor as usize
            && self.executors.insert(executor)
        {
            new.executor = Some(failed_tasks);
            let excluded_here = failed_here.intersection(&self.executors).count();
            if excluded_here >= self.config.stage_failed_executors_per_node as usize
                && self.hosts.insert(host)
            {
                new.host = Some(excluded_here);
            }
        }
        new
    }

    /// The failures of each executor: its host, and when each of its failed
    /// tasks failed last.
    pub(crate) fn failures(
        &self,
    ) -> impl Iterator<Item = (ExecutorIx, HostIx, impl Iterator<Item = Timestamp>)> {
        self.failures.iter().map(|(executor, failures)| {
            (
                *executor,
                failures.host,
                failures.tasks.values().map(|(_, last)| *last),
            )
        })
    }

    /// The latest failure that counted, for people.
    pub(crate) fn latest_failure(&self) -> Option<&Arc<str>> {
        self.latest.as_ref()
    }
}
