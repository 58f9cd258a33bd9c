//! Offers and statuses of coarse mode, one at a time.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::mesos::task::{TaskState, TaskStatus};
use crate::offers::Offer;

pub(in crate::backend) fn config() -> MesosCoarseConfig {
    let size = ExecutorSize {
        cores: Some(2),
        least_cores: 1,
        memory_mib: 1000,
    };
    MesosCoarseConfig {
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
        pack: false,
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

struct Bench {
    backend: MesosCoarse,
    now: Timestamp,
}

impl Bench {
    fn new(config: MesosCoarseConfig, wanted: u64) -> Self {
        let mut bench = Self {
            backend: MesosCoarse::new(config),
            now: Timestamp::from_millis(1),
        };
        assert_eq!(bench.handle(Input::Subscribed), []);
        assert_eq!(bench.handle(Input::Wanted(wanted)), []);
        bench
    }

    fn handle(&mut self, input: Input) -> Vec<Action> {
        self.backend.handle(self.now, Duration::ZERO, input)
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
        Action::Lost { executor, reason } => match reason {
            ExecutorLossReason::ProcessLost { caused_by_app, .. } => {
                format!("lost {executor} {caused_by_app}")
            }
            other => format!("lost {executor} {other:?}"),
        },
        Action::Note(text) => text.clone(),
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
    let more = bench.handle(Input::Wanted(7));
    assert_eq!(more.iter().map(shown).collect::<Vec<_>>(), ["revive"]);
}

#[test]
fn packing_fills_one_agent_after_the_other() {
    let pack = MesosCoarseConfig {
        pack: true,
        ..config()
    };
    let mut bench = Bench::new(pack, 4);
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
    let limited = MesosCoarseConfig {
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
            "decline [OfferId(o2)] 120s",
            "accept [OfferId(o1)] e-0[cpus:4; mem:1000]"
        ]
    );
    let why = bench.backend.why_nothing_runs().expect("a reason");
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
        let mut config = MesosCoarseConfig { cores_max: max, pack, ..config() };
        if !sized {
            config.size.cores = None;
            config.requirement.demand = config.size.demand();
        }
        let mut bench = Bench::new(config, 1);
        let mut next = 0;
        for (offers, wanted, fail) in rounds {
            let _ = bench.handle(Input::Wanted(wanted));
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
            prop_assert!(max.is_none_or(|max| bench.backend.cores() <= u64::from(max)));
            if fail {
                let first = bench.backend.executors.keys().next().cloned();
                if let Some(first) = first {
                    bench.update(first.as_str(), TaskState::Lost);
                }
            }
        }
    }
}
