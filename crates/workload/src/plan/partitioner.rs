//! How a shuffle spreads records over its reduce partitions.
//!
//! Responsible for what scheduling must know of that: how many partitions
//! there are, and whether a record's place depends on its key or on the order
//! of the records before it.

use serde::{Deserialize, Serialize};

/// What decides a record's reduce partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partitioning {
    /// The hash of its key.
    Hash,
    /// Between which of the sampled bounds its key lies.
    Range,
    /// Its place among the records of its map partition, in turn. Another
    /// order of the same records gives other partitions.
    RoundRobin,
    /// Its own map partition: nothing moves. What a round of a loop leaves is
    /// written so, and outlives what it was made from.
    Same,
}

/// A shuffle's partitioner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitioner {
    /// What decides a record's partition.
    pub partitioning: Partitioning,
    /// The number of reduce partitions.
    pub partitions: u32,
}

impl Partitioner {
    /// Spreads by the hash of the key.
    pub const fn hash(partitions: u32) -> Self {
        Self {
            partitioning: Partitioning::Hash,
            partitions,
        }
    }

    /// Spreads by sampled bounds of the key.
    pub const fn range(partitions: u32) -> Self {
        Self {
            partitioning: Partitioning::Range,
            partitions,
        }
    }

    /// Spreads nothing: each map partition is a reduce partition.
    pub const fn same(partitions: u32) -> Self {
        Self {
            partitioning: Partitioning::Same,
            partitions,
        }
    }

    /// Spreads evenly, whatever the key.
    pub const fn round_robin(partitions: u32) -> Self {
        Self {
            partitioning: Partitioning::RoundRobin,
            partitions,
        }
    }
}
