//! What map tasks wrote is what reducers read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use proptest::prelude::*;

use super::files::OutputId;
use super::*;
use crate::ids::{DatasetId, Host, Partition, ShuffleId, TaskId};
use crate::plan::Partitioning;
use crate::plan::operation::{Combine, Merge, SortBy, SortOrder};
use crate::plan::program::Exchange;
use crate::rpc::message::{ShuffleInput, shuffle_input};
use crate::storage::order::{bounds_of_sample, compare};
use crate::task::memory::Share;
use crate::task::{Seal, TaskContext, TaskError, all_lines, key_of, test_context};

const SHUFFLE: ShuffleId = ShuffleId(3);

pub(in crate::storage) fn exchange(
    partitioning: Partitioning,
    partitions: u32,
    combine: Option<Combine>,
) -> Exchange {
    Exchange {
        map_side: DatasetId(0),
        partitioning,
        partitions,
        combine,
        order: SortOrder::default(),
    }
}

/// Writes one output of these records; returns its place in an input.
pub(in crate::storage) fn write(
    folder: &Path,
    exchange: &Exchange,
    map: u32,
    bounds: &[Bytes],
    records: &[String],
    context: &TaskContext,
) -> Result<(shuffle_input::Block, Vec<u64>), TaskError> {
    let map_partition = Partition(map);
    let mut writer =
        ShuffleWriter::create(folder, exchange, SHUFFLE, map_partition, bounds, context);
    for records in records.chunks(7) {
        let mut chunk = Vec::new();
        for record in records {
            chunk.extend_from_slice(record.as_bytes());
            chunk.push(b'\n');
        }
        writer.write(&chunk)?;
    }
    let sizes = writer.finish()?;
    let block = shuffle_input::Block {
        map,
        task: context.task.0,
        bytes: sizes.iter().sum(),
    };
    Ok((block, sizes))
}

pub(in crate::storage) fn input(
    folder: &Path,
    address: &str,
    blocks: Vec<shuffle_input::Block>,
) -> ShuffleInput {
    ShuffleInput {
        instead: None,
        shuffle: SHUFFLE.0,
        reduce: 0,
        sources: vec![shuffle_input::Source {
            executor: "e1".into(),
            host: "h1".into(),
            address: address.into(),
            folder: folder.to_string_lossy().into_owned(),
            blocks,
        }],
    }
}

fn on_this_host() -> ShuffleReader {
    ShuffleReader {
        host: Host::from("h1"),
        network: Arc::new(NoNetwork),
    }
}

fn read(
    input: &ShuffleInput,
    reduce: u32,
    merge: &Merge,
    context: &TaskContext,
) -> Result<Vec<String>, TaskError> {
    let arriving = on_this_host().read::<Lines>(input, Partition(reduce), 1, context);
    all_lines(merged(arriving, merge, context)?)
}

/// What each reduce partition reads of these outputs.
fn through(
    outputs: &[Vec<String>],
    exchange: &Exchange,
    bounds: &[Bytes],
    merge: &Merge,
    memory: usize,
) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let key = if memory.is_multiple_of(2) { 32 } else { 0 };
    let context = TaskContext {
        memory: Share::for_tests(memory),
        seal: Seal::of_process(key).expect("random numbers"),
        ..test_context(folder.path())
    };
    let mut written = Vec::new();
    for (map, records) in (0..).zip(outputs) {
        let output = write(folder.path(), exchange, map, bounds, records, &context);
        let (block, sizes) = output.expect("written");
        assert_eq!(sizes.len(), exchange.partitions as usize);
        written.push((block, sizes));
    }
    (0..exchange.partitions)
        .map(|reduce| {
            let blocks = written.iter().map(|(block, sizes)| shuffle_input::Block {
                bytes: sizes[reduce as usize],
                ..*block
            });
            let input = input(folder.path(), "", blocks.collect());
            read(&input, reduce, merge, &context).expect("readable")
        })
        .collect()
}

fn outputs() -> impl Strategy<Value = Vec<Vec<String>>> {
    let record = "[a-d\u{e9}]{0,3}(\t[0-9]{1,2})?";
    prop::collection::vec(prop::collection::vec(record, 0..60), 0..4)
}

fn memories() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..400, 1_000_000..1_000_001_usize]
}

fn sorted(mut records: Vec<String>) -> Vec<String> {
    records.sort();
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_record_arrives_once_with_all_of_its_key(
        outputs in outputs(), partitions in 1_u32..9, memory in memories(),
    ) {
        let exchange = exchange(Partitioning::Hash, partitions, None);
        let read = through(&outputs, &exchange, &[], &Merge::Concatenate, memory);
        let mut places = BTreeMap::new();
        for (place, record) in read.iter().enumerate().flat_map(|(p, r)| r.iter().map(move |r| (p, r))) {
            let first = *places.entry(key_of(record.as_bytes())).or_insert(place);
            prop_assert_eq!(first, place);
        }
        prop_assert_eq!(sorted(read.concat()), sorted(outputs.concat()));
    }

    #[test]
    fn records_in_turn_are_spread_evenly(
        outputs in outputs(), partitions in 1_u32..9, memory in memories(),
    ) {
        let exchange = exchange(Partitioning::RoundRobin, partitions, None);
        let read = through(&outputs, &exchange, &[], &Merge::Concatenate, memory);
        let (least, most) = (read.iter().map(Vec::len).min(), read.iter().map(Vec::len).max());
        prop_assert!(most.unwrap_or(0) - least.unwrap_or(0) <= outputs.len());
        prop_assert_eq!(sorted(read.concat()), sorted(outputs.concat()));
    }

    #[test]
    fn ranges_one_after_the_other_are_in_order(
        outputs in outputs(), partitions in 1_u32..9, memory in memories(),
        numeric in any::<bool>(), descending in any::<bool>(),
    ) {
        let order = SortOrder { by: SortBy::Key, numeric, descending };
        let exchange = Exchange { order, ..exchange(Partitioning::Range, partitions, None) };
        let sample: Vec<_> = outputs
            .iter()
            .map(|records| Bytes::from(records.iter().step_by(3).map(|r| format!("{r}\n")).collect::<String>()))
            .collect();
        let bounds = bounds_of_sample(order, partitions, &sample);
        let read = through(&outputs, &exchange, &bounds, &Merge::Sort(order), memory);
        let mut wanted = outputs.concat();
        wanted.sort_by(|a, b| compare(order, a.as_bytes(), b.as_bytes()));
        prop_assert_eq!(read.concat(), wanted);
    }

    #[test]
    fn keys_are_counted_once(outputs in outputs(), partitions in 1_u32..9, memory in memories()) {
        let exchange = exchange(Partitioning::Hash, partitions, Some(Combine::Count));
        let read = through(&outputs, &exchange, &[], &Merge::Combine(Combine::Count), memory);
        let mut wanted = BTreeMap::<&str, u64>::new();
        for record in outputs.iter().flatten() {
            *wanted.entry(record.split('\t').next().expect("a key")).or_default() += 1;
        }
        let wanted: Vec<_> = wanted.iter().map(|(key, count)| format!("{key}\t{count}")).collect();
        prop_assert!(read.iter().all(|records| records.is_sorted_by_key(|r| key_of(r.as_bytes()))));
        prop_assert_eq!(sorted(read.concat()), sorted(wanted));
    }

    #[test]
    fn lines_are_made_distinct(outputs in outputs(), partitions in 1_u32..9, memory in memories()) {
        let exchange = exchange(Partitioning::Hash, partitions, Some(Combine::Distinct));
        let read = through(&outputs, &exchange, &[], &Merge::Combine(Combine::Distinct), memory);
        let mut wanted = sorted(outputs.concat());
        wanted.dedup();
        prop_assert_eq!(sorted(read.concat()), wanted);
    }

    #[test]
    fn a_damaged_output_is_named_and_nothing_else_happens(
        records in prop::collection::vec("[a-d]{0,3}", 1..60), at in any::<prop::sample::Index>(),
        index in any::<bool>(), cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let context = test_context(folder.path());
        let exchange = exchange(Partitioning::Hash, 1, None);
        let (block, _) = write(folder.path(), &exchange, 7, &[], &records, &context).expect("written");
        let id = OutputId { shuffle: SHUFFLE, map: Partition(7), task: context.task };
        let path = if index { id.index(folder.path()) } else { id.data(folder.path()) };
        let mut bytes = fs::read(&path).expect("written");
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 0x11 }
        fs::write(&path, bytes).expect("written");
        let error = read(&input(folder.path(), "", vec![block]), 0, &Merge::Concatenate, &context)
            .expect_err("damaged");
        let is_named = matches!(
            &error,
            TaskError::Fetch { executor, shuffle: SHUFFLE, map: Some(Partition(7)), .. } if executor.as_str() == "e1"
        );
        prop_assert!(is_named, "{}", error);
    }
}

#[test]
fn a_missing_output_is_a_fetch_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let block = shuffle_input::Block {
        map: 2,
        task: 1,
        bytes: 1,
    };
    let input = input(folder.path(), "", vec![block]);
    let error = read(&input, 0, &Merge::Concatenate, &test_context(folder.path()));
    let error = error.expect_err("missing").to_string();
    assert!(
        error.starts_with("cannot read the output of map 2 of shuffle 3 from executor e1"),
        "{error}"
    );
}

#[test]
fn a_block_of_another_size_than_was_announced_is_a_fetch_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = test_context(folder.path());
    let exchange = exchange(Partitioning::Hash, 1, None);
    let written = |map, records: &[String]| {
        let written = write(folder.path(), &exchange, map, &[], records, &context);
        written.expect("written").0
    };
    let empty = written(0, &[]);
    let some = written(1, &["a".repeat(100), "b".repeat(100)]);
    assert_eq!(empty.bytes, 0);
    let read = |block| {
        let input = input(folder.path(), "", vec![block]);
        read(&input, 0, &Merge::Concatenate, &context)
    };
    assert!(read(empty).is_ok_and(|read| read.is_empty()));
    assert!(read(some).is_ok_and(|read| read.len() == 2));
    for (block, bytes) in [
        (empty, 1),
        (some, 0),
        (some, some.bytes * 2),
        (some, some.bytes / 2),
    ] {
        let error = read(shuffle_input::Block { bytes, ..block }).expect_err("another size");
        let TaskError::Fetch { map, message, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(map, Some(Partition(block.map)));
        assert!(message.contains("were announced"), "{message}");
    }
}

/// Whoever may write to a disk has no key, and cannot put one block in another's
/// place either.
#[test]
fn a_sealed_output_in_the_place_of_another_is_a_fetch_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = TaskContext {
        seal: Seal::of_process(32).expect("random numbers"),
        ..test_context(folder.path())
    };
    let exchange = exchange(Partitioning::Hash, 1, None);
    let [one, other] = [0, 1].map(|map| {
        let records = [format!("of {map}")];
        let written = write(folder.path(), &exchange, map, &[], &records, &context);
        written.expect("written").0
    });
    let data = |map| {
        let (shuffle, map, task) = (SHUFFLE, Partition(map), context.task);
        OutputId { shuffle, map, task }.data(folder.path())
    };
    let read = || {
        let input = input(folder.path(), "", vec![one, other]);
        read(&input, 0, &Merge::Concatenate, &context)
    };
    assert_eq!(read().expect("readable"), ["of 0", "of 1"]);
    fs::copy(data(0), data(1)).expect("copied");
    let error = read().expect_err("another's");
    let is_named = matches!(
        error,
        TaskError::Fetch {
            map: Some(Partition(1)),
            ..
        }
    );
    assert!(is_named, "{error}");
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_and_a_finished_one_two_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = TaskContext {
        memory: Share::for_tests(10),
        ..test_context(folder.path())
    };
    let exchange = exchange(Partitioning::Hash, 3, None);
    let count = || fs::read_dir(folder.path()).expect("a folder").count();
    let mut writer = ShuffleWriter::create(
        folder.path(),
        &exchange,
        SHUFFLE,
        Partition(0),
        &[],
        &context,
    );
    writer.write(b"a\nb\nc\nabcdefghijkl\n").expect("room");
    drop(writer);
    assert_eq!(count(), 0);
    let records = ["a".to_owned(), "b".to_owned(), "abcdefghijkl".repeat(50)];
    write(folder.path(), &exchange, 0, &[], &records, &context).expect("written");
    assert_eq!(count(), 2);
    assert!(context.metrics.spilled_bytes.load(Relaxed) > 0);
}

#[test]
fn a_sum_of_what_is_no_number_fails_the_task_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = test_context(folder.path());
    let exchange = exchange(Partitioning::Hash, 2, Some(Combine::Sum));
    let records = ["a\t1".to_owned(), "b\tx".to_owned()];
    let error = write(folder.path(), &exchange, 0, &[], &records, &context).expect_err("no number");
    assert!(error.to_string().contains("b\\tx"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    assert_eq!(context.task, TaskId(1));
}
