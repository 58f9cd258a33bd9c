//! Short lines that are to be made distinct.
//!
//! Responsible for those of at most [`LONGEST`] bytes, where most lines differ: in a
//! table each would be a wait for memory. Here a line is one number; they are
//! gathered as they come, and sorted when there is no room for more, which brings
//! equal ones together. Longer lines are in a [`Table`](super::table::Table).

use std::mem::size_of;

use crate::task::memory::Held;
use crate::task::{CHUNK, Records, TaskError, lines};

/// So long lines are short.
const LONGEST: usize = size_of::<u128>() - 1;

/// Fewer lines than this are not worth being sorted to make room.
const LEAST: usize = 1 << 16;

/// See the module.
pub struct ShortLines {
    /// Lines as they came, after some that are in order and all different.
    packed: Vec<u128>,
    held: Held,
}

/// A line as a number: its first byte highest, its length lowest. Numbers are
/// ordered as the lines are.
fn pack(line: &[u8]) -> u128 {
    let mut bytes = [0; size_of::<u128>()];
    bytes[..line.len()].copy_from_slice(line);
    bytes[LONGEST] = line.len() as u8;
    u128::from_be_bytes(bytes)
}

/// Calls `take` with the line that a number is.
fn unpacked<T>(packed: u128, take: impl FnOnce(&[u8]) -> T) -> T {
    let bytes = packed.to_be_bytes();
    take(&bytes[..usize::from(bytes[LONGEST])])
}

impl ShortLines {
    /// None yet, with memory to come from this.
    pub const fn new(held: Held) -> Self {
        Self {
            packed: Vec::new(),
            held,
        }
    }

    /// Makes room for so many more lines. False if memory does not suffice: then
    /// those that there are have to go first.
    pub fn reserve(&mut self, more: usize) -> bool {
        if self.packed.capacity() - self.packed.len() >= more {
            return true;
        }
        if self.packed.len() >= LEAST {
            self.make_different();
            // Half of it is to be free, or it would be sorted for every few lines.
            if self.packed.capacity() / 2 >= self.packed.len() + more {
                return true;
            }
        }
        let capacity = (self.packed.len() + more)
            .next_power_of_two()
            .max(2 * self.packed.len());
        // To grow, it needs the old and the new memory at once.
        let needed = (self.packed.capacity() + capacity) * size_of::<u128>();
        if !self.held.want(needed) {
            return false;
        }
        self.packed.reserve_exact(capacity - self.packed.len());
        self.held
            .shrink_to(self.packed.capacity() * size_of::<u128>());
        true
    }

    /// Makes room for so many, where there is none yet.
    ///
    /// # Errors
    /// They alone are more than there is memory for.
    pub fn need(&mut self, more: usize) -> Result<(), TaskError> {
        self.held.need(more * size_of::<u128>())?;
        self.packed.reserve_exact(more);
        Ok(())
    }

    /// Takes in the short lines of a chunk, for which there is room; the others are
    /// put into `rest`.
    pub fn take_from(&mut self, chunk: &[u8], rest: &mut Vec<u8>) {
        rest.clear();
        for line in lines(chunk) {
            if line.len() <= LONGEST {
                self.packed.push(pack(line));
            } else {
                rest.extend_from_slice(line);
                rest.push(b'\n');
            }
        }
    }

    /// Those that are equal become one; all are in order then.
    fn make_different(&mut self) {
        self.packed.sort_unstable();
        self.packed.dedup();
    }

    /// Hands all lines to `take`, and is empty.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn drain(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        self.make_different();
        let packed = std::mem::take(&mut self.packed);
        let done = packed.iter().try_for_each(|it| unpacked(*it, &mut take));
        drop(packed);
        self.held.shrink_to(0);
        done
    }
}

/// Short lines and longer ones, all distinct, in the order of lines.
pub struct Merged<R> {
    short: ShortLines,
    /// So many of them have been given out.
    given: usize,
    longer: R,
    /// A chunk of the longer ones, and where its rest begins.
    waiting: Vec<u8>,
    at: usize,
}

impl<R: Records> Merged<R> {
    /// Of lines in any order, and longer ones that are in order.
    pub fn new(mut short: ShortLines, longer: R) -> Self {
        short.make_different();
        Self {
            short,
            given: 0,
            longer,
            waiting: Vec::new(),
            at: 0,
        }
    }

    /// Appends short lines before `bound`, or all without one, until `chunk` is full.
    fn append_until(&mut self, bound: Option<&[u8]>, chunk: &mut Vec<u8>) {
        while chunk.len() < CHUNK
            && let Some(packed) = self.short.packed.get(self.given)
        {
            let is_before = unpacked(*packed, |line| {
                let is_before = bound.is_none_or(|bound| line < bound);
                if is_before {
                    chunk.extend_from_slice(line);
                    chunk.push(b'\n');
                }
                is_before
            });
            if !is_before {
                return;
            }
            self.given += 1;
        }
    }
}

impl<R: Records> Records for Merged<R> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.len() < CHUNK {
            if self.at == self.waiting.len() {
                self.at = 0;
                self.longer.next(&mut self.waiting)?;
            }
            let waiting = std::mem::take(&mut self.waiting);
            let longer = lines(&waiting[self.at..]).next();
            self.append_until(longer, chunk);
            let is_full = chunk.len() >= CHUNK;
            if let Some(line) = longer
                && !is_full
            {
                chunk.extend_from_slice(line);
                chunk.push(b'\n');
                self.at += line.len() + 1;
            }
            let is_end = longer.is_none();
            self.waiting = waiting;
            if is_end {
                break;
            }
        }
        Ok(!chunk.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_ordered_as_their_numbers(
            a in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..=LONGEST),
            b in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..=LONGEST),
        ) {
            prop_assert_eq!(pack(&a).cmp(&pack(&b)), a.cmp(&b));
            prop_assert_eq!(unpacked(pack(&a), <[u8]>::to_vec), a);
        }
    }
}
