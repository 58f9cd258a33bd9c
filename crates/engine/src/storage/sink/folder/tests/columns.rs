//! Saves whose records are kept apart by fields.

use super::*;
use crate::storage::sink::there::judge;

/// An attempt at a partition with these records, of which the first field names a folder.
fn attempt(to: &Path, task: u64, partition: u32, records: &[&str]) -> Part {
    let context = TaskContext {
        task: TaskId(task),
        partition: Partition(partition),
        ..test_context(to)
    };
    let save = message::Save {
        partition_by: vec!["k".to_owned()],
        ..saved_to(to)
    };
    Part::write(&save, test_records(records), &context).expect("written")
}

fn commit(to: &Path, outputs: &Outputs, partitions: &[&[&str]]) -> Result<(), SinkError> {
    for (partition, records) in (0..).zip(partitions) {
        let part = attempt(to, partition.into(), partition, records);
        part.commit().expect("committed");
    }
    let partitions = u32::try_from(partitions.len()).expect("few");
    outputs.commit(&to.to_string_lossy(), &all(partitions))
}

/// All files, with their text, in the folder and below it.
fn files(to: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for name in names(to) {
        let path = to.join(&name);
        if path.is_dir() {
            let below = self::files(&path);
            files.extend(below.iter().map(|it| format!("{name}/{it}")));
            // A folder without anything would not be seen.
            files.extend(below.is_empty().then_some(name));
        } else if name == SUCCESS {
            files.push(name);
        } else {
            files.push(format!("{name}: {}", text(path).replace('\n', " ")));
        }
    }
    files
}

const OLD: [&[&str]; 3] = [&["a\told", "b\told"], &["b\told"], &["c/d\told"]];
const WAS: [&str; 5] = [
    "_SUCCESS",
    "k=a/part-00000: old ",
    "k=b/part-00000: old ",
    "k=b/part-00001: old ",
    "k=c%2Fd/part-00002: old ",
];
const NEW: [&[&str]; 3] = [&["b\tnew"], &[], &["e\tnew", "b\tmore", "e\tnewer"]];
const IS: [&str; 4] = [
    "_SUCCESS",
    "k=b/part-00000: new ",
    "k=b/part-00002: more ",
    "k=e/part-00002: new newer ",
];

#[test]
fn each_value_has_a_folder_and_a_later_save_replaces_them_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    commit(&path, &begun(&path, false).expect("new"), &OLD).expect("complete");
    assert_eq!(files(&path), WAS);
    commit(&path, &begun(&path, true).expect("ours"), &NEW).expect("complete");
    assert_eq!(files(&path), IS);
    save(&path, true, &["x"]).expect("ours");
    assert_eq!(files(&path), ["_SUCCESS", "part-00000: x "]);
    commit(&path, &begun(&path, true).expect("ours"), &OLD).expect("complete");
    assert_eq!(files(&path), WAS);
}

#[test]
fn what_others_put_into_the_folder_of_a_value_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    commit(&path, &begun(&path, false).expect("new"), &OLD).expect("complete");
    for name in ["k=a/notes.txt", "k=a/part-00009", "k=z/part-00000"] {
        let other = path.join(name);
        let above = other.parent().expect("a folder");
        let is_new = fs::create_dir(above).is_ok();
        fs::write(&other, "mine").expect("written");
        match begun(&path, true) {
            Err(SinkError::Foreign { first, .. }) => assert!(name.starts_with(&first), "{first}"),
            other => panic!("{name}: {other:?}"),
        }
        fs::remove_file(&other).expect("removed");
        if is_new {
            fs::remove_dir(above).expect("removed");
        }
    }
    assert_eq!(files(&path), WAS);
}

#[test]
fn of_attempts_that_were_lost_after_they_committed_nothing_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let outputs = begun(&path, false).expect("new");
    let lost = attempt(&path, 10, 0, &["lost\tx", "b\tx"]);
    lost.commit().expect("committed");
    drop(attempt(&path, 11, 0, &["denied\tx"]));
    commit(&path, &outputs, &NEW).expect("complete");
    assert_eq!(files(&path), IS);
}

#[test]
fn a_partition_that_is_not_there_is_missed_and_an_empty_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let outputs = begun(&path, false).expect("new");
    attempt(&path, 1, 1, &[]).commit().expect("committed");
    let missing = outputs.commit(&path.to_string_lossy(), &all(2));
    assert!(
        matches!(
            missing,
            Err(SinkError::Missing {
                partition: Partition(0),
                ..
            })
        ),
        "{missing:?}"
    );
    attempt(&path, 2, 0, &[]).commit().expect("committed");
    let done = outputs.commit(&path.to_string_lossy(), &all(2));
    done.expect("both are empty");
    assert_eq!(files(&path), [SUCCESS]);
}

/// What a driver that is killed leaves, `steps` renames into its commit; whether that
/// was the end.
fn broken_off(path: &Path, steps: usize) -> bool {
    commit(path, &begun(path, false).expect("new"), &OLD).expect("complete");
    let mut outputs = ManuallyDrop::new(begun(path, true).expect("ours"));
    for (partition, records) in (0..).zip(NEW) {
        let part = attempt(path, partition.into(), partition, records);
        part.commit().expect("committed");
    }
    let committed = path.join(TEMPORARY).join(COMMITTED);
    let parts = parts_in(&committed).expect("readable");
    let manifest = manifest_of(&committed, &parts, None, None).expect("readable");
    let replaced = judge(path, true).expect("ours");
    let moving = begin_moving(path, parts, replaced, (SUCCESS, &manifest)).expect("written");
    let aside = path.join(TEMPORARY).join(REPLACED);
    let replaced = moving.replaced.iter();
    let replaced = replaced.map(|name| (path.join(name), aside.join(name)));
    let new = moving.new.iter();
    let new = new.map(|name| (committed.join(waiting(name)), path.join(name)));
    let all: Vec<_> = replaced.chain(new).collect();
    for (from, to) in all.iter().take(steps) {
        move_file(from, to).expect("moved");
    }
    if steps > all.len() {
        remove_empty(path, moving.replaced.iter());
        fs::remove_dir_all(&committed).expect("removed");
    }
    for output in &mut outputs.0 {
        output.begun().take();
    }
    steps >= all.len()
}

#[test]
fn putting_folders_in_place_goes_on_or_is_undone_wherever_it_was_broken_off() {
    for steps in 0..=10 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        broken_off(&path, steps);
        let to = path.to_string_lossy();
        for _ in 0..2 {
            let saves = std::iter::once(Save {
                to: to.as_ref(),
                overwrite: true,
                partitioned: true,
                items: None,
            });
            let outputs = Outputs::resume(saves).expect("nobody else has it");
            outputs.commit(&to, &all(3)).expect("complete");
            assert_eq!(files(&path), IS, "after {steps}");
        }
        let path = folder.path().join("undone");
        let is_done = broken_off(&path, steps);
        drop(begun(&path, true).expect("its owner is dead"));
        let wanted: &[&str] = if is_done { &IS } else { &WAS };
        assert_eq!(files(&path), wanted, "after {steps}");
    }
}
