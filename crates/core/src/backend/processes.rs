//! Executors as processes of this machine: `local-cluster`. Pure.
//!
//! Responsible for how many there are, and for starting others in the place of
//! those that die. How often a task may take its executor along is limited by the
//! failures that a task may have; what is limited here are deaths that no task
//! is to blame for.

use std::collections::BTreeSet;
use std::time::Duration;

use super::manager::{Action, ClusterManager, Input, Launched};
use super::threads::THIS_HOST;
use crate::clock::Timestamp;
use crate::facts::cluster::{ClusterFact, NoHope};
use crate::ids::{ExecutorId, Host};

/// So many deaths in a row before any task began have a cause that a new process
/// does not remove (Spark's limit for an application's executors).
const MOST_FRUITLESS: u32 = 10;

/// See the module.
#[derive(Debug)]
pub struct Processes {
    wanted: u32,
    cores: u32,
    running: BTreeSet<ExecutorId>,
    started: u32,
    /// Those that were told to end.
    ending: BTreeSet<ExecutorId>,
    /// Those that have begun a task.
    worked: BTreeSet<ExecutorId>,
    /// Deaths in a row of executors that had not.
    fruitless: u32,
}

impl Processes {
    /// So many executors are wanted, each with so many cores.
    pub const fn new(wanted: u32, cores: u32) -> Self {
        Self {
            wanted,
            cores,
            running: BTreeSet::new(),
            started: 0,
            ending: BTreeSet::new(),
            worked: BTreeSet::new(),
            fruitless: 0,
        }
    }

    fn next(&mut self) -> Action {
        let executor = ExecutorId::from(self.started.to_string());
        self.started += 1;
        self.running.insert(executor.clone());
        Action::StartProcess(executor)
    }

    /// A process has ended, or is given up: only its connection may be gone.
    fn ended(&mut self, executor: ExecutorId) -> Vec<Action> {
        if !self.running.remove(&executor) {
            return Vec::new();
        }
        let asked = self.ending.remove(&executor);
        let worked = self.worked.remove(&executor);
        if !asked && !worked {
            self.fruitless += 1;
        }
        let mut actions = vec![Action::KillProcess(executor)];
        if self.fruitless < MOST_FRUITLESS {
            actions.push(self.next());
            return actions;
        }
        let no_hope = NoHope::ExecutorsDied {
            deaths: MOST_FRUITLESS,
        };
        actions.push(Action::Told(ClusterFact::NoMoreExecutors(no_hope.clone())));
        if self.running.is_empty() {
            actions.push(Action::Hopeless(no_hope));
        }
        actions
    }
}

impl ClusterManager for Processes {
    fn handle(&mut self, _now: Timestamp, _unix_time: Duration, input: Input) -> Vec<Action> {
        match input {
            Input::Started => (0..self.wanted).map(|_| self.next()).collect(),
            Input::GivenUp(executor) => self.ended(executor),
            Input::End(executor) => {
                // Its replacement follows when its process has ended.
                self.ending.insert(executor.clone());
                vec![Action::KillProcess(executor)]
            }
            Input::Subscribed
            | Input::Disconnected
            | Input::Event(_)
            | Input::Refused(..)
            | Input::Wanted { .. }
            | Input::Revive
            | Input::Registered(_)
            | Input::LetGo(_)
            | Input::Kill(_)
            | Input::ExcludeHosts(_)
            | Input::Released
            | Input::Tick => Vec::new(),
        }
    }

    fn works(&mut self, executor: &ExecutorId) {
        self.fruitless = 0;
        if !self.worked.contains(executor) {
            self.worked.insert(executor.clone());
        }
    }

    fn launched(&self, executor: &ExecutorId) -> Option<Launched> {
        self.running.contains(executor).then(|| Launched {
            host: Host::from(THIS_HOST),
            cores: Some(self.cores),
            agent: None,
            resources: Vec::new(),
        })
    }

    fn was_to_end(&self, executor: &ExecutorId) -> bool {
        self.ending.contains(executor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(processes: &mut Processes, input: Input) -> Vec<Action> {
        processes.handle(Timestamp::ZERO, Duration::ZERO, input)
    }

    fn dies(processes: &mut Processes, executor: &str) -> Vec<Action> {
        handle(processes, Input::GivenUp(executor.into()))
    }

    fn start(executor: &str) -> Action {
        Action::StartProcess(executor.into())
    }

    fn kill(executor: &str) -> Action {
        Action::KillProcess(executor.into())
    }

    #[test]
    fn the_dead_are_replaced_by_others_until_too_many_have_died() {
        let mut processes = Processes::new(2, 1);
        let first = handle(&mut processes, Input::Started);
        assert_eq!(first, [start("0"), start("1")]);
        assert_eq!(dies(&mut processes, "0"), [kill("0"), start("2")]);
        assert_eq!(dies(&mut processes, "0"), []);
        for number in 2..10 {
            let (dead, next) = (number.to_string(), (number + 1).to_string());
            assert_eq!(dies(&mut processes, &dead), [kill(&dead), start(&next)]);
        }
        let no_hope = || NoHope::ExecutorsDied {
            deaths: MOST_FRUITLESS,
        };
        let warn = || Action::Told(ClusterFact::NoMoreExecutors(no_hope()));
        assert_eq!(dies(&mut processes, "10"), [kill("10"), warn()]);
        let hopeless = Action::Hopeless(no_hope());
        assert_eq!(dies(&mut processes, "1"), [kill("1"), warn(), hopeless]);
    }

    #[test]
    fn executors_that_die_of_their_tasks_or_are_told_to_end_are_replaced_for_ever() {
        let mut processes = Processes::new(1, 1);
        let _ = handle(&mut processes, Input::Started);
        for round in 0..100 {
            let executor = ExecutorId::from(round.to_string());
            assert_eq!(
                processes.launched(&executor).and_then(|it| it.cores),
                Some(1)
            );
            if round % 2 == 0 {
                processes.works(&executor);
            } else {
                let end = handle(&mut processes, Input::End(executor.clone()));
                assert_eq!(end, [kill(executor.as_str())]);
                assert!(processes.was_to_end(&executor));
            }
            let then = dies(&mut processes, executor.as_str());
            assert_eq!(
                then,
                [kill(executor.as_str()), start(&(round + 1).to_string())]
            );
        }
    }
}
