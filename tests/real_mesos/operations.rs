//! Every operation of job files on a real Mesos, in both modes; and what is left of a
//! run with them when its driver is killed.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::{Job, saved};
use crate::run::MODES;

const ALL: &str = include_str!("operations.toml");

/// The words for operations, as the schema has them.
fn words() -> Vec<String> {
    let mut asked = Command::new(env!("CARGO_BIN_EXE_mesquite"));
    let schema = asked.arg("schema").output().expect("the binary runs");
    let schema: Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let one_of = schema["$defs"]["dataset"]["oneOf"].as_array();
    let one_of = one_of.expect("a dataset does one thing").iter();
    one_of
        .map(|it| it["required"][0].as_str().expect("a word").to_owned())
        .collect()
}

/// What is in the folders of values.
fn partitioned(out: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for folder in fs::read_dir(out.join("pairs")).expect("saved").flatten() {
        for part in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = part.path();
            let text = fs::read_to_string(&path).expect("text");
            let name = path.strip_prefix(out).expect("below it").display();
            files.push(format!("{name}: {text}"));
        }
    }
    files.sort();
    files
}

#[test]
#[ignore = "needs a real Mesos"]
fn every_operation_gives_in_both_modes_what_threads_give() {
    for word in words() {
        assert!(ALL.contains(&format!("\n{word} = ")), "{word} is not tried");
    }
    let threads = Job::new(ALL);
    let wanted = threads.run(&["--master", "local[2]"]).succeeded();
    let folders = partitioned(&threads.out());
    assert_eq!(folders.len(), 4, "a file for each record: {folders:?}");
    let cluster = Cluster::up(2);
    for (mode, coarse) in MODES {
        let coarse = format!("spark.mesos.coarse={coarse}");
        let job = Job::new(ALL);
        let ended = job.run(&["--master", &cluster.master, "--conf", &coarse]);
        let ended = ended.succeeded();
        assert_eq!(ended.results, wanted.results, "{mode}");
        assert_eq!(partitioned(&job.out()), folders, "{mode}");
    }
}

/// Items of which one fails, and a `collect` in waves, both under way.
#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn items_that_are_kept_and_a_limit_outlive_their_driver() {
    let cluster = Cluster::up(1);
    for (mode, coarse) in MODES {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let job = Job::new(&format!(
            "[dataset.n]\nitems = [1, 2, 3, 4, 5, 6]\n\
             [dataset.tried]\nfrom = 'n'\non_failure = 'skip'\nallow_failures = 1\npipe = '''\n\
             read n; echo $n >> {at}/begun; [ $n != 3 ] || exit 1\n\
             while [ ! -e {at}/go ]; do sleep 0.05; done; echo done $n'''\n\
             [dataset.many]\nrange = {{ end = 40, partitions = 40 }}\n\
             [dataset.late]\nfrom = 'many'\nfilter = '^7$'\n\
             [dataset.held]\nfrom = 'late'\npipe = '''\n\
             while [ ! -e {at}/go ]; do sleep 0.05; done; cat'''\n\
             [[action]]\nsave = 'tried'\nto = 'target/examples/tried'\n\
             [[action]]\nname = 'found'\ncollect = 'held'\nlimit = 1\n"
        ));
        let coarse = format!("spark.mesos.coarse={coarse}");
        let recovery = format!("mesquite.recovery.dir={at}/recovery");
        let start = || {
            let arguments = ["--master", &cluster.master, "--json", "--conf", &coarse];
            job.start(&[&arguments[..], &["--conf", &recovery]].concat())
        };
        let begun = || fs::read_to_string(folder.path().join("begun")).unwrap_or_default();
        let mut first = start();
        eventually("items are being done", async || {
            (!begun().is_empty()).then_some(())
        })
        .await;
        first.kill().expect("killed");
        first.wait().expect("ended");
        let second = start();
        fs::write(folder.path().join("go"), "").expect("written");
        let ended = job.ended(second.wait_with_output().expect("ended"));
        let ended = ended.succeeded();
        let done = [1, 2, 4, 5, 6].map(|it| format!("done {it}"));
        assert_eq!(saved(&ended.results, "tried"), done, "{mode}");
        assert_eq!(ended.results["stdout"], ["7"], "{mode}");
        let begun = begun();
        let times = |item: &str| begun.lines().filter(|it| *it == item).count();
        for item in ["1", "2", "4", "5", "6"] {
            assert_eq!(times(item), 1, "{mode}: item {item} of {begun}");
        }
        assert_eq!(times("3"), 4, "{mode}: {}", ended.stderr());
        let jobs = ended.summary()["jobs"].as_array().expect("jobs").clone();
        let found = jobs.iter().find(|it| it["name"] == "found");
        let found = found.expect("the job with the limit");
        assert_eq!(
            found["tasks"].as_u64(),
            Some(25),
            "{mode}: waves of 1, 4 and 20"
        );
    }
}
