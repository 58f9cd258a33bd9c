//! Sets of whole numbers, kept as ranges: ports, above all.
//!
//! Responsible for union, difference and containment of inclusive ranges over
//! all of `u64`, and for handing out single numbers. A [`Ranges`] is always in
//! order, its ranges apart from each other, so equal sets are equal values.

use std::fmt;
use std::str::FromStr;

/// The numbers from `begin` to `end`, both included.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct Range {
    begin: u64,
    end: u64,
}

/// A set of numbers: ranges in order, with a gap between each two.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn ranges(text: &str) -> Ranges {
        text.parse().expect("ranges")
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        assert_eq!(ranges("[5-6,1-2,3-4]"), ranges("[1-6]"));
        assert_eq!(ranges("[1-10,2-3,9-12]").to_string(), "[1-12]");
        assert_eq!(ranges("[1-2, 4-5]").to_string(), "[1-2, 4-5]");
    }

    #[test]
    fn a_difference_can_split_a_range() {
        let mut ports = ranges("[31000-32000]");
        ports.remove_all(&ranges("[31000-31000,31500-31509,32000-33000]"));
        assert_eq!(ports, ranges("[31001-31499,31510-31999]"));
        assert_eq!(ports.count(), 1001 - 12);
    }

    #[test]
    fn the_largest_number_is_a_number_like_any_other() {
        let all = Ranges::from(Range::new(0, u64::MAX).expect("a range"));
        assert_eq!(all.count(), u64::MAX);
        let mut rest = all.clone();
        rest.remove_all(&Ranges::from(Range::single(u64::MAX)));
        assert_eq!(rest.to_string(), "[0-18446744073709551614]");
        rest.insert_all(&Ranges::from(Range::single(u64::MAX)));
        assert_eq!(rest, all);
        assert_eq!(
            rest.take(u64::MAX).map(|taken| taken.count()),
            Some(u64::MAX)
        );
        assert_eq!(rest, Ranges::from(Range::single(u64::MAX)));
        rest.remove_all(&all);
        assert!(rest.is_empty());
    }

    #[test]
    fn the_smallest_numbers_are_taken_first() {
        let mut ports = ranges("[10-11,20-29]");
        assert_eq!(ports.take(0), Some(Ranges::new()));
        assert_eq!(ports.take(3), Some(ranges("[10-11,20-20]")));
        assert_eq!(ports.take(10), None);
        assert_eq!(ports, ranges("[21-29]"));
        assert_eq!(ports.take(9), Some(ranges("[21-29]")));
        assert!(ports.is_empty());
    }

    #[test]
    fn what_is_no_list_of_ranges_is_refused() {
        for text in [
            "",
            "1-2",
            "[1]",
            "[1-2",
            "[1-2,]",
            "[a-b]",
            "[-1-2]",
            "[1-99999999999999999999]",
        ] {
            assert!(text.parse::<Ranges>().is_err(), "{text}");
        }
        let error = |text: &str| text.parse::<Ranges>().expect_err("no ranges").to_string();
        assert_eq!(error("[9-3]"), "range 9-3 ends before it begins");
        assert_eq!(
            error("31000"),
            "'31000' is not a list of ranges such as [31000-32000,33000-33010]"
        );
        assert_eq!(ranges("[ ]"), Ranges::new());
    }

    /// Ranges over a few numbers at either end of all there are, so that they
    /// often meet each other and the ends.
    fn any_ranges() -> impl Strategy<Value = Ranges> {
        let number = prop_oneof![0..24u64, u64::MAX - 24..=u64::MAX];
        vec((number, 0..6u64), 0..6).prop_map(|pairs| {
            Ranges::from_pairs(
                pairs
                    .into_iter()
                    .map(|(begin, length)| (begin, begin.saturating_add(length))),
            )
            .expect("ranges forwards")
        })
    }

    fn numbers(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.numbers().collect()
    }

    fn is_in_order_with_gaps(ranges: &Ranges) -> bool {
        ranges.0.iter().all(|range| range.begin <= range.end)
            && ranges
                .0
                .windows(2)
                .all(|pair| pair[0].end < u64::MAX && pair[0].end + 1 < pair[1].begin)
    }

    proptest! {
        #[test]
        fn ranges_behave_as_the_set_of_their_numbers(a in any_ranges(), b in any_ranges()) {
            let (left, right) = (numbers(&a), numbers(&b));
            let mut union = a.clone();
            union.insert_all(&b);
            let mut difference = a.clone();
            difference.remove_all(&b);
            let intersection = a.intersection(&b);
            for result in [&a, &union, &difference, &intersection] {
                prop_assert!(is_in_order_with_gaps(result), "{}", result);
            }
            prop_assert_eq!(numbers(&union), &left | &right);
            prop_assert_eq!(numbers(&difference), &left - &right);
            prop_assert_eq!(numbers(&intersection), &left & &right);
            prop_assert_eq!(a.contains_all(&b), left.is_superset(&right));
            prop_assert_eq!(a.is_disjoint(&b), left.is_disjoint(&right));
            prop_assert_eq!(a.count(), left.len() as u64);
            for number in (0..32).chain(u64::MAX - 32..=u64::MAX) {
                prop_assert_eq!(a.contains(number), left.contains(&number));
            }
        }

        #[test]
        fn what_is_taken_and_the_rest_make_the_whole(whole in any_ranges(), count in 0..50u64) {
            let mut rest = whole.clone();
            match rest.take(count) {
                Some(taken) => {
                    prop_assert_eq!(taken.count(), count);
                    prop_assert!(taken.is_disjoint(&rest));
                    prop_assert!(is_in_order_with_gaps(&rest) && is_in_order_with_gaps(&taken));
                    rest.insert_all(&taken);
                }
                None => prop_assert!(count > whole.count()),
            }
            prop_assert_eq!(rest, whole);
        }

        #[test]
        fn ranges_are_read_as_they_are_printed(ranges in any_ranges()) {
            prop_assert_eq!(ranges.to_string().parse(), Ok(ranges));
        }

        #[test]
        fn no_text_breaks_the_reader(text in r"\[?[0-9,\- ]{0,30}\]?") {
            let _ = text.parse::<Ranges>();
        }
    }
}
