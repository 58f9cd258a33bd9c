//! What is done with bytes that processes of a run say to each other or keep, for
//! properties and fuzzers, which throw anything at it. None of it may panic, and
//! some of it must always hold.

use std::sync::Arc;
use std::time::Duration;

use mesquite::backend::threads::Threads;
use mesquite::clock::Timestamp;
use mesquite::driver::core::effect::Effect;
use mesquite::driver::core::input::{ConnectionId, Input, Step};
use mesquite::driver::core::instruction::Welcome;
use mesquite::driver::core::record::{self, Ended, Record};
use mesquite::driver::core::{Driver, DriverParts};
use mesquite::driver::wire::heard;
use mesquite::executor::session::{self, Session};
use mesquite::ids::{DatasetId, Partition, ShuffleId, TaskId};
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::ActionKind;
use mesquite::rpc::frame;
use mesquite::rpc::message::from_executor::{
    CommitRequest, Dropped, Heartbeat, Locate, Progress, Register, Said, Status, StatusBatch,
    TookOver,
};
use mesquite::rpc::message::outcome::{End, Kept};
use mesquite::rpc::message::success::{MapOutput, Output};
use mesquite::rpc::message::{
    FetchFailure, FromDriver, FromExecutor, Metrics, Outcome, Success, Task, from_driver,
    from_executor,
};
use mesquite::scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};
use mesquite::storage::block::{Blocks, Encoder, PartOf};
use mesquite::storage::blocks::wire::{self, Head};
use mesquite::storage::shuffle::WantedBlock;
use mesquite::storage::shuffle::files::{ENTRY, OutputId, place_of};
use mesquite::task::Seal;

const CONNECTION: ConnectionId = ConnectionId(1);

const OF: PartOf = PartOf::Persisted(DatasetId(1), Partition(2));

/// A driver in the middle of a job with a shuffle, whose executor is the caller.
struct Bench {
    driver: Driver,
    now: Timestamp,
    sent: Vec<Task>,
}

impl Bench {
    fn new() -> Self {
        let mut builder = ApplicationBuilder::new();
        let numbers = builder.range("numbers", 0, 9, 2).expect("a dataset");
        let spread = builder.repartition("spread", numbers, 3);
        let spread = spread.expect("a dataset");
        builder.action(spread, ActionKind::Count, None);
        let application = Arc::new(builder.build());
        let core = Core::new(
            Arc::clone(&application.plan),
            DagSchedulerConfig::default(),
            TaskSchedulerConfig::default(),
            None,
            1,
        );
        let driver = Driver::new(DriverParts {
            core,
            application,
            manager: Box::new(Threads),
            tells_all: false,
            welcome: Welcome::default(),
            task_cpus: 1,
            named: None,
            allocation: None,
            keeps: false,
            longest_message: 1 << 20,
            is_saved: mesquite::storage::sink::is_saved,
        });
        let mut bench = Self {
            driver,
            now: Timestamp::ZERO,
            sent: Vec::new(),
        };
        bench.step(Input::Started);
        bench.hear(register());
        bench
    }

    fn hear(&mut self, message: FromExecutor) {
        if let Some(message) = heard(message) {
            self.step(Input::Executor {
                connection: CONNECTION,
                executor: "e".into(),
                message,
            });
        }
    }

    fn step(&mut self, input: Input) {
        let effects = self.driver.handle(Step {
            at: self.now,
            unix_time: Duration::ZERO,
            inputs: vec![input],
        });
        for effect in effects {
            if let Effect::Send(_, message) = effect
                && let Some(from_driver::Message::Launch(launch)) = message.message
            {
                self.sent.extend(launch.tasks);
            }
        }
    }
}

fn said(message: from_executor::Message) -> FromExecutor {
    FromExecutor {
        message: Some(message),
    }
}

fn register() -> FromExecutor {
    said(from_executor::Message::Register(Register {
        executor: "e".into(),
        cores: 4,
        port: 1,
        folder: "/f".into(),
        instance: "i".into(),
        tasks: vec![9],
        ..Register::default()
    }))
}

/// A word of an executor in the middle of a job. The driver goes on.
pub fn from_executor(bytes: &[u8]) {
    let Ok(message) = frame::message::<FromExecutor>(bytes) else {
        return;
    };
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.hear(message.clone());
    }
    for task in std::mem::take(&mut bench.sent) {
        bench.hear(said(statuses(task.id, Some(End::Killed("x".into())))));
        bench.hear(message.clone());
    }
    if let Some(deadline) = bench.driver.next_deadline() {
        bench.now = deadline;
        bench.step(Input::TimePassed);
    }
}

/// A word of the driver to an executor that is attached, or is not.
pub fn from_driver(bytes: &[u8]) {
    let Ok(message) = frame::message::<FromDriver>(bytes) else {
        return;
    };
    let registered = FromDriver {
        message: Some(from_driver::Message::Registered(
            from_driver::Registered::default(),
        )),
    };
    for attached in [false, true] {
        let mut now = Timestamp::ZERO;
        let patience = Duration::from_secs(30);
        let mut session = Session::new(now, Register::default(), patience, 1);
        let _ = session.handle(now, session::Input::Tick);
        let _ = session.handle(now, session::Input::Connected);
        if attached {
            let _ = session.handle(now, session::Input::Heard(registered.clone()));
        }
        for _ in 0..2 {
            let _ = session.handle(now, session::Input::Heard(message.clone()));
        }
        let ended = vec![(1, Outcome::default())];
        let _ = session.handle(now, session::Input::Ended(ended));
        if let Some(deadline) = session.next_deadline() {
            now = deadline;
            let _ = session.handle(now, session::Input::Tick);
        }
    }
}

/// Blocks of a map output or of a persisted partition. They have no more than what
/// came can hold.
pub fn blocks(bytes: &[u8]) {
    let mut blocks = Blocks::new(bytes, OF, &Seal::default()).of_records(1 << 20);
    let mut lines = Vec::new();
    let mut all = 0;
    while let Ok(true) = blocks.next(&mut lines) {
        all += lines.len();
    }
    assert!(all <= 255 * bytes.len());
}

/// What an executor is asked for, and what stands before each block of an answer. Both
/// are understood as they are, or not at all.
pub fn block_messages(bytes: &[u8]) {
    if let Some(names) = wire::read_question(bytes) {
        assert!(names.len() <= wire::MOST_BLOCKS);
        let wanted: Vec<_> = names
            .into_iter()
            .map(|(output, reduce)| WantedBlock {
                output,
                reduce,
                bytes: 0,
                limits: (0, 0),
            })
            .collect();
        assert_eq!(wire::question(&wanted), bytes);
    }
    if let Some(bytes) = bytes.first_chunk::<{ wire::HEAD }>()
        && let Some(head) = Head::read(*bytes)
    {
        assert_eq!(head.bytes(), *bytes);
        assert!(!matches!(head, Head::Refusal(length) if length > wire::MOST_REASON));
    }
}

/// An index of a map output. What is found of a partition lies within reason.
pub fn index(bytes: &[u8]) {
    for (number, both) in (0..).zip(bytes.chunks(ENTRY).zip(bytes.chunks(ENTRY).skip(1))) {
        let both = [both.0, both.1].concat();
        if let Ok(both) = both.as_slice().try_into()
            && let Ok((start, length)) = place_of(both, Partition(number))
        {
            assert!(start.checked_add(length).is_some());
        }
    }
}

/// Lines of a journal. What is read of one is what it says.
pub fn journal(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        match record::read(line) {
            Ok(record) => {
                let again = record::line(&record);
                assert_eq!(record::read(&again[..again.len() - 1]), Ok(record));
            }
            Err(error) => assert!(!error.contains('\n')),
        }
    }
}

fn statuses(task: u64, end: Option<End>) -> from_executor::Message {
    let outcome = Outcome {
        end,
        metrics: Some(Metrics {
            records_read: 5,
            run_micros: 1000,
            ..Metrics::default()
        }),
        kept: vec![Kept {
            dataset: 0,
            partition: 1,
        }],
    };
    from_executor::Message::Statuses(StatusBatch {
        statuses: vec![Status {
            task,
            outcome: Some(outcome),
        }],
        number: 1,
    })
}

/// What executors say, one of each kind.
pub fn said_by_executors() -> Vec<Vec<u8>> {
    use from_executor::Message;
    let success = |output| {
        let output = Some(output);
        Some(End::Success(Success { output }))
    };
    let map = MapOutput {
        sizes: vec![1, 0, 300],
    };
    let failure = FetchFailure {
        executor: "e".into(),
        map: Some(1),
        message: "gone".into(),
        ..FetchFailure::default()
    };
    let store = || "e".to_owned();
    let messages = [
        statuses(0, success(Output::Map(map))),
        statuses(1, success(Output::Result(vec![0; 8].into()))),
        statuses(1, success(Output::Stored(9))),
        statuses(1, Some(End::FetchFailed(failure))),
        Message::Commit(CommitRequest {
            task: 1,
            ..CommitRequest::default()
        }),
        Message::Heartbeat(Heartbeat {
            progress: vec![Progress {
                task: 1,
                records: 5,
                run_micros: u64::MAX,
            }],
        }),
        Message::Dropped(Dropped::default()),
        Message::TookOver(TookOver {
            executor: store(),
            error: String::new(),
        }),
        Message::Locate(Locate { executor: store() }),
        Message::Said(Said {
            lines: vec!["line".into()],
            ..Said::default()
        }),
    ];
    let messages = messages.into_iter().map(said).chain([register()]);
    let bodies = messages.map(|it| frame::body(&it).to_vec());
    bodies.collect()
}

/// What the driver says, one of each kind.
pub fn said_by_drivers() -> Vec<Vec<u8>> {
    use from_driver::Message;
    let task = Task {
        id: 1,
        ..Task::default()
    };
    let messages = [
        Message::Registered(from_driver::Registered {
            app_id: "a".into(),
            ..from_driver::Registered::default()
        }),
        Message::Launch(from_driver::Launch { tasks: vec![task] }),
        Message::Kill(from_driver::Kill {
            task: 1,
            reason: "why".into(),
        }),
        Message::Commit(from_driver::CommitDecision {
            task: 1,
            granted: true,
        }),
        Message::Stop(from_driver::Stop {
            reason: "over".into(),
        }),
        Message::Released(from_driver::Released {
            shuffles: vec![1],
            datasets: vec![2],
            freed: vec![3],
        }),
        Message::Acknowledge(from_driver::Acknowledge { number: 1 }),
        Message::TakeOver(from_driver::TakeOver {
            executor: "e".into(),
            folder: "/f".into(),
        }),
        Message::Located(from_driver::Located {
            executor: "e".into(),
            address: "h:1".into(),
        }),
    ];
    let messages = messages.into_iter().map(|message| FromDriver {
        message: Some(message),
    });
    messages.map(|it| frame::body(&it).to_vec()).collect()
}

/// Blocks, some and none.
pub fn stored_blocks() -> Vec<Vec<u8>> {
    let of = |lines: &[&[u8]]| {
        let mut stored = Vec::new();
        let mut encoder = Encoder::new(OF, &Seal::default());
        lines.iter().for_each(|it| encoder.block(it, &mut stored));
        stored
    };
    vec![of(&[b"a\nb\n", &[b'x'; 5000], b""]), of(&[b""])]
}

/// A question for blocks, and what stands before a block and before a refusal.
pub fn sent_for_blocks() -> Vec<Vec<u8>> {
    let wanted = |map| WantedBlock {
        output: OutputId {
            shuffle: ShuffleId(1),
            map: Partition(map),
            task: TaskId(u64::MAX),
        },
        reduce: Partition(3),
        bytes: 0,
        limits: (0, 0),
    };
    vec![
        wire::question(&[wanted(0), wanted(7)]),
        Head::Block(1 << 40).bytes().to_vec(),
        Head::Refusal(wire::MOST_REASON).bytes().to_vec(),
    ]
}

/// Lines of a journal, one of each kind.
pub fn journal_lines() -> Vec<Vec<u8>> {
    let run = record::Run {
        version: "1".into(),
        binary: "b".into(),
        job: "j".into(),
        name: "n".into(),
        framework: "f".into(),
        seed: 1,
        secret: "s".into(),
        there: std::collections::BTreeMap::new(),
        files: std::collections::BTreeMap::new(),
    };
    let office = record::Office {
        host: "h".into(),
        port: 1,
        binary_port: 2,
    };
    let executor = Input::Executor {
        connection: CONNECTION,
        executor: "e".into(),
        message: heard(register()).expect("a known word"),
    };
    let step = Step {
        at: Timestamp::from_millis(5),
        unix_time: Duration::from_secs(9),
        inputs: vec![Input::Started, executor, Input::TimePassed],
    };
    let ended = Ended {
        seconds: 0.5,
        registered_seconds: 0.25,
    };
    let records = [
        Record::Run(run),
        Record::Office(office),
        Record::Step(Box::new(step), 3),
        Record::Ended(ended),
    ];
    records.iter().map(record::line).collect()
}
