//! Several measures by key, in the table.
//!
//! Responsible for the rows of numbers of keys and for texts that are counted once. What
//! the numbers are is the [`Layout`]'s. A key of which there is no number is a key with
//! such a text.

use std::hash::BuildHasher;

use memchr::memchr;
use rustc_hash::FxBuildHasher;

use super::super::aggregate::{Fields, Layout, seen_at, write_seen};
use super::super::value::no_number_in;
use super::{SHORT, Sought, Table, hash_short, place_of};
use crate::task::{TaskError, key_of};

/// So many records are looked up before the first of them is taken in: the waits for
/// memory of one are over when those of the next begin.
const BATCH: usize = 64;

/// A record of a batch.
#[derive(Clone, Copy, Default)]
struct Found {
    start: usize,
    /// Of its key.
    length: usize,
    end: usize,
    row: usize,
    is_first: bool,
}

impl Table {
    /// Takes records of the input into the rows of their keys, and their texts that are
    /// counted; says how many they were.
    pub(super) fn measure(&mut self, layout: &Layout, chunk: &[u8]) -> Result<u64, TaskError> {
        let mut batch = [Found::default(); BATCH];
        let mut waiting = 0;
        let records = self.add_each(chunk, |table, start, end| {
            let length = memchr(b'\t', &chunk[start..end]).unwrap_or(end - start);
            let (row, is_first) = table.row(layout, chunk, (start, start + length))?;
            batch[waiting] = Found {
                start,
                length,
                end,
                row,
                is_first,
            };
            waiting += 1;
            if waiting == BATCH {
                waiting = 0;
                table.take_in(layout, chunk, &batch)?;
            }
            Ok(())
        })?;
        self.take_in(layout, chunk, &batch[..waiting])?;
        Ok(records)
    }

    fn take_in(&mut self, layout: &Layout, chunk: &[u8], batch: &[Found]) -> Result<(), TaskError> {
        self.sums
            .touch(batch.iter().map(|it| it.row), layout.width());
        for it in batch {
            let record = (&chunk[it.start..it.end], it.length);
            layout.take(record, &mut self.sums, it.row, it.is_first)?;
        }
        if layout.counted().is_empty() {
            return Ok(());
        }
        let mut seen = std::mem::take(&mut self.seen);
        for it in batch {
            let record = &chunk[it.start..it.end];
            let mut fields = Fields::of(record, it.length);
            for (at, field) in layout.counted().iter().enumerate() {
                let text = fields.seek(*field);
                let text = text.ok_or_else(|| no_number_in(record, *field, None))?;
                write_seen(&mut seen, &record[..it.length], at, text);
                self.see(&seen)?;
            }
        }
        self.seen = seen;
        Ok(())
    }

    /// Takes in what was made of records.
    pub(super) fn measure_partial(
        &mut self,
        layout: &Layout,
        record: &[u8],
    ) -> Result<(), TaskError> {
        if seen_at(record).is_some() {
            return self.see(record);
        }
        let (row, is_first) = self.row(layout, record, (0, key_of(record).len()))?;
        layout.take_partial(record, &mut self.sums, row, is_first)
    }

    fn see(&mut self, chunk: &[u8]) -> Result<(), TaskError> {
        let (start, end) = (0, chunk.len());
        self.value_of(&Sought { chunk, start, end }).map(drop)
    }

    /// Where the row of a key begins, and whether it is new.
    fn row(
        &mut self,
        layout: &Layout,
        chunk: &[u8],
        (start, end): (usize, usize),
    ) -> Result<(usize, bool), TaskError> {
        let next = self.sums.len() as u64;
        let value = self.value_of(&Sought { chunk, start, end })?;
        let is_first = *value == 0;
        if is_first {
            *value = next + 1;
        }
        let at = place_of(*value);
        if is_first {
            self.sums.grow_to(at + layout.width());
        }
        Ok((at, is_first))
    }

    /// Counts the texts of each key, of which only the number is kept.
    pub(super) fn count_texts(&mut self) {
        let Some(layout) = self.layout.as_ref().filter(|it| !it.counted().is_empty()) else {
            return;
        };
        let (entries, keys) = (&self.entries, &self.keys);
        for entry in entries.iter().filter(|entry| entry.value == 0) {
            let mut short = [0; SHORT];
            let seen = entry.key(keys, &mut short);
            let (Some(at), key) = (seen_at(seen), key_of(seen)) else {
                continue;
            };
            let sought = Sought {
                chunk: key,
                start: 0,
                end: key.len(),
            };
            let found = match sought.short() {
                Some(short) => entries.find(hash_short(short, key.len()), |it| {
                    it.key == short && it.length() == key.len()
                }),
                None => entries.find(FxBuildHasher.hash_one(key), |it| {
                    it.length() == key.len() && it.key(keys, &mut [0; SHORT]) == key
                }),
            };
            if let Some(found) = found.filter(|it| it.value > 0) {
                layout.count_text(&mut self.sums, place_of(found.value), at);
            }
        }
        self.entries.retain(|entry| entry.value > 0);
    }
}
