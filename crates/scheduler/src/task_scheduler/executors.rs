//! Executors come and go, and hosts turn out to stand in racks.

use std::sync::Arc;

use super::TaskScheduler;
use crate::action::Actions;
use crate::clock::Timestamp;
use crate::cluster::{Decommission, ExecutorIx};
use crate::ids::{ExecutorId, Host};
use crate::loss::ExecutorLossReason;
use crate::task::{PersistedPartition, TaskReport};

impl TaskScheduler {
    /// An executor went away. Of one that is not known, or is gone already,
    /// nothing follows: losses are often reported twice.
    pub(super) fn executor_lost(
        &mut self,
        now: Timestamp,
        id: &ExecutorId,
        reason: ExecutorLossReason,
        actions: &mut Actions,
    ) {
        let Some(executor) = self.cluster.find_executor(id) else {
            return;
        };
        if !self.cluster.is_registered(executor) {
            return;
        }
        let host = self.cluster.host_of(executor);
        let reason = self.knowing_of_decommission(executor, reason);
        self.forget_attempts_on(executor);
        let suspects = self.cluster.running(executor);
        self.cluster.remove(executor);
        self.making.executor_lost(executor);
        for set in self.sets_by_stage() {
            self.with_set(now, set, actions, |manager, context| {
                manager.executor_lost(executor, &reason, suspects, context);
            });
        }
        if let Some(health) = &mut self.health {
            health.executor_removed(executor);
        }
        actions.reports.push(TaskReport::ExecutorLost {
            executor: id.clone(),
            host: self.cluster.host_name(host).clone(),
            reason,
        });
        actions.revive = true;
    }

    /// Whether the loss of this executor, through what it runs, would be the end of a
    /// task set: then it is worth while to know whose doing it was.
    pub fn would_give_up_for(&self, executor: &ExecutorId) -> bool {
        let Some(executor) = self.cluster.find_executor(executor) else {
            return false;
        };
        let alone = self.cluster.running(executor) == 1;
        let mut sets = self.sets.iter().flatten();
        sets.any(|manager| manager.ends_with(executor, alone, &self.config))
    }

    /// A process that was being decommissioned is not lost through the
    /// application, and may have taken its host along.
    fn knowing_of_decommission(
        &self,
        executor: ExecutorIx,
        reason: ExecutorLossReason,
    ) -> ExecutorLossReason {
        let known = self.cluster.decommission_of(executor);
        match (reason, known) {
            (ExecutorLossReason::ProcessLost { cause, host, .. }, Some(known)) => {
                let whole_host = known.whole_host.then(|| {
                    self.cluster
                        .host_name(self.cluster.host_of(executor))
                        .clone()
                });
                ExecutorLossReason::ProcessLost {
                    cause,
                    host: host.or(whole_host),
                    caused_by_app: false,
                }
            }
            (reason, _) => reason,
        }
    }

    /// Later statuses of what runs there are not listened to.
    fn forget_attempts_on(&mut self, executor: ExecutorIx) {
        for manager in self.sets.iter().flatten() {
            for task in manager.running_on(executor) {
                self.attempts.remove(&task);
            }
        }
    }

    /// An executor is being decommissioned.
    pub(super) fn executor_decommissioning(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        whole_host: bool,
        actions: &mut Actions,
    ) {
        let Some(executor) = self.cluster.find_executor(executor) else {
            return;
        };
        let state = Decommission {
            since: now,
            whole_host,
        };
        self.cluster.decommission(executor, state);
        for manager in self.sets.iter_mut().flatten() {
            manager.recompute_levels(&self.cluster);
        }
        actions.revive = true;
    }

    /// An executor keeps a partition: tasks made from it go there if they can.
    pub(super) fn partition_kept(&mut self, partition: PersistedPartition, id: &ExecutorId) {
        let Some(executor) = self.cluster.find_executor(id) else {
            return;
        };
        // News of one that is gone comes too late.
        if !self.cluster.is_registered(executor) {
            return;
        }
        self.making.keeps(partition, executor);
        for manager in self.sets.iter_mut().flatten() {
            manager.learn_kept(partition, executor, &self.cluster);
        }
    }

    /// Hosts turn out to stand in racks.
    pub(super) fn racks_known(&mut self, racks: &[(Host, Arc<str>)]) {
        let mut news = false;
        for (host, rack) in racks {
            let host = self.cluster.host(host);
            if !self.cluster.set_rack(host, rack) {
                continue;
            }
            news = true;
            let Some(rack) = self.cluster.rack_of(host) else {
                continue;
            };
            for manager in self.sets.iter_mut().flatten() {
                manager.learn_rack(host, rack);
            }
        }
        if news {
            for manager in self.sets.iter_mut().flatten() {
                manager.recompute_levels(&self.cluster);
            }
        }
    }
}
