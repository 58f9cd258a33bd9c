//! What goes wrong, and how it is undone.

use std::time::Duration;

use mesquite::offers::Unavailability;

use crate::network::{Machine, Node};
use crate::world::{Happening, World};

/// One thing that goes wrong, for some time.
#[derive(Clone, Debug)]
pub struct Fault {
    kind: Kind,
    /// Decides which node it hits.
    pick: usize,
    lasts: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    KillExecutor,
    KillAllExecutors,
    PauseExecutor,
    KillAgent,
    PauseAgent,
    LoseMachine,
    KillMaster,
    KillDriver,
    KillDriverInStep,
    PauseDriver,
    CutExecutorsFromDriver,
    CutAgentFromMaster,
    CutDriverFromMaster,
    CutAgents,
    BreakConnections,
    SlowMachine,
    Rescind,
    Corrupt,
    IsolateBlockServer,
    Compete,
    Drain,
    RefuseCalls,
    AnswerWrongly,
}

const KINDS: [(Kind, &str); 23] = [
    (Kind::KillExecutor, "executor killed"),
    (Kind::KillAllExecutors, "all executors killed"),
    (Kind::PauseExecutor, "executor stopped for a while"),
    (Kind::KillAgent, "agent killed and restarted"),
    (Kind::PauseAgent, "agent stopped for a while"),
    (Kind::LoseMachine, "agent's machine lost and replaced"),
    (Kind::KillMaster, "master killed, another one leads"),
    (Kind::KillDriver, "driver killed and started again"),
    (Kind::KillDriverInStep, "driver to be killed within a step"),
    (Kind::PauseDriver, "driver stopped for a while"),
    (
        Kind::CutExecutorsFromDriver,
        "agent's machine cut off from the driver",
    ),
    (Kind::CutAgentFromMaster, "agent cut off from the master"),
    (Kind::CutDriverFromMaster, "driver cut off from the master"),
    (Kind::CutAgents, "two agents cut off from each other"),
    (
        Kind::BreakConnections,
        "all connections of a machine broken",
    ),
    (Kind::SlowMachine, "machine slow"),
    (Kind::Rescind, "offers rescinded"),
    (Kind::Corrupt, "map output damaged"),
    (
        Kind::IsolateBlockServer,
        "block server out of reach of one executor",
    ),
    (Kind::Compete, "another framework takes resources"),
    (Kind::Drain, "maintenance of an agent"),
    (Kind::RefuseCalls, "calls to the master refused"),
    (Kind::AnswerWrongly, "executor answers wrongly"),
];

/// Faults that may keep an output out of reach of a reader for long.
pub const LASTING: [&str; 2] = [
    "two agents cut off from each other",
    "block server out of reach of one executor",
];

/// Faults that count against tasks: they end executors, make the driver take them for
/// ended, or fail attempts.
const COUNTING: [Kind; 8] = [
    Kind::AnswerWrongly,
    Kind::KillExecutor,
    Kind::KillAllExecutors,
    Kind::PauseExecutor,
    Kind::KillAgent,
    Kind::LoseMachine,
    Kind::CutExecutorsFromDriver,
    Kind::PauseDriver,
];

impl Fault {
    pub fn draw(world: &mut World) -> Self {
        let kind = loop {
            let (kind, _) = KINDS[world.random.usize(0..KINDS.len())];
            if !(world.setting.poison && COUNTING.contains(&kind)) {
                break kind;
            }
        };
        // Mostly short, now and then longer than any patience.
        let most = [300, 3_000, 30_000, 200_000][world.random.usize(0..4)];
        Self {
            kind,
            pick: world.random.usize(0..1000),
            lasts: Duration::from_millis(world.random.u64(1..most)),
        }
    }
}

impl World {
    fn live_executor(&self, pick: usize) -> Option<usize> {
        let live: Vec<_> = (0..self.executors.len())
            .filter(|it| self.executors[*it].alive)
            .collect();
        live.get(pick % live.len().max(1)).copied()
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each fault")]
    pub fn fault(&mut self, fault: Fault) {
        if self.reports.is_some() {
            return;
        }
        let name = KINDS.iter().find(|it| it.0 == fault.kind).map(|it| it.1);
        self.count(name.expect("a known kind"));
        let (pick, lasts) = (fault.pick, fault.lasts);
        let agent = pick % self.setting.agents;
        let until = self.now + lasts;
        match fault.kind {
            Kind::KillExecutor => {
                if let Some(index) = self.live_executor(pick) {
                    self.executor_exits(index, false);
                }
            }
            Kind::KillAllExecutors => {
                for index in 0..self.executors.len() {
                    self.executor_exits(index, false);
                }
            }
            Kind::PauseExecutor => {
                if let Some(index) = self.live_executor(pick) {
                    self.pause(Node::Executor(index), until);
                }
            }
            Kind::KillAgent => self.agent_dies(agent, lasts),
            Kind::PauseAgent => {
                self.pause(Node::Agent(agent), until);
                self.agent_is_silent(agent);
            }
            Kind::LoseMachine => {
                self.agent_dies(agent, lasts);
                for index in 0..self.executors.len() {
                    if self.executors[index].agent == agent {
                        self.executor_exits(index, false);
                    }
                }
                self.disks.wipe(agent);
                self.agents[agent].is_replaced();
            }
            Kind::KillMaster => self.master_dies(lasts.min(Duration::from_secs(60))),
            Kind::KillDriver => {
                if self.driver.as_ref().is_some_and(|it| !it.leaving) {
                    self.driver_dies();
                }
            }
            Kind::KillDriverInStep => self.crash_at = Some(pick),
            Kind::PauseDriver => self.pause(Node::Driver, until),
            Kind::CutExecutorsFromDriver => self.cut(Machine::Driver, Machine::Agent(agent)),
            Kind::CutAgentFromMaster => {
                self.cut(Machine::Master, Machine::Agent(agent));
                self.agent_is_silent(agent);
            }
            Kind::CutDriverFromMaster => self.cut(Machine::Driver, Machine::Master),
            Kind::CutAgents => {
                let other = (pick / 7) % self.setting.agents;
                self.cut(Machine::Agent(agent), Machine::Agent(other));
            }
            Kind::BreakConnections => {
                for node in [Node::Agent(agent), Node::Driver] {
                    for channel in self.network.channels_of(node) {
                        if (channel.0 as usize + pick).is_multiple_of(2) {
                            self.break_channel(channel, false);
                        }
                    }
                }
            }
            Kind::SlowMachine => self.network.slow_down(Machine::Agent(agent), 50),
            Kind::Rescind => {
                if let Some(master) = &mut self.master {
                    let out = master.rescind(agent);
                    self.master_says(out);
                }
            }
            // Shorter than what makes a driver give up.
            Kind::RefuseCalls => {
                self.refusing = self.now + lasts.min(Duration::from_secs(60));
            }
            Kind::AnswerWrongly => {
                if let Some(index) = self.live_executor(pick) {
                    self.executors[index].wrong_until = until;
                }
            }
            Kind::Corrupt => {
                self.disks.corrupt(pick);
            }
            Kind::IsolateBlockServer => {
                if let (Some(from), Some(to)) =
                    (self.live_executor(pick), self.live_executor(pick / 11))
                {
                    self.isolated.insert((from, to));
                }
            }
            Kind::Compete => {
                let share = self.random.f64();
                self.compete(agent, share);
            }
            Kind::Drain => {
                let now = self.now;
                let begin = self.calendar() + Duration::from_secs(30);
                let unavailable = Unavailability {
                    start: begin,
                    duration: Some(lasts),
                };
                if let Some(master) = &mut self.master {
                    let out = master.drain(now, agent, Some(unavailable));
                    self.master_says(out);
                }
            }
        }
        self.at(until, Happening::Undo(fault));
    }

    fn compete(&mut self, agent: usize, share: f64) {
        if let Some(master) = &mut self.master {
            master.compete(agent, share);
        }
    }

    /// All is well again.
    pub fn undo(&mut self, fault: &Fault) {
        let agent = fault.pick % self.setting.agents;
        match fault.kind {
            Kind::PauseAgent => self.agent_answers(agent),
            Kind::CutExecutorsFromDriver => {
                self.network.mend(Machine::Driver, Machine::Agent(agent));
            }
            Kind::CutAgentFromMaster => {
                self.network.mend(Machine::Master, Machine::Agent(agent));
                self.agent_answers(agent);
            }
            Kind::CutDriverFromMaster => self.network.mend(Machine::Driver, Machine::Master),
            Kind::CutAgents => {
                let other = (fault.pick / 7) % self.setting.agents;
                self.network
                    .mend(Machine::Agent(agent), Machine::Agent(other));
            }
            Kind::SlowMachine => self.network.slow_down(Machine::Agent(agent), 1),
            Kind::IsolateBlockServer => self.isolated.clear(),
            Kind::Compete => self.compete(agent, 0.0),
            Kind::Drain => {
                let now = self.now;
                if let Some(master) = &mut self.master {
                    let out = master.drain(now, agent, None);
                    self.master_says(out);
                }
            }
            _ => {}
        }
    }
}
