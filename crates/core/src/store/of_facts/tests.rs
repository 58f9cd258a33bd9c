//! The store of a live run is the one that its log gives.

use proptest::prelude::*;

use super::*;
use crate::facts::{AgentPlace, StageFacts};
use crate::ids::{DatasetId, JobId, Partition, StageAttempt, StageId, TaskIndex};
use crate::plan::ApplicationBuilder;
use crate::plan::application::ActionKind;
use crate::report::Status;
use mesquite_scheduler::locality::LocalityLevel;
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};
use mesquite_scheduler::task::TaskOutput;

fn plan() -> Arc<Plan> {
    let mut builder = ApplicationBuilder::new();
    let all = builder.range("all", 0, 4, 2).expect("a dataset");
    builder.action(all, ActionKind::Count, None);
    Arc::clone(&builder.build().plan)
}

fn about() -> AboutRun {
    AboutRun {
        app_id: "app".into(),
        attempt: None,
        name: "<b>\"name\"</b>".into(),
        user: "u".into(),
        began: Duration::from_millis(5),
        master: Some("http://m:5050".into()),
        version: "1".into(),
        settings: vec![("spark.task.cpus".into(), "2".into())],
    }
}

fn stage(stage: u32) -> StageFacts {
    StageFacts {
        stage: StageId(stage),
        name: format!("stage \"{stage}\"\n").into(),
        dataset: DatasetId(0),
        tasks: 3,
        parents: (0..stage).map(StageId).collect(),
    }
}

fn metrics() -> impl Strategy<Value = Option<Metrics>> {
    let number = || prop_oneof![Just(0), 0_u64..3000, any::<u64>()];
    let all = proptest::array::uniform12(number());
    proptest::option::of(all.prop_map(|it| Metrics {
        records_read: it[0],
        bytes_read: it[1],
        records_written: it[2],
        bytes_written: it[3],
        shuffle_bytes_read: it[4],
        shuffle_bytes_fetched: it[5],
        shuffle_bytes_written: it[6],
        spilled_bytes: it[7],
        ran: Duration::from_micros(it[8]),
        cpu: Duration::from_nanos(it[9]),
        peak_memory: it[10],
        fetch_wait: Duration::from_micros(it[11]),
    }))
}

fn reason() -> impl Strategy<Value = TaskEndReason> {
    let text = || "[a-z\"\\\\\n<é]{0,9}".prop_map(|it: String| Arc::<str>::from(it));
    let success =
        || (0_u64..3).prop_map(|bytes| TaskEndReason::Success(TaskOutput::Result { bytes }));
    prop_oneof![
        success(),
        success(),
        Just(TaskEndReason::Resubmitted),
        Just(TaskEndReason::CommitDenied),
        Just(TaskEndReason::ResultLost),
        Just(TaskEndReason::Unknown),
        text().prop_map(|message| TaskEndReason::Failed {
            message,
            permanent: false
        }),
        text().prop_map(|reason| TaskEndReason::Killed { reason }),
        text().prop_map(|message| TaskEndReason::ExecutorLost {
            caused_by_app: message.is_empty(),
            reason: Arc::new(ExecutorLossReason::Exited {
                caused_by_app: true,
                cause: LossCause::Said(message),
            }),
        }),
        (text(), any::<bool>()).prop_map(|(message, known)| TaskEndReason::FetchFailed {
            source: known.then(|| ("e".into(), "h".into())),
            shuffle: crate::ids::ShuffleId(3),
            map: known.then_some(Partition(4)),
            reduce: Partition(5),
            message,
        }),
    ]
}

fn executor(number: u32) -> crate::ids::ExecutorId {
    format!("e\"{number}").as_str().into()
}

fn fact() -> impl Strategy<Value = Fact> {
    let started = (0_u32..4, 0_u32..2, 0_u32..3, 0_u32..4, any::<bool>());
    prop_oneof![
        2 => (0_u32..4, 0_u32..3).prop_map(|(number, cores)| Fact::ExecutorAdded {
            executor: executor(number),
            host: "h\"1".into(),
            cores,
            agent: (cores == 2).then(|| AgentPlace {
                id: "S1".into(),
                url: Some("http://h:5051".into()),
            }),
            resources: match cores {
                1 => vec![("gpu".into(), vec!["0".into(), "\"1".into()])],
                _ => Vec::new(),
            },
        }),
        1 => (0_u32..4).prop_map(|it| Fact::ExecutorRemoved {
            executor: executor(it),
            reason: ExecutorLossReason::Killed,
        }),
        2 => (0_u32..3, 1_u32..4).prop_map(|(job, stages)| Fact::JobStarted {
            job: JobId(job),
            action: "count".into(),
            dataset: "d".into(),
            more_of: None,
            stages: (0..stages).map(stage).collect(),
        }),
        1 => (0_u32..3, any::<bool>()).prop_map(|(job, well)| Fact::JobEnded {
            job: JobId(job),
            status: if well { Status::Succeeded } else { Status::Failed },
            error: (!well).then(|| "no\n".to_owned()),
        }),
        2 => (0_u32..4, 0_u32..2).prop_map(|(stage, attempt)| Fact::StageStarted {
            stage: StageId(stage),
            name: "s".into(),
            attempt: StageAttempt(attempt),
            tasks: 2,
        }),
        1 => (0_u32..4, 0_u32..2, any::<bool>()).prop_map(|(stage, attempt, well)| {
            Fact::StageEnded {
                stage: StageId(stage),
                attempt: StageAttempt(attempt),
                failure: (!well).then(|| "why".into()),
            }
        }),
        8 => started.prop_map(|(stage, attempt, index, number, speculative)| {
            Fact::TaskStarted(AttemptFacts {
                task: TaskId(0),
                stage: StageId(stage),
                stage_attempt: StageAttempt(attempt),
                index: TaskIndex(index),
                partition: Partition(index + 1),
                attempt: index,
                executor: executor(number),
                host: "h".into(),
                locality: LocalityLevel::ALL[index as usize],
                speculative,
            })
        }),
        7 => (0_u64..20, reason(), metrics()).prop_map(|(task, reason, metrics)| {
            Fact::TaskEnded {
                task: TaskId(task),
                stage: StageId(0),
                stage_attempt: StageAttempt(0),
                partition: Partition(0),
                attempt: 0,
                executor: "e".into(),
                host: "h".into(),
                reason,
                metrics,
            }
        }),
    ]
}

/// Facts in the order of time; no two attempts have the same number.
fn facts() -> impl Strategy<Value = Vec<Happened>> {
    let one = (fact(), 0_u64..3_000_000);
    proptest::collection::vec(one, 0..60).prop_map(|all| {
        let (mut at, mut next) = (Duration::from_secs(1), 0);
        let mut happened = Vec::new();
        for (mut fact, micros) in all {
            at += Duration::from_micros(micros);
            if let Fact::TaskStarted(facts) = &mut fact {
                facts.task = TaskId(next);
                next += 1;
            }
            happened.push(Happened { at, fact });
        }
        happened
    })
}

proptest! {
    #[test]
    fn a_log_that_was_written_and_read_gives_the_store_of_the_live_run(
        facts in facts(),
        batch in 1_usize..9,
        cuts in proptest::collection::vec(1_usize..6, 0..40),
        ends in any::<bool>(),
    ) {
        let at = Duration::from_secs(5000);
        let mut live = OfFacts::new(plan(), &about());
        for facts in facts.chunks(batch) {
            live.add(facts);
        }
        let mut log = EventLog::new(plan());
        let mut text = Vec::new();
        log.begin(&about(), &mut text);
        for happened in &facts {
            log.add(happened, &mut text);
        }
        if ends {
            live.end(at);
            log.end(at, &mut text);
        }
        let mut read = Store::new();
        let mut parser = Parser::default();
        let mut cuts = cuts.into_iter();
        let lines: Vec<_> = text.split_inclusive(|it| *it == b'\n').collect();
        let mut lines = &lines[..];
        while !lines.is_empty() {
            let cut = cuts.next().unwrap_or(lines.len()).min(lines.len());
            let batch = parser.parse(&lines[..cut].concat());
            prop_assert_eq!((batch.damaged, batch.lines), (0, cut as u64));
            read.apply(batch);
            lines = &lines[cut..];
        }
        prop_assert_eq!(&read, live.store());
        if ends {
            prop_assert_eq!((read.running(), read.application.ended), (0, Some(5_000_000)));
        }
    }
}
