//! What is kept, where, and what is read of it.

use super::*;
use crate::storage::block::Encoder;
use crate::task::Cancel;
use crate::task::memory::Limits;
use crate::task::{Seal, all_lines, test_context, test_records};

fn memory(all: usize) -> Memory {
    Memory::new(Limits {
        all,
        kept: all / 2,
        slots: 1,
    })
}

fn kept(budget: usize, whole: bool) -> (tempfile::TempDir, Arc<Persisted>) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Persisted::start(folder.path(), &memory(budget), None);
    let context = test_context(folder.path());
    let records = Box::new(test_records(&["a", "b"]));
    let mut passing = store.keeping(records, DatasetId(1), Partition(2), &context);
    if whole {
        assert_eq!(all_lines(passing).expect("passed"), ["a", "b"]);
    } else {
        assert!(passing.next(&mut Vec::new()).expect("passed"));
    }
    (folder, store)
}

fn read(store: &Persisted, elsewhere: &[CachedPartition]) -> Option<Vec<String>> {
    let context = test_context(Path::new("/"));
    let records = store.read(DatasetId(1), Partition(2), elsewhere, &context);
    records
        .expect("readable")
        .map(|records| all_lines(records).expect("readable"))
}

#[test]
fn a_partition_that_passed_whole_is_kept_in_memory_or_on_disk() {
    for budget in [0, 1 << 20] {
        let (folder, store) = kept(budget, true);
        assert_eq!(read(&store, &[]), Some(vec!["a".into(), "b".into()]));
        assert_eq!(read(&store, &[]), Some(vec!["a".into(), "b".into()]));
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, usize::from(budget == 0));
        assert_eq!(store.take_new(TaskId(1)), [(DatasetId(1), Partition(2))]);
        assert_eq!(store.take_new(TaskId(1)), []);
    }
}

#[test]
fn a_partition_that_cannot_be_read_is_as_if_it_were_not_kept() {
    let (folder, store) = kept(0, true);
    let path = file_of(folder.path(), (DatasetId(1), Partition(2)));
    fs::write(&path, "").expect("written");
    assert_eq!(read(&store, &[]), None);
    fs::remove_file(&path).expect("removed");
    assert_eq!(read(&store, &[]), None);
}

#[test]
fn a_partition_that_ends_too_early_is_not_read_as_a_smaller_one() {
    let (folder, store) = kept(0, true);
    let path = file_of(folder.path(), (DatasetId(1), Partition(2)));
    let whole = fs::read(&path).expect("kept");
    let (mut first, key) = (Vec::new(), (DatasetId(1), Partition(2)));
    Encoder::new(part_of(key), &Seal::default()).block(b"a\nb\n", &mut first);
    assert!(whole.starts_with(&first));
    fs::write(&path, &whole[..first.len()]).expect("written");
    let context = test_context(Path::new("/"));
    let records = store.read(DatasetId(1), Partition(2), &[], &context);
    let error = all_lines(records.expect("there").expect("kept")).expect_err("cut off");
    assert!(error.to_string().contains("cut off"), "{error}");
}

#[test]
fn a_part_of_a_partition_is_not_kept() {
    let (folder, store) = kept(0, false);
    assert_eq!(read(&store, &[]), None);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn what_another_executor_of_the_host_keeps_on_disk_is_found() {
    let (folder, _store) = kept(0, true);
    let other = tempfile::tempdir().expect("a folder");
    let store = Persisted::start(other.path(), &memory(0), None);
    let there = CachedPartition {
        dataset: 1,
        partition: 2,
        folder: folder.path().to_string_lossy().into_owned(),
        ..CachedPartition::default()
    };
    assert_eq!(read(&store, &[there]), Some(vec!["a".into(), "b".into()]));
}
#[test]
fn tasks_get_the_memory_of_partitions_that_nobody_reads() {
    let (folder, store) = kept(1 << 20, true);
    let (_, taken) = store.memory.taken();
    assert!(taken > 0);
    let files = || fs::read_dir(folder.path()).expect("a folder").count();
    // A reader holds on to it.
    let context = test_context(folder.path());
    let reader = store.read(DatasetId(1), Partition(2), &[], &context);
    let reader = reader.expect("readable").expect("kept");
    store.evict(1);
    assert_eq!((files(), store.memory.taken().1), (0, taken));
    drop(reader);
    // Within their own part, kept partitions are not asked for it.
    let mut task = store.memory.task(&Cancel::new()).hold();
    assert!(task.want(1 << 18));
    assert_eq!(files(), 0);
    store.evict(1);
    assert_eq!((files(), store.memory.taken().1), (1, 0));
    assert_eq!(read(&store, &[]), Some(vec!["a".into(), "b".into()]));
}

#[test]
fn what_no_task_will_read_again_is_kept_no_more() {
    for budget in [0, 1 << 20] {
        let (folder, store) = kept(budget, true);
        let context = test_context(folder.path());
        store.release([DatasetId(2)]);
        assert!(read(&store, &[]).is_some());
        store.release([DatasetId(1)]);
        assert_eq!(store.take_new(context.task).len(), 1);
        for late in [false, true] {
            if late {
                let records = Box::new(test_records(&["a"]));
                let key = (DatasetId(1), Partition(2));
                let passing = store.keeping(records, key.0, key.1, &context);
                assert_eq!(all_lines(passing).expect("passed"), ["a"]);
            }
            assert_eq!(read(&store, &[]), None);
            assert_eq!(store.memory.taken(), (0, 0));
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
            assert_eq!(store.take_new(context.task), []);
        }
    }
}

#[test]
fn a_partition_that_is_not_kept_after_all_gives_its_memory_back() {
    let (_folder, store) = kept(1 << 20, false);
    assert_eq!(store.memory.taken(), (0, 0));
}
