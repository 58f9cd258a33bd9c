//! Room for tasks that run alone on an executor.
//!
//! Responsible for keeping an executor free of others: one that is idle is used at
//! once, else one gets nothing more to do until it is, and while the task runs.

use super::TaskScheduler;
use super::round::{Launch, Round};
use crate::action::Actions;
use crate::cluster::ExecutorIx;
use crate::locality::LocalityLevel;
use crate::pool::SetIx;

impl TaskScheduler {
    /// Starts the tasks that run alone where that is possible, and keeps the room
    /// that is theirs from the others; true if it started something.
    pub(super) fn offer_alone(
        &mut self,
        round: &mut Round,
        order: &[SetIx],
        actions: &mut Actions,
    ) -> bool {
        let mut launched = false;
        let mut next = None;
        for set in order {
            while let Some(index) = self.next_alone(*set) {
                let Some(place) = self.idle_room(round, *set, index) else {
                    next = next.or(Some((*set, index)));
                    break;
                };
                self.launch_alone(round, *set, index, place, actions);
                launched = true;
            }
        }
        self.reserve(next);
        for room in &mut round.rooms {
            let executor = room.spot.executor;
            if self.reserved == Some(executor) || self.cluster.is_lonely(executor) {
                room.cores = 0;
            }
        }
        let rooms = &round.rooms;
        round.open.retain(|room| rooms[*room as usize].cores > 0);
        launched
    }

    fn next_alone(&self, set: SetIx) -> Option<u32> {
        let manager = self.sets[set.index()].as_deref()?;
        manager.waiting_alone().next()
    }

    /// A room of the round on an executor that runs nothing.
    fn idle_room(&self, round: &Round, set: SetIx, index: u32) -> Option<usize> {
        let manager = self.set(set);
        round.rooms.iter().position(|room| {
            let spot = room.spot;
            self.cluster.running(spot.executor) == 0
                && room.fits(manager.needs())
                && manager.may_run(index, spot.executor, spot.host)
        })
    }

    fn launch_alone(
        &mut self,
        round: &mut Round,
        set: SetIx,
        index: u32,
        place: usize,
        actions: &mut Actions,
    ) {
        let Some(mut manager) = self.sets[set.index()].take() else {
            return;
        };
        let before = super::Counts::of(&manager);
        let room = &mut round.rooms[place];
        let (spot, offer) = (room.spot, room.offer as usize);
        let launch = Launch {
            index,
            level: LocalityLevel::Any,
            speculative: false,
            taken: room.take(manager.needs()),
        };
        let description = self.launch(round.now, set, &mut manager, spot, launch, actions);
        round.placed[offer].push(description);
        self.cluster.set_lonely(spot.executor);
        let after = super::Counts::of(&manager);
        self.sets[set.index()] = Some(manager);
        self.count(set, before, after);
    }

    /// Keeps an executor for a task that found none idle: the one that is nearest
    /// to that. Without such a task none is kept.
    fn reserve(&mut self, next: Option<(SetIx, u32)>) {
        let Some((set, index)) = next else {
            self.reserved = None;
            return;
        };
        let usable = |executor: &ExecutorIx| {
            let host = self.cluster.host_of(*executor);
            let excluded = self.health.as_ref().is_some_and(|health| {
                health.is_host_excluded(host) || health.is_executor_excluded(*executor)
            });
            self.cluster.is_alive(*executor)
                && !self.cluster.is_lonely(*executor)
                && !excluded
                && self.set(set).may_run(index, *executor, host)
        };
        if self.reserved.as_ref().is_some_and(&usable) {
            return;
        }
        let registered = self.cluster.registered().filter(usable);
        self.reserved = registered.min_by_key(|executor| self.cluster.running(*executor));
    }
}
