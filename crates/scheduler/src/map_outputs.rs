//! Where the map outputs of every shuffle are.
//!
//! Responsible for registering and forgetting outputs, for the epoch by which
//! executors notice that what they know is stale, and for telling readers and
//! the preferred-location rule who holds what. The DAG scheduler decides when
//! an output is gone; this is its memory (Spark's `MapOutputTrackerMaster`).
//!
//! The epoch grows whenever outputs are taken away, even if none matched, and
//! when a map stage completes. It does not grow when an output is registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::places::{Place, Places};
use super::task::MapStatus;
use crate::block_sizes::BlockSizes;
use crate::ids::{ExecutorId, Host, Partition, ShuffleId, TaskId};

/// With this many map or reduce partitions or more, where a reducer's input
/// lies is not worth adding up (Spark's constants of the same value).
const TOO_MANY_FOR_LOCALITY: u32 = 1000;

/// An executor that holds this part of a reducer's bytes is preferred.
const LARGE_FRACTION: f64 = 0.2;

/// A block that a reducer has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which map output it is part of.
    pub map: Partition,
    /// The attempt that made that output.
    pub task: TaskId,
    /// For which reduce partition.
    pub reduce: Partition,
    /// About how many bytes; never 0.
    pub bytes: u64,
}

/// The blocks that one executor holds for a reducer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlocksOfExecutor {
    /// The executor.
    pub executor: ExecutorId,
    /// Its host.
    pub host: Host,
    /// The blocks, in the order of map partitions.
    pub blocks: Vec<Block>,
}

/// An output that a reader needs is not registered: Spark's metadata fetch
/// failure, which names no executor and no map output.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no output of map partition {map} is registered for shuffle {shuffle}")]
pub struct MissingOutput {
    /// The shuffle.
    pub shuffle: ShuffleId,
    /// The first map partition without an output.
    pub map: Partition,
}

#[derive(Debug)]
struct Output {
    place: Place,
    task: TaskId,
    sizes: BlockSizes,
}

#[derive(Debug)]
struct Outputs {
    reducers: u32,
    /// By map partition.
    outputs: Box<[Option<Output>]>,
    available: u32,
}

impl Outputs {
    fn take_where(&mut self, gone: impl Fn(&Output) -> bool) {
        for slot in &mut self.outputs {
            if slot.take_if(|output| gone(output)).is_some() {
                self.available -= 1;
            }
        }
    }
}

/// Where the map outputs of every shuffle are.
#[derive(Debug, Default)]
pub struct MapOutputs {
    epoch: u64,
    places: Places,
    shuffles: BTreeMap<ShuffleId, Outputs>,
}

impl MapOutputs {
    /// Knows of no shuffle; epoch 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often outputs were taken away or completed.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Makes executors forget what they know of outputs.
    pub fn increment_epoch(&mut self) {
        self.epoch += 1;
    }

    /// Begins a shuffle without outputs. A shuffle that is known keeps what it
    /// has: that is how a later job finds the outputs of an earlier one.
    pub fn register_shuffle(&mut self, shuffle: ShuffleId, maps: u32, reducers: u32) {
        self.shuffles.entry(shuffle).or_insert_with(|| Outputs {
            reducers,
            outputs: (0..maps).map(|_| None).collect(),
            available: 0,
        });
    }

    /// Forgets a shuffle with all its outputs.
    pub fn unregister_shuffle(&mut self, shuffle: ShuffleId) {
        self.shuffles.remove(&shuffle);
    }

    /// Whether the shuffle is known.
    pub fn contains_shuffle(&self, shuffle: ShuffleId) -> bool {
        self.shuffles.contains_key(&shuffle)
    }

    /// Records an output, in place of an earlier one. Outputs of unknown
    /// shuffles or map partitions are of no use to anyone and ignored.
    pub fn register_output(&mut self, shuffle: ShuffleId, map: Partition, status: &MapStatus) {
        let Some(outputs) = self.shuffles.get_mut(&shuffle) else {
            return;
        };
        let Some(slot) = outputs.outputs.get_mut(map.index()) else {
            return;
        };
        let new = Output {
            place: self.places.number(&status.executor, &status.host),
            task: status.task,
            sizes: BlockSizes::new(&status.sizes),
        };
        if slot.replace(new).is_none() {
            outputs.available += 1;
        }
    }

    /// Forgets one output, if it is the one at that executor.
    pub fn unregister_output(
        &mut self,
        shuffle: ShuffleId,
        map: Partition,
        executor: &ExecutorId,
        host: &Host,
    ) {
        self.epoch += 1;
        let place = self.places.find(executor, host);
        let Some(outputs) = self.shuffles.get_mut(&shuffle) else {
            return;
        };
        let Some(slot) = outputs.outputs.get_mut(map.index()) else {
            return;
        };
        if slot.take_if(|output| Some(output.place) == place).is_some() {
            outputs.available -= 1;
        }
    }

    /// Forgets all outputs of a shuffle.
    pub fn unregister_all_outputs(&mut self, shuffle: ShuffleId) {
        self.epoch += 1;
        if let Some(outputs) = self.shuffles.get_mut(&shuffle) {
            outputs.take_where(|_| true);
        }
    }

    /// Forgets all outputs at an executor.
    pub fn remove_executor(&mut self, executor: &ExecutorId) {
        self.remove_where(|places, place| places.executor(place) == executor);
    }

    /// Whether an executor holds any output.
    pub fn holds(&self, executor: &ExecutorId) -> bool {
        let mut outputs = self
            .shuffles
            .values()
            .flat_map(|it| it.outputs.iter().flatten());
        outputs.any(|output| self.places.executor(output.place) == executor)
    }

    /// Forgets all outputs on a host.
    pub fn remove_host(&mut self, host: &Host) {
        self.remove_where(|places, place| places.host(place) == host);
    }

    fn remove_where(&mut self, gone: impl Fn(&Places, Place) -> bool) {
        self.epoch += 1;
        let places = &self.places;
        for outputs in self.shuffles.values_mut() {
            outputs.take_where(|output| gone(places, output.place));
        }
    }

    /// How many map partitions of the shuffle have an output.
    pub fn available(&self, shuffle: ShuffleId) -> u32 {
        self.shuffles.get(&shuffle).map_or(0, |o| o.available)
    }

    /// Whether every map partition of a known shuffle has an output.
    pub fn is_complete(&self, shuffle: ShuffleId) -> bool {
        self.shuffles
            .get(&shuffle)
            .is_some_and(|o| o.available as usize == o.outputs.len())
    }

    /// The map partitions of the shuffle that have no output, in order.
    pub fn missing(&self, shuffle: ShuffleId) -> impl Iterator<Item = Partition> {
        self.shuffles
            .get(&shuffle)
            .into_iter()
            .flat_map(|outputs| (0..).map(Partition).zip(&outputs.outputs))
            .filter_map(|(map, output)| output.is_none().then_some(map))
    }

    /// Where the output of a map partition is, if it has one.
    pub fn location(&self, shuffle: ShuffleId, map: Partition) -> Option<(&ExecutorId, &Host)> {
        let output = self.shuffles.get(&shuffle)?.outputs.get(map.index())?;
        let place = output.as_ref()?.place;
        Some((self.places.executor(place), self.places.host(place)))
    }

    /// The blocks that reduce partition `reduce` has to read, by executor in
    /// the order in which each first appears. Empty blocks are left out; an
    /// unknown shuffle has none.
    ///
    /// # Errors
    /// When an output is missing: the reader must fail for want of it.
    pub fn blocks(
        &self,
        shuffle: ShuffleId,
        reduce: Partition,
    ) -> Result<Vec<BlocksOfExecutor>, MissingOutput> {
        let mut by_executor: Vec<BlocksOfExecutor> = Vec::new();
        let mut index_of: BTreeMap<Place, usize> = BTreeMap::new();
        let Some(outputs) = self.shuffles.get(&shuffle) else {
            return Ok(by_executor);
        };
        for (map, output) in (0..).map(Partition).zip(&outputs.outputs) {
            let output = output.as_ref().ok_or(MissingOutput { shuffle, map })?;
            let bytes = output.sizes.get(reduce.0);
            if bytes == 0 {
                continue;
            }
            let index = *index_of.entry(output.place).or_insert_with(|| {
                by_executor.push(BlocksOfExecutor {
                    executor: self.places.executor(output.place).clone(),
                    host: self.places.host(output.place).clone(),
                    blocks: Vec::new(),
                });
                by_executor.len() - 1
            });
            by_executor[index].blocks.push(Block {
                map,
                task: output.task,
                reduce,
                bytes,
            });
        }
        Ok(by_executor)
    }

    /// About how many bytes each reduce partition of the shuffle has, over the
    /// outputs that are there.
    pub fn bytes_by_reducer(&self, shuffle: ShuffleId) -> Arc<[u64]> {
        let Some(outputs) = self.shuffles.get(&shuffle) else {
            return Arc::default();
        };
        (0..outputs.reducers)
            .map(|reduce| {
                let present = outputs.outputs.iter().flatten();
                present
                    .map(|output| output.sizes.get(reduce))
                    .fold(0, u64::saturating_add)
            })
            .collect()
    }

    /// Whether reducers of the shuffle can have preferred hosts at all.
    pub fn has_reduce_locality(&self, shuffle: ShuffleId) -> bool {
        self.shuffles.get(&shuffle).is_some_and(|outputs| {
            outputs.available > 0
                && outputs.outputs.len() < TOO_MANY_FOR_LOCALITY as usize
                && outputs.reducers < TOO_MANY_FOR_LOCALITY
        })
    }

    /// The hosts of the executors that each hold at least 20 % of what reduce
    /// partition `reduce` will read; none if the shuffle is too large.
    pub fn preferred_hosts(&self, shuffle: ShuffleId, reduce: Partition) -> Vec<Host> {
        if !self.has_reduce_locality(shuffle) {
            return Vec::new();
        }
        let mut hosts: Vec<Host> = Vec::new();
        for place in self.large_holders(shuffle, reduce, LARGE_FRACTION) {
            let host = self.places.host(place);
            if !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        hosts
    }

    /// Who holds at least `fraction` of a reducer's bytes, whatever the size of
    /// the shuffle. Outputs that are missing do not count.
    fn large_holders(&self, shuffle: ShuffleId, reduce: Partition, fraction: f64) -> Vec<Place> {
        let Some(outputs) = self.shuffles.get(&shuffle) else {
            return Vec::new();
        };
        let mut total = 0_u64;
        let mut by_place: BTreeMap<Place, u64> = BTreeMap::new();
        for output in outputs.outputs.iter().flatten() {
            let bytes = output.sizes.get(reduce.0);
            if bytes > 0 {
                let theirs = by_place.entry(output.place).or_default();
                *theirs = theirs.saturating_add(bytes);
                total = total.saturating_add(bytes);
            }
        }
        let enough = total as f64 * fraction;
        by_place
            .into_iter()
            .filter(|(_, bytes)| *bytes as f64 >= enough)
            .map(|(place, _)| place)
            .collect()
    }

    /// Whether the available counts equal the outputs that are there.
    pub fn counts_are_right(&self) -> bool {
        self.shuffles
            .values()
            .all(|o| o.available as usize == o.outputs.iter().flatten().count())
    }
}

#[cfg(test)]
#[path = "tests/map_outputs_suite.rs"]
mod map_outputs_suite;
