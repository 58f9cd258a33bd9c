//! What is lost with an executor.
//!
//! Responsible for dropping the cached partitions and map outputs that went
//! with an executor or its host, once for each failure however many report it.
//! "Once" is told by epochs: a report that was made under an epoch no newer
//! than the failure we know of is about that same failure.

use std::collections::BTreeMap;

use super::DagScheduler;
use crate::dag_scheduler::DagNotice;
use crate::ids::{ExecutorId, Host};
use crate::loss::ExecutorLossReason;

/// Under which epoch each executor failed last.
#[derive(Debug, Default)]
pub(super) struct ExecutorEpochs {
    failed: BTreeMap<ExecutorId, u64>,
    /// The same for its map outputs, which may outlive it.
    outputs_lost: BTreeMap<ExecutorId, u64>,
}

impl ExecutorEpochs {
    /// Whether the executor is known to have failed at `epoch` or later.
    pub(super) fn failed_since(&self, executor: &ExecutorId, epoch: u64) -> bool {
        self.failed.get(executor).is_some_and(|at| epoch <= *at)
    }
}

/// Records `epoch` for the executor; whether it is news.
fn record(epochs: &mut BTreeMap<ExecutorId, u64>, executor: &ExecutorId, epoch: u64) -> bool {
    match epochs.get_mut(executor) {
        Some(known) if *known >= epoch => false,
        Some(known) => {
            *known = epoch;
            true
        }
        None => {
            epochs.insert(executor.clone(), epoch);
            true
        }
    }
}

impl DagScheduler {
    pub(super) fn executor_added(&mut self, executor: &ExecutorId) {
        self.executor_epochs.failed.remove(executor);
        self.executor_epochs.outputs_lost.remove(executor);
        self.decommissioned.remove(executor);
    }

    pub(super) fn executor_lost(&mut self, executor: &ExecutorId, reason: ExecutorLossReason) {
        let host = match reason {
            ExecutorLossReason::ProcessLost { host, .. }
            | ExecutorLossReason::Decommissioned { host, .. } => host,
            ExecutorLossReason::Exited { .. } | ExecutorLossReason::Killed => None,
        };
        let files_lost = host.is_some() || !self.config.outputs_outlive_executors;
        let epoch = self.outputs.epoch();
        self.forget_cached_partitions(executor, epoch);
        if files_lost && record(&mut self.executor_epochs.outputs_lost, executor, epoch) {
            self.forget_outputs(executor, host);
        }
        self.decommissioned.remove(executor);
    }

    /// The outputs of an executor are gone that had outlived it.
    pub(super) fn outputs_lost(&mut self, executor: &ExecutorId) {
        let epoch = self.outputs.epoch();
        if record(&mut self.executor_epochs.outputs_lost, executor, epoch) {
            self.forget_outputs(executor, None);
        }
    }

    /// An executor could not serve a map output to a task that was made under
    /// `epoch`.
    pub(super) fn source_failed(&mut self, executor: &ExecutorId, host: &Host, epoch: u64) {
        let host_goes = matches!(self.decommissioned.get(executor), Some(Some(_)));
        let whole_host = self.config.unregister_output_on_host
            && (self.config.outputs_outlive_executors || host_goes);
        self.forget_cached_partitions(executor, epoch);
        let news = record(&mut self.executor_epochs.outputs_lost, executor, epoch);
        // Outputs that moved to another host that goes as well may be reported
        // under an old epoch: each report counts then.
        if news || host_goes {
            self.forget_outputs(executor, whole_host.then(|| host.clone()));
        }
    }

    fn forget_cached_partitions(&mut self, executor: &ExecutorId, epoch: u64) {
        if record(&mut self.executor_epochs.failed, executor, epoch) {
            self.cached.remove_executor(executor);
        }
    }

    fn forget_outputs(&mut self, executor: &ExecutorId, host: Option<Host>) {
        match &host {
            Some(host) => self.outputs.remove_host(host),
            None => self.outputs.remove_executor(executor),
        }
        let epoch = self.outputs.epoch();
        self.notice(DagNotice::OutputsLost {
            executor: executor.clone(),
            host,
            epoch,
        });
    }
}
