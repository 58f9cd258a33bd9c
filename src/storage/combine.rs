//! Making the records of a key one.
//!
//! Responsible for the reduce side of counting, adding and making distinct: a
//! table by key within the task's memory, and, if that does not suffice, sorted
//! runs whose neighbours are combined. Either way the records come out ordered
//! by key, so that equal inputs give equal outputs.

use super::sorter::{Sorted, Sorter};
use super::table::Table;
use super::value::{Side, Value, read, too_large, write_record};
use crate::plan::operation::{Combine, SortBy, SortOrder};
use crate::task::{CHUNK, Records, TaskContext, TaskError};

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
pub fn combine(
    mut records: impl Records,
    combine: Combine,
    context: &TaskContext,
) -> Result<Box<dyn Records>, TaskError> {
    // Table and sorter share the task's memory.
    let half = TaskContext {
        memory: context.memory / 2,
        ..context.clone()
    };
    let mut table = Table::new(combine, Side::Reduce, &half);
    let mut sorter: Option<Sorter> = None;
    let mut chunk = Vec::new();
    while records.next(&mut chunk)? {
        context.cancel.check()?;
        if table.is_full() {
            let sorter = sorter.get_or_insert_with(|| Sorter::new(order_of(combine), &half));
            table.drain(|_, record| sorter.push(record))?;
        }
        table.add(&chunk)?;
    }
    drop(records);
    let Some(mut sorter) = sorter else {
        return Ok(Box::new(table.into_sorted()));
    };
    table.drain(|_, record| sorter.push(record))?;
    drop(table);
    Ok(Box::new(Neighbours {
        combine,
        sorted: sorter.finish()?,
        waiting: None,
        context: half,
    }))
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
        while chunk.len() < CHUNK {
            let Some(record) = self.sorted.next_record()? else {
                if let Some((key, value)) = self.waiting.take() {
                    write_record(chunk, &key, value);
                    chunk.push(b'\n');
                }
                break;
            };
            let (key, value) = read(self.combine, Side::Reduce, record)?;
            match &mut self.waiting {
                Some((last, so_far)) if last == key => {
                    *so_far = so_far.plus(value).ok_or_else(|| too_large(key))?;
                }
                Some((last, so_far)) => {
                    write_record(chunk, last, *so_far);
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
            map.add(format!("{record}\n").as_bytes())?;
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
