//! Which executors hold which partitions of persisted datasets.
//!
//! Responsible for what preferred locations and the search for missing parents
//! ask: who holds this partition, and is the whole dataset held somewhere. The
//! executors report what they keep and drop; an executor that is lost takes
//! its partitions along.

use std::collections::{BTreeMap, BTreeSet};

use super::places::{Place, Places};
use super::task::TaskLocation;
use crate::ids::{DatasetId, ExecutorId, Host, Partition};

#[derive(Debug, Default)]
struct Holders {
    by_partition: BTreeSet<(Partition, Place)>,
    /// How many different partitions there are.
    partitions: u32,
}

impl Holders {
    fn of(&self, partition: Partition) -> impl Iterator<Item = Place> {
        let first = (partition, Place::FIRST);
        let last = (partition, Place::LAST);
        self.by_partition
            .range(first..=last)
            .map(|(_, place)| *place)
    }

    fn has(&self, partition: Partition) -> bool {
        self.of(partition).next().is_some()
    }

    fn recount(&self) -> u32 {
        let mut partitions: Vec<_> = self.by_partition.iter().map(|(p, _)| *p).collect();
        partitions.dedup();
        u32::try_from(partitions.len()).expect("partitions fit 32 bits")
    }
}

/// Who holds what of persisted datasets.
#[derive(Debug, Default)]
pub struct CachedLocations {
    places: Places,
    datasets: BTreeMap<DatasetId, Holders>,
    /// What executors are told to keep no more: what they said before they
    /// heard it does not count.
    released: BTreeSet<DatasetId>,
}

impl CachedLocations {
    /// Nothing is held.
    pub fn new() -> Self {
        Self::default()
    }

    /// An executor holds a partition from now on.
    pub fn add(
        &mut self,
        dataset: DatasetId,
        partition: Partition,
        executor: &ExecutorId,
        host: &Host,
    ) {
        if self.released.contains(&dataset) {
            return;
        }
        let place = self.places.number(executor, host);
        let holders = self.datasets.entry(dataset).or_default();
        if !holders.has(partition) {
            holders.partitions += 1;
        }
        holders.by_partition.insert((partition, place));
    }

    /// An executor holds a partition no longer.
    pub fn remove(
        &mut self,
        dataset: DatasetId,
        partition: Partition,
        executor: &ExecutorId,
        host: &Host,
    ) {
        let Some(place) = self.places.find(executor, host) else {
            return;
        };
        let Some(holders) = self.datasets.get_mut(&dataset) else {
            return;
        };
        if holders.by_partition.remove(&(partition, place)) && !holders.has(partition) {
            holders.partitions -= 1;
        }
    }

    /// Nobody holds any partition of a dataset, from now on.
    pub fn release(&mut self, dataset: DatasetId) {
        self.datasets.remove(&dataset);
        self.released.insert(dataset);
    }

    /// An executor holds nothing any more.
    pub fn remove_executor(&mut self, executor: &ExecutorId) {
        let places = &self.places;
        for holders in self.datasets.values_mut() {
            let before = holders.by_partition.len();
            holders
                .by_partition
                .retain(|(_, place)| places.executor(*place) != executor);
            if holders.by_partition.len() != before {
                holders.partitions = holders.recount();
            }
        }
        self.datasets
            .retain(|_, holders| !holders.by_partition.is_empty());
    }

    /// The executors that hold a partition, in the order in which they became
    /// known.
    pub fn holders(&self, dataset: DatasetId, partition: Partition) -> Vec<TaskLocation> {
        let Some(holders) = self.datasets.get(&dataset) else {
            return Vec::new();
        };
        holders
            .of(partition)
            .map(|place| TaskLocation::Executor {
                host: self.places.host(place).clone(),
                executor: self.places.executor(place).clone(),
            })
            .collect()
    }

    /// Whether an executor holds any partition.
    pub fn holds(&self, executor: &ExecutorId) -> bool {
        self.datasets.values().any(|holders| {
            let mut all = holders.by_partition.iter();
            all.any(|(_, place)| self.places.executor(*place) == executor)
        })
    }

    /// How many partitions of a dataset someone holds.
    pub fn partitions_held(&self, dataset: DatasetId) -> u32 {
        self.datasets.get(&dataset).map_or(0, |h| h.partitions)
    }

    /// Whether the counts of held partitions are right.
    pub fn counts_are_right(&self) -> bool {
        self.datasets
            .values()
            .all(|holders| holders.partitions == holders.recount())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_held_until_its_last_holder_drops_it_or_is_lost() {
        let mut cached = CachedLocations::new();
        let dataset = DatasetId(3);
        let (a, b): (ExecutorId, ExecutorId) = ("a".into(), "b".into());
        let host: Host = "h".into();
        for (partition, executor) in [(0, &a), (0, &b), (1, &b), (1, &b)] {
            cached.add(dataset, Partition(partition), executor, &host);
        }
        assert_eq!(cached.partitions_held(dataset), 2);
        assert_eq!(cached.holders(dataset, Partition(0)).len(), 2);
        cached.remove(dataset, Partition(0), &b, &host);
        cached.remove(dataset, Partition(0), &b, &host);
        assert_eq!(cached.partitions_held(dataset), 2);
        cached.remove_executor(&b);
        assert_eq!(cached.partitions_held(dataset), 1);
        assert!(cached.holders(dataset, Partition(1)).is_empty());
        cached.remove_executor(&a);
        assert_eq!(cached.partitions_held(dataset), 0);
        cached.add(dataset, Partition(0), &a, &host);
        cached.release(dataset);
        cached.add(dataset, Partition(1), &a, &host);
        assert!(!cached.holds(&a));
        assert!(cached.counts_are_right());
    }
}
