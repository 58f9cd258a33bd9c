//! Offers and statuses of fine mode, one at a time.

mod ends;
mod offers;
mod refused;

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::backend::ending::{SHUTTING_DOWN, TOLD_TO_END};
use crate::backend::executor_size::ExecutorSize;
use crate::facts::cluster::ClusterFact;
use crate::ids::{Partition, StageAttempt, StageId, TaskIndex};
use crate::offers::{Offer, RefusePolicy, Requirement};
use crate::telling::cluster::nothing_runs;
use mesquite_mesos::call::Call;
use mesquite_mesos::event::ExitStatus;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::{Command, TaskState, TaskStatus};
use mesquite_scheduler::locality::LocalityLevel;
use mesquite_scheduler::loss::ExecutorLossReason;
use mesquite_scheduler::task::TaskDescription;
use mesquite_scheduler::worker_offer::WorkerOffer;

pub(in crate::backend) fn config() -> MesosFineConfig {
    MesosFineConfig {
        shared: MesosConfig {
            size: ExecutorSize {
                cores: None,
                least_cores: 1,
                memory_mib: 1000,
                overhead_mib: 384,
                named: Vec::new(),
            },
            cores_max: None,
            gpus_max: None,
            requirement: Requirement::default(),
            refuse: RefusePolicy::default(),
            role: "*".into(),
            command: Command::shell("run"),
            container: None,
            labels: Vec::new(),
            variables: ["ID", "HOST", "CORES"],
            prefix: "e".into(),
            rack_attribute: None,
        },
        offered: Vec::new(),
        executor_cores: Scalar::from_milli(100),
        idle_timeout: Duration::from_secs(60),
    }
}

fn offer(id: &str, resources: &str) -> Offer {
    Offer {
        id: id.into(),
        agent_id: "a".into(),
        hostname: "h".into(),
        address: None,
        resources: resources.parse().expect("resources"),
        attributes: [].into(),
        executor_ids: Vec::new(),
        role: Some("*".into()),
        unavailability: None,
        fault_domain: None,
    }
}

pub(in crate::backend) fn attempt(id: u64, executor: &ExecutorId) -> TaskDescription {
    TaskDescription {
        task: TaskId(id),
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        index: TaskIndex(0),
        partition: Partition(0),
        attempt: 0,
        executor: executor.clone(),
        locality: LocalityLevel::Any,
        speculative: false,
        left_out: false,
        addresses: None,
        cpus: 1,
        resources: vec![],
        epoch: 0,
    }
}

/// When all tasks are asked about afresh: what is due if nothing else is.
const RECONCILIATION: Option<Timestamp> = Some(Timestamp::from_millis(900_000));

/// So many tasks wait.
pub(in crate::backend) fn waiting(waiting: u64) -> Input {
    let cores = waiting;
    Input::Wanted {
        waiting,
        cores,
        executors: 0..=u64::MAX,
    }
}

struct Bench(MesosFine, Timestamp);

impl Bench {
    fn new(config: MesosFineConfig, tasks: u64) -> Self {
        let mut bench = Self(MesosFine::new(config), Timestamp::ZERO);
        assert_eq!(bench.handle(Input::Subscribed), []);
        let _ = bench.handle(waiting(tasks));
        bench
    }

    /// What is to be done; what only those hear who want to know all is left out.
    fn handle(&mut self, input: Input) -> Vec<Action> {
        quiet(self.0.handle(self.1, Duration::ZERO, input))
    }

    fn settle(&mut self) -> Vec<Action> {
        quiet(self.0.settle())
    }

    fn why_nothing_runs(&self) -> String {
        nothing_runs(&self.0.why_nothing_runs().expect("a reason"))
    }

    /// Lets time pass until the next deadline.
    fn wait(&mut self) -> Vec<Action> {
        self.1 = self.0.next_deadline().expect("it waits for something");
        self.handle(Input::Tick)
    }

    /// Starts these attempts on an offer of four cores, of which the executor takes some.
    fn launched(&mut self, tasks: &[u64]) -> ExecutorId {
        let room = room(&self.offered(vec![offer("o1", "cpus:4;mem:2000")]));
        let attempts = tasks.iter().map(|id| attempt(*id, &room.executor));
        let launched = self
            .0
            .launch(vec![attempts.collect()], |_| Some(Bytes::new()));
        assert_eq!(names(&launched), ["ACCEPT"]);
        room.executor
    }

    fn offered(&mut self, offers: Vec<Offer>) -> Vec<Action> {
        self.handle(Input::Event(Event::Offers(offers)))
    }

    fn update(&mut self, task: &str, state: TaskState) -> Vec<Action> {
        self.handle(Input::Event(Event::Update(TaskStatus {
            agent: Some("a".into()),
            uuid: Some(Uuid::nil()),
            ..TaskStatus::new(task.into(), state)
        })))
    }
}

fn quiet(mut actions: Vec<Action>) -> Vec<Action> {
    actions.retain(|it| !matches!(it, Action::Told(fact) if fact.is_detail()));
    actions
}

fn names(actions: &[Action]) -> Vec<&'static str> {
    let name = |action: &Action| match action {
        Action::Call(call) => call.name(),
        Action::Offer(_) => "offer",
        Action::Ended { .. } => "ended",
        Action::TaskLost { .. } => "lost",
        Action::NotLaunched { .. } => "not launched",
        Action::Hopeless(_) => "hopeless",
        Action::ExecutorLost { .. } => "executor lost",
        Action::Idle(_) => "idle",
        Action::Drain(_) => "drain",
        Action::Told(_) => "told",
        other => panic!("{other:?}"),
    };
    actions.iter().map(name).collect()
}

/// The room in an action.
fn room(actions: &[Action]) -> WorkerOffer {
    let offers = actions.iter().find_map(|action| match action {
        Action::Offer(offers) => offers.first().cloned(),
        _ => None,
    });
    offers.expect("room is offered")
}
