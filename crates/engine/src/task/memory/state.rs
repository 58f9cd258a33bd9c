//! Who holds how much of an executor's budget, and who may have more.

use std::collections::BTreeMap;

use super::{Limits, TaskError};

/// What became of a wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// So much was taken.
    Taken(usize),
    /// Not now.
    Refused,
    /// Kept partitions have to give up so much first.
    Evict(usize),
}

/// Memory that there is not.
#[derive(Debug)]
pub(super) struct Short {
    /// All that there is for tasks.
    all: usize,
    /// What others hold.
    others: usize,
}

impl Short {
    /// As the end of a task that needs so many bytes.
    pub(super) fn error(&self, needs: usize) -> TaskError {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let (needs, all) = (mib(needs), mib(self.all));
        let cure = "set spark.executor.memory higher, or spark.executor.cores lower";
        if self.others == 0 {
            TaskError::Permanent(format!(
                "out of memory: a long record with its copies, or what packs or unpacks a file, \
                 needs {needs} MiB, and tasks of this executor have {all} MiB: {cure}"
            ))
        } else {
            TaskError::Failed(format!(
                "out of memory: a long record with its copies, or what packs or unpacks a file, \
                 needs {needs} MiB, and of the {all} MiB that tasks of this executor have, others \
                 hold {} MiB: {cure}",
                mib(self.others)
            ))
        }
    }
}

#[derive(Debug, Default)]
struct Task {
    held: usize,
    /// The most that it held.
    peak: usize,
    /// It waits for memory: it will give back nothing.
    waits: bool,
}

#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    next: u64,
    tasks: BTreeMap<u64, Task>,
    /// What tasks hold.
    taken: usize,
    /// What kept partitions hold.
    kept: usize,
    /// The task that may have more than its share.
    alone: Option<u64>,
}

impl State {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: 0,
            tasks: BTreeMap::new(),
            taken: 0,
            kept: 0,
            alone: None,
        }
    }

    pub(super) fn begin(&mut self) -> u64 {
        self.next += 1;
        self.tasks.insert(self.next, Task::default());
        self.next
    }

    pub(super) fn end(&mut self, task: u64) {
        if let Some(task) = self.tasks.remove(&task) {
            self.taken -= task.held;
        }
        if self.alone == Some(task) {
            self.alone = None;
        }
    }

    pub(super) const fn taken(&self) -> (usize, usize) {
        (self.taken, self.kept)
    }

    /// The most that a task held so far.
    pub(super) fn peak(&self, task: u64) -> usize {
        self.tasks.get(&task).map_or(0, |it| it.peak)
    }

    /// What each task is promised, whatever others do.
    fn promise(&self) -> usize {
        (self.limits.all - self.limits.kept) / (2 * self.limits.slots.max(self.tasks.len()).max(1))
    }

    /// What tasks can have: all but what kept partitions are sure of.
    fn of_tasks(&self) -> usize {
        self.limits.all - self.kept.min(self.limits.kept)
    }

    /// The most that each task may hold now.
    pub(super) fn cap(&self) -> usize {
        let slots = self.limits.slots.max(self.tasks.len()).max(1);
        let shared = self.of_tasks() - self.promise() * slots;
        self.promise() + shared / self.tasks.len().max(1)
    }

    /// What tasks were promised and do not hold, but for one of them.
    fn unclaimed(&self, but: Option<u64>) -> usize {
        let promise = self.promise();
        let idle = self.limits.slots.saturating_sub(self.tasks.len());
        let others = self.tasks.iter().filter(|(id, _)| Some(**id) != but);
        let claims = others.map(|(_, task)| promise.saturating_sub(task.held));
        idle * promise + claims.sum::<usize>()
    }

    /// Takes `best` bytes for a task, or fewer, but not fewer than `least`.
    pub(super) fn take(&mut self, task: u64, best: usize, least: usize, may_evict: bool) -> Grant {
        let held = self.tasks.get(&task).map_or(0, |it| it.held);
        let cap = self.cap();
        let promised = self.promise().saturating_sub(held);
        // Beyond its own promise it takes what nobody was promised.
        let open = (self.of_tasks())
            .saturating_sub(self.taken)
            .saturating_sub(self.unclaimed(Some(task)));
        let most = cap.saturating_sub(held).min(open.max(promised));
        if most < least {
            return Grant::Refused;
        }
        let wanted = best.min(most);
        let free = self.free();
        if free >= wanted {
            return self.give(task, wanted);
        }
        if may_evict && self.kept > self.limits.kept {
            return Grant::Evict(wanted - free);
        }
        if free >= least {
            return self.give(task, free.min(wanted));
        }
        Grant::Refused
    }

    fn free(&self) -> usize {
        self.limits.all.saturating_sub(self.taken + self.kept)
    }

    fn give(&mut self, task: u64, bytes: usize) -> Grant {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.held += bytes;
            task.peak = task.peak.max(task.held);
        }
        self.taken += bytes;
        Grant::Taken(bytes)
    }

    /// Takes so much for a task that cannot do with less. Refused is that it
    /// has to wait.
    pub(super) fn take_alone(
        &mut self,
        task: u64,
        bytes: usize,
        may_evict: bool,
    ) -> Result<Grant, Short> {
        let held = self.tasks.get(&task).map_or(0, |it| it.held);
        let short = Short {
            all: self.of_tasks(),
            others: self.taken - held,
        };
        if held + bytes > self.of_tasks() {
            return Err(Short { others: 0, ..short });
        }
        if self.alone.is_none_or(|it| it == task) {
            self.alone = Some(task);
            let free = self.free();
            if free >= bytes {
                return Ok(self.give(task, bytes));
            }
            if may_evict && self.kept > self.limits.kept {
                return Ok(Grant::Evict(bytes - free));
            }
        }
        // Somebody must be left who can give back.
        let someone = self
            .tasks
            .iter()
            .any(|(id, it)| *id != task && !it.waits && it.held > 0);
        if someone || self.alone.is_some_and(|it| it != task) {
            Ok(Grant::Refused)
        } else {
            Err(short)
        }
    }

    pub(super) fn waits(&mut self, task: u64, waits: bool) {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.waits = waits;
        }
    }

    pub(super) fn give_back(&mut self, task: u64, bytes: usize) {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.held -= bytes;
            self.taken -= bytes;
        }
    }

    /// Takes for a kept partition what nobody holds or was promised.
    pub(super) fn keep(&mut self, bytes: usize) -> bool {
        // Beyond their own part, tasks can have it back at any time.
        let sure = bytes.saturating_add(self.kept).min(self.limits.kept);
        let fits =
            self.taken + self.unclaimed(None) + sure <= self.limits.all && bytes <= self.free();
        if fits {
            self.kept += bytes;
        }
        fits
    }

    pub(super) fn forget(&mut self, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
    }
}
