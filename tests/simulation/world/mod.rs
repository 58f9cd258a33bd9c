//! The simulated cluster: virtual time, and all processes in it.

mod efficiency;
mod leader_change;
mod machines;
mod masters;
mod results;
mod wires;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::driver::core::Over;
use mesquite::driver::core::allocation::AllocationConfig;
use mesquite::driver::core::effect::Delivery;
use mesquite::driver::core::input::Input;
use mesquite::driver::report::JobReport;
use mesquite::ids::{JobId, MesosTaskId, TaskId};
use mesquite::mesos::event::Event;
use mesquite::plan::application::Application;

use crate::agent::Agent;
use crate::checks::{Checks, Saved};
use crate::driver::DriverProcess;
use crate::executor::{ExecutorProcess, index_of};
use crate::facts::Facts;
use crate::faults::Fault;
use crate::jobs::{self, Poison};
use crate::master::{self, HEARTBEAT, Held, Master, Registry};
use crate::network::{Channel, Machine, Message, Network, Node};
use crate::work::Disks;

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
    /// Whether a task ends its executor whenever it runs. No other fault counts against
    /// tasks then, so that it is certain that nobody else is to blame.
    pub poison: bool,
    /// Whether executors and hosts are excluded on failure.
    pub exclusion: bool,
    /// Attempts at this partition take 30 times as long.
    pub slow: Option<u32>,
    /// Whether attempts that read their records well get no copy for a while.
    pub efficiency: bool,
    /// How executors come and go in coarse mode; none if they stay.
    pub allocation: Option<AllocationConfig>,
}

impl Setting {
    fn draw(random: &mut fastrand::Rng) -> Self {
        let mut setting = Self {
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
            poison: random.u32(0..4) == 0,
            exclusion: false,
            slow: None,
            efficiency: random.bool(),
            allocation: None,
        };
        // By Spark's rules exclusion gives jobs up for faults.
        let faultless = setting.faults == 0 && setting.task_failures == 0.0;
        setting.exclusion = setting.poison && faultless && random.bool();
        setting.allocation = (!setting.fine && random.bool()).then(|| allocation(random));
        setting
    }
}

/// Executors come and go.
fn allocation(random: &mut fastrand::Rng) -> AllocationConfig {
    let backlog = Duration::from_millis([0, 0, 300][random.usize(0..3)]);
    AllocationConfig {
        least: random.u32(0..=1),
        most: [1, 3, u32::MAX, u32::MAX][random.usize(0..4)],
        initial: 1,
        backlog,
        sustained: backlog,
        ratio: [0.5, 1.0, 1.0][random.usize(0..3)],
        idle: Duration::from_millis([10, 100, 1000, 5000][random.usize(0..4)]),
        idle_with_partitions: None,
        idle_with_outputs: None,
        cores: Some(2),
        task_cpus: 1,
        named: None,
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
    pub poison: Option<Poison>,
    /// When the slow partition's second attempt began.
    pub copied_at: Option<Timestamp>,
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
    pub isolated: BTreeSet<(usize, usize)>,
    /// A proxy before the master refuses every other call, until then.
    pub refusing: Timestamp,
    pub checks: Checks,
    pub facts: Facts,
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
        let (application, poison) = jobs::draw(&mut random, setting.poison);
        let mut world = Self::with(seed, setting, application, random);
        world.poison = poison;
        world
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
            poison: None,
            copied_at: None,
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
            refusing: Timestamp::ZERO,
            checks: Checks::of(&application.plan),
            facts: Facts::of(&application.plan),
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
        // What is overdue happens now: time never goes back.
        let at = at.max(self.now);
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

    pub fn is_isolated(&self, index: usize, server: usize) -> bool {
        self.isolated.contains(&(index, server))
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
        let server = index_of(place).and_then(|it| self.executors.get(it));
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
}
