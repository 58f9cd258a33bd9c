//! What a job file can say beside its datasets, run by the binary: parameters,
//! included files, and the examples of `docs/jobs.md` as they stand there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MASTERS: [&str; 2] = ["local[2]", "local-cluster[2,1,512]"];

/// Runs the binary in a folder.
fn mesquite(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(arguments)
        .current_dir(folder)
        .env("TMPDIR", folder)
        .env("LEVEL", "E")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// What a run printed, if it succeeded.
fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The blocks of the document that begin with the name of a file, in a folder.
fn documented(folder: &Path) {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/jobs.md");
    let document = fs::read_to_string(document).expect("a document");
    let mut written = 0;
    for block in document.split("```toml\n# ").skip(1) {
        let (block, _) = block.split_once("```").expect("an end");
        let (name, block) = block.split_once('\n').expect("a name");
        fs::write(folder.join(name), block).expect("written");
        written += 1;
    }
    assert!(written > 0, "the document has no named examples");
}

fn all_of(folder: &Path) -> Vec<String> {
    let parts = fs::read_dir(folder)
        .expect("a folder")
        .map(|it| it.expect("there").path());
    let parts = parts.filter(|it| it.file_name().is_some_and(|it| it != "_SUCCESS"));
    let texts = parts.map(|it| fs::read_to_string(it).expect("text"));
    let mut lines: Vec<_> = texts
        .flat_map(|it| it.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.sort();
    lines
}

#[test]
fn the_documented_parameters_and_included_files_do_what_is_said() {
    for master in MASTERS {
        let folder = tempfile::tempdir().expect("a folder");
        let jobs = folder.path().join("jobs");
        fs::create_dir_all(jobs.join("logs/monday")).expect("made");
        fs::write(
            jobs.join("logs/monday/a.log"),
            "ERROR\tx\nINFO\ty\nERROR\tz\n",
        )
        .expect("written");
        documented(&jobs);
        // The paths are those of the file, wherever it is started.
        let run = ["run", "jobs/day.toml", "--master", master];
        let arguments = [&run[..], &["--set", "day=monday", "--set", "parts=3"]].concat();
        stdout(&mesquite(folder.path(), &arguments));
        let out = jobs.join("out/monday");
        assert_eq!(all_of(&out), ["ERROR\t2"], "{master}");
        assert!(out.join("part-00002").exists() && !out.join("part-00003").exists());
        let without = mesquite(folder.path(), &run);
        assert_eq!(without.status.code(), Some(2));
        let told = text(&without.stderr);
        assert!(told.contains("jobs/day.toml:"), "{told}");
        assert!(
            told.contains("give it one with `--set day=VALUE`"),
            "{told}"
        );
    }
}

/// The summary of `--json`, which is the last line.
fn summary(stdout: &str) -> serde_json::Value {
    serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn the_documented_actions_come_in_order_and_say_whose_results_they_give() {
    for master in MASTERS {
        let folder = tempfile::tempdir().expect("a folder");
        documented(folder.path());
        let output = mesquite(folder.path(), &["run", "ordered.toml", "--master", master]);
        let printed = "how many: 500\ncollect of odd:\n1\n3\n5\n";
        assert_eq!(stdout(&output), printed, "{master}");
        fs::remove_dir_all(folder.path().join("out")).expect("it saved");
        let run = ["run", "ordered.toml", "--master", master, "--json"];
        let output = mesquite(folder.path(), &run);
        let stdout = stdout(&output);
        assert!(stdout.starts_with(printed), "{stdout}");
        let summary = summary(stdout);
        assert_eq!(summary["results"][0]["name"], "how many");
        assert_eq!(summary["results"][0]["count"], 500);
        assert_eq!(summary["results"][1]["records"][2], "5");
        // The save is job 1: the count waited for it.
        let jobs = summary["jobs"].as_array().expect("jobs");
        let of = |action: &str| {
            jobs.iter()
                .find(|it| it["action"] == action)
                .expect("a job")
        };
        assert_eq!(of("count")["id"], 2);
        assert_eq!(of("collect")["tasks"], 1, "the first partition has enough");
    }
}

#[test]
fn of_a_thousand_partitions_a_limit_of_one_takes_one_task() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = "[dataset.n]\nrange = { start = 5, end = 100000, partitions = 1000 }\n\
               [dataset.late]\nfrom = 'n'\nfilter = '^99999$'\n\
               [[action]]\ncollect = 'n'\nlimit = 1\nto_stdout = false\n\
               [[action]]\ncollect = 'late'\nlimit = 1\n";
    fs::write(folder.path().join("job.toml"), job).expect("written");
    for master in MASTERS {
        let output = mesquite(
            folder.path(),
            &["run", "job.toml", "--master", master, "--json"],
        );
        let stdout = stdout(&output);
        let summary = summary(stdout);
        // Only one of the two is printed, and so as it is.
        assert!(stdout.starts_with("99999\n{"), "{stdout}");
        assert_eq!(summary["results"][0]["records"], serde_json::json!(["5"]));
        assert_eq!(summary["jobs"][0]["tasks"], 1, "{master}");
        assert_eq!(summary["jobs"][1]["tasks"], 1000, "{master}");
    }
}

#[test]
fn what_comes_after_a_failure_is_told_as_not_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = "[dataset.i]\nitems = [1]\n[dataset.bad]\nfrom = 'i'\npipe = 'exit 3'\n\
               [[action]]\nname = 'first'\ncount = 'bad'\n\
               [[action]]\ncount = 'i'\nafter = ['first']\n[[action]]\ncollect = 'i'\n";
    fs::write(folder.path().join("job.toml"), job).expect("written");
    let output = mesquite(folder.path(), &["run", "job.toml", "--master", "local[2]"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "collect of i:\n1\n");
    let told = text(&output.stderr);
    assert!(told.contains("count of i was not begun"), "{told}");
    let error = "count of `i` failed: `first`, after which it comes, did not succeed";
    assert!(told.contains(error), "{told}");
}

#[test]
fn a_run_has_the_stages_and_tasks_that_its_plan_shows_and_the_same_warnings() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = "[dataset.n]\nrange = { end = 1000, partitions = 7 }\n\
               [dataset.k]\nfrom = 'n'\nkey_by = { field = 1, separator = '0' }\npersist = true\n\
               [dataset.c]\nfrom = 'k'\ncount_by_key = { partitions = 3 }\n\
               [dataset.s]\nfrom = 'c'\nsort = { partitions = 2 }\n\
               [dataset.j]\nfrom = 's'\njoin = { with = 'k', partitions = 5 }\n\
               [dataset.idle]\nfrom = 'j'\ndistinct = true\n\
               [[action]]\ncount = 'c'\n[[action]]\ncount = 'j'\n[[action]]\ncollect = 's'\n";
    fs::write(folder.path().join("job.toml"), job).expect("written");
    let planned = mesquite(folder.path(), &["plan", "job.toml", "--json"]);
    let run = mesquite(
        folder.path(),
        &["run", "job.toml", "--json", "--master", "local[4]"],
    );
    for output in [&planned, &run] {
        let told = text(&output.stderr);
        assert!(
            told.contains("job.toml:16: dataset `idle` is never used"),
            "{told}"
        );
    }
    let (planned, run) = (summary(stdout(&planned)), summary(stdout(&run)));
    let stages: Vec<_> = planned["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .flat_map(|job| job["stages"].as_array().expect("stages").clone())
        .collect();
    let tasks: u64 = stages
        .iter()
        .map(|it| it["tasks"].as_u64().expect("a number"))
        .sum();
    let sum = |of: &str| -> u64 {
        let jobs = run["jobs"].as_array().expect("jobs").iter();
        jobs.map(|it| it[of].as_u64().expect("a number")).sum()
    };
    assert_eq!(sum("tasks"), tasks);
    assert_eq!(sum("stages"), stages.len() as u64);
}

#[test]
fn a_command_sees_parameters_and_keeps_what_is_the_shells() {
    let folder = tempfile::tempdir().expect("a folder");
    let job = "[params]\nx = 'a b'\n[dataset.i]\nitems = ['${x}']\n[dataset.p]\nfrom = 'i'\npipe = '''\
               read -r y; echo \"${x}|${y}|$${x}|${y#a }|${env:LEVEL}\"'''\n[[action]]\ncollect = 'p'\n";
    fs::write(folder.path().join("job.toml"), job).expect("written");
    for master in MASTERS {
        let output = mesquite(folder.path(), &["run", "job.toml", "--master", master]);
        assert_eq!(stdout(&output), "a b|a b||b|E\n", "{master}");
        let set = ["run", "job.toml", "--master", master, "--set", "x=c"];
        assert_eq!(
            stdout(&mesquite(folder.path(), &set)),
            "c|c||c|E\n",
            "{master}"
        );
    }
}

#[test]
fn the_documented_plan_is_what_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    documented(folder.path());
    let shown = mesquite(folder.path(), &["plan", "ordered.toml"]);
    let real = folder.path().canonicalize().expect("there");
    let here = real.to_str().expect("text");
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/jobs.md");
    let document = fs::read_to_string(document).expect("a document");
    for line in stdout(&shown).lines().filter(|it| !it.is_empty()) {
        let line = format!("\n    {}\n", line.replace(here, "/home/me"));
        assert!(document.contains(&line), "{line}");
    }
}
