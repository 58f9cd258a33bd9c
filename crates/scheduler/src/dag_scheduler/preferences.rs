//! Where a task would like to run.
//!
//! Responsible for Spark's order of preference: executors that hold the
//! partition; else the dataset's own hosts, or for one that reads a single
//! shuffle the hosts with much of its input; else the first that any partition
//! it is narrowly made from has, first parent first. Where a partition is several
//! of a parent put together, it is where most of these would like to be.

use std::collections::{BTreeMap, BTreeSet};

use super::DagScheduler;
use crate::ids::{DatasetId, Partition};
use crate::plan::Dataset;
use crate::task::{PersistedPartition, TaskLocation};

/// Finds the preferred locations of one stage's partitions.
pub(super) struct Preferences<'a> {
    scheduler: &'a DagScheduler,
    dataset: DatasetId,
    /// Whether any dataset of the stage has any preference.
    any: bool,
    // Kept between partitions to save allocating them each time.
    to_visit: Vec<(DatasetId, Partition)>,
    seen: BTreeSet<(DatasetId, Partition)>,
}

impl DagScheduler {
    /// Ready to find the preferred locations of a dataset's partitions.
    pub(super) fn preferences(&self, dataset: DatasetId) -> Preferences<'_> {
        let any = self.plan.pipeline(dataset).datasets.iter().any(|id| {
            let dataset = self.plan.dataset(*id);
            self.cached.partitions_held(*id) > 0
                || dataset.has_preferred_hosts()
                || self.reads_with_locality(dataset)
        });
        Preferences {
            scheduler: self,
            dataset,
            any,
            to_visit: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    fn reads_with_locality(&self, dataset: &Dataset) -> bool {
        self.config.reduce_locality
            && dataset
                .only_shuffle()
                .is_some_and(|shuffle| self.outputs.has_reduce_locality(shuffle))
    }

    /// What a task for a partition makes that executors keep: the partitions of
    /// persisted datasets in its stage that nobody keeps yet.
    pub(super) fn to_keep(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> Box<[PersistedPartition]> {
        let mut to_keep = Vec::new();
        let mut seen = BTreeSet::new();
        let mut to_visit = vec![(dataset, partition)];
        while let Some((id, partition)) = to_visit.pop() {
            if !seen.insert((id, partition)) {
                continue;
            }
            let dataset = self.plan.dataset(id);
            if dataset.is_persisted() {
                if !self.cached.holders(id, partition).is_empty() {
                    continue;
                }
                to_keep.push((id, partition));
            }
            to_visit.extend(dataset.narrow_dependencies().flat_map(|narrow| {
                let partitions = narrow.parent_partitions(partition);
                partitions.map(|it| (narrow.parent, it))
            }));
        }
        to_keep.into()
    }

    /// What a dataset says of one of its partitions, without its parents.
    fn own_preference(&self, id: DatasetId, partition: Partition) -> Vec<TaskLocation> {
        let held = self.cached.holders(id, partition);
        if !held.is_empty() {
            return held;
        }
        let dataset = self.plan.dataset(id);
        let hosts = dataset.preferred_hosts(partition);
        if !hosts.is_empty() {
            return hosts.iter().cloned().map(TaskLocation::Host).collect();
        }
        match dataset.only_shuffle() {
            Some(shuffle) if self.config.reduce_locality => {
                let hosts = self.outputs.preferred_hosts(shuffle, partition);
                hosts.into_iter().map(TaskLocation::Host).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Preferences<'_> {
    /// Where the task of `partition` would like to run, best first.
    pub(super) fn of(&mut self, partition: Partition) -> Box<[TaskLocation]> {
        if !self.any {
            return Box::default();
        }
        self.seen.clear();
        self.to_visit.clear();
        self.to_visit.push((self.dataset, partition));
        // What several partitions that are put together would like; so much of the
        // stack is not of them.
        let mut together: Option<(Votes, usize)> = None;
        loop {
            if let Some((votes, others)) = &mut together
                && self.to_visit.len() == *others
            {
                let most = votes.most();
                if !most.is_empty() {
                    return most;
                }
                together = None;
            }
            let Some((id, partition)) = self.to_visit.pop() else {
                return Box::default();
            };
            if !self.seen.insert((id, partition)) {
                continue;
            }
            let own = self.scheduler.own_preference(id, partition);
            if !own.is_empty() {
                match &mut together {
                    Some((votes, _)) => votes.add(own),
                    None => return own.into(),
                }
                continue;
            }
            // Last in, first out: the first parent is to be asked first.
            for narrow in self.scheduler.plan.dataset(id).narrow_dependencies().rev() {
                let partitions = narrow.parent_partitions(partition);
                if partitions.len() > 1 && together.is_none() {
                    together = Some((Votes::default(), self.to_visit.len()));
                }
                let partitions = partitions.rev();
                self.to_visit
                    .extend(partitions.map(|it| (narrow.parent, it)));
            }
        }
    }
}

/// Where several partitions would like to be, each with how many would like that.
#[derive(Debug, Default)]
struct Votes {
    /// With the place among those that were named.
    named: BTreeMap<TaskLocation, (usize, u32)>,
}

impl Votes {
    fn add(&mut self, locations: Vec<TaskLocation>) {
        for location in locations {
            let place = self.named.len();
            self.named.entry(location).or_insert((place, 0)).1 += 1;
        }
    }

    /// Those that most would like, in the order in which they were named.
    fn most(&self) -> Box<[TaskLocation]> {
        let most = self.named.values().map(|(_, count)| *count).max();
        let mut most: Vec<_> = self
            .named
            .iter()
            .filter(|(_, (_, count))| Some(*count) == most)
            .map(|(location, (place, _))| (place, location))
            .collect();
        most.sort_unstable();
        most.into_iter().map(|(_, it)| it.clone()).collect()
    }
}
