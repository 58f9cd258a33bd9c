//! Task sets whose tasks start together.
//!
//! Responsible for the last step of the rounds of a barrier set: its tasks were parked
//! where there is room, and now start all or not at all.

use std::sync::Arc;

use super::TaskScheduler;
use super::round::{Launch, Parked, Round};
use crate::action::{Actions, Notice};
use crate::pool::SetIx;
use crate::task_set_manager::TaskSetManager;

impl TaskScheduler {
    /// Starts the parked tasks of a barrier set if they are all; else puts
    /// everything back. True if they were.
    pub(super) fn start_barrier(
        &mut self,
        round: &mut Round,
        set: SetIx,
        manager: &mut TaskSetManager,
        parked: Vec<Parked>,
        actions: &mut Actions,
    ) -> bool {
        let (placed, wanted) = (parked.len(), manager.tasks());
        if placed < wanted {
            let indices: Vec<u32> = parked.iter().map(|parked| parked.index).collect();
            for parked in parked {
                let room = &mut round.rooms[parked.room as usize];
                room.put_back(manager.needs(), &parked.taken);
            }
            round.open = (0..round.rooms.len() as u32)
                .filter(|room| round.rooms[*room as usize].cores > 0)
                .collect();
            manager.unpark(indices.into_iter(), &self.cluster);
            if self.config.legacy_locality_reset {
                // The old rule would start over in the same way for ever.
                let reason = format!(
                    "barrier stage {}.{} is given up: only {placed} of its {wanted} tasks found \
                     room; unset spark.locality.wait.legacyResetOnTaskLaunch, or set \
                     spark.locality.wait to 0",
                    manager.stage(),
                    manager.attempt()
                );
                manager.abort(&reason, actions);
            } else if manager.postponed_is_news(round.now) {
                actions.notices.push(Notice::BarrierPostponed {
                    stage: manager.stage(),
                    stage_attempt: manager.attempt(),
                    placed,
                    wanted,
                });
            }
            return false;
        }
        let mut started = Vec::with_capacity(placed);
        for parked in parked {
            let room = &round.rooms[parked.room as usize];
            let (spot, offer) = (room.spot, room.offer as usize);
            let address = room.address.clone();
            let launch = Launch {
                index: parked.index,
                level: parked.level,
                speculative: false,
                taken: parked.taken,
            };
            let description = self.launch(round.now, set, manager, spot, launch, actions);
            let address = address.unwrap_or_else(|| description.executor.as_str().into());
            started.push((description.partition, address, offer, description));
        }
        started.sort_by_key(|(partition, ..)| *partition);
        let addresses: Arc<[Arc<str>]> = started
            .iter()
            .map(|(_, address, ..)| Arc::clone(address))
            .collect();
        for (_, _, offer, mut description) in started {
            description.addresses = Some(Arc::clone(&addresses));
            round.placed[offer].push(description);
        }
        true
    }
}
