//! What is still to be read of what tasks leave behind. Pure.
//!
//! Responsible for counting the jobs, of all that are running or still to come,
//! that can read a map output or a persisted partition, and for naming what the
//! last of them leaves unread. Whoever asks lets it go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{DatasetId, ShuffleId};
use crate::plan::Plan;

/// What no job will read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Shuffles.
    pub shuffles: Vec<ShuffleId>,
    /// Persisted datasets.
    pub datasets: Vec<DatasetId>,
}

/// See the module.
#[derive(Debug)]
pub struct Readers {
    plan: Arc<Plan>,
    /// Jobs by the dataset that they make: those of one dataset read the same.
    jobs: BTreeMap<DatasetId, u32>,
    /// How many datasets of `jobs` can read each.
    shuffles: BTreeMap<ShuffleId, u32>,
    datasets: BTreeMap<DatasetId, u32>,
    unread: Unread,
    /// Datasets that are kept for these shuffles alone, which have not been made.
    only_for: BTreeMap<DatasetId, BTreeSet<ShuffleId>>,
}

impl Readers {
    /// Nothing is read.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            jobs: BTreeMap::new(),
            shuffles: BTreeMap::new(),
            datasets: BTreeMap::new(),
            unread: Unread::default(),
            only_for: BTreeMap::new(),
        }
    }

    /// A dataset is kept for these shuffles, and no longer if nothing else reads
    /// it.
    pub fn keeps_for(&mut self, dataset: DatasetId, shuffles: &BTreeSet<ShuffleId>) {
        let read_within = self
            .plan
            .datasets()
            .any(|(_, it)| it.narrow_dependencies().any(|it| it.parent == dataset));
        let spread = self.plan.shuffles();
        let mut readers = spread.filter(|(_, it)| it.map_side == dataset);
        if !read_within && readers.all(|(id, _)| shuffles.contains(&id)) {
            self.only_for.insert(dataset, shuffles.clone());
        }
    }

    /// A shuffle has all its outputs.
    pub fn made(&mut self, shuffle: ShuffleId) {
        let dataset = self.plan.shuffle(shuffle).map_side;
        let Some(left) = self.only_for.get_mut(&dataset) else {
            return;
        };
        left.remove(&shuffle);
        // A job that ends in it reads it itself.
        if left.is_empty() && !self.jobs.contains_key(&dataset) {
            self.only_for.remove(&dataset);
            if self.datasets.remove(&dataset).is_some() {
                self.unread.datasets.push(dataset);
            }
        }
    }

    /// There is one more job on a dataset. It was counted on already by another
    /// one if what it reads is to be there.
    pub fn opened(&mut self, dataset: DatasetId) {
        let jobs = self.jobs.entry(dataset).or_default();
        *jobs += 1;
        if *jobs > 1 {
            return;
        }
        let (shuffles, datasets) = self.plan.reads(dataset);
        for shuffle in shuffles {
            *self.shuffles.entry(shuffle).or_default() += 1;
        }
        for dataset in datasets {
            *self.datasets.entry(dataset).or_default() += 1;
        }
    }

    /// A job on a dataset is over.
    pub fn closed(&mut self, dataset: DatasetId) {
        if !leaves(&mut self.jobs, &dataset) {
            return;
        }
        let (shuffles, datasets) = self.plan.reads(dataset);
        for shuffle in shuffles {
            if leaves(&mut self.shuffles, &shuffle) {
                self.unread.shuffles.push(shuffle);
            }
        }
        for dataset in datasets {
            if leaves(&mut self.datasets, &dataset) {
                self.unread.datasets.push(dataset);
            }
        }
    }

    /// What became unread since this was called last.
    pub fn take_unread(&mut self) -> Unread {
        std::mem::take(&mut self.unread)
    }
}

/// Counts down; whether it was the last.
fn leaves<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else {
        return false;
    };
    *count -= 1;
    let last = *count == 0;
    if last {
        counts.remove(key);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{NewDataset, Partitioner, PlanBuilder};

    #[test]
    fn what_is_kept_for_a_sort_alone_is_unread_once_that_has_its_outputs() {
        for (within, more) in [(false, false), (true, false), (false, true)] {
            let mut builder = PlanBuilder::new();
            let lines = NewDataset::source("lines", 1).persisted();
            let lines = builder.add(lines).expect("valid");
            let sort = builder
                .shuffle(lines, Partitioner::range(2))
                .expect("valid");
            let sorted = builder.add(NewDataset::shuffled("sorted", [sort]));
            let sorted = sorted.expect("valid");
            if within {
                let part = NewDataset::derived("part", lines);
                let _ = builder.add(part).expect("valid");
            }
            if more {
                let _ = builder.shuffle(lines, Partitioner::hash(2)).expect("valid");
            }
            let mut readers = Readers::new(Arc::new(builder.build()));
            readers.keeps_for(lines, &BTreeSet::from([sort]));
            readers.opened(sorted);
            // The sample.
            readers.opened(lines);
            readers.closed(lines);
            assert_eq!(readers.take_unread(), Unread::default());
            readers.made(sort);
            let early = if within || more { vec![] } else { vec![lines] };
            assert_eq!(readers.take_unread().datasets, early);
            readers.closed(sorted);
            let late = if within || more { vec![lines] } else { vec![] };
            assert_eq!(readers.take_unread().datasets, late);
        }
    }

    #[test]
    fn what_the_last_reader_leaves_is_unread() {
        let mut builder = PlanBuilder::new();
        let lines = NewDataset::source("lines", 1).persisted();
        let lines = builder.add(lines).expect("valid");
        let first = builder.shuffle(lines, Partitioner::hash(1)).expect("valid");
        let counts = NewDataset::shuffled("counts", [first]);
        let counts = builder.add(counts).expect("valid");
        let second = builder
            .shuffle(counts, Partitioner::hash(1))
            .expect("valid");
        let sums = NewDataset::shuffled("sums", [second]);
        let sums = builder.add(sums).expect("valid");
        let mut readers = Readers::new(Arc::new(builder.build()));
        for dataset in [sums, counts, counts] {
            readers.opened(dataset);
        }
        readers.closed(counts);
        readers.closed(sums);
        let only = |shuffles: &[ShuffleId], datasets: &[DatasetId]| Unread {
            shuffles: shuffles.to_vec(),
            datasets: datasets.to_vec(),
        };
        assert_eq!(readers.take_unread(), only(&[second], &[]));
        assert_eq!(readers.take_unread(), Unread::default());
        readers.closed(counts);
        assert_eq!(readers.take_unread(), only(&[first], &[lines]));
        readers.closed(counts);
        assert_eq!(readers.take_unread(), Unread::default());
    }
}
