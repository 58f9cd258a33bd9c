//! What datasets do to records: the part of an application that executors need.
//!
//! Responsible for naming each operation with its arguments, checked, in a form
//! that can be sent. How records are read and changed is known to
//! `executor::operators` and `storage`; the facts that scheduling rests on are
//! in [`Plan`](super::Plan), which has the same datasets and shuffles under the
//! same ids.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::{NarrowDependency, Partitioning};

/// What executors know of an application: each dataset and shuffle by its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The datasets, by [`DatasetId`].
    pub datasets: Vec<Step>,
    /// The shuffles, by [`ShuffleId`].
    pub shuffles: Vec<Exchange>,
}

/// One dataset of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, for people.
    pub name: Arc<str>,
    /// What it does.
    pub operation: Operation,
    /// The datasets it is made from within its stage.
    pub parents: Vec<NarrowDependency>,
    /// Whether its partitions are kept.
    pub persisted: bool,
}

/// What a dataset does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// Lines of files; partition `i` is split `i`.
    Text(Vec<Split>),
    /// The numbers from `start` up to but not `end`, spread over partitions.
    Range {
        /// The first number.
        start: i64,
        /// One after the last.
        end: i64,
        /// How many partitions.
        partitions: u32,
    },
    /// One record for each partition.
    Items(Vec<String>),
    /// Through a shell command.
    Pipe(String),
    /// Records that a regular expression matches.
    Filter(String),
    /// Some records, each kept with this probability.
    Sample {
        /// From 0 to 1.
        fraction: f64,
        /// With the partition, decides which.
        seed: u64,
    },
    /// A field and a tab before each record.
    KeyBy {
        /// Counted from 1.
        field: u32,
        /// What stands between fields.
        separator: String,
    },
    /// The records of the parent that has the partition.
    Union,
    /// What a shuffle brought together.
    Read(ShuffleId, Merge),
    /// The records of two shuffles, matched by key.
    Join {
        /// The left side.
        left: ShuffleId,
        /// The right side.
        right: ShuffleId,
        /// What becomes of records without a match.
        kind: JoinKind,
    },
}

/// How the blocks of a reduce partition become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Merge {
    /// One after the other (`repartition`).
    Concatenate,
    /// One record for each key.
    Combine(Combine),
    /// In order (`sort`).
    Sort(SortOrder),
    /// Sorted by key, through a shell command (`reduce_by_key`).
    ReduceByPipe(String),
}

/// How the records of a key become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combine {
    /// `key<TAB>number` of records.
    Count,
    /// `key<TAB>sum` of what stands after the tab.
    Sum,
    /// The line itself, once.
    Distinct,
}

/// What becomes of records without a match in a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinKind {
    /// They are left out.
    Inner,
    /// Those of the left side are kept.
    Left,
    /// Those of the right side are kept.
    Right,
    /// All are kept.
    Full,
}

/// An order of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortOrder {
    /// What is compared first; equal keys are ordered by the whole line.
    pub by: SortBy,
    /// Whether as numbers; what is no number comes before all numbers.
    pub numeric: bool,
    /// From the largest to the smallest.
    pub descending: bool,
}

/// What an order compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortBy {
    /// What stands before the first tab.
    #[default]
    Key,
    /// The whole line.
    Line,
}

/// One shuffle of a program: what the map side does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The dataset whose records are spread.
    pub map_side: DatasetId,
    /// What decides a record's reduce partition.
    pub partitioning: Partitioning,
    /// How many reduce partitions.
    pub partitions: u32,
    /// How records of a key become one before they are sent, if they do.
    pub combine: Option<Combine>,
    /// The order that ranges are ranges of.
    pub order: SortOrder,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// A path or URL.
    pub path: Arc<str>,
    /// Where it begins, in bytes. A line belongs to the split in which its
    /// first byte lies.
    pub start: u64,
    /// How long it is; `None` for all that is left (compressed files, and
    /// those whose size is not known).
    pub length: Option<u64>,
    /// How the file is packed.
    pub packing: Packing,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// `.gz`.
    Gzip,
    /// `.zst`.
    Zstd,
}

impl Packing {
    /// By the end of a file's name.
    pub fn of(path: &str) -> Self {
        if path.ends_with(".gz") {
            Self::Gzip
        } else if path.ends_with(".zst") {
            Self::Zstd
        } else {
            Self::Plain
        }
    }
}

impl Program {
    /// A dataset.
    ///
    /// # Panics
    /// When the id is of another program.
    pub fn step(&self, dataset: DatasetId) -> &Step {
        &self.datasets[dataset.index()]
    }

    /// A shuffle.
    ///
    /// # Panics
    /// When the id is of another program.
    pub fn exchange(&self, shuffle: ShuffleId) -> &Exchange {
        &self.shuffles[shuffle.index()]
    }

    /// The partition of a parent that a partition of `dataset` needs, with the
    /// parent, in order.
    pub fn inputs(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> impl Iterator<Item = (DatasetId, Partition)> {
        self.step(dataset)
            .parents
            .iter()
            .filter_map(move |parent| Some((parent.parent, parent.parent_partition(partition)?)))
    }
}
