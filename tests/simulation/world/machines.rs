//! The life of agents and of the executors that they start.

use std::time::Duration;

use mesquite::mesos::response::SubscribeAnswer;

use super::Happening;
use super::World;
use crate::agent;
use crate::agent::COME_BACK;
use crate::driver::framework;
use crate::executor::ExecutorProcess;
use crate::network::Channel;
use crate::network::Message;
use crate::network::Node;

impl World {
    pub(super) fn agent_starts(&mut self, agent: usize) {
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

    pub(super) fn agent_hears(&mut self, agent: usize, channel: Channel, message: Message) {
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

    pub(super) fn kill_late(&mut self, agent: usize, executor: &mesquite::ids::ExecutorId) {
        let found = self.index_of(agent, executor);
        if let Some(index) = found {
            let due = self.now + Duration::from_secs(5);
            self.at(due, Happening::KillLate(index));
        }
    }

    pub(super) fn index_of(
        &self,
        agent: usize,
        executor: &mesquite::ids::ExecutorId,
    ) -> Option<usize> {
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

    pub(super) fn agent_loses(&mut self, agent: usize, channel: Channel) {
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

    pub(super) fn executor_starts(
        &mut self,
        agent: usize,
        info: &mesquite::mesos::task::ExecutorInfo,
    ) {
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

    pub(super) fn reaped(&mut self, index: usize) {
        let (agent, id) = (
            self.executors[index].agent,
            self.executors[index].id.clone(),
        );
        if self.agents_alive[agent] {
            let out = self.agents[agent].executor_exited(self.now, &id);
            self.agent_says(agent, out);
        }
    }

    pub(super) fn give_up_absent(&mut self, agent: usize, life: u32) {
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
