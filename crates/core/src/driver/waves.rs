//! Results with a limit: how many partitions are tried for them, and which of their lines
//! count. Pure.
//!
//! Responsible for the sums alone, which are those of Spark's `take`; `jobs` asks.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ids::Partition;

/// So many records a job has, as far as they count.
pub(super) fn records_in(results: &BTreeMap<Partition, Bytes>, limit: u64) -> u64 {
    let mut records = 0;
    for bytes in results.values() {
        records += first_lines(bytes, limit - records).1;
    }
    records
}

/// A wave has at most so many times the partitions of all before it
/// (Spark's `spark.rdd.limit.scaleUpFactor`).
const GROWTH: u64 = 4;

/// How many partitions to try next, when so many had so many records: as many as
/// are needed if the others are like them, and half of that more, as in Spark.
pub(super) fn next_wave(tried: u32, records: u64, limit: u64) -> u32 {
    let most = u64::from(tried.max(1)) * GROWTH;
    let wanted = match records {
        0 => most,
        _ => {
            let left = u128::from(limit.saturating_sub(records));
            let like_them = 3 * left * u128::from(tried);
            let wanted = like_them.div_ceil(2 * u128::from(records));
            u64::try_from(wanted).unwrap_or(most).clamp(1, most)
        }
    };
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

/// The first `limit` lines and how many there are.
pub(super) fn first_lines(bytes: &Bytes, limit: u64) -> (Bytes, u64) {
    let mut count = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        if count == limit {
            break;
        }
        count += 1;
        if count == limit {
            return (bytes.slice(..=end), count);
        }
    }
    if limit == 0 {
        (Bytes::new(), 0)
    } else {
        (bytes.clone(), count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_grow_as_those_of_spark_do() {
        assert_eq!(next_wave(1, 0, 10), 4);
        assert_eq!(next_wave(5, 0, 10), 20);
        // Half of it is there: as many again, and half of that more.
        assert_eq!(next_wave(4, 5, 10), 6);
        assert_eq!(next_wave(4, 1, u64::MAX), 16);
        assert_eq!(next_wave(1, 999, 1000), 1);
        assert_eq!(next_wave(u32::MAX, 0, 1), u32::MAX);
        assert_eq!(next_wave(0, 0, 1), 4);
    }

    #[test]
    fn only_as_many_lines_as_wanted_are_handed_on() {
        let first = |text: &'static str, limit| {
            let (lines, count) = first_lines(&Bytes::from_static(text.as_bytes()), limit);
            (String::from_utf8_lossy(&lines).into_owned(), count)
        };
        assert_eq!(first("a\nb\nc\n", 2), ("a\nb\n".into(), 2));
        assert_eq!(first("a\nb\n", 9), ("a\nb\n".into(), 2));
        assert_eq!(first("a\n", 0), (String::new(), 0));
        assert_eq!(first("", 3), (String::new(), 0));
    }
}
