//! A run that lasts, looked at while things happen.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpStream};

use mesquite_base::ids::{DatasetId, JobId, Partition, StageAttempt, StageId, TaskId, TaskIndex};
use mesquite_core::event_log::AboutRun;
use mesquite_core::facts::cluster::{ClusterFact, NothingRuns, OfferAnswer, OfferCycle, Verdict};
use mesquite_core::facts::{AttemptFacts, Fact, StageFacts};
use mesquite_core::report::Status;
use mesquite_mesos::offers::DeclineReason;
use mesquite_mesos::resources::{ResourceName, Scalar, Shortage};
use mesquite_scheduler::locality::LocalityLevel;
use mesquite_scheduler::loss::ExecutorLossReason;
use mesquite_scheduler::task::{TaskEndReason, TaskOutput};
use mesquite_workload::plan::ApplicationBuilder;
use mesquite_workload::plan::application::ActionKind;

use super::*;

const NOW: Duration = Duration::from_secs(1000);

/// A run that has not begun, and where it is served.
fn waiting() -> (Arc<Run>, Live) {
    served(None)
}

fn served(login: Option<Login>) -> (Arc<Run>, Live) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let run = Arc::new(Run::default());
    let live = Live::start(listener, Arc::clone(&run), login).expect("it serves");
    (run, live)
}

/// One with an id.
fn begun() -> (Arc<Run>, Live) {
    let (run, live) = waiting();
    let mut builder = ApplicationBuilder::new();
    let all = builder.range("all", 0, 4, 2).expect("a dataset");
    builder.action(all, ActionKind::Count, None);
    let about = AboutRun {
        app_id: "app".into(),
        attempt: None,
        name: "<b>name</b>".into(),
        user: "u".into(),
        began: NOW,
        master: None,
        version: "1".into(),
        settings: vec![("spark.task.cpus".into(), "2".into())],
    };
    let told = OfFacts::new(Arc::clone(&builder.build().plan), &about);
    run.begin(told, Arc::new(Logs));
    (run, live)
}

/// Has what one attempt wrote.
struct Logs;

impl AttemptLogs for Logs {
    fn read(&self, log: &AttemptLog) -> Read {
        let read = match log.address.as_str() {
            "h:1" if log.partition == 0 => Ok(Some(b"<b>bold</b> \x1b[1m\n".to_vec())),
            "h:1" => Ok(None),
            _ => Err("its executor cannot be asked: no".to_owned()),
        };
        Box::pin(async { read })
    }
}

fn happen(run: &Run, facts: Vec<Fact>) {
    let happened = facts.into_iter().map(|fact| Happened { at: NOW, fact });
    run.add(&[Arc::new(happened.collect())], NOW);
}

/// A job of one stage begins, and one of its two tasks.
fn begin(run: &Run) {
    happen(
        run,
        vec![
            Fact::JobStarted {
                job: JobId(0),
                action: "count".into(),
                dataset: "all".into(),
                more_of: None,
                stages: vec![StageFacts {
                    stage: StageId(0),
                    name: "all".into(),
                    dataset: DatasetId(0),
                    tasks: 2,
                    parents: Vec::new(),
                }],
            },
            Fact::StageStarted {
                stage: StageId(0),
                name: "all".into(),
                attempt: StageAttempt(0),
                tasks: 2,
            },
            Fact::TaskStarted(AttemptFacts {
                task: TaskId(7),
                stage: StageId(0),
                stage_attempt: StageAttempt(0),
                index: TaskIndex(0),
                partition: Partition(0),
                attempt: 0,
                executor: "e".into(),
                host: "h".into(),
                locality: LocalityLevel::Any,
                speculative: false,
            }),
        ],
    );
}

/// It ends.
fn end(run: &Run) {
    happen(
        run,
        vec![
            Fact::TaskEnded {
                task: TaskId(7),
                stage: StageId(0),
                stage_attempt: StageAttempt(0),
                partition: Partition(0),
                attempt: 0,
                executor: "e".into(),
                host: "h".into(),
                reason: TaskEndReason::Success(TaskOutput::Result { bytes: 0 }),
                metrics: None,
            },
            Fact::StageEnded {
                stage: StageId(0),
                attempt: StageAttempt(0),
                failure: None,
            },
            Fact::JobEnded {
                job: JobId(0),
                status: Status::Succeeded,
                error: None,
            },
        ],
    );
}

/// The status and all that comes.
fn ask(live: &Live, path: &str) -> (u16, String) {
    ask_with(live, path, "")
}

/// The same with more lines in the head.
fn ask_with(live: &Live, path: &str, more: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(live.at()).expect("it listens");
    let host = live.at();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    (answer[9..12].parse().expect("a status"), answer)
}

fn json(live: &Live, path: &str) -> serde_json::Value {
    let (status, answer) = ask(live, path);
    assert_eq!(status, 200, "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn before_there_is_a_run_it_is_said_to_wait() {
    let (_, live) = waiting();
    let (status, answer) = ask(&live, "/");
    assert_eq!(status, 503);
    assert!(answer.contains("waits for its master"), "{answer}");
    assert_eq!(ask(&live, "/healthz").0, 200);
    assert_eq!(ask(&live, "/style.css").0, 200);
}

#[test]
fn what_happens_is_seen_on_pages_and_in_the_api() {
    let (run, live) = begun();
    begin(&run);
    let (status, page) = ask(&live, "/");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("1 task running now"), "{page}");
    assert!(page.contains("&lt;b&gt;name&lt;/b&gt;") && !page.contains("<b>name"));
    assert!(page.contains("href=\"stages/0/0/\""), "{page}");
    assert!(ask(&live, "/stages/0/0/").1.contains("running"));
    assert!(ask(&live, "/settings/").1.contains("spark.task.cpus"));
    let of = |path: &str| json(&live, &format!("/api/v1/applications/app{path}"));
    assert_eq!(of("?1")["attempts"][0]["completed"], false);
    assert_eq!(of("/stages?1")[0]["status"], "ACTIVE");
    assert_eq!(of("/jobs?1")[0]["numActiveTasks"], 1);
    assert_eq!(of("/stages/0/0/taskList?1")[0]["taskId"], 7);
    // Who asks again at once may be given the same; who asks for something else is not.
    end(&run);
    run.end(NOW + Duration::from_secs(3));
    assert_eq!(of("/jobs?2")[0]["status"], "SUCCEEDED");
    assert_eq!(of("?2")["attempts"][0]["duration"], 3000);
    let (_, page) = ask(&live, "/history/app/");
    assert!(page.contains("It succeeded after 3.0 s"), "{page}");
    let (_, metrics) = ask(&live, "/metrics");
    for line in [
        "mesquite_run_jobs{state=\"succeeded\"} 1\n",
        "mesquite_run_task_attempts_total{state=\"succeeded\"} 1\n",
        "mesquite_run_seconds_total 3.000\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn where_there_is_a_password_nothing_is_told_without_it() {
    let (_run, live) = served(Some(Login::of("s3cret")));
    for path in [
        "/",
        "/healthz",
        "/style.css",
        "/metrics",
        "/api/mesquite/v1/events",
        "/nothing",
    ] {
        for more in ["", "authorization: Bearer guess\r\n"] {
            let (status, answer) = ask_with(&live, path, more);
            assert_eq!(status, 401, "{path}: {answer}");
            assert!(
                answer.contains("www-authenticate: Basic realm="),
                "{answer}"
            );
        }
    }
    let more = "authorization: Bearer s3cret\r\n";
    assert_eq!(ask_with(&live, "/healthz", more).0, 200);
}

#[test]
fn time_that_passes_is_time_that_tasks_run() {
    let (run, live) = begun();
    begin(&run);
    run.add(&[], NOW + Duration::from_secs(42));
    let (_, page) = ask(&live, "/");
    assert!(page.contains("It runs for 42.0 s so far"), "{page}");
}

#[test]
fn what_is_not_there_is_refused_and_so_is_what_changes_something() {
    let (_run, live) = begun();
    for path in [
        "/nothing",
        "/stages/7/0/",
        "/history/other/",
        "/api/v1/applications/other",
        "/api/v1/applications/app/logs",
        "/api/v1/applications/app/2/jobs",
    ] {
        assert_eq!(ask(&live, path).0, 404, "{path}");
    }
    let mut stream = TcpStream::connect(live.at()).expect("it listens");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n",
        live.at()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 405");
}

#[test]
fn those_who_say_nothing_or_do_not_read_keep_neither_the_run_nor_others_waiting() {
    let (run, live) = begun();
    begin(&run);
    let mut silent = Vec::new();
    for _ in 0..4 * CONNECTIONS {
        let mut stream = TcpStream::connect(live.at()).expect("it listens");
        // Every second one asks, and does not read.
        if silent.len() % 2 == 0 {
            let request = format!("GET /settings/ HTTP/1.1\r\nhost: {}\r\n\r\n", live.at());
            let _ = stream.write_all(request.as_bytes());
        }
        silent.push(stream);
    }
    end(&run);
    assert_eq!(ask(&live, "/?late").0, 200);
}

#[test]
fn what_waits_to_be_sent_has_an_end() {
    let serving = Serving::of(Arc::default(), None);
    let half = vec![0; WAITING * 512];
    let first = serving.kept(half.clone());
    let second = serving.kept(half.clone());
    assert!(first.is_ok() && second.is_ok());
    let refused = serving.kept(vec![0]).map_err(|it| it.status);
    assert_eq!(refused, Err(StatusCode::SERVICE_UNAVAILABLE));
    drop(first);
    assert!(serving.kept(half).is_ok());
    let mut text = Limited(vec![0; LONGEST - 1]);
    assert!(text.write_all(&[0]).is_ok());
    assert!(text.write_all(&[0]).is_err());
}

#[test]
fn why_tasks_wait_and_what_happened_when_is_answered() {
    let (run, live) = begun();
    begin(&run);
    let own = |path: &str| json(&live, &format!("/api/mesquite/v1/{path}"));
    let no_executors = Fact::NoExecutors {
        waiting: 1,
        since: Duration::from_secs(15),
        why: NothingRuns::MasterAway,
    };
    let said = ClusterFact::MasterSaid("<i>no offers</i>".into());
    happen(&run, vec![no_executors, Fact::Cluster(said)]);
    let waiting = own("waiting");
    assert_eq!(waiting["stages"][0]["waiting"], 1, "{waiting}");
    assert_eq!(waiting["stages"][0]["running"], 1, "{waiting}");
    let told = waiting["told"][0]["text"].as_str().expect("a text");
    assert!(told.contains("<i>no offers</i>"), "{waiting}");
    let why = waiting["told"][1]["text"].as_str().expect("a text");
    assert!(why.contains("the master cannot be reached"), "{waiting}");
    let (_, page) = ask(&live, "/");
    assert!(page.contains("&lt;i&gt;no offers&lt;/i&gt;"), "{page}");
    end(&run);
    run.end(NOW + Duration::from_secs(3));
    let timeline = own("timeline");
    assert_eq!(timeline["until"], 1_003_000, "{timeline}");
    assert_eq!(timeline["stages"][0]["status"], "COMPLETE", "{timeline}");
    assert_eq!(timeline["jobs"][0]["until"], 1_000_000, "{timeline}");
    let at_once = timeline["runningAtOnce"]["tasks"].as_array();
    assert_eq!(at_once.map(Vec::len), Some(600), "{timeline}");
}

/// Offers of two agents: a large one that is taken, and a small one.
fn offers() -> ClusterFact {
    let answer = |host: &str, cpus, answer| OfferAnswer {
        agent: format!("agent-{host}").into(),
        host: host.into(),
        cpus: Scalar::new(cpus),
        mem: Scalar::new(512),
        offers: 1,
        held: Duration::ZERO,
        answer,
    };
    let shortage = DeclineReason::Shortage(Shortage::Amount {
        name: ResourceName::CPUS,
        needed: Scalar::new(2),
        available: Scalar::new(1),
    });
    let cycle = OfferCycle {
        came: 2,
        answers: vec![
            answer("h2", 4, Verdict::Accepted { launched: 1 }),
            answer("<h1>", 1, Verdict::Declined(vec![shortage])),
        ],
    };
    ClusterFact::Offers(Arc::new(cycle))
}

#[test]
fn what_became_of_offers_is_shown_by_agent() {
    let (run, live) = begun();
    let (_, page) = ask(&live, "/history/app/waiting/");
    assert!(page.contains("only masters of Mesos make offers"), "{page}");
    begin(&run);
    let excluded = ClusterFact::AgentExcluded {
        agent: "agent-h2".into(),
        host: "h2".into(),
        failures: 2,
        pause: Duration::from_secs(10),
    };
    let facts = [offers(), excluded, ClusterFact::Suppressed];
    happen(&run, facts.map(Fact::Cluster).into());
    let (_, page) = ask(&live, "/waiting/");
    for text in [
        "1 task waits and 1 runs; 0 executors are there.",
        "no use: 2 cpus needed, 1 available",
        "&lt;h1&gt;",
        "nothing is started on h2 for 10 s",
        "The master knows that nothing is wanted now",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let offers = json(&live, "/api/mesquite/v1/offers");
    assert_eq!(offers["received"], 2, "{offers}");
    assert_eq!(offers["declinedByReason"]["shortage"], 1, "{offers}");
    let agents = &offers["agents"];
    assert_eq!(agents[0]["host"], "<h1>", "{offers}");
    assert_eq!(agents[0]["reasons"][0]["reason"], "shortage", "{offers}");
    assert_eq!(agents[1]["last"], "accepted", "{offers}");
    assert_eq!(
        (&offers["isSuppressed"], &offers["outstanding"]),
        (&true.into(), &0.into())
    );
    let (_, metrics) = ask(&live, "/metrics");
    for line in [
        "mesquite_run_offers_received_total 2",
        "mesquite_run_offers_ended_total{end=\"declined\"} 1",
        "mesquite_run_offers_declined_total{reason=\"shortage\"} 1",
        "mesquite_run_offers 0",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
}

#[test]
fn what_happens_is_followed_until_the_run_is_over() {
    let (run, live) = begun();
    begin(&run);
    let following = std::thread::spawn({
        let at = live.at();
        move || {
            let mut stream = TcpStream::connect(at).expect("it listens");
            let request = format!(
                "GET /api/mesquite/v1/events HTTP/1.1\r\nhost: {at}\r\nlast-event-id: 0\r\n\
                 connection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).expect("sent");
            let mut all = String::new();
            stream.read_to_string(&mut all).expect("all of it");
            all
        }
    });
    end(&run);
    run.end(NOW);
    let all = following.join().expect("no panic").to_lowercase();
    assert!(all.contains("content-type: text/event-stream"), "{all}");
    // It has the first one, and wants those behind it.
    assert!(!all.contains("event: job-started"), "{all}");
    let places = [
        "id: 1\nevent: stage-started",
        "event: tasks-ended",
        "event: stage-ended",
        "event: job-ended",
        "event: run-ended",
    ];
    let places = places.map(|it| all.find(it).unwrap_or_else(|| panic!("{it}: {all}")));
    assert!(places.is_sorted(), "{all}");
}

#[test]
fn a_page_keeps_itself_up_to_date_by_our_own_script_alone() {
    let (_run, live) = begun();
    let (_, page) = ask(&live, "/");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(
        page.contains("<script src=\"/live.js\" defer></script>"),
        "{page}"
    );
    assert!(
        page.contains("script-src 'self'; connect-src 'self'"),
        "{page}"
    );
    let (status, script) = ask(&live, "/live.js");
    assert!(
        status == 200 && script.contains("text/javascript"),
        "{script}"
    );
}

#[test]
fn a_run_that_is_dropped_is_served_no_more() {
    let (_, live) = begun();
    let at = live.at();
    drop(live);
    assert!(TcpStream::connect(at).is_err());
}

#[test]
fn what_an_attempt_wrote_to_stderr_is_text_as_long_as_its_executor_is_there() {
    let (run, live) = begun();
    let added = |address: &str| Fact::ExecutorCame {
        executor: "e".into(),
        host: "h".into(),
        cores: 1,
        is_driver: false,
        address: address.to_owned(),
    };
    begin(&run);
    let log = |of: &str| ask(&live, &format!("/api/mesquite/v1/logs/{of}"));
    let (status, answer) = log("7");
    assert_eq!(status, 404, "{answer}");
    assert!(answer.contains("executor e has not come yet"), "{answer}");
    happen(&run, vec![added("h:1")]);
    for of in ["7", "0.0", "0.0.0"] {
        let (status, answer) = log(of);
        assert_eq!(status, 200, "{answer}");
        let answer = answer.to_lowercase();
        assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"));
        assert!(answer.contains("x-content-type-options: nosniff\r\n"));
        assert!(
            answer.ends_with("\r\n\r\n<b>bold</b> \u{1b}[1m\n"),
            "{answer}"
        );
    }
    let (_, page) = ask(&live, "/stages/0/0/tasks/");
    assert!(page.contains("href=\"/api/mesquite/v1/logs/7\""), "{page}");
    for of in ["8", "0.1", "0.0.1", "1.0"] {
        let (status, answer) = log(of);
        assert_eq!(status, 404, "{answer}");
        assert!(answer.contains("there is no attempt"), "{answer}");
    }
    assert_eq!(log("x").0, 404);
    happen(&run, vec![added("other:1")]);
    let (status, answer) = log("7");
    assert_eq!(status, 502);
    assert!(answer.ends_with("its executor cannot be asked: no\n"));
    let gone = Fact::ExecutorRemoved {
        executor: "e".into(),
        reason: ExecutorLossReason::Killed,
    };
    happen(&run, vec![gone]);
    let (status, answer) = log("7");
    assert_eq!(status, 410);
    assert!(
        answer.contains("executor e, which had it, is gone ("),
        "{answer}"
    );
}
