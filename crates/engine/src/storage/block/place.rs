//! Where a sealed block belongs.
//!
//! Responsible for what a block is sealed together with, apart from its lines: what
//! it is a part of, and the how manieth. Moved to another place it does not open.

use uuid::Uuid;

use crate::ids::{DatasetId, Partition, TaskId};
use crate::storage::shuffle::files::OutputId;

/// What blocks are parts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOf {
    /// What a map output has for a reduce partition.
    MapOutput(OutputId, Partition),
    /// A persisted partition.
    Persisted(DatasetId, Partition),
    /// The stored result of a task.
    Result(TaskId),
    /// What a task writes for itself, under a name that nothing else has.
    Spilled(Uuid),
}

impl PartOf {
    /// Something that nothing else is part of.
    pub fn spilled() -> Self {
        Self::Spilled(Uuid::new_v4())
    }
}

/// The place of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is part of.
    pub of: PartOf,
    /// How many blocks stand before it.
    pub number: u64,
}

/// The longest of all: a map output's numbers, the block's, and the length of its
/// lines.
const ABOUT: usize = 1 + 20 + size_of::<u64>() + size_of::<u32>();

impl Place {
    /// The first block of something.
    pub const fn first_of(of: PartOf) -> Self {
        Self { of, number: 0 }
    }

    /// What a block of so many bytes of lines is sealed together with here.
    pub(super) fn about(&self, length: [u8; 4]) -> [u8; ABOUT] {
        let mut about = [0; ABOUT];
        let mut rest = &mut about[..];
        let mut put = |bytes: &[u8]| {
            let (here, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
            here.copy_from_slice(bytes);
            rest = after;
        };
        // Each kind has fields of its own, of fixed lengths.
        match self.of {
            PartOf::MapOutput(OutputId { shuffle, map, task }, reduce) => {
                put(&[1]);
                put(&shuffle.0.to_le_bytes());
                put(&map.0.to_le_bytes());
                put(&task.0.to_le_bytes());
                put(&reduce.0.to_le_bytes());
            }
            PartOf::Persisted(dataset, partition) => {
                put(&[2]);
                put(&dataset.0.to_le_bytes());
                put(&partition.0.to_le_bytes());
            }
            PartOf::Result(task) => {
                put(&[3]);
                put(&task.0.to_le_bytes());
            }
            PartOf::Spilled(name) => {
                put(&[4]);
                put(name.as_bytes());
            }
        }
        put(&self.number.to_le_bytes());
        put(&length);
        about
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShuffleId;

    #[test]
    fn no_two_places_are_alike() {
        let output = |shuffle, map, task, reduce| {
            let id = OutputId {
                shuffle: ShuffleId(shuffle),
                map: Partition(map),
                task: TaskId(task),
            };
            PartOf::MapOutput(id, Partition(reduce))
        };
        let persisted =
            |dataset, partition| PartOf::Persisted(DatasetId(dataset), Partition(partition));
        let wholes = [
            output(0, 0, 0, 0),
            output(1, 0, 0, 0),
            output(0, 1, 0, 0),
            output(0, 0, 1, 0),
            output(0, 0, 0, 1),
            persisted(0, 0),
            persisted(1, 0),
            persisted(0, 1),
            PartOf::Result(TaskId(0)),
            PartOf::Result(TaskId(1)),
            PartOf::Spilled(Uuid::from_u128(0)),
            PartOf::Spilled(Uuid::from_u128(1)),
        ];
        let mut seen = Vec::new();
        for of in wholes {
            for number in [0, 1] {
                for length in [0_u32, 1] {
                    seen.push(Place { of, number }.about(length.to_le_bytes()));
                }
            }
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
