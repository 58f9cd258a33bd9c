//! What becomes of tasks and executors in fine mode, by what is said of them.

use super::{Action, MesosFine, Task};
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, MesosTaskId, TaskId};
use crate::mesos::call::Call;
use crate::mesos::task::{TaskState, TaskStatus};
use crate::scheduler::task::ExecutorLossReason;

/// The reason of an answer to RECONCILE. It has no data.
const RECONCILED: &str = "REASON_RECONCILIATION";

/// The Mesos name of a task.
pub(super) fn mesos_id(prefix: &str, task: TaskId) -> MesosTaskId {
    MesosTaskId::from(format!("{prefix}-task-{task}"))
}

impl MesosFine {
    pub(super) fn mesos_id(&self, task: TaskId) -> MesosTaskId {
        mesos_id(&self.config.shared.prefix, task)
    }

    pub(super) fn task_id(&self, id: &MesosTaskId) -> Option<TaskId> {
        let rest = id.as_str().strip_prefix(&self.config.shared.prefix)?;
        rest.strip_prefix("-task-")?.parse().ok().map(TaskId)
    }

    pub(super) fn update(&mut self, now: Timestamp, status: TaskStatus, actions: &mut Vec<Action>) {
        self.reconciliation.heard(&status.task);
        let task = self.task_id(&status.task);
        let known = task.filter(|task| self.tasks.contains_key(task));
        let text = if status.message.is_empty() {
            status.state.name().to_owned()
        } else {
            format!("{}: {}", status.state, status.message)
        };
        let silent = known.is_some_and(|task| !self.has_come(task)) && status.data.is_empty();
        match (known, status.state) {
            // The master knows that it ended; how, its agent tells, and goes on
            // telling until that is acknowledged.
            (Some(_), TaskState::Finished | TaskState::Failed | TaskState::Killed)
                if status.reason.as_deref() == Some(RECONCILED) && status.uuid.is_none() => {}
            // Its executor did not even begin, which is not the task's fault.
            (Some(task), TaskState::Failed) if silent => {
                self.forget(now, task);
                actions.push(Action::Lost {
                    task,
                    message: text,
                });
            }
            // TASK_ERROR is about what was asked for: that will not do next time.
            (
                Some(task),
                TaskState::Finished | TaskState::Failed | TaskState::Killed | TaskState::Error,
            ) => {
                if let Some(found) = self.forget(now, task) {
                    actions.push(Action::Ended {
                        executor: found.executor,
                        task,
                        outcome: status.data.clone(),
                        message: text,
                    });
                }
            }
            // With its agent an executor is lost, and all that it has.
            (Some(task), TaskState::Unreachable | TaskState::GoneByOperator) => {
                if let Some(executor) = self.executor_of(task).cloned() {
                    self.executor_lost(now, &executor, text, Loss::Agent, actions);
                }
                self.forget(now, task);
            }
            // It did not get there, or nobody knows of it; others of its
            // executor may run.
            (
                Some(task),
                TaskState::Lost | TaskState::Dropped | TaskState::Gone | TaskState::Unknown,
            ) => {
                self.forget(now, task);
                actions.push(Action::Lost {
                    task,
                    message: text,
                });
            }
            (
                None,
                TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing,
            ) => {
                // One that was given up, and lives after all.
                if let Some(agent) = status.agent.clone() {
                    actions.push(Action::Call(Call::Kill {
                        task: status.task.clone(),
                        agent: Some(agent),
                        grace_period: None,
                    }));
                }
            }
            (Some(_) | None, _) => {}
        }
        let terminal = status.state.is_terminal();
        if let (Some(uuid), Some(agent)) = (status.uuid, status.agent) {
            actions.push(Action::Call(Call::Acknowledge {
                agent,
                task: status.task,
                uuid,
            }));
        }
        if terminal {
            self.freed(now, actions);
        }
    }

    /// Whether the executor of a task has ever connected.
    pub(super) fn has_come(&self, task: TaskId) -> bool {
        let agent = self.tasks.get(&task).map(|it| &it.agent);
        let executor = agent.and_then(|agent| self.executors.get(agent));
        executor.is_none_or(|it| it.registered)
    }

    /// A task is over.
    pub(super) fn forget(&mut self, now: Timestamp, task: TaskId) -> Option<Task> {
        let id = self.mesos_id(task);
        self.reconciliation.heard(&id);
        let task = self.tasks.remove(&task)?;
        if let Some(executor) = self.executors.get_mut(&task.agent)
            && executor.executor == task.executor
        {
            executor.tasks = executor.tasks.saturating_sub(1);
            executor.idle_since = now;
        }
        Some(task)
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

    pub(super) fn executor_lost(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        message: String,
        loss: Loss,
        actions: &mut Vec<Action>,
    ) {
        let mut all = self.executors.iter();
        let Some((agent, found)) = all.find(|(_, it)| it.executor == *executor) else {
            return;
        };
        let (agent, began, host) = (agent.clone(), found.registered, found.host.clone());
        self.executors.remove(&agent);
        if loss == Loss::Process && !began {
            self.failures.failed(now, agent);
        }
        self.tasks.retain(|_, it| it.executor != *executor);
        actions.push(Action::ExecutorLost {
            executor: executor.clone(),
            reason: ExecutorLossReason::ProcessLost {
                message: message.into(),
                host: (loss == Loss::Agent).then_some(host),
                caused_by_app: loss == Loss::Process && began,
            },
        });
        self.revive(now, actions);
    }
}

/// What is lost with an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Its process, maybe through what it ran; its files are there.
    Process,
    /// Its process, through no fault of what it ran.
    Blameless,
    /// All of its agent.
    Agent,
}
