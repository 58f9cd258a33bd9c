//! A reducer's side of a shuffle: the blocks that it needs, from wherever they
//! are.
//!
//! Responsible for finding each block, on this host's disk or at another
//! executor, and for telling precisely which output cannot be read: that one is
//! made anew. What becomes of the records is decided by `merge` and `join`.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{OutputId, find};
use super::form::{Form, Lines};
use crate::ids::{ExecutorId, Host, Partition, ShuffleId, TaskId};
use crate::rpc::message::{ShuffleInput, shuffle_input};
use crate::storage::block::{BLOCK, Blocks, PartOf};
use crate::storage::private;
use crate::task::{Metrics, Records, TaskContext, TaskError};
use mesquite_workload::block_sizes::limits;

/// So many sources are opened at once: the one that is read, and the next,
/// whose blocks come meanwhile.
const OPEN: usize = 2;

/// One block to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedBlock {
    /// The output it is part of.
    pub output: OutputId,
    /// For which reduce partition.
    pub reduce: Partition,
    /// About so many bytes.
    pub bytes: u64,
    /// At least so many, and at most.
    pub limits: (u64, u64),
}

impl WantedBlock {
    /// Whether a block of so many bytes can be it.
    ///
    /// # Errors
    /// It is another one, or a part of it: to read it would lose records.
    pub fn check(&self, length: u64) -> Result<(), String> {
        let (least, most) = self.limits;
        if (least..=most).contains(&length) {
            return Ok(());
        }
        let told = self.bytes;
        Err(format!(
            "the block has {length} bytes, and about {told} were announced"
        ))
    }
}

/// The bytes of one wanted block, or why it cannot be had.
pub type Fetch = Result<Box<dyn Read + Send>, String>;

/// Fetches blocks of other executors.
pub trait FetchBlocks: Send + Sync {
    /// The blocks of one executor, in the order asked for: as many as wanted.
    fn fetch(
        &self,
        source: &shuffle_input::Source,
        wanted: Vec<WantedBlock>,
        context: &TaskContext,
    ) -> Box<dyn Iterator<Item = Fetch> + Send>;
}

/// Where there is no network: all blocks are on this host.
pub struct NoNetwork;

impl FetchBlocks for NoNetwork {
    fn fetch(
        &self,
        _: &shuffle_input::Source,
        wanted: Vec<WantedBlock>,
        _: &TaskContext,
    ) -> Box<dyn Iterator<Item = Fetch> + Send> {
        let nothing = || Err("its executor cannot be reached".to_owned());
        Box::new(wanted.into_iter().map(move |_| nothing()))
    }
}

/// Reads the input of reducers on one host.
#[derive(Clone)]
pub struct ShuffleReader {
    /// The host; what is on it is read from disk.
    pub host: Host,
    /// Fetches the rest.
    pub network: Arc<dyn FetchBlocks>,
}

/// Some blocks of one executor that lie together.
enum Part {
    Local(PathBuf, VecDeque<shuffle_input::Block>),
    Remote(
        Box<dyn Iterator<Item = Fetch> + Send>,
        VecDeque<shuffle_input::Block>,
    ),
}

/// The records of a reduce partition as they come, in no order that matters.
pub struct Arriving<F> {
    shuffle: ShuffleId,
    reduce: Partition,
    /// Of so many.
    reducers: u32,
    reader: ShuffleReader,
    sources: VecDeque<shuffle_input::Source>,
    /// Those that are next; what is remote is on its way already.
    opened: VecDeque<(shuffle_input::Source, Part)>,
    source: Option<(shuffle_input::Source, Part)>,
    blocks: Option<(Blocks<Box<dyn Read + Send>>, Partition)>,
    context: TaskContext,
    form: PhantomData<F>,
}

impl ShuffleReader {
    /// The records of `reduce`, one of `reducers` partitions, in all outputs of a
    /// shuffle.
    pub fn read<F: Form>(
        &self,
        input: &ShuffleInput,
        reduce: Partition,
        reducers: u32,
        context: &TaskContext,
    ) -> Arriving<F> {
        Arriving {
            shuffle: ShuffleId(input.instead.unwrap_or(input.shuffle)),
            reduce,
            reducers,
            reader: self.clone(),
            sources: input.sources.iter().cloned().collect(),
            opened: VecDeque::new(),
            source: None,
            blocks: None,
            context: context.clone(),
            form: PhantomData,
        }
    }
}

impl<F: Form> Arriving<F> {
    fn wanted(&self, block: &shuffle_input::Block) -> WantedBlock {
        WantedBlock {
            output: OutputId {
                shuffle: self.shuffle,
                map: Partition(block.map),
                task: TaskId(block.task),
            },
            reduce: self.reduce,
            bytes: block.bytes,
            limits: limits(block.bytes, self.reducers),
        }
    }

    fn failure(
        &self,
        source: &shuffle_input::Source,
        map: Option<Partition>,
        message: String,
    ) -> TaskError {
        TaskError::Fetch {
            executor: ExecutorId::from(source.executor.as_str()),
            host: Host::from(source.host.as_str()),
            shuffle: self.shuffle,
            map,
            message,
        }
    }

    /// Begins to read what the next output has; false if there is none.
    fn next_output(&mut self) -> Result<bool, TaskError> {
        loop {
            self.context.cancel.check()?;
            let Some((source, mut part)) = self.source.take() else {
                while self.opened.len() < OPEN
                    && let Some(source) = self.sources.pop_front()
                {
                    let part = self.open(&source);
                    self.opened.push_back((source, part));
                }
                self.source = self.opened.pop_front();
                if self.source.is_none() {
                    return Ok(false);
                }
                continue;
            };
            let (block, opened) = match &mut part {
                Part::Local(folder, blocks) => {
                    let Some(block) = blocks.pop_front() else {
                        continue;
                    };
                    let wanted = self.wanted(&block);
                    let opened = open_block(folder, wanted.output, wanted.reduce);
                    let opened = opened.map_err(|error| error.to_string());
                    let opened = opened.and_then(|(length, file)| {
                        wanted.check(length)?;
                        Ok(Box::new(file) as Box<dyn Read + Send>)
                    });
                    (block, opened)
                }
                Part::Remote(fetched, blocks) => {
                    let Some(block) = blocks.pop_front() else {
                        continue;
                    };
                    let fetched = fetched.next();
                    let missing = || Err("the answer has too few blocks".to_owned());
                    if fetched.is_some() {
                        let metrics = &self.context.metrics;
                        Metrics::add(&metrics.shuffle_bytes_fetched, block.bytes);
                    }
                    (block, fetched.unwrap_or_else(missing))
                }
            };
            let map = Partition(block.map);
            let opened = match opened {
                Ok(opened) => opened,
                Err(message) => {
                    // Fetching stops with the task, which is no fault of the source.
                    self.context.cancel.check()?;
                    return Err(self.failure(&source, Some(map), message));
                }
            };
            self.source = Some((source, part));
            // What is empty has no end either.
            if block.bytes == 0 {
                continue;
            }
            Metrics::add(&self.context.metrics.shuffle_bytes_read, block.bytes);
            let of = PartOf::MapOutput(self.wanted(&block).output, self.reduce);
            let blocks = Blocks::new(opened, of, &self.context.seal);
            let blocks = blocks.of_records(self.context.longest_record);
            self.blocks = Some((blocks, map));
            return Ok(true);
        }
    }

    fn open(&self, source: &shuffle_input::Source) -> Part {
        let blocks: VecDeque<_> = source.blocks.iter().copied().collect();
        let folder = Path::new(&source.folder);
        // Another host may have a folder of this name.
        if source.host == self.reader.host.as_str() && private::check_folder(folder).is_ok() {
            return Part::Local(folder.to_owned(), blocks);
        }
        let wanted = blocks.iter().map(|block| self.wanted(block)).collect();
        let fetched = self.reader.network.fetch(source, wanted, &self.context);
        Part::Remote(fetched, blocks)
    }
}

/// The bytes of one reduce partition in an output on this host, and how many
/// they are.
///
/// # Errors
/// The output is not there, or damaged.
pub fn open_block(
    folder: &Path,
    output: OutputId,
    reduce: Partition,
) -> io::Result<(u64, impl Read + Send + use<>)> {
    let (start, length) = find(&output.index(folder), reduce)?;
    let mut file = private::open(&output.data(folder))?;
    if file.metadata()?.len() < start.saturating_add(length) {
        return Err(cut_off());
    }
    file.seek(SeekFrom::Start(start))?;
    let read = Whole {
        from: BufReader::with_capacity(BLOCK, file).take(length),
    };
    Ok((length, read))
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file is cut off")
}

/// As many bytes as there must be: fewer are an error, and no end.
struct Whole<R> {
    from: io::Take<R>,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if count == 0 && self.from.limit() > 0 && !buffer.is_empty() {
            return Err(cut_off());
        }
        Ok(count)
    }
}

impl Records for Arriving<Lines> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        self.next_block(chunk)
    }
}

impl<F: Form> Arriving<F> {
    /// Replaces what is in `block` by the records of the next block, in their form; false
    /// at the end.
    ///
    /// # Errors
    /// An output cannot be read, which is a fetch failure, or the task is to end.
    pub fn next_block(&mut self, block: &mut Vec<u8>) -> Result<bool, TaskError> {
        loop {
            if let Some((blocks, map)) = &mut self.blocks {
                match blocks.next(block) {
                    Ok(true) => {
                        Metrics::add(&self.context.metrics.records_read, F::count(block));
                        return Ok(true);
                    }
                    Ok(false) => self.blocks = None,
                    Err(error) => {
                        let map = *map;
                        let (source, _) = self.source.take().expect("a block is of a source");
                        return Err(self.failure(&source, Some(map), error.to_string()));
                    }
                }
            } else if !self.next_output()? {
                block.clear();
                return Ok(false);
            }
        }
    }
}
