//! Bytes in many groups, each read as a whole, with no more memory than there is.
//!
//! Responsible for keeping apart what comes mixed, in the order in which it came. What
//! does not fit into memory goes to one file without a name, in blocks, however many
//! groups there are.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::block::{BLOCK, Blocks, Encoder, PartOf};
use super::sorter::unnamed_file;
use crate::task::memory::Held;
use crate::task::{Metrics, Records, Seal, TaskContext, TaskError};

/// What a group takes beside its bytes.
const GROUP: usize = size_of::<Group>() + 64;

/// Where a block is in the file, and how long it is.
type Range = (u64, u64);

/// See the module.
pub(super) struct Groups {
    held: Held,
    folder: PathBuf,
    seal: Seal,
    metrics: Arc<Metrics>,
    all: Vec<Group>,
    /// Bytes of memory that are taken, and those of records among them.
    taken: usize,
    bytes: usize,
    file: Option<File>,
    written: u64,
}

struct Group {
    bytes: Vec<u8>,
    of: PartOf,
    encoder: Encoder,
    blocks: Vec<Range>,
}

impl Groups {
    pub(super) fn new(context: &TaskContext) -> Self {
        Self {
            held: context.memory.hold(),
            folder: context.spill_folder.clone(),
            seal: context.seal.clone(),
            metrics: Arc::clone(&context.metrics),
            all: Vec::new(),
            taken: 0,
            bytes: 0,
            file: None,
            written: 0,
        }
    }

    /// The number of a new group, of which its owner has so many bytes of its own.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn add(&mut self, beside: usize) -> Result<usize, TaskError> {
        self.take(GROUP + beside)?;
        let of = PartOf::spilled();
        self.all.push(Group {
            bytes: Vec::new(),
            of,
            encoder: Encoder::new(of, &self.seal),
            blocks: Vec::new(),
        });
        Ok(self.all.len() - 1)
    }

    /// Adds a record, without its end, to a group.
    ///
    /// # Errors
    /// What does not fit into memory cannot be written.
    pub(super) fn push(&mut self, group: usize, record: &[u8]) -> Result<(), TaskError> {
        self.take(record.len() + 1)?;
        self.bytes += record.len() + 1;
        let bytes = &mut self.all[group].bytes;
        bytes.extend_from_slice(record);
        bytes.push(b'\n');
        Ok(())
    }

    fn take(&mut self, more: usize) -> Result<(), TaskError> {
        if !self.held.want(self.taken + more) {
            // Where others have all the memory, a little is still had without asking.
            if self.bytes >= BLOCK {
                self.spill()?;
            }
            if !self.held.is_within() {
                self.held.shrink_to(self.taken);
            }
            self.held.need(self.taken + more)?;
        }
        self.taken += more;
        Ok(())
    }

    /// Writes all that is in memory.
    fn spill(&mut self) -> Result<(), TaskError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(unnamed_file(&self.folder)?),
        };
        let (mut stored, before) = (Vec::new(), self.written);
        for group in self.all.iter_mut().filter(|it| !it.bytes.is_empty()) {
            let bytes = std::mem::take(&mut group.bytes);
            for some in bytes.chunks(BLOCK) {
                stored.clear();
                group.encoder.block(some, &mut stored);
                file.write_all(&stored).map_err(|error| failed(&error))?;
                group.blocks.push((self.written, stored.len() as u64));
                self.written += stored.len() as u64;
                self.taken += size_of::<Range>();
            }
            self.taken -= bytes.len();
        }
        self.bytes = 0;
        Metrics::add(&self.metrics.spilled_bytes, self.written - before);
        Ok(())
    }

    /// All of a group, which is empty then.
    ///
    /// # Errors
    /// The file is gone.
    pub(super) fn read(&mut self, group: usize) -> Result<OneGroup, TaskError> {
        let group = &mut self.all[group];
        let spilled = match &self.file {
            Some(file) if !group.blocks.is_empty() => {
                let mut end = Vec::new();
                group.encoder.end(&mut end);
                let ranges = Ranges {
                    file: file.try_clone().map_err(|error| failed(&error))?,
                    blocks: std::mem::take(&mut group.blocks).into_iter(),
                    at: 0,
                    left: 0,
                };
                let all = BufReader::with_capacity(BLOCK, ranges.chain(Cursor::new(end)));
                Some(Blocks::new(all, group.of, &self.seal))
            }
            _ => None,
        };
        let rest = std::mem::take(&mut group.bytes);
        Ok(OneGroup { spilled, rest })
    }
}

/// What was pushed to a group, in pieces that may end within a record.
pub(super) struct OneGroup {
    spilled: Option<Blocks<BufReader<WithEnd>>>,
    rest: Vec<u8>,
}

impl Records for OneGroup {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        if let Some(blocks) = &mut self.spilled {
            if blocks.next(chunk).map_err(|error| failed(&error))? {
                return Ok(true);
            }
            self.spilled = None;
        }
        *chunk = std::mem::take(&mut self.rest);
        Ok(!chunk.is_empty())
    }
}

/// What was spilled of a group, and the block that says that there is no more.
type WithEnd = io::Chain<Ranges, Cursor<Vec<u8>>>;

/// Parts of a file, as if there were nothing between them.
struct Ranges {
    file: File,
    blocks: std::vec::IntoIter<Range>,
    at: u64,
    left: u64,
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let Some((at, length)) = self.blocks.next() else {
                return Ok(0);
            };
            (self.at, self.left) = (at, length);
        }
        let most = usize::try_from(self.left).map_or(buffer.len(), |it| it.min(buffer.len()));
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

fn failed(error: &io::Error) -> TaskError {
    TaskError::io("write or read records that wait for their file", error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::memory::Share;
    use crate::task::test_context;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_group_has_its_records_in_their_order_within_any_memory(
            records in prop::collection::vec((0..5_usize, "[a-z]{0,9}"), 0..400),
            memory in prop_oneof![1_usize..2 * BLOCK, Just(1 << 20)], sealed in any::<bool>(),
            // One that is longer than a block.
            long in prop::option::of(0..5_usize),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let seal = Seal::of_process(if sealed { 16 } else { 0 }).expect("random numbers");
            let memory = Share::for_tests(memory + 5 * GROUP);
            let context = TaskContext { memory, seal, ..test_context(folder.path()) };
            let mut groups = Groups::new(&context);
            for group in 0..5 {
                prop_assert_eq!(groups.add(0).expect("room"), group);
            }
            let long = long.map(|group| (group, "x".repeat(3 * BLOCK)));
            let records: Vec<_> = records.into_iter().chain(long).collect();
            let mut wanted = vec![String::new(); 5];
            for (group, record) in &records {
                groups.push(*group, record.as_bytes()).expect("room");
                wanted[*group].extend([record.as_str(), "\n"]);
            }
            for (group, wanted) in wanted.iter().enumerate() {
                let mut read = groups.read(group).expect("there");
                let (mut chunk, mut all) = (Vec::new(), Vec::new());
                while read.next(&mut chunk).expect("readable") {
                    all.extend_from_slice(&chunk);
                }
                prop_assert_eq!(String::from_utf8_lossy(&all), wanted.as_str());
            }
        }
    }
}
