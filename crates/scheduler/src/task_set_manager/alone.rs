//! Tasks that are tried once more with an executor of their own.
//!
//! Responsible for which tasks these are. When an executor ends through what it
//! ran, all that ran there is suspect, and mostly one of many is to blame. So no
//! task is given up for a lost executor unless it ran there alone: its last
//! attempt does. What is only suspected excludes executors and hosts too, as long
//! as there are others; it leads to no set being given up.

use super::TaskSetManager;
use super::kept::AttemptState;
use crate::cluster::{ExecutorIx, HostIx};
use crate::config::TaskSchedulerConfig;

impl TaskSetManager {
    /// Whether the executor that an attempt lost is to count against its task. If
    /// others may be to blame and it would be the end of the set, it does not.
    pub(super) fn loss_counts(&mut self, attempt: u32, config: &TaskSchedulerConfig) -> bool {
        let entry = &self.attempts[attempt as usize];
        let (index, alone) = (entry.index, entry.alone);
        // Whoever wants no second attempts gets none; a barrier set has no task alone.
        if self.barrier || config.max_task_failures == 1 {
            return true;
        }
        let failures = u32::from(self.tasks[index as usize].failures);
        // Also after one that was alone by chance: its last attempt is to take nobody along.
        if failures + 2 >= config.max_task_failures && !self.alone.contains(&index) {
            self.alone.push(index);
        }
        alone || failures + 1 < config.max_task_failures
    }

    /// So many attempts, of all sets, held room on an executor that is lost now. If it
    /// was this one only, nobody else is to blame.
    pub(super) fn ran_beside(&mut self, attempt: u32, suspects: u32) {
        let attempt = &mut self.attempts[attempt as usize];
        // One whose result is being fetched holds none, and is none of them.
        attempt.alone |= suspects == 1 && attempt.state != AttemptState::Fetching;
    }

    /// Whether the loss of an executor would be the last failure of a task that runs
    /// there, maybe as the only one.
    pub(crate) fn ends_with(
        &self,
        executor: ExecutorIx,
        alone: bool,
        config: &TaskSchedulerConfig,
    ) -> bool {
        let strict = self.barrier || config.max_task_failures == 1;
        let mut attempts = self.attempts_on(executor).into_iter();
        attempts.any(|attempt| {
            let attempt = &self.attempts[attempt as usize];
            let failures = u32::from(self.tasks[attempt.index as usize].failures);
            let last = failures + 1 >= config.max_task_failures;
            attempt.is_running() && last && (alone || attempt.alone || strict) && !self.zombie
        })
    }

    /// Forgets the failures that others may be to blame for, since a task can run
    /// nowhere for them: it runs alone from now on. False if there were none.
    pub(crate) fn forget_suspicions(&mut self, index: u32) -> bool {
        if self.exclusions == self.proven {
            return false;
        }
        self.exclusions.clone_from(&self.proven);
        if !self.alone.contains(&index) {
            self.alone.push(index);
        }
        true
    }

    /// Whether a task gets an executor of its own.
    pub(super) fn is_to_run_alone(&self, index: u32) -> bool {
        self.alone.contains(&index)
    }

    /// The tasks that wait for an executor of their own.
    pub(crate) fn waiting_alone(&self) -> impl Iterator<Item = u32> {
        let alive = if self.zombie {
            &[][..]
        } else {
            &self.alone[..]
        };
        let waits = |index: &u32| self.tasks[*index as usize].waits();
        alive.iter().copied().filter(waits)
    }

    /// Whether a task may run on an executor as far as exclusion goes.
    pub(crate) fn may_run(&self, index: u32, executor: ExecutorIx, host: HostIx) -> bool {
        let excluded = self.exclusions.as_ref();
        !excluded.is_some_and(|it| {
            it.excludes(executor, host) || it.excludes_task(index, executor, host)
        })
    }
}
