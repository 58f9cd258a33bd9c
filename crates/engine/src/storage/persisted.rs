//! Partitions of persisted datasets, kept where they were made.
//!
//! Responsible for keeping records as they pass, in memory as far as the
//! executor's budget has room and in files beyond it, and for giving them out
//! again: to tasks here, and as files to readers on the same host. Only whole
//! partitions count; the last block of each has no lines, and what ends without
//! it is cut off. Those of a dataset that no task will read again go. When tasks
//! want the memory, partitions that nobody reads
//! move to files, those first that were not read for longest.

mod keeping;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use self::keeping::Keeping;
use self::reading::{Begun, Chain, Reading, reading};
use super::block::PartOf;
use super::blocks::{self, BlockClient};
use super::private;
use crate::ids::{DatasetId, Partition, TaskId};
use crate::rpc::message::CachedPartition;
use crate::task::memory::{Evict, Memory};
use crate::task::{Records, TaskContext, TaskError};

type Key = (DatasetId, Partition);

/// See the module.
pub struct Persisted {
    folder: PathBuf,
    memory: Memory,
    network: Option<BlockClient>,
    state: Mutex<State>,
    evicting: Mutex<()>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<Key, Kept>,
    /// Counts the looks at partitions.
    clock: u64,
    /// What each task has added.
    new: BTreeMap<TaskId, Vec<Key>>,
    /// What is not kept any more.
    released: BTreeSet<DatasetId>,
}

#[derive(Clone)]
enum Kept {
    Memory {
        blocks: Arc<[Bytes]>,
        bytes: usize,
        /// When it was looked at last.
        seen: u64,
    },
    File,
}

/// The file of a partition that is kept on disk.
fn file_of(folder: &Path, (dataset, partition): Key) -> PathBuf {
    folder.join(format!("rdd_{dataset}_{partition}"))
}

const fn part_of((dataset, partition): Key) -> PartOf {
    PartOf::Persisted(dataset, partition)
}

impl Persisted {
    /// Keeps as much in memory as the budget has room for, and the rest in this
    /// folder. What is kept elsewhere is read over `network`, if there is one.
    pub fn start(folder: &Path, memory: &Memory, network: Option<BlockClient>) -> Arc<Self> {
        let persisted = Arc::new(Self {
            folder: folder.to_owned(),
            memory: memory.clone(),
            network,
            state: Mutex::default(),
            evicting: Mutex::default(),
        });
        let evict: Arc<dyn Evict> = Arc::<Self>::clone(&persisted);
        memory.evict_with(Arc::downgrade(&evict));
        persisted
    }

    /// What is kept of a partition, which counts as looked at.
    fn look(&self, key: &Key) -> Option<Kept> {
        let mut state = self.lock();
        state.clock += 1;
        let now = state.clock;
        let kept = state.kept.get_mut(key)?;
        if let Kept::Memory { seen, .. } = kept {
            *seen = now;
        }
        Some(kept.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a task has added; each is told once.
    pub fn take_new(&self, task: TaskId) -> Vec<(DatasetId, Partition)> {
        self.lock().new.remove(&task).unwrap_or_default()
    }

    /// The records of a partition, if they are kept here or, as one of
    /// `elsewhere`, where they can be read. What cannot is as if it were not kept: it
    /// is made again, as in Spark.
    ///
    /// # Errors
    /// The task is to stop.
    pub fn read(
        &self,
        dataset: DatasetId,
        partition: Partition,
        elsewhere: &[CachedPartition],
        context: &TaskContext,
    ) -> Result<Option<Box<dyn Records>>, TaskError> {
        let found = self.find((dataset, partition), elsewhere, context);
        let begun = found.and_then(|found| found.map(Begun::of).transpose());
        match begun {
            Ok(begun) => Ok(begun.map(|it| Box::new(it) as Box<dyn Records>)),
            Err(TaskError::Killed) => Err(TaskError::Killed),
            Err(error) => {
                tracing::warn!(%error, "partition {partition} is made again");
                Ok(None)
            }
        }
    }

    fn find(
        &self,
        key: Key,
        elsewhere: &[CachedPartition],
        context: &TaskContext,
    ) -> Result<Option<Box<dyn Records>>, TaskError> {
        let (dataset, partition) = key;
        let kept = self.look(&key);
        let context = context.clone();
        match kept {
            Some(Kept::Memory { blocks, .. }) => {
                let chain = Chain::of(blocks);
                Ok(Some(Box::new(Reading::of(chain, key, context))))
            }
            Some(Kept::File) => {
                let path = file_of(&self.folder, key);
                let file = private::open(&path).map_err(|error| {
                    TaskError::io(format_args!("read {}", path.display()), &error)
                })?;
                Ok(Some(reading(file, key, context)))
            }
            None => {
                let there = elsewhere
                    .iter()
                    .filter(|it| it.dataset == dataset.0 && it.partition == partition.0);
                let file = there
                    .clone()
                    .filter(|it| !it.folder.is_empty())
                    .find_map(|it| private::open(&file_of(Path::new(&it.folder), key)).ok());
                if let Some(file) = file {
                    return Ok(Some(reading(file, key, context)));
                }
                let (Some(network), Some(holder)) = (
                    &self.network,
                    there.clone().find(|it| !it.address.is_empty()),
                ) else {
                    return Ok(None);
                };
                let fetched = network.persisted(&holder.address, dataset, partition, &context);
                Ok(Some(Box::new(Reading::of(fetched, key, context))))
            }
        }
    }

    /// The same records; they are kept once all have passed.
    pub fn keeping(
        self: &Arc<Self>,
        records: Box<dyn Records>,
        dataset: DatasetId,
        partition: Partition,
        context: &TaskContext,
    ) -> Box<dyn Records> {
        let key = (dataset, partition);
        Box::new(Keeping::of(records, Arc::clone(self), key, context))
    }

    /// No task will read these datasets again.
    pub fn release(&self, datasets: impl IntoIterator<Item = DatasetId>) {
        // So that nothing of them is on its way to a file.
        let _one = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        state.released.extend(datasets);
        let released = state.released.clone();
        let all = std::mem::take(&mut state.kept);
        let (gone, kept) = all
            .into_iter()
            .partition(|((dataset, _), _)| released.contains(dataset));
        state.kept = kept;
        drop(state);
        let gone: BTreeMap<Key, Kept> = gone;
        for (key, kept) in gone {
            self.remove(key, &kept);
        }
    }

    fn remove(&self, key: Key, kept: &Kept) {
        match kept {
            Kept::Memory { bytes, .. } => self.memory.forget(*bytes),
            // What cannot be removed goes with the folder.
            Kept::File => drop(fs::remove_file(file_of(&self.folder, key))),
        }
    }

    fn add(&self, key: Key, kept: Kept, task: TaskId) {
        let mut state = self.lock();
        if state.released.contains(&key.0) {
            drop(state);
            return self.remove(key, &kept);
        }
        let before = state.kept.insert(key, kept);
        state.new.entry(task).or_default().push(key);
        drop(state);
        // Two attempts at a partition can both have kept it.
        if let Some(Kept::Memory { bytes, .. }) = before {
            self.memory.forget(bytes);
        }
    }

    /// The partition in memory that nobody reads and that was not looked at for
    /// longest.
    fn oldest(&self) -> Option<(Key, Arc<[Bytes]>)> {
        let state = self.lock();
        let candidates = state.kept.iter().filter_map(|(key, kept)| match kept {
            // A reader would keep the memory all the same.
            Kept::Memory { blocks, seen, .. } if Arc::strong_count(blocks) == 1 => {
                Some((*seen, *key, blocks))
            }
            Kept::Memory { .. } | Kept::File => None,
        });
        let (_, key, blocks) = candidates.min_by_key(|(seen, ..)| *seen)?;
        Some((key, Arc::clone(blocks)))
    }

    /// Writes blocks to the partition's file.
    fn write(&self, key: Key, blocks: &[Bytes]) -> std::io::Result<()> {
        let path = file_of(&self.folder, key);
        let temporary = path.with_extension("evicted.tmp");
        let written = private::create(&temporary).and_then(|file| {
            let mut file = BufWriter::new(file);
            blocks.iter().try_for_each(|block| file.write_all(block))?;
            file.flush()?;
            fs::rename(&temporary, &path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

impl Evict for Persisted {
    fn evict(&self, bytes: usize) {
        // One at a time: two would write the same partition.
        let _one = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut freed = 0;
        while freed < bytes
            && let Some((key, blocks)) = self.oldest()
        {
            if let Err(error) = self.write(key, &blocks) {
                tracing::warn!(%error, "cannot move a persisted partition to disk");
                return;
            }
            drop(blocks);
            if let Some(Kept::Memory { bytes, .. }) = self.lock().kept.insert(key, Kept::File) {
                self.memory.forget(bytes);
                freed += bytes;
            }
        }
    }
}

impl blocks::Persisted for Persisted {
    fn open(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> std::io::Result<Option<Box<dyn std::io::Read + Send>>> {
        let key = (dataset, partition);
        let kept = self.look(&key);
        Ok(match kept {
            Some(Kept::Memory { blocks, .. }) => Some(Box::new(Chain::of(blocks))),
            Some(Kept::File) => Some(Box::new(private::open(&file_of(&self.folder, key))?)),
            None => None,
        })
    }
}

#[cfg(test)]
mod tests;
