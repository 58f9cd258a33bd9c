//! What is found out of the records of a key.
//!
//! Responsible for the measures of `aggregate_by_key`, in a form that is small enough to
//! be copied about. How they are taken is known to `storage`.

use serde::{Deserialize, Serialize};

/// So many measures one dataset may have.
pub const MOST_MEASURES: usize = 16;

/// What is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// How many records there are.
    #[default]
    Count,
    /// The numbers of a field, added.
    Sum,
    /// The smallest of them.
    Min,
    /// The largest of them.
    Max,
    /// Their mean.
    Mean,
    /// How many different texts a field has.
    CountDistinct,
}

/// One measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What is found out.
    pub what: Aggregate,
    /// Of which field, counted from 1; fields end with tabs, and the key is the first.
    pub field: u32,
}

/// Measures, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    count: u8,
    all: [Measure; MOST_MEASURES],
}

impl Measures {
    /// These; `None` if there are none or too many.
    pub fn new(measures: &[Measure]) -> Option<Self> {
        let mut all = [Measure::default(); MOST_MEASURES];
        all.get_mut(..measures.len())?.copy_from_slice(measures);
        let count = u8::try_from(measures.len()).ok().filter(|it| *it > 0)?;
        Some(Self { count, all })
    }

    /// All of them.
    pub fn all(&self) -> &[Measure] {
        let count = usize::from(self.count).min(MOST_MEASURES);
        &self.all[..count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some_measures_and_not_too_many() {
        assert_eq!(Measures::new(&[]), None);
        assert_eq!(Measures::new(&[Measure::default(); 17]), None);
        let sum = Measure {
            what: Aggregate::Sum,
            field: 3,
        };
        let two = Measures::new(&[sum, Measure::default()]).expect("two");
        assert_eq!(two.all(), [sum, Measure::default()]);
    }
}
