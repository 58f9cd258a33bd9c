//! One dataset of a plan, and what it is made from.
//!
//! Responsible for the facts about a dataset that scheduling rests on: how
//! many partitions, from which partitions of which parents, where they would
//! like to be computed, and whether computing one again gives the same. What
//! its operation does to records is not known here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DatasetId, Host, Partition, ShuffleId};
use crate::plan::TaskNeeds;
use crate::plan::{Partitioner, Partitioning};

/// What a dataset is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// Each partition needs at most one partition of the parent, and is
    /// computed in the same task.
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
    /// The parent's partition that `partition` of the child needs, if any.
    pub fn parent_partition(&self, partition: Partition) -> Option<Partition> {
        match self.mapping {
            PartitionMapping::OneToOne => Some(partition),
            PartitionMapping::Range {
                child_start,
                parent_start,
                length,
            } => partition
                .0
                .checked_sub(child_start)
                .filter(|offset| *offset < length)
                .map(|offset| Partition(parent_start + offset)),
        }
    }
}

/// Which partition of the parent a partition of the child needs.
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
