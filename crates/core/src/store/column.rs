//! Numbers and names by the million, in little room. Pure.
//!
//! Responsible for the columns that [attempts](super::attempts) are made of, for texts
//! that come again and again, and for sets of small numbers. Knows nothing of tasks.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::cells::{Cells, ROWS};

/// A number for each row, in as few bytes as the largest of a thousand takes; nothing at
/// all where every one is 0. Rows are set in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column(Vec<Cells>);

impl Column {
    /// The number of a row; 0 if none was set.
    pub fn get(&self, row: u32) -> u64 {
        let (chunk, at) = place(row);
        self.0.get(chunk).map_or(0, |it| it.get(at))
    }

    /// The numbers of rows, in their order. Faster than one after the other where rows that
    /// follow each other are near each other.
    pub fn all(&self, rows: &[u32]) -> Vec<u64> {
        let mut all = Vec::with_capacity(rows.len());
        for near in rows.chunk_by(|one, other| place(*one).0 == place(*other).0) {
            let cells = near.first().and_then(|row| self.0.get(place(*row).0));
            let places = near.iter().map(|row| place(*row).1);
            cells.unwrap_or(&Cells::Zeros).extend(places, &mut all);
        }
        all
    }

    /// Sets the number of a row.
    pub fn set(&mut self, row: u32, value: u64) {
        let (chunk, at) = place(row);
        if chunk >= self.0.len() {
            if value == 0 {
                return;
            }
            self.0.resize(chunk + 1, Cells::Zeros);
        }
        self.0[chunk].set(at, value);
    }
}

/// The chunk of a row, and its place there.
const fn place(row: u32) -> (usize, usize) {
    (row as usize / ROWS, row as usize % ROWS)
}

/// A number for each row, which comes when the row does, and is near the last ones or
/// counts on from them: what is kept is how far it is from that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    chunks: Vec<Chunk>,
    len: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chunk {
    first: u64,
    /// 1 if they count on, as far as the first two tell.
    step: u64,
    /// How far each is from where it would be.
    off: Cells,
}

impl Chunk {
    const fn expected(&self, at: usize) -> u64 {
        self.first.wrapping_add(self.step * at as u64)
    }
}

impl Sequence {
    /// How many rows there are.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a row. There are less than `u32::MAX`.
    pub fn push(&mut self, value: u64) {
        let (_, at) = place(self.len);
        self.len += 1;
        if at == 0 {
            self.chunks.push(Chunk {
                first: value,
                step: 0,
                off: Cells::Zeros,
            });
            return;
        }
        if let Some(chunk) = self.chunks.last_mut() {
            if at == 1 {
                chunk.step = u64::from(value == chunk.first.wrapping_add(1));
            }
            let off = value.wrapping_sub(chunk.expected(at));
            chunk.off.set(at, folded(off));
        }
    }

    /// The number of a row, which is there.
    pub fn get(&self, row: u32) -> u64 {
        let (chunk, at) = place(row);
        let chunk = &self.chunks[chunk];
        let off = unfolded(chunk.off.get(at));
        chunk.expected(at).wrapping_add(off)
    }
}

/// What is a little more or less than 0, as a small number.
const fn folded(off: u64) -> u64 {
    (off << 1) ^ (off as i64 >> 63) as u64
}

const fn unfolded(folded: u64) -> u64 {
    (folded >> 1) ^ (folded & 1).wrapping_neg()
}

/// A text in a [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(pub u32);

/// Texts, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    texts: Vec<Arc<str>>,
    places: FxHashMap<Arc<str>, u32>,
}

impl Names {
    /// The name of a text, which is kept.
    pub fn of(&mut self, text: &str) -> Name {
        if let Some(place) = self.places.get(text) {
            return Name(*place);
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.places.insert(text, place);
        Name(place)
    }

    /// Its name if it has one.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.places.get(text).map(|place| Name(*place))
    }

    /// The text of a name.
    pub fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |it| it)
    }

    /// All texts, in the order in which they came.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.texts.iter().map(|it| &**it)
    }
}

/// What is below this has a bit of its own; what a broken log says beyond it must not
/// take memory in proportion to the number.
const BITS: u32 = 1 << 24;

/// A set of numbers, made for those that count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    words: Vec<u64>,
    far: BTreeSet<u32>,
    len: u32,
}

impl Seen {
    /// Adds a number.
    pub fn insert(&mut self, number: u32) {
        let is_new = if number < BITS {
            let (word, bit) = (number as usize / 64, 1_u64 << (number % 64));
            if word >= self.words.len() {
                self.words.resize(word + 1, 0);
            }
            let is_new = self.words[word] & bit == 0;
            self.words[word] |= bit;
            is_new
        } else {
            self.far.insert(number)
        };
        self.len += u32::from(is_new);
    }

    /// Whether a number is there.
    pub fn contains(&self, number: u32) -> bool {
        if number >= BITS {
            return self.far.contains(&number);
        }
        let word = self.words.get(number as usize / 64);
        word.is_some_and(|it| it & (1 << (number % 64)) != 0)
    }

    /// How many there are.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A set of numbers of any size, made for those that count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    near: Seen,
    far: BTreeSet<u64>,
}

impl Known {
    /// Adds a number.
    pub fn insert(&mut self, number: u64) {
        match u32::try_from(number) {
            Ok(near) => self.near.insert(near),
            Err(_) => {
                self.far.insert(number);
            }
        }
    }

    /// Whether a number is there.
    pub fn contains(&self, number: u64) -> bool {
        match u32::try_from(number) {
            Ok(near) => self.near.contains(near),
            Err(_) => self.far.contains(&number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_takes_no_room_for_zeros_and_any_number() {
        let mut column = Column::default();
        column.set(1_000_000, 0);
        assert_eq!(column, Column::default());
        for (row, value) in [(3, 7), (2, u64::MAX), (5000, 3), (3, 8), (2, 0)] {
            column.set(row, value);
            assert_eq!(column.get(row), value);
        }
        assert_eq!((column.get(4), column.get(1_000_000)), (0, 0));
        let all = column.all(&[5000, 2, 3, 4, 1_000_000]);
        assert_eq!(all, [3, 0, 8, 0, 0]);
    }

    #[test]
    fn a_sequence_has_what_came_whatever_it_is_and_counting_on_takes_no_room() {
        let numbers = (0..3000).map(|it| 7 + it);
        let odd = [u64::MAX, 0, 1 << 40, 5, 4, 3];
        let all: Vec<u64> = numbers.chain(odd.into_iter().cycle().take(3000)).collect();
        let mut sequence = Sequence::default();
        for it in &all {
            sequence.push(*it);
        }
        let found: Vec<_> = (0..sequence.len()).map(|it| sequence.get(it)).collect();
        assert_eq!(found, all);
        assert!(sequence.chunks[..2].iter().all(|it| it.off == Cells::Zeros));
    }

    #[test]
    fn names_are_the_same_for_the_same_text() {
        let mut names = Names::default();
        let (a, b) = (names.of("a"), names.of("b"));
        assert_eq!(
            (names.of("a"), names.find("b"), names.find("c")),
            (a, Some(b), None)
        );
        assert_eq!((names.text(b), names.text(Name(9))), ("b", ""));
    }

    #[test]
    fn a_set_counts_each_number_once_however_large() {
        let mut seen = Seen::default();
        for number in [0, 63, 64, 0, u32::MAX, u32::MAX, BITS] {
            seen.insert(number);
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.words.len() < 10);
    }
}
