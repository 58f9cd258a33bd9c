//! What becomes of executors in coarse mode, by what is said of them.

use super::{Action, Executor, KILL_AGAIN, MesosCoarse, REGISTRATION, Remnant};
use crate::backend::ending;
use crate::backend::mesos::desk::kill;
use crate::backend::mesos::named::Addresses;
use crate::clock::Timestamp;
use crate::facts::cluster::ClusterFact;
use crate::ids::{AgentId, ExecutorId, MesosTaskId};
use mesquite_mesos::task::{TaskState, TaskStatus};
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};

impl MesosCoarse {
    pub(super) fn on_agent(&self, agent: &AgentId) -> Vec<ExecutorId> {
        let there = self.executors.iter().filter(|(_, it)| it.agent == *agent);
        there.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn update(
        &mut self,
        now: Timestamp,
        status: &TaskStatus,
        actions: &mut Vec<Action>,
    ) {
        let executor = ExecutorId::new(status.task.as_str());
        let known = self.executors.contains_key(&executor);
        if known {
            self.desk.refusals.launched();
        }
        let cause = LossCause::Status {
            state: status.state.name(),
            said: status.message.as_str().into(),
        };
        match status.state {
            // What is lost, dropped, gone or unknown is not the fault of what ran
            // there.
            TaskState::Finished
            | TaskState::Killed
            | TaskState::Lost
            | TaskState::Dropped
            | TaskState::Gone
            | TaskState::Unknown => {
                let reason = process_lost(cause, false);
                self.lost(&executor, reason, Holds::Nothing, actions);
            }
            // The agent's word; how its process ended may still follow.
            TaskState::Failed if known && ending::tells_of_executor(status) => {
                self.desk.endings.told(now, &executor, status);
                if let Some(found) = self.executors.get_mut(&executor) {
                    found.told = true;
                }
            }
            TaskState::Failed | TaskState::Error => {
                if !known {
                    let late = self.desk.endings.told_late(&executor, status);
                    actions.extend(late.map(Action::Told));
                }
                let reason = process_lost(cause, true);
                self.ended(&executor, reason, Holds::Nothing, actions);
            }
            TaskState::GoneByOperator => {
                self.lost_with_agent(&executor, cause, Holds::Nothing, actions);
            }
            TaskState::Unreachable => {
                self.lost_with_agent(&executor, cause, Holds::IfItComesBack, actions);
            }
            TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing => {
                // One that was given up, and lives after all.
                if !known && let Some(agent) = status.agent.clone() {
                    self.kill_stranger(now, &executor, agent, actions);
                }
            }
        }
    }

    /// Executors have ended of which all is known that will be.
    pub(super) fn end_executors(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while let Some((executor, cause)) = self.desk.endings.next(now) {
            let told = self.executors.get(&executor).is_some_and(|it| it.told);
            let holds = if told {
                Holds::Nothing
            } else {
                Holds::UntilTold(now)
            };
            self.ended(&executor, cause.loss(), holds, actions);
        }
    }

    /// An executor ended for a reason that may be the agent's, or its tasks'.
    fn ended(
        &mut self,
        executor: &ExecutorId,
        reason: ExecutorLossReason,
        holds: Holds,
        actions: &mut Vec<Action>,
    ) {
        if let Some(found) = self.executors.get(executor)
            && found.killed.is_none()
        {
            let (agent, host) = (found.agent.clone(), found.host.clone());
            let exited = matches!(reason, ExecutorLossReason::Exited { .. });
            let why = (&*reason.to_string(), exited);
            self.desk.failed_on((agent, host), why, actions);
        }
        self.lost(executor, reason, holds, actions);
    }

    /// An executor is lost with all that was on its agent.
    pub(super) fn lost_with_agent(
        &mut self,
        executor: &ExecutorId,
        cause: LossCause,
        holds: Holds,
        actions: &mut Vec<Action>,
    ) {
        let reason = ExecutorLossReason::ProcessLost {
            cause,
            host: self.executors.get(executor).map(|it| it.host.clone()),
            caused_by_app: false,
        };
        self.lost(executor, reason, holds, actions);
    }

    /// An executor is lost.
    pub(super) fn lost(
        &mut self,
        executor: &ExecutorId,
        reason: ExecutorLossReason,
        holds: Holds,
        actions: &mut Vec<Action>,
    ) {
        self.desk.endings.forget(executor);
        let Some(found) = self.executors.remove(executor) else {
            self.remnant_is(executor, holds, actions);
            return;
        };
        if holds != Holds::Nothing {
            let remnant = Remnant {
                agent: found.agent.clone(),
                cores: found.cores,
                named: found.named,
                killed: match holds {
                    Holds::UntilTold(since) => Some(since),
                    Holds::IfItComesBack | Holds::Nothing => None,
                },
            };
            self.remnants.insert(executor.clone(), remnant);
        }
        self.desk
            .reconciliation
            .heard(&MesosTaskId::new(executor.as_str()));
        if !found.registered && found.killed.is_none() {
            // Nobody else knows of it.
            actions.push(Action::Told(ClusterFact::NeverCame {
                executor: executor.clone(),
                agent: found.agent,
                host: found.host,
                why: reason.clone(),
            }));
        }
        actions.push(Action::ExecutorLost {
            executor: executor.clone(),
            reason,
        });
        self.revive_if_wanted(actions);
    }

    pub(super) fn kill(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        actions: &mut Vec<Action>,
    ) {
        let all = self.executors.get_mut(executor);
        let Some(found) = all.filter(|it| it.killed.is_none()) else {
            return;
        };
        found.killed = Some(now);
        actions.push(kill_of(executor, &found.agent));
        self.revive_if_wanted(actions);
    }

    pub(super) fn give_up_late(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let late = |it: &Executor| {
            !it.registered && it.killed.is_none() && it.launched + REGISTRATION <= now
        };
        let late: Vec<_> = self
            .executors
            .iter()
            .filter(|(_, it)| late(it))
            .map(|(id, _)| id.clone())
            .collect();
        for executor in late {
            actions.push(Action::Told(ClusterFact::TooLate {
                executor: executor.clone(),
                waited: REGISTRATION,
            }));
            self.kill(now, &executor, actions);
        }
    }

    /// Repeats each KILL that has led to nothing: it, or the status that answers
    /// it, may have been lost on the way. Of a task that it does not know a master
    /// says so.
    pub(super) fn kill_again(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.desk.subscribed {
            return;
        }
        let executors = self.executors.iter_mut();
        let executors = executors.map(|(id, it)| (id, &it.agent, &mut it.killed));
        let remnants = self.remnants.iter_mut();
        let remnants = remnants.map(|(id, it)| (id, &it.agent, &mut it.killed));
        for (id, agent, killed) in executors.chain(remnants) {
            if killed.is_some_and(|at| at + KILL_AGAIN <= now) {
                *killed = Some(now);
                actions.push(kill_of(id, agent));
            }
        }
    }

    /// Ends an executor that the scheduler was told is gone. Until it has ended
    /// it holds what it was given.
    fn kill_stranger(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        agent: AgentId,
        actions: &mut Vec<Action>,
    ) {
        let size = &self.desk.config.size;
        let remnant = self.remnants.entry(executor.clone()).or_insert(Remnant {
            agent,
            // Of one that an earlier driver knew only its size is known.
            cores: size.cores.unwrap_or(size.least_cores),
            named: Addresses::new(),
            killed: None,
        });
        // One that was told to end says that it runs in between.
        if remnant.killed.is_none_or(|at| at + KILL_AGAIN <= now) {
            remnant.killed = Some(now);
            actions.push(kill_of(executor, &remnant.agent));
        }
    }

    /// Something was heard of an executor that the scheduler was told is gone.
    fn remnant_is(&mut self, executor: &ExecutorId, holds: Holds, actions: &mut Vec<Action>) {
        let Some(remnant) = self.remnants.get_mut(executor) else {
            return;
        };
        let held = remnant.killed.is_some();
        match holds {
            Holds::UntilTold(_) => return,
            Holds::IfItComesBack => remnant.killed = None,
            Holds::Nothing => drop(self.remnants.remove(executor)),
        }
        if held {
            self.revive_if_wanted(actions);
        }
    }
}

/// An executor is gone, and its files are there.
fn process_lost(cause: LossCause, caused_by_app: bool) -> ExecutorLossReason {
    ExecutorLossReason::ProcessLost {
        cause,
        host: None,
        caused_by_app,
    }
}

fn kill_of(executor: &ExecutorId, agent: &AgentId) -> Action {
    kill(MesosTaskId::new(executor.as_str()), agent.clone())
}

/// What an executor that is gone holds of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nothing: Mesos has told its end.
    Nothing,
    /// All, until Mesos tells its end, which is due from now on.
    UntilTold(Timestamp),
    /// Nothing while its agent is out of reach, and all if that comes back.
    IfItComesBack,
}
