//! Partial results by key, in memory.
//!
//! Responsible for finding a key's result fast and for knowing when memory is
//! used up. Keys lie one after the other in one piece of memory, and an entry
//! is small, for with many keys every look is a wait for memory.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use memchr::{memchr, memchr2_iter};
use rustc_hash::FxBuildHasher;

use super::number::Number;
use super::value::{Side, Value, read_count, read_sum, too_large, write_record};
use crate::plan::operation::Combine;
use crate::task::{CHUNK, Records, TaskContext, TaskError, lines};

/// Keys take no more together, for their places are 32 bits.
const MOST_KEYS: usize = 1 << 31;

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    /// A count, or where the sum is.
    value: u64,
    start: u32,
    length: u32,
}

/// A table of partial results by key.
pub struct Table {
    combine: Combine,
    side: Side,
    budget: usize,
    keys: Vec<u8>,
    entries: HashTable<Entry>,
    sums: Vec<Number>,
}

impl Table {
    /// An empty table for records of that side.
    pub fn new(combine: Combine, side: Side, context: &TaskContext) -> Self {
        Self {
            combine,
            side,
            budget: context.memory,
            keys: Vec::new(),
            entries: HashTable::new(),
            sums: Vec::new(),
        }
    }

    /// Whether it holds as much as it may.
    pub fn is_full(&self) -> bool {
        let entries = self.entries.allocation_size();
        // To grow, it needs the old and the new memory at once.
        let growing = if self.entries.len() == self.entries.capacity() {
            2 * entries
        } else {
            0
        };
        let sums = self.sums.capacity() * size_of::<Number>();
        self.keys.len() + entries + growing + sums > self.budget || self.keys.len() >= MOST_KEYS
    }

    /// Takes in a chunk of records; returns how many they were.
    ///
    /// # Errors
    /// A record has no number where one is needed; a sum is too large.
    pub fn add(&mut self, chunk: &[u8]) -> Result<u64, TaskError> {
        match (self.combine, self.side) {
            (Combine::Count, Side::Map) => self.count(chunk),
            (Combine::Count, Side::Reduce) => self.add_each(chunk, |table, record| {
                let (key, more) = read_count(record)?;
                let count = table.value_of(key)?;
                *count = count.checked_add(more).ok_or_else(|| too_large(key))?;
                Ok(())
            }),
            (Combine::Sum, _) => self.add_each(chunk, |table, record| {
                let (key, more) = read_sum(record)?;
                let next = table.sums.len() as u64;
                let value = table.value_of(key)?;
                if *value == 0 {
                    *value = next + 1;
                    table.sums.push(more);
                } else {
                    let at = place_of(*value);
                    let sum = table.sums[at].plus(more);
                    table.sums[at] = sum.ok_or_else(|| too_large(key))?;
                }
                Ok(())
            }),
            (Combine::Distinct, _) => self.add_each(chunk, |table, record| {
                table.value_of(record)?;
                Ok(())
            }),
        }
    }

    fn add_each(
        &mut self,
        chunk: &[u8],
        mut add: impl FnMut(&mut Self, &[u8]) -> Result<(), TaskError>,
    ) -> Result<u64, TaskError> {
        let mut count = 0;
        for record in lines(chunk) {
            add(self, record)?;
            count += 1;
        }
        Ok(count)
    }

    /// Counts the keys of a chunk, with one look at each byte: a key ends at
    /// the first tab or at the line's end.
    fn count(&mut self, chunk: &[u8]) -> Result<u64, TaskError> {
        let mut records = 0;
        let mut start = 0;
        let mut key_end = None;
        for at in memchr2_iter(b'\t', b'\n', chunk) {
            if chunk[at] == b'\t' {
                key_end = key_end.or(Some(at));
                continue;
            }
            *self.value_of(&chunk[start..key_end.unwrap_or(at)])? += 1;
            records += 1;
            start = at + 1;
            key_end = None;
        }
        debug_assert!(memchr(b'\n', &chunk[start..]).is_none());
        Ok(records)
    }

    /// The value of a key, which is 0 if it is new.
    fn value_of(&mut self, key: &[u8]) -> Result<&mut u64, TaskError> {
        let hash = FxBuildHasher.hash_one(key);
        let keys = &self.keys;
        let slot = self.entries.entry(
            hash,
            |entry| entry.hash == hash && key_in(keys, entry) == key,
            |entry| entry.hash,
        );
        match slot {
            Slot::Occupied(found) => Ok(&mut found.into_mut().value),
            Slot::Vacant(free) => {
                let end = u32::try_from(keys.len() + key.len());
                let (Ok(_), Ok(start), Ok(length)) =
                    (end, keys.len().try_into(), key.len().try_into())
                else {
                    let message = "the keys of a chunk of records are longer than 2 GiB";
                    return Err(TaskError::Permanent(message.into()));
                };
                self.keys.extend_from_slice(key);
                let entry = Entry {
                    hash,
                    value: 0,
                    start,
                    length,
                };
                Ok(&mut free.insert(entry).into_mut().value)
            }
        }
    }

    fn value(&self, entry: &Entry) -> Value {
        match self.combine {
            Combine::Count => Value::Count(entry.value),
            Combine::Sum => Value::Sum(self.sums[place_of(entry.value)]),
            Combine::Distinct => Value::Seen,
        }
    }

    /// Hands every partial result to `take`, as a key and as a record, and is
    /// empty.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn drain(
        &mut self,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let mut record = Vec::new();
        for entry in &self.entries {
            let key = key_in(&self.keys, entry);
            record.clear();
            write_record(&mut record, key, self.value(entry));
            take(key, &record)?;
        }
        self.keys.clear();
        self.entries.clear();
        self.sums.clear();
        Ok(())
    }

    /// All results as records, ordered by key.
    pub fn into_sorted(mut self) -> impl Records {
        let mut order: Vec<(u64, u32, u32, u64)> = Vec::with_capacity(self.entries.len());
        order.extend(self.entries.drain().map(|entry| {
            let prefix = prefix_of(key_in(&self.keys, &entry));
            (prefix, entry.start, entry.length, entry.value)
        }));
        self.entries = HashTable::new();
        let key = |start: u32, length: u32| &self.keys[start as usize..][..length as usize];
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1, a.2).cmp(key(b.1, b.2))));
        InOrder {
            table: self,
            order: order.into_iter(),
        }
    }
}

fn key_in<'a>(keys: &'a [u8], entry: &Entry) -> &'a [u8] {
    &keys[entry.start as usize..][..entry.length as usize]
}

/// Sums are counted from 1, for 0 is none.
fn place_of(value: u64) -> usize {
    usize::try_from(value).expect("it was an index") - 1
}

/// The first bytes of a key, as a number that is ordered as they are.
fn prefix_of(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(first)
}

struct InOrder {
    table: Table,
    /// Prefix, start and length of the key, and the value.
    order: std::vec::IntoIter<(u64, u32, u32, u64)>,
}

impl Records for InOrder {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.len() < CHUNK
            && let Some((hash, start, length, value)) = self.order.next()
        {
            let entry = Entry {
                hash,
                value,
                start,
                length,
            };
            let key = key_in(&self.table.keys, &entry);
            write_record(chunk, key, self.table.value(&entry));
            chunk.push(b'\n');
        }
        Ok(!chunk.is_empty())
    }
}
