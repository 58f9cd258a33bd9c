//! In which form records stand in map outputs.
//!
//! Responsible for what the files of a shuffle, their blocks and the way of these over the
//! network do not depend on: they carry bytes. Who spreads records ([`Spread`]) and who
//! reads what arrives ([`Arriving`]) have a form as a parameter, so that another one costs
//! neither of them a branch.
//!
//! [`Spread`]: super::spread::Spread
//! [`Arriving`]: super::reader::Arriving

/// A form of records.
pub trait Form: Send + 'static {
    /// Appends a record to those of its reduce partition that are no block yet. A block
    /// is made of whole records.
    fn put(record: &[u8], to: &mut Vec<u8>);

    /// How many records a block has.
    fn count(block: &[u8]) -> u64;
}

/// Lines, each with its end.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl Form for Lines {
    fn put(record: &[u8], to: &mut Vec<u8>) {
        to.extend_from_slice(record);
        to.push(b'\n');
    }

    fn count(block: &[u8]) -> u64 {
        memchr::memchr_iter(b'\n', block).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering::Relaxed;

    use super::super::spread::Spread;
    use super::super::tests::input;
    use super::super::{NoNetwork, ShuffleReader};
    use super::*;
    use crate::ids::{Host, Partition, ShuffleId};
    use crate::rpc::message::shuffle_input;
    use crate::storage::shuffle::files::OutputId;
    use crate::task::memory::Share;
    use crate::task::{TaskContext, test_context};

    /// Each behind its length, so that one may be of any bytes.
    struct Counted;

    impl Counted {
        fn all(mut block: &[u8]) -> Vec<Vec<u8>> {
            let mut all = Vec::new();
            while let Some((length, rest)) = block.split_first_chunk() {
                let (record, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
                all.push(record.to_vec());
                block = rest;
            }
            all
        }
    }

    impl Form for Counted {
        fn put(record: &[u8], to: &mut Vec<u8>) {
            let length = u32::try_from(record.len()).expect("short records");
            to.extend_from_slice(&length.to_le_bytes());
            to.extend_from_slice(record);
        }

        fn count(block: &[u8]) -> u64 {
            Self::all(block).len() as u64
        }
    }

    #[test]
    fn records_that_are_no_lines_arrive_as_they_were() {
        let folder = tempfile::tempdir().expect("a folder");
        let context = TaskContext {
            memory: Share::for_tests(2_000),
            ..test_context(folder.path())
        };
        let records: Vec<Vec<u8>> = (0..=255_u8)
            .map(|it| [it, b'\n', 0].repeat(it.into()))
            .collect();
        let output = OutputId {
            shuffle: ShuffleId(3),
            map: Partition(0),
            task: context.task,
        };
        let mut spread = Spread::<Counted>::new(output, 2, &context);
        for (at, record) in records.iter().enumerate() {
            spread.push(at % 2, record).expect("room");
        }
        let sizes = spread.finish(folder.path()).expect("written");
        assert!(context.metrics.spilled_bytes.load(Relaxed) > 0);
        let reader = ShuffleReader {
            host: Host::from("h1"),
            network: Arc::new(NoNetwork),
        };
        for (reduce, bytes) in (0..).zip(sizes) {
            let block = shuffle_input::Block {
                map: 0,
                task: context.task.0,
                bytes,
            };
            let input = input(folder.path(), "", vec![block]);
            let mut arriving = reader.read::<Counted>(&input, Partition(reduce), 2, &context);
            let (mut block, mut read) = (Vec::new(), Vec::new());
            while arriving.next_block(&mut block).expect("readable") {
                read.extend(Counted::all(&block));
            }
            let sent = records.iter().skip(reduce as usize).step_by(2).cloned();
            assert_eq!(read, sent.collect::<Vec<_>>());
        }
        assert_eq!(context.metrics.records_read.load(Relaxed), 256);
    }
}
