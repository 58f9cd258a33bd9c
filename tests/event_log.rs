//! The event log of a run, by the binary. What Spark's own history server makes of logs
//! is judged by `tests/history/judge.py`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "support/jobs.rs"]
mod jobs;

use jobs::{Ended, Job};
use serde_json::Value;

const CLUSTER: &str = "local-cluster[2,2,512]";

fn logs(job: &Job) -> PathBuf {
    let folder = job.folder().join("logs");
    fs::create_dir_all(&folder).expect("made");
    folder
}

fn run(job: &Job, master: &str, folder: &str, more: &[&str]) -> Ended {
    let dir = format!("spark.eventLog.dir={folder}");
    let mut arguments = vec!["--json", "--master", master, "--conf", &dir];
    arguments.extend(["--conf", "spark.eventLog.enabled=true"]);
    arguments.extend(more);
    job.run(&arguments)
}

/// The files of a folder: one, as a rule.
fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder)
        .expect("a folder")
        .map(|it| it.expect("a file"));
    files
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .collect()
}

fn events(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|it| serde_json::from_str(it).expect("a line of JSON"))
        .collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let name = format!("SparkListener{kind}");
    events.iter().filter(|it| it["Event"] == *name).collect()
}

fn word_count() -> Job {
    Job::new(
        "[dataset.a]\nrange = { end = 100, partitions = 4 }\n\
         [dataset.b]\nfrom = 'a'\ncount_by_key = { partitions = 2 }\n[[action]]\ncount = 'b'\n",
    )
}

#[test]
fn a_run_that_ends_leaves_a_log_with_all_that_happened() {
    for master in ["local[2]", CLUSTER] {
        let job = word_count();
        let folder = logs(&job);
        let url = format!("file://{}", folder.display());
        let ended = run(&job, master, &url, &[]).succeeded();
        let app = ended.summary()["app_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert_eq!(names(&folder), std::slice::from_ref(&app), "{master}");
        let summary = ended.summary();
        assert_eq!(summary["event_log"], *folder.join(&app).to_string_lossy());
        let shows = format!("`mesquite history {}` shows it", folder.display());
        assert!(ended.stderr().contains(&shows), "{}", ended.stderr());
        let stages = summary["stages"].as_array().expect("stages");
        let tasks: Vec<_> = stages.iter().map(|it| &it["tasks"]).collect();
        assert_eq!(tasks, [4, 2], "{master}");
        assert!(stages.iter().all(|it| it["run_seconds"]["max"].is_number()));
        assert!(stages[0]["shuffle_bytes_written"].as_u64() > Some(0));
        assert_eq!(
            stages[1]["shuffle_bytes_read"],
            summary["shuffle_bytes_read"]
        );
        let text = fs::read_to_string(folder.join(&app)).expect("text");
        // Readers look for some events by the beginning of their line.
        assert!(
            text.lines()
                .all(|it| it.starts_with("{\"Event\":\"SparkListener"))
        );
        let events = events(&text);
        assert_eq!(of_kind(&events, "TaskStart").len(), 6, "{master}");
        let ends = of_kind(&events, "TaskEnd");
        assert_eq!(ends.len(), 6, "{master}");
        let read = |it: &Value| it["Task Metrics"]["Input Metrics"]["Records Read"].as_u64();
        assert_eq!(
            ends.iter().filter_map(|it| read(it)).sum::<u64>(),
            100,
            "{master}"
        );
        let written = |it: &Value| {
            it["Task Metrics"]["Shuffle Write Metrics"]["Shuffle Bytes Written"].as_u64()
        };
        assert!(
            ends.iter().filter_map(|it| written(it)).sum::<u64>() > 0,
            "{master}"
        );
        assert_eq!(of_kind(&events, "StageCompleted").len(), 2, "{master}");
        assert_eq!(
            events.last().expect("one")["Event"],
            "SparkListenerApplicationEnd"
        );
    }
}

/// Takes processor time in a process of its own, and memory in another one; fails once.
const MEASURED: &str = "
[dataset.a]
items = [1]
[dataset.b]
from = 'a'
pipe = '''
sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done'
dd if=/dev/zero bs=48M count=1 2> /dev/null | (sleep 1.5; wc -c)
echo last words >&2
[ $MESQUITE_ATTEMPT = 1 ]
'''
[[action]]
collect = 'b'
";

#[test]
fn every_attempt_is_measured_also_one_that_fails() {
    for master in ["local[2,2]", CLUSTER] {
        let job = Job::new(MEASURED);
        let folder = logs(&job);
        let place = folder.to_string_lossy().into_owned();
        run(&job, master, &place, &[]).succeeded();
        let text = fs::read_to_string(folder.join(names(&folder).remove(0))).expect("text");
        let events = events(&text);
        let ends = of_kind(&events, "TaskEnd");
        assert_eq!(ends.len(), 2, "{master}");
        let reason = ends[0]["Task End Reason"].to_string();
        assert!(reason.contains("stderr ends with: last words"), "{reason}");
        for end in ends {
            let measures = &end["Task Metrics"];
            let cpu = measures["Executor CPU Time"].as_u64().expect("a number");
            assert!(cpu > 5_000_000, "{master}: {measures}");
            let ran = measures["Executor Run Time"].as_u64().expect("a number");
            assert!(cpu / 1_000_000 <= 2 * ran, "{master}: {measures}");
            let peak = measures["Peak Execution Memory"].as_u64();
            let peak = peak.expect("a number") >> 20;
            assert!((48..96).contains(&peak), "{master}: {measures}");
        }
    }
}

#[test]
fn a_log_may_be_compressed() {
    let job = word_count();
    let folder = logs(&job);
    let place = folder.to_string_lossy().into_owned();
    run(
        &job,
        "local[2]",
        &place,
        &["--conf", "spark.eventLog.compress=true"],
    )
    .succeeded();
    let name = names(&folder).remove(0);
    assert!(name.ends_with(".zstd"), "{name}");
    let bytes = fs::read(folder.join(&name)).expect("bytes");
    let text = zstd::decode_all(&bytes[..]).expect("zstd");
    let events = events(std::str::from_utf8(&text).expect("text"));
    assert_eq!(of_kind(&events, "ApplicationEnd").len(), 1);
}

/// So many that their log has more than one file of the least size there is.
const MANY: &str = "
[dataset.a]
range = { end = 12000, partitions = 12000 }
[[action]]
count = 'a'
";

#[test]
fn a_log_may_roll_and_is_one_application_for_readers() {
    let job = Job::new(MANY);
    let folder = logs(&job);
    let rolling = [
        "--conf",
        "spark.eventLog.rolling.enabled=true",
        "--conf",
        "spark.eventLog.rolling.maxFileSize=10m",
    ];
    let ended = run(&job, "local[2]", &folder.to_string_lossy(), &rolling).succeeded();
    let app = ended.summary()["app_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let log = folder.join(format!("eventlog_v2_{app}"));
    assert_eq!(ended.summary()["event_log"], *log.to_string_lossy());
    let mut files = names(&log);
    files.sort();
    assert_eq!(
        files[..2],
        [format!("appstatus_{app}"), format!("events_1_{app}")]
    );
    assert!(files.contains(&format!("events_2_{app}")), "{files:?}");
    let ends = files.iter().map(|it| {
        let text = fs::read_to_string(log.join(it)).expect("text");
        of_kind(&events(&text), "TaskEnd").len()
    });
    assert_eq!(ends.sum::<usize>(), 12_000);
}

#[test]
fn what_a_run_keeps_beside_its_log_is_what_the_log_says() {
    let job = Job::new(MANY);
    let folder = logs(&job);
    let pages = [
        "--conf",
        "spark.ui.enabled=true",
        "--conf",
        "spark.ui.port=0",
    ];
    let ended = run(&job, "local[2]", &folder.to_string_lossy(), &pages).succeeded();
    let app = ended.summary()["app_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let columns = folder.join(format!(".{app}.columns"));
    let exported = || {
        let page = job.folder().join("page.html");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesquite"));
        command.args(["history", "export", &app]).arg(&page);
        let done = command.arg("--dir").arg(&folder).output().expect("it runs");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        fs::read_to_string(page).expect("a page")
    };
    let length = columns.metadata().expect("they are kept").len();
    assert!(length < 12_000 * 20, "{length}");
    let by_columns = exported();
    fs::remove_file(&columns).expect("removed");
    let by_lines = exported();
    assert_eq!(by_columns, by_lines);
    assert!(columns.exists(), "whoever reads lines keeps them");
}

#[test]
fn a_log_that_cannot_be_where_it_is_wanted_is_an_error_before_anything_runs() {
    let job = word_count();
    for (folder, why) in [
        ("/nowhere/at/all", "there is no folder /nowhere/at/all"),
        (
            "hdfs://host/logs",
            "is neither a folder of this machine nor",
        ),
    ] {
        let ended = run(&job, "local[2]", folder, &[]);
        assert_eq!(ended.code(), Some(2), "{folder}");
        assert!(ended.stderr().contains(why), "{folder}: {}", ended.stderr());
    }
}

#[test]
fn a_full_disk_ends_the_log_and_not_the_run() {
    let job =
        Job::new("[dataset.a]\nrange = { end = 400, partitions = 400 }\n[[action]]\ncount = 'a'\n");
    let folder = logs(&job);
    // Nothing else that this job writes is as long.
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -f 100; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_mesquite"))
        .args(["run", "--json", "--master", "local[2]"])
        .args(["--conf", "spark.eventLog.enabled=true", "--conf"])
        .arg(format!("spark.eventLog.dir={}", folder.display()))
        .arg(job.folder().join("job.toml"))
        .env("TMPDIR", job.folder())
        .output()
        .expect("it runs");
    let ended = job.ended(output).succeeded();
    assert_eq!(ended.results["stdout"], ["400"]);
    let stderr = ended.stderr();
    let warning = "cannot be written, and ends where it is: File too large";
    assert_eq!(stderr.matches(warning).count(), 1, "{stderr}");
    assert!(names(&folder)[0].ends_with(".inprogress"));
}

#[test]
fn no_secret_is_in_a_log() {
    let job = word_count();
    let folder = logs(&job);
    let place = folder.to_string_lossy().into_owned();
    let secret = [
        "--conf",
        "spark.mesos.principal=me",
        "--conf",
        "spark.mesos.secret=hunter2",
    ];
    run(&job, "local[2]", &place, &secret).succeeded();
    let text = fs::read_to_string(folder.join(names(&folder).remove(0))).expect("text");
    assert!(text.contains("spark.mesos.secret") && !text.contains("hunter2"));
}
