//! What datasets do to records, as executors are told.
//!
//! Responsible for naming each operation with its arguments, checked, in a form
//! that can be sent, and for what is to be known of it before it is done. How records
//! are read and changed is known to `executor::operators` and `storage`; which dataset
//! does what is in [`Program`](super::program::Program).
//!
//! ```text
//! Source ──▶ Change ──▶ Change ──▶ what its task does with the records:
//!     Union and Coalesce pass on   a map output, or what an action asks
//! ```

use serde::{Deserialize, Serialize};

use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::measure::Measures;
use crate::plan::native::{FunctionId, NativeSource};
use crate::plan::split::Split;
use crate::plan::splits::Splits;
use crate::plan::{NarrowDependency, Partitions};

/// Where the records of a dataset come from within a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operation {
    /// From outside the stage: a pipeline begins here.
    Source(Source),
    /// From the same partition of this dataset, changed on their way.
    Change(DatasetId, Change),
    /// From the one parent that has the partition, as they are.
    Union(Vec<NarrowDependency>),
    /// From several partitions of the parent, one after the other, as they are.
    Coalesce(NarrowDependency),
}

/// What begins a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// Lines of files.
    Text(Splits),
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
    /// What a function of the user's program reads.
    Native(NativeSource),
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

/// What changes records on their way through a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Through a shell command.
    Pipe(String),
    /// Records in which a regular expression is found, or is not.
    Filter {
        /// The expression.
        pattern: String,
        /// Whether those are left out that it is found in.
        not: bool,
    },
    /// Some records, each kept with this probability.
    Sample {
        /// From 0 to 1.
        fraction: f64,
        /// With the partition, decides which.
        seed: u64,
    },
    /// A random number and a tab before each record, of the same length for all.
    Number {
        /// With the partition, decides which.
        seed: u64,
    },
    /// Only what stands behind the first tab.
    DropKey,
    /// Fields and a tab before each record.
    KeyBy {
        /// Counted from 1.
        fields: Vec<u32>,
        /// What stands between fields.
        separator: Separator,
    },
    /// What stands between the places where a regular expression is found, each
    /// piece a record; empty ones are left out.
    SplitBy(String),
    /// Each word a record.
    Words {
        /// Whether digits are parts of words, beside letters.
        digits: bool,
        /// Whether they become lower case.
        lower: bool,
    },
    /// Fields of records with quotes, with tabs between them.
    Csv {
        /// Counted from 1, in the order in which they are wanted.
        fields: Vec<u32>,
        /// What stands between fields.
        separator: u8,
    },
    /// Fields of JSON objects, with tabs between them: of each the names that lead
    /// there.
    Jsonl(Vec<Vec<String>>),
    /// The first records in an order, at most so many.
    Top {
        /// How many.
        count: u64,
        /// The order.
        order: SortOrder,
        /// Whether so many of each key, whose records stand together.
        per_key: bool,
    },
    /// Of the records of each key at least the first in an order, so many of them, and
    /// not many more, in whatever order they come.
    TopOfKeys {
        /// How many.
        count: u64,
        /// The order.
        order: SortOrder,
    },
    /// Something else in all places where a regular expression is found.
    Replace {
        /// The expression.
        pattern: String,
        /// What comes there; `$1` is what its first group found.
        with: String,
    },
    /// Through a function of the user's program.
    Native {
        /// Which.
        function: FunctionId,
        /// Whether what it makes depends on the order in which records come.
        by_order: bool,
    },
}

/// What scheduling has to know of a change, beside what it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Of the same records it makes the same, in whatever order they come.
    Plain,
    /// What it makes depends on the order in which records come.
    ByOrder,
    /// By a command, whose order counts too, and which may cost anything and have
    /// effects: it is not run again without need.
    Command,
    /// By a function of the user's program, which may do so as well. Whether order
    /// counts is said by who wrote it.
    Function {
        /// It does.
        by_order: bool,
    },
}

impl Operation {
    /// The shuffles that it reads.
    pub fn shuffles(&self) -> Vec<ShuffleId> {
        match self {
            Self::Source(source) => source.shuffles(),
            Self::Change(..) | Self::Union(_) | Self::Coalesce(_) => vec![],
        }
    }

    /// The datasets that it is made from within its stage, in order.
    pub fn parents(&self) -> Vec<DatasetId> {
        match self {
            Self::Source(_) => vec![],
            Self::Change(parent, _) => vec![*parent],
            Self::Union(parents) => parents.iter().map(|it| it.parent).collect(),
            Self::Coalesce(parent) => vec![parent.parent],
        }
    }

    /// The partitions of a parent that a partition is made from, in order, with the
    /// parent. None of a source, and of a partition that there is not.
    pub fn inputs(&self, partition: Partition) -> Option<(DatasetId, Partitions)> {
        let of = |it: &NarrowDependency| {
            let partitions = it.parent_partitions(partition);
            (partitions.len() > 0).then_some((it.parent, partitions))
        };
        match self {
            Self::Source(_) => None,
            Self::Change(parent, _) => Some((*parent, Partitions::one(partition))),
            Self::Union(parents) => parents.iter().find_map(of),
            Self::Coalesce(parent) => of(parent),
        }
    }

    /// Whether it runs what users wrote: a command, or a function of their program. Such
    /// may cost anything, have effects, and end the process.
    pub const fn runs_command(&self) -> bool {
        match self {
            Self::Source(source) => matches!(
                source,
                Source::Read(_, Merge::ReduceByPipe(_)) | Source::Native(_)
            ),
            Self::Change(_, change) => {
                matches!(change.nature(), Nature::Command | Nature::Function { .. })
            }
            Self::Union(_) | Self::Coalesce(_) => false,
        }
    }

    /// Whether it is not to be done twice for a sort: a command may have effects,
    /// blocks come from other executors, files from other machines. What is left is
    /// done again with less effort than it takes to keep it.
    pub fn is_dear(&self) -> bool {
        let is_far = |split: &Split| split.path.contains("://");
        self.runs_command()
            || !self.shuffles().is_empty()
            || self.files().into_iter().flatten().any(is_far)
    }

    /// The parts of files that it reads, if it reads files.
    pub fn files(&self) -> Option<&[Split]> {
        match self {
            Self::Source(Source::Text(splits)) => Some(splits.all()),
            Self::Source(
                Source::Range { .. }
                | Source::Items(_)
                | Source::Native(_)
                | Source::Read(..)
                | Source::Join { .. },
            )
            | Self::Change(..)
            | Self::Union(_)
            | Self::Coalesce(_) => None,
        }
    }
}

impl Source {
    fn shuffles(&self) -> Vec<ShuffleId> {
        match self {
            Self::Text(_) | Self::Range { .. } | Self::Items(_) | Self::Native(_) => vec![],
            Self::Read(shuffle, _) => vec![*shuffle],
            Self::Join { left, right, .. } => vec![*left, *right],
        }
    }
}

impl Change {
    /// See there.
    pub const fn nature(&self) -> Nature {
        match self {
            Self::Pipe(_) => Nature::Command,
            Self::Sample { .. } | Self::Number { .. } => Nature::ByOrder,
            Self::Native { by_order, .. } => Nature::Function {
                by_order: *by_order,
            },
            Self::Filter { .. }
            | Self::DropKey
            | Self::KeyBy { .. }
            | Self::SplitBy(_)
            | Self::Words { .. }
            | Self::Csv { .. }
            | Self::Jsonl(_)
            | Self::Top { .. }
            | Self::TopOfKeys { .. }
            | Self::Replace { .. } => Nature::Plain,
        }
    }
}

/// What stands between the fields of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separator {
    /// This text.
    Text(String),
    /// Blanks and tabs, as many as there are; those at the beginning are none.
    WhiteSpace,
}

impl Separator {
    /// What fields are put together with. There is no tab in a key.
    pub fn joint(&self) -> &str {
        match self {
            Self::Text(text) if !text.contains('\t') => text,
            Self::Text(_) | Self::WhiteSpace => " ",
        }
    }
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
    /// `key<TAB>value<TAB>value...`, a value for each measure.
    Aggregate(Measures),
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
    /// What stands behind the first tab; nothing if there is none.
    Value,
}
