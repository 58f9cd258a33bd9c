//! Partitions of persisted datasets, kept where they were made.
//!
//! Responsible for keeping records as they pass, in memory up to a budget and
//! in files beyond it, and for giving them out again: to tasks here, and as
//! files to readers on the same host. Only whole partitions count.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::block::{self, Blocks};
use super::blocks::{self, BlockClient};
use crate::ids::{DatasetId, Partition, TaskId};
use crate::rpc::message::CachedPartition;
use crate::task::{Records, TaskContext, TaskError};

type Key = (DatasetId, Partition);

/// See the module.
pub struct Persisted {
    folder: PathBuf,
    budget: usize,
    network: Option<BlockClient>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    kept: BTreeMap<Key, Kept>,
    /// What each task has added.
    new: BTreeMap<TaskId, Vec<Key>>,
}

#[derive(Clone)]
enum Kept {
    /// Blocks.
    Memory(Arc<[Bytes]>),
    File,
}

/// The file of a partition that is kept on disk.
fn file_of(folder: &Path, (dataset, partition): Key) -> PathBuf {
    folder.join(format!("rdd_{dataset}_{partition}"))
}

impl Persisted {
    /// Keeps at most so many bytes in memory, and the rest in this folder. What
    /// is kept elsewhere is read over `network`, if there is one.
    pub fn new(folder: &Path, budget: usize, network: Option<BlockClient>) -> Self {
        Self {
            folder: folder.to_owned(),
            budget,
            network,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a task has added; each is told once.
    pub fn take_new(&self, task: TaskId) -> Vec<(DatasetId, Partition)> {
        self.lock().new.remove(&task).unwrap_or_default()
    }

    /// The records of a partition, if they are kept here or, as one of
    /// `elsewhere`, in a folder of this host.
    ///
    /// # Errors
    /// A file that should be there cannot be read.
    pub fn read(
        &self,
        dataset: DatasetId,
        partition: Partition,
        elsewhere: &[CachedPartition],
        context: &TaskContext,
    ) -> Result<Option<Box<dyn Records>>, TaskError> {
        let key = (dataset, partition);
        let kept = self.lock().kept.get(&key).cloned();
        let context = context.clone();
        match kept {
            Some(Kept::Memory(blocks)) => Ok(Some(Box::new(Reading {
                blocks: Blocks::new(Chain {
                    blocks,
                    at: 0,
                    within: 0,
                }),
                context,
            }))),
            Some(Kept::File) => {
                let path = file_of(&self.folder, key);
                let file = File::open(&path).map_err(|error| {
                    TaskError::io(format_args!("read {}", path.display()), &error)
                })?;
                Ok(Some(reading(file, context)))
            }
            None => {
                let there = elsewhere
                    .iter()
                    .filter(|it| it.dataset == dataset.0 && it.partition == partition.0);
                let file = there
                    .clone()
                    .filter(|it| !it.folder.is_empty())
                    .find_map(|it| File::open(file_of(Path::new(&it.folder), key)).ok());
                if let Some(file) = file {
                    return Ok(Some(reading(file, context)));
                }
                let (Some(network), Some(holder)) = (
                    &self.network,
                    there.clone().find(|it| !it.address.is_empty()),
                ) else {
                    return Ok(None);
                };
                let fetched = network.persisted(&holder.address, dataset, partition, &context);
                Ok(Some(Box::new(Reading {
                    blocks: Blocks::new(fetched),
                    context,
                })))
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
        Box::new(Keeping {
            records,
            store: Arc::clone(self),
            key: (dataset, partition),
            task: context.task,
            lines: Vec::new(),
            blocks: Vec::new(),
            taken: 0,
            file: None,
            done: false,
        })
    }

    fn add(&self, key: Key, kept: Kept, taken: usize, task: TaskId) {
        let mut state = self.lock();
        state.kept.insert(key, kept);
        state.taken += taken;
        state.new.entry(task).or_default().push(key);
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.lock().taken + bytes <= self.budget
    }
}

impl blocks::Persisted for Persisted {
    fn open(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> std::io::Result<Option<Box<dyn std::io::Read + Send>>> {
        let key = (dataset, partition);
        let kept = self.lock().kept.get(&key).cloned();
        Ok(match kept {
            Some(Kept::Memory(blocks)) => Some(Box::new(Chain {
                blocks,
                at: 0,
                within: 0,
            })),
            Some(Kept::File) => Some(Box::new(File::open(file_of(&self.folder, key))?)),
            None => None,
        })
    }
}

fn reading(file: File, context: TaskContext) -> Box<dyn Records> {
    Box::new(Reading {
        blocks: Blocks::new(BufReader::with_capacity(block::BLOCK, file)),
        context,
    })
}

/// Blocks in memory, one after the other.
struct Chain {
    blocks: Arc<[Bytes]>,
    at: usize,
    within: usize,
}

impl std::io::Read for Chain {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some(block) = self.blocks.get(self.at) {
            let rest = &block[self.within..];
            if rest.is_empty() {
                self.at += 1;
                self.within = 0;
                continue;
            }
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.within += count;
            return Ok(count);
        }
        Ok(0)
    }
}

struct Reading<R> {
    blocks: Blocks<R>,
    context: TaskContext,
}

impl<R: std::io::Read + Send> Records for Reading<R> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        self.context.cancel.check()?;
        self.blocks
            .next(chunk)
            .map_err(|error| TaskError::io("read a persisted partition", &error))
    }
}

struct Keeping {
    records: Box<dyn Records>,
    store: Arc<Persisted>,
    key: Key,
    task: TaskId,
    lines: Vec<u8>,
    blocks: Vec<Bytes>,
    taken: usize,
    file: Option<(BufWriter<File>, PathBuf)>,
    done: bool,
}

impl Keeping {
    fn close_block(&mut self) -> std::io::Result<()> {
        let mut stored = Vec::new();
        block::encode(&self.lines, &mut stored);
        self.lines.clear();
        self.taken += stored.len();
        if self.file.is_none() && !self.store.has_room(self.taken) {
            let path = file_of(&self.store.folder, self.key);
            let path = path.with_extension(format!("{}.tmp", self.task));
            let mut file = BufWriter::new(File::create(&path)?);
            for block in self.blocks.drain(..) {
                file.write_all(&block)?;
            }
            self.file = Some((file, path));
        }
        match &mut self.file {
            Some((file, _)) => file.write_all(&stored),
            None => {
                self.blocks.push(stored.into());
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        if !self.lines.is_empty() {
            self.close_block()?;
        }
        match self.file.take() {
            Some((mut file, path)) => {
                file.flush()?;
                fs::rename(&path, file_of(&self.store.folder, self.key))?;
                self.store.add(self.key, Kept::File, 0, self.task);
            }
            None => {
                let blocks = std::mem::take(&mut self.blocks).into();
                let kept = Kept::Memory(blocks);
                self.store.add(self.key, kept, self.taken, self.task);
            }
        }
        Ok(())
    }
}

impl Records for Keeping {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        if self.records.next(chunk)? {
            self.lines.extend_from_slice(chunk);
            if self.lines.len() >= block::BLOCK && !self.done && self.close_block().is_err() {
                // Without room to keep it, the partition passes all the same.
                self.done = true;
            }
            if self.done {
                self.lines.clear();
            }
            return Ok(true);
        }
        if !std::mem::replace(&mut self.done, true)
            && let Err(error) = self.finish()
        {
            tracing::warn!(%error, "cannot keep a partition");
        }
        Ok(false)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Some((_, path)) = self.file.take() {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_context, test_records};

    fn kept(budget: usize, whole: bool) -> (tempfile::TempDir, Arc<Persisted>) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Persisted::new(folder.path(), budget, None));
        let context = test_context(folder.path());
        let records = Box::new(test_records(&["a", "b"]));
        let mut passing = store.keeping(records, DatasetId(1), Partition(2), &context);
        if whole {
            assert_eq!(all_lines(passing).expect("passed"), ["a", "b"]);
        } else {
            assert!(passing.next(&mut Vec::new()).expect("passed"));
        }
        (folder, store)
    }

    fn read(store: &Persisted, elsewhere: &[CachedPartition]) -> Option<Vec<String>> {
        let context = test_context(Path::new("/"));
        let records = store.read(DatasetId(1), Partition(2), elsewhere, &context);
        records
            .expect("readable")
            .map(|records| all_lines(records).expect("readable"))
    }

    #[test]
    fn a_partition_that_passed_whole_is_kept_in_memory_or_on_disk() {
        for budget in [0, 1 << 20] {
            let (folder, store) = kept(budget, true);
            assert_eq!(read(&store, &[]), Some(vec!["a".into(), "b".into()]));
            assert_eq!(read(&store, &[]), Some(vec!["a".into(), "b".into()]));
            let files = fs::read_dir(folder.path()).expect("a folder").count();
            assert_eq!(files, usize::from(budget == 0));
            assert_eq!(store.take_new(TaskId(1)), [(DatasetId(1), Partition(2))]);
            assert_eq!(store.take_new(TaskId(1)), []);
        }
    }

    #[test]
    fn a_part_of_a_partition_is_not_kept() {
        let (folder, store) = kept(0, false);
        assert_eq!(read(&store, &[]), None);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn what_another_executor_of_the_host_keeps_on_disk_is_found() {
        let (folder, _store) = kept(0, true);
        let other = tempfile::tempdir().expect("a folder");
        let store = Persisted::new(other.path(), 0, None);
        let there = CachedPartition {
            dataset: 1,
            partition: 2,
            folder: folder.path().to_string_lossy().into_owned(),
            ..CachedPartition::default()
        };
        assert_eq!(read(&store, &[there]), Some(vec!["a".into(), "b".into()]));
    }
}
