//! Executors whose agents are wanted back, for maintenance. Pure.
//!
//! Responsible for letting each finish what it runs, with nothing more to do, and
//! for its end then. What it holds goes with its agent: the core makes again what
//! is still needed, elsewhere.

use super::Driver;
use super::fleet::Fleet;
use crate::backend::{mesos_coarse, mesos_fine};
use crate::ids::ExecutorId;
use crate::scheduler::event::TaskSchedulerEvent;
use crate::scheduler::task::ExecutorLossReason;

impl Driver {
    /// The agent of an executor is to be freed.
    pub(super) fn drain(&mut self, executor: ExecutorId) {
        let Some(host) = self.links.get(&executor).map(|it| it.host().clone()) else {
            // One that has not registered has nothing to finish.
            return self.tell_coarse(mesos_coarse::Input::End(executor));
        };
        if self.draining.insert(executor.clone()) {
            self.note(format!(
                "executor {executor} on {host} ends after what it runs: its agent is wanted back"
            ));
            self.executors.set_ending(&executor);
            self.feed(TaskSchedulerEvent::ExecutorDecommissioning {
                executor,
                host: Some(host),
            });
        }
    }

    /// Ends the executors that have finished what they ran.
    pub(super) fn end_drained(&mut self) {
        if self.draining.is_empty() {
            return;
        }
        let busy = |executor: &ExecutorId| match &self.fleet {
            Fleet::Fine(backend) => backend.tasks_on(executor) > 0,
            _ => self.executors.attempts_on(executor).next().is_some(),
        };
        let all = self.draining.iter();
        let done: Vec<_> = all.filter(|it| !busy(it)).cloned().collect();
        for executor in done {
            self.draining.remove(&executor);
            let host = self.links.get(&executor).map(|it| it.host().clone());
            if self.fleet.is_fine() {
                self.tell_fine(mesos_fine::Input::LetGo(executor.clone()));
            } else {
                self.tell_coarse(mesos_coarse::Input::End(executor.clone()));
            }
            let message = "its agent is wanted back".into();
            let reason = ExecutorLossReason::Decommissioned { host, message };
            self.executor_lost(&executor, reason);
        }
    }
}
