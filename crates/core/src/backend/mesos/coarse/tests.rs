//! Offers and statuses of coarse mode, one at a time.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::backend::executor_size::ExecutorSize;
use crate::facts::cluster::{ClusterFact, Verdict};
use crate::offers::{Offer, RefusePolicy, Requirement};
use crate::telling::cluster::{line, no_hope, nothing_runs};
use mesquite_mesos::call::Call;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::{TaskState, TaskStatus};
use mesquite_scheduler::loss::ExecutorLossReason;

pub(in crate::backend) fn config() -> MesosConfig {
    let size = ExecutorSize {
        cores: Some(2),
        least_cores: 1,
        memory_mib: 1000,
        overhead_mib: 384,
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

fn offer(id: &str, agent: &str, resources: &str) -> Offer {
    Offer {
        id: id.into(),
        agent_id: agent.into(),
        hostname: agent.into(),
        address: None,
        resources: resources.parse().expect("resources"),
        attributes: [].into(),
        executor_ids: Vec::new(),
        role: Some("*".into()),
        unavailability: None,
        fault_domain: None,
    }
}

/// So many cores could be used.
pub(in crate::backend) fn wanted(cores: u64) -> Input {
    let waiting = cores;
    Input::Wanted {
        waiting,
        cores,
        executors: 0..=u64::MAX,
    }
}

struct Bench {
    backend: MesosCoarse,
    now: Timestamp,
}

impl Bench {
    fn new(config: MesosConfig, cores: u64) -> Self {
        Self::packing(config, cores, false)
    }

    fn packing(config: MesosConfig, cores: u64, pack: bool) -> Self {
        let mut bench = Self {
            backend: MesosCoarse::new(config, pack),
            now: Timestamp::from_millis(1),
        };
        assert_eq!(bench.handle(Input::Subscribed), []);
        // That nothing is wanted is said.
        let first = bench.handle(wanted(cores));
        let suppress = |it: &Action| matches!(it, Action::Call(Call::Suppress { .. }));
        assert!(first.iter().all(suppress), "{first:?}");
        bench
    }

    /// What is to be done; what only those hear who want to know all is left out.
    fn handle(&mut self, input: Input) -> Vec<Action> {
        let mut actions = self.backend.handle(self.now, Duration::ZERO, input);
        actions.retain(|it| !matches!(it, Action::Told(fact) if fact.is_detail()));
        actions
    }

    fn why_nothing_runs(&self) -> String {
        nothing_runs(&self.backend.why_nothing_runs().expect("a reason"))
    }

    fn offers(&mut self, offers: Vec<Offer>) -> Vec<String> {
        let actions = self.handle(Input::Event(Event::Offers(offers)));
        actions.iter().map(shown).collect()
    }

    fn update(&mut self, task: &str, state: TaskState) -> Vec<String> {
        let status = TaskStatus {
            agent: Some("a".into()),
            uuid: Some(Uuid::nil()),
            ..TaskStatus::new(task.into(), state)
        };
        let actions = self.handle(Input::Event(Event::Update(status)));
        actions.iter().map(shown).collect()
    }
}

/// An action in few words.
fn shown(action: &Action) -> String {
    match action {
        Action::Call(Call::Accept { offers, launch, .. }) => {
            let tasks: Vec<_> = launch
                .iter()
                .map(|it| format!("{}[{}]", it.task, it.resources))
                .collect();
            format!("accept {offers:?} {}", tasks.join(" "))
        }
        Action::Call(Call::Decline { offers, refuse }) => format!("decline {offers:?} {refuse:?}"),
        Action::Call(Call::Kill { task, .. }) => format!("kill {task}"),
        Action::Call(call) => call.name().to_lowercase(),
        Action::Drain(executor) => format!("drain {executor}"),
        Action::ExecutorLost { executor, reason } => match reason {
            ExecutorLossReason::ProcessLost { caused_by_app, .. } => {
                format!("lost {executor} {caused_by_app}")
            }
            ExecutorLossReason::Exited { caused_by_app, .. } => {
                format!("exited {executor} {caused_by_app}")
            }
            other => format!("lost {executor} {other:?}"),
        },
        Action::Hopeless(why) => no_hope(why),
        Action::Told(fact) => line(fact).expect("it is told").0,
        other => format!("{other:?}"),
    }
}

#[test]
fn executors_are_spread_over_offers_until_enough_cores_are_there() {
    let mut bench = Bench::new(config(), 6);
    let offers = vec![
        offer("o1", "a", "cpus:8;mem:8000"),
        offer("o2", "b", "cpus:3;mem:8000"),
    ];
    assert_eq!(
        bench.offers(offers),
        [
            "accept [OfferId(o1)] e-0[cpus:2; mem:1000] e-2[cpus:2; mem:1000]",
            "accept [OfferId(o2)] e-1[cpus:2; mem:1000]",
            "suppress",
        ]
    );
    assert_eq!(
        bench.offers(vec![offer("o3", "a", "cpus:4;mem:7000")]),
        ["decline [OfferId(o3)] 120s"]
    );
    let more = bench.handle(wanted(7));
    assert_eq!(more.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
}

#[test]
fn each_offer_is_told_with_its_answer_and_why_it_is_of_no_use() {
    let mut bench = Bench::new(config(), 2);
    let offers = vec![
        offer("o1", "a", "cpus:1;mem:500"),
        offer("o2", "a", "cpus:0.5"),
        offer("o3", "b", "cpus:2;mem:1000"),
        offer("o4", "c", "cpus:2;mem:1000"),
    ];
    let offers = Input::Event(Event::Offers(offers));
    let actions = bench.backend.handle(bench.now, Duration::ZERO, offers);
    let mut cycles = actions.iter().filter_map(|it| match it {
        Action::Told(ClusterFact::Offers(cycle)) => Some(cycle),
        _ => None,
    });
    let cycle = cycles.next().expect("a cycle is told");
    assert_eq!((cycle.came, cycles.next()), (4, None));
    let shown = cycle.answers.iter().map(|it| {
        let answer = match &it.answer {
            Verdict::Accepted { launched } => format!("{launched} launched"),
            Verdict::Declined(reasons) => crate::telling::cluster::reasons(reasons),
        };
        format!(
            "{} {} {} {}: {answer}",
            it.agent, it.offers, it.cpus, it.mem
        )
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "a 2 1.5 500: 2 cpus needed, 1.5 available, 1000 MiB of mem needed, 500 available",
            "b 1 2 1000: 1 launched",
            "c 1 2 1000: there is nothing to run",
        ]
    );
    // Of one that was answered nothing is left to take back.
    let rescinded = Input::Event(Event::Rescind("o1".into()));
    let actions = bench.backend.handle(bench.now, Duration::ZERO, rescinded);
    let late = ClusterFact::Rescinded { agent: None };
    assert_eq!(actions, [Action::Told(late)]);
}

#[test]
fn packing_fills_one_agent_after_the_other() {
    let mut bench = Bench::packing(config(), 4, true);
    let offers = vec![
        offer("o1", "a", "cpus:8;mem:8000"),
        offer("o2", "b", "cpus:8;mem:8000"),
    ];
    assert_eq!(
        bench.offers(offers),
        [
            "accept [OfferId(o1)] e-0[cpus:2; mem:1000] e-1[cpus:2; mem:1000]",
            "decline [OfferId(o2)] 120s",
            "suppress",
        ]
    );
}

#[test]
fn the_most_cores_are_a_multiple_of_an_executors() {
    let limited = MesosConfig {
        cores_max: Some(5),
        ..config()
    };
    let mut bench = Bench::new(limited, 100);
    let taken = bench.offers(vec![offer("o1", "a", "cpus:9;mem:9000")]);
    assert!(
        taken[0].ends_with("e-0[cpus:2; mem:1000] e-1[cpus:2; mem:1000]"),
        "{taken:?}"
    );
}

#[test]
fn without_a_size_an_executor_takes_all_cores_of_an_offer() {
    let mut all = config();
    all.size.cores = None;
    all.cores_max = Some(5);
    all.requirement.demand = all.size.demand();
    let mut bench = Bench::new(all, 100);
    let offers = vec![
        offer("o1", "a", "cpus:4;mem:3000"),
        offer("o2", "b", "cpus:4;mem:900"),
    ];
    assert_eq!(
        bench.offers(offers),
        [
            "accept [OfferId(o1)] e-0[cpus:4; mem:1000]",
            "decline [OfferId(o2)] 120s"
        ]
    );
    let why = bench.why_nothing_runs();
    assert!(why.contains("have not registered"), "{why}");
    let more = bench.offers(vec![offer("o3", "b", "cpus:4;mem:1000")]);
    assert_eq!(
        more,
        ["accept [OfferId(o3)] e-1[cpus:1; mem:1000]", "suppress"]
    );
}

#[test]
fn a_lost_executor_is_replaced_and_its_status_acknowledged() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert_eq!(bench.update("e-0", TaskState::Running), ["acknowledge"]);
    assert!(bench.handle(Input::Registered("e-0".into())).is_empty());
    assert_eq!(
        bench.update("e-0", TaskState::Failed),
        ["lost e-0 true", "revive", "acknowledge"]
    );
    assert_eq!(bench.update("e-0", TaskState::Failed), ["acknowledge"]);
    bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")]);
    assert_eq!(
        bench.update("e-1", TaskState::Gone),
        [
            "executor e-1 is gone before it registered, on agent a: TASK_GONE",
            "lost e-1 false",
            "revive",
            "acknowledge"
        ]
    );
    assert_eq!(
        bench.update("e-9", TaskState::Running),
        ["kill e-9", "acknowledge"]
    );
}

#[test]
fn an_agent_where_executors_fail_is_left_alone_for_a_while() {
    let mut bench = Bench::new(config(), 2);
    for (offer_id, executor) in [("o1", "e-0"), ("o2", "e-1")] {
        bench.offers(vec![offer(offer_id, "a", "cpus:2;mem:1000")]);
        bench.update(executor, TaskState::Failed);
    }
    assert_eq!(
        bench.offers(vec![offer("o3", "a", "cpus:2;mem:1000")]),
        ["decline [OfferId(o3)] 10s"]
    );
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let again = bench.handle(Input::Tick);
    assert_eq!(again.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
    assert!(bench.offers(vec![offer("o4", "a", "cpus:2;mem:1000")])[0].starts_with("accept"));
}

#[test]
fn an_executor_that_never_registers_is_given_up() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let given_up: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    assert_eq!(given_up[1..], ["kill e-0", "revive"]);
}

#[test]
fn until_its_terminal_status_an_executor_counts_whatever_it_was_told() {
    let limited = MesosConfig {
        cores_max: Some(2),
        ..config()
    };
    let mut bench = Bench::new(limited, 100);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    let killed = bench.handle(Input::GivenUp("e-0".into()));
    assert_eq!(killed.iter().map(shown).collect::<Vec<_>>(), ["kill e-0"]);
    assert_eq!(
        bench.offers(vec![offer("o2", "b", "cpus:2;mem:1000")]),
        ["decline [OfferId(o2)] 120s"]
    );
    assert_eq!(
        bench.update("e-0", TaskState::Killed),
        ["lost e-0 false", "revive", "acknowledge"]
    );
    assert!(bench.offers(vec![offer("o3", "b", "cpus:2;mem:1000")])[0].starts_with("accept"));
    // Its process is gone, and what its task was given is not free yet.
    let ended = bench.handle(Input::Event(Event::ExecutorFailure {
        executor: "e-1".into(),
        agent: None,
        exit: None,
    }));
    assert_eq!(shown(&ended[1]), "lost e-1 true");
    assert_eq!(
        bench.offers(vec![offer("o4", "b", "cpus:2;mem:1000")]),
        ["decline [OfferId(o4)] 120s"]
    );
    assert_eq!(
        bench.update("e-1", TaskState::Failed),
        ["revive", "acknowledge"]
    );
}

#[test]
fn one_that_comes_back_with_its_agent_is_ended_and_counts_until_then() {
    let limited = MesosConfig {
        cores_max: Some(2),
        ..config()
    };
    let mut bench = Bench::new(limited, 100);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    let lost = bench.update("e-0", TaskState::Unreachable);
    assert_eq!(lost[1..], ["lost e-0 false", "revive", "acknowledge"]);
    let back = bench.update("e-0", TaskState::Running);
    assert_eq!(back, ["kill e-0", "acknowledge"]);
    assert_eq!(bench.update("e-0", TaskState::Running), ["acknowledge"]);
    assert_eq!(
        bench.offers(vec![offer("o2", "b", "cpus:2;mem:1000")])[0],
        "decline [OfferId(o2)] 120s"
    );
    let over = bench.update("e-0", TaskState::Killed);
    assert_eq!(over, ["revive", "acknowledge"]);
}

#[test]
fn a_kill_is_repeated_until_it_has_led_to_an_end() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    let _ = bench.handle(Input::End("e-0".into()));
    for _ in 0..2 {
        bench.now = bench.backend.next_deadline().expect("a deadline");
        let again = bench.handle(Input::Tick);
        assert_eq!(again.iter().map(shown).collect::<Vec<_>>(), ["kill e-0"]);
    }
    assert_eq!(bench.now, Timestamp::from_millis(20_001));
    // Nothing can be said without a master, and the next one is told.
    let _ = bench.handle(Input::Disconnected);
    assert_eq!(bench.backend.next_deadline(), None);
    bench.now += Duration::from_secs(60);
    let again: Vec<_> = bench.handle(Input::Subscribed).iter().map(shown).collect();
    assert_eq!(again, ["kill e-0", "reconcile"]);
    let _ = bench.update("e-0", TaskState::Gone);
    bench.now += Duration::from_secs(60);
    assert_eq!(bench.handle(Input::Tick), []);
}

#[test]
fn offers_that_are_declined_for_equally_long_share_a_call() {
    let mut bench = Bench::new(config(), 0);
    let offers = (0..3).map(|id| offer(&format!("o{id}"), &format!("a{id}"), "cpus:2;mem:1000"));
    let answers = bench.offers(offers.collect());
    assert_eq!(
        answers,
        ["decline [OfferId(o0), OfferId(o1), OfferId(o2)] 120s"]
    );
}

fn refusal(code: u16) -> CallRefusal {
    CallRefusal {
        code,
        why: format!("status {code}"),
    }
}

#[test]
fn an_executor_whose_launch_is_refused_is_gone_at_once_and_tried_again() {
    for code in [400, 408, 413, 429] {
        let mut bench = Bench::new(config(), 2);
        bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
        let accept = Refused::Accept {
            offers: vec!["o1".into()],
            tasks: vec!["e-0".into()],
        };
        let refused = bench.handle(Input::Refused(accept, refusal(code)));
        let refused: Vec<_> = refused.iter().map(shown).collect();
        assert_eq!(
            refused[..2],
            ["lost e-0 false", "decline [OfferId(o1)] 250ms"]
        );
        assert!(
            refused[2].contains(&format!("status {code}")),
            "{refused:?}"
        );
        assert_eq!(bench.backend.held_cores(), 0);
        // Not as fast as it can be repeated.
        let early = bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")]);
        assert_eq!(early, ["decline [OfferId(o2)] 250ms"]);
        let why = bench.why_nothing_runs();
        assert!(why.contains("the master refused a launch"), "{why}");
        bench.now = bench.backend.next_deadline().expect("a deadline");
        let again = bench.handle(Input::Tick);
        assert_eq!(again.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
        let accepted = bench.offers(vec![offer("o3", "a", "cpus:2;mem:1000")]);
        assert!(
            accepted[0].starts_with("accept [OfferId(o3)] e-1"),
            "{accepted:?}"
        );
    }
}

#[test]
fn when_every_launch_is_refused_the_run_is_given_up() {
    let mut bench = Bench::new(config(), 2);
    for round in 0..10 {
        let id = format!("o{round}");
        bench.offers(vec![offer(&id, "a", "cpus:2;mem:1000")]);
        let accept = Refused::Accept {
            offers: vec![id.into()],
            tasks: vec![format!("e-{round}").into()],
        };
        let refused = bench.handle(Input::Refused(accept, refusal(413)));
        let hopeless = refused.iter().any(|it| matches!(it, Action::Hopeless(_)));
        assert_eq!(hopeless, round == 9, "{refused:?}");
        bench.now = bench.backend.next_deadline().expect("a deadline");
        let _ = bench.handle(Input::Tick);
    }
}

#[test]
fn what_the_master_has_to_hear_is_said_again() {
    let mut bench = Bench::new(config(), 0);
    let idle = bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert_eq!(idle.len(), 1);
    let decline = Refused::Decline {
        offers: vec!["o1".into()],
        refuse: Duration::from_secs(120),
    };
    assert_eq!(bench.handle(Input::Refused(decline, refusal(429))), []);
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let again: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    assert_eq!(again, ["decline [OfferId(o1)] 120s"]);
    assert_eq!(
        bench.handle(Input::Refused(Refused::Suppress, refusal(429))),
        []
    );
    let idle = bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")]);
    assert_eq!(idle[1..], ["suppress"]);
    let wanted: Vec<_> = bench.handle(wanted(2)).iter().map(shown).collect();
    assert_eq!(wanted, ["revive"]);
    assert_eq!(
        bench.handle(Input::Refused(Refused::Revive, refusal(429))),
        []
    );
    bench.now = bench.backend.next_deadline().expect("a deadline");
    let again: Vec<_> = bench.handle(Input::Tick).iter().map(shown).collect();
    assert_eq!(again, ["revive"]);
}

#[test]
fn offers_are_suppressed_in_the_moment_in_which_nothing_more_is_wanted() {
    let mut bench = Bench::new(config(), 4);
    let taken = bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert_eq!(taken.len(), 1, "more is wanted: {taken:?}");
    assert_eq!(bench.handle(wanted(3)), []);
    let enough: Vec<_> = bench.handle(wanted(2)).iter().map(shown).collect();
    assert_eq!(enough, ["suppress"]);
    assert_eq!(bench.handle(wanted(1)), []);
    let more: Vec<_> = bench.handle(wanted(3)).iter().map(shown).collect();
    assert_eq!(more, ["revive"]);
}

#[test]
fn no_more_executors_are_taken_than_are_wanted_and_no_fewer() {
    let mut bench = Bench::new(config(), 20);
    let bounded = |cores, executors| Input::Wanted {
        waiting: 0,
        cores,
        executors,
    };
    assert_eq!(bench.handle(bounded(20, 0..=1)), []);
    let two = |first: &str| {
        let offers = [0, 1].map(|it| format!("{first}{it}"));
        offers.map(|it| offer(&it, &it, "cpus:2;mem:1000")).to_vec()
    };
    let taken = bench.offers(two("o"));
    assert!(taken[0].starts_with("accept"), "{taken:?}");
    assert!(taken[1].starts_with("decline"), "{taken:?}");
    assert_eq!(taken[2], "suppress");
    let _ = bench.handle(bounded(0, 0..=1));
    assert_eq!(
        bench.handle(bounded(0, 2..=2)).len(),
        1,
        "one more is wanted"
    );
    assert!(bench.offers(two("p"))[0].starts_with("accept"));
}

#[test]
fn after_a_new_subscription_executors_are_reconciled() {
    let mut bench = Bench::new(config(), 2);
    bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]);
    assert!(bench.handle(Input::Disconnected).is_empty());
    let again: Vec<_> = bench.handle(Input::Subscribed).iter().map(shown).collect();
    assert_eq!(again, ["reconcile"]);
}

proptest! {
    #[test]
    fn every_offer_is_answered_once_and_nothing_beyond_it_is_taken(
        rounds in prop::collection::vec(
            (prop::collection::vec((0_u32..12, 0_u32..5000, 0_u8..3), 0..5), 0_u64..20, any::<bool>()), 1..8,
        ),
        max in prop::option::of(1_u32..12), sized in any::<bool>(), pack in any::<bool>(),
    ) {
        let mut config = MesosConfig { cores_max: max, ..config() };
        if !sized {
            config.size.cores = None;
            config.requirement.demand = config.size.demand();
        }
        let mut bench = Bench::packing(config, 1, pack);
        let mut next = 0;
        for (offers, cores, fail) in rounds {
            let _ = bench.handle(wanted(cores));
            let offers: Vec<_> = offers.into_iter().map(|(cpus, mem, agent)| {
                next += 1;
                offer(&format!("o{next}"), &format!("a{agent}"), &format!("cpus:{cpus};mem:{mem}"))
            }).collect();
            let mut open: BTreeMap<crate::ids::OfferId, Resources> =
                offers.iter().map(|it| (it.id.clone(), it.resources.clone())).collect();
            for action in bench.handle(Input::Event(Event::Offers(offers))) {
                match action {
                    Action::Call(Call::Accept { offers, launch, .. }) => {
                        let mut offered = Resources::new();
                        for id in offers {
                            offered.add_all(&open.remove(&id).expect("answered once"));
                        }
                        for task in launch {
                            prop_assert!(offered.subtract(&task.resources).is_ok());
                        }
                    }
                    Action::Call(Call::Decline { offers, .. }) => {
                        for id in offers {
                            prop_assert!(open.remove(&id).is_some());
                        }
                    }
                    _ => {}
                }
            }
            prop_assert!(open.is_empty());
            prop_assert!(max.is_none_or(|max| bench.backend.held_cores() <= u64::from(max)));
            if fail {
                let first = bench.backend.executors.keys().next().cloned();
                if let Some(first) = first {
                    bench.update(first.as_str(), TaskState::Lost);
                }
            }
        }
    }
}

#[test]
fn the_end_of_a_hosts_exclusion_takes_back_that_its_offers_were_declined() {
    let mut bench = Bench::new(config(), 2);
    assert_eq!(
        bench.handle(Input::ExcludeHosts(vec!["a".into(), "b".into()])),
        []
    );
    assert_eq!(
        bench.offers(vec![offer("o1", "a", "cpus:2;mem:1000")]),
        ["decline [OfferId(o1)] 120s"]
    );
    let fewer = bench.handle(Input::ExcludeHosts(vec!["b".into()]));
    assert_eq!(fewer.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
    assert!(bench.offers(vec![offer("o2", "a", "cpus:2;mem:1000")])[0].starts_with("accept"));
    // There are enough now.
    assert_eq!(bench.handle(Input::ExcludeHosts(Vec::new())), []);
}
