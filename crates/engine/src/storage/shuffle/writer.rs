//! A map task's side of a shuffle.
//!
//! Responsible for deciding the reduce partition of each line, and for combining
//! those of a key before they are written. How they are kept and put in place is
//! `spread`'s business.

use std::hash::Hasher;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustc_hash::FxHasher;

use super::files::OutputId;
use super::form::Lines;
use super::spread::Spread;
use crate::ids::{Partition, ShuffleId};
use crate::plan::Partitioning;
use crate::plan::operation::{Combine, SortOrder};
use crate::plan::program::Exchange;
use crate::storage::order::range_of;
use crate::storage::table::Table;
use crate::storage::value::Side;
use crate::task::{Metrics, TaskContext, TaskError, key_of, lines};

/// After so many records it is known whether combining them pays: fewer would tell
/// nothing of records that come again seldom, and with more the table has grown
/// beyond what is near the processor. Tests have fewer.
const TRIED: u64 = if cfg!(test) { 20 } else { 1 << 18 };

/// See the module. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct ShuffleWriter {
    spread: Spread<Lines>,
    partitioner: Partitioner,
    /// Where records of a key become one, as long as that pays.
    table: Option<Table>,
    trial: Option<Trial>,
    folder: PathBuf,
    context: TaskContext,
}

/// Whether lines are worth being looked for in a table: the reducers do it again.
#[derive(Default)]
struct Trial {
    tried: u64,
    /// Those that were left of what is not in the table any more.
    left: u64,
}

impl Trial {
    /// Whether more than nine of ten were different, once that is known.
    fn verdict(&self, in_table: usize) -> Option<bool> {
        let left = self.left + in_table as u64;
        (self.tried >= TRIED).then(|| 10 * left > 9 * self.tried)
    }
}

/// Decides a record's reduce partition.
struct Partitioner {
    partitioning: Partitioning,
    partitions: u32,
    order: SortOrder,
    bounds: Vec<Bytes>,
    whole_line: bool,
    /// Where the next one goes that may go anywhere; of a map partition that stays
    /// as it is, all of them.
    next: u32,
}

impl Partitioner {
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
            Partitioning::Same => self.next as usize,
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
            memory: context.memory.part(2),
            ..context.clone()
        };
        let share = if exchange.combine.is_some() {
            &half
        } else {
            context
        };
        let id = OutputId {
            shuffle,
            map,
            task: context.task,
        };
        Self {
            spread: Spread::new(id, exchange.partitions, share),
            partitioner: Partitioner {
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
            // Counts and sums are shorter than the records that they are made of.
            trial: (exchange.combine == Some(Combine::Distinct)).then(Trial::default),
            folder: folder.to_owned(),
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
        if let Some(table) = &mut self.table
            && table.is_full_for(chunk)
        {
            self.empty_table()?;
        }
        if let Some(table) = &mut self.table {
            table.make_room_for(chunk)?;
            count = table.add(chunk)?;
            self.judge(count)?;
        } else {
            for record in lines(chunk) {
                count += 1;
                self.spread.push(self.partitioner.of(record), record)?;
            }
        }
        Metrics::add(&self.context.metrics.records_written, count);
        Ok(())
    }

    /// Does without the table if that does not pay.
    fn judge(&mut self, count: u64) -> Result<(), TaskError> {
        let (Some(trial), Some(table)) = (&mut self.trial, &self.table) else {
            return Ok(());
        };
        trial.tried += count;
        if let Some(all_differ) = trial.verdict(table.keys()) {
            self.trial = None;
            if all_differ {
                self.empty_table()?;
                self.table = None;
            }
        }
        Ok(())
    }

    fn empty_table(&mut self) -> Result<(), TaskError> {
        if let (Some(trial), Some(table)) = (&mut self.trial, &self.table) {
            trial.left += table.keys() as u64;
        }
        let (spread, partitioner) = (&mut self.spread, &mut self.partitioner);
        match &mut self.table {
            Some(table) => table.drain(|key, record| {
                let at = if partitioner.whole_line {
                    partitioner.by_hash(record)
                } else {
                    partitioner.by_hash(key)
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
        self.spread.finish(&self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::exchange;
    use super::*;
    use crate::task::test_context;

    #[test]
    fn lines_are_looked_for_only_where_they_come_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let context = test_context(folder.path());
        let exchange = exchange(Partitioning::Hash, 2, Some(Combine::Distinct));
        for (kinds, are_looked_for) in [(2 * TRIED, false), (TRIED / 2, true)] {
            let (shuffle, map) = (ShuffleId(0), Partition(0));
            let mut writer =
                ShuffleWriter::create(folder.path(), &exchange, shuffle, map, &[], &context);
            for number in 0..2 * TRIED {
                let line = format!("{}\n", number % kinds);
                writer.write(line.as_bytes()).expect("written");
            }
            assert_eq!(writer.table.is_some(), are_looked_for, "{kinds} kinds");
        }
    }
}
