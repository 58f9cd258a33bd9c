//! Sorting more records than fit into memory.
//!
//! Responsible for taking records in any order and giving them back in order,
//! with no more memory than it was given: what does not fit is written, sorted,
//! to a run on disk, and runs are merged as they are read, as many at once as
//! memory has buffers for. Runs are files without a name, so nothing is left of
//! them, however the task ends.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{self, Blocks, Encoder, PartOf};
use super::order::{compare, prefix};
use super::private;
use crate::plan::operation::SortOrder;
use crate::task::memory::Held;
use crate::task::{CHUNK, Metrics, Records, Seal, TaskContext, TaskError, lines};

/// So many runs are merged at once at most; more are merged into larger ones
/// first, for each needs buffers and an open file.
const FAN_IN: usize = 64;

/// The longest text, for positions are 32 bits.
const LONGEST: usize = 1 << 31;

/// A file without a name in `folder`.
///
/// # Errors
/// It cannot be made.
pub fn unnamed_file(folder: &Path) -> Result<File, TaskError> {
    let name = folder.join(format!("spill-{}", uuid::Uuid::new_v4()));
    let file = private::create(&name).and_then(|file| std::fs::remove_file(&name).map(|()| file));
    file.map_err(|error| TaskError::io(format_args!("spill to {}", folder.display()), &error))
}

/// One record in memory.
#[derive(Clone, Copy)]
struct Entry {
    prefix: u64,
    start: u32,
    length: u32,
}

/// See the module.
pub struct Sorter {
    order: SortOrder,
    /// For what text and entries take, or have taken before they were spilled.
    held: Held,
    folder: PathBuf,
    seal: Seal,
    metrics: Arc<Metrics>,
    text: Vec<u8>,
    entries: Vec<Entry>,
    runs: Vec<Written>,
}

impl Sorter {
    /// Sorts within the task's memory.
    pub fn new(order: SortOrder, context: &TaskContext) -> Self {
        Self {
            order,
            held: context.memory.hold(),
            folder: context.spill_folder.clone(),
            seal: context.seal.clone(),
            metrics: Arc::clone(&context.metrics),
            text: Vec::new(),
            entries: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Takes in a record, without its end.
    ///
    /// # Errors
    /// What does not fit cannot be written, or there is no memory for the record
    /// alone.
    pub fn push(&mut self, record: &[u8]) -> Result<(), TaskError> {
        let taken = self.taken_with(record);
        if !self.held.want(taken) || self.text.len() + record.len() > LONGEST {
            if !self.entries.is_empty() {
                self.spill()?;
            }
            self.held.need(self.taken_with(record))?;
        }
        let length = u32::try_from(record.len())
            .map_err(|_| TaskError::Permanent("a record is longer than 4 GiB".into()))?;
        let start = u32::try_from(self.text.len()).expect("spilled before 2 GiB");
        self.text.extend_from_slice(record);
        self.entries.push(Entry {
            prefix: prefix(self.order, record),
            start,
            length,
        });
        Ok(())
    }

    /// Bytes of memory with one more record. Only what is written to counts:
    /// what a vector has reserved beyond that is not there yet.
    const fn taken_with(&self, record: &[u8]) -> usize {
        self.text.len() + record.len() + (self.entries.len() + 1) * size_of::<Entry>()
    }

    /// All records, in order.
    ///
    /// # Errors
    /// Runs cannot be read or written.
    pub fn finish(mut self) -> Result<Sorted, TaskError> {
        self.sort();
        let heads = self.runs.iter().map(Written::to_read).sum::<usize>();
        if !self.runs.is_empty() && !self.held.want(self.held.bytes() + heads) {
            // The buffers of a merge need the memory more.
            self.spill()?;
            self.free();
        }
        while self.runs.len() > self.fan_in()? {
            self.merge_some()?;
        }
        let runs = (self.runs, &self.seal);
        Sorted::new(self.order, self.text, self.entries, runs, self.held)
    }

    /// So many of the first runs can be read at once, with what is in memory.
    fn fan_in(&mut self) -> Result<usize, TaskError> {
        let mut taken = self.text.len() + self.entries.len() * size_of::<Entry>();
        for (count, run) in self.runs.iter().take(FAN_IN).enumerate() {
            taken += run.to_read();
            if count < 2 {
                self.held.need(taken)?;
            } else if !self.held.want(taken) {
                return Ok(count);
            }
        }
        Ok(FAN_IN)
    }

    /// Makes one run of the first few.
    fn merge_some(&mut self) -> Result<(), TaskError> {
        let count = self.fan_in()?.clamp(2, self.runs.len());
        let some = self.runs.drain(..count).collect();
        let none = self.held.none();
        let some = (some, &self.seal);
        let mut merged = Sorted::new(self.order, Vec::new(), Vec::new(), some, none)?;
        let mut run = Run::create(&self.folder, &self.seal)?;
        while let Some(record) = merged.next_record()? {
            run.push(record)?;
        }
        let merged = run.finish(&self.metrics)?;
        self.runs.push(merged);
        Ok(())
    }

    fn sort(&mut self) {
        let (order, text) = (self.order, &self.text);
        self.entries.sort_unstable_by(|a, b| {
            a.prefix
                .cmp(&b.prefix)
                .then_with(|| compare(order, at(text, *a), at(text, *b)))
        });
    }

    fn spill(&mut self) -> Result<(), TaskError> {
        self.sort();
        let mut run = Run::create(&self.folder, &self.seal)?;
        for entry in &self.entries {
            run.push(at(&self.text, *entry))?;
        }
        self.runs.push(run.finish(&self.metrics)?);
        self.text.clear();
        self.entries.clear();
        if !self.held.is_within() {
            self.free();
        }
        // Each is an open file.
        if self.runs.len() > 2 * FAN_IN {
            self.free();
            self.merge_some()?;
        }
        Ok(())
    }

    /// Gives back the memory of what was spilled.
    fn free(&mut self) {
        self.text = Vec::new();
        self.entries = Vec::new();
        self.held.shrink_to(0);
    }
}

fn at(text: &[u8], entry: Entry) -> &[u8] {
    &text[entry.start as usize..][..entry.length as usize]
}

fn run_error(error: &std::io::Error) -> TaskError {
    TaskError::io("write or read a spilled run", error)
}

/// A run that is being written.
struct Run {
    file: BufWriter<File>,
    of: PartOf,
    encoder: Encoder,
    lines: Vec<u8>,
    stored: Vec<u8>,
    written: u64,
    /// Bytes of the lines of the largest block.
    largest: usize,
}

/// A run that was written.
struct Written {
    file: File,
    of: PartOf,
    /// Bytes of the lines of its largest block.
    largest: usize,
}

impl Written {
    /// Bytes of memory that it takes to read it: of the file, of a block as it
    /// is stored, and of its lines.
    const fn to_read(&self) -> usize {
        block::BLOCK + 2 * self.largest
    }
}

impl Run {
    fn create(folder: &Path, seal: &Seal) -> Result<Self, TaskError> {
        let of = PartOf::spilled();
        Ok(Self {
            file: BufWriter::new(unnamed_file(folder)?),
            of,
            encoder: Encoder::new(of, seal),
            lines: Vec::new(),
            stored: Vec::new(),
            written: 0,
            largest: 0,
        })
    }

    fn push(&mut self, record: &[u8]) -> Result<(), TaskError> {
        self.lines.extend_from_slice(record);
        self.lines.push(b'\n');
        if self.lines.len() >= block::BLOCK {
            self.close_block()?;
        }
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), TaskError> {
        self.encoder.block(&self.lines, &mut self.stored);
        self.largest = self.largest.max(self.lines.len());
        self.lines.clear();
        self.flush()
    }

    fn flush(&mut self) -> Result<(), TaskError> {
        self.written += self.stored.len() as u64;
        let written = self.file.write_all(&self.stored);
        self.stored.clear();
        written.map_err(|error| run_error(&error))
    }

    fn finish(mut self, metrics: &Metrics) -> Result<Written, TaskError> {
        if !self.lines.is_empty() {
            self.close_block()?;
        }
        self.encoder.end(&mut self.stored);
        self.flush()?;
        Metrics::add(&metrics.spilled_bytes, self.written);
        let mut file = self
            .file
            .into_inner()
            .map_err(|error| run_error(error.error()))?;
        file.rewind().map_err(|error| run_error(&error))?;
        Ok(Written {
            file,
            of: self.of,
            largest: self.largest,
        })
    }
}

/// A run that is being read, with its first record.
struct Head {
    order: SortOrder,
    blocks: Blocks<BufReader<File>>,
    lines: Vec<u8>,
    start: usize,
    end: usize,
}

impl Head {
    fn record(&self) -> &[u8] {
        &self.lines[self.start..self.end]
    }

    /// Goes to the next record; false if there is none.
    fn advance(&mut self) -> Result<bool, TaskError> {
        self.start = self.end + 1;
        if self.start >= self.lines.len() {
            let more = self.blocks.next(&mut self.lines);
            if !more.map_err(|error| run_error(&error))? {
                return Ok(false);
            }
            self.start = 0;
        }
        let rest = &self.lines[self.start..];
        self.end = self.start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        Ok(true)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Head {}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.order, self.record(), other.record())
    }
}

/// Records in order.
pub struct Sorted {
    order: SortOrder,
    text: Vec<u8>,
    entries: std::vec::IntoIter<Entry>,
    memory: Option<Entry>,
    runs: BinaryHeap<Reverse<Head>>,
    /// The run whose record was given out last, to be advanced.
    last: Option<Head>,
    _held: Held,
}

impl Sorted {
    fn new(
        order: SortOrder,
        text: Vec<u8>,
        entries: Vec<Entry>,
        (written, seal): (Vec<Written>, &Seal),
        held: Held,
    ) -> Result<Self, TaskError> {
        let mut runs = BinaryHeap::new();
        for Written { file, of, .. } in written {
            let file = BufReader::with_capacity(block::BLOCK, file);
            let mut head = Head {
                order,
                blocks: Blocks::new(file, of, seal),
                lines: Vec::new(),
                start: 0,
                end: 0,
            };
            if head.advance()? {
                runs.push(Reverse(head));
            }
        }
        let mut entries = entries.into_iter();
        Ok(Self {
            order,
            text,
            memory: entries.next(),
            entries,
            runs,
            last: None,
            _held: held,
        })
    }

    /// The next record, until the next call.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, TaskError> {
        if let Some(mut head) = self.last.take()
            && head.advance()?
        {
            self.runs.push(Reverse(head));
        }
        let from_memory = match (&self.memory, self.runs.peek()) {
            (None, None) => return Ok(None),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(entry), Some(Reverse(head))) => {
                compare(self.order, at(&self.text, *entry), head.record()).is_le()
            }
        };
        if from_memory {
            let entry = self.memory.take().expect("seen above");
            self.memory = self.entries.next();
            return Ok(Some(at(&self.text, entry)));
        }
        let Reverse(head) = self.runs.pop().expect("seen above");
        Ok(Some(self.last.insert(head).record()))
    }
}

impl Records for Sorted {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.len() < CHUNK
            && let Some(record) = self.next_record()?
        {
            chunk.extend_from_slice(record);
            chunk.push(b'\n');
        }
        Ok(!chunk.is_empty())
    }
}

/// All records of a stream, in order.
///
/// # Errors
/// Those of the stream and of [`Sorter`].
pub fn sort(
    mut records: impl Records,
    order: SortOrder,
    context: &TaskContext,
) -> Result<Sorted, TaskError> {
    let mut sorter = Sorter::new(order, context);
    let mut chunk = Vec::new();
    while records.next(&mut chunk)? {
        context.cancel.check()?;
        for line in lines(&chunk) {
            sorter.push(line)?;
        }
    }
    sorter.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::operation::SortBy;
    use crate::task::memory::Share;
    use crate::task::test_context;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_records_are_sorted_within_any_memory(
            records in prop::collection::vec("[0-9a-c\t]{0,6}", 0..400),
            memory in prop_oneof![1_usize..200, 10_000..20_000_usize],
            numeric in any::<bool>(), descending in any::<bool>(), sealed in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let memory = Share::for_tests(memory);
            let seal = Seal::of_process(if sealed { 16 } else { 0 }).expect("random numbers");
            let context = TaskContext { memory, seal, ..test_context(folder.path()) };
            let order = SortOrder { by: SortBy::Key, numeric, descending };
            let mut sorter = Sorter::new(order, &context);
            for record in &records {
                sorter.push(record.as_bytes()).expect("room");
            }
            let mut sorted = sorter.finish().expect("readable");
            let mut wanted = records.clone();
            wanted.sort_by(|a, b| compare(order, a.as_bytes(), b.as_bytes()));
            for record in &wanted {
                prop_assert_eq!(sorted.next_record().expect("readable"), Some(record.as_bytes()));
            }
            prop_assert_eq!(sorted.next_record().expect("readable"), None);
            prop_assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        }
    }
}
