//! Which task of the set an executor gets, if any.

use super::kept::chain;
use super::{GivenUp, TaskSetManager};
use crate::action::Actions;
use crate::clock::Timestamp;
use crate::cluster::{Cluster, ExecutorIx, HostIx, RackIx};
use crate::locality::LocalityLevel;
use crate::making::Making;
use crate::pending::{ListKey, PendingTasks};
use crate::starvation::UnusedReason;

/// The set's answer to an offer of room for one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This task.
    Task {
        index: u32,
        /// How near its input it is there.
        level: LocalityLevel,
        /// Whether it is a copy of a running attempt.
        speculative: bool,
    },
    /// None, though tasks wait: they wait for a nearer place.
    Rejected,
    /// None.
    Nothing,
}

/// An executor and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) executor: ExecutorIx,
    pub(crate) host: HostIx,
    pub(crate) rack: Option<RackIx>,
}

impl TaskSetManager {
    /// Whether a spot is of use to the set at all.
    pub(crate) fn excludes(&self, executor: ExecutorIx, host: HostIx) -> bool {
        self.exclusions
            .as_ref()
            .is_some_and(|exclusions| exclusions.excludes(executor, host))
    }

    /// Chooses a task for an executor, no farther from its input than `max`
    /// and than delay scheduling allows. With `max` at
    /// [`LocalityLevel::NoPref`] delay scheduling is not asked.
    pub(crate) fn choose(
        &mut self,
        now: Timestamp,
        spot: Spot,
        max: LocalityLevel,
        legacy_reset: bool,
        making: &Making,
    ) -> Choice {
        if self.zombie || self.excludes(spot.executor, spot.host) {
            return Choice::Nothing;
        }
        let mut allowed = max;
        if max != LocalityLevel::NoPref {
            let waiting_at = &self.waiting_at;
            allowed = self
                .delay
                .allowed(now, |level| waiting_at[level as usize] > 0)
                .min(max);
        }
        let chosen = self
            .take(spot, allowed, false, making)
            .map(|it| (it, false));
        let chosen = match chosen {
            None if self.marked > 0 => self.take(spot, allowed, true, making).map(|it| (it, true)),
            chosen => chosen,
        };
        match chosen {
            Some(((index, level), speculative)) => {
                if legacy_reset && max != LocalityLevel::NoPref {
                    self.delay.reset(now, level);
                }
                Choice::Task {
                    index,
                    level,
                    speculative,
                }
            }
            None if max == LocalityLevel::Any && self.waits_for_others() => Choice::Rejected,
            None => Choice::Nothing,
        }
    }

    /// Whether tasks wait that are not set aside.
    fn waits_for_others(&self) -> bool {
        let alone = self.waiting_alone().count() as u32;
        self.waiting + self.marked > self.parked + alone
    }

    /// Takes a task out of the first list that has one.
    fn take(
        &mut self,
        spot: Spot,
        max: LocalityLevel,
        speculative: bool,
        making: &Making,
    ) -> Option<(u32, LocalityLevel)> {
        let Self {
            tasks,
            attempts,
            exclusions,
            alone,
            to_keep,
            barrier,
            left_out,
            ..
        } = self;
        // What makes nothing fails nowhere.
        let fails_there = |index: u32| {
            let exclusions = exclusions.as_ref().filter(|_| !left_out.contains(&index));
            exclusions.is_some_and(|it| it.excludes_task(index, spot.executor, spot.host))
        };
        let excluded = |index: u32| alone.contains(&index) || fails_there(index);
        let taken = if speculative {
            let has_attempt_there = |index: u32| {
                chain(tasks[index as usize].last_attempt, |attempt| {
                    attempts[attempt as usize].previous_of_task
                })
                .any(|attempt| attempts[attempt as usize].host == spot.host)
            };
            take_from(
                &mut self.copies,
                spot,
                max,
                |index| excluded(index) || has_attempt_there(index),
                |index| {
                    let task = &tasks[index as usize];
                    task.marked && !task.successful && task.copies <= 1
                },
            )
        } else {
            // The tasks of a barrier wait for each other already; one that runs is
            // to leave the list.
            let held_back = |index: u32| {
                !*barrier && tasks[index as usize].waits() && making.holds_back(to_keep.of(index))
            };
            let skip = |index| excluded(index) || held_back(index);
            take_from(&mut self.pending, spot, max, skip, |index| {
                let task = &tasks[index as usize];
                task.waits() && !task.parked
            })
        };
        if let (Some((index, _)), true) = (taken, speculative) {
            self.tasks[index as usize].marked = false;
            self.marked -= 1;
        }
        taken
    }

    /// Whether the next waiting task can run on no executor there is, for
    /// reasons of exclusion; then which it is. Only one task is looked at.
    pub(crate) fn task_excluded_everywhere(
        &self,
        cluster: &Cluster,
        is_excluded: impl Fn(ExecutorIx, HostIx) -> bool,
    ) -> Option<u32> {
        let exclusions = self.exclusions.as_ref()?;
        if self.zombie || cluster.is_empty() {
            return None;
        }
        // From the end, where failed tasks are put back.
        let index = self
            .pending
            .newest_first()
            .find(|index| self.tasks[*index as usize].waits())?;
        let left_out = self.left_out.contains(&index);
        let stuck = cluster.registered().all(|executor| {
            let host = cluster.host_of(executor);
            is_excluded(executor, host)
                || exclusions.excludes(executor, host)
                || (!left_out && exclusions.excludes_task(index, executor, host))
        });
        stuck.then_some(index)
    }

    /// Gives the set up since a task of it can run nowhere.
    pub(crate) fn abort_excluded_everywhere(
        &mut self,
        index: u32,
        cluster: &Cluster,
        actions: &mut Actions,
    ) {
        let latest = self
            .exclusions
            .as_ref()
            .and_then(|exclusions| exclusions.latest_failure())
            .map_or_else(|| "none known".to_owned(), ToString::to_string);
        let reason = format!(
            "{self} is given up: its task {index} (partition {}) can run nowhere, since it failed \
             on every executor or all are excluded; most recent failure: {latest}; its attempts \
             ran on {}; what leads to exclusion is set by spark.excludeOnFailure.*",
            self.tasks[index as usize].partition,
            self.places_of(index, cluster)
        );
        let why = GivenUp {
            task: &latest,
            set: &reason,
        };
        self.give_up(index, why, actions);
    }

    /// Why a spot with room enough was of no use, for people.
    pub(crate) fn why_declined(&self, spot: Spot) -> UnusedReason {
        if self.excludes(spot.executor, spot.host) {
            UnusedReason::ExcludedForStage
        } else if self.delay.levels().after(self.delay.level()).is_some() {
            UnusedReason::WaitsForLocality {
                level: self.delay.level(),
            }
        } else {
            UnusedReason::TasksExcluded
        }
    }
}

fn take_from(
    lists: &mut PendingTasks,
    spot: Spot,
    max: LocalityLevel,
    skip: impl Fn(u32) -> bool,
    usable: impl Fn(u32) -> bool,
) -> Option<(u32, LocalityLevel)> {
    let executor = ListKey::executor(spot.executor);
    if let Some(index) = lists.take_at(executor, &skip, &usable) {
        return Some((index, LocalityLevel::ProcessLocal));
    }
    if max >= LocalityLevel::NodeLocal
        && let Some(index) = lists.take_at(ListKey::host(spot.host), &skip, &usable)
    {
        return Some((index, LocalityLevel::NodeLocal));
    }
    // Before the rack's, to spare the network between racks. A task without
    // preference counts as at home.
    if max >= LocalityLevel::NoPref
        && let Some(index) = lists.take_without_preference(&skip, &usable)
    {
        return Some((index, LocalityLevel::ProcessLocal));
    }
    if max >= LocalityLevel::RackLocal
        && let Some(rack) = spot.rack
        && let Some(index) = lists.take_at(ListKey::rack(rack), &skip, &usable)
    {
        return Some((index, LocalityLevel::RackLocal));
    }
    if max == LocalityLevel::Any
        && let Some(index) = lists.take_any(&skip, &usable)
    {
        return Some((index, LocalityLevel::Any));
    }
    None
}
