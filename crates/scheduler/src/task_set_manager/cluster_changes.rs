//! What it means for the set that executors and hosts come and go.

use std::sync::Arc;

use super::kept::AttemptState;
use super::{Context, TaskSetManager};
use crate::cluster::{Cluster, ExecutorIx, HostIx, RackIx};
use crate::ids::TaskId;
use crate::locality::LocalityLevel;
use crate::loss::ExecutorLossReason;
use crate::pending::ListKey;
use crate::task::{PersistedPartition, StageKind, TaskEndReason};

impl ExecutorLossReason {
    /// Whether the loss counts as a failure of the attempts that ran there.
    fn is_caused_by_app(&self) -> bool {
        match self {
            Self::Exited { caused_by_app, .. } | Self::ProcessLost { caused_by_app, .. } => {
                *caused_by_app
            }
            Self::Killed | Self::Decommissioned { .. } => false,
        }
    }
}

impl TaskSetManager {
    /// Executors came or are being decommissioned: other levels may be valid.
    pub(crate) fn recompute_levels(&mut self, cluster: &Cluster) {
        if !self.zombie {
            self.delay.set_levels(self.pending.valid_levels(cluster));
        }
    }

    /// An executor keeps a partition: the tasks that would make it too are at
    /// home there.
    pub(crate) fn learn_kept(
        &mut self,
        partition: PersistedPartition,
        executor: ExecutorIx,
        cluster: &Cluster,
    ) {
        let makers: Vec<_> = self.to_keep.makers(partition).collect();
        let mut news = false;
        for index in makers {
            if self.tasks[index as usize].waits() {
                self.pending.also_at(ListKey::executor(executor), index);
                let listed = self.tasks[index as usize].listed;
                self.relist(index, listed.with(LocalityLevel::ProcessLocal));
                news = true;
            }
        }
        if news {
            self.recompute_levels(cluster);
        }
    }

    /// It became known in which rack a host stands.
    pub(crate) fn learn_rack(&mut self, host: HostIx, rack: RackIx) {
        for index in self.pending.learn_rack(host, rack) {
            let listed = self.tasks[index as usize].listed;
            self.relist(index, listed.with(LocalityLevel::RackLocal));
        }
        let _ = self.copies.learn_rack(host, rack);
    }

    /// The attempts that hold or held room on an executor and are not over.
    pub(crate) fn running_on(&self, executor: ExecutorIx) -> impl Iterator<Item = TaskId> {
        self.attempts_on(executor)
            .into_iter()
            .filter_map(|attempt| {
                let attempt = &self.attempts[attempt as usize];
                attempt.is_running().then_some(attempt.task)
            })
    }

    /// An executor is gone, and with it what runs there, and the map outputs
    /// that it held unless they outlive it. So many attempts ran there in all.
    pub(crate) fn executor_lost(
        &mut self,
        executor: ExecutorIx,
        reason: &ExecutorLossReason,
        suspects: u32,
        context: &mut Context<'_>,
    ) {
        let attempts = self.attempts_on(executor);
        let told = Arc::new(reason.clone());
        let outputs_lost = matches!(self.kind, StageKind::ShuffleMap(_))
            && (!context.config.outputs_outlive_executors
                || matches!(reason, ExecutorLossReason::Decommissioned { .. }));
        if outputs_lost && !self.zombie {
            for attempt in &attempts {
                self.output_lost(*attempt, context);
            }
        }
        for attempt in attempts {
            let entry = &self.attempts[attempt as usize];
            if !entry.is_running() {
                continue;
            }
            // An attempt that never started cannot have brought it down, unless it is
            // known that one of them did (Spark's rule); nor can one that was done.
            let known = matches!(reason, ExecutorLossReason::Exited { .. });
            let may_be_to_blame = match entry.state {
                AttemptState::Launching => known,
                AttemptState::Fetching => false,
                AttemptState::Running | AttemptState::Succeeded | AttemptState::Ended => true,
            };
            let caused_by_app = reason.is_caused_by_app() && may_be_to_blame;
            let lost = TaskEndReason::ExecutorLost {
                caused_by_app,
                reason: Arc::clone(&told),
            };
            self.ran_beside(attempt, suspects);
            self.failed(attempt, lost, context);
        }
        self.last_on_executor.remove(&executor);
        self.recompute_levels(context.cluster);
    }

    /// The output of a successful attempt is gone: its task waits again.
    fn output_lost(&mut self, attempt: u32, context: &mut Context<'_>) {
        let entry = &mut self.attempts[attempt as usize];
        let index = entry.index;
        if entry.state != AttemptState::Succeeded || !self.tasks[index as usize].successful {
            return;
        }
        entry.state = AttemptState::Ended;
        self.change(index, |task| task.successful = false);
        self.successful -= 1;
        if self.barrier {
            // Its tasks only run together, so the stage must start over.
            self.zombie = true;
        }
        self.list(index, context.cluster);
        self.rewatch(index);
        let report = self.ended_report(attempt, context.cluster, TaskEndReason::Resubmitted);
        context.actions.reports.push(report);
    }
}
