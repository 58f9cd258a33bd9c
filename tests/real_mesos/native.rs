//! Programs of the user's own on a real Mesos, in both modes.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::examples::{example, printed};
use crate::run::{MODES, nothing_is_left};

fn with<'a>(program: &'a mut Command, cluster: &Cluster, coarse: &str) -> &'a mut Command {
    let coarse = format!("spark.mesos.coarse={coarse}");
    program.args(["--master", &cluster.master, "--conf", &coarse])
}

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn programs_with_closures_give_in_both_modes_what_threads_give() {
    let cluster = Cluster::up(2);
    for (name, words) in [
        ("wordcount", &["docs/*.md"][..]),
        ("pagerank", &["examples/links.tsv", "3"]),
        ("pi", &["20000", "5"]),
    ] {
        let threads = printed(
            example(name)
                .args(["--master", "local[2]", "-q"])
                .args(words),
        );
        for (mode, coarse) in MODES {
            let mut program = example(name);
            let program = with(&mut program, &cluster, coarse);
            let text = printed(program.args(["--json", "-q"]).args(words));
            let (results, summary) = text.trim_end().rsplit_once('\n').expect("several lines");
            assert_eq!(format!("{results}\n"), threads, "{name} {mode}");
            let summary: Value = serde_json::from_str(summary).expect("JSON");
            assert_eq!(summary["mode"], mode);
            assert_eq!(summary["name"], name);
            let framework = summary["app_id"].as_str().expect("an id");
            nothing_is_left(&cluster, framework).await;
        }
    }
}

#[test]
#[ignore = "needs a real Mesos"]
fn an_executor_that_is_another_program_fails_the_job_and_says_so() {
    let cluster = Cluster::up(1);
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("bin")).expect("made");
    let other = env!("CARGO_BIN_EXE_mesquite");
    symlink(other, home.path().join("bin/mesquite")).expect("linked");
    let home = format!("spark.mesos.executor.home={}", home.path().display());
    for (mode, coarse) in MODES {
        let mut program = example("pi");
        let program = with(&mut program, &cluster, coarse);
        let output = program.args(["--conf", &home, "-q", "100", "2"]).output();
        let output = output.expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{mode}: {stderr}");
        assert!(
            stderr.contains("the executor is another program"),
            "{mode}: {stderr}"
        );
    }
}
