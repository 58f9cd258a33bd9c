//! Records gathered by reduce partition.
//!
//! Responsible for turning records that come in any order into one data file
//! in the order of partitions, within a budget of memory. Each partition fills
//! blocks; when they are too many for memory they go to a file without a name,
//! from which they are copied at the end.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use crate::storage::block::{self, BLOCK};
use crate::storage::sorter::unnamed_file;
use crate::task::{Metrics, TaskContext, TaskError};

#[derive(Default)]
struct Gathered {
    /// Lines that are no block yet.
    lines: Vec<u8>,
    /// Finished blocks.
    blocks: Vec<u8>,
    /// Start and length of what was spilled.
    spilled: Vec<(u64, u64)>,
}

/// See the module.
pub struct Spread {
    partitions: Vec<Gathered>,
    taken: usize,
    budget: usize,
    /// A partition's lines become a block at this size: less than usual if
    /// there are so many partitions that full blocks would take all memory.
    block: usize,
    spill: Option<(File, u64)>,
    context: TaskContext,
}

fn failed(error: &io::Error) -> TaskError {
    TaskError::io("write map output", error)
}

impl Spread {
    /// For so many partitions.
    pub fn new(partitions: u32, context: &TaskContext) -> Self {
        let budget = context.memory;
        Self {
            partitions: (0..partitions).map(|_| Gathered::default()).collect(),
            taken: 0,
            budget,
            block: (budget / 2 / partitions.max(1) as usize).clamp(1024, BLOCK),
            spill: None,
            context: context.clone(),
        }
    }

    /// Takes in a record, without its end.
    ///
    /// # Errors
    /// What does not fit cannot be spilled.
    pub fn push(&mut self, partition: usize, record: &[u8]) -> Result<(), TaskError> {
        let gathered = &mut self.partitions[partition];
        gathered.lines.extend_from_slice(record);
        gathered.lines.push(b'\n');
        self.taken += record.len() + 1;
        if gathered.lines.len() >= self.block {
            self.taken -= gathered.close_block();
        }
        if self.taken > self.budget {
            self.spill_all()?;
        }
        Ok(())
    }

    fn spill_all(&mut self) -> Result<(), TaskError> {
        let (mut file, mut at) = match self.spill.take() {
            Some(spill) => spill,
            None => (unnamed_file(&self.context.spill_folder)?, 0),
        };
        let before = at;
        let mut out = BufWriter::new(&mut file);
        for gathered in &mut self.partitions {
            gathered.close_block();
            if !gathered.blocks.is_empty() {
                out.write_all(&gathered.blocks).map_err(|e| failed(&e))?;
                let length = gathered.blocks.len() as u64;
                gathered.spilled.push((at, length));
                gathered.blocks = Vec::new();
                at += length;
            }
        }
        out.flush().map_err(|e| failed(&e))?;
        drop(out);
        Metrics::add(&self.context.metrics.spilled_bytes, at - before);
        self.spill = Some((file, at));
        self.taken = 0;
        Ok(())
    }

    /// Writes all blocks to a file, in the order of partitions. Returns where
    /// each begins, and where the last one ends.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_to(mut self, path: &Path) -> Result<Vec<u64>, TaskError> {
        let name =
            |error: &io::Error| TaskError::io(format_args!("write {}", path.display()), error);
        let file = File::create(path).map_err(|e| name(&e))?;
        let mut out = BufWriter::with_capacity(256 * 1024, file);
        let mut offsets = Vec::with_capacity(self.partitions.len() + 1);
        let mut at = 0;
        offsets.push(0);
        let mut buffer = Vec::new();
        for gathered in &mut self.partitions {
            self.context.cancel.check()?;
            gathered.close_block();
            for (start, length) in &gathered.spilled {
                let (file, _) = self.spill.as_mut().expect("spilled to a file");
                file.seek(SeekFrom::Start(*start)).map_err(|e| failed(&e))?;
                buffer.clear();
                file.take(*length)
                    .read_to_end(&mut buffer)
                    .map_err(|e| failed(&e))?;
                if buffer.len() as u64 != *length {
                    return Err(failed(&io::ErrorKind::UnexpectedEof.into()));
                }
                out.write_all(&buffer).map_err(|e| name(&e))?;
                at += *length;
            }
            out.write_all(&gathered.blocks).map_err(|e| name(&e))?;
            at += gathered.blocks.len() as u64;
            offsets.push(at);
        }
        out.flush().map_err(|e| name(&e))?;
        let metrics: &Arc<Metrics> = &self.context.metrics;
        Metrics::add(&metrics.shuffle_bytes_written, at);
        Ok(offsets)
    }
}

impl Gathered {
    /// Makes a block of what is gathered; returns by how much it shrank.
    fn close_block(&mut self) -> usize {
        if self.lines.is_empty() {
            return 0;
        }
        let before = self.lines.len() + self.blocks.len();
        block::encode(&self.lines, &mut self.blocks);
        self.lines.clear();
        before.saturating_sub(self.blocks.len())
    }
}
