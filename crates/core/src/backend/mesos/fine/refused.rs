//! What becomes of calls in fine mode that the master refused.

use super::{Action, MesosFine};
use crate::clock::Timestamp;
use crate::facts::cluster::Launches;
use crate::ids::{MesosTaskId, OfferId};
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_scheduler::loss::ExecutorLossReason;

impl MesosFine {
    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        call: &Refused,
        refusal: &CallRefusal,
        actions: &mut Vec<Action>,
    ) {
        match call {
            Refused::Accept { offers, tasks } => {
                self.launch_refused(now, offers, tasks, refusal, actions);
            }
            // REVIVE is repeated anyway while no offer follows.
            other => self.desk.refused(now, other, refusal),
        }
    }

    /// These tasks were not launched.
    fn launch_refused(
        &mut self,
        now: Timestamp,
        offers: &[OfferId],
        tasks: &[MesosTaskId],
        refusal: &CallRefusal,
        actions: &mut Vec<Action>,
    ) {
        let mut dropped = 0;
        let mut agent = None;
        for id in tasks {
            let task = self.task_id(id).filter(|it| self.live(*it).is_some());
            let Some((task, found)) = task.and_then(|it| Some((it, self.forget(now, it)?))) else {
                continue;
            };
            dropped += 1;
            agent = Some((found.agent, found.executor));
            actions.push(Action::NotLaunched {
                task,
                reason: refusal.to_string(),
            });
        }
        if let Some((agent, executor)) = agent
            && let Some(found) = self.executors.get_mut(&agent)
            && found.executor == executor
        {
            found.launches = found.launches.saturating_sub(1);
            if found.launches == 0 && !found.registered {
                // It was never there. Its name is used up: it was told to be of this run.
                self.executors.remove(&agent);
                actions.push(Action::ExecutorLost {
                    executor,
                    reason: ExecutorLossReason::Killed,
                });
            }
        }
        let alone = !self.tasks.keys().any(|it| self.live(*it).is_some());
        actions.extend(self.desk.launch_refused(
            now,
            offers,
            (dropped, Launches::Tasks),
            refusal,
            alone,
        ));
    }
}
