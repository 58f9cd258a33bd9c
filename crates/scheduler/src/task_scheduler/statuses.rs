//! What is heard of attempts, carried to the right task set.

use super::{AttemptRef, TaskScheduler};
use crate::action::Actions;
use crate::clock::Timestamp;
use crate::event::AttemptStatus;
use crate::ids::TaskId;
use crate::task::TaskEndReason;

impl TaskScheduler {
    /// Takes a status in. Of an attempt that is over, or whose executor is
    /// gone, nothing is known any more: it changes nothing.
    pub(super) fn status(
        &mut self,
        now: Timestamp,
        task: TaskId,
        status: AttemptStatus,
        actions: &mut Actions,
    ) {
        let Some(AttemptRef { set, attempt }) = self.attempts.get(&task).copied() else {
            return;
        };
        match status {
            AttemptStatus::Running => {
                self.with_set(now, set, actions, |manager, _| {
                    manager.attempt_runs(attempt);
                });
            }
            AttemptStatus::Progress { records, ran } => {
                self.with_set(now, set, actions, |manager, _| {
                    manager.attempt_progresses(attempt, records, ran);
                });
            }
            AttemptStatus::ResultReady { bytes } => {
                if self.set(set).is_fetching(attempt) {
                    return;
                }
                self.give_back_room(set, attempt);
                let going_on = self.with_set(now, set, actions, |manager, context| {
                    manager.result_ready(attempt, bytes, context)
                });
                if going_on != Some(true) {
                    self.attempts.remove(&task);
                }
            }
            AttemptStatus::Ended {
                reason: TaskEndReason::Success(output),
                records,
            } => {
                self.forget(task, set, attempt);
                self.with_set(now, set, actions, |manager, context| {
                    manager.succeeded(attempt, output, records, context);
                });
            }
            AttemptStatus::Ended { reason, .. } => self.failed(now, task, reason, actions),
        }
    }

    fn failed(
        &mut self,
        now: Timestamp,
        task: TaskId,
        reason: TaskEndReason,
        actions: &mut Actions,
    ) {
        let Some(AttemptRef { set, attempt }) = self.attempts.get(&task).copied() else {
            return;
        };
        // Made here, and never heard: a bug elsewhere.
        let reason = match reason {
            TaskEndReason::Resubmitted => TaskEndReason::Unknown,
            reason => reason,
        };
        self.forget(task, set, attempt);
        let retry = self.with_set(now, set, actions, |manager, context| {
            manager.failed(attempt, reason, context);
            !manager.is_zombie() && !manager.has_succeeded(attempt)
        });
        actions.revive |= retry == Some(true);
    }

    /// The attempt is over: nothing more is heard of it.
    fn forget(&mut self, task: TaskId, set: crate::pool::SetIx, attempt: u32) {
        self.attempts.remove(&task);
        if !self.set(set).is_fetching(attempt) {
            self.give_back_room(set, attempt);
        }
    }

    fn give_back_room(&mut self, set: crate::pool::SetIx, attempt: u32) {
        let executor = self.set(set).executor_of(attempt);
        self.cluster.attempt_ended(executor);
    }
}
