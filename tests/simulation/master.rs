//! A master, as far as a framework and its agents can tell: what Mesos 1.11
//! does, by the reference of its HTTP API. Events that are its own have no uuid
//! and are told once; those of agents are passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::ids::{AgentId, ExecutorId, FrameworkId, MesosTaskId, OfferId};
use mesquite::mesos::call::Call;
use mesquite::mesos::event::{Event, Subscribed};
use mesquite::mesos::task::{TaskInfo, TaskState, TaskStatus};
use mesquite::offers::{FaultDomain, InverseOffer, Offer, Unavailability};
use mesquite::resources::{ResourceName, Resources, Tenure};

use crate::agent::AgentReport;
use crate::network::Message;

/// The allocator runs so often.
pub const ALLOCATION: Duration = Duration::from_secs(1);

/// So often heartbeats are sent.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Thousandths of cores, and MiB.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Held {
    pub cpus: u64,
    pub mem: u64,
}

impl Held {
    pub fn of(resources: &Resources) -> Self {
        let amount = |name| {
            let milli = resources.available(&name, Tenure::Firm).milli();
            u64::try_from(milli).unwrap_or(0)
        };
        Self {
            cpus: amount(ResourceName::CPUS),
            mem: amount(ResourceName::MEM) / 1000,
        }
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            cpus: self.cpus + other.cpus,
            mem: self.mem + other.mem,
        }
    }

    fn minus(self, other: Self) -> Option<Self> {
        Some(Self {
            cpus: self.cpus.checked_sub(other.cpus)?,
            mem: self.mem.checked_sub(other.mem)?,
        })
    }

    fn is_within(self, other: Self) -> bool {
        self.cpus <= other.cpus && self.mem <= other.mem
    }
}

/// What the master wants said.
pub enum Out {
    ToDriver(Event),
    ToAgent(usize, Message),
    /// Close the driver's channel after all that was said.
    DropDriver,
}

struct Task {
    agent: usize,
    executor: ExecutorId,
    state: TaskState,
    held: Held,
}

struct Agent {
    total: Held,
    connected: bool,
    executors: BTreeMap<ExecutorId, Held>,
    /// What another framework has.
    taken: Held,
    filter: Option<(Held, Timestamp)>,
    unavailable: Option<Unavailability>,
    /// When the framework is asked for it again; unset once it agreed.
    ask_at: Option<Timestamp>,
}

/// What all masters share, in their registry.
#[derive(Default)]
pub struct Registry {
    pub unreachable: BTreeSet<usize>,
    pub admitted: BTreeSet<usize>,
}

/// See the module.
pub struct Master {
    framework: Option<FrameworkId>,
    connected: bool,
    pub disconnected_at: Option<Timestamp>,
    completed: BTreeSet<FrameworkId>,
    suppressed: bool,
    agents: BTreeMap<usize, Agent>,
    tasks: BTreeMap<MesosTaskId, Task>,
    /// Tasks of agents that are out of reach.
    unreachable: BTreeMap<MesosTaskId, usize>,
    /// All ids that were ever used.
    used: BTreeSet<MesosTaskId>,
    offers: BTreeMap<OfferId, (usize, Held, BTreeSet<ExecutorId>)>,
    next: u64,
    life: u32,
    pub launched: u64,
}

pub fn agent_id(agent: usize) -> AgentId {
    AgentId::from(format!("agent-{agent}"))
}

pub fn agent_of(id: &AgentId) -> Option<usize> {
    id.as_str().strip_prefix("agent-")?.parse().ok()
}

/// The agent that an inverse offer is about.
fn asked_for(id: &OfferId) -> Option<usize> {
    id.as_str().rsplit('-').next()?.parse().ok()
}

fn status(task: &MesosTaskId, state: TaskState, reason: &str) -> TaskStatus {
    TaskStatus {
        reason: Some(reason.to_owned()),
        ..TaskStatus::new(task.clone(), state)
    }
}

impl Master {
    pub fn new(life: u32) -> Self {
        Self {
            framework: None,
            connected: false,
            disconnected_at: None,
            completed: BTreeSet::new(),
            suppressed: false,
            agents: BTreeMap::new(),
            tasks: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            used: BTreeSet::new(),
            offers: BTreeMap::new(),
            next: 0,
            life,
            launched: 0,
        }
    }

    /// Offers that the framework has and has not answered.
    pub fn open_offers(&self) -> usize {
        self.offers.len()
    }

    pub fn live_tasks(&self) -> usize {
        self.tasks
            .values()
            .filter(|it| !it.state.is_terminal())
            .count()
    }

    fn free(&self, agent: usize) -> Held {
        let Some(entry) = self.agents.get(&agent) else {
            return Held::default();
        };
        let tasks = self.tasks.values().filter(|it| it.agent == agent);
        let tasks = tasks.filter(|it| !it.state.is_terminal()).map(|it| it.held);
        let executors = entry.executors.values().copied();
        let offers = self.offers.values().filter(|it| it.0 == agent);
        let used = tasks
            .chain(executors)
            .chain(offers.map(|it| it.1))
            .fold(entry.taken, Held::plus);
        entry.total.minus(used).unwrap_or_default()
    }

    /// A framework subscribes; an earlier subscription of it is over.
    pub fn subscribe(&mut self, id: &FrameworkId) -> Vec<Out> {
        if self.completed.contains(id) {
            let gone = Event::Error("Framework has been removed".into());
            return vec![Out::ToDriver(gone), Out::DropDriver];
        }
        self.framework = Some(id.clone());
        self.connected = true;
        self.disconnected_at = None;
        self.suppressed = false;
        self.offers.clear();
        for agent in self.agents.values_mut() {
            agent.filter = None;
        }
        vec![Out::ToDriver(Event::Subscribed(Subscribed {
            framework: id.clone(),
            heartbeat_interval: Some(HEARTBEAT),
            master: None,
        }))]
    }

    /// The driver's connection is gone.
    pub fn driver_lost(&mut self, now: Timestamp) {
        if self.connected {
            self.connected = false;
            self.offers.clear();
            self.disconnected_at = Some(now);
        }
    }

    /// The framework is removed: it tore down, or stayed away for too long.
    pub fn remove_framework(&mut self) -> Vec<Out> {
        let Some(id) = self.framework.take() else {
            return Vec::new();
        };
        self.completed.insert(id);
        self.connected = false;
        self.disconnected_at = None;
        self.offers.clear();
        self.tasks.clear();
        self.unreachable.clear();
        let agents = self.agents.iter_mut();
        agents
            .map(|(agent, entry)| {
                entry.executors.clear();
                Out::ToAgent(*agent, Message::ShutdownAll)
            })
            .collect()
    }

    pub fn call(&mut self, now: Timestamp, call: Call) -> Vec<Out> {
        if !self.connected {
            return Vec::new();
        }
        let mut out = Vec::new();
        match call {
            Call::Teardown => {
                out = self.remove_framework();
                out.push(Out::DropDriver);
            }
            Call::Accept {
                offers,
                launch,
                refuse,
            } => self.accept(now, &offers, launch, refuse, &mut out),
            Call::Decline { offers, refuse } => {
                for id in offers {
                    if let Some((agent, held, _)) = self.offers.remove(&id) {
                        self.filter(now, agent, held, refuse);
                    }
                }
            }
            Call::Revive { .. } => {
                self.suppressed = false;
                for agent in self.agents.values_mut() {
                    agent.filter = None;
                }
                out.extend(self.allocate(now));
            }
            Call::Suppress { .. } => self.suppressed = true,
            Call::Kill { task, agent, .. } => match self.tasks.get(&task) {
                Some(known) => out.push(Out::ToAgent(known.agent, Message::Kill(task))),
                None => self.reconcile_one(&task, agent.as_ref(), &mut out),
            },
            Call::Shutdown { executor, agent } => {
                if let Some(agent) = agent_of(&agent) {
                    out.push(Out::ToAgent(agent, Message::Shutdown(executor)));
                }
            }
            Call::Acknowledge { agent, task, uuid } => {
                if let Some(agent) = agent_of(&agent) {
                    // With its last status a task is forgotten.
                    if self
                        .tasks
                        .get(&task)
                        .is_some_and(|it| it.state.is_terminal())
                    {
                        self.tasks.remove(&task);
                    }
                    out.push(Out::ToAgent(agent, Message::Acknowledge(task, uuid)));
                }
            }
            Call::Reconcile { tasks } if tasks.is_empty() => {
                let all = self.tasks.iter();
                let all = all.map(|(id, task)| {
                    let update = status(id, task.state, "REASON_RECONCILIATION");
                    let agent = Some(agent_id(task.agent));
                    Out::ToDriver(Event::Update(TaskStatus { agent, ..update }))
                });
                out.extend(all);
            }
            Call::Reconcile { tasks } => {
                for (task, agent) in tasks {
                    self.reconcile_one(&task, agent.as_ref(), &mut out);
                }
            }
            Call::AcceptInverseOffers { .. } => {}
            Call::DeclineInverseOffers { offers, refuse } => {
                for agent in offers.iter().filter_map(asked_for) {
                    if let Some(entry) = self.agents.get_mut(&agent) {
                        entry.ask_at = Some(now + refuse);
                    }
                }
            }
            other => panic!("{} is not expected", other.name()),
        }
        out
    }

    fn filter(&mut self, now: Timestamp, agent: usize, held: Held, refuse: Duration) {
        let until = now + refuse.max(ALLOCATION);
        if let Some(agent) = self.agents.get_mut(&agent).filter(|_| !refuse.is_zero()) {
            agent.filter = Some((held, until));
        }
    }

    fn reconcile_one(&self, task: &MesosTaskId, agent: Option<&AgentId>, out: &mut Vec<Out>) {
        let number = agent.and_then(agent_of);
        let state = if let Some(known) = self.tasks.get(task) {
            let update = status(task, known.state, "REASON_RECONCILIATION");
            let agent = Some(agent_id(known.agent));
            return out.push(Out::ToDriver(Event::Update(TaskStatus { agent, ..update })));
        } else if self.unreachable.contains_key(task) {
            TaskState::Unreachable
        } else {
            match number {
                Some(number) if self.agents.contains_key(&number) => TaskState::Gone,
                // It may come back with the agent after a change of master.
                Some(_) => return,
                None if self.agents.is_empty() => return,
                None => TaskState::Unknown,
            }
        };
        let update = TaskStatus {
            agent: agent.cloned(),
            ..status(task, state, "REASON_RECONCILIATION")
        };
        out.push(Out::ToDriver(Event::Update(update)));
    }

    fn accept(
        &mut self,
        now: Timestamp,
        offers: &[OfferId],
        launch: Vec<TaskInfo>,
        refuse: Duration,
        out: &mut Vec<Out>,
    ) {
        let found: Vec<_> = offers.iter().map(|id| self.offers.remove(id)).collect();
        let agents: BTreeSet<_> = found.iter().flatten().map(|it| it.0).collect();
        if agents.len() != 1 || found.iter().any(Option::is_none) {
            for task in launch {
                let dropped = status(&task.task, TaskState::Dropped, "REASON_INVALID_OFFERS");
                let agent = Some(task.agent);
                out.push(Out::ToDriver(Event::Update(TaskStatus {
                    agent,
                    ..dropped
                })));
            }
            return;
        }
        let agent = *agents.first().expect("one");
        let offered = found.iter().flatten().map(|it| it.1);
        let mut left = offered.fold(Held::default(), Held::plus);
        for task in launch {
            assert!(
                self.used.insert(task.task.clone()),
                "task id {} is used again",
                task.task
            );
            assert_eq!(agent_of(&task.agent), Some(agent), "the offer's agent");
            let info = task.executor.as_ref().expect("an executor of our own");
            let executor = info.executor.clone();
            let entry = self.agents.get_mut(&agent).expect("it was offered");
            if !entry.executors.contains_key(&executor) {
                let held = Held::of(&info.resources);
                let named = found.iter().flatten().any(|it| it.2.contains(&executor));
                match left.minus(held.plus(Held::of(&task.resources))) {
                    // It has ended since the offer was made.
                    None if named => {
                        let error = status(&task.task, TaskState::Error, "REASON_TASK_INVALID");
                        let agent = Some(task.agent);
                        out.push(Out::ToDriver(Event::Update(TaskStatus { agent, ..error })));
                        continue;
                    }
                    enough => assert!(enough.is_some(), "more than was offered"),
                }
                left = left.minus(held).expect("enough");
                entry.executors.insert(executor.clone(), held);
            }
            let held = Held::of(&task.resources);
            left = left.minus(held).expect("no more than was offered");
            self.launched += 1;
            let entry = Task {
                agent,
                executor,
                state: TaskState::Staging,
                held,
            };
            self.tasks.insert(task.task.clone(), entry);
            out.push(Out::ToAgent(agent, Message::Run(Box::new(task))));
        }
        self.filter(now, agent, left, refuse);
    }

    /// Offers what is free.
    pub fn allocate(&mut self, now: Timestamp) -> Vec<Out> {
        let mut asked = self.ask_for_agents(now);
        if !self.connected || self.suppressed {
            return asked;
        }
        let mut offers = Vec::new();
        let agents: Vec<_> = self.agents.keys().copied().collect();
        for agent in agents {
            let free = self.free(agent);
            let entry = &self.agents[&agent];
            let filtered = entry
                .filter
                .is_some_and(|(held, until)| now < until && free.is_within(held));
            if !entry.connected || filtered || (free.cpus < 10 && free.mem < 32) {
                continue;
            }
            self.next += 1;
            let id = OfferId::from(format!("{}-O{}", self.life, self.next));
            let named = entry.executors.keys().cloned().collect();
            self.offers.insert(id.clone(), (agent, free, named));
            let (whole, milli) = (free.cpus / 1000, free.cpus % 1000);
            let text = format!("cpus:{whole}.{milli:03};mem:{}", free.mem);
            offers.push(Offer {
                id,
                agent_id: agent_id(agent),
                hostname: format!("host-{agent}").into(),
                address: None,
                resources: text.parse().expect("resources"),
                attributes: [].into(),
                executor_ids: entry.executors.keys().cloned().collect(),
                role: Some("*".into()),
                unavailability: entry.unavailable,
                fault_domain: Some(FaultDomain {
                    region: "here".into(),
                    zone: format!("zone-{}", agent % 2).into(),
                }),
            });
        }
        if !offers.is_empty() {
            asked.push(Out::ToDriver(Event::Offers(offers)));
        }
        asked
    }

    /// Takes back the offers of an agent.
    pub fn rescind(&mut self, agent: usize) -> Vec<Out> {
        let ids = self.offers.iter().filter(|(_, it)| it.0 == agent);
        let ids: Vec<_> = ids.map(|(id, _)| id.clone()).collect();
        let mut out = Vec::new();
        for id in ids {
            self.offers.remove(&id);
            out.push(Out::ToDriver(Event::Rescind(id)));
        }
        out
    }

    /// Another framework takes this part of what is free, and gives back what it
    /// had.
    pub fn compete(&mut self, agent: usize, share: f64) {
        if let Some(entry) = self.agents.get_mut(&agent) {
            entry.taken = Held::default();
        }
        let free = self.free(agent);
        let part = |amount: u64| (amount as f64 * share) as u64;
        if let Some(entry) = self.agents.get_mut(&agent) {
            entry.taken = Held {
                cpus: part(free.cpus),
                mem: part(free.mem),
            };
        }
    }

    /// An agent is to go down for maintenance, or not any more.
    pub fn drain(
        &mut self,
        now: Timestamp,
        agent: usize,
        unavailable: Option<Unavailability>,
    ) -> Vec<Out> {
        let mut out = self.rescind(agent);
        if let Some(entry) = self.agents.get_mut(&agent) {
            entry.unavailable = unavailable;
            entry.ask_at = unavailable.map(|_| now);
        }
        out.extend(self.ask_for_agents(now));
        out
    }

    /// Asks for the agents that are wanted back.
    fn ask_for_agents(&mut self, now: Timestamp) -> Vec<Out> {
        let mut offers = Vec::new();
        for (agent, entry) in &mut self.agents {
            if let Some(unavailability) = entry.unavailable
                && entry.ask_at.take_if(|at| *at <= now).is_some()
            {
                self.next += 1;
                offers.push(InverseOffer {
                    id: format!("{}-I{}-{agent}", self.life, self.next).into(),
                    agent_id: Some(agent_id(*agent)),
                    unavailability,
                });
            }
        }
        if offers.is_empty() || !self.connected {
            return Vec::new();
        }
        vec![Out::ToDriver(Event::InverseOffers(offers))]
    }

    /// An agent registers, for the first time or again.
    pub fn agent_registers(
        &mut self,
        now: Timestamp,
        agent: usize,
        mut report: AgentReport,
        registry: &mut Registry,
    ) -> Vec<Out> {
        let mut out = vec![Out::ToAgent(agent, Message::AgentRegistered)];
        let was_unreachable = registry.unreachable.remove(&agent);
        registry.admitted.insert(agent);
        let is_ours = self.framework.as_ref() == report.framework.as_ref();
        if report
            .framework
            .as_ref()
            .is_some_and(|id| self.completed.contains(id))
        {
            out.push(Out::ToAgent(agent, Message::ShutdownAll));
            report.tasks.clear();
            report.executors.clear();
        } else if !is_ours && report.framework.is_some() && self.framework.is_none() {
            // Known from its agents until it comes itself.
            self.framework.clone_from(&report.framework);
            self.disconnected_at = Some(now);
        }
        let before = self.agents.remove(&agent);
        self.agents.insert(
            agent,
            Agent {
                total: report.total,
                connected: true,
                executors: report.executors.iter().cloned().collect(),
                taken: before.as_ref().map_or(Held::default(), |it| it.taken),
                filter: None,
                unavailable: before.and_then(|it| it.unavailable),
                ask_at: None,
            },
        );
        let there: BTreeSet<_> = report.tasks.iter().map(|it| it.0.clone()).collect();
        // Launches that never arrived.
        let known = self.tasks.iter().filter(|(_, it)| it.agent == agent);
        let lost: Vec<_> = known
            .filter(|(id, _)| !there.contains(*id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            let task = self.tasks.remove(&id).expect("known");
            if !task.state.is_terminal() {
                let dropped = status(&id, TaskState::Dropped, "REASON_RECONCILIATION");
                let agent = Some(agent_id(agent));
                out.push(Out::ToDriver(Event::Update(TaskStatus {
                    agent,
                    ..dropped
                })));
            }
        }
        let gone = self.unreachable.iter().filter(|(_, it)| **it == agent);
        let gone: Vec<_> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.unreachable.remove(&id);
        }
        for (id, executor, state, held) in report.tasks {
            self.used.insert(id.clone());
            let entry = Task {
                agent,
                executor,
                state,
                held,
            };
            self.tasks.insert(id.clone(), entry);
            if was_unreachable {
                let update = status(&id, state, "REASON_AGENT_REREGISTERED");
                let agent = Some(agent_id(agent));
                out.push(Out::ToDriver(Event::Update(TaskStatus { agent, ..update })));
            }
        }
        out.extend(self.allocate(now));
        out
    }

    /// An agent's connection is gone; it has a while to come back.
    pub fn agent_lost(&mut self, agent: usize) -> Vec<Out> {
        let out = self.rescind(agent);
        if let Some(entry) = self.agents.get_mut(&agent) {
            entry.connected = false;
        }
        out
    }

    /// An agent did not come back in time.
    pub fn agent_unreachable(&mut self, agent: usize, registry: &mut Registry) -> Vec<Out> {
        let mut out = self.rescind(agent);
        registry.unreachable.insert(agent);
        if self.agents.remove(&agent).is_none() {
            return out;
        }
        let tasks = self.tasks.iter().filter(|(_, it)| it.agent == agent);
        let ids: Vec<_> = tasks.map(|(id, _)| id.clone()).collect();
        for id in ids {
            let task = self.tasks.remove(&id).expect("known");
            if !task.state.is_terminal() {
                self.unreachable.insert(id.clone(), agent);
                let update = status(&id, TaskState::Unreachable, "REASON_AGENT_REMOVED");
                let agent = Some(agent_id(agent));
                out.push(Out::ToDriver(Event::Update(TaskStatus { agent, ..update })));
            }
        }
        out.push(Out::ToDriver(Event::AgentFailure(agent_id(agent))));
        out
    }

    /// An agent passes on a status.
    pub fn update(&mut self, update: TaskStatus) -> Vec<Out> {
        if self.framework.is_none() {
            return Vec::new();
        }
        if let Some(task) = self.tasks.get_mut(&update.task)
            && !task.state.is_terminal()
        {
            task.state = update.state;
        }
        vec![Out::ToDriver(Event::Update(update))]
    }

    /// An executor of an agent has ended.
    pub fn executor_exited(&mut self, agent: usize, executor: &ExecutorId) -> Vec<Out> {
        let Some(entry) = self.agents.get_mut(&agent) else {
            return Vec::new();
        };
        if entry.executors.remove(executor).is_none() {
            return Vec::new();
        }
        // Its tasks are told of by the agent.
        debug_assert!(
            self.tasks
                .values()
                .all(|it| it.agent != agent || it.held.cpus > 0 || it.executor != *executor)
        );
        vec![Out::ToDriver(Event::ExecutorFailure {
            agent: Some(agent_id(agent)),
            executor: executor.clone(),
            exit: None,
        })]
    }

    /// Whether the driver is connected, and so hears what is said.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }
}
