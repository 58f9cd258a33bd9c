//! Executors and hosts that are excluded for the whole application.
//!
//! Responsible for the failures that successful task sets had, for exclusion by
//! their number, and for its end after the timeout (Spark's `HealthTracker`).
//! Failures of task sets that failed do not count: there the task is likelier
//! to blame than the executor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::task_set::TaskSetExclusions;
use crate::action::{Actions, BackendRequest, ExecutorEnd, Notice};
use crate::clock::Timestamp;
use crate::cluster::{Cluster, ExecutorIx, HostIx};
use crate::config::{ExclusionConfig, KillExcluded};
use crate::ids::Host;
use crate::loss::WhyEnd;

/// Exclusions last to the end of this time after the moment they end at, as
/// Spark's do, whose clock counts milliseconds.
const TICK: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct ExcludedExecutor {
    host: HostIx,
    until: Timestamp,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct HealthTracker {
    config: ExclusionConfig,
    /// Outputs are served by the host, not the executor, so that a failed fetch
    /// is the host's.
    hosts_serve_outputs: bool,
    /// For each executor, when each of its failures is to be forgotten.
    failures: BTreeMap<ExecutorIx, Vec<Timestamp>>,
    executors: BTreeMap<ExecutorIx, ExcludedExecutor>,
    hosts: BTreeMap<HostIx, Timestamp>,
    /// Excluded executors by host, dead ones too.
    executors_on: BTreeMap<HostIx, BTreeSet<ExecutorIx>>,
    next_expiry: Option<Timestamp>,
}

impl HealthTracker {
    pub(crate) fn new(config: ExclusionConfig, hosts_serve_outputs: bool) -> Self {
        Self {
            config,
            hosts_serve_outputs,
            failures: BTreeMap::new(),
            executors: BTreeMap::new(),
            hosts: BTreeMap::new(),
            executors_on: BTreeMap::new(),
            next_expiry: None,
        }
    }

    pub(crate) fn is_executor_excluded(&self, executor: ExecutorIx) -> bool {
        self.executors.contains_key(&executor)
    }

    pub(crate) fn is_host_excluded(&self, host: HostIx) -> bool {
        self.hosts.contains_key(&host)
    }

    /// Excluded executors and hosts with the end of their exclusion.
    #[cfg(test)]
    pub(crate) fn excluded(
        &self,
    ) -> (
        impl Iterator<Item = (ExecutorIx, Timestamp)>,
        impl Iterator<Item = (HostIx, Timestamp)>,
    ) {
        (
            self.executors.iter().map(|(ix, entry)| (*ix, entry.until)),
            self.hosts.iter().map(|(ix, until)| (*ix, *until)),
        )
    }

    /// The first moment at which an exclusion can end.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.next_expiry.map(|expiry| expiry + TICK)
    }

    /// Ends the exclusions whose time is over; true if there was one.
    pub(crate) fn apply_timeout(
        &mut self,
        now: Timestamp,
        cluster: &Cluster,
        actions: &mut Actions,
    ) -> bool {
        if self.next_expiry.is_none_or(|expiry| now <= expiry) {
            return false;
        }
        let over: Vec<_> = self
            .executors
            .iter()
            .filter(|(_, entry)| entry.until < now)
            .map(|(executor, entry)| (*executor, entry.host))
            .collect();
        for (executor, host) in over {
            self.executors.remove(&executor);
            if let Some(excluded) = self.executors_on.get_mut(&host) {
                excluded.remove(&executor);
                if excluded.is_empty() {
                    self.executors_on.remove(&host);
                }
            }
            actions.notices.push(Notice::ExecutorIncluded {
                executor: cluster.executor_id(executor).clone(),
            });
        }
        let over: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, until)| **until < now)
            .map(|(host, _)| *host)
            .collect();
        for host in &over {
            self.hosts.remove(host);
            actions.notices.push(Notice::HostIncluded {
                host: cluster.host_name(*host).clone(),
            });
        }
        if !over.is_empty() {
            self.publish_hosts(cluster, actions);
        }
        self.update_next_expiry();
        true
    }

    /// A task set succeeded; its failures count from now on.
    pub(crate) fn task_set_succeeded(
        &mut self,
        now: Timestamp,
        set: &TaskSetExclusions,
        cluster: &Cluster,
        actions: &mut Actions,
    ) {
        for (executor, host, times) in set.failures() {
            let failures = self.failures.entry(executor).or_default();
            failures.extend(times.map(|time| time + self.config.timeout));
            failures.retain(|expiry| *expiry >= now);
            let count = failures.len();
            let limit = self.config.application_failed_tasks_per_executor as usize;
            if count >= limit && !self.executors.contains_key(&executor) {
                self.failures.remove(&executor);
                self.exclude_executor(now, executor, host, count, cluster, actions);
                let excluded = self.executors_on.entry(host).or_default().len();
                if excluded >= self.config.application_failed_executors_per_node as usize
                    && !self.hosts.contains_key(&host)
                {
                    self.exclude_host(now, host, excluded, cluster, actions);
                }
            }
        }
    }

    /// A map output of this executor could not be fetched.
    pub(crate) fn fetch_failed(
        &mut self,
        now: Timestamp,
        executor: ExecutorIx,
        host: HostIx,
        cluster: &Cluster,
        actions: &mut Actions,
    ) {
        if !self.config.on_fetch_failure {
            return;
        }
        if self.hosts_serve_outputs {
            if !self.hosts.contains_key(&host) {
                self.exclude_host(now, host, 1, cluster, actions);
            }
        } else if !self.executors.contains_key(&executor) {
            self.exclude_executor(now, executor, host, 1, cluster, actions);
        }
    }

    /// An executor is gone: failures that did not suffice are forgotten, its
    /// exclusion is not, since it counts for its host.
    pub(crate) fn executor_removed(&mut self, executor: ExecutorIx) {
        self.failures.remove(&executor);
    }

    /// Ends an idle executor that no task of some set may use, so that another
    /// can take its place. Asked for whether or not killing is on.
    pub(crate) fn end_idle_executor(
        &self,
        executor: ExecutorIx,
        cluster: &Cluster,
        actions: &mut Actions,
    ) {
        actions.requests.push(BackendRequest::EndExecutor {
            executor: cluster.executor_id(executor).clone(),
            end: match self.config.kill {
                KillExcluded::Decommission => ExecutorEnd::Decommission,
                KillExcluded::No | KillExcluded::Kill => ExecutorEnd::Kill,
            },
            why: WhyEnd::InTheWay,
        });
    }

    fn exclude_executor(
        &mut self,
        now: Timestamp,
        executor: ExecutorIx,
        host: HostIx,
        failures: usize,
        cluster: &Cluster,
        actions: &mut Actions,
    ) {
        let until = now + self.config.timeout;
        self.executors
            .insert(executor, ExcludedExecutor { host, until });
        self.executors_on.entry(host).or_default().insert(executor);
        self.update_next_expiry();
        let id = cluster.executor_id(executor);
        actions.notices.push(Notice::ExecutorExcluded {
            executor: id.clone(),
            failures,
        });
        if let Some(end) = self.end_excluded() {
            actions.requests.push(BackendRequest::EndExecutor {
                executor: id.clone(),
                end,
                why: WhyEnd::Excluded,
            });
        }
    }

    fn exclude_host(
        &mut self,
        now: Timestamp,
        host: HostIx,
        executors: usize,
        cluster: &Cluster,
        actions: &mut Actions,
    ) {
        self.hosts.insert(host, now + self.config.timeout);
        self.update_next_expiry();
        let name = cluster.host_name(host);
        actions.notices.push(Notice::HostExcluded {
            host: name.clone(),
            executors,
        });
        // Published before the kill, or replacements would start there.
        self.publish_hosts(cluster, actions);
        if let Some(end) = self.end_excluded() {
            actions.requests.push(BackendRequest::EndExecutorsOnHost {
                host: name.clone(),
                end,
                why: WhyEnd::HostExcluded,
            });
        }
    }

    fn publish_hosts(&self, cluster: &Cluster, actions: &mut Actions) {
        let mut hosts: Vec<Host> = self
            .hosts
            .keys()
            .map(|host| cluster.host_name(*host).clone())
            .collect();
        hosts.sort();
        actions.requests.push(BackendRequest::ExcludeHosts(hosts));
    }

    fn end_excluded(&self) -> Option<ExecutorEnd> {
        match self.config.kill {
            KillExcluded::No => None,
            KillExcluded::Kill => Some(ExecutorEnd::Kill),
            KillExcluded::Decommission => Some(ExecutorEnd::Decommission),
        }
    }

    fn update_next_expiry(&mut self) {
        self.next_expiry = self
            .executors
            .values()
            .map(|entry| entry.until)
            .chain(self.hosts.values().copied())
            .min();
    }
}
