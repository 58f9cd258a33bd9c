//! The order of records, and the bounds between ranges of it. Pure.
//!
//! Responsible for comparing records as `sort` says. Every order is total: what
//! is equal by it is ordered by the whole line, so a sorted result does not
//! depend on how it was come by.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::plan::operation::{SortBy, SortOrder};
use crate::task::line::{key_of, lines};

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

/// At most `partitions - 1` bounds that cut a sample, given as chunks of
/// records, into ranges of about equal size.
pub fn bounds_of_sample<'a>(
    order: SortOrder,
    partitions: u32,
    sample: impl IntoIterator<Item = &'a Bytes>,
) -> Vec<Bytes> {
    let mut records: Vec<Bytes> = sample
        .into_iter()
        .flat_map(|chunk| lines(chunk).map(|line| chunk.slice_ref(line)))
        .collect();
    records.sort_unstable_by(|a, b| compare(order, a, b));
    let partitions = partitions as usize;
    let mut bounds: Vec<Bytes> = (1..partitions)
        .filter_map(|cut| records.get(cut * records.len() / partitions).cloned())
        .collect();
    bounds.dedup();
    bounds
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

    proptest! {
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
