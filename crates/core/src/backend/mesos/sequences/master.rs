//! A model of a master and its agents, as far as a backend can tell.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::backend::mesos::named::{Addresses, each};
use crate::ids::{AgentId, ExecutorId, MesosTaskId, OfferId};
use crate::offers::Offer;
use crate::resources::{ResourceName, Resources, Tenure};
use mesquite_mesos::call::Call;
use mesquite_mesos::event::Event;
use mesquite_mesos::task::{ExecutorInfo, TaskInfo, TaskState, TaskStatus};

/// Cores and MiB of each agent, and GPUs; items of `fpga` are `a` and `b`.
const SIZE: Held = Held {
    cpus: 4000,
    mem: 4000,
    gpus: 2,
    fpga: 0b11,
};

/// The items of each agent's `fpga`, by their bits.
const ITEMS: [&str; 2] = ["a", "b"];

struct Task {
    agent: usize,
    executor: ExecutorId,
    held: Held,
}

/// Thousandths of cores, MiB, GPUs, and items of `fpga` as bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Held {
    cpus: u64,
    mem: u64,
    gpus: u64,
    fpga: u8,
}

impl Held {
    fn of(resources: &Resources) -> Self {
        let amount = |name| {
            let milli = resources.available(&name, Tenure::Firm).milli();
            u64::try_from(milli).expect("no debts")
        };
        Self {
            cpus: amount(ResourceName::CPUS),
            mem: amount(ResourceName::MEM) / 1000,
            gpus: amount(ResourceName::GPUS) / 1000,
            fpga: Self::bits(resources),
        }
    }

    fn bits(resources: &Resources) -> u8 {
        let fpga = ResourceName::new("fpga");
        let items = resources.unit_names(&fpga, Tenure::Firm, 9);
        let items = items.expect("a set");
        let bit = |item: &str| 1 << ITEMS.iter().position(|it| *it == item).expect("known");
        items.iter().map(|it| bit(it)).sum()
    }

    /// Both halves, of what can be halved.
    fn halves(self) -> [Self; 2] {
        let half = Self {
            cpus: self.cpus / 2,
            mem: self.mem / 2,
            gpus: self.gpus / 2,
            fpga: self.fpga & 1,
        };
        let fpga = self.fpga & 0b10;
        [half, Self { fpga, ..half }]
    }

    fn plus(self, other: Self) -> Self {
        Self {
            cpus: self.cpus + other.cpus,
            mem: self.mem + other.mem,
            gpus: self.gpus + other.gpus,
            fpga: {
                assert_eq!(self.fpga & other.fpga, 0, "no item twice");
                self.fpga | other.fpga
            },
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            cpus: self.cpus.checked_sub(other.cpus).expect("enough cores"),
            mem: self.mem.checked_sub(other.mem).expect("enough memory"),
            gpus: self.gpus.checked_sub(other.gpus).expect("enough GPUs"),
            fpga: {
                assert_eq!(self.fpga & other.fpga, other.fpga, "items that are there");
                self.fpga & !other.fpga
            },
        }
    }
}

/// See the module.
pub(super) struct Master {
    agents: usize,
    offers: BTreeMap<OfferId, (usize, Held)>,
    tasks: BTreeMap<MesosTaskId, Task>,
    executors: BTreeMap<ExecutorId, (usize, Held, ExecutorInfo)>,
    names: BTreeSet<MesosTaskId>,
    unacknowledged: BTreeSet<Uuid>,
    /// Tasks that were killed and have not ended.
    dying: BTreeSet<MesosTaskId>,
    /// Whether the next KILL is lost.
    pub(super) deaf: bool,
    next: u64,
    /// What RECONCILE and SHUTDOWN lead to.
    pub(super) answers: Vec<Event>,
    pub(super) suppressed: bool,
}

fn agent_id(agent: usize) -> AgentId {
    AgentId::from(format!("agent-{agent}"))
}

fn agent_of(id: &AgentId) -> usize {
    let number = id.as_str().strip_prefix("agent-").expect("one of ours");
    number.parse().expect("a number")
}

impl Master {
    pub(super) fn new(agents: usize) -> Self {
        Self {
            agents,
            offers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            executors: BTreeMap::new(),
            names: BTreeSet::new(),
            unacknowledged: BTreeSet::new(),
            dying: BTreeSet::new(),
            deaf: false,
            next: 0,
            answers: Vec::new(),
            suppressed: false,
        }
    }

    fn free(&self, agent: usize) -> Held {
        let tasks = self.tasks.values().filter(|it| it.agent == agent);
        let executors = self.executors.values().filter(|it| it.0 == agent);
        let offers = self.offers.values().filter(|it| it.0 == agent);
        let used = tasks
            .map(|it| it.held)
            .chain(executors.map(|it| it.1))
            .chain(offers.map(|it| it.1))
            .fold(Held::default(), Held::plus);
        SIZE.minus(used)
    }

    /// Offers what is free on these agents, in halves if `halves`.
    pub(super) fn offer(&mut self, agents: impl Iterator<Item = usize>, halves: bool) -> Event {
        let mut offers = Vec::new();
        for agent in agents.map(|it| it % self.agents) {
            let free = self.free(agent);
            let parts = if halves {
                free.halves().into()
            } else {
                vec![free]
            };
            for part in parts {
                if part == Held::default() {
                    continue;
                }
                self.next += 1;
                let id = OfferId::from(format!("offer-{}", self.next));
                self.offers.insert(id.clone(), (agent, part));
                let there = self.executors.iter().filter(|(_, it)| it.0 == agent);
                let executor_ids = there.map(|(id, _)| id.clone()).collect();
                offers.push(Offer {
                    executor_ids,
                    ..offer(id, agent, part)
                });
            }
        }
        Event::Offers(offers)
    }

    /// Whether there is an offer without an answer.
    pub(super) fn is_open(&self) -> bool {
        !self.offers.is_empty()
    }

    /// Takes in a call and checks it.
    pub(super) fn take(&mut self, call: Call) {
        match call {
            Call::Accept { offers, launch, .. } => self.accept(&offers, launch),
            Call::Decline { offers, .. } => {
                for id in offers {
                    let known = self.offers.remove(&id);
                    assert!(known.is_some(), "{id} was declined and is not open");
                }
            }
            Call::Acknowledge { uuid, .. } => {
                let known = self.unacknowledged.remove(&uuid);
                assert!(known, "{uuid} was acknowledged and waits for nothing");
            }
            Call::Reconcile { tasks } => {
                for (id, agent) in tasks {
                    let state = match self.tasks.get(&id) {
                        Some(_) => TaskState::Running,
                        None => TaskState::Gone,
                    };
                    let status = TaskStatus {
                        agent,
                        ..TaskStatus::new(id, state)
                    };
                    self.answers.push(Event::Update(status));
                }
            }
            Call::Kill { task, .. } => {
                if std::mem::take(&mut self.deaf) {
                } else if self.tasks.contains_key(&task) {
                    self.dying.insert(task);
                } else {
                    let gone = TaskStatus::new(task, TaskState::Gone);
                    self.answers.push(Event::Update(gone));
                }
            }
            Call::Shutdown { executor, .. } => {
                let failure = self.lose_executor(&executor);
                self.answers.extend(failure);
            }
            Call::Revive { .. } => self.suppressed = false,
            Call::Suppress { .. } => self.suppressed = true,
            other => panic!("{} is not expected", other.name()),
        }
    }

    fn accept(&mut self, offers: &[OfferId], launch: Vec<TaskInfo>) {
        let mut left = Held::default();
        let mut agents = BTreeSet::new();
        for id in offers {
            let (agent, held) = self.offers.remove(id).expect("an offer that is open");
            agents.insert(agent);
            left = left.plus(held);
        }
        assert_eq!(agents.len(), 1, "offers of one agent");
        assert!(!launch.is_empty(), "something is launched");
        for task in launch {
            let agent = agent_of(&task.agent);
            assert!(agents.contains(&agent), "launched on the offer's agent");
            assert!(self.names.insert(task.task.clone()), "a new name");
            let info = task.executor.expect("an executor of ours");
            let executor = info.executor.clone();
            match self.executors.get(&executor) {
                Some((there, _, known)) => {
                    assert_eq!((*there, known), (agent, &info), "the same executor");
                }
                None => {
                    let held = Held::of(&info.resources);
                    left = left.minus(held);
                    self.executors.insert(executor.clone(), (agent, held, info));
                }
            }
            let held = Held::of(&task.resources);
            left = left.minus(held);
            let entry = Task {
                agent,
                executor,
                held,
            };
            self.tasks.insert(task.task, entry);
        }
    }

    /// What was killed ends.
    pub(super) fn end_killed(&mut self) -> Vec<Event> {
        let dying = std::mem::take(&mut self.dying);
        dying
            .iter()
            .filter_map(|id| self.update(id, TaskState::Killed))
            .collect()
    }

    /// Thousandths of cores that tasks hold.
    pub(super) fn held(&self) -> u64 {
        self.tasks.values().map(|it| it.held.cpus).sum()
    }

    /// GPUs that tasks hold.
    pub(super) fn gpus(&self) -> u64 {
        self.tasks.values().map(|it| it.held.gpus).sum()
    }

    /// Whether the addresses that `told` knows of each task are as many as it holds, and no two
    /// of an agent are the same.
    pub(super) fn check_addresses(&self, told: impl Fn(&MesosTaskId) -> Addresses) {
        let mut seen = BTreeSet::new();
        for (id, task) in &self.tasks {
            let addresses = told(id);
            let gpus = addresses.iter().find(|(name, _)| &**name == "gpu");
            let gpus = gpus.map_or(0, |(_, them)| them.len() as u64);
            assert_eq!(gpus, task.held.gpus, "{id}");
            for (name, address) in each(&addresses) {
                let place = (task.agent, name.clone(), address.clone());
                assert!(seen.insert(place), "{name} {address} is given twice");
                match &**name {
                    "gpu" => assert!(["0", "1"].contains(&&**address), "{address} is none"),
                    _ => {
                        let item = ITEMS.iter().position(|it| **it == **address);
                        let bit = 1 << item.expect("an item");
                        assert_ne!(task.held.fpga & bit, 0, "{id} holds {address}");
                    }
                }
            }
        }
    }

    /// The live task of that number, counted round.
    pub(super) fn task(&self, pick: u16) -> Option<MesosTaskId> {
        let count = self.tasks.len().max(1);
        self.tasks.keys().nth(usize::from(pick) % count).cloned()
    }

    /// The live executor of that number, counted round.
    pub(super) fn executor(&self, pick: u16) -> Option<ExecutorId> {
        let count = self.executors.len().max(1);
        self.executors
            .keys()
            .nth(usize::from(pick) % count)
            .cloned()
    }

    fn status(&mut self, id: &MesosTaskId, agent: usize, state: TaskState) -> Event {
        self.next += 1;
        let uuid = Uuid::from_u128(u128::from(self.next));
        self.unacknowledged.insert(uuid);
        Event::Update(TaskStatus {
            agent: Some(agent_id(agent)),
            uuid: Some(uuid),
            ..TaskStatus::new(id.clone(), state)
        })
    }

    /// A live task changes its state, and is gone if that was its end.
    pub(super) fn update(&mut self, id: &MesosTaskId, state: TaskState) -> Option<Event> {
        let agent = self.tasks.get(id)?.agent;
        if state.is_terminal() {
            self.tasks.remove(id);
        }
        Some(self.status(id, agent, state))
    }

    /// An executor ends with all its tasks.
    pub(super) fn lose_executor(&mut self, executor: &ExecutorId) -> Vec<Event> {
        let Some((agent, ..)) = self.executors.remove(executor) else {
            return Vec::new();
        };
        let tasks: Vec<_> = self
            .tasks
            .iter()
            .filter(|(_, it)| it.executor == *executor)
            .map(|(id, _)| id.clone())
            .collect();
        let mut events: Vec<_> = tasks
            .iter()
            .filter_map(|id| self.update(id, TaskState::Failed))
            .collect();
        events.push(Event::ExecutorFailure {
            executor: executor.clone(),
            agent: Some(agent_id(agent)),
            exit: None,
        });
        events
    }

    /// An agent is gone with all it had, and comes back empty.
    pub(super) fn lose_agent(&mut self, agent: usize) -> Event {
        let agent = agent % self.agents;
        self.tasks.retain(|_, it| it.agent != agent);
        self.executors.retain(|_, it| it.0 != agent);
        Event::AgentFailure(agent_id(agent))
    }

    /// The last status of a task comes again, with another uuid.
    pub(super) fn repeat(&mut self, id: &MesosTaskId) -> Event {
        self.status(id, 0, TaskState::Finished)
    }

    /// Whether a task has ended.
    pub(super) fn is_over(&self, id: &MesosTaskId) -> bool {
        !self.tasks.contains_key(id)
    }

    /// What is not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }
}

fn offer(id: OfferId, agent: usize, held: Held) -> Offer {
    let (whole, milli) = (held.cpus / 1000, held.cpus % 1000);
    let bits = ITEMS.iter().enumerate();
    let items = bits.filter(|(bit, _)| held.fpga & (1 << bit) != 0);
    let items: Vec<_> = items.map(|(_, item)| *item).collect();
    let text = format!(
        "cpus:{whole}.{milli:03};mem:{};gpus:{};fpga:{{{}}}",
        held.mem,
        held.gpus,
        items.join(",")
    );
    Offer {
        id,
        agent_id: agent_id(agent),
        hostname: format!("host-{agent}").into(),
        address: None,
        resources: text.parse().expect("resources"),
        attributes: [].into(),
        executor_ids: Vec::new(),
        role: Some("*".into()),
        unavailability: None,
        fault_domain: None,
    }
}
