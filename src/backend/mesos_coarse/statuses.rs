//! What becomes of executors in coarse mode, by what is said of them.

use std::sync::Arc;

use super::{Action, Executor, MesosCoarse, REGISTRATION};
use crate::clock::Timestamp;
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId};
use crate::mesos::call::Call;
use crate::mesos::task::{TaskState, TaskStatus};
use crate::scheduler::task::ExecutorLossReason;

impl MesosCoarse {
    pub(super) fn on_agent(&self, agent: &AgentId) -> Vec<ExecutorId> {
        let there = self.executors.iter().filter(|(_, it)| it.agent == *agent);
        there.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn update(&mut self, now: Timestamp, status: TaskStatus, actions: &mut Vec<Action>) {
        self.reconciliation.heard(&status.task);
        let executor = ExecutorId::new(status.task.as_str());
        let known = self.executors.contains_key(&executor);
        let text = if status.message.is_empty() {
            status.state.name().to_owned()
        } else {
            format!("{}: {}", status.state, status.message)
        };
        match status.state {
            TaskState::Finished | TaskState::Killed => {
                self.lost(&executor, text.into(), false, actions);
            }
            TaskState::Failed | TaskState::Error => self.failed(now, &executor, text, actions),
            // Not the fault of what ran there.
            TaskState::Lost | TaskState::Dropped | TaskState::Gone | TaskState::Unknown => {
                self.lost(&executor, text.into(), false, actions);
            }
            TaskState::Unreachable | TaskState::GoneByOperator => {
                self.lost_with_agent(&executor, text.into(), actions);
            }
            TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing => {
                // One that was given up, and lives after all.
                if !known && let Some(agent) = status.agent.clone() {
                    actions.push(Action::Call(Call::Kill {
                        task: status.task.clone(),
                        agent: Some(agent),
                        grace_period: None,
                    }));
                }
            }
        }
        if let (Some(uuid), Some(agent)) = (status.uuid, status.agent) {
            actions.push(Action::Call(Call::Acknowledge {
                agent,
                task: status.task,
                uuid,
            }));
        }
    }

    /// An executor failed for a reason that may be the agent's, or its tasks'.
    pub(super) fn failed(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        why: String,
        actions: &mut Vec<Action>,
    ) {
        let Some(found) = self.executors.get(executor) else {
            return;
        };
        if !found.killed {
            let agent = found.agent.clone();
            self.failures.failed(now, agent);
        }
        self.lost(executor, why.into(), true, actions);
    }

    /// An executor is lost with all that was on its agent.
    pub(super) fn lost_with_agent(
        &mut self,
        executor: &ExecutorId,
        message: Arc<str>,
        actions: &mut Vec<Action>,
    ) {
        let host = self.executors.get(executor).map(|it| it.host.clone());
        self.remove(executor, message, false, host, actions);
    }

    /// An executor is lost; its files are there.
    pub(super) fn lost(
        &mut self,
        executor: &ExecutorId,
        message: Arc<str>,
        caused_by_app: bool,
        actions: &mut Vec<Action>,
    ) {
        self.remove(executor, message, caused_by_app, None, actions);
    }

    fn remove(
        &mut self,
        executor: &ExecutorId,
        message: Arc<str>,
        caused_by_app: bool,
        host: Option<Host>,
        actions: &mut Vec<Action>,
    ) {
        let Some(found) = self.executors.remove(executor) else {
            return;
        };
        self.reconciliation
            .heard(&MesosTaskId::new(executor.as_str()));
        if !found.registered && !found.killed {
            // Nobody else knows of it.
            let agent = &found.agent;
            actions.push(Action::Note(format!(
                "executor {executor} is gone before it registered, on agent {agent}: {message}"
            )));
        }
        actions.push(Action::Lost {
            executor: executor.clone(),
            reason: ExecutorLossReason::ProcessLost {
                message,
                host,
                caused_by_app,
            },
        });
        if self.wants_more() {
            self.revive(actions);
        }
    }

    pub(super) fn kill(&mut self, executor: &ExecutorId, actions: &mut Vec<Action>) {
        let Some(found) = self.executors.get_mut(executor).filter(|it| !it.killed) else {
            return;
        };
        found.killed = true;
        actions.push(Action::Call(Call::Kill {
            task: MesosTaskId::new(executor.as_str()),
            agent: Some(found.agent.clone()),
            grace_period: None,
        }));
        if self.wants_more() {
            self.revive(actions);
        }
    }

    pub(super) fn give_up_late(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let late =
            |it: &Executor| !it.registered && !it.killed && it.launched + REGISTRATION <= now;
        let late: Vec<_> = self
            .executors
            .iter()
            .filter(|(_, it)| late(it))
            .map(|(id, _)| id.clone())
            .collect();
        for executor in late {
            actions.push(Action::Note(format!(
                "executor {executor} has not registered within {} s and is given up",
                REGISTRATION.as_secs()
            )));
            self.kill(&executor, actions);
        }
    }

    /// Agents whose time is over are welcome again.
    pub(super) fn include_again(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.failures.expire(now) && self.wants_more() {
            self.revive(actions);
        }
    }
}
