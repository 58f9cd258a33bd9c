//! Why something cannot be part of a plan.

use std::sync::Arc;

use thiserror::Error;

use crate::ids::{DatasetId, ShuffleId};
use crate::plan::limits::{
    LONGEST_CHAIN, MOST_BLOCKS, MOST_PARTITIONS, MOST_REDUCERS, MOST_ROUNDS,
};

/// Why a dataset or shuffle cannot be part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A dataset refers to one that is not in the plan.
    #[error("dataset `{name}` depends on dataset {parent}, which is not in the plan yet")]
    UnknownParent {
        /// The dataset at fault.
        name: Arc<str>,
        /// What it refers to.
        parent: DatasetId,
    },
    /// A dataset refers to a shuffle that is not in the plan.
    #[error("dataset `{name}` reads shuffle {shuffle}, which is not in the plan yet")]
    UnknownShuffle {
        /// The dataset at fault.
        name: Arc<str>,
        /// What it refers to.
        shuffle: ShuffleId,
    },
    /// A shuffle of a dataset that is not in the plan.
    #[error("dataset {dataset} cannot be shuffled: it is not in the plan yet")]
    UnknownMapSide {
        /// What it refers to.
        dataset: DatasetId,
    },
    /// A shuffle into no partitions.
    #[error("dataset `{name}` cannot be shuffled into 0 partitions: give at least 1")]
    NoReducePartitions {
        /// The dataset to be shuffled.
        name: Arc<str>,
    },
    /// Partitions are put together into none.
    #[error("dataset `{name}` cannot have 0 partitions: give at least 1")]
    NoGroups {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// Items that may be left out one by one are put together.
    #[error(
        "dataset `{name}` puts items together within their stage, and `on_failure = \"skip\"` leaves \
         them out one by one"
    )]
    ItemsTogether {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// A dataset of no parents that should have some.
    #[error("dataset `{name}` is made from nothing: give at least one dataset")]
    NoParents {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// Partition counts differ along a dependency.
    #[error(
        "dataset `{name}` has {partitions} partitions, but `{parent}` that it reads has {found}"
    )]
    PartitionsDiffer {
        /// The dataset at fault.
        name: Arc<str>,
        /// Its partitions.
        partitions: u32,
        /// The parent, or the map side of the shuffle.
        parent: Arc<str>,
        /// The partitions there.
        found: u32,
    },
    /// A range dependency reaches past the end of child or parent.
    #[error("dataset `{name}` reads partitions of `{parent}` that do not exist")]
    RangeOutside {
        /// The dataset at fault.
        name: Arc<str>,
        /// The parent.
        parent: Arc<str>,
    },
    /// More partitions than a dataset may have.
    #[error(
        "dataset `{name}` would have more than {MOST_PARTITIONS} partitions, which is the most"
    )]
    TooManyPartitions {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// A shuffle makes more partitions than one may.
    #[error(
        "dataset `{name}` would be shuffled into {partitions} partitions: {MOST_REDUCERS} are the \
         most"
    )]
    TooManyReducers {
        /// The dataset at fault.
        name: Arc<str>,
        /// Its partitions.
        partitions: u32,
    },
    /// A shuffle of more blocks than can be kept in mind.
    #[error(
        "dataset `{name}` would be made by {maps} map tasks for {partitions} partitions each, which \
         is {} blocks: {MOST_BLOCKS} are the most",
        u64::from(*maps) * u64::from(*partitions)
    )]
    TooManyBlocks {
        /// The dataset at fault.
        name: Arc<str>,
        /// The tasks before the shuffle.
        maps: u32,
        /// The partitions after it.
        partitions: u32,
    },
    /// More operations in a row than one task can hold.
    #[error(
        "dataset `{name}` would be the operation {} in a row without a shuffle: {LONGEST_CHAIN} \
         are the most, for one task does them all",
        LONGEST_CHAIN + 1
    )]
    ChainTooLong {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// A shell command that cannot be started.
    #[error("the command of dataset `{name}` {why}")]
    Command {
        /// The dataset at fault.
        name: Arc<str>,
        /// What is wrong with it.
        why: String,
    },
    /// Preferred hosts were given for a different number of partitions.
    #[error("dataset `{name}` has {partitions} partitions, but preferred hosts for {given}")]
    PreferencesDiffer {
        /// The dataset at fault.
        name: Arc<str>,
        /// Its partitions.
        partitions: u32,
        /// For how many preferences were given.
        given: usize,
    },
    /// A task that needs no core could run any number of times at once.
    #[error("a task of dataset `{name}` needs 0 cpus: give at least 1")]
    NoCpus {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// A loop of no rounds, or of too many.
    #[error("dataset `{name}` has {rounds} rounds: 1 to {MOST_ROUNDS} are possible")]
    Rounds {
        /// The dataset.
        name: Arc<str>,
        /// How many rounds.
        rounds: u32,
    },
    /// A loop whose rounds have different numbers of partitions.
    #[error(
        "each round of `{name}` has to leave as many partitions as the one before it, and there \
         would be {first} after the first and {second} after the second"
    )]
    RoundsDiffer {
        /// The dataset.
        name: Arc<str>,
        /// Partitions of what the first round leaves.
        first: u32,
        /// The same of the second one.
        second: u32,
    },
}

impl PlanError {
    /// What would help, if that is not plain.
    pub const fn help(&self) -> Option<&'static str> {
        match self {
            Self::RoundsDiffer { .. } => Some(
                "say `partitions` where records are brought together, or `repartition` them at the \
                 end of a round",
            ),
            Self::ItemsTogether { .. } => Some(
                "say `repartition` in place of `coalesce`: its shuffle comes when the items are done",
            ),
            _ => None,
        }
    }
}
