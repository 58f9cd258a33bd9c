//! The tasks of a set that wait for room, listed by where they would like it.
//!
//! Responsible for the lists of one task set: by executor, host and rack, those
//! without preference, and all. Each is a stack. A launched task leaves only
//! the list it was taken from; the others skip it when they come to it, so a
//! launch costs the same however many tasks wait. Whether a task still waits is
//! the manager's knowledge, and passed in.

use rustc_hash::FxHashMap;

use super::cluster::{Cluster, ExecutorIx, HostIx, RackIx};
use crate::locality::{Levels, LocalityLevel};
use crate::task::TaskLocation;

/// An executor, a host or a rack: what a list is kept for, in four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ListKey(u32);

/// What a [`ListKey`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    /// One executor.
    Executor(ExecutorIx),
    /// One host.
    Host(HostIx),
    /// One rack.
    Rack(RackIx),
    /// Whatever executors live on a host at the time of listing.
    HostCache(HostIx),
}

impl ListKey {
    const INDEX_BITS: u32 = 30;
    const MAX_INDEX: u32 = (1 << Self::INDEX_BITS) - 1;

    fn tagged(tag: u32, index: u32) -> Self {
        assert!(index <= Self::MAX_INDEX, "fewer than 2^30 places");
        Self(tag << Self::INDEX_BITS | index)
    }

    pub(super) fn executor(executor: ExecutorIx) -> Self {
        Self::tagged(0, executor.0)
    }

    pub(super) fn host(host: HostIx) -> Self {
        Self::tagged(1, host.0)
    }

    pub(super) fn rack(rack: RackIx) -> Self {
        Self::tagged(2, rack.0)
    }

    fn host_cache(host: HostIx) -> Self {
        Self::tagged(3, host.0)
    }

    pub(super) fn kind(self) -> PlaceKind {
        let index = self.0 & Self::MAX_INDEX;
        match self.0 >> Self::INDEX_BITS {
            0 => PlaceKind::Executor(ExecutorIx(index)),
            1 => PlaceKind::Host(HostIx(index)),
            2 => PlaceKind::Rack(RackIx(index)),
            _ => PlaceKind::HostCache(HostIx(index)),
        }
    }
}

/// The preferred places of all tasks of a set, end to end.
#[derive(Debug, Default)]
pub(super) struct Preferences {
    ends: Vec<u32>,
    places: Vec<ListKey>,
}

impl Preferences {
    /// Adds the next task's locations.
    pub(super) fn push(&mut self, locations: &[TaskLocation], cluster: &mut Cluster) {
        let start = self.places.len();
        for location in locations {
            let host = cluster.host(location.host());
            match location {
                TaskLocation::Host(_) => {}
                TaskLocation::HostCache(_) => self.push_once(start, ListKey::host_cache(host)),
                TaskLocation::Executor { executor, .. } => {
                    let executor = cluster.executor(executor, host);
                    self.push_once(start, ListKey::executor(executor));
                }
            }
            self.push_once(start, ListKey::host(host));
        }
        self.ends
            .push(u32::try_from(self.places.len()).expect("fewer than 2^32 preferences"));
    }

    fn push_once(&mut self, start: usize, place: ListKey) {
        if !self.places[start..].contains(&place) {
            self.places.push(place);
        }
    }

    /// Gives back spare room once all tasks are in. Keeps nothing at all if
    /// none has a preference.
    pub(super) fn seal(&mut self) {
        if self.places.is_empty() {
            self.ends.clear();
        }
        self.ends.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    /// The preferred places of a task.
    pub(super) fn of(&self, task: u32) -> &[ListKey] {
        let task = task as usize;
        if self.ends.is_empty() {
            return &[];
        }
        let start = match task {
            0 => 0,
            _ => self.ends[task - 1],
        };
        &self.places[start as usize..self.ends[task] as usize]
    }
}

/// The lists; see the module.
#[derive(Debug, Default)]
pub(super) struct PendingTasks {
    placed: FxHashMap<ListKey, Vec<u32>>,
    no_preference: Vec<u32>,
    all: Vec<u32>,
}

impl PendingTasks {
    /// Lists a task, as the first to be taken, everywhere it would like to be;
    /// says at which levels it is listed (`Any` always among them).
    pub(super) fn push(&mut self, task: u32, preferences: &[ListKey], cluster: &Cluster) -> Levels {
        let mut listed = Levels::ANY;
        for place in preferences {
            match place.kind() {
                PlaceKind::HostCache(host) => {
                    for executor in cluster.alive_on(host) {
                        self.push_at(ListKey::executor(executor), task);
                        listed = listed.with(LocalityLevel::ProcessLocal);
                    }
                    continue;
                }
                PlaceKind::Host(host) => {
                    listed = listed.with(LocalityLevel::NodeLocal);
                    if let Some(rack) = cluster.rack_of(host) {
                        self.push_at(ListKey::rack(rack), task);
                        listed = listed.with(LocalityLevel::RackLocal);
                    }
                }
                PlaceKind::Executor(_) => listed = listed.with(LocalityLevel::ProcessLocal),
                PlaceKind::Rack(_) => listed = listed.with(LocalityLevel::RackLocal),
            }
            self.push_at(*place, task);
        }
        if preferences.is_empty() {
            self.no_preference.push(task);
            listed = listed.with(LocalityLevel::NoPref);
        }
        self.all.push(task);
        listed
    }

    fn push_at(&mut self, place: ListKey, task: u32) {
        let list = self.placed.entry(place).or_default();
        // Two hosts of one rack would list the task twice in a row.
        if list.last() != Some(&task) {
            list.push(task);
        }
    }

    /// Lists a task at one more place.
    pub(super) fn also_at(&mut self, place: ListKey, task: u32) {
        self.push_at(place, task);
    }

    /// Room for `tasks` tasks, before the first are listed.
    pub(super) fn reserve(&mut self, tasks: usize, without_preference: usize) {
        self.all.reserve_exact(tasks);
        self.no_preference.reserve_exact(without_preference);
    }

    /// Gives back spare room after the first listing.
    pub(super) fn seal(&mut self) {
        for list in self.placed.values_mut() {
            list.shrink_to_fit();
        }
        self.placed.shrink_to_fit();
    }

    /// The rack of a host became known: whoever waits for the host waits for
    /// the rack too. Gives back these tasks.
    pub(super) fn learn_rack(&mut self, host: HostIx, rack: RackIx) -> Vec<u32> {
        let Some(list) = self.placed.get(&ListKey::host(host)) else {
            return Vec::new();
        };
        let tasks = list.clone();
        self.placed
            .entry(ListKey::rack(rack))
            .or_default()
            .extend(&tasks);
        tasks
    }

    /// Takes the last usable task listed for a place. Tasks that `skip` names
    /// stay where they are; others that are not `usable` are dropped.
    pub(super) fn take_at(
        &mut self,
        place: ListKey,
        skip: impl Fn(u32) -> bool,
        usable: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        if self.placed.is_empty() {
            return None;
        }
        take(self.placed.get_mut(&place)?, skip, usable)
    }

    /// As [`PendingTasks::take_at`], of the tasks without preference.
    pub(super) fn take_without_preference(
        &mut self,
        skip: impl Fn(u32) -> bool,
        usable: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        take(&mut self.no_preference, skip, usable)
    }

    /// As [`PendingTasks::take_at`], of all tasks.
    pub(super) fn take_any(
        &mut self,
        skip: impl Fn(u32) -> bool,
        usable: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        take(&mut self.all, skip, usable)
    }

    /// All listed tasks, the next to be taken first; some may wait no more.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u32> {
        self.all.iter().rev().copied()
    }

    /// The levels at which tasks are, or ever were, listed for somebody alive: a
    /// place whose last task was taken may get one back, and until then its level
    /// is passed at once (as in Spark, whose lists stay when they are empty). Only
    /// the level without preference goes with its last task.
    pub(super) fn valid_levels(&self, cluster: &Cluster) -> Levels {
        let mut levels = Levels::ANY;
        if !self.no_preference.is_empty() {
            levels = levels.with(LocalityLevel::NoPref);
        }
        for place in self.placed.keys() {
            let level = match place.kind() {
                PlaceKind::Executor(_) => LocalityLevel::ProcessLocal,
                PlaceKind::Host(_) | PlaceKind::HostCache(_) => LocalityLevel::NodeLocal,
                PlaceKind::Rack(_) => LocalityLevel::RackLocal,
            };
            if levels.contains(level) {
                continue;
            }
            let alive = match place.kind() {
                PlaceKind::Executor(executor) => cluster.is_alive(executor),
                PlaceKind::Host(host) | PlaceKind::HostCache(host) => {
                    cluster.has_alive_executor(host)
                }
                PlaceKind::Rack(rack) => cluster.has_alive_host(rack),
            };
            if alive {
                levels = levels.with(level);
            }
        }
        levels
    }
}

fn take(
    list: &mut Vec<u32>,
    skip: impl Fn(u32) -> bool,
    usable: impl Fn(u32) -> bool,
) -> Option<u32> {
    let mut at = list.len();
    while at > 0 {
        at -= 1;
        let task = list[at];
        if skip(task) {
            continue;
        }
        // Nearly always the last.
        list.remove(at);
        if usable(task) {
            return Some(task);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: fn(u32) -> bool = |_| false;
    const EACH: fn(u32) -> bool = |_| true;

    #[test]
    fn a_task_put_back_is_taken_first() {
        let mut pending = PendingTasks::default();
        let cluster = Cluster::new(0);
        for task in (0..3).rev() {
            pending.push(task, &[], &cluster);
        }
        assert_eq!(pending.take_any(NONE, EACH), Some(0));
        pending.push(2, &[], &cluster);
        assert_eq!(pending.take_any(NONE, EACH), Some(2));
        assert_eq!(pending.take_any(NONE, EACH), Some(1));
    }

    #[test]
    fn a_skipped_task_stays_and_an_unusable_one_goes() {
        let mut pending = PendingTasks::default();
        let cluster = Cluster::new(0);
        for task in (0..3).rev() {
            pending.push(task, &[], &cluster);
        }
        assert_eq!(
            pending.take_any(|task| task == 0, |task| task == 2),
            Some(2)
        );
        assert_eq!(pending.newest_first().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn executor_preferences_are_host_preferences_too() {
        let mut cluster = Cluster::new(0);
        let mut preferences = Preferences::default();
        preferences.push(
            &[
                "executor_h1_e1".parse().expect("well formed"),
                "h1".parse().expect("well formed"),
            ],
            &mut cluster,
        );
        preferences.push(&[], &mut cluster);
        preferences.seal();
        let host = cluster.host(&"h1".into());
        assert_eq!(preferences.of(0).len(), 2);
        assert!(preferences.of(0).contains(&ListKey::host(host)));
        assert_eq!(preferences.of(1), []);
    }

    #[test]
    fn a_host_cache_stands_for_the_executors_alive_on_the_host() {
        let mut cluster = Cluster::new(0);
        let host = cluster.host(&"h1".into());
        let executor = cluster.executor(&"e1".into(), host);
        cluster.register(executor, host);
        let mut preferences = Preferences::default();
        preferences.push(
            &["hdfs_cache_h1".parse().expect("well formed")],
            &mut cluster,
        );
        let mut pending = PendingTasks::default();
        pending.push(0, preferences.of(0), &cluster);
        assert_eq!(
            pending.take_at(ListKey::executor(executor), NONE, EACH),
            Some(0)
        );
    }

    #[test]
    fn a_rack_learnt_late_takes_over_what_waits_for_its_host() {
        let mut cluster = Cluster::new(0);
        let host = cluster.host(&"h1".into());
        let mut pending = PendingTasks::default();
        pending.push(0, &[ListKey::host(host)], &cluster);
        cluster.set_rack(host, &"r1".into());
        let rack = cluster.rack_of(host).expect("just set");
        pending.learn_rack(host, rack);
        assert_eq!(pending.take_at(ListKey::rack(rack), NONE, EACH), Some(0));
    }
}
