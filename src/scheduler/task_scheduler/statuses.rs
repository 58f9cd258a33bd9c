//! What is heard of attempts, carried to the right task set.

use std::sync::Arc;

use super::{AttemptRef, TaskScheduler};
use crate::clock::Timestamp;
use crate::ids::TaskId;
use crate::scheduler::action::Actions;
use crate::scheduler::event::TaskStatus;
use crate::scheduler::task::{ExecutorLossReason, TaskEndReason};

impl TaskScheduler {
    /// Takes a status in. Of an attempt that is over, or whose executor is
    /// gone, nothing is known any more: it changes nothing.
    pub(super) fn status(
        &mut self,
        now: Timestamp,
        task: TaskId,
        status: TaskStatus,
        actions: &mut Actions,
    ) {
        let Some(AttemptRef { set, attempt }) = self.attempts.get(&task).copied() else {
            return;
        };
        match status {
            TaskStatus::Running => {
                self.with_set(now, set, actions, |manager, _| {
                    manager.attempt_runs(attempt);
                });
            }
            TaskStatus::Progress { records } => {
                self.with_set(now, set, actions, |manager, _| {
                    manager.attempt_progresses(attempt, records);
                });
            }
            TaskStatus::ResultReady { bytes } => {
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
            TaskStatus::Finished { output, records } => {
                self.forget(task, set, attempt);
                self.with_set(now, set, actions, |manager, context| {
                    manager.succeeded(attempt, output, records, context);
                });
            }
            TaskStatus::Failed(reason) => self.failed(now, task, reason, actions),
            TaskStatus::Killed { reason } => {
                self.failed(now, task, TaskEndReason::Killed { reason }, actions);
            }
            TaskStatus::Lost {
                message,
                caused_by_app,
            } => {
                let executor = self.set(set).executor_of(attempt);
                let id = self.cluster.executor_id(executor).clone();
                let message: Arc<str> = format!(
                    "task {task} was lost, so executor {id} is taken as lost as well: {message}"
                )
                .into();
                let reason = ExecutorLossReason::ProcessLost {
                    message,
                    host: None,
                    caused_by_app,
                };
                self.executor_lost(now, &id, reason, actions);
            }
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
        // These two are made here, and never heard: a bug elsewhere.
        let reason = match reason {
            TaskEndReason::Success(_) | TaskEndReason::Resubmitted => TaskEndReason::Unknown,
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
    fn forget(&mut self, task: TaskId, set: crate::scheduler::pool::SetIx, attempt: u32) {
        self.attempts.remove(&task);
        if !self.set(set).is_fetching(attempt) {
            self.give_back_room(set, attempt);
        }
    }

    fn give_back_room(&mut self, set: crate::scheduler::pool::SetIx, attempt: u32) {
        let executor = self.set(set).executor_of(attempt);
        self.cluster.attempt_ended(executor);
    }
}
