//! Offers and statuses of coarse mode, one at a time.

mod ends;
mod offers;
mod refused;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::backend::executor_size::ExecutorSize;
use crate::facts::cluster::{ClusterFact, Verdict};
use crate::offers::{Offer, RefusePolicy, Requirement};
use crate::telling::cluster::{line, no_hope, nothing_runs};
use mesquite_mesos::call::Call;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::{Command, TaskState, TaskStatus};
use mesquite_scheduler::loss::ExecutorLossReason;

pub(in crate::backend) fn config() -> MesosConfig {
    let size = ExecutorSize {
        cores: Some(2),
        least_cores: 1,
        memory_mib: 1000,
        overhead_mib: 384,
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
