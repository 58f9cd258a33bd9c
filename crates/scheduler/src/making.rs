//! Which persisted partitions attempts are making, and who keeps which. Pure.
//!
//! Responsible for letting task sets that are made from one persisted dataset
//! make each partition once: while an attempt makes one, tasks of others that
//! would make it too are held back. They wait only for what runs, and an attempt
//! that runs ends, so nobody waits for ever; when it ends without having kept
//! the partition, the next one makes it. The task scheduler tells it what begins
//! and ends and asks it; a task set asks before it chooses a task.

use std::cell::Cell;

use rustc_hash::FxHashMap;

use super::cluster::ExecutorIx;
use super::task::PersistedPartition;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// How many attempts run that would make each.
    running: FxHashMap<PersistedPartition, u32>,
    kept: FxHashMap<PersistedPartition, Vec<ExecutorIx>>,
    /// Whether a task was held back since an attempt ended last.
    held_back: Cell<bool>,
}

impl Making {
    /// Whether a task that would make these has to wait.
    pub(super) fn holds_back(&self, partitions: &[PersistedPartition]) -> bool {
        let waits = partitions
            .iter()
            .any(|it| self.running.contains_key(it) && !self.kept.contains_key(it));
        if waits {
            self.held_back.set(true);
        }
        waits
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, partitions: &[PersistedPartition]) {
        for partition in partitions {
            *self.running.entry(*partition).or_default() += 1;
        }
    }

    /// An attempt has ended; whether tasks can go on that were held back.
    pub(super) fn end(&mut self, partitions: &[PersistedPartition]) -> bool {
        for partition in partitions {
            if let Some(count) = self.running.get_mut(partition) {
                *count -= 1;
                if *count == 0 {
                    self.running.remove(partition);
                }
            }
        }
        !partitions.is_empty() && self.held_back.replace(false)
    }

    /// An executor keeps a partition.
    pub(super) fn keeps(&mut self, partition: PersistedPartition, executor: ExecutorIx) {
        let keepers = self.kept.entry(partition).or_default();
        if !keepers.contains(&executor) {
            keepers.push(executor);
        }
    }

    /// An executor keeps a partition no longer.
    pub(super) fn dropped(&mut self, partition: PersistedPartition, executor: ExecutorIx) {
        if let Some(keepers) = self.kept.get_mut(&partition) {
            keepers.retain(|it| *it != executor);
            if keepers.is_empty() {
                self.kept.remove(&partition);
            }
        }
    }

    /// An executor is gone, with what it kept.
    pub(super) fn executor_lost(&mut self, executor: ExecutorIx) {
        self.kept.retain(|_, keepers| {
            keepers.retain(|it| *it != executor);
            !keepers.is_empty()
        });
    }

    /// Whether nothing is being made.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

/// What the tasks of a set would make that executors keep, end to end.
#[derive(Debug, Default)]
pub(super) struct ToKeep {
    /// Empty if no task makes any.
    ends: Vec<u32>,
    partitions: Vec<PersistedPartition>,
    /// The tasks that make each, in order.
    tasks: Vec<(PersistedPartition, u32)>,
}

impl ToKeep {
    /// Of all tasks, in their order.
    pub(super) fn of_all<'a>(all: impl Iterator<Item = &'a [PersistedPartition]>) -> Self {
        let mut to_keep = Self::default();
        for (task, partitions) in (0..).zip(all) {
            to_keep.partitions.extend(partitions);
            to_keep
                .tasks
                .extend(partitions.iter().map(|it| (*it, task)));
            let end = u32::try_from(to_keep.partitions.len());
            to_keep.ends.push(end.expect("fewer than 2^32 partitions"));
        }
        if to_keep.partitions.is_empty() {
            return Self::default();
        }
        to_keep.tasks.sort_unstable();
        to_keep
    }

    /// What a task would make.
    pub(super) fn of(&self, task: u32) -> &[PersistedPartition] {
        let task = task as usize;
        if self.ends.is_empty() {
            return &[];
        }
        let start = match task {
            0 => 0,
            _ => self.ends[task - 1],
        };
        &self.partitions[start as usize..self.ends[task] as usize]
    }

    /// The tasks that would make a partition.
    pub(super) fn makers(&self, partition: PersistedPartition) -> impl Iterator<Item = u32> {
        let first = self.tasks.partition_point(|(it, _)| *it < partition);
        let from = self.tasks[first..].iter();
        from.take_while(move |(it, _)| *it == partition)
            .map(|(_, task)| *task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DatasetId, Partition};

    #[test]
    fn tasks_are_found_by_what_they_make() {
        let part = |number| (DatasetId(1), Partition(number));
        let all = [vec![part(1)], vec![], vec![part(0), part(1)]];
        let to_keep = ToKeep::of_all(all.iter().map(Vec::as_slice));
        for (task, partitions) in (0..).zip(&all) {
            assert_eq!(to_keep.of(task), partitions);
        }
        let makers = |number| to_keep.makers(part(number)).collect::<Vec<_>>();
        assert_eq!(
            (makers(0), makers(1), makers(2)),
            (vec![2], vec![0, 2], vec![])
        );
        let none = ToKeep::of_all([&[] as &[_]; 3].into_iter());
        assert_eq!(none.of(2), []);
        assert_eq!(none.makers(part(0)).count(), 0);
    }
}
