//! Fine mode under random events.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::master::Master;
use crate::backend::manager::{Action, ClusterManager, Input};
use crate::backend::mesos::fine::MesosFine;
use crate::backend::mesos::fine::tests::{attempt, config, waiting};
use crate::backend::mesos::named::Addresses;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, MesosTaskId, TaskId};
use mesquite_mesos::call::Call;
use mesquite_mesos::event::Event;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::TaskState;
use mesquite_scheduler::stock::{Held, Stock};
use mesquite_scheduler::task::TaskDescription;
use mesquite_scheduler::worker_offer::WorkerOffer;

const AGENTS: usize = 3;

/// The most cores.
const MOST: u32 = 7;

/// The most GPUs; a task has one.
const MOST_GPUS: u32 = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// More tasks wait.
    Submit(u8),
    /// An agent's room is offered, of which so many tasks want to use some.
    Offer(usize, bool, u8),
    Update(u16, TaskState),
    /// An update comes twice, as it does when its acknowledgement is late.
    UpdateTwice(u16),
    LoseExecutor(u16),
    LoseAgent(usize),
    /// The connection between an executor and the driver comes or goes.
    Register(u16),
    Disconnect(u16),
    Kill(u16),
    Exclude(usize),
    Resubscribe,
    LetGo(u16),
    LoseKill,
    /// The next launch is refused.
    Refuse,
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = any::<u16>;
    let state = prop::sample::select(vec![
        TaskState::Running,
        TaskState::Finished,
        TaskState::Finished,
        TaskState::Failed,
        TaskState::Dropped,
        TaskState::Error,
        TaskState::Lost,
    ]);
    let step = prop_oneof![
        3 => (1_u8..5).prop_map(Step::Submit),
        8 => (0..AGENTS, any::<bool>(), 0_u8..6).prop_map(|(agent, halves, most)| Step::Offer(agent, halves, most)),
        10 => (pick(), state).prop_map(|(task, state)| Step::Update(task, state)),
        1 => pick().prop_map(Step::UpdateTwice),
        1 => pick().prop_map(Step::LoseExecutor),
        1 => (0..AGENTS).prop_map(Step::LoseAgent),
        2 => pick().prop_map(Step::Register),
        1 => pick().prop_map(Step::Disconnect),
        1 => pick().prop_map(Step::Kill),
        1 => (0..AGENTS).prop_map(Step::Exclude),
        1 => Just(Step::Resubscribe),
        1 => pick().prop_map(Step::LetGo),
        1 => Just(Step::LoseKill),
        1 => Just(Step::Refuse),
        3 => (0_u16..2000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..80)
}

struct World {
    backend: MesosFine,
    master: Master,
    now: Timestamp,
    refuse: bool,
    refused: Vec<Refused>,
    waiting: u64,
    /// The attempts that run, as the scheduler believes.
    running: BTreeMap<TaskId, ExecutorId>,
    next: u64,
    /// What each task was told to have, by its name.
    told: BTreeMap<String, Addresses>,
    /// Of the next offers, so many tasks use some.
    most: u8,
}

impl World {
    fn new() -> Self {
        let mut config = config();
        config.shared.cores_max = Some(MOST);
        config.shared.gpus_max = Some(MOST_GPUS);
        config.offered = vec![("fpga".into(), 1), ("gpu".into(), 1)];
        config.shared.size.named = config.offered.clone();
        let mut world = Self {
            backend: MesosFine::new(config),
            master: Master::new(AGENTS),
            now: Timestamp::ZERO,
            refuse: false,
            refused: Vec::new(),
            waiting: 0,
            running: BTreeMap::new(),
            next: 0,
            told: BTreeMap::new(),
            most: 0,
        };
        world.tell(Input::Subscribed);
        world
    }

    fn tell(&mut self, input: Input) {
        let actions = self.backend.handle(self.now, Duration::ZERO, input);
        self.act(actions);
        let actions = self
            .backend
            .handle(self.now, Duration::ZERO, waiting(self.waiting));
        self.act(actions);
        for call in std::mem::take(&mut self.refused) {
            let why = "status 429".to_owned();
            self.tell(Input::Refused(call, CallRefusal { code: 429, why }));
        }
        assert!(
            !self.master.is_open(),
            "every offer is answered in its cycle"
        );
        assert!(
            self.master.held() <= u64::from(MOST) * 1000,
            "no more cores than allowed"
        );
        assert!(
            self.master.gpus() <= MOST_GPUS.into(),
            "no more GPUs than allowed"
        );
        let told = |id: &MesosTaskId| self.told[id.as_str()].clone();
        self.master.check_addresses(told);
        for answer in std::mem::take(&mut self.master.answers) {
            self.tell(Input::Event(answer));
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Call(call) => {
                    if let Call::Acknowledge { task, .. } = &call
                        && self.master.is_over(task)
                    {
                        let id = task
                            .as_str()
                            .rsplit('-')
                            .next()
                            .and_then(|it| it.parse().ok());
                        let id = TaskId(id.expect("a number"));
                        assert!(
                            !self.running.contains_key(&id),
                            "{task} was acknowledged too early"
                        );
                    }
                    let refused = Refused::of(&call);
                    let refused = refused.filter(|it| matches!(it, Refused::Accept { .. }));
                    if let Some(refused) = refused.filter(|_| std::mem::take(&mut self.refuse)) {
                        self.refused.push(refused);
                        continue;
                    }
                    self.master.take(call);
                }
                Action::Offer(offers) => {
                    let mut launches = Vec::new();
                    for offer in offers {
                        launches.push(self.placed(offer));
                    }
                    let actions = self.backend.launch(launches, |_| Some(Bytes::new()));
                    self.act(actions);
                    let actions = self.backend.settle();
                    self.act(actions);
                }
                Action::Ended { task, message, .. } => {
                    let known = self.running.remove(&task);
                    assert!(known.is_some(), "{task} ended twice");
                    // A failed one is tried again.
                    self.waiting += u64::from(message != "TASK_FINISHED");
                }
                Action::TaskLost { task, .. } | Action::NotLaunched { task, .. } => {
                    let known = self.running.remove(&task);
                    assert!(known.is_some(), "{task} was lost twice");
                    self.waiting += 1;
                }
                Action::ExecutorLost { executor, .. } => {
                    let before = self.running.len();
                    self.running.retain(|_, it| *it != executor);
                    self.waiting += (before - self.running.len()) as u64;
                }
                Action::Hopeless(why) => panic!("{why:?}"),
                Action::Idle(_) | Action::Drain(_) | Action::Told(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// As many attempts as are wanted and have room.
    fn placed(&mut self, mut offer: WorkerOffer) -> Vec<TaskDescription> {
        let wanted = u64::from(self.most).min(self.waiting);
        let room = offer.resources.iter().map(|it| it.tasks(1.into()));
        let room = room.fold(offer.cores, u32::min);
        let count = wanted.min(room.into());
        self.waiting -= count;
        let attempts = (0..count).map(|_| {
            self.next += 1;
            let id = TaskId(self.next);
            self.running.insert(id, offer.executor.clone());
            let stocks = offer.resources.iter_mut();
            let resources: Vec<_> = stocks.filter_map(one_of).collect();
            let named = resources.iter();
            let named = named.map(|it| (it.name.clone(), it.addresses.clone()));
            self.told.insert(format!("e-task-{id}"), named.collect());
            TaskDescription {
                resources,
                ..attempt(self.next, &offer.executor)
            }
        });
        attempts.collect()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Submit(tasks) => {
                self.waiting += u64::from(tasks);
                self.tell(waiting(self.waiting));
            }
            Step::Offer(agent, halves, most) => {
                self.most = most;
                self.offer(agent..=agent, halves);
            }
            Step::Update(pick, state) => {
                let update = self
                    .master
                    .task(pick)
                    .and_then(|id| self.master.update(&id, state));
                self.hear(update);
            }
            Step::UpdateTwice(pick) => {
                if let Some(id) = self.master.task(pick) {
                    let first = self.master.update(&id, TaskState::Finished);
                    let again = self.master.repeat(&id);
                    self.hear(first);
                    self.hear(Some(again));
                }
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
            Step::Register(pick) => {
                if let Some(executor) = self.master.executor(pick) {
                    self.tell(Input::Registered(executor));
                }
            }
            Step::Disconnect(pick) => {
                if let Some(executor) = self.master.executor(pick) {
                    self.tell(Input::GivenUp(executor));
                }
            }
            Step::LetGo(pick) => {
                if let Some(executor) = self.master.executor(pick) {
                    self.tell(Input::LetGo(executor));
                }
            }
            Step::Kill(pick) => {
                let count = self.running.len().max(1);
                let id = self.running.keys().nth(usize::from(pick) % count).copied();
                if let Some(id) = id {
                    self.tell(Input::Kill(id));
                }
            }
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

    fn offer(&mut self, agents: impl Iterator<Item = usize>, halves: bool) {
        let event = self.master.offer(agents, halves);
        self.tell(Input::Event(event));
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

    /// No more faults: all gets done, and nothing is left.
    fn let_everything_go_well(&mut self) {
        self.tell(Input::ExcludeHosts(Vec::new()));
        self.most = u8::MAX;
        self.master.deaf = false;
        self.refuse = false;
        for _ in 0..200 {
            if self.waiting == 0 && self.running.is_empty() {
                break;
            }
            // Beyond every exclusion of an agent.
            self.now += Duration::from_secs(700);
            self.tell(Input::Tick);
            self.end_killed();
            assert!(
                self.waiting == 0 || !self.master.suppressed,
                "offers are wanted"
            );
            self.offer(0..AGENTS, false);
            while let Some(id) = self.master.task(0) {
                let update = self.master.update(&id, TaskState::Finished);
                self.hear(update);
            }
        }
        assert_eq!((self.waiting, self.running.len()), (0, 0), "all is done");
        assert_eq!(self.master.unacknowledged(), 0, "all is acknowledged");
    }
}

/// An address, and not the first one if there are more.
fn one_of(stock: &mut Stock) -> Option<Held> {
    let first = stock.take(1.into())?;
    let Some(second) = stock.take(1.into()) else {
        return Some(first);
    };
    stock.give_back(&first);
    Some(second)
}

proptest! {
    #[test]
    fn every_offer_and_status_is_answered_and_every_task_gets_done(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.let_everything_go_well();
    }
}
