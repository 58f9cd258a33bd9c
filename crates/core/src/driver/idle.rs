//! What is wanted of the cluster, and executors that have nothing to do. Pure.
//!
//! Responsible for telling the cluster manager what tasks could use, and for letting executors
//! go: the [`allocation`](super::allocation) says when, the others what an executor holds.
//! Outputs that somebody may still read are handed over to another executor on the host
//! first; where there is none, or partitions are persisted, it stays. Nothing is lost by it.

use std::time::Duration;

use super::Driver;
use super::allocation::{Allocation, Load, There, Wanted, cores_for};
use crate::backend::manager::Input;
use crate::facts::KeptFor;
use crate::ids::ExecutorId;

/// An executor whose result is being fetched, or that is away, is looked at again after so
/// long.
const SOON: Duration = Duration::from_millis(100);

/// What becomes of an executor that could go.
enum Fate {
    Goes,
    /// It stays for this; until it has had nothing to do for so long, if there is such
    /// a time.
    Stays(KeptFor, Option<Duration>),
    /// It is asked about again.
    Later,
    /// Its outputs are on their way to another one.
    HandsOver,
}

impl Driver {
    /// Tells where executors come from how many could be used.
    pub(super) fn tell_wanted(&mut self) {
        let tasks = self.core.tasks();
        let load = Load {
            waiting: tasks.waiting(),
            running: tasks.running(),
            cores: tasks.cores(),
        };
        let waiting = load.waiting;
        let wanted = match &mut self.allocation {
            Some(allocation) => allocation.wanted(self.now, load, self.fleet.there()),
            None => {
                let There { executors, cores } = self.fleet.there();
                let of_one = cores / executors.max(1);
                let cpus = u64::from(self.task_cpus);
                Wanted {
                    cores: cores_for(
                        (waiting + load.running, load.cores),
                        of_one,
                        cpus,
                        self.named,
                    ),
                    least: 0,
                    most: u64::MAX,
                }
            }
        };
        let wanted = Some((waiting, wanted));
        if std::mem::replace(&mut self.wanted, wanted) != wanted
            && let Some((waiting, Wanted { cores, least, most })) = wanted
        {
            let executors = least..=most.max(least);
            self.queue.manage(Input::Wanted {
                waiting,
                cores,
                executors,
            });
        }
    }

    /// Lets go of the executors that have had nothing to do for long.
    pub(super) fn let_idle_go(&mut self) {
        let Some(allocation) = &mut self.allocation else {
            return;
        };
        for (executor, idle) in self.fleet.take_turned() {
            if idle {
                allocation.idles(self.now, executor);
            } else {
                allocation.works(&executor);
            }
        }
        while let Some((executor, idle)) = self.next_to_go() {
            let fate = self.fate_of(&executor, idle);
            let (now, queue) = (self.now, &mut self.queue);
            let Some(allocation) = &mut self.allocation else {
                return;
            };
            match fate {
                Fate::Goes => {
                    allocation.works(&executor);
                    self.fleet.let_go(executor, idle, queue);
                }
                Fate::HandsOver => {
                    allocation.stays(now, &executor, None, None);
                    self.fleet.hold_back(&executor, true);
                }
                Fate::Later => {
                    allocation.stays(now, &executor, Some(idle + SOON), None);
                }
                Fate::Stays(why, for_long) => {
                    if allocation.stays(now, &executor, for_long, Some(why)) {
                        self.fleet.kept(&executor, why, queue);
                    }
                }
            }
            self.settle();
        }
    }

    fn next_to_go(&self) -> Option<(ExecutorId, Duration)> {
        let cores_of = |executor: &ExecutorId| self.fleet.cores_of(executor);
        let allocation = self.allocation.as_ref()?;
        allocation.next_to_go(self.now, self.fleet.there(), cores_of)
    }

    fn fate_of(&mut self, executor: &ExecutorId, idle: Duration) -> Fate {
        let Some(config) = self.allocation.as_ref().map(Allocation::config) else {
            return Fate::Later;
        };
        if !self.fleet.may_go(executor) || self.attempts.keeps_result(executor) {
            return Fate::Later;
        }
        let is_over = |limit: Option<Duration>| limit.is_some_and(|it| it <= idle);
        let dag = self.core.dag();
        if dag.cached_locations().holds(executor) && !is_over(config.idle_with_partitions) {
            return Fate::Stays(KeptFor::Partitions, config.idle_with_partitions);
        }
        let outputs = dag.map_outputs();
        let needed = |store: &ExecutorId| outputs.holds(store);
        if is_over(config.idle_with_outputs) || !self.stores.served_by(executor).any(needed) {
            return Fate::Goes;
        }
        let for_long = config.idle_with_outputs;
        match self.stores.hand_over(executor, needed) {
            Some(actions) => {
                self.stores_say(actions);
                Fate::HandsOver
            }
            None => Fate::Stays(KeptFor::Outputs, for_long),
        }
    }

    /// What an executor had is served by another one, or cannot be.
    pub(super) fn handed_over(&mut self, executor: &ExecutorId, all: bool) {
        self.fleet.hold_back(executor, false);
        if let Some(allocation) = &mut self.allocation
            && all
        {
            allocation.ask_again_of(executor);
        }
    }

    /// What executors are kept for may be needed no more.
    pub(super) fn ask_of_idle_again(&mut self) {
        if let Some(allocation) = &mut self.allocation {
            allocation.ask_again();
        }
    }
}
