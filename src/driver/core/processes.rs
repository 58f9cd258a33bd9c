//! Executors as processes of this machine: `local-cluster`. Pure.
//!
//! Responsible for how many there are, and for starting others in the place of
//! those that die.

use std::collections::BTreeSet;

use crate::ids::ExecutorId;

/// So many executors are replaced; more deaths have a cause that a new process
/// does not remove (Spark's limit for an application's executors).
const MOST_REPLACED: u32 = 10;

/// See the module.
#[derive(Debug)]
pub struct Processes {
    wanted: u32,
    running: BTreeSet<ExecutorId>,
    started: u32,
    replaced: u32,
}

/// What follows from the end of a process.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    /// It was known to be gone.
    Nothing,
    /// This one takes its place.
    Start(ExecutorId),
    /// None takes its place; whether none is left either.
    NoMore {
        /// Whether it was the last one.
        last: bool,
    },
}

impl Processes {
    /// So many executors are wanted.
    pub const fn new(wanted: u32) -> Self {
        Self {
            wanted,
            running: BTreeSet::new(),
            started: 0,
            replaced: 0,
        }
    }

    /// The first processes.
    pub fn start(&mut self) -> Vec<ExecutorId> {
        (0..self.wanted).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> ExecutorId {
        let executor = ExecutorId::from(self.started.to_string());
        self.started += 1;
        self.running.insert(executor.clone());
        executor
    }

    /// Whether a process of this name runs.
    pub fn expects(&self, executor: &ExecutorId) -> bool {
        self.running.contains(executor)
    }

    /// A process has ended, or is given up.
    pub fn ended(&mut self, executor: &ExecutorId) -> Then {
        if !self.running.remove(executor) {
            return Then::Nothing;
        }
        if self.replaced == MOST_REPLACED {
            let last = self.running.is_empty();
            return Then::NoMore { last };
        }
        self.replaced += 1;
        Then::Start(self.next())
    }
}

/// Why no more processes are started.
pub fn too_many_deaths() -> String {
    format!("{MOST_REPLACED} executors have died; no more are started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_replaced_by_others_until_too_many_have_died() {
        let mut processes = Processes::new(2);
        let first = processes.start();
        assert_eq!(first, [ExecutorId::from("0"), "1".into()]);
        assert_eq!(processes.ended(&first[0]), Then::Start("2".into()));
        assert_eq!(processes.ended(&first[0]), Then::Nothing);
        for number in 2..11 {
            let dead = ExecutorId::from(number.to_string());
            let next = ExecutorId::from((number + 1).to_string());
            assert_eq!(processes.ended(&dead), Then::Start(next));
        }
        assert_eq!(processes.ended(&"11".into()), Then::NoMore { last: false });
        assert_eq!(processes.ended(&first[1]), Then::NoMore { last: true });
    }
}
