//! Logs that come, grow, end, are damaged and are held by their writers.

use std::fs::{self, File};

use super::*;

fn text(id: &str, began: u64, job: &str, ended: bool) -> String {
    let mut text = format!(
        "{{\"Event\":\"SparkListenerLogStart\",\"Spark Version\":\"mesquite-1\"}}\n\
         {{\"Event\":\"SparkListenerApplicationStart\",\"App Name\":\"n\",\"App ID\":\"{id}\",\"Timestamp\":{began},\"User\":\"u\"}}\n\
         {{\"Event\":\"SparkListenerJobStart\",\"Job ID\":0,\"Submission Time\":7,\"Stage IDs\":[0]}}\n"
    );
    if !job.is_empty() {
        text += &format!(
            "{{\"Event\":\"SparkListenerJobEnd\",\"Job ID\":0,\"Completion Time\":8,\"Job Result\":{{\"Result\":\"{job}\"}}}}\n"
        );
    }
    if ended {
        text += "{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":9}\n";
    }
    text
}

fn standings(list: &List) -> Vec<(&str, Standing)> {
    let all = list.applications.iter();
    all.map(|it| (it.id(), it.standing)).collect()
}

#[test]
fn new_logs_appear_and_each_says_what_became_of_its_application() {
    let made = tempfile::tempdir().expect("a folder");
    let path = |name: &str| made.path().join(name);
    let folder = Folder::new(made.path());
    assert!(folder.list().applications.is_empty());
    fs::write(path("a"), text("a", 1, "JobSucceeded", true)).expect("written");
    fs::write(path("b"), text("b", 2, "JobFailed", true)).expect("written");
    fs::write(path("c.inprogress"), text("c", 3, "", false)).expect("written");
    fs::write(path("d.inprogress"), text("d", 4, "", false)).expect("written");
    fs::write(path("bad"), "nonsense\n").expect("written");
    fs::write(path("e.lz4"), "x").expect("written");
    let writer = File::open(path("d.inprogress")).expect("there");
    writer.try_lock().expect("nobody else holds it");
    let list = folder.list();
    assert_eq!(
        standings(&list),
        [
            ("d", Standing::Running),
            ("c", Standing::CutOff),
            ("b", Standing::Failed),
            ("a", Standing::Succeeded)
        ]
    );
    let names: Vec<_> = list.unreadable.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["bad", "e.lz4"]);
    assert!(list.unreadable[0].1.contains("line 1 is no event"));
    fs::remove_file(path("a")).expect("removed");
    fs::rename(path("c.inprogress"), path("c")).expect("renamed");
    fs::write(path("c"), text("c", 3, "JobSucceeded", true)).expect("written");
    assert_eq!(
        standings(&folder.list())[1..],
        [("c", Standing::Succeeded), ("b", Standing::Failed)]
    );
}

#[test]
fn nobody_holds_the_logs_of_a_copy() {
    let made = tempfile::tempdir().expect("a folder");
    let log = text("a", 1, "", false);
    fs::write(made.path().join("a.inprogress"), log).expect("written");
    let own = Folder::new(made.path()).list();
    assert_eq!(standings(&own), [("a", Standing::CutOff)]);
    let copy = Folder::copy(made.path(), "s3://b/logs".into());
    assert_eq!(standings(&copy.list()), [("a", Standing::Running)]);
    assert_eq!(copy.shown(), "s3://b/logs");
}

#[test]
fn an_application_is_read_again_when_its_log_has_changed() {
    let made = tempfile::tempdir().expect("a folder");
    let path = made.path().join("a");
    fs::write(&path, text("a", 1, "", false)).expect("written");
    let folder = Folder::new(made.path());
    let open = || {
        let list = folder.list();
        let listed = list.find("a", None).expect("it is listed");
        folder.open(listed).expect("it can be read")
    };
    let first = open();
    assert!(Arc::ptr_eq(&first, &open()));
    fs::write(&path, text("a", 1, "JobSucceeded", true)).expect("written");
    // It was read so fast that this is at once, or nearly so.
    let mut again = open();
    while Arc::ptr_eq(&first, &again) {
        again = open();
    }
    assert_eq!(again.store.application.ended, Some(9));
    assert_eq!(folder.kept(), (1, 0));
    assert!(folder.list().find("a", Some("2")).is_none());
    assert!(folder.list().find("../a", None).is_none());
}

#[test]
fn a_log_that_has_the_name_of_its_application_is_read_once() {
    let made = tempfile::tempdir().expect("a folder");
    let inner = made.path().join("inner");
    fs::create_dir(&inner).expect("made");
    // The list has those first that began last.
    for (path, id, began) in [("inner/a", "a", 2), ("inner/b", "other", 1), ("c", "c", 1)] {
        let text = text(id, began, "JobFailed", true);
        fs::write(made.path().join(path), text).expect("written");
    }
    let folder = Folder::new(&inner);
    for name in ["../c", "..", "", "none", "b"] {
        folder.open_by_name(name);
        assert_eq!(folder.kept().0, 0, "{name}");
    }
    folder.open_by_name("a");
    assert_eq!(folder.kept().0, 1);
    let list = folder.list();
    assert_eq!(
        standings(&list),
        [("a", Standing::Failed), ("other", Standing::Failed)]
    );
    let kept = Arc::clone(&locked(&folder.kept)[&inner.join("a")].whole);
    let opened = folder.open(list.find("a", None).expect("listed"));
    assert!(Arc::ptr_eq(&opened.expect("opened"), &kept));
}

#[test]
fn of_two_logs_of_an_application_one_is_shown_and_the_other_named() {
    let made = tempfile::tempdir().expect("a folder");
    for name in ["x", "y"] {
        fs::write(made.path().join(name), text("a", 1, "", true)).expect("written");
    }
    let list = Folder::new(made.path()).list();
    assert_eq!((list.applications.len(), list.unreadable.len()), (1, 1));
}

#[test]
fn a_folder_that_is_gone_is_told_of() {
    let made = tempfile::tempdir().expect("a folder");
    let list = Folder::new(&made.path().join("none")).list();
    assert!(list.unreadable[0].1.contains("cannot be listed"));
}
