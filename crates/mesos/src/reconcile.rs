//! When to ask the master what became of tasks. Pure.
//!
//! Responsible for the algorithm of Mesos's reconciliation guide: after each
//! subscription all tasks that are not over are asked about, those without an
//! answer again after a pause that doubles, until each was heard of; and now and
//! then all are asked about afresh, along with those that the master knows and we
//! do not. Both backends of Mesos own one; what an answer means is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::call::Call;
use crate::clock::Timestamp;
use crate::ids::{AgentId, MesosTaskId};

/// The first pause. Answers of a master that knows take milliseconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A master does not answer for agents that have still to register again, which
/// may take them ten minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// All are asked about afresh so often, as the guide advises: events may be
/// lost between a master and a framework without either noticing.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// What to ask.
#[derive(Debug, PartialEq, Eq)]
enum Ask {
    /// What became of these.
    About(Vec<MesosTaskId>),
    /// Which tasks the master knows, and what became of all of ours.
    Everything,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Reconciliation {
    unanswered: BTreeSet<MesosTaskId>,
    pause: Duration,
    ask_at: Option<Timestamp>,
    everything_at: Option<Timestamp>,
}

impl Reconciliation {
    /// Begins afresh with these tasks; a run that is under way is given up. The
    /// first question is due at once.
    pub fn begin(&mut self, now: Timestamp, tasks: impl IntoIterator<Item = MesosTaskId>) {
        self.unanswered = tasks.into_iter().collect();
        self.pause = FIRST_PAUSE;
        self.ask_at = (!self.unanswered.is_empty()).then_some(now);
        self.everything_at = Some(now + INTERVAL);
    }

    /// The subscription is lost: nothing can be asked.
    pub fn pause(&mut self) {
        *self = Self::default();
    }

    /// Something was heard of a task, or it is of no interest any more.
    pub fn heard(&mut self, task: &MesosTaskId) {
        if self.unanswered.remove(task) && self.unanswered.is_empty() {
            self.ask_at = None;
        }
    }

    /// When [`calls`](Self::calls) has something to say, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.ask_at.into_iter().chain(self.everything_at).min()
    }

    /// The calls that are due now. `ours` are all tasks that are not over, each with
    /// its agent.
    pub fn calls<'a>(
        &mut self,
        now: Timestamp,
        ours: impl Fn() -> BTreeMap<MesosTaskId, &'a AgentId>,
    ) -> Vec<Call> {
        let mut calls = Vec::new();
        while let Some(ask) = self.due(now) {
            let ours = ours();
            let tasks = match ask {
                Ask::Everything => {
                    self.begin(now, ours.into_keys());
                    Vec::new()
                }
                Ask::About(tasks) => tasks
                    .into_iter()
                    .map(|id| {
                        let agent = ours.get(&id).map(|it| (*it).clone());
                        (id, agent)
                    })
                    .collect(),
            };
            calls.push(Call::Reconcile { tasks });
        }
        calls
    }

    /// What to ask now, if anything.
    fn due(&mut self, now: Timestamp) -> Option<Ask> {
        if self.everything_at.is_some_and(|at| at <= now) {
            self.everything_at = Some(now + INTERVAL);
            return Some(Ask::Everything);
        }
        if self.ask_at.is_none_or(|at| at > now) {
            return None;
        }
        self.ask_at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Some(Ask::About(self.unanswered.iter().cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tasks(ids: &[&str]) -> Vec<MesosTaskId> {
        ids.iter().map(|id| MesosTaskId::new(*id)).collect()
    }

    #[test]
    fn only_those_without_an_answer_are_asked_about_again_and_less_and_less_often() {
        let mut now = Timestamp::ZERO;
        let mut run = Reconciliation::default();
        assert_eq!((run.next_deadline(), run.due(now)), (None, None));
        run.begin(now, tasks(&["a", "b", "c"]));
        assert_eq!(run.due(now), Some(Ask::About(tasks(&["a", "b", "c"]))));
        assert_eq!(run.due(now), None);
        run.heard(&"b".into());
        run.heard(&"unknown".into());
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let before = now;
            now = run.next_deadline().expect("it waits for answers");
            pauses.push((now - before).as_secs());
            assert_eq!(run.due(now), Some(Ask::About(tasks(&["a", "c"]))));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        run.heard(&"a".into());
        run.heard(&"c".into());
        assert_eq!(run.next_deadline(), Some(Timestamp::ZERO + INTERVAL));
    }

    #[test]
    fn now_and_then_everything_is_asked_about() {
        let mut run = Reconciliation::default();
        run.begin(Timestamp::ZERO, []);
        let at = run.next_deadline().expect("it goes on");
        assert_eq!(run.due(at), Some(Ask::Everything));
        assert_eq!(run.next_deadline(), Some(at + INTERVAL));
        run.pause();
        assert_eq!(run.next_deadline(), None);
    }

    proptest! {
        #[test]
        fn it_asks_until_each_task_was_heard_of(answers in prop::collection::vec(0_usize..6, 0..40)) {
            let all = ["0", "1", "2", "3", "4", "5"];
            let mut left: BTreeSet<_> = tasks(&all).into_iter().collect();
            let mut now = Timestamp::ZERO;
            let mut run = Reconciliation::default();
            run.begin(now, tasks(&all));
            for answer in answers {
                match run.due(now) {
                    Some(Ask::About(asked)) => {
                        prop_assert_eq!(&asked, &left.iter().cloned().collect::<Vec<_>>());
                    }
                    Some(Ask::Everything) => {}
                    None => prop_assert!(left.is_empty()),
                }
                let task = MesosTaskId::new(all[answer]);
                run.heard(&task);
                left.remove(&task);
                now = run.next_deadline().expect("there is always a next time");
            }
        }
    }
}
