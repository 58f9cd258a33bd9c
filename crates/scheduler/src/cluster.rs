//! The executors, hosts and racks that the task scheduler knows.
//!
//! Responsible for who is alive and for small numbers in place of names: inside
//! the task scheduler a host or an executor is an index, so that the lists of
//! 100,000 waiting tasks hold four bytes an entry. Indices are never reused.
//! Makes no decisions.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host};

/// Declares indices into the cluster's tables.
macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(super) struct $name(pub(super) u32);

        impl $name {
            fn of(index: usize) -> Self {
                Self(u32::try_from(index).expect("fewer than 2^32 names"))
            }

            const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

indices! {
    /// A host.
    HostIx;
    /// An executor.
    ExecutorIx;
    /// A rack.
    RackIx;
}

/// That an executor is being decommissioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decommission {
    /// Since when.
    pub(super) since: Timestamp,
    /// Whether its whole host is.
    pub(super) whole_host: bool,
}

#[derive(Debug)]
struct Executor {
    id: ExecutorId,
    host: HostIx,
    /// By an offer. Else it is only named so far, as a preferred location; or
    /// gone.
    registered: bool,
    running: u32,
    /// What runs there is to have it alone.
    lonely: bool,
    decommission: Option<Decommission>,
    /// The registered executor on the same host that follows this one.
    next_on_host: Option<ExecutorIx>,
}

#[derive(Debug)]
struct HostEntry {
    name: Host,
    rack: Option<RackIx>,
    /// The first of its registered executors. A chain, since a list for each
    /// of 10,000 hosts would take longer to make than the tasks to place.
    first_registered: Option<ExecutorIx>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    host_by_name: FxHashMap<Host, HostIx>,
    hosts: Vec<HostEntry>,
    executor_by_id: FxHashMap<ExecutorId, ExecutorIx>,
    executors: Vec<Executor>,
    rack_by_name: FxHashMap<Arc<str>, RackIx>,
    racks: Vec<Vec<HostIx>>,
    registered: usize,
    removed_decommissioned: VecDeque<ExecutorIx>,
    retained_removed: usize,
}

impl Cluster {
    /// Knows nobody yet, and remembers of so many executors that are gone that
    /// they were being decommissioned.
    pub(super) fn new(retained_removed: usize) -> Self {
        Self {
            retained_removed,
            ..Self::default()
        }
    }

    // --- names

    /// Makes room for the names of so many offers.
    pub(super) fn expect(&mut self, offers: usize) {
        if offers > self.executors.len() {
            self.host_by_name.reserve(offers);
            self.hosts.reserve(offers);
            self.executor_by_id.reserve(offers);
            self.executors.reserve(offers);
        }
    }

    pub(super) fn host(&mut self, name: &Host) -> HostIx {
        if let Some(known) = self.host_by_name.get(name) {
            return *known;
        }
        let host = HostIx::of(self.hosts.len());
        self.hosts.push(HostEntry {
            name: name.clone(),
            rack: None,
            first_registered: None,
        });
        self.host_by_name.insert(name.clone(), host);
        host
    }

    /// The executor of this name, made up as absent on `host` if unknown.
    pub(super) fn executor(&mut self, id: &ExecutorId, host: HostIx) -> ExecutorIx {
        match self.executor_by_id.get(id) {
            Some(known) => *known,
            None => self.add_executor(id, host),
        }
    }

    /// Makes an executor known that is not.
    pub(super) fn add_executor(&mut self, id: &ExecutorId, host: HostIx) -> ExecutorIx {
        let executor = ExecutorIx::of(self.executors.len());
        self.executors.push(Executor {
            id: id.clone(),
            host,
            registered: false,
            running: 0,
            lonely: false,
            decommission: None,
            next_on_host: None,
        });
        self.executor_by_id.insert(id.clone(), executor);
        executor
    }

    pub(super) fn find_executor(&self, id: &ExecutorId) -> Option<ExecutorIx> {
        self.executor_by_id.get(id).copied()
    }

    pub(super) fn executor_id(&self, executor: ExecutorIx) -> &ExecutorId {
        &self.executors[executor.index()].id
    }

    pub(super) fn host_name(&self, host: HostIx) -> &Host {
        &self.hosts[host.index()].name
    }

    pub(super) fn host_of(&self, executor: ExecutorIx) -> HostIx {
        self.executors[executor.index()].host
    }

    // --- racks

    pub(super) fn rack_of(&self, host: HostIx) -> Option<RackIx> {
        self.hosts[host.index()].rack
    }

    /// Puts a host into a rack; true if that is news.
    pub(super) fn set_rack(&mut self, host: HostIx, rack: &Arc<str>) -> bool {
        let next = RackIx::of(self.racks.len());
        let rack = *self.rack_by_name.entry(Arc::clone(rack)).or_insert(next);
        if rack == next {
            self.racks.push(Vec::new());
        }
        let old = self.hosts[host.index()].rack.replace(rack);
        if old == Some(rack) {
            return false;
        }
        if let Some(old) = old {
            self.racks[old.index()].retain(|other| *other != host);
        }
        self.racks[rack.index()].push(host);
        true
    }

    // --- coming and going

    /// Registers an executor with an offer; true if it was not registered.
    pub(super) fn register(&mut self, executor: ExecutorIx, host: HostIx) -> bool {
        let entry = &mut self.executors[executor.index()];
        if entry.registered {
            return false;
        }
        entry.registered = true;
        entry.host = host;
        entry.decommission = None;
        entry.next_on_host = self.hosts[host.index()].first_registered.replace(executor);
        self.removed_decommissioned.retain(|gone| *gone != executor);
        self.registered += 1;
        true
    }

    pub(super) fn is_registered(&self, executor: ExecutorIx) -> bool {
        self.executors[executor.index()].registered
    }

    /// Takes an executor out.
    pub(super) fn remove(&mut self, executor: ExecutorIx) {
        if self.is_registered(executor) {
            self.registered -= 1;
            self.unchain(executor);
        }
        let entry = &mut self.executors[executor.index()];
        entry.registered = false;
        entry.running = 0;
        entry.lonely = false;
        if entry.decommission.is_some() && !self.removed_decommissioned.contains(&executor) {
            self.removed_decommissioned.push_back(executor);
            if self.removed_decommissioned.len() > self.retained_removed
                && let Some(oldest) = self.removed_decommissioned.pop_front()
            {
                self.executors[oldest.index()].decommission = None;
            }
        }
    }

    /// Takes an executor out of the chain of its host.
    fn unchain(&mut self, executor: ExecutorIx) {
        let host = self.host_of(executor);
        let next = self.executors[executor.index()].next_on_host.take();
        let before = self
            .registered_on(host)
            .find(|other| self.executors[other.index()].next_on_host == Some(executor));
        match before {
            Some(before) => self.executors[before.index()].next_on_host = next,
            None => self.hosts[host.index()].first_registered = next,
        }
    }

    fn registered_on(&self, host: HostIx) -> impl Iterator<Item = ExecutorIx> {
        std::iter::successors(self.hosts[host.index()].first_registered, |executor| {
            self.executors[executor.index()].next_on_host
        })
    }

    // --- decommissioning

    /// Notes that an executor that we have is being decommissioned.
    pub(super) fn decommission(&mut self, executor: ExecutorIx, state: Decommission) {
        let entry = &mut self.executors[executor.index()];
        if entry.registered {
            entry.decommission = Some(state);
        }
    }

    pub(super) fn decommission_of(&self, executor: ExecutorIx) -> Option<Decommission> {
        self.executors[executor.index()].decommission
    }

    // --- alive

    /// Registered and not being decommissioned.
    pub(super) fn is_alive(&self, executor: ExecutorIx) -> bool {
        let entry = &self.executors[executor.index()];
        entry.registered && entry.decommission.is_none()
    }

    pub(super) fn has_alive_executor(&self, host: HostIx) -> bool {
        self.alive_on(host).next().is_some()
    }

    pub(super) fn alive_on(&self, host: HostIx) -> impl Iterator<Item = ExecutorIx> {
        self.registered_on(host)
            .filter(|executor| self.is_alive(*executor))
    }

    pub(super) fn has_alive_host(&self, rack: RackIx) -> bool {
        self.racks[rack.index()].iter().any(|host| {
            let mut registered = self.registered_on(*host).peekable();
            registered.peek().is_some()
                && !registered.any(|executor| {
                    self.decommission_of(executor)
                        .is_some_and(|state| state.whole_host)
                })
        })
    }

    /// Whether any executor is registered.
    pub(super) fn is_empty(&self) -> bool {
        self.registered == 0
    }

    /// The registered executors in the order they first became known.
    pub(super) fn registered(&self) -> impl Iterator<Item = ExecutorIx> {
        self.executors
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.registered)
            .map(|(index, _)| ExecutorIx::of(index))
    }

    // --- running attempts

    /// Attempts that hold room there.
    pub(super) fn running(&self, executor: ExecutorIx) -> u32 {
        self.executors[executor.index()].running
    }

    pub(super) fn attempt_started(&mut self, executor: ExecutorIx) {
        self.executors[executor.index()].running += 1;
    }

    pub(super) fn attempt_ended(&mut self, executor: ExecutorIx) {
        let entry = &mut self.executors[executor.index()];
        entry.running = entry.running.saturating_sub(1);
        entry.lonely &= entry.running > 0;
    }

    /// What was started there last is to have it alone.
    pub(super) fn set_lonely(&mut self, executor: ExecutorIx) {
        self.executors[executor.index()].lonely = true;
    }

    /// Whether something runs there that is to have it alone.
    pub(super) fn is_lonely(&self, executor: ExecutorIx) -> bool {
        self.executors[executor.index()].lonely
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(cluster: &mut Cluster, id: &str, host: &str) -> ExecutorIx {
        let host = cluster.host(&host.into());
        let executor = cluster.executor(&id.into(), host);
        assert!(cluster.register(executor, host));
        executor
    }

    #[test]
    fn the_host_of_a_decommissioned_executor_lives_by_its_others() {
        let mut cluster = Cluster::new(0);
        let e0 = registered(&mut cluster, "e0", "host0");
        let e1 = registered(&mut cluster, "e1", "host0");
        let e2 = registered(&mut cluster, "e2", "host1");
        let state = |whole_host| Decommission {
            since: Timestamp::ZERO,
            whole_host,
        };
        cluster.decommission(e1, state(false));
        cluster.decommission(e2, state(true));
        assert!(cluster.is_alive(e0));
        assert!(!cluster.is_alive(e1));
        assert!(!cluster.is_alive(e2));
        assert!(cluster.has_alive_executor(cluster.host_of(e0)));
        assert!(!cluster.has_alive_executor(cluster.host_of(e2)));
    }

    #[test]
    fn only_so_many_removed_executors_are_remembered_as_decommissioned() {
        let mut cluster = Cluster::new(1);
        let e0 = registered(&mut cluster, "e0", "host0");
        let e1 = registered(&mut cluster, "e1", "host0");
        for executor in [e1, e0] {
            cluster.decommission(
                executor,
                Decommission {
                    since: Timestamp::ZERO,
                    whole_host: false,
                },
            );
            cluster.remove(executor);
        }
        assert!(cluster.decommission_of(e0).is_some());
        assert!(cluster.decommission_of(e1).is_none());
    }

    #[test]
    fn an_executor_that_returns_is_no_longer_decommissioned() {
        let mut cluster = Cluster::new(1);
        let e0 = registered(&mut cluster, "e0", "host0");
        cluster.decommission(
            e0,
            Decommission {
                since: Timestamp::ZERO,
                whole_host: false,
            },
        );
        cluster.remove(e0);
        assert_eq!(registered(&mut cluster, "e0", "host0"), e0);
        assert!(cluster.is_alive(e0));
    }

    #[test]
    fn a_rack_is_alive_while_one_of_its_hosts_is() {
        let mut cluster = Cluster::new(0);
        let e0 = registered(&mut cluster, "e0", "host0");
        let host = cluster.host_of(e0);
        assert!(cluster.set_rack(host, &"r1".into()));
        assert!(!cluster.set_rack(host, &"r1".into()));
        let rack = cluster.rack_of(host).expect("a rack was set");
        assert!(cluster.has_alive_host(rack));
        cluster.remove(e0);
        assert!(!cluster.has_alive_host(rack));
    }
}
