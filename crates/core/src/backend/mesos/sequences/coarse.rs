//! Coarse mode under random events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::master::Master;
use crate::backend::manager::{Action, ClusterManager, Input};
use crate::backend::mesos::coarse::MesosCoarse;
use crate::backend::mesos::coarse::tests::{config, wanted};
use crate::backend::mesos::named::Addresses;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, MesosTaskId};
use mesquite_mesos::call::Call;
use mesquite_mesos::event::Event;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::TaskState;

const AGENTS: usize = 3;

/// The most cores; an executor has two.
const MOST: u64 = 7;

/// The most GPUs; an executor has one.
const MOST_GPUS: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Want(u8),
    Offer(usize, bool),
    Update(u16, TaskState),
    LoseExecutor(u16),
    LoseAgent(usize),
    Register(u16),
    Disconnect(u16),
    End(u16),
    Exclude(usize),
    Resubscribe,
    LoseKill,
    /// The next launch is refused.
    Refuse,
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = any::<u16>;
    let state = prop::sample::select(vec![
        TaskState::Running,
        TaskState::Running,
        TaskState::Finished,
        TaskState::Failed,
        TaskState::Dropped,
        TaskState::Error,
    ]);
    let step = prop_oneof![
        3 => (0_u8..20).prop_map(Step::Want),
        8 => (0..AGENTS, any::<bool>()).prop_map(|(agent, halves)| Step::Offer(agent, halves)),
        4 => (pick(), state).prop_map(|(task, state)| Step::Update(task, state)),
        1 => pick().prop_map(Step::LoseExecutor),
        1 => (0..AGENTS).prop_map(Step::LoseAgent),
        4 => pick().prop_map(Step::Register),
        1 => pick().prop_map(Step::Disconnect),
        1 => pick().prop_map(Step::End),
        1 => (0..AGENTS).prop_map(Step::Exclude),
        1 => Just(Step::Resubscribe),
        1 => Just(Step::LoseKill),
        1 => Just(Step::Refuse),
        3 => (0_u16..60_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..80)
}

struct World {
    backend: MesosCoarse,
    master: Master,
    now: Timestamp,
    refuse: bool,
    refused: Vec<Refused>,
    /// Executors that were launched and are not known to be gone.
    alive: BTreeSet<ExecutorId>,
    /// What each executor was told to have.
    told: BTreeMap<ExecutorId, Addresses>,
}

impl World {
    fn new() -> Self {
        let mut config = config();
        config.cores_max = Some(u32::try_from(MOST).expect("few"));
        config.gpus_max = Some(MOST_GPUS);
        config.size.named = vec![("fpga".into(), 1), ("gpu".into(), 1)];
        config.requirement.demand = config.size.demand();
        let mut world = Self {
            backend: MesosCoarse::new(config, false),
            master: Master::new(AGENTS),
            now: Timestamp::ZERO,
            refuse: false,
            refused: Vec::new(),
            alive: BTreeSet::new(),
            told: BTreeMap::new(),
        };
        world.tell(Input::Subscribed);
        world
    }

    fn tell(&mut self, input: Input) {
        for action in self.backend.handle(self.now, Duration::ZERO, input) {
            match action {
                Action::Call(call) => {
                    match &call {
                        Call::Accept { launch, .. } => {
                            for task in launch {
                                let executor = ExecutorId::new(task.task.as_str());
                                let launched = self.backend.launched(&executor);
                                let launched = launched.expect("it was just launched");
                                self.told.insert(executor.clone(), launched.resources);
                                self.alive.insert(executor);
                            }
                        }
                        Call::Acknowledge { task, .. } if self.master.is_over(task) => {
                            let executor = ExecutorId::new(task.as_str());
                            assert!(
                                !self.alive.contains(&executor),
                                "{task} was acknowledged too early"
                            );
                        }
                        _ => {}
                    }
                    let refused = Refused::of(&call);
                    let refused = refused.filter(|it| matches!(it, Refused::Accept { .. }));
                    if let Some(refused) = refused.filter(|_| std::mem::take(&mut self.refuse)) {
                        self.refused.push(refused);
                        continue;
                    }
                    self.master.take(call);
                }
                Action::ExecutorLost { executor, .. } => {
                    assert!(self.alive.remove(&executor), "{executor} was lost twice");
                }
                Action::Hopeless(why) => panic!("{why:?}"),
                Action::Drain(_) | Action::Told(_) => {}
                other => panic!("{other:?}"),
            }
        }
        for call in std::mem::take(&mut self.refused) {
            let why = "status 429".to_owned();
            self.tell(Input::Refused(call, CallRefusal { code: 429, why }));
        }
        assert!(
            !self.master.is_open(),
            "every offer is answered in its cycle"
        );
        for answer in std::mem::take(&mut self.master.answers) {
            self.tell(Input::Event(answer));
        }
        assert!(
            self.master.held() <= MOST * 1000,
            "no more cores than allowed"
        );
        assert!(
            self.master.gpus() <= MOST_GPUS.into(),
            "no more GPUs than allowed"
        );
        let told = |id: &MesosTaskId| self.told[&ExecutorId::new(id.as_str())].clone();
        self.master.check_addresses(told);
    }

    fn picked(&self, pick: u16) -> Option<ExecutorId> {
        let count = self.alive.len().max(1);
        self.alive.iter().nth(usize::from(pick) % count).cloned()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Want(cores) => self.tell(wanted(cores.into())),
            Step::Offer(agent, halves) => {
                let event = self.master.offer(agent..=agent, halves);
                self.tell(Input::Event(event));
            }
            Step::Update(pick, state) => {
                let update = self
                    .master
                    .task(pick)
                    .and_then(|id| self.master.update(&id, state));
                self.hear(update);
            }
            Step::LoseExecutor(pick) => {
                if let Some(executor) = self.master.executor(pick) {
                    for event in self.master.lose_executor(&executor) {
                        self.hear(Some(event));
                    }
                }
            }
            Step::LoseAgent(agent) => {
                let event = self.master.lose_agent(agent);
                self.hear(Some(event));
            }
            Step::Register(pick) => self.about(pick, Input::Registered),
            Step::Disconnect(pick) => self.about(pick, Input::GivenUp),
            Step::End(pick) => self.about(pick, Input::End),
            Step::Exclude(agent) => {
                let host = Host::from(format!("host-{agent}"));
                self.tell(Input::ExcludeHosts(vec![host]));
            }
            Step::Resubscribe => {
                self.tell(Input::Disconnected);
                self.tell(Input::Subscribed);
            }
            Step::LoseKill => self.master.deaf = true,
            Step::Refuse => self.refuse = true,
            Step::Wait(millis) => {
                self.now += Duration::from_millis(u64::from(millis));
                self.tell(Input::Tick);
                self.end_killed();
            }
        }
    }

    fn about(&mut self, pick: u16, input: impl FnOnce(ExecutorId) -> Input) {
        if let Some(executor) = self.picked(pick) {
            self.tell(input(executor));
        }
    }

    fn hear(&mut self, event: Option<Event>) {
        if let Some(event) = event {
            self.tell(Input::Event(event));
        }
    }

    fn end_killed(&mut self) {
        for event in self.master.end_killed() {
            self.tell(Input::Event(event));
        }
    }

    /// No more faults: there are as many executors as are wanted and allowed,
    /// and in the end none.
    fn let_everything_go_well(&mut self) {
        self.tell(Input::ExcludeHosts(Vec::new()));
        self.tell(wanted(100));
        self.master.deaf = false;
        self.refuse = false;
        for _ in 0..20 {
            // Beyond every exclusion of an agent.
            self.now += Duration::from_secs(700);
            self.tell(Input::Tick);
            self.end_killed();
            let event = self.master.offer(0..AGENTS, false);
            self.tell(Input::Event(event));
            for executor in self.alive.clone() {
                self.tell(Input::Registered(executor));
            }
        }
        assert_eq!(self.alive.len(), 3, "of two cores each, seven are allowed");
        for executor in self.alive.clone() {
            let update = self
                .master
                .update(&MesosTaskId::new(executor.as_str()), TaskState::Finished);
            self.hear(update);
        }
        assert_eq!(self.alive.len(), 0, "their ends were told");
        assert_eq!(self.master.unacknowledged(), 0, "all is acknowledged");
    }
}

proptest! {
    #[test]
    fn every_offer_and_status_is_answered_and_all_wanted_executors_come(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.let_everything_go_well();
    }
}
