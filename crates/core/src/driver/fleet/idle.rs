//! Executors that have nothing to do. Pure.
//!
//! Responsible for who has begun or ceased to have something to do, and for the end of one
//! that is let go. Who that is, and when, is the [`allocation`](crate::driver::allocation)'s
//! to say, and whether it holds something that somebody needs is known by others.

use std::time::Duration;

use super::Fleet;
use crate::backend::manager::Input;
use crate::driver::queue::{Next, Queue};
use crate::facts::{Fact, KeptFor};
use crate::ids::ExecutorId;
use mesquite_scheduler::loss::ExecutorLossReason;

impl Fleet {
    /// The executors of which it may have changed, since this was asked last, whether they
    /// have something to do, each with whether it has nothing.
    pub(in crate::driver) fn take_turned(&mut self) -> Vec<(ExecutorId, bool)> {
        let turned = self.executors.take_turned().into_iter();
        let known = turned.map(|it| {
            let idle = self.executors.is_idle(&it).unwrap_or(false);
            (it, idle)
        });
        known.collect()
    }

    /// The cores of an executor; none has one that is gone.
    pub(in crate::driver) fn cores_of(&self, executor: &ExecutorId) -> u64 {
        self.executors.cores_of(executor).into()
    }

    /// Whether an executor is there with nothing to do, and no other end in sight.
    pub(in crate::driver) fn may_go(&self, executor: &ExecutorId) -> bool {
        self.links.connection(executor).is_some()
            && !self.draining.contains_key(executor)
            && self.executors.is_idle(executor) == Some(true)
    }

    /// An executor without a task gets none meanwhile, or may have some again.
    pub(in crate::driver) fn hold_back(&mut self, executor: &ExecutorId, held: bool) {
        let held = held || self.draining.contains_key(executor);
        self.executors.set_ending(executor, held);
        if !held {
            self.freed.insert(executor.clone());
        }
    }

    /// An executor has to stay that has nothing to do.
    pub(in crate::driver) fn kept(&self, executor: &ExecutorId, why: KeptFor, queue: &mut Queue) {
        if let Some(host) = self.links.host(executor).cloned() {
            let executor = executor.clone();
            queue.fact(Fact::ExecutorKept {
                executor,
                host,
                why,
            });
        }
    }

    /// Ends an executor that has had nothing to do for so long.
    pub(in crate::driver) fn let_go(
        &mut self,
        executor: ExecutorId,
        idle: Duration,
        queue: &mut Queue,
    ) {
        let Some(host) = self.links.host(&executor).cloned() else {
            return;
        };
        queue.fact(Fact::ExecutorLetGo {
            executor: executor.clone(),
            host,
            idle,
        });
        self.hang_up(&executor, queue);
        queue.manage(Input::End(executor.clone()));
        let reason = ExecutorLossReason::Killed;
        queue.then(Next::Lost { executor, reason });
    }
}
