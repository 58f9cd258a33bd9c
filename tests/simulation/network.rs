//! Who speaks to whom, and what becomes of it on the way.
//!
//! A channel is a connection as TCP makes it: what is said arrives in order, or
//! the connection breaks and what was on its way is lost. Hosts can be cut off
//! from each other; then their connections break after a while, and none can be
//! made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::ids::{ExecutorId, FrameworkId, MesosTaskId};
use mesquite::mesos::call::Call;
use mesquite::mesos::event::Event;
use mesquite::mesos::executor::event::{ExecutorEvent, LaunchedTask};
use mesquite::mesos::refused::{CallRefusal, Refused};
use mesquite::mesos::response::SubscribeAnswer;
use mesquite::mesos::task::{TaskInfo, TaskStatus};
use mesquite::rpc::message::{FromDriver, FromExecutor};
use uuid::Uuid;

use crate::agent::AgentReport;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    Driver,
    Master,
    Agent(usize),
    Executor(usize),
}

/// A machine: the driver's, the master's, or that of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    Driver,
    Master,
    Agent(usize),
}

/// What is said.
#[derive(Clone, Debug)]
pub enum Message {
    /// Driver to master.
    Subscribe(FrameworkId),
    Call(Box<Call>),
    /// Master to driver.
    Answer(SubscribeAnswer),
    Event(Box<Event>),
    Refused(Box<Refused>, CallRefusal),
    /// Executor to agent.
    ExecutorSubscribe(Vec<LaunchedTask>, Vec<TaskStatus>),
    ExecutorUpdate(TaskStatus),
    /// Agent to executor.
    ExecutorEvent(ExecutorEvent),
    /// Executor and driver.
    FromExecutor(FromExecutor),
    FromDriver(FromDriver),
    /// Agent to master.
    AgentRegister(Box<AgentReport>),
    AgentUpdate(TaskStatus),
    AgentExited(ExecutorId),
    /// Master to agent.
    AgentRegistered,
    Run(Box<TaskInfo>),
    Kill(MesosTaskId),
    Acknowledge(MesosTaskId, Uuid),
    Shutdown(ExecutorId),
    ShutdownAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel(pub u64);

/// Which end of a channel: who connected, or who was connected to.
pub type End = usize;

struct Open {
    ends: [Node; 2],
    /// When the last message to each end arrives.
    last: [Timestamp; 2],
}

/// See the module.
#[derive(Default)]
pub struct Network {
    open: BTreeMap<Channel, Open>,
    next: u64,
    cut: BTreeSet<(Machine, Machine)>,
    slow: BTreeMap<Machine, u32>,
}

fn pair(a: Machine, b: Machine) -> (Machine, Machine) {
    (a.min(b), a.max(b))
}

impl Network {
    pub fn connect(&mut self, from: Node, to: Node) -> Channel {
        self.next += 1;
        let channel = Channel(self.next);
        let open = Open {
            ends: [from, to],
            last: [Timestamp::ZERO; 2],
        };
        self.open.insert(channel, open);
        channel
    }

    /// The process at an end of a channel, if that is open.
    pub fn at(&self, channel: Channel, end: End) -> Option<Node> {
        self.open.get(&channel).map(|it| it.ends[end])
    }

    /// When what is said now arrives at an end; `None` if the channel is closed.
    pub fn arrival(
        &mut self,
        channel: Channel,
        end: End,
        now: Timestamp,
        latency: Duration,
    ) -> Option<Timestamp> {
        let open = self.open.get_mut(&channel)?;
        open.last[end] = (now + latency).max(open.last[end]);
        Some(open.last[end])
    }

    pub fn close(&mut self, channel: Channel) -> Option<[Node; 2]> {
        self.open.remove(&channel).map(|it| it.ends)
    }

    pub fn channels_of(&self, node: Node) -> Vec<Channel> {
        let of_node = |it: &&Open| it.ends.contains(&node);
        let open = self.open.iter().filter(|(_, it)| of_node(it));
        open.map(|(channel, _)| *channel).collect()
    }

    /// The open channels between two machines.
    pub fn channels_between(
        &self,
        a: Machine,
        b: Machine,
        machine_of: impl Fn(Node) -> Machine,
    ) -> Vec<Channel> {
        let between =
            |it: &Open| pair(machine_of(it.ends[0]), machine_of(it.ends[1])) == pair(a, b);
        let open = self.open.iter().filter(|(_, it)| between(it));
        open.map(|(channel, _)| *channel).collect()
    }

    pub fn cut(&mut self, a: Machine, b: Machine) {
        if a != b {
            self.cut.insert(pair(a, b));
        }
    }

    pub fn mend(&mut self, a: Machine, b: Machine) {
        self.cut.remove(&pair(a, b));
    }

    pub fn is_cut(&self, a: Machine, b: Machine) -> bool {
        self.cut.contains(&pair(a, b))
    }

    /// Machines whose messages take so many times longer.
    pub fn slow_down(&mut self, machine: Machine, factor: u32) {
        self.slow.insert(machine, factor);
    }

    pub fn factor(&self, a: Machine, b: Machine) -> u32 {
        let of = |machine| self.slow.get(&machine).copied().unwrap_or(1);
        of(a).max(of(b))
    }
}
