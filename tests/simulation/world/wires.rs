//! What is said between processes, and what becomes of connections.

use std::time::Duration;

use super::Happening;
use super::World;
use crate::network::Channel;
use crate::network::Machine;
use crate::network::Message;
use crate::network::Node;

impl World {
    pub(super) fn latency(&mut self, a: Machine, b: Machine) -> Duration {
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

    pub(super) fn connected(&mut self, from: Node, to: Node, first: Option<Message>) {
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

    /// One side has died: the other notices when all that was said to it by then has
    /// arrived, for systems deliver what processes leave behind.
    pub fn dies_after_all(&mut self, channel: Channel, dead: Node) {
        for end in 0..2 {
            let Some(node) = self.network.at(channel, end).filter(|it| *it != dead) else {
                continue;
            };
            let after = Duration::from_millis(1);
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
}
