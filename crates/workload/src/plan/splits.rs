//! Which splits of files each partition reads.
//!
//! Responsible for putting small ones together: a hundred thousand files are not a
//! hundred thousand tasks. To open a file costs about as much as to read some of it, so
//! that is added to its size (Spark's `openCostInBytes`), and what is put together takes
//! no longer than one split of full size. Few splits are left alone: they would not be
//! enough to go round. Pure.

use serde::{Deserialize, Serialize};

use super::split::Split;
use crate::ids::Host;

/// To open a file takes about as long as to read so many bytes of it.
const OPENING: u64 = 128 << 10;

/// Files are only put together as long as there are so many partitions.
const ENOUGH: u64 = 1_000;

/// A split of a file and the hosts that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedSplit {
    /// The split.
    pub split: Split,
    /// Where it lies; empty for anywhere.
    pub hosts: Vec<Host>,
    /// How many bytes of its file it has, as far as is known.
    pub bytes: u64,
}

/// Splits in order, some of which a partition reads one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splits {
    all: Vec<Split>,
    /// Where the splits of each partition end.
    ends: Vec<u32>,
}

impl Splits {
    /// All of them.
    pub fn all(&self) -> &[Split] {
        &self.all
    }

    /// How many partitions they are.
    pub fn partitions(&self) -> usize {
        self.ends.len()
    }

    /// Those of a partition, if there is such a partition.
    pub fn of(&self, partition: usize) -> Option<&[Split]> {
        let end = *self.ends.get(partition)?;
        let start = match partition.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.all.get(start as usize..end as usize)
    }
}

/// What partitions read, and the hosts that have it.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// What they read.
    pub splits: Splits,
    /// By partition.
    pub hosts: Vec<Vec<Host>>,
}

/// Each split by itself.
pub fn apart(splits: Vec<PlacedSplit>) -> Packed {
    together(splits, |_, _| false)
}

/// Small splits together, as much as a split of `most` bytes.
pub fn packed(splits: Vec<PlacedSplit>, most: u64) -> Packed {
    let cost = |it: &PlacedSplit| it.bytes.saturating_add(OPENING);
    let total = splits
        .iter()
        .fold(0_u64, |sum, it| sum.saturating_add(cost(it)));
    let most = most.min(total / ENOUGH);
    let mut held = 0_u64;
    together(splits, |before, next| {
        let more = held.saturating_add(cost(next));
        let fits = before.is_some_and(|it| it.hosts == next.hosts) && more <= most;
        held = if fits { more } else { cost(next) };
        fits
    })
}

/// Puts a split to the one before it where `fits` says so.
fn together(
    splits: Vec<PlacedSplit>,
    mut fits: impl FnMut(Option<&PlacedSplit>, &PlacedSplit) -> bool,
) -> Packed {
    let mut packed = Packed::default();
    let mut before: Option<PlacedSplit> = None;
    for next in splits {
        if !fits(before.as_ref(), &next) {
            packed.splits.ends.push(0);
            packed.hosts.push(next.hosts.clone());
        }
        packed.splits.all.push(next.split.clone());
        if let (Some(end), Ok(count)) = (
            packed.splits.ends.last_mut(),
            u32::try_from(packed.splits.all.len()),
        ) {
            *end = count;
        }
        before = Some(next);
    }
    packed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::split::Packing;

    fn placed(name: usize, bytes: u64, host: Option<&str>) -> PlacedSplit {
        PlacedSplit {
            split: Split {
                path: name.to_string().into(),
                start: 0,
                length: Some(bytes),
                packing: Packing::Plain,
                header: false,
            },
            hosts: host.map(Host::from).into_iter().collect(),
            bytes,
        }
    }

    const SPLIT: u64 = 32 << 20;

    #[test]
    fn few_files_are_left_alone_and_many_small_ones_put_together() {
        let files = |count, bytes| (0..count).map(|it| placed(it, bytes, None)).collect();
        assert_eq!(packed(files(900, 10), SPLIT).splits.partitions(), 900);
        let many = packed(files(100_000, 10), SPLIT).splits.partitions();
        assert!((1_000..1_100).contains(&many), "{many}");
        // As many as there are in a split of full size, if that still is enough.
        let more = packed(files(1_000_000, 10), SPLIT).splits.partitions();
        assert!((3_900..4_000).contains(&more), "{more}");
        assert_eq!(
            packed(files(2_000, SPLIT), SPLIT).splits.partitions(),
            2_000
        );
    }

    #[test]
    fn what_lies_on_other_hosts_is_not_put_together() {
        let files = (0..4_000).map(|it| placed(it, 1, Some(if it % 2 == 0 { "a" } else { "b" })));
        let packed = packed(files.collect(), SPLIT);
        assert_eq!(packed.splits.partitions(), 4_000);
        assert_eq!(packed.hosts[1], [Host::from("b")]);
    }

    proptest! {
        #[test]
        fn each_split_is_read_once_and_in_order(
            sizes in prop::collection::vec(prop_oneof![Just(0_u64), 0..SPLIT], 0..3_000),
        ) {
            let files: Vec<_> = sizes.iter().enumerate().map(|(it, size)| placed(it, *size, None)).collect();
            let wanted: Vec<_> = files.iter().map(|it| it.split.clone()).collect();
            for packed in [apart(files.clone()), packed(files, SPLIT)] {
                let splits = packed.splits;
                let mut read = Vec::new();
                for partition in 0..splits.partitions() {
                    let some = splits.of(partition).expect("a partition");
                    prop_assert!(!some.is_empty());
                    let bytes: u64 = some.iter().filter_map(|it| it.length).sum();
                    prop_assert!(some.len() == 1 || bytes < SPLIT);
                    read.extend_from_slice(some);
                }
                prop_assert_eq!(&read, &wanted);
                prop_assert_eq!(splits.of(splits.partitions()), None);
                prop_assert_eq!(packed.hosts.len(), splits.partitions());
            }
        }
    }
}
