//! Making the records of a key one.
//!
//! Responsible for the reduce side of counting, adding and making distinct: a
//! table by key within the task's memory (for short lines that are to be distinct,
//! numbers that are sorted), and, if that does not suffice, sorted
//! runs whose neighbours are combined. Either way the records come out ordered
//! by key, so that equal inputs give equal outputs.

use memchr::memchr_iter;

use super::aggregate::InKeys;
use super::short::{self, ShortLines};
use super::sorter::{Sorted, Sorter};
use super::table::Table;
use super::value::{Side, Value, read, too_large, write_record};
use crate::plan::operation::{Combine, SortBy, SortOrder};
use crate::task::{CHUNK, Records, TaskContext, TaskError};

/// The order in which combined records come out.
fn order_of(combine: Combine) -> SortOrder {
    SortOrder {
        by: match combine {
            Combine::Count | Combine::Sum | Combine::Aggregate(_) => SortBy::Key,
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
    // Table, sorter and short lines share the task's memory.
    let holders = if combine == Combine::Distinct { 3 } else { 2 };
    let part = TaskContext {
        memory: context.memory.part(holders),
        ..context.clone()
    };
    let mut table = Table::new(combine, Side::Reduce, &part);
    let mut short = (combine == Combine::Distinct).then(|| ShortLines::new(part.memory.hold()));
    let mut sorter: Option<Sorter> = None;
    let (mut chunk, mut rest) = (Vec::new(), Vec::new());
    while records.next(&mut chunk)? {
        context.cancel.check()?;
        if let Some(short) = &mut short {
            let count = memchr_iter(b'\n', &chunk).count();
            if !short.reserve(count) {
                let sorter = sorter.get_or_insert_with(|| Sorter::new(order_of(combine), &part));
                short.drain(|line| sorter.push(line))?;
                short.need(count)?;
            }
            short.take_from(&chunk, &mut rest);
            std::mem::swap(&mut chunk, &mut rest);
            if chunk.is_empty() {
                continue;
            }
        }
        if table.is_full_for(&chunk) {
            let sorter = sorter.get_or_insert_with(|| Sorter::new(order_of(combine), &part));
            table.drain(|_, record| sorter.push(record))?;
        }
        table.make_room_for(&chunk)?;
        table.add(&chunk)?;
    }
    drop(records);
    if sorter.is_none() && table.has_room_to_sort() {
        let sorted = table.into_sorted();
        return Ok(match short {
            Some(short) => Box::new(short::Merged::new(short, sorted)),
            None => Box::new(sorted),
        });
    }
    let mut sorter = sorter.unwrap_or_else(|| Sorter::new(order_of(combine), &part));
    if let Some(mut short) = short {
        short.drain(|line| sorter.push(line))?;
    }
    table.drain(|_, record| sorter.push(record))?;
    drop(table);
    let sorted = sorter.finish()?;
    if let Combine::Aggregate(measures) = combine {
        return Ok(Box::new(InKeys::new(measures, sorted, part)));
    }
    Ok(Box::new(Neighbours {
        combine,
        sorted,
        waiting: None,
        context: part,
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
    use crate::plan::measure::{Aggregate, Measure, Measures};
    use crate::task::memory::Share;
    use crate::task::{all_lines, test_context, test_records};

    fn combined(records: &[String], how: Combine, memory: usize) -> Result<Vec<String>, TaskError> {
        let folder = tempfile::tempdir().expect("a folder");
        let context = TaskContext {
            memory: Share::for_tests(memory),
            ..test_context(folder.path())
        };
        let mut map = Table::new(how, Side::Map, &context);
        let mut partial = Vec::new();
        for record in records {
            let chunk = format!("{record}\n");
            if map.is_full_for(chunk.as_bytes()) {
                map.drain(|_, record| {
                    partial.push(String::from_utf8_lossy(record).into_owned());
                    Ok(())
                })?;
            }
            map.add(chunk.as_bytes())?;
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
            records in prop::collection::vec(("[ab\u{e9}]{0,3}(long{9})?", -50_i64..50), 0..200),
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

    fn measures(all: &[(Aggregate, u32)]) -> Combine {
        let all: Vec<_> = all
            .iter()
            .map(|(what, field)| Measure {
                what: *what,
                field: *field,
            })
            .collect();
        Combine::Aggregate(Measures::new(&all).expect("some"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn measures_of_a_key_are_those_of_its_records(
            records in prop::collection::vec(("[ab\u{1}]{0,3}(long{9})?", -50_i32..50, "[xy]{0,2}"), 0..200),
            memory in prop_oneof![1_usize..300, 100_000..100_001_usize],
        ) {
            let lines: Vec<_> = records
                .iter()
                .map(|(key, number, text)| format!("{key}\t{text}\t{number}\t{text}{number}"))
                .collect();
            let mut by_key = BTreeMap::<&str, Vec<(i32, &str)>>::new();
            for (key, number, text) in &records {
                by_key.entry(key).or_default().push((*number, text));
            }
            let wanted: Vec<_> = by_key
                .iter()
                .map(|(key, all)| {
                    let numbers = || all.iter().map(|it| it.0);
                    let (sum, count) = (numbers().sum::<i32>(), all.len());
                    let mean = f64::from(sum) / count as f64;
                    let (min, max) = (numbers().min().expect("some"), numbers().max().expect("some"));
                    let texts = all.iter().map(|it| it.1).collect::<BTreeSet<_>>().len();
                    let both = all.iter().collect::<BTreeSet<_>>().len();
                    format!("{key}\t{texts}\t{max}\t{count}\t{mean}\t{both}\t{sum}\t{min}")
                })
                .collect();
            let how = measures(&[
                (Aggregate::CountDistinct, 2),
                (Aggregate::Max, 3),
                (Aggregate::Count, 2),
                (Aggregate::Mean, 3),
                (Aggregate::CountDistinct, 4),
                (Aggregate::Sum, 3),
                (Aggregate::Min, 3),
            ]);
            prop_assert_eq!(combined(&lines, how, memory).expect("measured"), wanted);
            let texts: Vec<_> = by_key
                .iter()
                .map(|(key, all)| {
                    let texts = all.iter().map(|it| it.1).collect::<BTreeSet<_>>().len();
                    format!("{key}\t{texts}")
                })
                .collect();
            let how = measures(&[(Aggregate::CountDistinct, 2)]);
            prop_assert_eq!(combined(&lines, how, memory).expect("counted"), texts);
        }
    }

    #[test]
    fn a_field_that_cannot_be_measured_is_named() {
        let told = |record: &str, what| {
            let how = measures(&[(what, 3)]);
            let error = combined(&[record.to_owned()], how, 100_000).expect_err("not measured");
            error.to_string()
        };
        let error = told("a\t1", Aggregate::Max);
        assert!(error.contains("\"a\\t1\" has no field 3"), "{error}");
        let error = told("a\t1", Aggregate::CountDistinct);
        assert!(error.contains("has no field 3"), "{error}");
        let error = told("a\t1\tx\t2", Aggregate::Mean);
        assert!(error.contains("field 3 of record"), "{error}");
        assert!(error.contains("is no number"), "{error}");
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
