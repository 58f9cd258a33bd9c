//! The numbers of some rows, in as few bytes as the largest of them takes. Pure.
//!
//! Responsible for how numbers lie in memory: what is small where it stands, such as a time
//! since another one, takes a byte. Used by [columns](super::column) alone.

use serde::{Deserialize, Serialize};

/// So many rows are kept together: what is large makes no more of them large.
pub(super) const ROWS: usize = 1024;

/// Numbers of [`ROWS`] rows, 0 where none was set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cells {
    /// Nothing but zeros.
    #[default]
    Zeros,
    Bytes(Box<[u8]>),
    Shorts(Box<[u16]>),
    Words(Box<[u32]>),
    Whole(Box<[u64]>),
}

impl Cells {
    /// The number at a place below [`ROWS`].
    pub(super) fn get(&self, at: usize) -> u64 {
        match self {
            Self::Zeros => 0,
            Self::Bytes(cells) => cells[at].into(),
            Self::Shorts(cells) => cells[at].into(),
            Self::Words(cells) => cells[at].into(),
            Self::Whole(cells) => cells[at],
        }
    }

    /// Adds the numbers at these places, in their order.
    pub(super) fn extend(&self, places: impl Iterator<Item = usize>, out: &mut Vec<u64>) {
        match self {
            Self::Zeros => out.extend(places.map(|_| 0)),
            Self::Bytes(cells) => out.extend(places.map(|at| u64::from(cells[at]))),
            Self::Shorts(cells) => out.extend(places.map(|at| u64::from(cells[at]))),
            Self::Words(cells) => out.extend(places.map(|at| u64::from(cells[at]))),
            Self::Whole(cells) => out.extend(places.map(|at| cells[at])),
        }
    }

    /// Sets it.
    pub(super) fn set(&mut self, at: usize, value: u64) {
        if value > self.most() {
            self.widen(value);
        }
        // It fits: nothing is cut off.
        match self {
            Self::Zeros => {}
            Self::Bytes(cells) => cells[at] = value as u8,
            Self::Shorts(cells) => cells[at] = value as u16,
            Self::Words(cells) => cells[at] = value as u32,
            Self::Whole(cells) => cells[at] = value,
        }
    }

    /// The largest number that fits.
    const fn most(&self) -> u64 {
        match self {
            Self::Zeros => 0,
            Self::Bytes(_) => u8::MAX as u64,
            Self::Shorts(_) => u16::MAX as u64,
            Self::Words(_) => u32::MAX as u64,
            Self::Whole(_) => u64::MAX,
        }
    }

    /// Makes room for a number that does not fit.
    #[cold]
    fn widen(&mut self, value: u64) {
        let all = (0..ROWS).map(|at| self.get(at));
        *self = if u8::try_from(value).is_ok() {
            Self::Bytes(all.map(|it| it as u8).collect())
        } else if u16::try_from(value).is_ok() {
            Self::Shorts(all.map(|it| it as u16).collect())
        } else if u32::try_from(value).is_ok() {
            Self::Words(all.map(|it| it as u32).collect())
        } else {
            Self::Whole(all.collect())
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_set_last_is_there_however_large(
            sets in prop::collection::vec(
                (0..ROWS, prop_oneof![0..300_u64, 0..70_000_u64, any::<u64>()]),
                0..200,
            )
        ) {
            let mut cells = Cells::default();
            let mut wanted = vec![0; ROWS];
            for (at, value) in sets {
                cells.set(at, value);
                wanted[at] = value;
            }
            let found: Vec<_> = (0..ROWS).map(|at| cells.get(at)).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_number_takes_no_more_than_the_largest_beside_it() {
        let mut cells = Cells::default();
        cells.set(3, 0);
        assert_eq!(cells, Cells::Zeros);
        cells.set(3, 255);
        assert!(matches!(cells, Cells::Bytes(_)));
        cells.set(4, 256);
        assert!(matches!(cells, Cells::Shorts(_)));
        cells.set(5, 1 << 32);
        assert!(matches!(cells, Cells::Whole(_)));
    }
}
