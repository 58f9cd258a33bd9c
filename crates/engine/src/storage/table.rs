//! Partial results by key, in memory.
//!
//! Responsible for finding a key's result fast and for knowing when memory is
//! used up. With many keys every look is a wait for memory, so an entry is
//! small and has a short key in it; longer ones lie one after the other in a
//! piece of memory of their own.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use memchr::{memchr_iter, memchr2_iter};
use rustc_hash::FxBuildHasher;

use super::aggregate::Layout;
use super::numbers::Numbers;
use super::value::{Side, Value, read_count, read_sum, too_large, write_record};
use crate::plan::operation::Combine;
use crate::task::memory::Held;
use crate::task::{CHUNK, Records, TaskContext, TaskError, key_of};

mod measures;

/// Keys of at most so many bytes are in their entries.
const SHORT: usize = size_of::<u128>();

#[derive(Clone, Copy)]
struct Entry {
    /// A short key, its first byte lowest; of a longer one, where it begins.
    key: u128,
    /// A count, or where the sum is.
    value: u64,
    /// Of the key.
    length: u32,
}

impl Entry {
    const fn length(&self) -> usize {
        self.length as usize
    }

    /// The key; a short one is put into `short`.
    fn key<'a>(&self, keys: &'a [u8], short: &'a mut [u8; SHORT]) -> &'a [u8] {
        if self.length() <= SHORT {
            *short = self.key.to_le_bytes();
            &short[..self.length()]
        } else {
            let start = usize::try_from(self.key).expect("it was an index");
            &keys[start..][..self.length()]
        }
    }

    fn hash(&self, keys: &[u8]) -> u64 {
        if self.length() <= SHORT {
            hash_short(self.key, self.length())
        } else {
            FxBuildHasher.hash_one(self.key(keys, &mut [0; SHORT]))
        }
    }
}

/// A key that is looked for, in a chunk of records.
struct Sought<'a> {
    chunk: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Sought<'a> {
    fn bytes(&self) -> &'a [u8] {
        &self.chunk[self.start..self.end]
    }

    /// As an entry has it, if it is short.
    fn short(&self) -> Option<u128> {
        let length = self.end - self.start;
        if length > SHORT {
            return None;
        }
        let window = self.chunk[self.start..].first_chunk::<SHORT>();
        Some(match window {
            // Faster than to copy as many bytes as there are.
            Some(window) => {
                let kept = u128::MAX.checked_shr(8 * (SHORT - length) as u32);
                u128::from_le_bytes(*window) & kept.unwrap_or(0)
            }
            None => {
                let mut padded = [0; SHORT];
                padded[..length].copy_from_slice(self.bytes());
                u128::from_le_bytes(padded)
            }
        })
    }
}

/// Both halves multiplied: each bit of the key reaches all bits.
fn hash_short(key: u128, length: usize) -> u64 {
    let (low, high) = (key as u64, (key >> 64) as u64);
    let high = high ^ (length as u64).rotate_right(8);
    let product =
        u128::from(low ^ 0x9e37_79b9_7f4a_7c15) * u128::from(high ^ 0xd6e8_feb8_6659_fd93);
    (product as u64) ^ (product >> 64) as u64
}

/// A table of partial results by key.
pub struct Table {
    combine: Combine,
    side: Side,
    held: Held,
    /// The long keys.
    keys: Vec<u8>,
    entries: HashTable<Entry>,
    /// The sum of a key, or its row of numbers; an entry has the place of its first
    /// number, counted from 1.
    sums: Numbers,
    /// What the rows are, and what is counted beside them.
    layout: Option<Layout>,
    /// A key with a text that is to be counted once.
    seen: Vec<u8>,
}

impl Table {
    /// An empty table for records of that side.
    pub fn new(combine: Combine, side: Side, context: &TaskContext) -> Self {
        Self {
            combine,
            side,
            held: context.memory.hold(),
            keys: Vec::new(),
            entries: HashTable::new(),
            sums: Numbers::default(),
            layout: match combine {
                Combine::Aggregate(measures) => Some(Layout::of(measures)),
                Combine::Count | Combine::Sum | Combine::Distinct => None,
            },
            seen: Vec::new(),
        }
    }

    /// How many keys it holds.
    pub fn keys(&self) -> usize {
        self.entries.len()
    }

    /// Whether what it holds has to be taken out before it may take in another
    /// chunk.
    pub fn is_full_for(&mut self, chunk: &[u8]) -> bool {
        let needed = self.needed_for(chunk);
        !self.held.want(needed) && !self.entries.is_empty()
    }

    /// To be called with a chunk that did not fit, when the table is empty.
    ///
    /// # Errors
    /// The chunk alone is more than there is memory for.
    pub fn make_room_for(&mut self, chunk: &[u8]) -> Result<(), TaskError> {
        if self.entries.is_empty() && !self.held.is_within() {
            // More tasks share the memory than when it grew.
            self.keys = Vec::new();
            self.entries = HashTable::new();
            self.sums = Numbers::default();
            self.held.shrink_to(0);
        }
        let needed = self.needed_for(chunk);
        self.held.need(needed)
    }

    /// Bytes of memory with the records of one more chunk.
    fn needed_for(&self, chunk: &[u8]) -> usize {
        let left = self.entries.capacity() - self.entries.len();
        // Beside its key a record may have texts that are counted.
        let (each, width) = self
            .layout
            .as_ref()
            .map_or((1, 1), |it| (1 + it.counted().len(), it.width()));
        // A record is at least its end.
        let more = if left < each * chunk.len() {
            each * memchr_iter(b'\n', chunk).count()
        } else {
            0
        };
        let allocated = self.entries.allocation_size();
        let entries = if more > left {
            // To grow, it needs the old and the new memory at once.
            let new = (2 * allocated).max(2 * more * size_of::<Entry>());
            allocated + new
        } else {
            allocated
        };
        let sums = (self.sums.len() + width * more) * Numbers::EACH;
        self.keys.len() + each * (chunk.len() + more) + entries + sums
    }

    /// Whether there is memory for [`into_sorted`](Self::into_sorted).
    pub fn has_room_to_sort(&mut self) -> bool {
        let order = self.entries.len() * size_of::<(u128, Entry)>();
        self.held.want(self.needed_for(&[]) + order)
    }

    /// Takes in a chunk of records; returns how many they were.
    ///
    /// # Errors
    /// A record has no number where one is needed; a sum is too large.
    pub fn add(&mut self, chunk: &[u8]) -> Result<u64, TaskError> {
        match (self.combine, self.side) {
            (Combine::Count, Side::Map) => self.count(chunk),
            (Combine::Count, Side::Reduce) => self.add_each(chunk, |table, start, end| {
                let (key, more) = read_count(&chunk[start..end])?;
                let end = start + key.len();
                let count = table.value_of(&Sought { chunk, start, end })?;
                *count = count.checked_add(more).ok_or_else(|| too_large(key))?;
                Ok(())
            }),
            (Combine::Sum, _) => self.add_each(chunk, |table, start, end| {
                let (key, more) = read_sum(&chunk[start..end])?;
                let end = start + key.len();
                let next = table.sums.len() as u64;
                let value = table.value_of(&Sought { chunk, start, end })?;
                if *value == 0 {
                    *value = next + 1;
                    table.sums.push(more);
                } else {
                    let at = place_of(*value);
                    let sum = table.sums.get(at).plus(more);
                    table.sums.set(at, sum.ok_or_else(|| too_large(key))?);
                }
                Ok(())
            }),
            (Combine::Distinct, _) => self.add_each(chunk, |table, start, end| {
                table.value_of(&Sought { chunk, start, end })?;
                Ok(())
            }),
            (Combine::Aggregate(_), _) => {
                let Some(layout) = self.layout.take() else {
                    return Ok(0);
                };
                let added = match self.side {
                    Side::Map => self.measure(&layout, chunk),
                    Side::Reduce => self.add_each(chunk, |table, start, end| {
                        table.measure_partial(&layout, &chunk[start..end])
                    }),
                };
                self.layout = Some(layout);
                added
            }
        }
    }

    /// Appends the record of an entry; one that is no more combined if it is `last`.
    fn write(&self, record: &mut Vec<u8>, key: &[u8], entry: &Entry, last: bool) {
        match &self.layout {
            // A text that is counted, which is all in the key.
            Some(_) if entry.value == 0 => record.extend_from_slice(key),
            Some(layout) => {
                let row = place_of(entry.value);
                if last {
                    layout.write(record, key, &self.sums, row);
                } else {
                    layout.write_partial(record, key, &self.sums, row);
                }
            }
            None => write_record(record, key, self.value(entry)),
        }
    }

    /// Calls `add` with where each record begins and ends.
    fn add_each(
        &mut self,
        chunk: &[u8],
        mut add: impl FnMut(&mut Self, usize, usize) -> Result<(), TaskError>,
    ) -> Result<u64, TaskError> {
        let mut count = 0;
        let mut start = 0;
        for end in memchr_iter(b'\n', chunk) {
            add(self, start, end)?;
            start = end + 1;
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
            let end = key_end.unwrap_or(at);
            *self.value_of(&Sought { chunk, start, end })? += 1;
            records += 1;
            start = at + 1;
            key_end = None;
        }
        Ok(records)
    }

    /// The value of a key, which is 0 if it is new.
    fn value_of(&mut self, sought: &Sought<'_>) -> Result<&mut u64, TaskError> {
        let keys = &mut self.keys;
        if let Some(key) = sought.short() {
            let length = sought.end - sought.start;
            let slot = self.entries.entry(
                hash_short(key, length),
                |entry| entry.key == key && entry.length() == length,
                |entry| entry.hash(keys),
            );
            let entry = slot.or_insert_with(|| Entry {
                key,
                value: 0,
                length: length as u32,
            });
            return Ok(&mut entry.into_mut().value);
        }
        let key = sought.bytes();
        let Ok(length) = u32::try_from(key.len()) else {
            return Err(TaskError::Permanent("a key is longer than 4 GiB".into()));
        };
        let slot = self.entries.entry(
            FxBuildHasher.hash_one(key),
            |entry| entry.length == length && entry.key(keys, &mut [0; SHORT]) == key,
            |entry| entry.hash(keys),
        );
        Ok(match slot {
            Slot::Occupied(found) => &mut found.into_mut().value,
            Slot::Vacant(free) => {
                let entry = Entry {
                    key: keys.len() as u128,
                    value: 0,
                    length,
                };
                keys.extend_from_slice(key);
                &mut free.insert(entry).into_mut().value
            }
        })
    }

    fn value(&self, entry: &Entry) -> Value {
        match self.combine {
            Combine::Count => Value::Count(entry.value),
            Combine::Sum => Value::Sum(self.sums.get(place_of(entry.value))),
            Combine::Distinct | Combine::Aggregate(_) => Value::Seen,
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
            let mut short = [0; SHORT];
            let key = entry.key(&self.keys, &mut short);
            record.clear();
            self.write(&mut record, key, entry, false);
            // A text that is counted goes where its key does.
            let key = if self.layout.is_some() {
                key_of(key)
            } else {
                key
            };
            take(key, &record)?;
        }
        self.keys.clear();
        self.entries.clear();
        self.sums.clear();
        Ok(())
    }

    /// All results as records, ordered by key.
    pub fn into_sorted(mut self) -> impl Records {
        self.count_texts();
        let entries = std::mem::take(&mut self.entries);
        let keys = &self.keys;
        let mut order: Vec<(u128, Entry)> = Vec::with_capacity(entries.len());
        order.extend(
            entries
                .into_iter()
                .map(|entry| (first_bytes(entry.key(keys, &mut [0; SHORT])), entry)),
        );
        order.sort_unstable_by(|(first_a, a), (first_b, b)| {
            first_a.cmp(first_b).then_with(|| {
                let (mut short_a, mut short_b) = ([0; SHORT], [0; SHORT]);
                a.key(keys, &mut short_a).cmp(b.key(keys, &mut short_b))
            })
        });
        InOrder {
            table: self,
            order: order.into_iter(),
        }
    }
}

/// Sums are counted from 1, for 0 is none.
fn place_of(value: u64) -> usize {
    usize::try_from(value).expect("it was an index") - 1
}

/// The first bytes of a key, as a number that is ordered as they are.
fn first_bytes(key: &[u8]) -> u128 {
    let mut first = [0; SHORT];
    let length = key.len().min(SHORT);
    first[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(first)
}

struct InOrder {
    table: Table,
    order: std::vec::IntoIter<(u128, Entry)>,
}

impl Records for InOrder {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.len() < CHUNK
            && let Some((_, entry)) = self.order.next()
        {
            let mut short = [0; SHORT];
            let key = entry.key(&self.table.keys, &mut short);
            self.table.write(chunk, key, &entry, true);
            chunk.push(b'\n');
        }
        Ok(!chunk.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::task::{all_lines, test_context};

    proptest! {
        #[test]
        fn keys_of_any_length_and_bytes_are_told_apart(
            keys in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0), Just(b'a'), Just(b'b')], 0..20), 0..60),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut table = Table::new(Combine::Count, Side::Map, &test_context(folder.path()));
            let mut counts = BTreeMap::<_, u64>::new();
            let mut chunk = Vec::new();
            for key in &keys {
                *counts.entry(key.clone()).or_default() += 1;
                chunk.extend_from_slice(key);
                chunk.extend_from_slice(b"\tx\ty\n");
            }
            prop_assert_eq!(table.add(&chunk).expect("counted"), keys.len() as u64);
            let read = all_lines(table.into_sorted()).expect("in memory");
            let wanted: Vec<_> = counts
                .iter()
                .map(|(key, count)| format!("{}\t{count}", String::from_utf8_lossy(key)))
                .collect();
            prop_assert_eq!(read, wanted);
        }
    }
}
