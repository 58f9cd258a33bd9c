//! Making the records of a key one.
//!
//! Responsible for counting, adding and making distinct, on the map side and on
//! the reduce side alike: a table by key within the task's memory. The map side
//! may let partial results go at any time; the reduce side sorts what does not
//! fit and combines neighbours.

use std::fmt::Write;
use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use rustc_hash::FxBuildHasher;

use super::number::Number;
use super::sorter::{Sorted, Sorter};
use crate::plan::operation::{Combine, SortBy, SortOrder};
use crate::task::{CHUNK, Records, TaskContext, TaskError, key_of};

/// Whether a record is an input of the shuffle or was combined before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Records as they are.
    Map,
    /// Records that the map side combined.
    Reduce,
}

struct Entry {
    hash: u64,
    start: usize,
    length: usize,
    value: Value,
}

/// What is kept for a key.
#[derive(Clone, Copy)]
enum Value {
    Count(u64),
    Sum(Number),
    Seen,
}

/// A table of partial results by key.
pub struct Table {
    combine: Combine,
    side: Side,
    budget: usize,
    keys: Vec<u8>,
    entries: Vec<Entry>,
    index: HashTable<u32>,
}

impl Table {
    /// An empty table for records of that side.
    pub fn new(combine: Combine, side: Side, context: &TaskContext) -> Self {
        Self {
            combine,
            side,
            budget: context.memory,
            keys: Vec::new(),
            entries: Vec::new(),
            index: HashTable::new(),
        }
    }

    /// Whether it holds as much as it may.
    pub fn is_full(&self) -> bool {
        let entry = size_of::<Entry>() + size_of::<u32>() * 2;
        self.keys.len() + self.entries.len() * entry >= self.budget
            || self.entries.len() >= u32::MAX as usize
    }

    /// Takes in a record.
    ///
    /// # Errors
    /// It has no number where one is needed.
    pub fn add(&mut self, record: &[u8]) -> Result<(), TaskError> {
        let (key, value) = read(self.combine, self.side, record)?;
        let hash = FxBuildHasher.hash_one(key);
        let (keys, entries) = (&self.keys, &self.entries);
        let slot = self.index.entry(
            hash,
            |at| {
                let entry = &entries[*at as usize];
                entry.hash == hash && &keys[entry.start..entry.start + entry.length] == key
            },
            |at| entries[*at as usize].hash,
        );
        match slot {
            Slot::Occupied(found) => {
                let value_of = &mut self.entries[*found.get() as usize].value;
                *value_of = merge(*value_of, value).ok_or_else(|| too_large(key))?;
            }
            Slot::Vacant(free) => {
                free.insert(u32::try_from(self.entries.len()).expect("checked by `is_full`"));
                self.entries.push(Entry {
                    hash,
                    start: self.keys.len(),
                    length: key.len(),
                    value,
                });
                self.keys.extend_from_slice(key);
            }
        }
        Ok(())
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
        let mut number = String::new();
        for entry in &self.entries {
            let key = &self.keys[entry.start..entry.start + entry.length];
            record.clear();
            write_record(&mut record, &mut number, key, entry.value);
            take(key, &record)?;
        }
        self.keys.clear();
        self.entries.clear();
        self.index.clear();
        Ok(())
    }
}

fn write_record(record: &mut Vec<u8>, number: &mut String, key: &[u8], value: Value) {
    record.extend_from_slice(key);
    number.clear();
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Count(count) => write!(number, "\t{count}"),
        Value::Sum(sum) => write!(number, "\t{sum}"),
        Value::Seen => Ok(()),
    };
    record.extend_from_slice(number.as_bytes());
}

fn merge(a: Value, b: Value) -> Option<Value> {
    Some(match (a, b) {
        (Value::Count(a), Value::Count(b)) => Value::Count(a.checked_add(b)?),
        (Value::Sum(a), Value::Sum(b)) => Value::Sum(a.plus(b)?),
        (other, _) => other,
    })
}

fn split(record: &[u8]) -> Result<(&[u8], &[u8]), TaskError> {
    let key = key_of(record);
    record
        .get(key.len() + 1..)
        .map(|value| (key, value))
        .ok_or_else(|| no_number(record))
}

fn no_number(record: &[u8]) -> TaskError {
    TaskError::Failed(format!(
        "record {:?} has no number after its tab: sum_by_key needs KEY<TAB>NUMBER, with at most 18 \
         decimals",
        shown(record)
    ))
}

fn too_large(key: &[u8]) -> TaskError {
    TaskError::Failed(format!("the sum of key {:?} is too large", shown(key)))
}

/// The beginning of a record, for messages.
fn shown(record: &[u8]) -> String {
    String::from_utf8_lossy(&record[..record.len().min(100)]).into_owned()
}

/// The order in which combined records come out.
fn order_of(combine: Combine) -> SortOrder {
    SortOrder {
        by: match combine {
            Combine::Count | Combine::Sum => SortBy::Key,
            Combine::Distinct => SortBy::Line,
        },
        ..SortOrder::default()
    }
}

/// Combines all records of a stream that the map side combined, ordered by
/// key.
///
/// # Errors
/// Those of the stream; a sum that is too large; spilling.
pub fn combine<R: Records>(
    mut records: R,
    combine: Combine,
    context: &TaskContext,
) -> Result<impl Records + use<R>, TaskError> {
    let mut table = Table::new(combine, Side::Reduce, context);
    let mut sorter = Sorter::new(order_of(combine), context);
    let mut chunk = Vec::new();
    while records.next(&mut chunk)? {
        context.cancel.check()?;
        for record in crate::task::lines(&chunk) {
            if table.is_full() {
                table.drain(|_, record| sorter.push(record))?;
            }
            table.add(record)?;
        }
    }
    table.drain(|_, record| sorter.push(record))?;
    drop(table);
    Ok(Neighbours {
        combine,
        sorted: sorter.finish()?,
        waiting: None,
        context: context.clone(),
    })
}

/// Combines neighbours of equal key.
struct Neighbours {
    combine: Combine,
    sorted: Sorted,
    /// The key that is being combined, and what it comes to so far.
    waiting: Option<(Vec<u8>, Value)>,
    context: TaskContext,
}

impl Records for Neighbours {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        self.context.cancel.check()?;
        let mut number = String::new();
        while chunk.len() < CHUNK {
            let Some(record) = self.sorted.next_record()? else {
                if let Some((key, value)) = self.waiting.take() {
                    write_record(chunk, &mut number, &key, value);
                    chunk.push(b'\n');
                }
                break;
            };
            let (key, value) = read(self.combine, Side::Reduce, record)?;
            match &mut self.waiting {
                Some((last, so_far)) if last == key => {
                    *so_far = merge(*so_far, value).ok_or_else(|| too_large(key))?;
                }
                Some((last, so_far)) => {
                    write_record(chunk, &mut number, last, *so_far);
                    chunk.push(b'\n');
                    last.clear();
                    last.extend_from_slice(key);
                    *so_far = value;
                }
                None => self.waiting = Some((key.to_vec(), value)),
            }
        }
        Ok(!chunk.is_empty())
    }
}

/// A record's key and what it adds.
fn read(combine: Combine, side: Side, record: &[u8]) -> Result<(&[u8], Value), TaskError> {
    Ok(match (combine, side) {
        (Combine::Distinct, _) => (record, Value::Seen),
        (Combine::Count, Side::Map) => (key_of(record), Value::Count(1)),
        (Combine::Count, Side::Reduce) => {
            let (key, text) = split(record)?;
            let count = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| no_number(record))?;
            (key, Value::Count(count))
        }
        (Combine::Sum, _) => {
            let (key, text) = split(record)?;
            let number = Number::read(text).ok_or_else(|| no_number(record))?;
            (key, Value::Sum(number))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::task::{all_lines, test_context, test_records};

    fn combined(records: &[String], how: Combine, memory: usize) -> Result<Vec<String>, TaskError> {
        let folder = tempfile::tempdir().expect("a folder");
        let context = TaskContext {
            memory,
            ..test_context(folder.path())
        };
        let mut map = Table::new(how, Side::Map, &context);
        let mut partial = Vec::new();
        for record in records {
            map.add(record.as_bytes())?;
            if map.is_full() {
                map.drain(|_, record| {
                    partial.push(String::from_utf8_lossy(record).into_owned());
                    Ok(())
                })?;
            }
        }
        map.drain(|_, record| {
            partial.push(String::from_utf8_lossy(record).into_owned());
            Ok(())
        })?;
        let partial: Vec<_> = partial.iter().map(String::as_str).collect();
        all_lines(combine(test_records(&partial), how, &context)?)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn counts_sums_and_distinct_lines_are_those_of_a_map(
            records in prop::collection::vec(("[ab\u{e9}]{0,3}", -50_i64..50), 0..200),
            memory in prop_oneof![1_usize..300, 100_000..100_001_usize],
        ) {
            let lines: Vec<_> = records.iter().map(|(key, value)| format!("{key}\t{value}")).collect();
            let mut counts = BTreeMap::<&str, u64>::new();
            let mut sums = BTreeMap::<&str, i64>::new();
            for (key, value) in &records {
                *counts.entry(key).or_default() += 1;
                *sums.entry(key).or_default() += value;
            }
            let counts: Vec<_> = counts.iter().map(|(key, count)| format!("{key}\t{count}")).collect();
            let sums: Vec<_> = sums.iter().map(|(key, sum)| format!("{key}\t{sum}")).collect();
            let distinct: BTreeSet<_> = lines.iter().cloned().collect();
            prop_assert_eq!(combined(&lines, Combine::Count, memory).expect("counted"), counts);
            prop_assert_eq!(combined(&lines, Combine::Sum, memory).expect("added"), sums);
            prop_assert_eq!(
                combined(&lines, Combine::Distinct, memory).expect("made distinct"),
                distinct.into_iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_record_without_a_number_is_named() {
        for record in ["a", "a\tx"] {
            let error = combined(&[record.to_owned()], Combine::Sum, 1000).expect_err("no number");
            assert!(
                error.to_string().contains(&format!("{record:?}")),
                "{error}"
            );
        }
    }
}
