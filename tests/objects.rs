//! Saves to an object store, from outside: a real server of S3's protocol (moto)
//! and its usual client (boto3) as the judge. `scripts/test objects` runs them.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/jobs.rs"]
mod jobs;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use jobs::{Ended, Job, root};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const MASTERS: [&str; 2] = ["local[2]", "local-cluster[2,2,512]"];

/// The store; it ends with the test.
struct Store {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    endpoint: String,
}

impl Store {
    #[expect(
        clippy::disallowed_methods,
        reason = "who runs these tests knows where the store's python is"
    )]
    fn start() -> Self {
        let python = std::env::var("MESQUITE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut child = Command::new(python)
            .arg(root().join("tests/objects/store.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python runs");
        let commands = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut port = String::new();
        answers.read_line(&mut port).expect("a port");
        assert!(!port.is_empty(), "moto and boto3 must be installed");
        Self {
            child,
            commands,
            answers,
            endpoint: format!("http://127.0.0.1:{}", port.trim()),
        }
    }

    fn ask(&mut self, command: &Value) -> Value {
        let commands = self.commands.as_mut().expect("it runs");
        writeln!(commands, "{command}").expect("told");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("answered");
        serde_json::from_str(&answer).expect("JSON")
    }

    fn names(&mut self, prefix: &str) -> Vec<String> {
        serde_json::from_value(self.ask(&json!(["names", prefix]))).expect("names")
    }

    fn uploads(&mut self) -> Vec<String> {
        serde_json::from_value(self.ask(&json!(["uploads", ""]))).expect("names")
    }

    fn get(&mut self, name: &str) -> Vec<u8> {
        let got = self.ask(&json!(["get", name]));
        let text = got.as_str().expect("text");
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .expect("base64")
    }

    fn text(&mut self, name: &str) -> String {
        String::from_utf8(self.get(name)).expect("text")
    }

    fn parts(&mut self, name: &str) -> u64 {
        self.ask(&json!(["parts", name]))
            .as_u64()
            .expect("a number")
    }

    /// Whether there is nothing but these below a folder, and nothing begun.
    fn has_only(&mut self, folder: &str, names: &[&str]) {
        let wanted: Vec<_> = names.iter().map(|it| format!("{folder}/{it}")).collect();
        assert_eq!(self.names(&format!("{folder}/")), wanted);
        assert_eq!(self.uploads(), [""; 0]);
    }

    fn command(&self, job: &Job, arguments: &[&str]) -> Command {
        let mut command = job.command_in(root(), arguments);
        for (name, _) in std::env::vars() {
            if name.starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        command
    }

    /// What `mesquite top` shows of the logs there: a client of the history.
    fn top(&self, place: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesquite"));
        command
            .args(["top", "--once", place])
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let shown = command.output().expect("it runs");
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).expect("text")
    }

    fn run(&self, job: &Job, arguments: &[&str]) -> Ended {
        job.ended(self.command(job, arguments).output().expect("it runs"))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.child.wait();
    }
}

fn saving(dataset: &str, more: &str) -> Job {
    Job::new(&format!(
        "[dataset.a]\n{dataset}\n[[action]]\nsave = 'a'\nto = 's3://bucket/x'\n{more}\n"
    ))
}

/// The same after a command.
fn saving_piped(dataset: &str, command: &str) -> Job {
    Job::new(&format!(
        "[dataset.a]\n{dataset}\n[dataset.b]\nfrom = 'a'\npipe = '{command}'\n\
         [[action]]\nsave = 'b'\nto = 's3://bucket/x'\n"
    ))
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn what_is_saved_is_in_the_store_once_and_whole() {
    let mut store = Store::start();
    for master in MASTERS {
        for (compress, extension) in [
            ("", ""),
            ("compress = 'gzip'", ".gz"),
            ("compress = 'zstd'", ".zst"),
        ] {
            let job = saving(
                "range = { end = 1000, partitions = 3 }",
                &format!("overwrite = true\n{compress}"),
            );
            store.run(&job, &["--master", master]).succeeded();
            let names: Vec<_> = (0..3)
                .map(|it| format!("part-0000{it}{extension}"))
                .collect();
            let all: Vec<_> = std::iter::once("_SUCCESS")
                .chain(names.iter().map(String::as_str))
                .collect();
            store.has_only("x", &all);
            let mut text = String::new();
            for name in &names {
                let bytes = store.get(&format!("x/{name}"));
                let read = match extension {
                    "" => (&bytes[..]).read_to_string(&mut text),
                    ".gz" => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
                    _ => zstd::Decoder::new(&bytes[..])
                        .expect("zstd")
                        .read_to_string(&mut text),
                };
                read.expect("readable");
            }
            let wanted: String = (0..1000).map(|it| format!("{it}\n")).collect();
            assert_eq!(text, wanted, "{master} {compress}");
            // And read again by ourselves.
            let job = Job::new("[dataset.a]\ntext = ['s3://bucket/x']\n[[action]]\ncount = 'a'\n");
            let ended = store.run(&job, &["--master", master]).succeeded();
            assert_eq!(ended.results["stdout"], ["1000"]);
        }
    }
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn large_partitions_are_uploaded_in_parts() {
    let mut store = Store::start();
    for master in MASTERS {
        let job = saving(
            "range = { end = 4000000, partitions = 1 }",
            "overwrite = true",
        );
        store.run(&job, &["--master", master]).succeeded();
        store.has_only("x", &["_SUCCESS", "part-00000"]);
        let text = store.text("x/part-00000");
        assert_eq!(
            store.parts("x/part-00000"),
            text.len().div_ceil(8 << 20) as u64
        );
        assert!(text.len() > 24 << 20);
        let wanted: String = (0..4_000_000).map(|it| format!("{it}\n")).collect();
        assert!(text == wanted, "{master}");
    }
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn only_what_a_save_wrote_is_replaced_in_a_store() {
    let mut store = Store::start();
    store.ask(&json!(["put", "x/notes", "mine"]));
    let job = saving("items = [1, 2]", "overwrite = true");
    let ended = store.run(&job, &[]);
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr());
    assert!(
        ended.stderr().contains("`notes` in s3://bucket/x"),
        "{}",
        ended.stderr()
    );
    store.has_only("x", &["notes"]);
    store.ask(&json!(["delete", "x/notes"]));
    store.run(&job, &[]).succeeded();
    let once = saving("items = [3]", "");
    let ended = store.run(&once, &[]);
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended.stderr().contains("is not empty"),
        "{}",
        ended.stderr()
    );
    store.has_only("x", &["_SUCCESS", "part-00000", "part-00001"]);
    let less = saving("items = [3]", "overwrite = true");
    store.run(&less, &[]).succeeded();
    store.has_only("x", &["_SUCCESS", "part-00000"]);
    assert_eq!(store.text("x/part-00000"), "3\n");
    // What was changed since is nobody's to replace.
    store.ask(&json!(["put", "x/part-00000", "my own"]));
    let ended = store.run(&less, &[]);
    assert_eq!(ended.code(), Some(2));
    assert_eq!(store.text("x/part-00000"), "my own");
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn an_executor_that_dies_while_it_uploads_leaves_nothing_and_nothing_is_there_twice() {
    let mut store = Store::start();
    let job = saving_piped(
        "range = { end = 3000000, partitions = 3 }",
        "cat; mkdir target/small/$MESQUITE_PARTITION 2>/dev/null && kill -9 $PPID; true",
    );
    std::fs::create_dir(job.folder().join("small")).expect("made");
    store
        .run(&job, &["--master", "local-cluster[2,1,512]"])
        .succeeded();
    store.has_only("x", &["_SUCCESS", "part-00000", "part-00001", "part-00002"]);
    let text: String = (0..3)
        .map(|it| store.text(&format!("x/part-0000{it}")))
        .collect();
    let wanted: String = (0..3_000_000).map(|it| format!("{it}\n")).collect();
    assert!(text == wanted);
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn a_job_that_fails_leaves_nothing_in_the_store() {
    let mut store = Store::start();
    for master in MASTERS {
        let job = saving_piped("items = [1, 2]", "cat; exit 3");
        let ended = store.run(&job, &["--master", master]);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
        store.has_only("x", &[]);
    }
}

/// A job whose tasks stop in the middle of their uploads.
fn slow() -> Job {
    saving_piped("items = [1, 2]", "cat; exec sleep 1000")
}

/// Starts it, and waits until both uploads are begun and noted.
fn started(store: &mut Store, job: &Job, master: &str) -> Child {
    let mut child = store
        .command(job, &["--master", master])
        .spawn()
        .expect("it runs");
    while store.names("x/_temporary/uploads/").len() < 2 {
        if let Some(status) = child.try_wait().expect("a child") {
            panic!("it ended: {status}");
        }
    }
    assert_eq!(store.uploads().len(), 2);
    child
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn an_interrupted_run_leaves_nothing_in_the_store() {
    let mut store = Store::start();
    for master in MASTERS {
        let job = slow();
        let child = started(&mut store, &job, master);
        let driver = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
        kill(driver, Signal::SIGINT).expect("sent");
        let ended = job.ended(child.wait_with_output().expect("ended"));
        assert_eq!(ended.code(), Some(130), "{}", ended.stderr());
        store.has_only("x", &[]);
    }
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn what_a_killed_run_left_in_the_store_is_taken_away_by_the_next() {
    let mut store = Store::start();
    let job = slow();
    let mut child = started(&mut store, &job, "local[2]");
    let other = saving("items = [1]", "overwrite = true");
    let temporary = job.folder().to_str().expect("text").to_owned();
    let run = |store: &Store| {
        let mut command = store.command(&other, &[]);
        other.ended(command.env("TMPDIR", &temporary).output().expect("it runs"))
    };
    let ended = run(&store);
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended
            .stderr()
            .contains("another run writes to s3://bucket/x"),
        "{}",
        ended.stderr()
    );
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(store.uploads().len(), 2);
    run(&store).succeeded();
    store.has_only("x", &["_SUCCESS", "part-00000"]);
    let locks = std::fs::read_dir(&temporary).expect("a folder").flatten();
    let left = locks.filter(|it| it.file_name().to_string_lossy().starts_with("mesquite-"));
    assert_eq!(left.count(), 0);
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn what_is_wrong_with_a_store_is_said_in_words() {
    let store = Store::start();
    let told = |job: &Job, change: &dyn Fn(&mut Command)| {
        let mut command = store.command(job, &[]);
        change(&mut command);
        let ended = job.ended(command.output().expect("it runs"));
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr());
        ended.stderr()
    };
    let reading = Job::new("[dataset.a]\ntext = ['s3://bucket/no']\n[[action]]\ncount = 'a'\n");
    let missing = told(&reading, &|_| {});
    assert!(
        missing.contains("no file matches `s3://bucket/no`"),
        "{missing}"
    );
    let elsewhere =
        Job::new("[dataset.a]\nitems = [1]\n[[action]]\nsave = 'a'\nto = 's3://nosuch/x'\n");
    let no_bucket = told(&elsewhere, &|_| {});
    assert!(
        no_bucket.contains("no bucket that has this name"),
        "{no_bucket}"
    );
    let saving = saving("items = [1]", "");
    for job in [&reading, &saving] {
        let nobody = told(job, &|command| {
            command
                .env_remove("AWS_ACCESS_KEY_ID")
                .env_remove("AWS_SECRET_ACCESS_KEY");
            // Nobody listens there.
            command.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
        });
        assert!(nobody.contains("AWS_ACCESS_KEY_ID"), "{nobody}");
        let plain = told(job, &|command| {
            command.env("AWS_ALLOW_HTTP", "false");
        });
        assert!(plain.contains("AWS_ALLOW_HTTP"), "{plain}");
    }
}

const LOGGED: [&str; 5] = [
    "--json",
    "--conf",
    "spark.eventLog.enabled=true",
    "--conf",
    "spark.eventLog.dir=s3://bucket/logs",
];

/// What runs wrote down for a store and could not bring there, below a folder.
fn spooled(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).expect("a folder");
    let all = all.map(|it| it.expect("an entry").path());
    all.filter(|it| it.to_string_lossy().contains("mesquite-event-log-"))
        .collect()
}

/// A counting job whose event log goes to the store, with what more is said.
fn logged(store: &Store, more: &[&str], change: impl Fn(&mut Command)) -> (Job, Ended) {
    let job = Job::new("[dataset.a]\nitems = [1, 2, 3]\n[[action]]\ncount = 'a'\n");
    let mut command = store.command(&job, &[&LOGGED[..], more].concat());
    command.env("TMPDIR", job.folder());
    change(&mut command);
    let ended = job.ended(command.output().expect("it runs"));
    (job, ended)
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn event_logs_are_brought_to_a_store_and_shown_from_there() {
    let mut store = Store::start();
    let rolling = "spark.eventLog.rolling.enabled=true";
    for more in [
        &[][..],
        &["--conf", "spark.eventLog.compress=true"],
        &["--conf", rolling],
    ] {
        let (job, ended) = logged(&store, more, |_| ());
        let ended = ended.succeeded();
        assert_eq!(spooled(job.folder()), Vec::<PathBuf>::new());
        let summary = String::from_utf8_lossy(&ended.output.stdout).into_owned();
        let summary = summary.lines().last().expect("a summary");
        let summary: Value = serde_json::from_str(summary).expect("JSON");
        let log = summary["event_log"].as_str().expect("told");
        let name = log.strip_prefix("s3://bucket/").expect("in the store");
        let names = store.names(name);
        let app = summary["app_id"].as_str().expect("told");
        let wanted = match more {
            [_, it] if *it == rolling => vec![
                format!("logs/eventlog_v2_{app}/appstatus_{app}"),
                format!("logs/eventlog_v2_{app}/events_1_{app}"),
            ],
            [_, _] => vec![format!("logs/{app}.zstd")],
            _ => vec![format!("logs/{app}")],
        };
        assert_eq!(names, wanted);
        if more.is_empty() {
            let text = store.text(name);
            let last = text.lines().last().expect("a line");
            assert!(last.contains("SparkListenerApplicationEnd"), "{last}");
        }
    }
    let shown = store.top("s3://bucket/logs");
    assert!(shown.contains("3 of 3 tasks"), "{shown}");
}

#[test]
#[ignore = "needs moto: scripts/test objects"]
fn an_event_log_that_cannot_be_brought_to_its_store_stays_and_says_where() {
    let store = Store::start();
    let (_, refused) = logged(
        &store,
        &["--conf", "spark.eventLog.dir=s3://nosuch/x"],
        |_| (),
    );
    assert_eq!(refused.code(), Some(2), "{}", refused.stderr());
    let why = refused.stderr();
    assert!(why.contains("no bucket that has this name"), "{why}");
    // A store that goes away while the run lasts.
    let job = Job::new(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\n\
         pipe = 'touch target/small/began; while ! [ -e target/small/go ]; do sleep 0.01; done; cat'\n\
         [[action]]\ncount = 'b'\n",
    );
    let small = job.folder().join("small");
    std::fs::create_dir(&small).expect("made");
    let mut command = store.command(&job, &LOGGED);
    command.env("TMPDIR", job.folder());
    let child = command.spawn().expect("it runs");
    while !small.join("began").exists() {
        std::thread::yield_now();
    }
    drop(store);
    std::fs::write(small.join("go"), "").expect("written");
    let ended = job
        .ended(child.wait_with_output().expect("ended"))
        .succeeded();
    let [spool] = &spooled(job.folder())[..] else {
        panic!("{:?}", spooled(job.folder()));
    };
    let told = ended.stderr();
    let wanted = format!(
        "cannot be brought to s3://bucket/logs, and stays in {}",
        spool.display()
    );
    assert!(told.contains(&wanted), "{told}");
    let log = std::fs::read_dir(spool).expect("a folder").next();
    let log = std::fs::read_to_string(log.expect("a log").expect("an entry").path());
    assert!(
        log.expect("readable")
            .contains("SparkListenerApplicationEnd")
    );
}
