//! A driver whose one executor is the test, which answers what it likes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::effect::{Delivery, Effect};
use super::fleet::COME_BACK;
use super::heard::Heard;
use super::input::{ConnectionId, Input, Step};
use super::instruction::Welcome;
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
use mesquite_mesos::task::{Command, TaskState, TaskStatus};
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
mod answers;
mod executors;
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
                named: None,
                allocation: None,
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

fn coarse() -> MesosCoarse {
    MesosCoarse::new(coarse_config(), false)
}

fn coarse_config() -> MesosConfig {
    let size = ExecutorSize {
        cores: Some(8),
        least_cores: 1,
        memory_mib: 100,
        overhead_mib: 0,
        named: Vec::new(),
    };
    MesosConfig {
        cores_max: None,
        gpus_max: None,
        requirement: Requirement {
            demand: size.demand(),
            ..Requirement::default()
        },
        refuse: RefusePolicy::default(),
        role: "*".into(),
        command: Command::shell("run"),
        container: None,
        labels: Vec::new(),
        variables: ["ID", "HOST", "CORES"],
        prefix: "e".into(),
        rack_attribute: None,
        size,
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
