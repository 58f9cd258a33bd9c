//! A map task's side of a shuffle.
//!
//! Responsible for deciding each record's reduce partition, for combining
//! records of a key before they are written, and for putting the output in
//! place whole.

use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustc_hash::FxHasher;

use super::files::{OutputId, write_index};
use super::spread::Spread;
use crate::ids::{Partition, ShuffleId};
use crate::plan::Partitioning;
use crate::plan::operation::{Combine, Exchange, SortOrder};
use crate::storage::order::range_of;
use crate::storage::table::Table;
use crate::storage::value::Side;
use crate::task::{Metrics, TaskContext, TaskError, key_of, lines};

/// See the module. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct ShuffleWriter {
    spread: Spread,
    place: Place,
    table: Option<Table>,
    folder: PathBuf,
    id: OutputId,
    context: TaskContext,
}

/// Decides a record's reduce partition.
struct Place {
    partitioning: Partitioning,
    partitions: u32,
    order: SortOrder,
    bounds: Vec<Bytes>,
    whole_line: bool,
    next: u32,
}

impl Place {
    fn of(&mut self, record: &[u8]) -> usize {
        match self.partitioning {
            Partitioning::Hash if self.whole_line => self.by_hash(record),
            Partitioning::Hash => self.by_hash(key_of(record)),
            Partitioning::Range => range_of(self.order, &self.bounds, record),
            Partitioning::RoundRobin => {
                let place = self.next;
                self.next = (place + 1) % self.partitions;
                place as usize
            }
        }
    }

    /// Does not depend on the machine: reducers everywhere agree.
    fn by_hash(&self, key: &[u8]) -> usize {
        let mut hasher = FxHasher::default();
        hasher.write(key);
        // The upper bits are the well mixed ones.
        let hash = hasher.finish() >> 32;
        ((hash * u64::from(self.partitions)) >> 32) as usize
    }
}

impl ShuffleWriter {
    /// Begins an output of `map` in `folder`. `bounds` are those between
    /// ranges, if the shuffle has ranges.
    pub fn create(
        folder: &Path,
        exchange: &Exchange,
        shuffle: ShuffleId,
        map: Partition,
        bounds: &[Bytes],
        context: &TaskContext,
    ) -> Self {
        // Table and blocks share the task's memory.
        let half = TaskContext {
            memory: context.memory / 2,
            ..context.clone()
        };
        let share = if exchange.combine.is_some() {
            &half
        } else {
            context
        };
        Self {
            spread: Spread::new(exchange.partitions, share),
            place: Place {
                partitioning: exchange.partitioning,
                partitions: exchange.partitions,
                order: exchange.order,
                bounds: bounds.to_vec(),
                whole_line: exchange.combine == Some(Combine::Distinct),
                // So that small map partitions do not all begin with the same.
                next: map.0 % exchange.partitions.max(1),
            },
            table: exchange
                .combine
                .map(|combine| Table::new(combine, Side::Map, share)),
            folder: folder.to_owned(),
            id: OutputId {
                shuffle,
                map,
                task: context.task,
            },
            context: context.clone(),
        }
    }

    /// Takes in a chunk of records.
    ///
    /// # Errors
    /// A record that cannot be combined; what does not fit cannot be spilled.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), TaskError> {
        self.context.cancel.check()?;
        let mut count = 0;
        if let Some(table) = &mut self.table {
            count = table.add(chunk)?;
            if table.is_full() {
                self.empty_table()?;
            }
        } else {
            for record in lines(chunk) {
                count += 1;
                self.spread.push(self.place.of(record), record)?;
            }
        }
        Metrics::add(&self.context.metrics.records_written, count);
        Ok(())
    }

    fn empty_table(&mut self) -> Result<(), TaskError> {
        let (spread, place) = (&mut self.spread, &mut self.place);
        match &mut self.table {
            Some(table) => table.drain(|key, record| {
                let at = if place.whole_line {
                    place.by_hash(record)
                } else {
                    place.by_hash(key)
                };
                spread.push(at, record)
            }),
            None => Ok(()),
        }
    }

    /// Puts the output in place. Returns the stored bytes of each reduce
    /// partition.
    ///
    /// # Errors
    /// It cannot be written; then nothing is left of it.
    pub fn finish(mut self) -> Result<Vec<u64>, TaskError> {
        self.empty_table()?;
        self.table = None;
        let data = self.id.data(&self.folder);
        let temporary = data.with_extension("data.tmp");
        let written = self.spread.write_to(&temporary).and_then(|offsets| {
            fs::rename(&temporary, &data)
                .and_then(|()| write_index(&self.id.index(&self.folder), &offsets))
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
}
