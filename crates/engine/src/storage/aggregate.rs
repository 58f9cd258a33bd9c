//! Several measures of the records of a key, in one pass.
//!
//! Responsible for what is kept of a key while its records arrive, and for what that
//! comes to. Sums and counts are exact, so nothing depends on the order of records. What
//! is to be counted once travels as a record of its own, beside the numbers of its key,
//! and is one with its like wherever both meet: no set of values has to fit anywhere.
//!
//! ```text
//! key<TAB>number<TAB>number...        what is known of the key so far
//! key<TAB>\x01 I<TAB>text             the text is in the I-th field that is counted
//! ```

use std::io::Write;

use memchr::memchr;

use super::number::{NotExact, Number};
use super::numbers::Numbers;
use super::sorter::Sorted;
use super::value::{no_number_in, shown, too_large};
use crate::plan::measure::{Aggregate, Measures};
use crate::task::{CHUNK, Records, TaskContext, TaskError, key_of};

/// What a record begins with, behind its key, that says which text there is.
const SEEN: u8 = 1;

/// How a cell takes in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Count,
    Sum,
    Min,
    Max,
}

/// What is kept of a key: a number for each cell, and, at the end, how many texts each
/// field that is counted has.
pub(super) struct Layout {
    measures: Measures,
    /// By field, so that a record is gone through once.
    cells: Vec<(u32, Rule)>,
    /// Fields of which texts are counted, ascending.
    counted: Vec<u32>,
}

impl Layout {
    pub(super) fn of(measures: Measures) -> Self {
        let mut cells = Vec::new();
        let mut counted = Vec::new();
        for measure in measures.all() {
            let field = measure.field;
            match measure.what {
                // It needs no field.
                Aggregate::Count => cells.push((0, Rule::Count)),
                Aggregate::Sum => cells.push((field, Rule::Sum)),
                Aggregate::Min => cells.push((field, Rule::Min)),
                Aggregate::Max => cells.push((field, Rule::Max)),
                Aggregate::Mean => cells.extend([(0, Rule::Count), (field, Rule::Sum)]),
                Aggregate::CountDistinct => counted.push(field),
            }
        }
        cells.sort_unstable();
        cells.dedup();
        counted.sort_unstable();
        counted.dedup();
        Self {
            measures,
            cells,
            counted,
        }
    }

    /// Numbers that are kept of a key.
    pub(super) fn width(&self) -> usize {
        self.cells.len() + self.counted.len()
    }

    /// Of which texts are counted.
    pub(super) fn counted(&self) -> &[u32] {
        &self.counted
    }

    /// What a record of the input adds to the row that begins at `row`; the first of its
    /// key replaces it.
    pub(super) fn take(
        &self,
        (record, key): (&[u8], usize),
        numbers: &mut Numbers,
        row: usize,
        is_first: bool,
    ) -> Result<(), TaskError> {
        let mut fields = Fields::of(record, key);
        let mut last = (0, Number::whole(1));
        for (at, (field, rule)) in self.cells.iter().enumerate() {
            if *field != last.0 {
                let number = fields.number(*field);
                let number = number.map_err(|why| no_number_in(record, *field, why))?;
                last = (*field, number);
            }
            let at = row + at;
            let number = if is_first {
                last.1
            } else {
                let number = merged(*rule, numbers.get(at), last.1);
                number.ok_or_else(|| too_large(&record[..key]))?
            };
            numbers.set(at, number);
        }
        Ok(())
    }

    /// What a record adds that was made of others, to the row that begins at `row`.
    pub(super) fn take_partial(
        &self,
        record: &[u8],
        numbers: &mut Numbers,
        row: usize,
        is_first: bool,
    ) -> Result<(), TaskError> {
        let key = key_of(record);
        let mut rest = record.get(key.len() + 1..).unwrap_or_default();
        for (at, (_, rule)) in self.cells.iter().enumerate() {
            let end = memchr(b'\t', rest).unwrap_or(rest.len());
            let number = Number::read(&rest[..end]).map_err(|_| {
                let shown = shown(record);
                TaskError::Failed(format!("record {shown:?} is no part of an aggregate"))
            })?;
            rest = rest.get(end + 1..).unwrap_or_default();
            let at = row + at;
            let number = if is_first {
                number
            } else {
                merged(*rule, numbers.get(at), number).ok_or_else(|| too_large(key))?
            };
            numbers.set(at, number);
        }
        Ok(())
    }

    /// What is known of a key so far, as a record.
    pub(super) fn write_partial(
        &self,
        record: &mut Vec<u8>,
        key: &[u8],
        numbers: &Numbers,
        row: usize,
    ) {
        record.extend_from_slice(key);
        for at in 0..self.cells.len() {
            record.push(b'\t');
            numbers.get(row + at).push_to(record);
        }
        if self.cells.is_empty() {
            // It has to stand for its key all the same.
            record.push(b'\t');
        }
    }

    /// What all that is known of a key comes to.
    pub(super) fn write(&self, record: &mut Vec<u8>, key: &[u8], numbers: &Numbers, row: usize) {
        record.extend_from_slice(key);
        let number = |field: u32, rule: Rule| {
            let at = self.cells.binary_search(&(field, rule));
            at.map_or_else(|_| Number::default(), |at| numbers.get(row + at))
        };
        for measure in self.measures.all() {
            record.push(b'\t');
            let field = measure.field;
            match measure.what {
                Aggregate::Count => number(0, Rule::Count).push_to(record),
                Aggregate::Sum => number(field, Rule::Sum).push_to(record),
                Aggregate::Min => number(field, Rule::Min).push_to(record),
                Aggregate::Max => number(field, Rule::Max).push_to(record),
                Aggregate::Mean => {
                    let sum = number(field, Rule::Sum).as_float();
                    let mean = sum / number(0, Rule::Count).as_float();
                    // Writing to memory cannot fail.
                    drop(write!(record, "{mean}"));
                }
                Aggregate::CountDistinct => {
                    let at = self.counted.binary_search(&field).unwrap_or_default();
                    numbers.get(row + self.cells.len() + at).push_to(record);
                }
            }
        }
    }

    /// One more text of the field that is counted at this place.
    pub(super) fn count_text(&self, numbers: &mut Numbers, row: usize, at: usize) {
        let at = row + self.cells.len() + at;
        if let Some(more) = numbers.get(at).plus(Number::whole(1)) {
            numbers.set(at, more);
        }
    }
}

fn merged(rule: Rule, a: Number, b: Number) -> Option<Number> {
    match rule {
        Rule::Count | Rule::Sum => a.plus(b),
        Rule::Min => Some(if b.is_less(a) { b } else { a }),
        Rule::Max => Some(if a.is_less(b) { b } else { a }),
    }
}

/// The fields of a record, gone through from left to right.
pub(super) struct Fields<'a> {
    first: &'a [u8],
    rest: Option<&'a [u8]>,
    /// The field that `rest` begins with.
    at: u32,
}

impl<'a> Fields<'a> {
    /// Of a record whose key, which is its first field, is so long.
    pub(super) fn of(record: &'a [u8], key: usize) -> Self {
        Self {
            first: &record[..key],
            rest: record.get(key + 1..),
            at: 2,
        }
    }

    /// The number in a field at or behind the one that was asked for last; why it is
    /// none, if it is there.
    fn number(&mut self, field: u32) -> Result<Number, Option<NotExact>> {
        if field == self.at
            && let Some(rest) = self.rest
            && let Some((short, _)) = Number::read_short(rest)
        {
            return Ok(short);
        }
        let text = self.seek(field).ok_or(None)?;
        Number::read(text).map_err(Some)
    }

    /// A field at or behind the one that was asked for last, if it is there.
    pub(super) fn seek(&mut self, field: u32) -> Option<&'a [u8]> {
        if field == 1 {
            return Some(self.first);
        }
        while self.at < field {
            let rest = self.rest?;
            self.rest = memchr(b'\t', rest).map(|tab| &rest[tab + 1..]);
            self.at += 1;
        }
        let rest = self.rest?;
        let end = memchr(b'\t', rest).unwrap_or(rest.len());
        Some(&rest[..end])
    }
}

/// The record that says that a key has a text.
pub(super) fn write_seen(seen: &mut Vec<u8>, key: &[u8], at: usize, text: &[u8]) {
    seen.clear();
    seen.extend_from_slice(key);
    seen.extend_from_slice(&[b'\t', SEEN, b'0' + at as u8, b'\t']);
    seen.extend_from_slice(text);
}

/// The place among the fields that are counted, if a record says that there is a text.
pub(super) fn seen_at(record: &[u8]) -> Option<usize> {
    match record.get(key_of(record).len() + 1..)? {
        [SEEN, at, b'\t', ..] => Some(usize::from(at.wrapping_sub(b'0'))),
        _ => None,
    }
}

/// What sorted records of all keys come to.
pub(super) struct InKeys {
    layout: Layout,
    sorted: Sorted,
    /// The key that is being put together, and what is known of it.
    key: Option<Vec<u8>>,
    row: Numbers,
    has_numbers: bool,
    /// The last record that said of a text.
    seen: Vec<u8>,
    context: TaskContext,
}

impl InKeys {
    pub(super) fn new(measures: Measures, sorted: Sorted, context: TaskContext) -> Self {
        let layout = Layout::of(measures);
        Self {
            row: Numbers::zeros(layout.width()),
            layout,
            sorted,
            key: None,
            has_numbers: false,
            seen: Vec::new(),
            context,
        }
    }

    fn end_key(&mut self, chunk: &mut Vec<u8>) {
        if let Some(key) = &self.key {
            self.layout.write(chunk, key, &self.row, 0);
            chunk.push(b'\n');
        }
        self.row.zero();
        self.has_numbers = false;
        self.seen.clear();
    }
}

impl Records for InKeys {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        self.context.cancel.check()?;
        let mut record = Vec::new();
        while chunk.len() < CHUNK {
            record.clear();
            let Some(next) = self.sorted.next_record()? else {
                self.end_key(chunk);
                self.key = None;
                break;
            };
            record.extend_from_slice(next);
            let key = key_of(&record);
            if self.key.as_deref() != Some(key) {
                self.end_key(chunk);
                self.key = Some(key.to_vec());
            }
            match seen_at(&record) {
                // What is equal stands together.
                Some(_) if self.seen == record => {}
                Some(at) if at < self.layout.counted.len() => {
                    self.layout.count_text(&mut self.row, 0, at);
                    std::mem::swap(&mut self.seen, &mut record);
                }
                _ => {
                    let is_first = !std::mem::replace(&mut self.has_numbers, true);
                    self.layout
                        .take_partial(&record, &mut self.row, 0, is_first)?;
                }
            }
        }
        Ok(!chunk.is_empty())
    }
}
