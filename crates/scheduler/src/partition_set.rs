//! A set of partitions, one bit each.
//!
//! Responsible for keeping per-partition state of large stages small: a
//! million partitions take 125 kB, and counting them takes no walk.

use crate::ids::Partition;

/// A set of the partitions below a fixed number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionSet {
    words: Box<[u64]>,
    len: u32,
}

impl PartitionSet {
    /// The empty set, for partitions below `partitions`.
    pub fn new(partitions: u32) -> Self {
        let words = (partitions as usize).div_ceil(64);
        Self {
            words: vec![0; words].into(),
            len: 0,
        }
    }

    /// Adds a partition; whether it was not in the set before.
    pub fn insert(&mut self, partition: Partition) -> bool {
        let (word, bit) = place(partition);
        let added = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += u32::from(added);
        added
    }

    /// Takes a partition out; whether it was in the set.
    pub fn remove(&mut self, partition: Partition) -> bool {
        let (word, bit) = place(partition);
        let removed = self.words[word] & bit != 0;
        self.words[word] &= !bit;
        self.len -= u32::from(removed);
        removed
    }

    /// Whether the partition is in the set; no partition past the end is.
    pub fn contains(&self, partition: Partition) -> bool {
        let (word, bit) = place(partition);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Takes all partitions out.
    pub fn clear(&mut self) {
        self.words.fill(0);
        self.len = 0;
    }

    /// How many partitions are in the set.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether no partition is in the set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Counts the partitions one by one, for checks that `len` is right.
    pub fn recount(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }
}

fn place(partition: Partition) -> (usize, u64) {
    (partition.index() / 64, 1 << (partition.index() % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_an_ordinary_set_would(
            changes in proptest::collection::vec((any::<bool>(), 0..130_u32), 0..300),
        ) {
            let mut set = PartitionSet::new(130);
            let mut model = BTreeSet::new();
            for (add, number) in changes {
                let partition = Partition(number);
                if add {
                    prop_assert_eq!(set.insert(partition), model.insert(number));
                } else {
                    prop_assert_eq!(set.remove(partition), model.remove(&number));
                }
                prop_assert_eq!(set.len() as usize, model.len());
                prop_assert_eq!(set.recount(), set.len());
            }
            for number in 0..140 {
                prop_assert_eq!(set.contains(Partition(number)), model.contains(&number));
            }
        }
    }
}
