//! Sorting more records than fit into memory.
//!
//! Responsible for taking records in any order and giving them back in order,
//! with no more memory than it was given: what does not fit is written, sorted,
//! to a run on disk, and runs are merged as they are read. Runs are files
//! without a name, so nothing is left of them, however the task ends.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{self, Blocks};
use super::order::{compare, prefix};
use crate::plan::operation::SortOrder;
use crate::task::{CHUNK, Metrics, Records, TaskContext, TaskError, lines};

/// So many runs are merged at once at most; more are merged into larger ones
/// first, for each needs a buffer.
const FAN_IN: usize = 64;

/// A file without a name in `folder`.
///
/// # Errors
/// It cannot be made.
pub fn unnamed_file(folder: &Path) -> Result<File, TaskError> {
    let name = folder.join(format!("spill-{}", uuid::Uuid::new_v4()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&name)
        .and_then(|file| std::fs::remove_file(&name).map(|()| file));
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
    budget: usize,
    folder: PathBuf,
    metrics: Arc<Metrics>,
    text: Vec<u8>,
    entries: Vec<Entry>,
    runs: Vec<File>,
}

impl Sorter {
    /// Sorts within the task's memory.
    pub fn new(order: SortOrder, context: &TaskContext) -> Self {
        Self {
            order,
            // Positions are 32 bits.
            budget: context.memory.clamp(1, 1 << 31),
            folder: context.spill_folder.clone(),
            metrics: Arc::clone(&context.metrics),
            text: Vec::new(),
            entries: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Takes in a record, without its end.
    ///
    /// # Errors
    /// What does not fit cannot be written.
    pub fn push(&mut self, record: &[u8]) -> Result<(), TaskError> {
        let taken = self.text.len() + self.entries.len() * size_of::<Entry>();
        if taken + record.len() > self.budget && !self.entries.is_empty() {
            self.spill()?;
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

    /// All records, in order.
    ///
    /// # Errors
    /// Runs cannot be read or written.
    pub fn finish(mut self) -> Result<Sorted, TaskError> {
        self.sort();
        while self.runs.len() > FAN_IN {
            let some = self.runs.drain(..FAN_IN).collect();
            let mut merged = Sorted::new(self.order, Vec::new(), Vec::new(), some)?;
            let mut run = Run::create(&self.folder)?;
            while let Some(record) = merged.next_record()? {
                run.push(record)?;
            }
            let merged = run.finish(&self.metrics)?;
            self.runs.push(merged);
        }
        Sorted::new(self.order, self.text, self.entries, self.runs)
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
        let mut run = Run::create(&self.folder)?;
        for entry in &self.entries {
            run.push(at(&self.text, *entry))?;
        }
        self.runs.push(run.finish(&self.metrics)?);
        self.text.clear();
        self.entries.clear();
        Ok(())
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
    lines: Vec<u8>,
    stored: Vec<u8>,
    written: u64,
}

impl Run {
    fn create(folder: &Path) -> Result<Self, TaskError> {
        Ok(Self {
            file: BufWriter::new(unnamed_file(folder)?),
            lines: Vec::new(),
            stored: Vec::new(),
            written: 0,
        })
    }

    fn push(&mut self, record: &[u8]) -> Result<(), TaskError> {
        self.lines.extend_from_slice(record);
        self.lines.push(b'\n');
        if self.lines.len() >= block::BLOCK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TaskError> {
        self.stored.clear();
        block::encode(&self.lines, &mut self.stored);
        self.lines.clear();
        self.written += self.stored.len() as u64;
        self.file
            .write_all(&self.stored)
            .map_err(|error| run_error(&error))
    }

    fn finish(mut self, metrics: &Metrics) -> Result<File, TaskError> {
        if !self.lines.is_empty() {
            self.flush()?;
        }
        Metrics::add(&metrics.spilled_bytes, self.written);
        let mut file = self
            .file
            .into_inner()
            .map_err(|error| run_error(error.error()))?;
        file.rewind().map_err(|error| run_error(&error))?;
        Ok(file)
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
}

impl Sorted {
    fn new(
        order: SortOrder,
        text: Vec<u8>,
        entries: Vec<Entry>,
        files: Vec<File>,
    ) -> Result<Self, TaskError> {
        let mut runs = BinaryHeap::new();
        for file in files {
            let mut head = Head {
                order,
                blocks: Blocks::new(BufReader::with_capacity(block::BLOCK, file)),
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
    use crate::task::test_context;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_records_are_sorted_within_any_memory(
            records in prop::collection::vec("[0-9a-c\t]{0,6}", 0..400),
            memory in prop_oneof![1_usize..200, 10_000..20_000_usize],
            numeric in any::<bool>(), descending in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let context = TaskContext { memory, ..test_context(folder.path()) };
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
