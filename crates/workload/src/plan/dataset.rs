//! One dataset of a plan, and what it is made from.
//!
//! Responsible for the facts about a dataset that scheduling rests on: how
//! many partitions, from which partitions of which parents, where they would
//! like to be computed, and whether computing one again gives the same. What
//! its operation does to records is not known here.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DatasetId, Host, Partition, ShuffleId};
use crate::plan::TaskNeeds;
use crate::plan::{Partitioner, Partitioning};

/// What a dataset is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// Each partition needs some partitions of the parent, which no other one
    /// needs, and is computed in the same task.
    Narrow(NarrowDependency),
    /// Each partition needs a part of every partition of the shuffle's map
    /// side: a stage ends there.
    Shuffle(ShuffleId),
}

impl Dependency {
    /// Partition `i` comes from the parent's partition `i`.
    pub const fn one_to_one(parent: DatasetId) -> Self {
        Self::Narrow(NarrowDependency {
            parent,
            mapping: PartitionMapping::OneToOne,
        })
    }
}

/// A dependency within a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NarrowDependency {
    /// The parent dataset.
    pub parent: DatasetId,
    /// Which of its partitions goes where.
    pub mapping: PartitionMapping,
}

impl NarrowDependency {
    /// The parent's partitions that `partition` of the child needs, in order.
    pub fn parent_partitions(&self, partition: Partition) -> Partitions {
        match self.mapping {
            PartitionMapping::OneToOne => Partitions::one(partition),
            PartitionMapping::Range {
                child_start,
                parent_start,
                length,
            } => partition
                .0
                .checked_sub(child_start)
                .filter(|offset| *offset < length)
                .map_or(Partitions::NONE, |offset| {
                    Partitions::one(Partition(parent_start + offset))
                }),
            PartitionMapping::Groups { parent, child } if partition.0 < child => {
                let first = |group: u32| {
                    let first = u64::from(group) * u64::from(parent) / u64::from(child);
                    u32::try_from(first).unwrap_or(parent)
                };
                Partitions(first(partition.0)..first(partition.0 + 1))
            }
            PartitionMapping::Groups { .. } => Partitions::NONE,
        }
    }
}

/// Partitions of one dataset that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions(Range<u32>);

impl Partitions {
    /// No partition.
    pub const NONE: Self = Self(0..0);

    pub(super) const fn one(partition: Partition) -> Self {
        Self(partition.0..partition.0.saturating_add(1))
    }
}

impl Iterator for Partitions {
    type Item = Partition;

    fn next(&mut self) -> Option<Partition> {
        self.0.next().map(Partition)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Partitions {
    fn next_back(&mut self) -> Option<Partition> {
        self.0.next_back().map(Partition)
    }
}

impl ExactSizeIterator for Partitions {}

/// Which partitions of the parent a partition of the child needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionMapping {
    /// The one of the same number.
    OneToOne,
    /// A run of partitions moved along, as in a union; partitions of the child
    /// outside the run need nothing of this parent.
    Range {
        /// First partition of the run in the child.
        child_start: u32,
        /// First partition of the run in the parent.
        parent_start: u32,
        /// How many partitions the run has.
        length: u32,
    },
    /// Some that follow each other: all of the parent's, in their order, in groups that
    /// differ in size by one at most.
    Groups {
        /// How many partitions the parent has.
        parent: u32,
        /// How many groups there are, no more than partitions.
        child: u32,
    },
}

/// Whether computing a partition again gives the same records.
///
/// Ordered from best to worst: a dataset is no better than what it is made
/// from (Spark's `DeterministicLevel`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Determinism {
    /// The same records in the same order.
    #[default]
    Determinate,
    /// The same records, perhaps in another order.
    Unordered,
    /// Perhaps other records. When part of such an output is lost, all of it
    /// and all that was computed from it must be made anew.
    Indeterminate,
}

/// A shuffle: the map side's records, spread over reduce partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shuffle {
    /// The dataset whose records are spread.
    pub map_side: DatasetId,
    /// How they are spread.
    pub partitioner: Partitioner,
    /// Whether the map output may differ when it is made again.
    pub determinism: Determinism,
}

impl Shuffle {
    /// Whether what reads it does without what it was made from, as long as it is
    /// there: it is what a round of a loop leaves.
    pub fn cuts_lineage(&self) -> bool {
        self.partitioner.partitioning == Partitioning::Same
    }
}

/// A dataset: lineage, not data.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(super) name: Arc<str>,
    pub(super) partitions: u32,
    pub(super) dependencies: Box<[Dependency]>,
    /// By partition; empty if no partition has a preference.
    pub(super) preferred_hosts: Box<[Box<[Host]>]>,
    pub(super) persisted: bool,
    pub(super) barrier: bool,
    pub(super) own_barrier: bool,
    pub(super) skips: bool,
    pub(super) determinism: Determinism,
    pub(super) needs: Option<Arc<TaskNeeds>>,
}

impl Dataset {
    /// Its name, for people.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How many partitions it has; a source may have none.
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// What it is made from, in the order given; empty for a source.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.dependencies
    }

    /// The dependencies within its stage, in the order given.
    pub fn narrow_dependencies(&self) -> impl DoubleEndedIterator<Item = &NarrowDependency> {
        self.dependencies
            .iter()
            .filter_map(|dependency| match dependency {
                Dependency::Narrow(narrow) => Some(narrow),
                Dependency::Shuffle(_) => None,
            })
    }

    /// The shuffle it reads, if that is all it is made from.
    pub fn only_shuffle(&self) -> Option<ShuffleId> {
        match *self.dependencies {
            [Dependency::Shuffle(shuffle)] => Some(shuffle),
            _ => None,
        }
    }

    /// The hosts where `partition` would like to be computed.
    pub fn preferred_hosts(&self, partition: Partition) -> &[Host] {
        self.preferred_hosts
            .get(partition.index())
            .map_or(&[], |hosts| hosts)
    }

    /// Whether any partition has hosts of its own that it prefers.
    pub fn has_preferred_hosts(&self) -> bool {
        !self.preferred_hosts.is_empty()
    }

    /// Whether its partitions stay with the executors that made them.
    pub fn is_persisted(&self) -> bool {
        self.persisted
    }

    /// Whether the tasks of its stage must start together: it, or a dataset
    /// that it is made from within the stage, was declared so.
    pub fn is_barrier(&self) -> bool {
        self.barrier
    }

    /// Whether it was itself declared to need a barrier.
    pub fn declares_barrier(&self) -> bool {
        self.own_barrier
    }

    /// Whether a task of its stage that cannot be done is left out: it, or a
    /// dataset that it is made from within the stage, was declared so.
    pub fn skips(&self) -> bool {
        self.skips
    }

    /// Whether computing it again gives the same.
    pub fn determinism(&self) -> Determinism {
        self.determinism
    }

    /// What a task that computes it needs, where that differs from the
    /// application's setting.
    pub fn needs(&self) -> Option<&Arc<TaskNeeds>> {
        self.needs.as_ref()
    }
}
