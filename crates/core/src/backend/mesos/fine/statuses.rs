//! What becomes of tasks and executors in fine mode, by what is said of them.

use super::{Action, Cause, KILL_AGAIN, MesosFine, State, Task};
use crate::backend::ending;
use crate::backend::mesos::desk::kill;
use crate::clock::Timestamp;
use crate::facts::cluster::ClusterFact;
use crate::ids::{ExecutorId, MesosTaskId, TaskId};
use mesquite_mesos::call::Call;
use mesquite_mesos::task::{TaskState, TaskStatus};
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};

/// The reason of an answer to RECONCILE. It has no data.
const RECONCILED: &str = "REASON_RECONCILIATION";

/// The Mesos name of a task.
pub(super) fn mesos_id(prefix: &str, task: TaskId) -> MesosTaskId {
    MesosTaskId::from(format!("{prefix}-task-{task}"))
}

impl MesosFine {
    pub(super) fn mesos_id(&self, task: TaskId) -> MesosTaskId {
        mesos_id(&self.desk.config.prefix, task)
    }

    pub(super) fn task_id(&self, id: &MesosTaskId) -> Option<TaskId> {
        let rest = id.as_str().strip_prefix(&self.desk.config.prefix)?;
        rest.strip_prefix("-task-")?.parse().ok().map(TaskId)
    }

    pub(super) fn update(
        &mut self,
        now: Timestamp,
        status: &TaskStatus,
        actions: &mut Vec<Action>,
    ) {
        let task = self.task_id(&status.task);
        match task.filter(|task| self.live(*task).is_some()) {
            Some(live) => {
                self.desk.refusals.launched();
                self.live_is(now, live, status, actions);
            }
            None => self.other_is(now, task, status, actions),
        }
    }

    /// Something was heard of a task that runs as far as the scheduler knows.
    fn live_is(
        &mut self,
        now: Timestamp,
        task: TaskId,
        status: &TaskStatus,
        actions: &mut Vec<Action>,
    ) {
        let message = if status.message.is_empty() {
            status.state.name().to_owned()
        } else {
            format!("{}: {}", status.state, status.message)
        };
        match status.state {
            // The master knows that it ended; how, its agent tells, and goes on
            // telling until that is acknowledged.
            TaskState::Finished | TaskState::Failed | TaskState::Killed
                if status.reason.as_deref() == Some(RECONCILED) && status.uuid.is_none() => {}
            // Its executor did not even begin, which is not the task's fault.
            TaskState::Failed if status.data.is_empty() && !self.has_come(task) => {
                if let Some(found) = self.forget(now, task)
                    && ending::tells_of_executor(status)
                {
                    self.desk.endings.told(now, &found.executor, status);
                }
                actions.push(Action::TaskLost { task, message });
            }
            // It ended with its executor, of whose end more may be said.
            TaskState::Failed if status.data.is_empty() && ending::tells_of_executor(status) => {
                if let Some(found) = self.forget(now, task) {
                    self.desk.endings.told(now, &found.executor, status);
                }
            }
            // The same for all that runs there, of which one may have done it.
            TaskState::Failed if status.message == ending::TOLD_TO_END => {
                if let Some(found) = self.forget(now, task) {
                    let told = status.message.as_str().into();
                    self.executor_lost(now, &found.executor, told, Loss::Process, actions);
                }
            }
            // It came to an executor that is about to end, and so would the next.
            TaskState::Killed if status.message == ending::SHUTTING_DOWN => {
                let found = self.forget(now, task);
                actions.push(Action::TaskLost { task, message });
                if let Some(found) = found {
                    let told = status.message.as_str().into();
                    self.executor_lost(now, &found.executor, told, Loss::Blameless, actions);
                }
            }
            // TASK_ERROR is about what was asked for: that will not do next time.
            TaskState::Finished | TaskState::Failed | TaskState::Killed | TaskState::Error => {
                if let Some(found) = self.forget(now, task) {
                    actions.push(Action::Ended {
                        executor: found.executor,
                        task,
                        outcome: status.data.clone(),
                        message,
                    });
                }
            }
            // With its agent an executor is lost, and all that it has.
            TaskState::Unreachable | TaskState::GoneByOperator => {
                if let Some(executor) = self.executor_of(task).cloned() {
                    let cause = LossCause::Status {
                        state: status.state.name(),
                        said: status.message.as_str().into(),
                    };
                    self.executor_lost(now, &executor, cause, Loss::Agent, actions);
                }
                self.given_is(now, task, status.state, actions);
            }
            // It did not get there, or nobody knows of it; others of its
            // executor may run.
            TaskState::Lost | TaskState::Dropped | TaskState::Gone | TaskState::Unknown => {
                self.forget(now, task);
                actions.push(Action::TaskLost { task, message });
            }
            TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing => {}
        }
    }

    /// Something was heard of a task that the scheduler was told is over, or that is
    /// not of this run.
    fn other_is(
        &mut self,
        now: Timestamp,
        task: Option<TaskId>,
        status: &TaskStatus,
        actions: &mut Vec<Action>,
    ) {
        let ours = task.filter(|it| self.tasks.contains_key(it));
        match (ours, status.state) {
            // One that was given up, and lives after all.
            (
                Some(task),
                TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing,
            ) => self.given_is(now, task, status.state, actions),
            (
                None,
                TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing,
            ) => {
                if let Some(agent) = status.agent.clone() {
                    actions.push(kill(status.task.clone(), agent));
                }
            }
            (Some(task), state) => {
                let executor = self.tasks.get(&task).map(|it| it.executor.clone());
                self.given_is(now, task, state, actions);
                // Of all that ran there the last one tells it.
                let last =
                    |executor: &ExecutorId| self.tasks.values().all(|it| it.executor != *executor);
                let late = executor.filter(last);
                let late = late.and_then(|it| self.desk.endings.told_late(&it, status));
                actions.extend(late.map(Action::Told));
            }
            (None, _) => {}
        }
    }

    /// Whether the executor of a task has ever connected.
    pub(super) fn has_come(&self, task: TaskId) -> bool {
        let agent = self.live(task).map(|it| &it.agent);
        let executor = agent.and_then(|agent| self.executors.get(agent));
        executor.is_none_or(|it| it.registered)
    }

    /// A task is over.
    pub(super) fn forget(&mut self, now: Timestamp, task: TaskId) -> Option<Task> {
        let id = self.mesos_id(task);
        self.desk.reconciliation.heard(&id);
        self.killing.remove(&task);
        let task = self.tasks.remove(&task)?;
        if let Some(executor) = self.executors.get_mut(&task.agent)
            && executor.executor == task.executor
        {
            executor.tasks = executor.tasks.saturating_sub(1);
            executor.idle_since = now;
            executor.asked_at = None;
        }
        Some(task)
    }

    /// A task that is not over as far as the scheduler knows.
    pub(super) fn live(&self, task: TaskId) -> Option<&Task> {
        let task = self.tasks.get(&task);
        task.filter(|it| it.state == State::Live)
    }

    /// Something was heard of a task that the scheduler was told is over: until
    /// Mesos says so too, it holds what it was given.
    fn given_is(
        &mut self,
        now: Timestamp,
        task: TaskId,
        state: TaskState,
        actions: &mut Vec<Action>,
    ) {
        let Some(found) = self.tasks.get_mut(&task) else {
            return;
        };
        match state {
            TaskState::Unreachable => {
                found.state = State::Away;
                self.killing.remove(&task);
            }
            TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing => {
                found.state = State::Given;
                // One that was told to end says that it runs in between.
                if !self.killing.contains_key(&task) {
                    self.kill(now, task, actions);
                }
            }
            TaskState::Finished
            | TaskState::Failed
            | TaskState::Killed
            | TaskState::Error
            | TaskState::Lost
            | TaskState::Dropped
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => drop(self.forget(now, task)),
        }
    }

    /// Tells Mesos to end a task, again and again until it has.
    pub(super) fn kill(&mut self, now: Timestamp, task: TaskId, actions: &mut Vec<Action>) {
        if let Some(found) = self.tasks.get(&task) {
            actions.push(kill(self.mesos_id(task), found.agent.clone()));
            self.killing.insert(task, now);
        }
    }

    /// Repeats each KILL that has led to nothing: it, or the status that answers
    /// it, may have been lost on the way. Of a task that it does not know a master
    /// says so.
    pub(super) fn kill_again(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.desk.subscribed {
            return;
        }
        let late = self.killing.iter();
        let late = late.filter(|(_, at)| **at + KILL_AGAIN <= now);
        let late: Vec<_> = late.map(|(task, _)| *task).collect();
        for task in late {
            self.kill(now, task, actions);
        }
    }

    /// Tells Mesos to end an executor.
    pub(super) fn shut_down(&self, executor: &ExecutorId, actions: &mut Vec<Action>) {
        let mut all = self.executors.iter();
        if let Some((agent, _)) = all.find(|(_, it)| it.executor == *executor) {
            actions.push(Action::Call(Call::Shutdown {
                executor: executor.clone(),
                agent: agent.clone(),
            }));
        }
    }

    /// Executors have ended of which all is known that will be.
    pub(super) fn end_executors(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while let Some((executor, cause)) = self.desk.endings.next(now) {
            let loss = Loss::of(&cause);
            self.executor_lost(now, &executor, cause.what, loss, actions);
        }
    }

    pub(super) fn executor_lost(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        cause: LossCause,
        loss: Loss,
        actions: &mut Vec<Action>,
    ) {
        let mut all = self.executors.iter();
        let Some((agent, found)) = all.find(|(_, it)| it.executor == *executor) else {
            return;
        };
        let (agent, began, host) = (agent.clone(), found.registered, found.host.clone());
        self.executors.remove(&agent);
        self.desk.endings.forget(executor);
        let process = matches!(loss, Loss::Process | Loss::Exited);
        let reason = if loss == Loss::Exited && began {
            ExecutorLossReason::Exited {
                caused_by_app: true,
                cause,
            }
        } else {
            ExecutorLossReason::ProcessLost {
                cause,
                host: (loss == Loss::Agent).then(|| host.clone()),
                caused_by_app: process && began,
            }
        };
        if process && !began {
            // Nobody else knows of it.
            actions.push(Action::Told(ClusterFact::NeverCame {
                executor: executor.clone(),
                agent: agent.clone(),
                host: host.clone(),
                why: reason.clone(),
            }));
            let why = (&*reason.to_string(), loss == Loss::Exited);
            self.desk.failed_on((agent, host), why, actions);
        }
        let theirs = self.tasks.iter_mut();
        let theirs = theirs.filter(|(_, it)| it.executor == *executor);
        for (task, it) in theirs {
            if loss == Loss::Agent {
                it.state = State::Away;
                self.killing.remove(task);
            } else {
                // Their ends are due.
                it.state = State::Given;
                self.killing.entry(*task).or_insert(now);
            }
        }
        actions.push(Action::ExecutorLost {
            executor: executor.clone(),
            reason,
        });
        self.revive(now, actions);
    }
}

/// What is lost with an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Its process, maybe through what it ran; its files are there.
    Process,
    /// The same, and it is known how it ended.
    Exited,
    /// Its process, through no fault of what it ran.
    Blameless,
    /// All of its agent.
    Agent,
}

impl Loss {
    /// The loss of a process.
    pub(super) fn of(cause: &Cause) -> Self {
        match (cause.by_tasks, cause.exited) {
            (true, true) => Self::Exited,
            (true, false) => Self::Process,
            (false, _) => Self::Blameless,
        }
    }
}
