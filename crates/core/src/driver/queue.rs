//! What is to be done next, and in which order. Pure.
//!
//! Responsible for the order of all that a step leads to. The driver's machines do not
//! call each other: each says here what is to follow, and the driver takes one thing
//! after the other and hands it to the machine that it concerns. Effects and journals
//! depend on the order, and this is all there is to it:
//!
//! 1. One thing is taken at a time, from the front.
//! 2. What it leads to goes before all that waited, in the order in which it was said:
//!    a thing is over, with all that followed from it, before the next one begins.
//! 3. What the cluster manager says waits behind all that: it answers in the middle of
//!    other things, and none of it is begun there.
//!
//! ```text
//!  taken ◀── what follows from what was taken last │ what waited │ what the manager said
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::effect::Effect;
use super::heard::Outcome;
use super::instruction::Instruction;
use super::rounds::AfterRound;
use super::stores;
use super::work::BlockPlace;
use crate::backend::manager::{Action, Input};
use crate::facts::{Fact, Happened};
use crate::ids::{ExecutorId, Host, ShuffleId, TaskId};
use crate::report::Sums;
use crate::tally::Tally;
use mesquite_scheduler::Event;
use mesquite_scheduler::event::{AttemptStatus, TaskSchedulerEvent};
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};

/// One thing to do.
pub(super) enum Next {
    /// Scheduling hears this.
    Scheduler(Event),
    /// Tasks wait that may find room: scheduling is offered all there is.
    Revive,
    /// Scheduling is offered the room of an executor.
    Room(ExecutorId),
    /// The cluster manager hears this.
    Manager(Input),
    /// What is left of the offers of fine mode goes back.
    SettleOffers,
    /// An executor has come, and serves what it stores.
    Came {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// Where it serves its store.
        place: BlockPlace,
    },
    /// An executor has come back.
    CameBack(ExecutorId),
    /// An executor did not come back in time.
    Absent {
        /// The executor.
        executor: ExecutorId,
        /// Why it was away.
        why: LossCause,
    },
    /// An executor is gone for good.
    Lost {
        /// The executor.
        executor: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// What an executor that is gone has left behind.
    LeftBehind {
        /// The executor.
        executor: ExecutorId,
        /// Whether its host is gone with it.
        host_gone: bool,
    },
    /// This follows for a store.
    Store(stores::Action),
    /// An attempt has ended.
    Ended {
        /// Where it ran.
        executor: ExecutorId,
        /// The attempt.
        task: TaskId,
        /// How.
        outcome: Outcome,
    },
    /// All that followed from the end of an attempt has happened.
    Forget(TaskId),
    /// This follows from a round of a loop.
    Round(AfterRound),
    /// The bounds of a shuffle by ranges are known.
    Bounded(ShuffleId, Vec<Bytes>),
    /// An executor is to hear this, if it is connected.
    Say(ExecutorId, Instruction),
    /// The shell is to do this.
    Effect(Effect),
    /// Somebody wants to know this.
    Fact(Fact),
}

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    /// Begun and not over, the next one last; behind that, in order, what follows from
    /// the last that was taken.
    stack: Vec<Next>,
    /// How many of them waited already when it was taken.
    waited: usize,
    /// What the cluster manager has said that is not done yet.
    managed: VecDeque<Action>,
    effects: Vec<Effect>,
    facts: Vec<Happened>,
    /// What those that were handed on come to.
    tally: Tally,
    tells_all: bool,
    unix_time: Duration,
}

impl Queue {
    /// Has nothing to do. Of what people are not told facts are made only if `tells_all`.
    pub(super) fn new(tells_all: bool) -> Self {
        Self {
            tells_all,
            ..Self::default()
        }
    }

    /// A step begins, at this time since the Unix epoch.
    pub(super) const fn begin(&mut self, unix_time: Duration) {
        self.unix_time = unix_time;
    }

    /// The next thing to do, but for what the manager said.
    pub(super) fn take(&mut self) -> Option<Next> {
        self.stack[self.waited..].reverse();
        let next = self.stack.pop();
        self.waited = self.stack.len();
        next
    }

    /// Whether nothing follows yet from what was taken last.
    const fn nothing_follows(&self) -> bool {
        self.stack.len() == self.waited
    }

    /// The next that the manager said, once nothing else waits.
    pub(super) fn take_managed(&mut self) -> Option<Action> {
        debug_assert!(
            self.stack.is_empty(),
            "what the manager says is not begun in the middle of something"
        );
        self.managed.pop_front()
    }

    /// What has happened in the step is handed on here, before what it leads to then.
    pub(super) fn hand_on_facts(&mut self) {
        if !self.facts.is_empty() {
            let facts = std::mem::take(&mut self.facts);
            self.tally.read(&facts);
            self.effect(Effect::Facts(facts));
        }
    }

    /// What all facts came to.
    pub(super) fn into_sums(self) -> Sums {
        self.tally.into_sums()
    }

    /// All effects of the step.
    pub(super) fn end(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// This follows.
    pub(super) fn then(&mut self, next: Next) {
        self.stack.push(next);
    }

    /// The cluster manager has said this.
    pub(super) fn managed(&mut self, actions: Vec<Action>) {
        self.managed.extend(actions);
    }

    /// Scheduling is to hear this.
    pub(super) fn schedule(&mut self, event: impl Into<Event>) {
        self.then(Next::Scheduler(event.into()));
    }

    /// Scheduling is to hear this of an attempt.
    pub(super) fn status(&mut self, task: TaskId, status: AttemptStatus) {
        self.schedule(TaskSchedulerEvent::Status { task, status });
    }

    /// The cluster manager is to hear this.
    pub(super) fn manage(&mut self, input: Input) {
        self.then(Next::Manager(input));
    }

    /// An executor is to hear this, if it is connected.
    pub(super) fn say(&mut self, executor: &ExecutorId, order: Instruction) {
        self.then(Next::Say(executor.clone(), order));
    }

    /// The shell is to do this.
    pub(super) fn effect(&mut self, effect: Effect) {
        // Nothing comes before it, so it needs not wait.
        if self.nothing_follows() {
            self.effects.push(effect);
        } else {
            self.then(Next::Effect(effect));
        }
    }

    /// Whether somebody wants to know all, and not only what people are told.
    pub(super) const fn tells_all(&self) -> bool {
        self.tells_all
    }

    /// Something happened.
    pub(super) fn fact(&mut self, fact: Fact) {
        if self.nothing_follows() {
            let at = self.unix_time;
            self.facts.push(Happened { at, fact });
        } else {
            self.then(Next::Fact(fact));
        }
    }

    /// Something happened that people are not told. If nobody wants it, it is not made.
    pub(super) fn detail(&mut self, fact: impl FnOnce() -> Option<Fact>) {
        if self.tells_all
            && let Some(fact) = fact()
        {
            self.fact(fact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all; what each thing leads to is said by its number.
    fn order(queue: &mut Queue, leads_to: impl Fn(u64) -> Vec<u64>) -> Vec<u64> {
        let mut taken = Vec::new();
        while let Some(next) = queue.take() {
            let Next::Forget(TaskId(number)) = next else {
                panic!("only these are in it");
            };
            taken.push(number);
            for number in leads_to(number) {
                queue.then(Next::Forget(TaskId(number)));
            }
        }
        taken
    }

    #[test]
    fn a_thing_is_over_with_all_that_followed_before_the_next_one_begins() {
        let mut queue = Queue::default();
        for number in [1, 2] {
            queue.then(Next::Forget(TaskId(number)));
        }
        let taken = order(&mut queue, |number| match number {
            1 => vec![11, 12],
            11 => vec![111],
            _ => vec![],
        });
        assert_eq!(taken, [1, 11, 111, 12, 2]);
    }

    #[test]
    fn what_the_manager_says_waits_until_all_else_is_done_and_keeps_its_order() {
        let note = |it: &str| Action::Idle(ExecutorId::from(it));
        let mut queue = Queue::default();
        queue.managed(vec![note("a"), note("b")]);
        queue.then(Next::Forget(TaskId(1)));
        assert_eq!(order(&mut queue, |_| vec![]), [1]);
        assert_eq!(queue.take_managed(), Some(note("a")));
        assert_eq!(queue.take_managed(), Some(note("b")));
        assert_eq!(queue.take_managed(), None);
    }

    #[test]
    fn an_effect_and_a_fact_keep_their_place_behind_what_was_said_before() {
        let mut queue = Queue::new(true);
        let effect = |name: &str| Effect::StartProcess(ExecutorId::from(name));
        queue.effect(effect("first"));
        queue.then(Next::Forget(TaskId(1)));
        queue.effect(effect("second"));
        let (task, why) = (TaskId(2), String::new());
        queue.fact(Fact::ResultLost { task, why });
        let mut taken = Vec::new();
        while let Some(next) = queue.take() {
            match next {
                Next::Effect(effect) => taken.push(format!("{effect:?}")),
                Next::Fact(_) => taken.push("fact".to_owned()),
                Next::Forget(task) => taken.push(task.to_string()),
                _ => {}
            }
        }
        assert_eq!(queue.end(), [effect("first")]);
        assert_eq!(taken[0], "1");
        assert!(taken[1].contains("second"), "{taken:?}");
        assert_eq!(taken[2], "fact");
    }
}
