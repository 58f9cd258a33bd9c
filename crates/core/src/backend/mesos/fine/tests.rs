//! Offers and statuses of fine mode, one at a time.

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::backend::ending::{SHUTTING_DOWN, TOLD_TO_END};
use crate::backend::executor_size::ExecutorSize;
use crate::ids::{Partition, StageAttempt, StageId, TaskIndex};
use crate::offers::{Offer, RefusePolicy, Requirement};
use crate::telling::cluster::nothing_runs;
use mesquite_mesos::call::Call;
use mesquite_mesos::event::ExitStatus;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::{TaskState, TaskStatus};
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
            },
            cores_max: None,
            requirement: Requirement::default(),
            refuse: RefusePolicy::default(),
            role: "*".into(),
            command: "run".into(),
            environment: Vec::new(),
            variables: ["ID", "HOST", "CORES"],
            prefix: "e".into(),
        },
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

#[test]
fn offers_of_an_agent_become_one_accept_with_an_executor_beside_its_tasks() {
    let mut bench = Bench::new(config(), 5);
    let offers = vec![offer("o1", "cpus:2;mem:500"), offer("o2", "cpus:1;mem:700")];
    let room = room(&bench.offered(offers));
    // A tenth of a core is the executor's.
    assert_eq!(room.cores, 2);
    let attempts = vec![attempt(1, &room.executor), attempt(2, &room.executor)];
    let launched = bench
        .0
        .launch(vec![attempts], |_| Some(Bytes::from_static(b"task")));
    let [Action::Call(Call::Accept { offers, launch, .. })] = &launched[..] else {
        panic!("{launched:?}");
    };
    assert_eq!(offers.len(), 2);
    let tasks: Vec<_> = launch.iter().map(|it| it.resources.cpus()).collect();
    assert_eq!(tasks, [Scalar::new(1), Scalar::new(1)]);
    let executor = launch[0].executor.as_ref().expect("an executor");
    assert_eq!(executor.resources.cpus(), Scalar::from_milli(100));
    assert_eq!(executor.resources.mem(), Scalar::new(1000));
    assert_eq!(bench.settle(), []);
}

#[test]
fn what_is_not_used_is_declined_in_the_same_cycle() {
    let mut bench = Bench::new(config(), 1);
    let offered = bench.offered(vec![offer("o1", "cpus:2;mem:2000")]);
    assert_eq!(names(&offered), ["offer"]);
    assert_eq!(names(&bench.settle()), ["DECLINE"]);
    assert_eq!(
        names(&bench.offered(vec![offer("o2", "cpus:1;mem:2000")])),
        ["DECLINE"]
    );
    let _ = bench.handle(waiting(0));
    let idle = bench.offered(vec![offer("o3", "cpus:2;mem:2000")]);
    assert_eq!(names(&idle), ["DECLINE", "SUPPRESS"]);
    assert_eq!(names(&bench.handle(waiting(3))), ["REVIVE"]);
}

#[test]
fn an_end_is_told_before_it_is_acknowledged_and_room_is_asked_for_once() {
    let mut bench = Bench::new(config(), 9);
    let executor = bench.launched(&[1, 2]);
    assert_eq!(bench.handle(Input::Registered(executor)), []);
    // Others may end soon as well.
    let first = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(names(&first), ["ended", "ACKNOWLEDGE"]);
    let again = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(names(&again), ["ACKNOWLEDGE"]);
    assert_eq!(names(&bench.wait()), ["REVIVE"]);
    assert_eq!(bench.1, Timestamp::ZERO + COALESCE);
    // Nothing is left that could end.
    let dropped = bench.update("e-task-2", TaskState::Dropped);
    assert_eq!(names(&dropped), ["lost", "ACKNOWLEDGE", "REVIVE"]);
    let stranger = bench.update("e-task-7", TaskState::Running);
    assert_eq!(names(&stranger), ["KILL", "ACKNOWLEDGE"]);
}

#[test]
fn room_that_came_free_after_a_revive_is_asked_for_again() {
    let mut bench = Bench::new(config(), 9);
    let _ = bench.launched(&[1, 2, 3]);
    let _ = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(names(&bench.wait()), ["REVIVE"]);
    let _ = bench.update("e-task-2", TaskState::Finished);
    let _ = bench.offered(vec![]);
    assert_eq!(names(&bench.wait()), ["REVIVE"]);
    // The answer settles it.
    let _ = bench.offered(vec![]);
    // An executor with a task is not idle.
    assert_eq!(bench.0.next_deadline(), RECONCILIATION);
}

#[test]
fn an_idle_executor_goes_when_nobody_needs_it() {
    let mut bench = Bench::new(config(), 1);
    let executor = bench.launched(&[1]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let _ = bench.handle(waiting(0));
    let _ = bench.update("e-task-1", TaskState::Finished);
    assert_eq!(bench.wait(), [Action::Idle(executor.clone())]);
    assert_eq!(bench.1, Timestamp::from_millis(60_000));
    // Asked about again after as long, and once less is held.
    assert_eq!(bench.wait(), [Action::Idle(executor.clone())]);
    assert_eq!(bench.1, Timestamp::from_millis(120_000));
    assert_eq!(
        bench.handle(Input::Released),
        [Action::Idle(executor.clone())]
    );
    let gone = bench.handle(Input::LetGo(executor));
    assert_eq!(names(&gone), ["SHUTDOWN", "executor lost"]);
    assert_eq!(bench.0.next_deadline(), RECONCILIATION);
}

#[test]
fn an_executor_with_a_task_is_not_let_go() {
    let mut bench = Bench::new(config(), 1);
    let executor = bench.launched(&[1]);
    assert_eq!(bench.handle(Input::LetGo(executor)), []);
}

#[test]
fn an_executor_that_never_begins_is_the_agents_fault_and_not_its_tasks() {
    let mut bench = Bench::new(config(), 9);
    // The second time it is told too that the agent is left alone.
    for told in [&["told"][..], &["told", "told"]] {
        let executor = bench.launched(&[1]);
        let failed = bench.update("e-task-1", TaskState::Failed);
        assert_eq!(names(&failed), ["lost", "ACKNOWLEDGE", "REVIVE"]);
        let ended = bench.handle(Input::Event(Event::ExecutorFailure {
            executor,
            agent: Some("a".into()),
            exit: Some(ExitStatus::Code(1)),
        }));
        assert_eq!(names(&ended), [told, &["executor lost"]].concat());
    }
    let offered = bench.offered(vec![offer("o2", "cpus:3;mem:2000")]);
    assert_eq!(names(&offered), ["DECLINE"]);
    bench.1 = Timestamp::from_millis(10_000);
    assert_eq!(names(&bench.handle(Input::Tick)), ["REVIVE"]);
    let _ = room(&bench.offered(vec![offer("o3", "cpus:3;mem:2000")]));
}

#[test]
fn an_offer_that_is_taken_back_starts_nothing() {
    let mut bench = Bench::new(config(), 1);
    let room = room(&bench.offered(vec![offer("o1", "cpus:2;mem:2000")]));
    assert_eq!(bench.handle(Input::Event(Event::Rescind("o1".into()))), []);
    let attempts = vec![attempt(1, &room.executor)];
    let launched = bench.0.launch(vec![attempts], |_| Some(Bytes::new()));
    assert_eq!(names(&launched), ["lost"]);
}

#[test]
fn no_more_cores_are_taken_than_allowed() {
    let mut limited = config();
    limited.shared.cores_max = Some(1);
    let mut bench = Bench::new(limited, 9);
    let room = room(&bench.offered(vec![offer("o1", "cpus:4;mem:2000")]));
    assert_eq!(room.cores, 1);
    let _ = bench.0.launch(vec![vec![attempt(1, &room.executor)]], |_| {
        Some(Bytes::new())
    });
    assert_eq!(
        names(&bench.offered(vec![offer("o2", "cpus:3;mem:900")])),
        ["DECLINE"]
    );
}

#[test]
fn what_a_lost_executor_ran_counts_until_its_terminal_status() {
    let mut limited = config();
    limited.shared.cores_max = Some(1);
    let mut bench = Bench::new(limited, 9);
    let executor = bench.launched(&[1]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let lost = bench.handle(Input::GivenUp(executor));
    assert_eq!(names(&lost), ["SHUTDOWN", "executor lost", "REVIVE"]);
    let offered = bench.offered(vec![offer("o2", "cpus:3;mem:2000")]);
    assert_eq!(names(&offered), ["DECLINE"]);
    // The SHUTDOWN may be lost: what ran there is killed.
    let killed = bench.wait();
    assert_eq!(names(&killed), ["KILL"]);
    let over = bench.update("e-task-1", TaskState::Killed);
    assert_eq!(names(&over), ["ACKNOWLEDGE", "REVIVE"]);
    let _ = room(&bench.offered(vec![offer("o3", "cpus:3;mem:2000")]));
}

#[test]
fn an_executor_whose_process_was_told_to_end_is_lost_with_all_that_it_ran() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1, 2]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let mut told = |task: &str| {
        bench.handle(Input::Event(Event::Update(TaskStatus {
            agent: Some("a".into()),
            message: TOLD_TO_END.into(),
            ..TaskStatus::new(task.into(), TaskState::Failed)
        })))
    };
    let actions = told("e-task-1");
    let Action::ExecutorLost {
        executor: lost,
        reason,
    } = &actions[0]
    else {
        panic!("{actions:?}");
    };
    assert_eq!(*lost, executor);
    let by_tasks = ExecutorLossReason::ProcessLost {
        cause: TOLD_TO_END.into(),
        host: None,
        caused_by_app: true,
    };
    assert_eq!(*reason, by_tasks);
    assert!(!names(&told("e-task-2")).contains(&"ended"));
}

#[test]
fn a_task_that_came_to_an_executor_that_ends_is_lost_and_no_other_goes_there() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1, 2]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let actions = bench.handle(Input::Event(Event::Update(TaskStatus {
        agent: Some("a".into()),
        message: SHUTTING_DOWN.into(),
        ..TaskStatus::new("e-task-2".into(), TaskState::Killed)
    })));
    assert!(matches!(
        actions[0],
        Action::TaskLost {
            task: TaskId(2),
            ..
        }
    ));
    let blameless = ExecutorLossReason::ProcessLost {
        cause: SHUTTING_DOWN.into(),
        host: None,
        caused_by_app: false,
    };
    assert!(
        matches!(&actions[1], Action::ExecutorLost { executor: lost, reason }
            if *lost == executor && *reason == blameless),
        "{actions:?}"
    );
    assert_ne!(bench.launched(&[3]), executor);
}

#[test]
fn what_comes_back_with_its_agent_is_killed_and_counts_until_then() {
    let mut limited = config();
    limited.shared.cores_max = Some(1);
    let mut bench = Bench::new(limited, 9);
    bench.launched(&[1]);
    let _ = bench.update("e-task-1", TaskState::Unreachable);
    assert_eq!(
        names(&bench.update("e-task-1", TaskState::Running)),
        ["KILL", "ACKNOWLEDGE"]
    );
    let offered = bench.offered(vec![offer("o2", "cpus:3;mem:2000")]);
    assert_eq!(names(&offered), ["DECLINE"]);
    let _ = bench.update("e-task-1", TaskState::Killed);
    let _ = room(&bench.offered(vec![offer("o3", "cpus:3;mem:2000")]));
}

#[test]
fn a_kill_is_repeated_until_it_has_led_to_an_end() {
    let mut bench = Bench::new(config(), 0);
    let _ = bench.handle(waiting(1));
    bench.launched(&[1]);
    let _ = bench.handle(waiting(0));
    assert_eq!(names(&bench.handle(Input::Kill(TaskId(1)))), ["KILL"]);
    assert_eq!(bench.handle(Input::Kill(TaskId(1))), []);
    assert_eq!(names(&bench.wait()), ["KILL"]);
    assert_eq!(bench.1, Timestamp::ZERO + KILL_AGAIN);
    let over = bench.update("e-task-1", TaskState::Killed);
    assert_eq!(names(&over), ["ended", "ACKNOWLEDGE"]);
    assert_eq!(names(&bench.wait()), ["idle"]);
}

#[test]
fn offers_that_are_declined_for_equally_long_share_a_call() {
    let mut bench = Bench::new(config(), 1);
    let offers = |names: std::ops::Range<u32>, cpus: u32| {
        let resources = format!("cpus:{cpus};mem:2000");
        let offers = names.map(|id| Offer {
            agent_id: format!("a{id}").into(),
            ..offer(&format!("o{id}"), &resources)
        });
        offers.collect::<Vec<_>>()
    };
    // Two are too small, two are not needed.
    let all = [offers(0..2, 1), offers(2..4, 4)].concat();
    assert_eq!(names(&bench.offered(all)), ["offer"]);
    assert_eq!(names(&bench.settle()), ["DECLINE", "DECLINE"]);
}

#[test]
fn an_agent_that_is_offered_for_ever_leaves_one_name() {
    let mut bench = Bench::new(config(), 1);
    let agents = 100;
    let mut executors = std::collections::BTreeSet::new();
    let offers = (0..agents).map(|agent| Offer {
        agent_id: format!("a{agent}").into(),
        ..offer("o", "cpus:4;mem:2000")
    });
    let offers: Vec<_> = offers.collect();
    for round in 0..10_000 {
        let mut offers = offers.clone();
        for (agent, offer) in offers.iter_mut().enumerate() {
            offer.id = format!("o{round}-{agent}").into();
        }
        let offered = bench.offered(offers);
        let [Action::Offer(rooms)] = &offered[..] else {
            panic!("{offered:?}");
        };
        executors.extend(rooms.iter().map(|it| it.executor.clone()));
        let _ = bench.settle();
    }
    assert_eq!(executors.len(), agents);
    assert_eq!(bench.0.names.len(), agents);
    assert_eq!(bench.0.rooms.len(), 0);
    assert_eq!(bench.0.desk.ledger.tally().received, 1_000_000);
    assert_eq!(bench.0.desk.ledger.tally().outstanding(), 0);
}

fn refused(bench: &mut Bench, code: u16, tasks: &[u64]) -> Vec<Action> {
    let tasks = tasks.iter().map(|id| format!("e-task-{id}").into());
    let call = Refused::Accept {
        offers: vec!["o1".into()],
        tasks: tasks.collect(),
    };
    let why = format!("status {code}");
    bench.handle(Input::Refused(call, CallRefusal { code, why }))
}

#[test]
fn tasks_whose_launch_is_refused_are_dropped_at_once_and_their_offers_given_back() {
    for code in [400, 408, 413, 429] {
        let mut bench = Bench::new(config(), 9);
        let executor = bench.launched(&[1, 2]);
        let dropped = refused(&mut bench, code, &[1, 2]);
        assert_eq!(
            names(&dropped),
            [
                "not launched",
                "not launched",
                "executor lost",
                "DECLINE",
                "told"
            ]
        );
        assert_eq!(bench.0.cores(), 0);
        // Not as fast as it can be repeated.
        let early = bench.offered(vec![offer("o2", "cpus:4;mem:2000")]);
        assert_eq!(names(&early), ["DECLINE"]);
        assert_eq!(bench.handle(waiting(11)), []);
        let why = bench.why_nothing_runs();
        assert!(why.contains(&format!("status {code}")), "{why}");
        assert_eq!(names(&bench.wait()), ["REVIVE"]);
        // The executor never was; it was told of, and its id is used up.
        assert_ne!(bench.launched(&[3]), executor);
        // A launch that was taken after all is ended.
        assert_eq!(
            names(&bench.update("e-task-1", TaskState::Running)),
            ["KILL", "ACKNOWLEDGE"]
        );
    }
}

#[test]
fn when_every_launch_is_refused_the_run_is_given_up() {
    let mut bench = Bench::new(config(), 9);
    for round in 1..=10 {
        bench.launched(&[round]);
        let hopeless = names(&refused(&mut bench, 400, &[round])).contains(&"hopeless");
        assert_eq!(hopeless, round == 10);
        let _ = bench.wait();
    }
}

#[test]
fn an_id_is_used_up_by_a_launch() {
    let mut bench = Bench::new(config(), 9);
    let first = bench.launched(&[1]);
    let _ = bench.handle(Input::GivenUp(first.clone()));
    let second = room(&bench.offered(vec![offer("o2", "cpus:3;mem:2000")])).executor;
    assert_ne!(first, second);
}

#[test]
fn a_reconciled_end_waits_for_the_agents_own_words() {
    let mut bench = Bench::new(config(), 2);
    bench.launched(&[1]);
    let answer = Input::Event(Event::Update(TaskStatus {
        agent: Some("a".into()),
        reason: Some("REASON_RECONCILIATION".into()),
        ..TaskStatus::new("e-task-1".into(), TaskState::Finished)
    }));
    assert!(!names(&bench.handle(answer)).contains(&"ended"));
    let told = bench.update("e-task-1", TaskState::Finished);
    assert!(names(&told).starts_with(&["ended", "ACKNOWLEDGE"]));
}

#[test]
fn an_executor_that_an_offer_does_not_name_is_gone() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1]);
    let _ = bench.handle(Input::Registered(executor.clone()));
    let actions = bench.offered(vec![offer("o2", "cpus:2;mem:2000")]);
    assert_eq!(names(&actions)[0], "executor lost");
    assert_ne!(room(&actions).executor, executor);
}

#[test]
fn one_that_may_not_have_started_is_given_its_share_again() {
    let mut bench = Bench::new(config(), 2);
    let executor = bench.launched(&[1]);
    let actions = bench.offered(vec![offer("o2", "cpus:2;mem:2000")]);
    let room = room(&actions);
    assert_eq!((room.executor, room.cores), (executor, 1));
    let _ = bench.settle();
    // Without room for it nothing is launched.
    let actions = bench.offered(vec![offer("o3", "cpus:2;mem:10")]);
    assert_eq!(names(&actions), ["DECLINE"]);
    let why = bench.why_nothing_runs();
    assert!(why.contains("the executor launched there"), "{why}");
}

#[test]
fn a_task_that_did_not_arrive_leaves_its_executor_alone() {
    let mut bench = Bench::new(config(), 2);
    bench.launched(&[1, 2]);
    let dropped = bench.update("e-task-1", TaskState::Dropped);
    assert_eq!(names(&dropped)[0], "lost");
    let finished = bench.update("e-task-2", TaskState::Finished);
    assert_eq!(names(&finished)[0], "ended");
}

#[test]
fn with_its_agent_an_executor_is_lost_and_its_files() {
    let mut bench = Bench::new(config(), 2);
    bench.launched(&[1]);
    let actions = bench.update("e-task-1", TaskState::Unreachable);
    let Action::ExecutorLost { reason, .. } = &actions[0] else {
        panic!("{actions:?}");
    };
    assert!(
        matches!(reason, ExecutorLossReason::ProcessLost { host: Some(host), .. } if host.as_str() == "h")
    );
}
