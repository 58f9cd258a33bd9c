//! Saves into object stores, with one in memory: what is seen when, and what is left.

use std::io::Write as _;
use std::mem::ManuallyDrop;

use object_store::memory::InMemory;

use super::super::upload::{Upload, Uploads};
use super::*;
use crate::ids::TaskId;
use crate::storage::remote::wait;
use crate::task::{TaskContext, test_context};

fn place() -> Place {
    Place::of("s3://bucket/x").expect("a store")
}

/// A store, and a folder in it.
fn folder() -> (Arc<dyn Store>, Objects) {
    let store: Arc<dyn Store> = Arc::new(InMemory::new());
    let path = place().path().expect("a path");
    let objects = Objects::within(Arc::clone(&store), path, &place());
    (store, objects)
}

/// An attempt's upload of one record, and what it says of it to the driver.
fn attempt(store: &Arc<dyn Store>, task: u64, file: &str, text: &str) -> Bytes {
    let context = TaskContext {
        task: TaskId(task),
        ..test_context(std::path::Path::new("/"))
    };
    let upload = Upload::begin_in(Arc::clone(store), &place(), (file, 0), &context);
    let mut upload = upload.expect("begun");
    upload.write_all(text.as_bytes()).expect("written");
    upload.finish().expect("sent");
    upload.commit().expect("told")
}

fn names(store: &Arc<dyn Store>) -> Vec<String> {
    let listed = wait(async {
        let all: Vec<_> = store
            .list(None)
            .map_ok(|it| it.location)
            .try_collect()
            .await?;
        Ok(all)
    });
    let mut names: Vec<_> = listed
        .expect("listed")
        .iter()
        .map(ToString::to_string)
        .collect();
    names.sort();
    names
}

fn text(store: &Arc<dyn Store>, name: &str) -> String {
    let path = Path::from(name);
    let got = wait(async { Ok(store.get(&path).await?.bytes().await?) });
    String::from_utf8(got.expect("there").to_vec()).expect("text")
}

/// A whole save of one record a partition.
fn save(store: &Arc<dyn Store>, objects: &Objects, overwrite: bool, records: &[&str]) -> Done<()> {
    objects.check(overwrite)?;
    let _claim = objects.begin()?;
    let results = upload_all(store, records);
    objects.commit(
        u32::try_from(records.len()).expect("few"),
        &results,
        overwrite,
    )
}

fn upload_all(store: &Arc<dyn Store>, records: &[&str]) -> Vec<Bytes> {
    let all = records.iter().zip(0..);
    all.map(|(record, index)| attempt(store, index, &format!("part-{index:05}"), record))
        .collect()
}

#[test]
fn of_several_attempts_that_is_there_whose_result_the_driver_has() {
    let (store, objects) = folder();
    objects.check(false).expect("nothing is there");
    let claim = objects.begin().expect("free");
    // The first one's executor is lost before it can tell.
    drop(attempt(&store, 1, "part-00000", "lost"));
    let told = attempt(&store, 2, "part-00000", "told");
    drop(attempt(&store, 3, "part-00000", "too late"));
    assert!(
        !names(&store).contains(&"x/part-00000".to_owned()),
        "nothing is seen yet"
    );
    let missing = objects.commit(2, std::slice::from_ref(&told), false);
    assert!(matches!(
        missing,
        Err(SinkError::Missing {
            partition: Partition(1),
            ..
        })
    ));
    objects.commit(1, &[told], false).expect("complete");
    drop(claim);
    assert_eq!(names(&store), ["x/_SUCCESS", "x/part-00000"]);
    assert_eq!(text(&store, "x/part-00000"), "told");
    // Again, by a driver that does not know that it was done.
    assert!(objects.resume().expect("readable").is_none());
}

#[test]
fn a_run_that_is_not_at_its_end_is_not_disturbed() {
    let (store, objects) = folder();
    let claim = objects.begin().expect("free");
    let results = upload_all(&store, &["a"]);
    let refused = objects.check(true).expect_err("it lives").to_string();
    assert!(refused.contains("another run"), "{refused}");
    objects.commit(1, &results, false).expect("complete");
    drop(claim);
    objects.check(true).expect("it is over");
    let refused = objects.check(false).expect_err("not empty");
    assert!(matches!(refused, SinkError::NotEmpty { .. }), "{refused}");
}

#[test]
fn what_others_put_there_during_the_run_is_not_lost() {
    let (store, objects) = folder();
    save(&store, &objects, false, &["old"]).expect("nothing was there");
    let claim = objects.begin().expect("free");
    let results = upload_all(&store, &["new"]);
    let stranger = Path::from("x/part-00009");
    wait(async { Ok(store.put(&stranger, "mine".into()).await?) }).expect("put");
    let refused = objects
        .commit(1, &results, true)
        .expect_err("not ours")
        .to_string();
    assert!(refused.contains("`part-00009`"), "{refused}");
    objects.abort();
    drop(claim);
    assert_eq!(
        names(&store),
        ["x/_SUCCESS", "x/part-00000", "x/part-00009"]
    );
    assert_eq!(text(&store, "x/part-00000"), "old");
}

#[test]
fn what_was_decided_is_finished_wherever_it_was_broken_off() {
    for steps in 0..=6 {
        let (store, objects) = folder();
        save(&store, &objects, false, &["old 0", "old 1", "old 2"]).expect("nothing was there");
        let claim = ManuallyDrop::new(objects.begin().expect("free"));
        let results = upload_all(&store, &["new 0", "new 1"]);
        let new: Vec<Uploaded> = results
            .iter()
            .map(|it| serde_json::from_slice(it).expect("ours"))
            .collect();
        let moving = Moving {
            replaced: objects.judge(true).expect("ours"),
            new,
        };
        let written = serde_json::to_string(&moving).expect("text");
        objects.put(MOVING, &written).expect("put");
        let success = objects.at(SUCCESS);
        let remove = |path: Path| wait(async { Ok(store.delete(&path).await?) }).expect("removed");
        let manifest = moving.manifest().text();
        for step in 1..=steps {
            match step {
                1 => remove(success.clone()),
                2 | 3 => {
                    wait(async { Ok(objects.complete(&moving.new[step - 2], &moving).await?) })
                        .expect("completed");
                }
                4 => remove(objects.at("part-00002")),
                5 => drop(
                    wait(async { Ok(store.put(&success, manifest.clone().into()).await?) })
                        .expect("put"),
                ),
                _ => remove(objects.temporary(MOVING)),
            }
        }
        // The kernel takes back the locks of the dead, and nothing else is done.
        drop(ManuallyDrop::into_inner(claim));
        objects.check(true).expect("it is finished");
        let wanted = ["x/_SUCCESS", "x/part-00000", "x/part-00001"];
        assert_eq!(names(&store), wanted, "after {steps}");
        assert_eq!(text(&store, "x/part-00000"), "new 0", "after {steps}");
        assert_eq!(text(&store, "x/part-00001"), "new 1", "after {steps}");
    }
}

#[test]
fn what_is_not_ours_is_not_swept_up() {
    let (store, objects) = folder();
    let stranger = Path::from("x/_temporary/0/task");
    wait(async { Ok(store.put(&stranger, "mine".into()).await?) }).expect("put");
    let refused = objects.check(true).expect_err("not ours").to_string();
    assert!(refused.contains("`_temporary`"), "{refused}");
    assert_eq!(names(&store), ["x/_temporary/0/task"]);
    // What an attempt wrote after its run had ended.
    let (store, objects) = folder();
    drop(attempt(&store, 1, "part-00000", "late"));
    objects.check(false).expect("it is nobody's");
    assert_eq!(names(&store), [""; 0]);
    // A run of another machine: nobody knows whether it lives.
    let owner = Owner {
        host: "elsewhere".into(),
        ..Owner::of_this_run(false)
    };
    objects.put(OWNER, &owner.text()).expect("put");
    let refused = objects.check(true).expect_err("who knows").to_string();
    assert!(
        refused.contains("a run on elsewhere") && refused.contains("s3://bucket/x/_temporary/"),
        "{refused}"
    );
}

#[test]
fn only_what_completes_the_upload_of_a_partition_is_said_of_one_that_is_saved() {
    let said = |to: &str, result: &str| super::super::is_saved(to, Partition(3), result.as_bytes());
    let upload = r#"{"file":"part-00003","upload":"u","parts":["p"],"size":1}"#;
    assert!(said("s3://bucket/out", upload));
    for wrong in [
        "",
        "{}",
        &upload.replace('3', "4"),
        &upload.replace("\"p\"", ""),
    ] {
        assert!(!said("s3://bucket/out", wrong), "{wrong}");
    }
    assert!(said("out", ""));
    assert!(!said("out", upload));
}

/// The uploads of one task whose records are kept apart by a field.
fn attempt_of_tree(
    store: &Arc<dyn Store>,
    task: u64,
    partition: u32,
    files: &[(&str, &str)],
) -> Uploads {
    let context = TaskContext {
        task: TaskId(task),
        ..test_context(std::path::Path::new("/"))
    };
    let mut uploads = Uploads::of(partition);
    for (number, (folder, text)) in files.iter().enumerate() {
        let file = format!("{folder}/part-{partition:05}");
        let upload = Upload::begin_in(Arc::clone(store), &place(), (&file, number), &context);
        let mut upload = upload.expect("begun");
        upload.write_all(text.as_bytes()).expect("written");
        upload.finish().expect("sent");
        uploads.push(upload);
    }
    uploads
}

#[test]
fn objects_in_folders_of_values_are_seen_at_the_end_and_replaced_by_the_next_save() {
    let (store, objects) = folder();
    objects.check(false).expect("nothing is there");
    let claim = objects.begin().expect("free");
    drop(attempt_of_tree(
        &store,
        1,
        0,
        &[("k=a", "lost"), ("k=b", "lost")],
    ));
    let first = attempt_of_tree(&store, 2, 0, &[("k=a", "1"), ("k=b%2Fc", "2")]);
    let first = first.commit().expect("told");
    let second = attempt_of_tree(&store, 3, 1, &[]).commit().expect("told");
    assert!(is_upload_of(Partition(0), &first) && is_upload_of(Partition(1), &second));
    assert!(!is_upload_of(Partition(1), &first), "another partition's");
    let elsewhere = String::from_utf8_lossy(&first).replace("k=a/", "../");
    assert!(!is_upload_of(Partition(0), elsewhere.as_bytes()));
    let missing = objects.commit(3, &[first.clone(), second.clone()], false);
    assert!(matches!(missing, Err(SinkError::Missing { .. })));
    objects
        .commit(2, &[first, second], false)
        .expect("complete");
    drop(claim);
    let all = ["x/_SUCCESS", "x/k=a/part-00000", "x/k=b%2Fc/part-00000"];
    assert_eq!(names(&store), all);
    let notes = Path::from("x/k=a/notes");
    wait(async { Ok(store.put(&notes, "mine".into()).await?) }).expect("put");
    let refused = objects.check(true).expect_err("not ours").to_string();
    assert!(refused.contains("`k=a/notes`"), "{refused}");
    wait(async { Ok(store.delete(&notes).await?) }).expect("deleted");
    save(&store, &objects, true, &["plain"]).expect("it was ours");
    assert_eq!(names(&store), ["x/_SUCCESS", "x/part-00000"]);
}
