//! The life of the master, and what it hears.

use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::mesos::call::Call;
use mesquite::mesos::event::Event;
use mesquite::mesos::refused::{CallRefusal, Refused};
use mesquite::mesos::response::SubscribeAnswer;

use super::Happening;
use super::World;
use crate::master;
use crate::master::ALLOCATION;
use crate::master::HEARTBEAT;
use crate::master::Master;
use crate::network::Channel;
use crate::network::Message;
use crate::network::Node;

impl World {
    pub(super) fn master_starts(&mut self) {
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

    pub(super) fn master_hears(&mut self, channel: Channel, message: Message) {
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
            (Message::Call(call), Some(Node::Driver)) => {
                let refused = now < self.refusing && self.random.bool();
                if refused && *call != Call::Teardown {
                    return self.refuse(channel, &call);
                }
                master.call(now, *call)
            }
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

    /// A call comes back with a code that says nothing of the subscription. Of
    /// most calls the driver hears no more.
    fn refuse(&mut self, channel: Channel, call: &Call) {
        let code = [400, 408, 413, 429][self.random.usize(0..4)];
        let why = format!("status {code}");
        self.count("refused calls");
        if let Some(refused) = Refused::of(call) {
            let refusal = CallRefusal { code, why };
            self.say(channel, 0, Message::Refused(Box::new(refused), refusal));
        }
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

    pub(super) fn master_loses(&mut self, channel: Channel) {
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

    pub(super) fn framework_disconnects(&mut self) {
        let now = self.now;
        let Some(master) = self.master.as_mut().filter(|it| it.is_connected()) else {
            return;
        };
        master.driver_lost(now);
        let due = now + self.setting.failover;
        self.at(due, Happening::FrameworkMissed(now));
    }

    pub(super) fn framework_missed(&mut self, since: Timestamp) {
        let Some(master) = &mut self.master else {
            return;
        };
        if master.disconnected_at == Some(since) {
            let out = master.remove_framework();
            self.master_says(out);
        }
    }

    pub(super) fn allocates(&mut self, life: u32) {
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

    pub(super) fn agent_missed(&mut self, agent: usize, missed: u32) {
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
}
