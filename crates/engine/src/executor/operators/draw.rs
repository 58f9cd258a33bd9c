//! A random number for each record.
//!
//! Responsible for what makes any choice of records as likely as any other: those with
//! the smallest numbers are chosen, wherever they are.

use super::each::Each;
use crate::ids::Partition;
use crate::task::Records;

/// Puts a random number of 16 digits and a tab before each record; the same one each time.
pub fn number(parent: Box<dyn Records>, seed: u64, partition: Partition) -> impl Records {
    // Neither neighbouring seeds nor neighbouring partitions may begin alike.
    let mut seeds = fastrand::Rng::with_seed(seed);
    let mixed = seeds.u64(..) ^ u64::from(partition.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = fastrand::Rng::with_seed(mixed);
    Each::new(parent, move |record: &[u8], chunk: &mut Vec<u8>| {
        let number = random.u64(..);
        let digit = |at: u32| b"0123456789abcdef"[(number >> (60 - 4 * at)) as usize & 15];
        chunk.extend((0..16).map(digit));
        chunk.push(b'\t');
        chunk.extend_from_slice(record);
        chunk.push(b'\n');
        Ok(())
    })
}

/// Leaves out what stands before the first tab, with that.
pub fn drop_key(parent: Box<dyn Records>) -> impl Records {
    Each::new(parent, |record: &[u8], chunk: &mut Vec<u8>| {
        let start = memchr::memchr(b'\t', record).map_or(record.len(), |at| at + 1);
        chunk.extend_from_slice(&record[start..]);
        chunk.push(b'\n');
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    fn numbered(seed: u64, partition: u32) -> Vec<String> {
        let records = Box::new(test_records(&["a\tb", "", "c"]));
        all_lines(number(records, seed, Partition(partition))).expect("numbered")
    }

    #[test]
    fn numbers_are_the_same_each_time_and_go_with_what_they_were_put_before() {
        let lines = numbered(1, 2);
        assert_eq!(lines, numbered(1, 2));
        let records: Vec<_> = lines.iter().map(String::as_str).collect();
        let records = Box::new(test_records(&records));
        assert_eq!(
            all_lines(drop_key(records)).expect("dropped"),
            ["a\tb", "", "c"]
        );
        let mut all: Vec<_> = [(1, 2), (2, 1), (1, 3), (0, 0), (1, 0), (0, 1)]
            .into_iter()
            .flat_map(|(seed, partition)| numbered(seed, partition))
            .map(|line| line.split('\t').next().expect("a number").to_owned())
            .collect();
        assert!(all.iter().all(|it| it.len() == 16));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6 * 3);
    }
}
