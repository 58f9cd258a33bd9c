//! Saves into folders: what is replaced, refused and left.

use std::mem::ManuallyDrop;
use std::os::unix::fs::symlink;

use super::super::{Outputs, Part, Save, finished_before};
use super::*;
use crate::ids::TaskId;
use crate::rpc::message::result_work as message;
use crate::task::{TaskContext, test_context, test_records};

mod columns;

fn attempt(to: &Path, task: u64, partition: u32, text: &str) -> Part {
    let context = TaskContext {
        task: TaskId(task),
        partition: Partition(partition),
        ..test_context(to)
    };
    Part::write(&saved_to(to), test_records(&[text]), &context).expect("written")
}

fn saved_to(to: &Path) -> message::Save {
    message::Save {
        to: to.to_string_lossy().into_owned(),
        ..message::Save::default()
    }
}

fn names(to: &Path) -> Vec<String> {
    let entries = fs::read_dir(to).expect("a folder").flatten();
    let mut names: Vec<_> = entries
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(path).expect("there")
}

fn all(partitions: u32) -> Commit<'static> {
    Commit {
        partitions,
        results: &[],
        without: &[],
        complete: true,
    }
}

fn begun(to: &Path, overwrite: bool) -> Result<Outputs, SinkError> {
    let to = to.to_string_lossy().into_owned();
    let save = Save {
        to: &to,
        overwrite,
        partitioned: false,
        items: None,
    };
    Outputs::begin(std::iter::once(save), &std::iter::empty())
}

/// A whole save of one record a partition.
fn save(to: &Path, overwrite: bool, records: &[&str]) -> Result<(), SinkError> {
    let outputs = begun(to, overwrite)?;
    for (index, record) in records.iter().enumerate() {
        let partition = u32::try_from(index).expect("few");
        let part = attempt(to, u64::from(partition), partition, record);
        part.commit().expect("committed");
    }
    let partitions = u32::try_from(records.len()).expect("few");
    outputs.commit(&to.to_string_lossy(), &all(partitions))
}

#[test]
fn files_appear_whole_with_their_final_names_when_all_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let to = path.to_string_lossy();
    let outputs = begun(&path, false).expect("a new folder");
    attempt(&path, 1, 0, "first").commit().expect("committed");
    drop(attempt(&path, 2, 1, "not committed"));
    assert!(matches!(
        outputs.commit(&to, &all(2)),
        Err(SinkError::Missing {
            partition: Partition(1),
            ..
        })
    ));
    assert_eq!(names(&path), ["_temporary"]);
    attempt(&path, 3, 1, "second").commit().expect("committed");
    outputs.commit(&to, &all(2)).expect("complete");
    drop(outputs);
    assert_eq!(names(&path), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(text(path.join("part-00001")), "second\n");
}

#[test]
fn only_what_a_save_wrote_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    save(&path, false, &["a", "b"]).expect("a new folder");
    let refused = save(&path, false, &["c"]).expect_err("it is not empty");
    assert!(matches!(refused, SinkError::NotEmpty { .. }), "{refused}");
    save(&path, true, &["c"]).expect("it was ours");
    assert_eq!(names(&path), ["_SUCCESS", "part-00000"]);
    assert_eq!(text(path.join("part-00000")), "c\n");
    // Each of these makes it somebody else's, and nothing is touched.
    let success = text(path.join("_SUCCESS"));
    type Change<'a> = &'a dyn Fn() -> io::Result<()>;
    let changes: [(&str, Change<'_>); 5] = [
        ("notes.txt", &|| fs::write(path.join("notes.txt"), "x")),
        ("part-00000", &|| {
            fs::write(path.join("part-00000"), "my own")
        }),
        ("part-00001", &|| symlink("/etc", path.join("part-00001"))),
        ("sub", &|| fs::create_dir(path.join("sub"))),
        ("_SUCCESS", &|| {
            fs::remove_file(path.join("part-00000"))?;
            fs::write(path.join("_SUCCESS"), "")
        }),
    ];
    for (name, change) in changes {
        change().expect("changed");
        let before = names(&path);
        match save(&path, true, &["d"]) {
            Err(SinkError::Foreign { first, .. }) => assert_eq!(first, name),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(names(&path), before);
        let _ = fs::remove_file(path.join(name));
        let _ = fs::remove_dir(path.join(name));
        fs::write(path.join("part-00000"), "c\n").expect("written");
        fs::write(path.join("_SUCCESS"), &success).expect("written");
    }
}

#[test]
fn what_comes_into_the_folder_during_the_run_is_not_lost() {
    for overwrite in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        save(&path, false, &["old"]).expect("a new folder");
        if !overwrite {
            fs::remove_dir_all(&path).expect("removed");
        }
        let outputs = begun(&path, overwrite).expect("ours or new");
        attempt(&path, 1, 0, "new").commit().expect("committed");
        fs::write(path.join("part-00009"), "a stranger's").expect("written");
        let before = names(&path);
        let refused = outputs.commit(&path.to_string_lossy(), &all(1));
        let refused = refused.expect_err("not ours").to_string();
        assert!(refused.contains("`part-00009`"), "{refused}");
        drop(outputs);
        let before: Vec<_> = before.into_iter().filter(|it| it != TEMPORARY).collect();
        assert_eq!(names(&path), before);
        assert_eq!(text(path.join("part-00009")), "a stranger's");
        if overwrite {
            assert_eq!(text(path.join("part-00000")), "old\n");
        }
    }
}

/// What a driver that is killed leaves, `steps` renames into its commit.
fn broken_off(path: &Path, steps: usize) -> bool {
    save(path, false, &["old 0", "old 1", "old 2"]).expect("a new folder");
    let mut outputs = ManuallyDrop::new(begun(path, true).expect("ours"));
    for partition in 0..2 {
        let part = attempt(path, partition.into(), partition, "new");
        part.commit().expect("committed");
    }
    let committed = path.join(TEMPORARY).join(COMMITTED);
    let parts = parts_in(&committed).expect("readable");
    let manifest = manifest_of(&committed, &parts, None, None).expect("readable");
    let replaced = judge(path, true).expect("ours");
    let moving = begin_moving(path, parts, replaced, (SUCCESS, &manifest)).expect("written");
    let temporary = path.join(TEMPORARY);
    let aside = moving
        .replaced
        .iter()
        .map(|name| (path.join(name), temporary.join(REPLACED).join(name)));
    let placed = moving
        .new
        .iter()
        .map(|name| (temporary.join(COMMITTED).join(name), path.join(name)));
    let all: Vec<_> = aside.chain(placed).collect();
    for (from, to) in all.iter().take(steps) {
        fs::rename(from, to).expect("moved");
    }
    if steps > all.len() {
        fs::remove_dir(temporary.join(COMMITTED)).expect("empty");
    }
    // The kernel takes back the locks of the dead, and nothing else is done.
    for output in &mut outputs.0 {
        output.begun().take();
    }
    steps >= all.len()
}

const NEW: [&str; 3] = ["_SUCCESS", "part-00000", "part-00001"];
const OLD: [&str; 4] = ["_SUCCESS", "part-00000", "part-00001", "part-00002"];

#[test]
fn putting_files_in_place_goes_on_wherever_it_was_broken_off() {
    for steps in 0..=8 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        broken_off(&path, steps);
        let to = path.to_string_lossy();
        for _ in 0..2 {
            let saves = std::iter::once(Save {
                to: to.as_ref(),
                overwrite: true,
                partitioned: false,
                items: None,
            });
            let outputs = Outputs::resume(saves).expect("nobody else has it");
            outputs.commit(&to, &all(2)).expect("complete");
            assert_eq!(names(&path), NEW, "after {steps}");
            assert_eq!(text(path.join("part-00001")), "new\n");
        }
    }
}

#[test]
fn what_a_dead_run_replaced_is_put_back_by_the_next_that_fails() {
    for steps in 0..=8 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out");
        let is_done = broken_off(&path, steps);
        drop(begun(&path, true).expect("its owner is dead"));
        let (wanted, line) = if is_done {
            (&NEW[..], "new\n")
        } else {
            (&OLD[..], "old 1\n")
        };
        assert_eq!(names(&path), wanted, "after {steps}");
        assert_eq!(text(path.join("part-00001")), line);
    }
}

#[test]
fn a_job_that_failed_leaves_no_folder_but_the_one_that_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let outputs = begun(&path, false).expect("a new folder");
    attempt(&path, 1, 0, "x").commit().expect("committed");
    outputs.abort(&path.to_string_lossy());
    assert!(!path.exists());
    fs::create_dir(&path).expect("made");
    drop(begun(&path, false).expect("an empty folder"));
    assert_eq!(names(&path), [""; 0]);
}

#[test]
fn a_live_run_is_not_disturbed_and_a_dead_one_is_no_hindrance() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let outputs = ManuallyDrop::new(begun(&path, false).expect("a new folder"));
    let kept = ManuallyDrop::new(attempt(&path, 1, 0, "x"));
    let refused = begun(&path, true).expect_err("it lives").to_string();
    assert!(refused.contains("another run"), "{refused}");
    assert!(refused.contains(&std::process::id().to_string()));
    assert!(kept.exists());
    outputs.0[0].begun().take();
    save(&path, false, &["y"]).expect("it is dead");
    assert_eq!(names(&path), ["_SUCCESS", "part-00000"]);
    // The same under another name, and what is no folder of ours.
    let temporary = path.join(TEMPORARY);
    fs::create_dir(&temporary).expect("made");
    fs::write(temporary.join("0"), "of another program").expect("written");
    let refused = begun(&path, true).expect_err("not ours").to_string();
    assert!(refused.contains("`_temporary`"), "{refused}");
    fs::remove_file(temporary.join("0")).expect("removed");
    let elsewhere = Owner {
        host: "elsewhere".into(),
        ..Owner::of_this_run(false)
    };
    fs::write(temporary.join(OWNER), elsewhere.text()).expect("written");
    let refused = begun(&path, true).expect_err("who knows").to_string();
    assert!(refused.contains("a run on elsewhere"), "{refused}");
}

#[test]
fn an_attempt_that_does_not_see_what_the_driver_made_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("out");
    let error = Part::write(
        &saved_to(&to),
        test_records(&["x"]),
        &test_context(folder.path()),
    );
    let error = error.expect_err("nothing is prepared").to_string();
    assert!(error.contains("the same folder on every agent"), "{error}");
    assert!(!to.exists());
}

const NONE: [u32; 0] = [];

/// A run of three items of which these are left out; what it finds there, and how it ends.
fn items(to: &Path, job: &str, overwrite: bool, fail: &[u32]) -> Result<Vec<u32>, SinkError> {
    let name = to.to_string_lossy().into_owned();
    let save = Save {
        to: &name,
        overwrite,
        partitioned: false,
        items: Some(job.to_owned()),
    };
    let there = finished_before(std::iter::once(save.clone()))?;
    let there = there.get(&name).cloned().unwrap_or_default();
    let outputs = Outputs::begin(std::iter::once(save), &std::iter::empty())?;
    for partition in (0..3).filter(|it| !there.contains(it)) {
        let text = format!("{job} {partition}");
        let part = attempt(to, partition.into(), partition, &text);
        part.commit().expect("committed");
    }
    let without: Vec<_> = fail.iter().copied().map(Partition).collect();
    let commit = Commit {
        without: &without,
        complete: without.is_empty(),
        ..all(3)
    };
    outputs.commit(&name, &commit)?;
    Ok(there)
}

#[test]
fn items_that_were_left_out_are_added_to_those_that_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    assert_eq!(items(&path, "a", false, &[1, 2]).expect("new"), NONE);
    assert_eq!(names(&path), ["_PARTIAL", "part-00000"]);
    assert_eq!(items(&path, "a", false, &[1]).expect("gone on with"), [0]);
    assert_eq!(names(&path), ["_PARTIAL", "part-00000", "part-00002"]);
    // Also where a save may be replaced.
    assert_eq!(items(&path, "a", true, &[]).expect("gone on with"), [0, 2]);
    let whole = ["_SUCCESS", "part-00000", "part-00001", "part-00002"];
    assert_eq!(names(&path), whole);
    let refused = items(&path, "a", false, &[]).expect_err("it is done");
    assert!(matches!(refused, SinkError::NotEmpty { .. }), "{refused}");
    assert_eq!(items(&path, "a", true, &[0]).expect("all anew"), NONE);
    assert_eq!(names(&path), ["_PARTIAL", "part-00001", "part-00002"]);
}

#[test]
fn what_is_left_of_other_items_or_was_changed_is_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    items(&path, "a", false, &[1]).expect("new");
    let refused = items(&path, "b", false, &[])
        .expect_err("others")
        .to_string();
    assert!(refused.contains("the items, or what is done"), "{refused}");
    assert_eq!(text(path.join("part-00000")), "a 0\n");
    assert_eq!(items(&path, "b", true, &[1]).expect("replaced"), NONE);
    assert_eq!(text(path.join("part-00000")), "b 0\n");
    fs::write(path.join("part-00000"), "my own").expect("written");
    let refused = items(&path, "b", false, &[])
        .expect_err("changed")
        .to_string();
    assert!(refused.contains("`part-00000` was changed"), "{refused}");
    let refused = items(&path, "b", true, &[]).expect_err("not ours");
    assert!(matches!(refused, SinkError::Foreign { .. }), "{refused}");
    assert_eq!(text(path.join("part-00000")), "my own");
}
