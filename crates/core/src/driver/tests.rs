//! A driver whose one executor is the test, which answers what it likes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::effect::{Delivery, Effect};
use super::fleet::COME_BACK;
use super::heard::Heard;
use super::input::{ConnectionId, Input, Step};
use super::order::Welcome;
use super::{Driver, DriverParts};
use crate::backend::executor_size::ExecutorSize;
use crate::backend::manager::ClusterManager;
use crate::backend::mesos::coarse::MesosCoarse;
use crate::backend::mesos::desk::MesosConfig;
use crate::backend::processes::Processes;
use crate::backend::threads::Threads;
use crate::clock::Timestamp;
use crate::facts::Fact;
use crate::ids::{ExecutorId, Host, Partition, TaskId};
use crate::offers::{Offer, RefusePolicy, Requirement};
use crate::plan::ApplicationBuilder;
use crate::plan::application::{ActionKind, Compression};
use crate::report::{JobReport, Status};
use crate::resources::Scalar;
use mesquite_mesos::call::Call;
use mesquite_mesos::event::Event;
use mesquite_mesos::subscription::Notice;
use mesquite_mesos::task::{TaskState, TaskStatus};
use mesquite_scheduler::action::{BackendRequest, ExecutorEnd};
use mesquite_scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};
use mesquite_workload::message::from_executor::{self, CommitRequest, Register, StatusBatch};
use mesquite_workload::message::outcome::{Denied, End, Kept};
use mesquite_workload::message::success::{MapOutput, Output};
use mesquite_workload::message::task::Work;
use mesquite_workload::message::{
    FetchFailure, FromExecutor, Metrics, Outcome, Success, Task, from_driver,
};

const CONNECTION: ConnectionId = ConnectionId(1);

mod actions;
mod fine;
mod seen;

/// Blocks of each map output.
const REDUCERS: u32 = 3;

struct Bench {
    driver: Driver,
    /// Sent, and without an answer.
    tasks: Vec<Task>,
    decisions: Vec<(u64, bool)>,
    fetches: Vec<(TaskId, u64)>,
    delivered: Vec<Delivery>,
    /// Processes that were started.
    started: Vec<ExecutorId>,
    /// Processes that were killed.
    killed: Vec<ExecutorId>,
    calls: Vec<Call>,
    /// Why executors were told to end.
    stopped: Vec<String>,
    facts: Vec<Fact>,
}

/// Knows what the tests save: an upload of the partition to a bucket, and nothing
/// that is to be said of a file.
fn is_saved(to: &str, partition: Partition, result: &[u8]) -> bool {
    let file = format!("part-{:05}", partition.0);
    match to.starts_with("s3://") {
        true => String::from_utf8_lossy(result).contains(&file),
        false => result.is_empty(),
    }
}

impl Bench {
    /// A job that does so with what a shuffle makes of two partitions.
    fn new(action: ActionKind) -> Self {
        let mut bench = Self::with(action, Threads);
        bench.register(&"e".into());
        bench
    }

    fn with(action: ActionKind, manager: impl ClusterManager + 'static) -> Self {
        let mut builder = ApplicationBuilder::new();
        let numbers = builder.range("numbers", 0, 9, 2).expect("a dataset");
        let spread = builder.repartition("spread", numbers, REDUCERS);
        builder.action(spread.expect("a dataset"), action, None);
        Self::of(builder, manager)
    }

    /// What is built so far.
    fn of(builder: ApplicationBuilder, manager: impl ClusterManager + 'static) -> Self {
        let application = Arc::new(builder.build());
        let core = Core::new(
            Arc::clone(&application.plan),
            DagSchedulerConfig::default(),
            TaskSchedulerConfig::default(),
            None,
            1,
        );
        let mut bench = Self {
            driver: Driver::new(DriverParts {
                core,
                application,
                manager: Box::new(manager),
                tells_all: true,
                welcome: Welcome::default(),
                task_cpus: 1,
                keeps: false,
                longest_message: usize::MAX,
                is_saved,
            }),
            tasks: Vec::new(),
            decisions: Vec::new(),
            fetches: Vec::new(),
            delivered: Vec::new(),
            started: Vec::new(),
            killed: Vec::new(),
            calls: Vec::new(),
            stopped: Vec::new(),
            facts: Vec::new(),
        };
        bench.step(Input::Started);
        bench
    }

    /// An executor comes.
    fn register(&mut self, executor: &ExecutorId) {
        self.introduce(
            executor,
            Register {
                executor: executor.as_str().into(),
                cores: 8,
                ..Register::default()
            },
        );
    }

    /// An executor comes, and says this of itself.
    fn introduce(&mut self, executor: &ExecutorId, register: Register) {
        self.say_as(executor, from_executor::Message::Register(register));
    }

    /// Scheduling asks for something, in a step.
    fn request(&mut self, request: BackendRequest) {
        let Driver { fleet, queue, .. } = &mut self.driver;
        fleet.request(request, queue);
        self.driver.settle_all();
        self.step(Input::TimePassed);
    }

    fn exclude(&mut self, hosts: Vec<Host>) {
        self.request(BackendRequest::ExcludeHosts(hosts));
    }

    fn mesos(&mut self, event: Event) {
        self.step(Input::Mesos(Notice::Event(event)));
    }

    fn step(&mut self, input: Input) {
        self.step_at(Duration::ZERO, input);
    }

    /// A step so long after the first one.
    fn step_at(&mut self, after: Duration, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let effects = self.driver.handle(Step {
                at: Timestamp::ZERO + after,
                unix_time: Duration::ZERO,
                inputs: vec![input],
            });
            for effect in effects {
                match effect {
                    Effect::Send(_, message) => match message.message {
                        Some(from_driver::Message::Launch(launch)) => {
                            self.tasks.extend(launch.tasks);
                        }
                        Some(from_driver::Message::Commit(decision)) => {
                            self.decisions.push((decision.task, decision.granted));
                        }
                        Some(from_driver::Message::Stop(stop)) => self.stopped.push(stop.reason),
                        _ => {}
                    },
                    Effect::StartProcess(executor) => self.started.push(executor),
                    Effect::KillProcess(executor) => self.killed.push(executor),
                    Effect::Call(call) => self.calls.push(call),
                    Effect::Facts(facts) => self.facts.extend(facts.into_iter().map(|it| it.fact)),
                    Effect::Fetch { task, bytes, .. } => self.fetches.push((task, bytes)),
                    Effect::Deliver { job, delivery, .. } => {
                        self.delivered.push(delivery);
                        let result = Ok(());
                        inputs.push(Input::Delivered { job, result });
                    }
                    _ => {}
                }
            }
        }
    }

    fn say(&mut self, message: from_executor::Message) {
        self.say_as(&ExecutorId::from("e"), message);
    }

    fn say_as(&mut self, executor: &ExecutorId, message: from_executor::Message) {
        self.step(Input::Executor {
            connection: CONNECTION,
            executor: executor.clone(),
            message: heard(message),
        });
    }

    fn end(&mut self, task: u64, outcome: Outcome) {
        self.end_on(&ExecutorId::from("e"), task, outcome);
    }

    fn end_on(&mut self, executor: &ExecutorId, task: u64, outcome: Outcome) {
        let statuses = vec![from_executor::Status {
            task,
            outcome: Some(outcome),
        }];
        let batch = StatusBatch {
            statuses,
            number: 0,
        };
        self.say_as(executor, from_executor::Message::Statuses(batch));
    }

    fn answer(&mut self, task: &Task, output: Output) {
        self.end(task.id, success(output));
    }

    /// Asks whether a task may commit a partition; what is said.
    fn commit(&mut self, task: &Task, partition: u32) -> bool {
        self.say(from_executor::Message::Commit(CommitRequest {
            task: task.id,
            stage: task.stage,
            partition,
        }));
        let (asked, granted) = self.decisions.pop().expect("an answer");
        assert_eq!(asked, task.id);
        granted
    }

    /// The next task, if any waits for its answer.
    fn next(&mut self) -> Option<Task> {
        (!self.tasks.is_empty()).then(|| self.tasks.remove(0))
    }

    /// Answers all maps as they should be.
    fn map(&mut self) {
        while self.tasks.first().is_some_and(is_map) {
            let task = self.next().expect("a task");
            self.answer(&task, sizes(REDUCERS));
        }
    }

    fn report(self) -> JobReport {
        assert!(self.driver.is_done(), "the job hangs");
        let mut reports = self.driver.into_results().jobs;
        reports.remove(0)
    }

    /// Gives this answer to each task of the stage, as often as it is asked for;
    /// what the job fails of.
    fn fails_with(mut self, wrong: &Outcome) -> String {
        while let Some(task) = self.next() {
            self.end(task.id, wrong.clone());
        }
        let report = self.report();
        assert_eq!(report.status, Status::Failed);
        report.error.expect("an error")
    }
}

/// Tests say what executors do, on the wire.
fn heard(message: from_executor::Message) -> Heard {
    let message = Some(message);
    crate::wire::heard(FromExecutor { message }).expect("a known word")
}

fn is_map(task: &Task) -> bool {
    matches!(task.work, Some(Work::Map(_)))
}

fn success(output: Output) -> Outcome {
    Outcome {
        end: Some(End::Success(Success {
            output: Some(output),
        })),
        ..Outcome::default()
    }
}

fn sizes(blocks: u32) -> Output {
    Output::Map(MapOutput {
        sizes: vec![10; blocks as usize],
    })
}

fn result(bytes: &'static [u8]) -> Output {
    Output::Result(Bytes::from_static(bytes))
}

fn save() -> ActionKind {
    ActionKind::Save {
        to: "out".into(),
        compress: Compression::default(),
        partition_by: Vec::new(),
        overwrite: false,
    }
}

const COUNT: ActionKind = ActionKind::Count;
const COLLECT: ActionKind = ActionKind::Collect { limit: Some(2) };

#[test]
fn a_map_task_answers_with_the_sizes_of_its_blocks_or_has_failed() {
    let wrong = [
        result(b"7"),
        Output::Stored(9),
        sizes(0),
        sizes(REDUCERS - 1),
        sizes(REDUCERS + 1),
        Output::Map(MapOutput {
            sizes: vec![u64::MAX; REDUCERS as usize],
        }),
    ];
    for output in wrong {
        let error = Bench::new(COUNT).fails_with(&success(output.clone()));
        assert!(error.contains("4 times"), "{output:?}: {error}");
        let due = "where a map output of 3 blocks was due";
        assert!(error.contains(due), "{output:?}: {error}");
    }
}

#[test]
fn a_result_task_answers_with_what_its_action_wants_or_has_failed() {
    let wrong = [
        (COUNT, sizes(REDUCERS), "a count of 8 bytes"),
        (COUNT, result(b""), "a count of 8 bytes"),
        (COUNT, result(b"abc"), "a count of 8 bytes"),
        (COUNT, Output::Stored(8), "a count of 8 bytes"),
        (COLLECT, sizes(REDUCERS), "a result of up to 2 lines"),
        (COLLECT, result(b"a\nb"), "a result of up to 2 lines"),
        (COLLECT, result(b"a\nb\nc\n"), "a result of up to 2 lines"),
        (save(), result(b""), "was not let commit"),
        (save(), sizes(REDUCERS), "a file in its place"),
    ];
    for (action, output, due) in wrong {
        let what = format!("{action:?} {output:?}");
        let mut bench = Bench::new(action);
        bench.map();
        let error = bench.fails_with(&success(output));
        assert!(error.contains(due), "{what}: {error}");
    }
}

#[test]
fn what_an_answer_names_is_what_its_task_had_to_do_with() {
    let blame = |shuffle, map| {
        let failure = FetchFailure {
            shuffle,
            map,
            executor: "e".into(),
            host: "h".into(),
            message: "gone".into(),
        };
        let end = Some(End::FetchFailed(failure));
        let kept = Vec::new();
        Outcome {
            end,
            kept,
            ..Outcome::default()
        }
    };
    let kept = |dataset, partition| {
        let count = result(&[7, 0, 0, 0, 0, 0, 0, 0]);
        let kept = vec![Kept { dataset, partition }];
        Outcome {
            kept,
            ..success(count)
        }
    };
    let denied = Outcome {
        end: Some(End::CommitDenied(Denied {})),
        ..Outcome::default()
    };
    for (outcome, due) in [
        (blame(7, None), "was not to read"),
        (blame(0, Some(2)), "was not to read"),
        (kept(1, 0), "was not to keep"),
        (kept(99, 0), "was not to keep"),
        (denied, "a count of 8 bytes"),
    ] {
        let mut bench = Bench::new(COUNT);
        bench.map();
        let error = bench.fails_with(&outcome);
        assert!(error.contains(due), "{outcome:?}: {error}");
    }
}

#[test]
fn a_wrong_answer_costs_an_attempt_and_nothing_else() {
    let mut bench = Bench::new(COUNT);
    let first = bench.next().expect("a task");
    bench.answer(&first, result(b""));
    bench.map();
    let first = bench.next().expect("a task");
    bench.answer(&first, result(b"abc"));
    while let Some(task) = bench.next() {
        // Figures of an executor are not to be trusted either.
        let metrics = Some(Metrics {
            spilled_bytes: u64::MAX,
            ..Metrics::default()
        });
        let outcome = Outcome {
            metrics,
            ..success(result(&[2, 0, 0, 0, 0, 0, 0, 0]))
        };
        bench.end(task.id, outcome.clone());
        // It says so twice.
        bench.end(task.id, outcome);
    }
    assert_eq!(bench.delivered, [Delivery::Count(6)]);
    let report = bench.report();
    assert_eq!(report.status, Status::Succeeded);
    assert_eq!((report.attempts, report.failed_attempts), (7, 2));
}

#[test]
fn counts_of_more_than_64_bits_are_no_count() {
    let mut bench = Bench::new(COUNT);
    bench.map();
    let error = bench.fails_with(&success(result(&[0xff; 8])));
    assert!(error.contains("more than 64 bits"), "{error}");
}

#[test]
fn a_result_to_be_fetched_is_as_long_as_announced_or_its_attempt_has_failed() {
    let mut bench = Bench::new(ActionKind::Collect { limit: None });
    bench.map();
    let mut wrong = [&b"a\n"[..], b"a\nb\nc\n", b"a\nbc"].into_iter();
    while let Some(task) = bench.next() {
        bench.answer(&task, Output::Stored(4));
        let (fetched, bytes) = bench.fetches.pop().expect("it is fetched");
        assert_eq!((fetched, bytes), (TaskId(task.id), 4));
        // The answer again, while it is fetched.
        bench.answer(&task, Output::Stored(4));
        assert!(bench.fetches.is_empty());
        let sent = wrong.next().unwrap_or(b"a\nb\n");
        let result = Ok(Bytes::from_static(sent));
        let task = fetched;
        bench.step(Input::Fetched { task, result });
    }
    let [Delivery::Records(records)] = &bench.delivered[..] else {
        panic!("{:?}", bench.delivered);
    };
    assert_eq!(records.concat(), b"a\nb\na\nb\na\nb\n");
    let report = bench.report();
    assert_eq!((report.attempts, report.failed_attempts), (8, 3));
}

#[test]
fn a_result_that_cannot_be_fetched_is_asked_for_once_more() {
    let mut bench = Bench::new(ActionKind::Collect { limit: None });
    bench.map();
    let task = bench.next().expect("a task");
    bench.answer(&task, Output::Stored(4));
    let (fetched, _) = bench.fetches.pop().expect("it is fetched");
    let lost = || Input::Fetched {
        task: fetched,
        result: Err("refused".into()),
    };
    bench.step(lost());
    assert_eq!(bench.fetches, []);
    bench.step_at(COME_BACK, Input::TimePassed);
    assert_eq!(bench.fetches, [(fetched, 4)]);
    let others = bench.tasks.len();
    bench.step_at(COME_BACK, lost());
    assert_eq!(bench.tasks.len(), others + 1, "it is made again");
    assert_eq!(bench.driver.next_deadline(), None);
}

#[test]
fn a_result_that_went_with_its_executor_is_no_failure_of_its_task() {
    let mut bench = Bench::new(ActionKind::Collect { limit: None });
    bench.map();
    let task = bench.next().expect("a task");
    bench.answer(&task, Output::Stored(4));
    let (fetched, _) = bench.fetches.pop().expect("it is fetched");
    let result = Err("refused".into());
    let task = fetched;
    bench.step(Input::Fetched { task, result });
    // The connection breaks after the process has gone.
    bench.step(Input::Disconnected {
        connection: CONNECTION,
        executor: "e".into(),
        why: "it broke".into(),
    });
    bench.step_at(COME_BACK, Input::TimePassed);
    assert_eq!(bench.fetches, []);
    assert!(!bench.driver.runs(fetched));
    assert_eq!(bench.driver.attempts.to_fetch(), 0);
}

#[test]
fn an_attempt_commits_its_own_partition_and_no_other() {
    let mut bench = Bench::new(save());
    let map = bench.tasks[0].clone();
    assert!(
        !bench.commit(&map, map.partition),
        "there is nothing to save"
    );
    bench.map();
    let tasks = std::mem::take(&mut bench.tasks);
    // It would keep the other from ever committing.
    assert!(!bench.commit(&tasks[0], tasks[1].partition));
    for task in &tasks {
        assert!(bench.commit(task, task.partition));
        bench.answer(task, result(b""));
        assert!(!bench.commit(task, task.partition), "it is over");
    }
    let saved = Delivery::Save {
        to: "out".into(),
        partitions: REDUCERS,
        results: vec![Bytes::new(); REDUCERS as usize],
        without: vec![],
        complete: true,
    };
    assert_eq!(bench.delivered, [saved]);
    assert_eq!(bench.report().status, Status::Succeeded);
}

#[test]
fn what_completes_an_upload_is_of_the_partition_that_was_to_be_saved() {
    let told = |partition: u32| {
        let upload =
            format!(r#"{{"file":"part-{partition:05}","upload":"u","parts":["p"],"size":1}}"#);
        Output::Result(upload.into())
    };
    let mut bench = Bench::new(ActionKind::Save {
        to: "s3://bucket/out".into(),
        compress: Compression::default(),
        partition_by: Vec::new(),
        overwrite: false,
    });
    bench.map();
    // Nothing, what is no upload, and that of another partition.
    for wrong in [result(b""), result(b"{}"), told(9)] {
        let task = bench.next().expect("a task");
        assert!(bench.commit(&task, task.partition));
        bench.answer(&task, wrong);
    }
    while let Some(task) = bench.next() {
        assert!(bench.commit(&task, task.partition));
        bench.answer(&task, told(task.partition));
    }
    let report = bench.report();
    assert_eq!(
        (report.status, report.failed_attempts),
        (Status::Succeeded, 3)
    );
}

#[test]
fn an_exit_that_is_known_counts_for_what_was_being_launched() {
    let mut bench = Bench::with(COUNT, Processes::new(1, 8));
    let mut deaths = 0;
    while let Some(executor) = bench.started.pop() {
        bench.register(&executor);
        assert!(!bench.tasks.is_empty(), "nothing has begun");
        bench.tasks.clear();
        deaths += 1;
        let how = "it crashed".into();
        bench.step(Input::ProcessEnded { executor, how });
        if bench.driver.is_done() {
            break;
        }
    }
    // The last time the task is alone there.
    assert_eq!(deaths, 4);
    let error = bench.report().error.expect("an error");
    assert!(
        error.contains("4 times") && error.contains("it crashed"),
        "{error}"
    );
}

fn coarse() -> MesosCoarse {
    MesosCoarse::new(coarse_config(), false)
}

fn coarse_config() -> MesosConfig {
    let size = ExecutorSize {
        cores: Some(8),
        least_cores: 1,
        memory_mib: 100,
        overhead_mib: 0,
    };
    MesosConfig {
        size,
        cores_max: None,
        requirement: Requirement {
            demand: size.demand(),
            ..Requirement::default()
        },
        refuse: RefusePolicy::default(),
        role: "*".into(),
        command: "run".into(),
        environment: Vec::new(),
        variables: ["ID", "HOST", "CORES"],
        prefix: "e".into(),
    }
}

fn offer(number: u32) -> Event {
    Event::Offers(vec![Offer {
        id: format!("o{number}").as_str().into(),
        agent_id: "a".into(),
        hostname: "h".into(),
        address: None,
        resources: "cpus:8;mem:1000".parse().expect("resources"),
        attributes: [].into(),
        executor_ids: Vec::new(),
        role: Some("*".into()),
        unavailability: None,
        fault_domain: None,
    }])
}

#[test]
fn an_executor_that_comes_to_an_excluded_host_is_sent_away_through_no_fault_of_its_agent() {
    let mut bench = Bench::with(COUNT, coarse());
    let launched = |bench: &mut Bench, number| {
        bench.calls.clear();
        bench.mesos(offer(number));
        let accept = bench.calls.iter().find_map(|call| match call {
            Call::Accept { launch, .. } => launch.first().map(|it| it.task.clone()),
            _ => None,
        });
        accept.expect("an executor is launched")
    };
    for number in 0..3 {
        bench.exclude(Vec::new());
        let task = launched(&mut bench, number);
        bench.exclude(vec!["h".into()]);
        bench.register(&ExecutorId::from(task.as_str()));
        assert_eq!(
            bench.stopped.pop().as_deref(),
            Some("its host is excluded after failures")
        );
        assert!(bench.tasks.is_empty());
        let mut calls = bench.calls.iter();
        assert!(calls.any(|it| matches!(it, Call::Kill { task: killed, .. } if *killed == task)));
        bench.mesos(Event::Update(TaskStatus::new(task, TaskState::Finished)));
    }
    bench.exclude(Vec::new());
    let task = launched(&mut bench, 3);
    bench.register(&ExecutorId::from(task.as_str()));
    assert_eq!(bench.tasks.len(), 2);
}

#[test]
fn an_executor_is_what_it_was_launched_as_whatever_it_says_of_itself() {
    let mut bench = Bench::with(COUNT, Processes::new(2, 8));
    let [first, second] = [0, 1].map(|it: usize| bench.started[it].clone());
    let good = Register {
        executor: first.as_str().into(),
        cores: 8,
        port: 5,
        folder: "/f".into(),
        ..Register::default()
    };
    let more = Register {
        cores: 9,
        ..good.clone()
    };
    let no_port = Register {
        port: 70_000,
        ..good.clone()
    };
    let many = Register {
        tasks: vec![0; 2_000_000],
        ..good.clone()
    };
    let other = Register {
        executor: second.as_str().into(),
        ..good.clone()
    };
    for (wrong, why) in [
        (more, "launched with 8"),
        (no_port, "port"),
        (many, "2000000 attempts"),
        (other, "is executor"),
    ] {
        bench.introduce(&first, wrong);
        let told = bench.stopped.pop().expect("it is sent away");
        assert!(told.contains(why), "{told}");
        assert!(!bench.driver.is_registered(&first) && !bench.driver.is_registered(&second));
    }
    bench.introduce(&first, good);
    assert_eq!(bench.stopped, Vec::<String>::new());
    while bench.tasks.first().is_some_and(is_map) {
        let task = bench.next().expect("a task");
        bench.end_on(&first, task.id, success(sizes(REDUCERS)));
    }
    let task = bench.next().expect("a task that reads");
    let source = &task.inputs[0].sources[0];
    let told = [&source.host, &source.address, &source.folder];
    assert_eq!(told, ["localhost", "localhost:5", "/f"]);
}

#[test]
fn a_decommissioned_executor_ends_after_what_it_runs_and_a_killed_one_at_once() {
    for (end, at_once) in [
        (ExecutorEnd::Kill, true),
        (ExecutorEnd::Decommission, false),
    ] {
        let mut bench = Bench::with(COUNT, Processes::new(1, 8));
        let executor = bench.started.pop().expect("a process");
        bench.register(&executor);
        let reason = "excluded for the application".into();
        bench.request(BackendRequest::EndExecutor {
            executor: executor.clone(),
            end,
            reason,
        });
        assert_eq!(bench.killed.contains(&executor), at_once, "{end:?}");
        while let Some(task) = bench.next() {
            bench.end_on(&executor, task.id, success(sizes(REDUCERS)));
        }
        assert_eq!(bench.killed, [executor], "{end:?}");
    }
}
