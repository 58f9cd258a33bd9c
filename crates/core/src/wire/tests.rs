//! What executors say, read and written again.

use super::*;
use crate::driver::instruction::Welcome;

/// One end of each kind.
fn ends() -> [Option<WireEnd>; 9] {
    let success = |output| {
        let output = Some(output);
        Some(WireEnd::Success(Success { output }))
    };
    [
        success(Output::Map(MapOutput { sizes: vec![1, 0] })),
        success(Output::Result(vec![0, 255].into())),
        success(Output::Stored(9)),
        Some(WireEnd::FetchFailed(FetchFailure {
            executor: "e".into(),
            host: "h".into(),
            shuffle: 1,
            map: Some(2),
            message: "gone".into(),
        })),
        Some(WireEnd::FetchFailed(FetchFailure::default())),
        Some(WireEnd::Failed(Failure {
            message: "no".into(),
            permanent: true,
        })),
        Some(WireEnd::Killed("why".into())),
        Some(WireEnd::CommitDenied(Denied {})),
        None,
    ]
}

/// One status of each end, and one of an attempt that begins.
fn statuses() -> Vec<from_executor::Status> {
    let metrics = message::Metrics {
        records_read: 1,
        bytes_read: 2,
        records_written: 3,
        bytes_written: 4,
        shuffle_bytes_read: 5,
        shuffle_bytes_fetched: 6,
        shuffle_bytes_written: 7,
        spilled_bytes: 8,
        run_micros: u64::MAX,
        cpu_nanos: 9,
        peak_memory: 10,
        fetch_wait_micros: 11,
    };
    let kept = vec![Kept {
        dataset: 1,
        partition: 2,
    }];
    let outcome = |end| message::Outcome {
        end,
        metrics: Some(metrics),
        kept: kept.clone(),
    };
    let outcomes = ends().into_iter().map(outcome).map(Some).chain([None]);
    outcomes
        .map(|outcome| from_executor::Status { task: 7, outcome })
        .collect()
}

/// One message of each kind.
fn messages() -> Vec<FromExecutor> {
    let all = [
        Message::Register(from_executor::Register {
            executor: "e".into(),
            cores: 2,
            port: 70_000,
            folder: "/f".into(),
            process: 5,
            instance: "i".into(),
            tasks: vec![1, u64::MAX],
        }),
        Message::Statuses(from_executor::StatusBatch {
            statuses: statuses(),
            number: 3,
        }),
        Message::Commit(from_executor::CommitRequest {
            task: 1,
            stage: 2,
            partition: 3,
        }),
        Message::Heartbeat(from_executor::Heartbeat {
            progress: vec![from_executor::Progress {
                task: 1,
                records: 2,
                run_micros: u64::MAX,
            }],
        }),
        Message::Dropped(from_executor::Dropped {
            dataset: 1,
            partition: 2,
        }),
        Message::TookOver(from_executor::TookOver {
            executor: "e".into(),
            error: "why".into(),
        }),
        Message::Locate(from_executor::Locate {
            executor: "e".into(),
        }),
        Message::Said(from_executor::Said {
            stage: 1,
            partition: 2,
            attempt: 3,
            dataset: "d".into(),
            lines: vec!["line".into()],
            more: 4,
            warning: "w".into(),
        }),
    ];
    let all = all.into_iter().map(Some);
    all.map(|message| FromExecutor { message }).collect()
}

#[test]
fn a_journal_has_what_was_heard_as_it_travelled() {
    for message in messages() {
        let words = heard(message.clone()).expect("known");
        assert_eq!(Some(said(&words)), message.message);
    }
    assert_eq!(heard(FromExecutor { message: None }), None);
}

#[test]
fn who_is_to_blame_is_known_or_not() {
    let source = |executor: &str| {
        let failure = FetchFailure {
            executor: executor.into(),
            host: "there".into(),
            ..FetchFailure::default()
        };
        match end(WireEnd::FetchFailed(failure)) {
            End::FetchFailed { source, .. } => source,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(source("e2"), Some(("e2".into(), "there".into())));
    assert_eq!(source(""), None);
}

#[test]
fn an_end_that_says_nothing_is_a_failure_with_what_mesos_said() {
    let said = Outcome::failed("TASK_FAILED");
    assert_eq!(outcome_of(&[], "TASK_FAILED".into()), said);
    assert_eq!(outcome_of(&[0xff], "TASK_FAILED".into()), said);
    let none = Success { output: None };
    assert_eq!(end(WireEnd::Success(none)), End::Unknown);
}

#[test]
fn what_is_said_to_executors_travels_as_it_was_meant() {
    use mesquite_workload::message::from_driver::{self, Message};
    let sent = |order| message(order).message.expect("a message");
    let released = Released {
        shuffles: vec![ShuffleId(1)],
        datasets: vec![DatasetId(2)],
        freed: vec![ShuffleId(3)],
    };
    let travels = from_driver::Released {
        shuffles: vec![1],
        datasets: vec![2],
        freed: vec![3],
    };
    let welcome = Welcome {
        app_id: "app".into(),
        released: released.clone(),
        ..Welcome::default()
    };
    let Message::Registered(welcome) = sent(Instruction::Welcome(welcome)) else {
        panic!("a welcome");
    };
    assert_eq!(
        (&*welcome.app_id, welcome.released),
        ("app", Some(travels.clone()))
    );
    assert_eq!(
        sent(Instruction::Released(released)),
        Message::Released(travels)
    );
    // An output that is lost has no address.
    let lost = Instruction::Located {
        executor: "e".into(),
        address: None,
    };
    let located = from_driver::Located {
        executor: "e".into(),
        address: String::new(),
    };
    assert_eq!(sent(lost), Message::Located(located));
    let (task, granted) = (7, true);
    let commit = Message::Commit(from_driver::CommitDecision { task, granted });
    let task = TaskId(task);
    assert_eq!(sent(Instruction::Commit { task, granted }), commit);
}
