//! Records gathered by reduce partition.
//!
//! Responsible for turning records of any form that come in any order into one data file
//! in the order of partitions, within a budget of memory, and for putting it in place
//! whole with its index. Each partition fills
//! blocks; when they are too many for memory they go to a file without a name,
//! from which they are copied at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use super::files::{OutputId, write_index};
use super::form::Form;
use crate::ids::Partition;
use crate::storage::block::{self, BLOCK, PartOf, Place};
use crate::storage::private;
use crate::storage::sorter::unnamed_file;
use crate::task::memory::Held;
use crate::task::{Metrics, Seal, TaskContext, TaskError};

#[derive(Default)]
struct Gathered {
    /// Records that are no block yet.
    records: Vec<u8>,
    /// Finished blocks.
    blocks: Vec<u8>,
    /// How many there were, with those that were spilled.
    made: u64,
    /// Start and length of what was spilled.
    spilled: Vec<(u64, u64)>,
}

/// See the module. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct Spread<F> {
    output: OutputId,
    partitions: Vec<Gathered>,
    /// Bytes of memory that all of them take.
    taken: usize,
    /// With so little, spilling would free nothing.
    least: usize,
    held: Held,
    /// A partition's records become a block at this size: less than usual if
    /// there are so many partitions that full blocks would take all memory.
    block: usize,
    spill: Option<(File, u64)>,
    context: TaskContext,
    form: PhantomData<F>,
}

fn failed(error: &io::Error) -> TaskError {
    TaskError::io("write map output", error)
}

impl<F: Form> Spread<F> {
    /// The output, for so many partitions.
    pub fn new(output: OutputId, partitions: u32, context: &TaskContext) -> Self {
        let share = context.memory.bytes();
        let empty = partitions as usize * size_of::<Gathered>();
        Self {
            output,
            partitions: (0..partitions).map(|_| Gathered::default()).collect(),
            taken: empty,
            least: 2 * empty,
            held: context.memory.hold(),
            block: (share / 2 / partitions.max(1) as usize).clamp(1024, BLOCK),
            spill: None,
            context: context.clone(),
            form: PhantomData,
        }
    }

    /// Takes in a record.
    ///
    /// # Errors
    /// What does not fit cannot be spilled, or there is no memory for the record
    /// alone.
    pub fn push(&mut self, partition: usize, record: &[u8]) -> Result<(), TaskError> {
        if record.len() > BLOCK {
            self.make_room_for(record)?;
        }
        let gathered = &mut self.partitions[partition];
        let before = gathered.capacity();
        F::put(record, &mut gathered.records);
        if gathered.records.len() >= self.block {
            gathered.close_block(part_of(self.output, partition), &self.context.seal);
        }
        let after = gathered.capacity();
        self.taken = self.taken + after - before;
        if after > before && self.taken > self.least && !self.held.want(self.taken) {
            self.spill_all()?;
        }
        Ok(())
    }

    /// A record that is longer than a block is on its way: it will be there by itself
    /// and as a block, and grown buffers may be twice what is in them.
    fn make_room_for(&mut self, record: &[u8]) -> Result<(), TaskError> {
        if !self.held.want(self.taken + 3 * record.len()) {
            self.spill_all()?;
            self.held.need(self.taken + 3 * record.len())?;
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
        for (reduce, gathered) in self.partitions.iter_mut().enumerate() {
            gathered.close_block(part_of(self.output, reduce), &self.context.seal);
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
        self.taken = self.capacity();
        if self.taken > self.held.bytes() / 2 {
            // Nearly all that is left is room for records that are no block yet.
            for gathered in &mut self.partitions {
                gathered.records = Vec::new();
            }
            self.taken = self.capacity();
        }
        if !self.held.is_within() {
            self.held.shrink_to(self.taken);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.partitions
            .iter()
            .map(|it| size_of::<Gathered>() + it.capacity())
            .sum()
    }

    /// Puts the output in place, in a folder. Returns the stored bytes of each reduce
    /// partition.
    ///
    /// # Errors
    /// It cannot be written; then nothing is left of it.
    pub fn finish(self, folder: &Path) -> Result<Vec<u64>, TaskError> {
        let output = self.output;
        let data = output.data(folder);
        let temporary = data.with_extension("data.tmp");
        let written = self.write_to(&temporary).and_then(|offsets| {
            fs::rename(&temporary, &data)
                .and_then(|()| write_index(&output.index(folder), &offsets))
                .map_err(|error| TaskError::io(format_args!("write {}", data.display()), &error))?;
            Ok(offsets)
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
            let _ = fs::remove_file(&data);
        }
        let offsets = written?;
        Ok(offsets.windows(2).map(|pair| pair[1] - pair[0]).collect())
    }

    /// Writes all blocks to a file, in the order of partitions. Returns where
    /// each begins, and where the last one ends.
    fn write_to(mut self, path: &Path) -> Result<Vec<u64>, TaskError> {
        let name =
            |error: &io::Error| TaskError::io(format_args!("write {}", path.display()), error);
        let file = private::create(path).map_err(|e| name(&e))?;
        let mut out = BufWriter::with_capacity(256 * 1024, file);
        let mut offsets = Vec::with_capacity(self.partitions.len() + 1);
        let mut at = 0;
        offsets.push(0);
        for (reduce, gathered) in self.partitions.iter_mut().enumerate() {
            self.context.cancel.check()?;
            let of = part_of(self.output, reduce);
            gathered.close_block(of, &self.context.seal);
            gathered.end(of, &self.context.seal);
            for (start, length) in &gathered.spilled {
                let (file, _) = self.spill.as_mut().expect("spilled to a file");
                file.seek(SeekFrom::Start(*start)).map_err(|e| failed(&e))?;
                let copied = io::copy(&mut file.take(*length), &mut out).map_err(|e| name(&e))?;
                if copied != *length {
                    return Err(failed(&io::ErrorKind::UnexpectedEof.into()));
                }
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

fn part_of(output: OutputId, reduce: usize) -> PartOf {
    let reduce = u32::try_from(reduce).expect("partitions are numbered so");
    PartOf::MapOutput(output, Partition(reduce))
}

impl Gathered {
    /// Makes a block of what is gathered.
    fn close_block(&mut self, of: PartOf, seal: &Seal) {
        if !self.records.is_empty() {
            self.make_block(of, seal);
        }
    }

    /// Nothing more comes. What has no blocks has no end either.
    fn end(&mut self, of: PartOf, seal: &Seal) {
        if seal.is_on() && self.made > 0 {
            self.make_block(of, seal);
        }
    }

    fn make_block(&mut self, of: PartOf, seal: &Seal) {
        let number = self.made;
        block::encode(&self.records, Place { of, number }, seal, &mut self.blocks);
        self.made += 1;
        if self.records.len() > BLOCK + BLOCK / 2 {
            // It held a long record.
            self.records = Vec::new();
        }
        self.records.clear();
    }

    /// Bytes of memory that it takes.
    const fn capacity(&self) -> usize {
        let spilled = self.spilled.capacity() * size_of::<(u64, u64)>();
        self.records.capacity() + self.blocks.capacity() + spilled
    }
}
