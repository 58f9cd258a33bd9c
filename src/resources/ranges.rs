//! Sets of whole numbers, kept as ranges: ports, above all.
//!
//! Responsible for union, difference and containment of inclusive ranges over
//! all of `u64`, and for handing out single numbers. A [`Ranges`] is always in
//! order, its ranges apart from each other, so equal sets are equal values.

use std::fmt;
use std::str::FromStr;

/// The numbers from `begin` to `end`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range {
    begin: u64,
    end: u64,
}

/// A set of numbers: ranges in order, with a gap between each two.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Ranges(Vec<Range>);

/// Why something is no list of ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangesError {
    /// A range that ends before it begins.
    #[error("range {begin}-{end} ends before it begins")]
    Backwards {
        /// The first number.
        begin: u64,
        /// The last number, which is smaller.
        end: u64,
    },
    /// A text that is no list of ranges.
    #[error("'{0}' is not a list of ranges such as [31000-32000,33000-33010]")]
    Malformed(String),
}

impl Range {
    /// The numbers from `begin` to `end`, both included.
    ///
    /// # Errors
    /// If `end` is smaller than `begin`.
    pub const fn new(begin: u64, end: u64) -> Result<Self, RangesError> {
        if begin > end {
            Err(RangesError::Backwards { begin, end })
        } else {
            Ok(Self { begin, end })
        }
    }

    /// The range of one number.
    pub const fn single(number: u64) -> Self {
        Self {
            begin: number,
            end: number,
        }
    }

    /// The first number.
    pub const fn begin(self) -> u64 {
        self.begin
    }

    /// The last number.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How many numbers lie in it; `u64::MAX` also for the range of all numbers,
    /// which has one more.
    pub const fn count(self) -> u64 {
        (self.end - self.begin).saturating_add(1)
    }

    /// Whether the number lies in it.
    pub const fn contains(self, number: u64) -> bool {
        self.begin <= number && number <= self.end
    }
}

impl Ranges {
    /// No numbers. Allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The numbers of all the given (begin, end) pairs, both ends included, in
    /// any order; they may touch and overlap.
    ///
    /// # Errors
    /// If one of the pairs ends before it begins.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (u64, u64)>) -> Result<Self, RangesError> {
        let ranges: Vec<Range> = pairs
            .into_iter()
            .map(|(begin, end)| Range::new(begin, end))
            .collect::<Result<_, _>>()?;
        Ok(Self::coalesced(ranges))
    }

    /// The ranges in order, a gap between each two.
    pub fn iter(&self) -> std::slice::Iter<'_, Range> {
        self.0.iter()
    }

    /// The numbers in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|range| range.begin..=range.end)
    }

    /// Whether there are no numbers in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers there are; stops at `u64::MAX`.
    pub fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |count, range| count.saturating_add(range.count()))
    }

    /// Whether the number is in it.
    pub fn contains(&self, number: u64) -> bool {
        // The first range that could hold it is the first not wholly below it.
        let at = self.0.partition_point(|range| range.end < number);
        self.0.get(at).is_some_and(|range| range.contains(number))
    }

    /// Whether every number of `other` is in it.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| {
            let at = self.0.partition_point(|range| range.end < wanted.begin);
            self.0
                .get(at)
                .is_some_and(|range| range.begin <= wanted.begin && wanted.end <= range.end)
        })
    }

    /// Whether no number is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        other.0.iter().all(|range| {
            let at = self.0.partition_point(|own| own.end < range.begin);
            self.0.get(at).is_none_or(|own| own.begin > range.end)
        })
    }

    /// The numbers that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut only_here = self.clone();
        only_here.remove_all(other);
        let mut both = self.clone();
        both.remove_all(&only_here);
        both
    }

    /// Adds the numbers of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else if !other.0.is_empty() {
            let mut ranges = std::mem::take(&mut self.0);
            ranges.extend_from_slice(&other.0);
            *self = Self::coalesced(ranges);
        }
    }

    /// Removes the numbers of `other`; those that are not in it do not matter.
    pub fn remove_all(&mut self, other: &Self) {
        if self.0.is_empty() || other.0.is_empty() {
            return;
        }
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut holes = other.0.as_slice();
        for &range in &self.0 {
            // Holes are in order: what ends before this range concerns no later one.
            let passed = holes.partition_point(|hole| hole.end < range.begin);
            holes = &holes[passed..];
            let mut begin = Some(range.begin);
            for hole in holes.iter().take_while(|hole| hole.begin <= range.end) {
                if let Some(begin) = begin.filter(|&begin| begin < hole.begin) {
                    rest.push(Range {
                        begin,
                        end: hole.begin - 1,
                    });
                }
                begin = hole.end.checked_add(1);
            }
            if let Some(begin) = begin.filter(|&begin| begin <= range.end) {
                rest.push(Range {
                    begin,
                    end: range.end,
                });
            }
        }
        self.0 = rest;
    }

    /// Takes the `count` smallest numbers out, or returns `None` and changes
    /// nothing if there are fewer.
    pub fn take(&mut self, count: u64) -> Option<Self> {
        if count > self.count() {
            return None;
        }
        let mut taken = Vec::new();
        let mut missing = count;
        let mut used_up = 0;
        for range in &mut self.0 {
            if missing == 0 {
                break;
            }
            // The same as `range.count() <= missing`, without overflow.
            if range.end - range.begin < missing {
                taken.push(*range);
                missing -= range.count();
                used_up += 1;
            } else {
                let end = range.begin + (missing - 1);
                taken.push(Range {
                    begin: range.begin,
                    end,
                });
                range.begin = end + 1;
                missing = 0;
            }
        }
        self.0.drain(..used_up);
        Some(Self(taken))
    }

    /// Puts ranges in order and joins those that touch or overlap.
    fn coalesced(mut ranges: Vec<Range>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joins = next.begin <= kept.end.saturating_add(1);
            if joins {
                kept.end = kept.end.max(next.end);
            }
            joins
        });
        Self(ranges)
    }
}

impl From<Range> for Ranges {
    fn from(range: Range) -> Self {
        Self(vec![range])
    }
}

impl FromIterator<Range> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        Self::coalesced(ranges.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Ranges {
    type Item = &'a Range;
    type IntoIter = std::slice::Iter<'a, Range>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.begin, self.end)
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Ranges {
    /// Writes as Mesos does: `[31000-32000, 33000-33010]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{range}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Ranges {
    type Err = RangesError;

    /// Reads `[31000-32000,33000-33010]`, blanks anywhere between the parts.
    fn from_str(text: &str) -> Result<Self, RangesError> {
        let malformed = || RangesError::Malformed(text.trim().to_owned());
        let inner = text
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or_else(malformed)?;
        if inner.trim().is_empty() {
            return Ok(Self::new());
        }
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| malformed());
        inner
            .split(',')
            .map(|part| {
                let (begin, end) = part.split_once('-').ok_or_else(malformed)?;
                Range::new(number(begin)?, number(end)?)
            })
            .collect()
    }
}
