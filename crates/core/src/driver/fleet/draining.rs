//! Executors that end once they have nothing to do: those whose agents are wanted
//! back, for maintenance, and those that are decommissioned. Pure.
//!
//! Responsible for letting each finish what it runs, with nothing more to do, and
//! for its end then. What an executor holds goes with its agent: the core makes
//! again what is still needed, elsewhere.

use super::Fleet;
use crate::backend::manager::{ClusterManager, Input};
use crate::driver::queue::{Next, Queue};
use crate::facts::Fact;
use crate::ids::{ExecutorId, Host};
use mesquite_scheduler::event::TaskSchedulerEvent;
use mesquite_scheduler::loss::{ExecutorLossReason, WhyEnd};

/// Why an executor ends after what it runs.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) why: WhyEnd,
    /// Its host, if all of it goes.
    pub(super) host: Option<Host>,
}

impl Fleet {
    /// The agent of an executor is to be freed.
    pub(in crate::driver) fn drain(&mut self, executor: ExecutorId, queue: &mut Queue) {
        let Some(host) = self.links.host(&executor).cloned() else {
            // One that has not registered has nothing to finish.
            return queue.manage(Input::End(executor));
        };
        let (why, host) = (WhyEnd::AgentWanted, Some(host));
        self.let_finish(executor, Drain { why, host }, queue);
    }

    pub(super) fn let_finish(&mut self, executor: ExecutorId, drain: Drain, queue: &mut Queue) {
        let Some(host) = self.links.host(&executor) else {
            return;
        };
        if self.draining.contains_key(&executor) {
            return;
        }
        queue.fact(Fact::ExecutorEnding {
            executor: executor.clone(),
            host: host.clone(),
            why: drain.why,
        });
        self.executors.set_ending(&executor, true);
        let host = drain.host.clone();
        self.draining.insert(executor.clone(), drain);
        queue.schedule(TaskSchedulerEvent::ExecutorDecommissioning { executor, host });
    }

    /// Ends the executors that have finished what they ran.
    pub(in crate::driver) fn end_drained(
        &mut self,
        manager: &dyn ClusterManager,
        queue: &mut Queue,
    ) {
        if self.draining.is_empty() {
            return;
        }
        let busy = |executor: &ExecutorId| match manager.fine() {
            Some(fine) => fine.tasks_on(executor) > 0,
            None => self.executors.attempts_on(executor).next().is_some(),
        };
        let all = self.draining.keys();
        let done: Vec<_> = all.filter(|it| !busy(it)).cloned().collect();
        for executor in done {
            let Some(Drain { why, host }) = self.draining.remove(&executor) else {
                continue;
            };
            queue.manage(if self.is_fine {
                Input::LetGo(executor.clone())
            } else {
                Input::End(executor.clone())
            });
            let reason = ExecutorLossReason::Decommissioned { host, why };
            queue.then(Next::Lost { executor, reason });
        }
    }
}
