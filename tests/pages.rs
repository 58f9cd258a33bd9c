//! The pages of a run that lasts, by the binary. What they say is tested beside their code.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mesquite::clock::SystemClock;
use serde_json::Value;

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "support/jobs.rs"]
mod jobs;

use jobs::Job;

/// Tasks that are held until there is a file.
const HELD: &str = "
[dataset.a]
items = [1]
[dataset.first]
from = 'a'
pipe = 'while [ ! -e target/small/first ]; do sleep 0.05; done; cat'
[dataset.b]
items = [1]
[dataset.second]
from = 'b'
pipe = 'while [ ! -e target/small/second ]; do sleep 0.05; done; cat'
[[action]]
count = 'first'
[[action]]
count = 'second'
";

const PAGES: [&str; 4] = [
    "--conf",
    "spark.ui.enabled=true",
    "--conf",
    "spark.ui.port=0",
];

/// A run whose tasks are held, and where its pages are.
struct Held {
    job: Job,
    child: Child,
    at: String,
    app: String,
    /// What is said of who asks.
    proof: &'static str,
}

impl Drop for Held {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Held {
    fn begin(master: &str, more: &[&str]) -> Self {
        Self::of(HELD, master, more, "")
    }

    fn of(job: &str, master: &str, more: &[&str], proof: &'static str) -> Self {
        let job = Job::new(job);
        fs::create_dir(job.folder().join("small")).expect("made");
        let arguments = [&["--master", master], &PAGES[..], more].concat();
        let mut command = job.command_in(jobs::root(), &arguments);
        let mut child = command.spawn().expect("the binary runs");
        let mut told = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut at = None;
        let mut line = String::new();
        while at.is_none() && told.read_line(&mut line).expect("text") > 0 {
            at = line
                .trim_end()
                .split_once("pages at http://")
                .map(|(_, at)| at.to_owned());
            line.clear();
        }
        // What else it says is read by nobody, and must not hold it up.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        let mut held = Self {
            job,
            child,
            at: at.expect("it says where its pages are"),
            app: String::new(),
            proof,
        };
        let all = held.until("/api/v1/applications", |it| it[0]["id"].is_string());
        held.app = all[0]["id"].as_str().expect("an id").to_owned();
        held
    }

    /// The status and the body.
    fn ask(&self, path: &str) -> (u16, String) {
        let at = &self.at;
        let mut stream = TcpStream::connect(at).expect("it listens");
        let proof = self.proof;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n{proof}\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().expect("a status"), body.to_owned())
    }

    /// What is answered once it is as it is expected to become.
    fn until(&self, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        let clock = SystemClock::start();
        loop {
            let (status, body) = self.ask(path);
            match serde_json::from_str(&body) {
                Ok(answer) if status == 200 && is_there(&answer) => return answer,
                _ => assert!(
                    clock.now().since_start() < Duration::from_secs(60),
                    "{path}: {body}"
                ),
            }
        }
    }

    fn let_go(&self, which: &str) {
        fs::write(self.job.folder().join("small").join(which), "").expect("written");
    }
}

#[test]
fn a_task_is_seen_to_run_and_to_end_while_the_run_lasts() {
    for master in ["local[2]", "local-cluster[1,2,512]"] {
        let mut held = Held::begin(master, &[]);
        let of = format!("/api/v1/applications/{}", held.app);
        let run = |it: &Value| it.as_array().is_some_and(|it| it.len() == 2);
        let active = format!("{of}/stages?status=active");
        held.until(&active, |it| {
            run(it) && it[0]["numActiveTasks"] == 1 && it[1]["numActiveTasks"] == 1
        });
        let running = |text: &str| text.contains("2 tasks running now");
        let (status, page) = held.ask("/?now");
        assert!(status == 200 && running(&page), "{page}");
        held.let_go("first");
        let done = format!("{of}/jobs?status=succeeded");
        let jobs = held.until(&done, |it| it.as_array().is_some_and(|it| it.len() == 1));
        assert_eq!(jobs[0]["numCompletedTasks"], 1, "{jobs}");
        let stage = jobs[0]["stageIds"][0].to_string();
        let (_, tasks) = held.ask(&format!("{of}/stages/{stage}/0/taskList"));
        let tasks: Value = serde_json::from_str(&tasks).expect("JSON");
        assert_eq!(tasks[0]["status"], "SUCCESS", "{tasks}");
        held.let_go("second");
        let ended = held.child.wait().expect("it ends");
        assert!(ended.success(), "{master}");
        assert!(TcpStream::connect(&held.at).is_err(), "the pages are gone");
    }
}

#[test]
fn settings_are_shown_and_secrets_are_not() {
    let secret = [
        "--conf",
        "spark.mesos.secret=hunter2",
        "--conf",
        "spark.mesos.principal=me",
    ];
    let held = Held::begin("local[2]", &secret);
    let (_, page) = held.ask("/settings/");
    assert!(page.contains("spark.mesos.secret"), "{page}");
    let of = format!("/api/v1/applications/{}/environment", held.app);
    for path in ["/settings/", &of] {
        let (status, text) = held.ask(path);
        assert!(status == 200 && !text.contains("hunter2"), "{path}: {text}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_and_the_run_goes_on() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\n");
    let setting = format!("spark.ui.port={port}");
    let conf = ["spark.ui.enabled=true", &setting, "spark.port.maxRetries=0"];
    let conf = conf.map(|it| ["--conf", it]).concat();
    let ended = job.run(&conf).succeeded();
    let stderr = ended.stderr();
    assert!(
        stderr.contains(&format!("port {port} is taken")),
        "{stderr}"
    );
    assert!(stderr.contains("goes on without pages"), "{stderr}");
    assert!(!stderr.contains("pages at"), "{stderr}");
}

#[test]
fn whoever_is_served_beside_the_users_of_this_machine_is_warned_of() {
    let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\n");
    let conf = ["--conf", "spark.ui.bindAddress=0.0.0.0"];
    let arguments = [&PAGES[..], &conf].concat();
    let stderr = job.run(&arguments).succeeded().stderr();
    assert!(stderr.contains("they have no password"), "{stderr}");
    let quiet = job.run(&[&["-q"], &arguments[..]].concat()).succeeded();
    let stderr = quiet.stderr();
    assert!(
        !stderr.contains("pages at") && stderr.contains("no password"),
        "{stderr}"
    );
    let named = job.run(&["--conf", "spark.ui.bindAddress=localhost"]);
    assert_eq!(named.code(), Some(2));
    assert!(
        named.stderr().contains("an IP address"),
        "{}",
        named.stderr()
    );
}

#[test]
fn clients_that_do_not_read_hold_up_no_run() {
    let mut held = Held::begin("local[2]", &[]);
    let mut silent = Vec::new();
    for _ in 0..1000 {
        // Some are refused where descriptors are few; none of that is the run's matter.
        let Ok(mut stream) = TcpStream::connect(&held.at) else {
            continue;
        };
        let _ = write!(
            stream,
            "GET /api/mesquite/v1/events HTTP/1.1\r\nhost: {}\r\n\r\n",
            held.at
        );
        silent.push(stream);
    }
    assert_eq!(held.ask("/healthz").0, 200);
    held.let_go("first");
    held.let_go("second");
    assert!(held.child.wait().expect("it ends").success());
}

/// A command that is read along with as long as it is held, and one attempt that fails.
const SAYS: &str = "
[dataset.a]
items = [1]
[dataset.b]
from = 'a'
pipe = '''
if [ $MESQUITE_ATTEMPT = 0 ]; then echo '<b>first</b>' >&2; exit 3; fi
printf 'so \\033[1mfar\\n' >&2
while [ ! -e target/small/first ]; do sleep 0.05; done
cat
'''
[[action]]
count = 'b'
";

fn logs(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesquite"));
    command.arg("logs").args(arguments).stdin(Stdio::null());
    command.output().expect("the binary runs")
}

#[test]
fn what_a_command_writes_to_stderr_is_read_while_it_runs_and_nobody_else_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let password = folder.path().join("password");
    fs::write(&password, "secret\n").expect("written");
    let setting = format!("mesquite.ui.password.file={}", password.display());
    let password = password.to_str().expect("text");
    for master in ["local[2,2]", "local-cluster[1,2,512]"] {
        let proof = "authorization: Bearer secret\r\n";
        let mut held = Held::of(SAYS, master, &["--conf", &setting], proof);
        let of = "/api/mesquite/v1/logs/0.0.1";
        let clock = SystemClock::start();
        let mut answer = held.ask(of);
        while answer != (200, "so \u{1b}[1mfar\n".to_owned()) {
            let waited = clock.now().since_start();
            assert!(waited < Duration::from_secs(60), "{master}: {answer:?}");
            answer = held.ask(of);
        }
        let url = format!("http://{}/", held.at);
        let app = held.app.clone();
        let known = ["--url", &url, "--password-file", password];
        let tell = |app: &str, task: &str, known: &[&str]| {
            let told = logs(&[&[app, task], known].concat());
            let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
            (told.status.code(), text(&told.stdout), text(&told.stderr))
        };
        let (code, stdout, stderr) = tell(&app, "0.0", &known);
        assert_eq!(stdout, "so \u{1b}[1mfar\n", "{master}: {stderr}");
        assert_eq!(code, Some(0), "{master}");
        let (_, stdout, stderr) = tell(&app, "0.0.0", &known);
        assert_eq!(stdout, "<b>first</b>\n", "{master}: {stderr}");
        for (app, task, known, code, why) in [
            (&*app, "0.0", &known[..2], 1, "want a password"),
            ("other", "0.0", &known[..], 1, "and not of other"),
            (&app, "9.9", &known[..], 1, "there is no attempt 9.9"),
            (&app, "x", &known[..], 2, "is no attempt"),
        ] {
            let (ended, stdout, stderr) = tell(app, task, known);
            assert_eq!((ended, stdout.as_str()), (Some(code), ""), "{stderr}");
            assert!(stderr.contains(why), "{master}: {stderr}");
        }
        let proof = std::mem::take(&mut held.proof);
        assert_eq!(held.ask(of).0, 401, "{master}");
        held.proof = proof;
        held.let_go("first");
        assert!(held.child.wait().expect("it ends").success(), "{master}");
        let (ended, _, stderr) = tell(&app, "0.0", &known);
        assert_eq!(ended, Some(1), "{master}: {stderr}");
        assert!(stderr.contains("cannot be asked at"), "{master}: {stderr}");
    }
}
