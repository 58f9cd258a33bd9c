//! What the cluster manager says, and what it hears of Mesos. Pure.
//!
//! Responsible for turning what a manager says into effects and news for the others, each
//! when its turn comes (see [`queue`](super::queue)). Which manager it is makes a
//! difference in fine mode alone: there tasks are the manager's, and room for them comes
//! as offers.

use super::effect::Effect;
use super::queue::Next;
use super::{Driver, Over};
use crate::backend::manager::{Action, Input};
use crate::facts::Fact;
use crate::ids::{ExecutorId, TaskId};
use crate::telling::cluster::no_hope;
use crate::wire::outcome_of;
use mesquite_mesos::subscription::Notice;
use mesquite_scheduler::event::{AttemptStatus, TaskSchedulerEvent};
use mesquite_scheduler::task::TaskEndReason;

impl Driver {
    /// Does what the manager has said.
    pub(super) fn managed(&mut self, action: Action) {
        let queue = &mut self.queue;
        match action {
            Action::Call(call) => queue.effect(Effect::Call(call)),
            Action::StartProcess(executor) => queue.effect(Effect::StartProcess(executor)),
            Action::KillProcess(executor) => queue.effect(Effect::KillProcess(executor)),
            // What is left of the room goes back.
            Action::Offer(offers) => {
                self.fleet.offered(&offers);
                let all_free = true;
                queue.schedule(TaskSchedulerEvent::Offers { offers, all_free });
                queue.then(Next::SettleOffers);
            }
            Action::Ended {
                executor,
                task,
                outcome,
                message,
            } => {
                let outcome = outcome_of(&outcome, message);
                self.ended(&executor, task, outcome);
            }
            Action::TaskLost { task, message } => {
                let why = message.clone();
                queue.fact(Fact::AttemptLost { task, why });
                self.not_its_fault(task, message);
            }
            Action::NotLaunched { task, reason } => self.not_its_fault(task, reason),
            Action::ExecutorLost { executor, reason } => {
                queue.then(Next::Lost { executor, reason });
            }
            Action::Idle(executor) => {
                if !self.is_needed(&executor) {
                    self.fleet.hang_up(&executor, &mut self.queue);
                    self.queue.manage(Input::LetGo(executor));
                }
            }
            Action::Drain(executor) => self.fleet.drain(executor, queue),
            Action::Racks(racks) => queue.schedule(TaskSchedulerEvent::RacksKnown(racks)),
            Action::Hopeless(why) => {
                self.over.get_or_insert(Over::Dying(no_hope(&why)));
            }
            Action::Told(fact) if fact.is_detail() => {
                queue.detail(|| Some(Fact::Cluster(fact)));
            }
            Action::Told(fact) => queue.fact(Fact::Cluster(fact)),
        }
    }

    /// An attempt is over that did nothing wrong; nor did its executor.
    fn not_its_fault(&mut self, task: TaskId, reason: String) {
        let reason = reason.into();
        self.queue
            .status(task, AttemptStatus::ended(TaskEndReason::Killed { reason }));
    }

    /// Whether an executor has something that somebody may still want.
    pub(super) fn is_needed(&self, executor: &ExecutorId) -> bool {
        let dag = self.core.dag();
        let outputs = dag.map_outputs();
        let mut stores = self.stores.served_by(executor);
        stores.any(|store| outputs.holds(store)) || dag.cached_locations().holds(executor)
    }

    /// Mesos said something.
    pub(super) fn heard_of_mesos(&mut self, notice: Notice) {
        let queue = &mut self.queue;
        match notice {
            Notice::Subscribed { endpoint, .. } => {
                queue.manage(Input::Subscribed);
                let endpoint = endpoint.to_string();
                queue.fact(Fact::Subscribed { endpoint });
            }
            Notice::Event(event) => queue.manage(Input::Event(event)),
            Notice::Disconnected { why } => {
                queue.manage(Input::Disconnected);
                queue.fact(Fact::MasterLost { why });
            }
            Notice::Failing { why } => queue.fact(Fact::MasterUnreachable { why }),
            Notice::Ended(end) => self.over = Some(Over::Removed(end.to_string())),
        }
    }
}
