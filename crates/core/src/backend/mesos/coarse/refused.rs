//! What becomes of calls in coarse mode that the master refused.

use super::{Action, MesosCoarse};
use crate::clock::Timestamp;
use crate::facts::cluster::Launches;
use crate::ids::{ExecutorId, MesosTaskId, OfferId};
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};

impl MesosCoarse {
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
            Refused::Revive => {
                let revival = self.desk.revival();
                self.desk.refusals.again(now, revival);
            }
            other => self.desk.refused(now, other, refusal),
        }
    }

    /// These executors will not come.
    fn launch_refused(
        &mut self,
        now: Timestamp,
        offers: &[OfferId],
        tasks: &[MesosTaskId],
        refusal: &CallRefusal,
        actions: &mut Vec<Action>,
    ) {
        let mut dropped = 0;
        for task in tasks {
            let executor = ExecutorId::new(task.as_str());
            // One that has registered was launched, whatever was said.
            let found = self.executors.get(&executor);
            if found.is_none_or(|it| it.registered) {
                continue;
            }
            dropped += 1;
            self.executors.remove(&executor);
            self.desk.reconciliation.heard(task);
            actions.push(Action::ExecutorLost {
                executor,
                reason: ExecutorLossReason::ProcessLost {
                    cause: LossCause::Said(refusal.to_string().into()),
                    host: None,
                    caused_by_app: false,
                },
            });
        }
        let alone = !self.executors.values().any(|it| it.registered);
        actions.extend(self.desk.launch_refused(
            now,
            offers,
            (dropped, Launches::Executors),
            refusal,
            alone,
        ));
    }
}
