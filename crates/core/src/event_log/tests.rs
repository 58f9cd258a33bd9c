//! What the lines of a log say.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::facts::{AgentPlace, Metrics};
use crate::ids::{DatasetId, JobId, Partition, StageAttempt, TaskIndex};
use crate::plan::ApplicationBuilder;
use crate::plan::application::ActionKind;
use mesquite_scheduler::locality::LocalityLevel;
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};
use mesquite_scheduler::task::{TaskEndReason, TaskOutput};

fn plan() -> Arc<Plan> {
    let mut builder = ApplicationBuilder::new();
    let all = builder.range("all", 0, 4, 2).expect("a dataset");
    builder.action(all, ActionKind::Count, None);
    Arc::clone(&builder.build().plan)
}

/// The events of these facts, a second after each other.
fn told(facts: Vec<Fact>) -> Vec<Value> {
    let mut log = EventLog::new(plan());
    let mut out = Vec::new();
    for (second, fact) in (1..).zip(facts) {
        let at = Duration::from_secs(second);
        log.add(&Happened { at, fact }, &mut out);
    }
    let text = String::from_utf8(out).expect("text");
    let lines = text.lines();
    lines
        .map(|it| serde_json::from_str(it).expect("JSON"))
        .collect()
}

fn stage() -> StageFacts {
    StageFacts {
        stage: StageId(0),
        name: "all".into(),
        dataset: DatasetId(0),
        tasks: 2,
        parents: Vec::new(),
    }
}

fn job() -> Fact {
    Fact::JobStarted {
        job: JobId(0),
        action: "count".into(),
        dataset: "all".into(),
        more_of: None,
        stages: vec![stage()],
    }
}

fn started() -> Fact {
    Fact::TaskStarted(AttemptFacts {
        task: TaskId(7),
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        index: TaskIndex(1),
        partition: Partition(1),
        attempt: 0,
        executor: "e".into(),
        host: "h".into(),
        locality: LocalityLevel::Any,
        speculative: false,
    })
}

fn ended(reason: TaskEndReason) -> Fact {
    let metrics = Some(Metrics {
        ran: Duration::from_millis(1500),
        records_read: 2,
        ..Metrics::default()
    });
    let task = TaskId(7);
    Fact::TaskEnded {
        task,
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        partition: Partition(1),
        attempt: 0,
        executor: "e".into(),
        host: "h".into(),
        reason,
        metrics,
    }
}

#[test]
fn a_job_tells_of_its_stages_and_tasks() {
    let attempt = StageAttempt(0);
    let events = told(vec![
        job(),
        Fact::StageStarted {
            stage: StageId(0),
            name: "all".into(),
            attempt,
            tasks: 2,
        },
        started(),
        ended(TaskEndReason::Success(TaskOutput::Result { bytes: 8 })),
        Fact::StageEnded {
            stage: StageId(0),
            attempt,
            failure: None,
        },
        Fact::JobEnded {
            job: JobId(0),
            status: Status::Succeeded,
            error: None,
        },
    ]);
    let names: Vec<_> = events
        .iter()
        .map(|it| it["Event"].as_str().expect("a name"))
        .collect();
    let names: Vec<_> = names
        .iter()
        .map(|it| it.trim_start_matches("SparkListener"))
        .collect();
    assert_eq!(
        names,
        [
            "JobStart",
            "StageSubmitted",
            "TaskStart",
            "TaskEnd",
            "StageCompleted",
            "JobEnd"
        ]
    );
    let stage = &events[0]["Stage Infos"][0];
    assert_eq!(
        (&stage["Number of Tasks"], &stage["RDD Info"][0]["Name"]),
        (&2.into(), &"all".into())
    );
    assert_eq!(
        events[0]["Properties"]["spark.job.description"],
        "count of all"
    );
    let end = &events[3];
    assert_eq!(end["Task End Reason"]["Reason"], "Success");
    assert_eq!(end["Task Info"]["Launch Time"], 3000);
    assert_eq!(end["Task Info"]["Finish Time"], 4000);
    assert_eq!(end["Task Metrics"]["Executor Run Time"], 1500);
    assert_eq!(end["Task Metrics"]["Result Size"], 8);
    assert_eq!(end["Task Metrics"]["Input Metrics"]["Records Read"], 2);
    assert_eq!(events[4]["Stage Info"]["Submission Time"], 2000);
    assert_eq!(events[4]["Stage Info"]["Completion Time"], 5000);
    assert_eq!(events[5]["Job Result"]["Result"], "JobSucceeded");
}

#[test]
fn each_end_of_a_task_has_the_name_that_spark_knows() {
    let message: Arc<str> = "why".into();
    let reasons = [
        (
            TaskEndReason::FetchFailed {
                source: Some(("e".into(), "h".into())),
                shuffle: crate::ids::ShuffleId(3),
                map: Some(Partition(4)),
                reduce: Partition(5),
                message: message.clone(),
            },
            "FetchFailed",
            true,
        ),
        (
            TaskEndReason::Failed {
                message: message.clone(),
                permanent: false,
            },
            "ExceptionFailure",
            true,
        ),
        (
            TaskEndReason::Killed {
                reason: message.clone(),
            },
            "TaskKilled",
            false,
        ),
        (TaskEndReason::CommitDenied, "TaskCommitDenied", true),
        (TaskEndReason::ResultLost, "TaskResultLost", true),
        (
            TaskEndReason::ExecutorLost {
                caused_by_app: true,
                reason: Arc::new(ExecutorLossReason::Exited {
                    caused_by_app: true,
                    cause: LossCause::Said(message),
                }),
            },
            "ExecutorLostFailure",
            true,
        ),
        (TaskEndReason::Unknown, "UnknownReason", true),
    ];
    for (reason, name, failed) in reasons {
        let events = told(vec![job(), started(), ended(reason)]);
        assert_eq!(events[2]["Task End Reason"]["Reason"], name);
        assert_eq!(events[2]["Task Info"]["Failed"], failed, "{name}");
        assert_eq!(events[2]["Task Info"]["Killed"], !failed, "{name}");
        // Spark takes no port of 0, and then shows nothing of the application.
        let address = &events[2]["Task End Reason"]["Block Manager Address"];
        assert!(address.is_null() || address["Port"].as_u64() > Some(0));
    }
}

#[test]
fn a_second_end_of_an_attempt_is_none() {
    let lost = || ended(TaskEndReason::Resubmitted);
    assert_eq!(told(vec![job(), started(), lost(), lost()]).len(), 3);
}

#[test]
fn executors_come_and_go() {
    let events = told(vec![
        Fact::ExecutorAdded {
            executor: "e".into(),
            host: "h".into(),
            cores: 2,
            agent: None,
            resources: vec![("gpu".into(), vec!["0".into(), "1".into()])],
        },
        Fact::ExecutorRemoved {
            executor: "e".into(),
            reason: ExecutorLossReason::Killed,
        },
    ]);
    let info = &events[0]["Executor Info"];
    assert_eq!(info["Total Cores"], 2);
    let gpus = serde_json::json!({ "name": "gpu", "addresses": ["0", "1"] });
    assert_eq!(info["Resources"]["gpu"], gpus);
    assert_eq!(events[1]["Executor ID"], "e");
    assert!(events[1]["Removed Reason"].is_string());
}

#[test]
fn executors_of_mesos_have_links_to_their_sandboxes() {
    let about = AboutRun {
        app_id: "f-0001".into(),
        attempt: None,
        name: "n".into(),
        user: "u".into(),
        began: Duration::ZERO,
        master: Some("https://m:5050".into()),
        version: "1".into(),
        settings: vec![],
    };
    let mut log = EventLog::new(plan());
    log.begin(&about, &mut Vec::new());
    let mut urls = |url: Option<&str>| {
        let added = Fact::ExecutorAdded {
            executor: "e 1".into(),
            host: "h".into(),
            cores: 2,
            agent: Some(AgentPlace {
                id: "a-S1".into(),
                url: url.map(Into::into),
            }),
            resources: Vec::new(),
        };
        let mut out = Vec::new();
        let at = Duration::ZERO;
        log.add(&Happened { at, fact: added }, &mut out);
        let line: Value = serde_json::from_slice(&out).expect("a line of JSON");
        line["Executor Info"]["Log Urls"].clone()
    };
    let page = "https://m:5050/#/agents/a-S1/frameworks/f-0001/executors/e%201/browse";
    let file = "http://h:5051/files/download?path=/frameworks/f-0001/executors/e%201/runs/latest/";
    let all = json!({
        "sandbox": page,
        "stderr": format!("{file}stderr"),
        "stdout": format!("{file}stdout"),
    });
    assert_eq!(urls(Some("http://h:5051")), all);
    assert_eq!(urls(None), json!({ "sandbox": page }));
}

#[test]
fn an_application_begins_with_its_settings_and_ends_with_the_last_line() {
    let mut log = EventLog::new(plan());
    let about = AboutRun {
        app_id: "app-1".into(),
        attempt: None,
        name: "n".into(),
        user: "u".into(),
        began: Duration::from_millis(5),
        master: None,
        version: "1".into(),
        settings: vec![("spark.master".into(), "local".into())],
    };
    let mut out = Vec::new();
    log.begin(&about, &mut out);
    for fact in [job(), started()] {
        let at = Duration::from_millis(6);
        log.add(&Happened { at, fact }, &mut out);
    }
    log.end(Duration::from_millis(9), &mut out);
    let text = String::from_utf8(out).expect("text");
    let events: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).expect("JSON"))
        .collect();
    assert_eq!(events[1]["Spark Properties"]["spark.master"], "local");
    assert_eq!(
        (&events[2]["App ID"], &events[2]["Timestamp"]),
        (&"app-1".into(), &5.into())
    );
    // What still runs is stopped.
    let last = &events[events.len() - 2];
    assert_eq!(last["Task End Reason"]["Kill Reason"], "the run was over");
    assert_eq!(last["Task Info"]["Finish Time"], 9);
    assert_eq!(events[events.len() - 1]["Timestamp"], 9);
}
