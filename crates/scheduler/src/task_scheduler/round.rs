//! One answer to offers, while it is being made: what is left of them, and what starts on it.

use super::room::Room;
use super::{AttemptRef, TaskScheduler};
use crate::action::Actions;
use crate::clock::Timestamp;
use crate::locality::LocalityLevel;
use crate::pool::SetIx;
use crate::stock::Held;
use crate::task::TaskDescription;
use crate::task_set_manager::{Spot, TaskSetManager};

/// All that is offered, and what has been placed on it.
pub(super) struct Round {
    pub(super) now: Timestamp,
    pub(super) rooms: Vec<Room>,
    /// The rooms with cores left, in shuffled order.
    pub(super) open: Vec<u32>,
    pub(super) placed: Vec<Vec<TaskDescription>>,
    /// The sets that were offered room, and whether they started something; with
    /// exclusion on.
    pub(super) offered: Vec<(SetIx, bool)>,
}

/// A task of a barrier set that has room, while others are still without.
pub(super) struct Parked {
    pub(super) index: u32,
    pub(super) room: u32,
    pub(super) level: LocalityLevel,
    pub(super) taken: Vec<Held>,
}

/// A task that is to be started.
pub(super) struct Launch {
    pub(super) index: u32,
    pub(super) level: LocalityLevel,
    pub(super) speculative: bool,
    pub(super) taken: Vec<Held>,
}

impl TaskScheduler {
    /// Starts an attempt of a chosen task.
    pub(super) fn launch(
        &mut self,
        now: Timestamp,
        set: SetIx,
        manager: &mut TaskSetManager,
        spot: Spot,
        launch: Launch,
        actions: &mut Actions,
    ) -> TaskDescription {
        let task = self.next_task;
        self.next_task = task.next();
        let attempt = manager.launch(now, task, launch.index, spot);
        self.making.begin(manager.to_keep(launch.index));
        self.attempts.insert(task, AttemptRef { set, attempt });
        self.cluster.attempt_started(spot.executor);
        actions.reports.push(manager.started_report(attempt));
        manager.describe(
            attempt,
            &self.cluster,
            launch.level,
            launch.speculative,
            launch.taken,
        )
    }
}
