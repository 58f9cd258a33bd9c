//! An application: datasets, what they do, and what is asked of them.
//!
//! Responsible for the one value that the job file and programs in Rust are
//! read into, and that the driver runs. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::Plan;
use crate::plan::program::Program;
use crate::plan::rounds::Loop;

/// What is to be run. Plan and program are of one thing, so none is made but by an
/// [`ApplicationBuilder`](super::ApplicationBuilder).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Application {
    /// Its name, if it has one of its own.
    pub name: Option<Arc<str>>,
    /// What scheduling knows.
    pub plan: Arc<Plan>,
    /// What executors know, with the same ids.
    pub program: Arc<Program>,
    /// What is asked for; each becomes a job.
    pub actions: Vec<Action>,
    /// Datasets that are persisted for sorts alone, each with those sorts: the
    /// job that samples one makes it, and the sort reads it again.
    pub kept_for_sorts: BTreeMap<DatasetId, BTreeSet<ShuffleId>>,
    /// Datasets that are made round by round, each after those that it needs.
    pub loops: Vec<Loop>,
}

/// Something asked of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The dataset.
    pub dataset: DatasetId,
    /// What.
    pub kind: ActionKind,
    /// The partitions that are still to be made; `None` for all.
    pub wanted: Option<Arc<[Partition]>>,
    /// The pool that its job goes to.
    pub pool: Option<Arc<str>>,
    /// What people call it, if it has a name of its own.
    pub name: Option<Arc<str>>,
    /// The actions, by their place, that have to succeed before it begins.
    pub after: Vec<usize>,
    /// Whether what it counts or collects is printed.
    pub to_stdout: bool,
}

impl Action {
    /// Something asked of a dataset, as soon as can be.
    pub const fn new(dataset: DatasetId, kind: ActionKind) -> Self {
        Self {
            dataset,
            kind,
            wanted: None,
            pool: None,
            name: None,
            after: Vec::new(),
            to_stdout: true,
        }
    }
}

/// Of actions that come `after` others, by their places: those that come after
/// themselves, or after such.
pub fn circular(after: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut before = vec![0; after.len()];
    for (index, others) in after.iter().enumerate() {
        for other in others.iter().filter(|it| **it < after.len()) {
            before[index] += 1;
            followers.entry(*other).or_default().push(index);
        }
    }
    let mut left: BTreeSet<usize> = (0..after.len()).collect();
    let first = left.iter().copied().filter(|it| before[*it] == 0);
    let mut ready: Vec<usize> = first.collect();
    while let Some(index) = ready.pop() {
        left.remove(&index);
        for follower in followers.get(&index).into_iter().flatten() {
            before[*follower] -= 1;
            if before[*follower] == 0 {
                ready.push(*follower);
            }
        }
    }
    left
}

/// What is asked of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Files in a folder, one for each partition.
    Save {
        /// The folder.
        to: String,
        /// How the files are packed.
        compress: Compression,
        /// Whether what is in the folder is replaced.
        overwrite: bool,
        /// What the folders in it are called whose values are the first fields of each
        /// record, if records are to be kept apart by them; see [`columns`](super::columns).
        partition_by: Vec<String>,
    },
    /// The records, printed.
    Collect {
        /// At most so many of them.
        limit: Option<u64>,
    },
    /// How many records there are.
    Count,
}

/// How saved files are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compression {
    /// In which format.
    pub format: Format,
    /// How well, within [`Format::levels`]; `None` for what the format takes by itself.
    pub level: Option<u8>,
}

/// A format of packed files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Not packed.
    #[default]
    None,
    /// As `.gz`.
    Gzip,
    /// As `.zst`.
    Zstd,
}

impl Format {
    /// As in job files; empty for none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// How well it packs, at least and at most; `None` for what knows no levels.
    /// Those of zstd above 19, which need up to 1 GiB to pack and 128 MiB to unpack,
    /// are none: the `zstd` program wants to be told so too.
    pub const fn levels(self) -> Option<(u8, u8)> {
        match self {
            Self::None => None,
            Self::Gzip => Some((1, 9)),
            Self::Zstd => Some((1, 19)),
        }
    }
}

impl From<Format> for Compression {
    fn from(format: Format) -> Self {
        Self {
            format,
            level: None,
        }
    }
}

impl ActionKind {
    /// Whether its result goes to whoever runs it, and not into files.
    pub const fn is_told(&self) -> bool {
        matches!(self, Self::Collect { .. } | Self::Count)
    }

    /// As in job files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Save { .. } => "save",
            Self::Collect { .. } => "collect",
            Self::Count => "count",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_itself_is_found_with_all_that_comes_after_that() {
        let after = [
            vec![],
            vec![0],
            vec![3],
            vec![2, 0],
            vec![3],
            vec![5],
            vec![9],
        ];
        assert_eq!(circular(&after), BTreeSet::from([2, 3, 4, 5]));
        assert_eq!(circular(&[]), BTreeSet::new());
    }
}
