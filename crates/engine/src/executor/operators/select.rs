//! Keeping some records: by a pattern, or by chance.

use regex::bytes::Regex;

use crate::ids::Partition;
use crate::task::{Records, TaskError, lines};

/// Decides about each record.
pub struct Select<F> {
    parent: Box<dyn Records>,
    keep: F,
    read: Vec<u8>,
}

/// Records in which a regular expression is found, or is `not`.
///
/// # Errors
/// It is no regular expression.
pub fn filter(
    parent: Box<dyn Records>,
    pattern: &str,
    not: bool,
) -> Result<impl Records + use<>, TaskError> {
    let pattern = Regex::new(pattern)
        .map_err(|error| TaskError::Permanent(format!("bad filter: {error}")))?;
    Ok(Select {
        parent,
        keep: move |record: &[u8]| pattern.is_match(record) != not,
        read: Vec::new(),
    })
}

/// Each record with this probability; the same ones each time.
pub fn sample(
    parent: Box<dyn Records>,
    fraction: f64,
    seed: u64,
    partition: Partition,
) -> impl Records {
    // Neighbouring seeds must not give neighbouring partitions the same choice.
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(partition.0);
    let mut random = fastrand::Rng::with_seed(mixed);
    Select {
        parent,
        keep: move |_: &[u8]| random.f64() < fraction,
        read: Vec::new(),
    }
}

impl<F: FnMut(&[u8]) -> bool + Send> Records for Select<F> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.is_empty() {
            if !self.parent.next(&mut self.read)? {
                return Ok(false);
            }
            for record in lines(&self.read) {
                if (self.keep)(record) {
                    chunk.extend_from_slice(record);
                    chunk.push(b'\n');
                }
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    #[test]
    fn only_matching_records_are_kept() {
        let kept = |not| {
            let parent = Box::new(test_records(&["error: a", "fine", "an error"]));
            all_lines(filter(parent, "^error", not).expect("a pattern")).expect("kept")
        };
        assert_eq!(kept(false), ["error: a"]);
        assert_eq!(kept(true), ["fine", "an error"]);
        assert!(filter(Box::new(test_records(&[])), "(", false).is_err());
    }

    #[test]
    fn a_sample_is_the_same_each_time_and_differs_by_partition() {
        let lines: Vec<_> = (0..1000).map(|it| it.to_string()).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let drawn = |fraction, partition| {
            let parent = Box::new(test_records(&lines));
            all_lines(sample(parent, fraction, 7, Partition(partition))).expect("drawn")
        };
        assert_eq!(drawn(0.3, 1), drawn(0.3, 1));
        assert_ne!(drawn(0.3, 1), drawn(0.3, 2));
        assert!((200..400).contains(&drawn(0.3, 1).len()));
        assert_eq!(drawn(1.0, 1).len(), 1000);
        assert_eq!(drawn(0.0, 1).len(), 0);
    }
}
