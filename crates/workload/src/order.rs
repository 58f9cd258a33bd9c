//! The order of records, and the bounds between ranges of it. Pure.
//!
//! Responsible for comparing records as `sort` says. Every order is total: what
//! is equal by it is ordered by the whole line, so a sorted result does not
//! depend on how it was come by.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::line::{key_of, lines};
use crate::plan::operation::{SortBy, SortOrder};

/// Compares two records.
pub fn compare(order: SortOrder, a: &[u8], b: &[u8]) -> Ordering {
    let by = if order.numeric {
        number(sorted_part(order, a)).total_cmp(&number(sorted_part(order, b)))
    } else {
        sorted_part(order, a).cmp(sorted_part(order, b))
    };
    let ordering = by.then_with(|| a.cmp(b));
    if order.descending {
        ordering.reverse()
    } else {
        ordering
    }
}

/// The first bytes of what is compared, such that a smaller prefix means an
/// earlier record and equal prefixes mean nothing.
pub fn prefix(order: SortOrder, record: &[u8]) -> u64 {
    let part = sorted_part(order, record);
    let prefix = if order.numeric {
        let bits = number(part).to_bits();
        // As `f64::total_cmp` orders them, as unsigned numbers.
        if bits >> 63 == 0 {
            bits | 1 << 63
        } else {
            !bits
        }
    } else {
        let mut first = [0; 8];
        let length = part.len().min(8);
        first[..length].copy_from_slice(&part[..length]);
        u64::from_be_bytes(first)
    };
    if order.descending { !prefix } else { prefix }
}

fn sorted_part(order: SortOrder, record: &[u8]) -> &[u8] {
    match order.by {
        SortBy::Key => key_of(record),
        SortBy::Line => record,
        SortBy::Value => record.get(key_of(record).len() + 1..).unwrap_or_default(),
    }
}

/// A record's number; what is none comes before all numbers.
fn number(text: &[u8]) -> f64 {
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|number| !number.is_nan());
    match number {
        // One zero, so that -0 and 0 are ordered by their lines.
        Some(number) => number + 0.0,
        None => -f64::NAN.abs(),
    }
}

/// The range that a record belongs to: how many bounds are not after it.
pub fn range_of(order: SortOrder, bounds: &[Bytes], record: &[u8]) -> usize {
    bounds.partition_point(|bound| compare(order, bound, record).is_le())
}

/// All bounds of a shuffle together have about so many bytes: every map task is
/// sent all of them.
const BOUNDS: usize = 256 * 1024;

/// A bound may be so long however many there are.
const SHORTEST_LIMIT: usize = 64;

/// At most `partitions - 1` bounds that cut a sample, given as chunks of
/// records, into ranges of about equal size.
///
/// A bound need not be a record: any text is one, for the order is that of all
/// texts. So a bound is no longer than it takes to tell the neighbours in the
/// sample apart, and is cut where even that is long.
pub fn bounds_of_sample<'a>(
    order: SortOrder,
    partitions: u32,
    sample: impl IntoIterator<Item = &'a Bytes>,
) -> Vec<Bytes> {
    let mut records: Vec<&[u8]> = sample.into_iter().flat_map(|it| lines(it)).collect();
    records.sort_unstable_by(|a, b| compare(order, a, b));
    let partitions = partitions as usize;
    let longest = (BOUNDS / partitions.max(1)).max(SHORTEST_LIMIT);
    let mut bounds: Vec<Bytes> = (1..partitions)
        .filter_map(|cut| {
            let at = cut * records.len() / partitions;
            let bound = between(order, &records, at)?;
            Some(Bytes::copy_from_slice(&bound[..bound.len().min(longest)]))
        })
        .collect();
    // Cutting may have changed how they are ordered.
    bounds.sort_unstable_by(|a, b| compare(order, a, b));
    bounds.dedup();
    bounds
}

/// A short text between the record at `at` and the one before it that differs.
fn between<'a>(order: SortOrder, records: &[&'a [u8]], at: usize) -> Option<&'a [u8]> {
    let record = *records.get(at)?;
    // The beginning of a number is another number.
    if order.numeric {
        return Some(record);
    }
    let Some(before) = records[..at].iter().rev().find(|it| **it != record) else {
        return Some(record);
    };
    let alike = record
        .iter()
        .zip(*before)
        .take_while(|(a, b)| a == b)
        .count();
    // The beginning of a text comes before it; the later of the two, as texts
    // are ordered, is cut.
    let later = if order.descending { before } else { record };
    Some(&later[..later.len().min(alike + 1)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(by: SortBy, numeric: bool, descending: bool) -> SortOrder {
        SortOrder {
            by,
            numeric,
            descending,
        }
    }

    fn sorted(order: SortOrder, records: &[&str]) -> Vec<String> {
        let mut records: Vec<_> = records.iter().map(ToString::to_string).collect();
        records.sort_by(|a, b| compare(order, a.as_bytes(), b.as_bytes()));
        records
    }

    #[test]
    fn records_are_ordered_by_key_or_line_as_text_or_number() {
        let records = ["b\t1", "a\t2", "a\t1", "a-\t0"];
        assert_eq!(
            sorted(order(SortBy::Key, false, false), &records),
            ["a\t1", "a\t2", "a-\t0", "b\t1"]
        );
        assert_eq!(
            sorted(order(SortBy::Line, false, true), &records),
            ["b\t1", "a-\t0", "a\t2", "a\t1"]
        );
        assert_eq!(
            sorted(
                order(SortBy::Key, true, false),
                &["10", "9", "x", "-1e1", "0.5", "-0", "0"]
            ),
            ["x", "-1e1", "-0", "0", "0.5", "9", "10"]
        );
    }

    #[test]
    fn bounds_cut_a_sample_evenly() {
        let sample = Bytes::from_static(b"5\n1\n3\n2\n4\n6\n");
        let order = order(SortBy::Line, false, false);
        let bounds = bounds_of_sample(order, 3, [&sample]);
        assert_eq!(bounds, [&b"3"[..], b"5"]);
        let ranges: Vec<_> = [b"1", b"3", b"4", b"5", b"9"]
            .map(|record| range_of(order, &bounds, record))
            .into();
        assert_eq!(ranges, [0, 1, 1, 2, 2]);
        assert!(bounds_of_sample(order, 3, []).is_empty());
    }

    #[test]
    fn bounds_of_long_records_are_short_and_still_cut_evenly() {
        let long = "x".repeat(100_000);
        let sample: String = (0..60)
            .map(|it| format!("{it:02}{long}\t{long}\n"))
            .collect();
        let sample = Bytes::from(sample);
        for (by, numeric, descending) in [
            (SortBy::Line, false, false),
            (SortBy::Key, false, true),
            (SortBy::Key, true, false),
        ] {
            let order = order(by, numeric, descending);
            let bounds = bounds_of_sample(order, 4, [&sample]);
            assert!(bounds.iter().all(|it| it.len() <= BOUNDS / 4), "{order:?}");
            let mut counts = [0; 4];
            for record in lines(&sample) {
                counts[range_of(order, &bounds, record)] += 1;
            }
            let fair = if numeric { 0..=60 } else { 14..=16 };
            assert!(counts.iter().all(|it| fair.contains(it)), "{counts:?}");
        }
        // What differs late is told apart as far as there is room.
        let alike: Vec<_> = (0..1000).map(|it| format!("{long}{it}\n")).collect();
        let alike = Bytes::from(alike.concat());
        let order = order(SortBy::Line, false, false);
        let bounds = bounds_of_sample(order, 1000, [&alike]);
        assert!(bounds.iter().map(Bytes::len).sum::<usize>() <= 2 * BOUNDS);
    }

    proptest! {
        #[test]
        fn ranges_of_any_bounds_are_in_order(
            mut records in prop::collection::vec("[ab0-9\t-]{0,8}", 0..40), partitions in 1_u32..9,
            longest in 1_usize..9, by_key in any::<bool>(), numeric in any::<bool>(), descending in any::<bool>(),
        ) {
            let by = if by_key { SortBy::Key } else { SortBy::Line };
            let order = order(by, numeric, descending);
            let sample: String = records.iter().map(|it| format!("{}\n", &it[..it.len().min(longest)])).collect();
            let bounds = bounds_of_sample(order, partitions, [&Bytes::from(sample)]);
            prop_assert!(bounds.len() < partitions as usize);
            records.sort_by(|a, b| compare(order, a.as_bytes(), b.as_bytes()));
            let ranges: Vec<_> = records.iter().map(|it| range_of(order, &bounds, it.as_bytes())).collect();
            prop_assert!(ranges.is_sorted());
        }

        #[test]
        fn a_smaller_prefix_means_an_earlier_record(
            a in "[0-9a.\\-\t]{0,10}", b in "[0-9a.\\-\t]{0,10}",
            by_key in any::<bool>(), numeric in any::<bool>(), descending in any::<bool>(),
        ) {
            let by = if by_key { SortBy::Key } else { SortBy::Line };
            let order = order(by, numeric, descending);
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let prefixes = prefix(order, a).cmp(&prefix(order, b));
            prop_assert!(prefixes.is_eq() || prefixes == compare(order, a, b));
        }
    }
}
