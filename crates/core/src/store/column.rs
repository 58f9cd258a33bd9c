//! Numbers and names by the million, in little room. Pure.
//!
//! Responsible for the columns that [attempts](super::attempts) are made of, for texts
//! that come again and again, and for sets of small numbers. Knows nothing of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// The value in a cell that says: too large for it, look beside.
const BESIDE: u32 = u32::MAX;

/// A number for each row: four bytes, and nothing at all as long as every one is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    cells: Vec<u32>,
    large: BTreeMap<u32, u64>,
}

impl Column {
    /// The number of a row; 0 if none was set.
    pub fn get(&self, row: u32) -> u64 {
        match self.cells.get(row as usize) {
            None => 0,
            Some(&BESIDE) => self.large.get(&row).copied().unwrap_or(0),
            Some(&cell) => u64::from(cell),
        }
    }

    /// Sets the number of a row.
    pub fn set(&mut self, row: u32, value: u64) {
        let at = row as usize;
        if at >= self.cells.len() {
            if value == 0 {
                return;
            }
            self.cells.resize(at + 1, 0);
        }
        let small = u32::try_from(value).unwrap_or(BESIDE);
        self.cells[at] = small;
        if small == BESIDE {
            self.large.insert(row, value);
        }
    }

    /// Gives back the room that was kept for more rows.
    pub fn shrink(&mut self) {
        self.cells.shrink_to_fit();
    }
}

/// A text in a [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub u32);

/// Texts, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        for (row, value) in [
            (3, 7),
            (2, u64::MAX),
            (5, u64::from(BESIDE)),
            (3, 8),
            (2, 0),
        ] {
            column.set(row, value);
            assert_eq!(column.get(row), value);
        }
        assert_eq!((column.get(4), column.get(100)), (0, 0));
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
