//! The simulated cluster: virtual time, and all processes in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::driver::core::Over;
use mesquite::driver::core::effect::Delivery;
use mesquite::driver::core::input::Input;
use mesquite::driver::report::{JobReport, Status};
use mesquite::ids::{JobId, MesosTaskId, Partition, TaskId};
use mesquite::mesos::answer::SubscribeAnswer;
use mesquite::mesos::event::Event;
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::{ActionKind, Application};

use crate::agent::{self, Agent, COME_BACK};
use crate::checks::{Checks, Saved};
use crate::driver::{DriverProcess, framework};
use crate::executor::{ExecutorProcess, address};
use crate::faults::{self, Fault};
use crate::jobs;
use crate::master::{self, ALLOCATION, HEARTBEAT, Held, Master, Registry};
use crate::network::{Channel, Machine, Message, Network, Node};
use crate::work::{Disks, Expected};

/// A job that has not ended so long after the last fault never will.
const LONGEST: Duration = Duration::from_secs(3 * 3600);

/// No run has so much to do: somebody is busy with nothing.
const MOST_EVENTS: u64 = 1_000_000;

/// What is different from seed to seed.
#[derive(Clone, Debug)]
pub struct Setting {
    pub fine: bool,
    pub agents: usize,
    pub speculation: bool,
    /// Tasks take up to two to the power of this milliseconds.
    pub longest_task: u32,
    /// And at least that of this.
    pub shortest_task: u32,
    pub stragglers: f64,
    pub task_failures: f64,
    /// How long executors look for their driver, and the master waits for it.
    pub failover: Duration,
    /// How long a master misses an agent.
    pub agent_timeout: Duration,
    pub faults: usize,
    /// Faults come in this time.
    pub horizon: Duration,
    /// Cores and MiB of each agent; drawn if unset.
    pub size: Option<Held>,
}

impl Setting {
    fn draw(random: &mut fastrand::Rng) -> Self {
        Self {
            fine: random.bool(),
            agents: random.usize(1..=4),
            speculation: random.u32(0..3) == 0,
            longest_task: random.u32(6..16),
            shortest_task: 0,
            stragglers: if random.bool() { 0.05 } else { 0.0 },
            task_failures: if random.bool() { 0.03 } else { 0.0 },
            failover: Duration::from_secs(600),
            agent_timeout: Duration::from_secs([5, 20, 75][random.usize(0..3)]),
            faults: random.usize(0..16),
            horizon: Duration::from_secs([3, 8, 20, 60][random.usize(0..4)]),
            size: None,
        }
    }
}

/// What is to happen at some time.
#[derive(Debug)]
pub enum Happening {
    Arrive(Channel, usize, Message),
    Broken(Node, Channel),
    Connect(Node, Node, Option<Message>),
    /// A deadline of a process; of an earlier life it does not count.
    Wake(Node, u32),
    Allocate(u32),
    Heartbeat(u32),
    /// An agent tries to register.
    Register(usize, u32),
    /// An agent has been gone for its timeout, if it has not come back.
    Missed(usize, u32),
    /// The framework has been gone for its timeout.
    FrameworkMissed(Timestamp),
    /// The end of an executor's process is noticed by its agent.
    Reaped(usize),
    /// After its restart an agent gives up executors that have not come back.
    GiveUpAbsent(usize, u32),
    /// A process that was told to end is killed.
    KillLate(usize),
    StartExecutor(usize, Box<mesquite::mesos::task::ExecutorInfo>),
    TaskTick {
        index: usize,
        task: u64,
        tick: u32,
    },
    Fetch {
        task: TaskId,
        address: String,
    },
    Save {
        life: u32,
        job: JobId,
        to: String,
        partitions: u32,
    },
    DriverStarts,
    DriverLeft(u32),
    Fault(Fault),
    Undo(Fault),
    MasterStarts,
    AgentStarts(usize),
}

/// How often processes were started.
#[derive(Default)]
pub struct Lives {
    pub driver: u32,
    pub master: u32,
    pub agents: Vec<u32>,
}

/// See the module.
pub struct World {
    pub seed: u64,
    pub now: Timestamp,
    pub setting: Setting,
    pub random: fastrand::Rng,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    next: u64,
    pub network: Network,
    pub application: Arc<Application>,
    pub driver: Option<DriverProcess>,
    pub journal: Vec<u8>,
    pub master: Option<Master>,
    pub registry: Registry,
    pub agents: Vec<Agent>,
    pub agents_alive: Vec<bool>,
    agent_channels: Vec<Option<Channel>>,
    missed: Vec<u32>,
    pub executors: Vec<ExecutorProcess>,
    pub disks: Disks,
    pub saved: Saved,
    pub deliveries: BTreeMap<JobId, Delivery>,
    pub lives: Lives,
    paused: BTreeMap<Node, Timestamp>,
    /// Block servers that one executor cannot reach.
    pub isolated: BTreeSet<(usize, String)>,
    pub checks: Checks,
    pub crash_at: Option<usize>,
    pub reports: Option<(Vec<JobReport>, Option<Over>)>,
    pub ended_at: Option<Timestamp>,
    pub steps: u64,
    pub events: u64,
    pub counts: BTreeMap<&'static str, u64>,
    /// Tasks that a master has answered for.
    reconciled: BTreeSet<MesosTaskId>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let setting = Setting::draw(&mut random);
        let application = jobs::draw(&mut random);
        Self::with(seed, setting, application, random)
    }

    fn with(
        seed: u64,
        setting: Setting,
        application: Arc<Application>,
        mut random: fastrand::Rng,
    ) -> Self {
        let total = |random: &mut fastrand::Rng| Held {
            cpus: random.u64(2..=5) * 1000,
            mem: random.u64(1500..4000),
        };
        let agents = setting.agents;
        let made = (0..agents).map(|number| {
            let total = setting.size.unwrap_or_else(|| total(&mut random));
            Agent::new(number, total, random.u64(..))
        });
        let made: Vec<_> = made.collect();
        let mut world = Self {
            seed,
            now: Timestamp::ZERO,
            random,
            queue: BTreeMap::new(),
            next: 0,
            network: Network::default(),
            driver: None,
            journal: Vec::new(),
            master: None,
            registry: Registry::default(),
            agents: made,
            agents_alive: vec![false; agents],
            agent_channels: vec![None; agents],
            missed: vec![0; agents],
            executors: Vec::new(),
            disks: Disks::default(),
            saved: Saved::default(),
            deliveries: BTreeMap::new(),
            lives: Lives {
                agents: vec![0; agents],
                ..Lives::default()
            },
            paused: BTreeMap::new(),
            isolated: BTreeSet::new(),
            checks: Checks::of(&application.plan),
            crash_at: None,
            reports: None,
            ended_at: None,
            application,
            steps: 0,
            events: 0,
            counts: BTreeMap::new(),
            reconciled: BTreeSet::new(),
            setting,
        };
        world.at(Timestamp::ZERO, Happening::MasterStarts);
        for agent in 0..agents {
            world.at(Timestamp::ZERO, Happening::AgentStarts(agent));
        }
        world.at(Timestamp::from_millis(100), Happening::DriverStarts);
        for _ in 0..world.setting.faults {
            let micros = u64::try_from(world.setting.horizon.as_micros()).expect("short");
            let at = Timestamp::ZERO + Duration::from_micros(world.random.u64(0..micros));
            let fault = Fault::draw(&mut world);
            world.at(at, Happening::Fault(fault));
        }
        world
    }

    pub fn at(&mut self, at: Timestamp, happening: Happening) {
        self.next += 1;
        self.queue.insert((at, self.next), happening);
    }

    /// Tells what happens, if anybody listens.
    #[expect(clippy::print_stdout, reason = "asked for, to understand a seed")]
    pub fn trace(&self, text: impl FnOnce() -> String) {
        if crate::TRACE.load(std::sync::atomic::Ordering::Relaxed) {
            let text: String = text().chars().take(600).collect();
            println!("{:?} {text}", self.now);
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Another master leads while so many tasks run: how long until it has
    /// answered for all of them, by the clock of the simulation, and how many
    /// tasks were launched twice.
    pub fn leader_change(tasks: u32) -> (Duration, u64) {
        let mut builder = ApplicationBuilder::new();
        let all = builder.range("all", 0, 1, tasks).expect("a dataset");
        builder.action(all, ActionKind::Count, None);
        let setting = Setting {
            fine: true,
            agents: 100,
            // Longer than all this takes.
            longest_task: 40,
            shortest_task: 39,
            size: Some(Held {
                cpus: u64::from(tasks) * 10 + 1000,
                mem: 10_000,
            }),
            faults: 0,
            ..Setting::draw(&mut fastrand::Rng::with_seed(1))
        };
        let random = fastrand::Rng::with_seed(1);
        let mut world = Self::with(1, setting, Arc::new(builder.build()), random);
        let live = |world: &Self| world.master.as_ref().map_or(0, Master::live_tasks);
        world.run_until(|world| live(world) >= tasks as usize);
        let calm = world.now + Duration::from_secs(30);
        world.run_until(|world| world.now >= calm);
        world.reconciled.clear();
        world.master_dies(Duration::from_secs(1));
        world.run_until(|world| world.master.is_some());
        let begin = world.now;
        world.run_until(|world| world.reconciled.len() >= tasks as usize);
        let launched = world.master.as_ref().map_or(0, |it| it.launched);
        (world.now - begin, launched)
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let ((at, _), happening) = self.queue.pop_first().expect("something happens");
            self.now = at;
            self.happen(happening);
        }
    }

    /// Runs to the end of the application and of all it left.
    pub fn run(&mut self) {
        let last = Timestamp::ZERO + self.setting.horizon + LONGEST;
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now = at;
            if self.reports.is_none() {
                assert!(at < last, "the application has not ended: {}", self.state());
            } else if self.is_quiet() {
                break;
            } else {
                let late = self.ended_at.expect("it ended") + Duration::from_secs(3600);
                assert!(at < late, "something is left: {}", self.state());
            }
            if let Some(until) = self.paused_until(&happening) {
                self.at(until, happening);
                continue;
            }
            self.events += 1;
            assert!(
                self.events < MOST_EVENTS,
                "it never rests: {}",
                self.state()
            );
            self.trace(|| format!("{happening:?}"));
            self.happen(happening);
        }
        self.check_results();
    }

    /// Whether nothing of the framework is left anywhere.
    fn is_quiet(&self) -> bool {
        let executors = self.executors.iter().all(|it| !it.alive);
        let agents = self.agents.iter().all(|it| !it.has_executors());
        let master = self.master.as_ref();
        let master = master.is_none_or(|it| it.open_offers() == 0 && it.live_tasks() == 0);
        executors && agents && master
    }

    fn state(&self) -> String {
        let alive: Vec<_> = self.executors.iter().filter(|it| it.alive).collect();
        let busy = alive.iter().filter(|it| it.is_busy()).count();
        format!(
            "at {:?}, driver {}, {} executors, {busy} busy, agents {:?}, {} offers, {} tasks, {:?}",
            self.now,
            self.driver.is_some(),
            alive.len(),
            self.agents_alive,
            self.master.as_ref().map_or(0, Master::open_offers),
            self.master.as_ref().map_or(0, Master::live_tasks),
            self.setting,
        )
    }

    /// Every job ended with the result that it must have.
    fn check_results(&mut self) {
        let (reports, over) = self.reports.take().expect("the application ended");
        assert_eq!(over, None, "the framework was removed");
        let application = Arc::clone(&self.application);
        let expected = Expected::of(&application);
        let mut given_up = false;
        for report in &reports {
            // Spark's rules: some results cannot be made again as they were, and
            // a stage whose input stays out of reach is given up.
            let error = report.error.as_deref().unwrap_or_default();
            let unreachable = faults::LASTING
                .iter()
                .any(|it| self.counts.contains_key(it));
            if error.contains("cannot be rolled back")
                || (unreachable && error.contains("maximum allowable number of times"))
            {
                given_up = true;
                continue;
            }
            assert_eq!(report.status, Status::Succeeded, "{error}");
        }
        if given_up {
            return self.count("jobs given up by Spark's rules");
        }
        let real = reports.iter().filter(|it| it.action != "sample").count();
        assert_eq!(real, application.actions.len(), "a job for each action");
        let mut printed: Vec<String> = Vec::new();
        for delivery in self.deliveries.values() {
            printed.push(match delivery {
                Delivery::Count(count) => count.to_string(),
                Delivery::Records(records) => String::from_utf8_lossy(&records.concat()).into(),
                Delivery::Save { .. } => unreachable!("files are not printed"),
            });
        }
        let mut wanted = Vec::new();
        for action in &application.actions {
            let partitions = application.plan.dataset(action.dataset).partitions();
            let values = (0..partitions).map(|it| expected.value(action.dataset, Partition(it)));
            match &action.kind {
                ActionKind::Count => wanted.push(values.sum::<u64>().to_string()),
                ActionKind::Collect { .. } => {
                    let lines = values
                        .enumerate()
                        .map(|(at, value)| format!("{at}:{value}\n"));
                    wanted.push(lines.collect());
                }
                ActionKind::Save { to, .. } => {
                    let values: BTreeMap<_, _> = (0..).zip(values).collect();
                    assert_eq!(self.saved.of(to), Some(&values), "what is saved in {to}");
                }
            }
        }
        printed.sort();
        wanted.sort();
        assert_eq!(printed, wanted, "what is printed");
    }

    // --- processes

    pub fn machine_of(&self, node: Node) -> Machine {
        match node {
            Node::Driver => Machine::Driver,
            Node::Master => Machine::Master,
            Node::Agent(agent) => Machine::Agent(agent),
            Node::Executor(index) => Machine::Agent(self.executors[index].agent),
        }
    }

    pub fn is_alive(&self, node: Node) -> bool {
        match node {
            Node::Driver => self.driver.is_some(),
            Node::Master => self.master.is_some(),
            Node::Agent(agent) => self.agents_alive[agent],
            Node::Executor(index) => self.executors[index].alive,
        }
    }

    pub fn pause(&mut self, node: Node, until: Timestamp) {
        self.paused.insert(node, until);
    }

    pub fn is_isolated(&self, index: usize, address: &str) -> bool {
        self.isolated.contains(&(index, address.to_owned()))
    }

    /// Until when what happens has to wait because its process is stopped.
    fn paused_until(&self, happening: &Happening) -> Option<Timestamp> {
        let node = match happening {
            Happening::Arrive(channel, end, _) => self.network.at(*channel, *end)?,
            Happening::Broken(node, _)
            | Happening::Connect(node, ..)
            | Happening::Wake(node, _) => *node,
            Happening::Allocate(_) | Happening::Heartbeat(_) => Node::Master,
            Happening::Register(agent, _) | Happening::GiveUpAbsent(agent, _) => {
                Node::Agent(*agent)
            }
            Happening::TaskTick { index, .. } => Node::Executor(*index),
            _ => return None,
        };
        let until = self.paused.get(&node).copied()?;
        (self.now < until).then_some(until)
    }

    // --- the network

    fn latency(&mut self, a: Machine, b: Machine) -> Duration {
        let micros = self.random.u64(100..2_000);
        Duration::from_micros(micros) * self.network.factor(a, b)
    }

    /// Says something on a channel, to that end of it.
    pub fn say(&mut self, channel: Channel, to: usize, message: Message) {
        let Some(node) = self.network.at(channel, to) else {
            return;
        };
        let other = self.network.at(channel, 1 - to).expect("it is open");
        let (a, b) = (self.machine_of(node), self.machine_of(other));
        let latency = self.latency(a, b);
        if self.network.is_cut(a, b) {
            // It is never acknowledged; the connection breaks.
            return;
        }
        if let Some(at) = self.network.arrival(channel, to, self.now, latency) {
            self.at(at, Happening::Arrive(channel, to, message));
        }
    }

    /// Connects; the answer follows. The first message goes with it.
    pub fn connect(&mut self, from: Node, to: Node, first: Option<Message>) {
        let (a, b) = (self.machine_of(from), self.machine_of(to));
        let pause = if self.network.is_cut(a, b) {
            Duration::from_secs(5)
        } else {
            self.latency(a, b)
        };
        self.at(self.now + pause, Happening::Connect(from, to, first));
    }

    fn connected(&mut self, from: Node, to: Node, first: Option<Message>) {
        let registered = matches!(from, Node::Agent(it) if self.agent_channels[it].is_some());
        if !self.is_alive(from) || registered {
            return;
        }
        let (a, b) = (self.machine_of(from), self.machine_of(to));
        let is_there = self.is_alive(to) && !self.network.is_cut(a, b);
        let channel = is_there.then(|| self.network.connect(from, to));
        match (from, to) {
            (Node::Driver, _) => self.driver_connected(channel),
            (Node::Executor(index), Node::Driver) => self.executor_connected(index, channel),
            (Node::Executor(index), _) => self.executor_agent_connected(index, channel),
            (Node::Agent(agent), _) => {
                self.agent_channels[agent] = channel;
                let report = Message::AgentRegister(Box::new(self.agents[agent].report()));
                if let Some(channel) = channel {
                    self.say(channel, 1, report);
                } else {
                    let again = self.now + Duration::from_millis(self.random.u64(500..2000));
                    let life = self.lives.agents[agent];
                    self.at(again, Happening::Register(agent, life));
                }
            }
            (Node::Master, _) => unreachable!("it connects to nobody"),
        }
        if let (Some(channel), Some(first)) = (channel, first) {
            self.say(channel, 1, first);
        }
    }

    /// A connection breaks: both ends notice, each in its time.
    pub fn break_channel(&mut self, channel: Channel, slow: bool) {
        let Some(ends) = self.network.close(channel) else {
            return;
        };
        for node in ends {
            let most = if slow { 4_000 } else { 5 };
            let after = Duration::from_millis(self.random.u64(0..most));
            self.at(self.now + after, Happening::Broken(node, channel));
        }
    }

    /// One side closes a connection; only the other has to notice.
    pub fn hang_up(&mut self, channel: Channel, by: Node) {
        let Some(ends) = self.network.close(channel) else {
            return;
        };
        for node in ends.into_iter().filter(|node| *node != by) {
            let after = Duration::from_millis(1);
            self.at(self.now + after, Happening::Broken(node, channel));
        }
    }

    /// Closes a connection when all that was said on it has arrived.
    pub fn close_after_all(&mut self, channel: Channel) {
        for end in 0..2 {
            let Some(node) = self.network.at(channel, end) else {
                continue;
            };
            let after = Duration::from_millis(10);
            if let Some(at) = self.network.arrival(channel, end, self.now, after) {
                self.at(at, Happening::Broken(node, channel));
            }
        }
    }

    /// A process is gone, and its connections with it.
    pub fn node_is_gone(&mut self, node: Node) {
        for channel in self.network.channels_of(node) {
            self.hang_up(channel, node);
        }
    }

    pub fn cut(&mut self, a: Machine, b: Machine) {
        self.network.cut(a, b);
        let of = |node| self.machine_of(node);
        for channel in self.network.channels_between(a, b, of) {
            self.break_channel(channel, true);
        }
    }

    // --- what happens

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive(channel, end, message) => {
                if let Some(node) = self.network.at(channel, end) {
                    self.arrived(node, channel, message);
                }
            }
            Happening::Broken(node, channel) => {
                self.network.close(channel);
                self.broken(node, channel);
            }
            Happening::Connect(from, to, first) => self.connected(from, to, first),
            Happening::Wake(node, life) => self.wakes(node, life),
            Happening::Allocate(life) => self.allocates(life),
            Happening::Heartbeat(life) => {
                if life == self.lives.master && self.master.is_some() {
                    self.master_says(vec![master::Out::ToDriver(Event::Heartbeat)]);
                    self.at(self.now + HEARTBEAT, Happening::Heartbeat(life));
                }
            }
            Happening::Register(agent, life) => {
                if life == self.lives.agents[agent] && self.agents_alive[agent] {
                    self.connect(Node::Agent(agent), Node::Master, None);
                }
            }
            Happening::Missed(agent, missed) => self.agent_missed(agent, missed),
            Happening::FrameworkMissed(since) => self.framework_missed(since),
            Happening::Reaped(index) => self.reaped(index),
            Happening::GiveUpAbsent(agent, life) => self.give_up_absent(agent, life),
            Happening::KillLate(index) => self.executor_exits(index, false),
            Happening::StartExecutor(agent, info) => self.executor_starts(agent, &info),
            Happening::TaskTick { index, task, tick } => {
                if self.executors[index].alive {
                    self.task_ticks(index, task, tick);
                }
            }
            Happening::Fetch { task, address } => self.fetched(task, &address),
            Happening::Save {
                life,
                job,
                to,
                partitions,
            } => {
                if life == self.lives.driver && self.driver.is_some() {
                    let result = self.saved.complete(&to, partitions);
                    self.driver_input(Input::Delivered { job, result });
                }
            }
            Happening::DriverStarts => self.driver_starts(),
            Happening::DriverLeft(life) => {
                if life == self.lives.driver {
                    self.driver_left();
                }
            }
            Happening::Fault(fault) => self.fault(fault),
            Happening::Undo(fault) => self.undo(&fault),
            Happening::MasterStarts => self.master_starts(),
            Happening::AgentStarts(agent) => self.agent_starts(agent),
        }
    }

    fn arrived(&mut self, node: Node, channel: Channel, message: Message) {
        match node {
            Node::Driver => self.driver_hears(channel, message),
            Node::Executor(index) => self.executor_hears(index, channel, message),
            Node::Master => self.master_hears(channel, message),
            Node::Agent(agent) => self.agent_hears(agent, channel, message),
        }
    }

    fn broken(&mut self, node: Node, channel: Channel) {
        if !self.is_alive(node) {
            return;
        }
        match node {
            Node::Driver => self.driver_loses(channel),
            Node::Executor(index) => self.executor_loses(index, channel),
            Node::Master => self.master_loses(channel),
            Node::Agent(agent) => self.agent_loses(agent, channel),
        }
    }

    fn wakes(&mut self, node: Node, life: u32) {
        match node {
            Node::Driver if life == self.lives.driver => self.driver_wakes(),
            Node::Executor(index) if self.executors[index].alive => self.executor_wakes(index),
            Node::Agent(agent) if self.agents_alive[agent] => {
                let out = self.agents[agent].time_passed(self.now);
                self.agent_says(agent, out);
            }
            _ => {}
        }
    }

    fn fetched(&mut self, task: TaskId, place: &str) {
        let mut servers = (0..self.executors.len()).filter(|it| address(*it) == place);
        let server = servers.next().map(|it| &self.executors[it]);
        let server = server.filter(|it| it.alive);
        let reachable = server.filter(|it| {
            !self
                .network
                .is_cut(Machine::Driver, Machine::Agent(it.agent))
        });
        let result = reachable.and_then(|it| it.result(task.0));
        let result = result.ok_or_else(|| "it cannot be had".to_owned());
        if self.driver.is_some() {
            self.driver_input(Input::Fetched { task, result });
        }
    }

    // --- the master

    fn master_starts(&mut self) {
        if self.master.is_some() {
            return;
        }
        self.lives.master += 1;
        let life = self.lives.master;
        self.master = Some(Master::new(life));
        self.at(self.now + ALLOCATION, Happening::Allocate(life));
        self.at(self.now + HEARTBEAT, Happening::Heartbeat(life));
    }

    pub fn master_dies(&mut self, back_after: Duration) {
        if self.master.take().is_some() {
            self.node_is_gone(Node::Master);
            self.at(self.now + back_after, Happening::MasterStarts);
        }
    }

    fn master_hears(&mut self, channel: Channel, message: Message) {
        let now = self.now;
        let Some(master) = &mut self.master else {
            return;
        };
        let sender = self.network.at(channel, 0);
        let out = match (message, sender) {
            (Message::Subscribe(id), Some(Node::Driver)) => {
                let answer = SubscribeAnswer::Stream { stream_id: None };
                let out = master.subscribe(&id);
                self.say(channel, 0, Message::Answer(answer));
                out
            }
            (Message::Call(call), Some(Node::Driver)) => master.call(now, *call),
            (Message::AgentRegister(report), Some(Node::Agent(agent))) => {
                self.missed[agent] += 1;
                let registry = &mut self.registry;
                let before = master.disconnected_at;
                let out = master.agent_registers(now, agent, *report, registry);
                let since = master.disconnected_at.filter(|_| before.is_none());
                if let Some(since) = since {
                    let due = now + self.setting.failover;
                    self.at(due, Happening::FrameworkMissed(since));
                }
                out
            }
            (Message::AgentUpdate(update), _) => master.update(update),
            (Message::AgentExited(executor), Some(Node::Agent(agent))) => {
                master.executor_exited(agent, &executor)
            }
            _ => Vec::new(),
        };
        self.master_says(out);
    }

    pub fn master_says(&mut self, out: Vec<master::Out>) {
        let driver = self.network.channels_of(Node::Driver);
        let to_master = |channel: &&Channel| self.network.at(**channel, 1) == Some(Node::Master);
        // The newest stream is the subscription.
        let stream = driver.iter().filter(to_master).max().copied();
        for one in out {
            match one {
                master::Out::ToDriver(event) => {
                    if let Event::Update(update) = &event
                        && update.reason.as_deref() == Some("REASON_RECONCILIATION")
                    {
                        self.reconciled.insert(update.task.clone());
                    }
                    let connected = self.master.as_ref().is_some_and(Master::is_connected);
                    let last_words = matches!(event, Event::Error(_));
                    if let Some(stream) = stream.filter(|_| connected || last_words) {
                        self.say(stream, 0, Message::Event(Box::new(event)));
                    }
                }
                master::Out::ToAgent(agent, message) => {
                    if let Some(channel) = self.agent_channels[agent] {
                        self.say(channel, 0, message);
                    }
                }
                master::Out::DropDriver => {
                    if let Some(stream) = stream {
                        self.close_after_all(stream);
                    }
                }
            }
        }
    }

    fn master_loses(&mut self, channel: Channel) {
        let Some(agent) = self
            .agent_channels
            .iter()
            .position(|it| *it == Some(channel))
        else {
            // A driver's, if there is no newer one.
            let newer = self.network.channels_of(Node::Driver).into_iter();
            let newer = newer.filter(|it| self.network.at(*it, 1) == Some(Node::Master));
            if newer.max().is_none() {
                self.framework_disconnects();
            }
            return;
        };
        let missed = self.missed[agent];
        let due = self.now + self.setting.agent_timeout;
        self.at(due, Happening::Missed(agent, missed));
        if let Some(master) = &mut self.master {
            let out = master.agent_lost(agent);
            self.master_says(out);
        }
    }

    fn framework_disconnects(&mut self) {
        let now = self.now;
        let Some(master) = self.master.as_mut().filter(|it| it.is_connected()) else {
            return;
        };
        master.driver_lost(now);
        let due = now + self.setting.failover;
        self.at(due, Happening::FrameworkMissed(now));
    }

    fn framework_missed(&mut self, since: Timestamp) {
        let Some(master) = &mut self.master else {
            return;
        };
        if master.disconnected_at == Some(since) {
            let out = master.remove_framework();
            self.master_says(out);
        }
    }

    fn allocates(&mut self, life: u32) {
        if life != self.lives.master {
            return;
        }
        if let Some(master) = &mut self.master {
            let out = master.allocate(self.now);
            self.master_says(out);
            self.at(self.now + ALLOCATION, Happening::Allocate(life));
        }
    }

    /// An agent is out of reach from now on, and missed after its timeout.
    pub fn agent_is_silent(&mut self, agent: usize) {
        self.missed[agent] += 1;
        let due = self.now + self.setting.agent_timeout;
        self.at(due, Happening::Missed(agent, self.missed[agent]));
    }

    /// It answers again.
    pub fn agent_answers(&mut self, agent: usize) {
        self.missed[agent] += 1;
    }

    fn agent_missed(&mut self, agent: usize, missed: u32) {
        if self.missed[agent] != missed {
            return;
        }
        self.count("agents out of reach");
        if let Some(master) = &mut self.master {
            let out = master.agent_unreachable(agent, &mut self.registry);
            self.master_says(out);
        }
        // What it says from now on is not listened to until it registers again.
        if let Some(channel) = self.agent_channels[agent] {
            self.break_channel(channel, false);
        }
    }

    // --- agents

    fn agent_starts(&mut self, agent: usize) {
        if self.agents_alive[agent] {
            return;
        }
        self.agents_alive[agent] = true;
        self.lives.agents[agent] += 1;
        let life = self.lives.agents[agent];
        self.agents[agent].restarted();
        self.at(self.now, Happening::Register(agent, life));
        self.at(self.now + COME_BACK, Happening::GiveUpAbsent(agent, life));
    }

    pub fn agent_dies(&mut self, agent: usize, back_after: Duration) {
        if self.agents_alive[agent] {
            self.agents_alive[agent] = false;
            self.node_is_gone(Node::Agent(agent));
            self.agent_channels[agent] = None;
            self.agent_is_silent(agent);
            self.at(self.now + back_after, Happening::AgentStarts(agent));
        }
    }

    fn agent_hears(&mut self, agent: usize, channel: Channel, message: Message) {
        let now = self.now;
        let from = self.network.at(channel, 0);
        let process = &mut self.agents[agent];
        let out = match (message, from) {
            (Message::ExecutorSubscribe(tasks, statuses), Some(Node::Executor(index))) => {
                let id = self.executors[index].id.clone();
                let answer = SubscribeAnswer::Stream { stream_id: None };
                let out = process.executor_subscribes(now, &id, channel, &tasks, statuses);
                self.say(channel, 0, Message::Answer(answer));
                out
            }
            (Message::ExecutorUpdate(update), Some(Node::Executor(index))) => {
                let id = self.executors[index].id.clone();
                process.executor_update(now, &id, update)
            }
            (Message::AgentRegistered, _) => process.registered(now),
            (Message::Run(info), _) => process.run(now, &framework(), *info),
            (Message::Kill(task), _) => process.kill(now, &task),
            (Message::Acknowledge(task, uuid), _) => process.acknowledged(now, &task, uuid),
            (Message::Shutdown(executor), _) => {
                self.kill_late(agent, &executor);
                self.agents[agent].shut_down(&executor)
            }
            (Message::ShutdownAll, _) => {
                let all: Vec<_> = (0..self.executors.len()).collect();
                for index in all {
                    if self.executors[index].agent == agent && self.executors[index].alive {
                        let due = now + Duration::from_secs(5);
                        self.at(due, Happening::KillLate(index));
                    }
                }
                self.agents[agent].shut_down_all()
            }
            _ => Vec::new(),
        };
        self.agent_says(agent, out);
    }

    fn kill_late(&mut self, agent: usize, executor: &mesquite::ids::ExecutorId) {
        let found = self.index_of(agent, executor);
        if let Some(index) = found {
            let due = self.now + Duration::from_secs(5);
            self.at(due, Happening::KillLate(index));
        }
    }

    fn index_of(&self, agent: usize, executor: &mesquite::ids::ExecutorId) -> Option<usize> {
        let mut all = self.executors.iter().enumerate();
        let found = all.find(|(_, it)| it.agent == agent && it.id == *executor && it.alive);
        found.map(|(index, _)| index)
    }

    pub fn agent_says(&mut self, agent: usize, out: Vec<agent::Out>) {
        for one in out {
            match one {
                agent::Out::ToMaster(message) => {
                    let channel = self.agent_channels[agent];
                    if let Some(channel) = channel.filter(|_| self.agents[agent].registered) {
                        self.say(channel, 1, message);
                    }
                }
                agent::Out::ToExecutor(channel, event) => {
                    self.say(channel, 0, Message::ExecutorEvent(event));
                }
                agent::Out::Start(info) => {
                    let after = Duration::from_millis(self.random.u64(30..600));
                    let start = Happening::StartExecutor(agent, Box::new(info));
                    self.at(self.now + after, start);
                }
                agent::Out::Kill(executor) => match self.index_of(agent, &executor) {
                    Some(index) => self.executor_exits(index, false),
                    // It has not begun, and will not.
                    None => {
                        let out = self.agents[agent].executor_exited(self.now, &executor);
                        self.agent_says(agent, out);
                    }
                },
            }
        }
        if let Some(due) = self.agents[agent].next_deadline() {
            let life = self.lives.agents[agent];
            self.at(due, Happening::Wake(Node::Agent(agent), life));
        }
    }

    fn agent_loses(&mut self, agent: usize, channel: Channel) {
        if self.agent_channels[agent] == Some(channel) {
            self.agent_channels[agent] = None;
            self.agents[agent].registered = false;
            let again = self.now + Duration::from_millis(self.random.u64(100..2000));
            let life = self.lives.agents[agent];
            self.at(again, Happening::Register(agent, life));
            return;
        }
        let all = self.executors.iter().filter(|it| it.agent == agent);
        let ids: Vec<_> = all.map(|it| it.id.clone()).collect();
        for id in ids {
            self.agents[agent].executor_disconnected(&id, channel);
        }
    }

    fn executor_starts(&mut self, agent: usize, info: &mesquite::mesos::task::ExecutorInfo) {
        if !self.agents[agent].knows(&info.executor) {
            return;
        }
        let index = self.executors.len();
        let seed = self.random.u64(..);
        let patience = self.setting.failover;
        let process = ExecutorProcess::new(self.now, index, agent, info, patience, seed);
        self.disks.make(agent, &process.folder);
        self.executors.push(process);
        self.count("executors");
        self.executor_wakes(index);
    }

    fn reaped(&mut self, index: usize) {
        let (agent, id) = (
            self.executors[index].agent,
            self.executors[index].id.clone(),
        );
        if self.agents_alive[agent] {
            let out = self.agents[agent].executor_exited(self.now, &id);
            self.agent_says(agent, out);
        }
    }

    fn give_up_absent(&mut self, agent: usize, life: u32) {
        if life != self.lives.agents[agent] || !self.agents_alive[agent] {
            return;
        }
        for executor in self.agents[agent].absent() {
            match self.index_of(agent, &executor) {
                Some(index) => self.executor_exits(index, false),
                None => {
                    let out = self.agents[agent].executor_exited(self.now, &executor);
                    self.agent_says(agent, out);
                }
            }
        }
    }
}
