//! What tasks compute, and the disks on which they leave it.
//!
//! Records are stood for by numbers: a partition's number is made of the numbers
//! of all that it is computed from, so that an input that is missing, doubled or
//! stale makes it wrong. What each should be is computed without a cluster.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use mesquite::ids::{DatasetId, Partition, ShuffleId};
use mesquite::plan::Plan;
use mesquite::plan::application::Application;
use mesquite::plan::operation::{Operation, Source};
use mesquite::plan::program::Program;

/// Mixes numbers into one.
pub fn mix(parts: &[u64]) -> u64 {
    let mut mixed = 0x9e37_79b9_7f4a_7c15_u64;
    for part in parts {
        mixed ^= part.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = mixed.rotate_left(29).wrapping_mul(0x94d0_49bb_1331_11eb);
    }
    // Sums of some thousands of them stay numbers.
    mixed >> 16
}

/// One file of map output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutputFile {
    pub shuffle: u32,
    pub map: u32,
    pub task: u64,
}

/// The number of the block for a reducer in the output of a partition.
pub fn block(value: u64, shuffle: u32, reduce: u32) -> u64 {
    mix(&[value, shuffle.into(), reduce.into()])
}

/// The folders of all executors, by host.
#[derive(Default)]
pub struct Disks {
    folders: BTreeMap<(usize, String), BTreeMap<OutputFile, u64>>,
    corrupt: BTreeSet<(usize, String, OutputFile)>,
}

impl Disks {
    pub fn make(&mut self, agent: usize, folder: &str) {
        self.folders
            .insert((agent, folder.to_owned()), BTreeMap::new());
    }

    pub fn is_there(&self, agent: usize, folder: &str) -> bool {
        self.folders.contains_key(&(agent, folder.to_owned()))
    }

    pub fn remove(&mut self, agent: usize, folder: &str) {
        self.folders.remove(&(agent, folder.to_owned()));
    }

    pub fn write(&mut self, agent: usize, folder: &str, file: OutputFile, value: u64) {
        if let Some(files) = self.folders.get_mut(&(agent, folder.to_owned())) {
            files.insert(file, value);
        }
    }

    /// All outputs in a folder.
    pub fn files(&self, agent: usize, folder: &str) -> impl Iterator<Item = OutputFile> {
        let files = self.folders.get(&(agent, folder.to_owned()));
        files.into_iter().flat_map(|it| it.keys().copied())
    }

    /// Removes the outputs of some shuffles; how many they were.
    pub fn remove_where(&mut self, agent: usize, folder: &str, gone: impl Fn(u32) -> bool) -> u64 {
        let Some(files) = self.folders.get_mut(&(agent, folder.to_owned())) else {
            return 0;
        };
        let before = files.len();
        files.retain(|file, _| !gone(file.shuffle));
        (before - files.len()) as u64
    }

    /// The number of an output, unless it is not there or damaged.
    pub fn read(&self, agent: usize, folder: &str, file: OutputFile) -> Option<u64> {
        let key = (agent, folder.to_owned());
        if self.corrupt.contains(&(agent, folder.to_owned(), file)) {
            return None;
        }
        self.folders.get(&key)?.get(&file).copied()
    }

    /// Damages the output of that number, counted round; false if there is none.
    pub fn corrupt(&mut self, pick: usize) -> bool {
        let all: Vec<_> = self
            .folders
            .iter()
            .flat_map(|((agent, folder), files)| {
                files.keys().map(|file| (*agent, folder.clone(), *file))
            })
            .collect();
        match all.get(pick % all.len().max(1)) {
            Some(file) => self.corrupt.insert(file.clone()),
            None => false,
        }
    }

    /// An agent's machine is new: nothing is left on it.
    pub fn wipe(&mut self, agent: usize) {
        self.folders.retain(|(there, _), _| *there != agent);
    }
}

/// The number of a partition, given those of the blocks that its pipeline reads.
pub fn value_of(
    program: &Program,
    dataset: DatasetId,
    partition: Partition,
    blocks: &impl Fn(ShuffleId, Partition) -> u64,
) -> u64 {
    let id = u64::from(dataset.0);
    let place = u64::from(partition.0);
    let operation = &program.recipe(dataset).operation;
    match operation {
        Operation::Source(
            Source::Text(_) | Source::Range { .. } | Source::Items(_) | Source::Native(_),
        ) => mix(&[id, place]),
        Operation::Source(Source::Read(shuffle, _)) => {
            mix(&[id, place, blocks(*shuffle, partition)])
        }
        Operation::Source(Source::Join { left, right, .. }) => {
            let (left, right) = (blocks(*left, partition), blocks(*right, partition));
            mix(&[id, place, left, right])
        }
        Operation::Change(..) | Operation::Union(_) | Operation::Coalesce(_) => {
            let (parent, partitions) = operation.inputs(partition).expect("a parent has it");
            let values = partitions.map(|it| value_of(program, parent, it, blocks));
            mix(&[id, place, mix(&values.collect::<Vec<_>>())])
        }
    }
}

/// What each partition should be.
pub struct Expected<'a> {
    plan: &'a Plan,
    program: &'a Program,
    known: RefCell<BTreeMap<(DatasetId, Partition), u64>>,
}

impl<'a> Expected<'a> {
    pub fn of(application: &'a Application) -> Self {
        Self {
            plan: &application.plan,
            program: &application.program,
            known: RefCell::default(),
        }
    }

    pub fn value(&self, dataset: DatasetId, partition: Partition) -> u64 {
        if let Some(known) = self.known.borrow().get(&(dataset, partition)) {
            return *known;
        }
        let value = value_of(self.program, dataset, partition, &|shuffle, reduce| {
            let map_side = self.plan.shuffle(shuffle).map_side;
            let maps = self.plan.dataset(map_side).partitions();
            (0..maps)
                .map(|map| {
                    let value = self.value(map_side, Partition(map));
                    block(value, shuffle.0, reduce.0)
                })
                .fold(0, u64::wrapping_add)
        });
        self.known.borrow_mut().insert((dataset, partition), value);
        value
    }
}
