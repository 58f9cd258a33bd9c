//! Coarse mode on Mesos: offers become long-lived executors. Pure.
//!
//! Responsible for which offers are taken, with how many executors on each, and
//! for the fate of the Mesos tasks that hold them. What the executors run is
//! decided elsewhere; here only their cores count. Every offer is answered in
//! the cycle in which it came.
//!
//! ```text
//!  OFFERS ──▶ ACCEPT ──▶ Launched ──registers──▶ Registered
//!        └──▶ DECLINE        │ no registration in time   │ connection lost
//!                            ▼                           ▼
//!                           KILL ───────────────────▶ terminal status: lost
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::agent_failures::AgentFailures;
use super::decline_tally::DeclineTally;
use super::executor_size::ExecutorSize;
use super::maintenance;
use crate::clock::Timestamp;
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId, Role};
use crate::mesos::call::Call;
use crate::mesos::event::{Event, ExitStatus};
use crate::mesos::reconcile::Reconciliation;
use crate::mesos::task::{TaskInfo, Variable};
use crate::offers::{OfferGroup, OfferLedger, RefusePolicy, Requirement};
use crate::resources::Resources;
use crate::scheduler::task::ExecutorLossReason;

/// An executor that has not registered for so long is given up.
const REGISTRATION: Duration = Duration::from_secs(120);

/// What the backend is told at its start.
#[derive(Clone, Debug)]
pub struct MesosCoarseConfig {
    /// How large an executor is.
    pub size: ExecutorSize,
    /// The most cores to take (`spark.cores.max`).
    pub cores_max: Option<u32>,
    /// What an offer must be like.
    pub requirement: Requirement,
    /// For how long offers are refused.
    pub refuse: RefusePolicy,
    /// The role that resources are taken for.
    pub role: Role,
    /// What starts an executor.
    pub command: String,
    /// What every executor finds in its environment.
    pub environment: Vec<Variable>,
    /// The names of the variables for an executor's id, host and cores.
    pub variables: [&'static str; 3],
    /// Executor ids begin with this.
    pub prefix: String,
    /// Whether agents are filled one after the other, instead of evenly.
    pub pack: bool,
}

/// What can happen.
#[derive(Debug)]
pub enum Input {
    /// The master granted a subscription; offers of an earlier one are void.
    Subscribed,
    /// It is lost.
    Disconnected,
    /// The master said something.
    Event(Event),
    /// So many cores could be used by tasks that run or wait.
    Wanted(u64),
    /// An executor connected to the driver.
    Registered(ExecutorId),
    /// Its connection is gone.
    ConnectionLost(ExecutorId),
    /// An executor is to end.
    End(ExecutorId),
    /// No executor is to be started on these hosts.
    ExcludeHosts(Vec<Host>),
    /// Time has passed.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this.
    Call(Call),
    /// An executor is gone.
    Lost {
        /// The executor.
        executor: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// The agent of an executor is to be freed: it gets nothing more to do, and
    /// [`Input::End`] when it has nothing to do any more. May be repeated.
    Drain(ExecutorId),
    /// People are to know.
    Note(String),
}

#[derive(Debug)]
struct Executor {
    agent: AgentId,
    host: Host,
    cores: u32,
    launched: Timestamp,
    registered: bool,
    /// A KILL was sent.
    killed: bool,
}

/// See the module.
#[derive(Debug)]
pub struct MesosCoarse {
    config: MesosCoarseConfig,
    ledger: OfferLedger,
    executors: BTreeMap<ExecutorId, Executor>,
    failures: AgentFailures,
    excluded: BTreeSet<Host>,
    wanted: u64,
    subscribed: bool,
    suppressed: bool,
    next: u32,
    tally: DeclineTally,
    reconciliation: Reconciliation,
}

/// An offer on which executors are being placed.
struct Room {
    group: OfferGroup,
    left: Resources,
    launch: Vec<TaskInfo>,
}

impl MesosCoarse {
    /// Has nothing yet, and wants nothing.
    pub fn new(config: MesosCoarseConfig) -> Self {
        Self {
            config,
            ledger: OfferLedger::new(),
            executors: BTreeMap::new(),
            failures: AgentFailures::default(),
            excluded: BTreeSet::new(),
            wanted: 0,
            subscribed: false,
            suppressed: false,
            next: 0,
            tally: DeclineTally::default(),
            reconciliation: Reconciliation::default(),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let unregistered = self
            .executors
            .values()
            .filter(|it| !it.registered && !it.killed);
        let registrations = unregistered.map(|it| it.launched + REGISTRATION);
        registrations
            .chain(self.failures.next_deadline())
            .chain(self.reconciliation.next_deadline())
            .min()
    }

    /// Whether an executor of this name was launched and is not to end.
    pub fn expects(&self, executor: &ExecutorId) -> bool {
        self.executors.get(executor).is_some_and(|it| !it.killed)
    }

    /// Why no executor runs, as far as offers tell.
    pub fn why_nothing_runs(&self) -> Option<String> {
        if !self.subscribed {
            return Some("the master cannot be reached".into());
        }
        let starting = self.executors.values().filter(|it| !it.registered).count();
        if starting > 0 {
            return Some(format!(
                "{starting} executors were launched and have not registered"
            ));
        }
        Some(self.tally.text())
    }

    /// Takes in what happened and says what to do. `unix_time` is for
    /// maintenance, which is planned by the calendar.
    #[must_use = "actions are to be carried out"]
    pub fn handle(&mut self, now: Timestamp, unix_time: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Subscribed => self.subscribed(now),
            Input::Disconnected => {
                self.subscribed = false;
                self.reconciliation.pause();
                self.ledger.expire_all();
            }
            Input::Event(event) => self.event(now, unix_time, event, &mut actions),
            Input::Wanted(cores) => {
                self.wanted = cores;
                if self.wants_more() && self.suppressed {
                    self.revive(&mut actions);
                }
            }
            Input::Registered(executor) => {
                if let Some(found) = self.executors.get_mut(&executor) {
                    found.registered = true;
                    self.failures.works(&found.agent);
                    self.tally.accepted();
                }
            }
            Input::ConnectionLost(executor) | Input::End(executor) => {
                self.kill(&executor, &mut actions);
            }
            Input::ExcludeHosts(hosts) => self.excluded = hosts.into_iter().collect(),
            Input::Tick => {}
        }
        self.give_up_late(now, &mut actions);
        self.include_again(now, &mut actions);
        let executors = &self.executors;
        let calls = self.reconciliation.calls(now, || Self::ours(executors));
        actions.extend(calls.into_iter().map(Action::Call));
        actions
    }

    fn subscribed(&mut self, now: Timestamp) {
        self.ledger.expire_all();
        self.subscribed = true;
        self.suppressed = false;
        let ours = Self::ours(&self.executors);
        self.reconciliation.begin(now, ours.into_keys());
    }

    /// All executors as Mesos tasks, each with its agent.
    fn ours(executors: &BTreeMap<ExecutorId, Executor>) -> BTreeMap<MesosTaskId, &AgentId> {
        let all = executors.iter();
        all.map(|(id, it)| (MesosTaskId::new(id.as_str()), &it.agent))
            .collect()
    }

    fn event(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        event: Event,
        actions: &mut Vec<Action>,
    ) {
        match event {
            Event::Offers(offers) => {
                let groups = self.ledger.receive(now, offers);
                self.offers(now, unix_time, groups, actions);
            }
            Event::Rescind(offer) => {
                self.ledger.rescind(&offer);
            }
            Event::InverseOffers(offers) => {
                let executors = &self.executors;
                let busy = |agent: &AgentId| executors.values().any(|it| it.agent == *agent);
                let (calls, to_drain) = maintenance::answer(&mut self.ledger, now, offers, busy);
                actions.extend(calls.into_iter().map(Action::Call));
                for agent in to_drain {
                    let executors = self.on_agent(&agent).into_iter();
                    actions.extend(executors.map(Action::Drain));
                }
            }
            Event::RescindInverseOffer(offer) => {
                self.ledger.rescind_inverse(&offer);
            }
            Event::Update(status) => self.update(now, status, actions),
            Event::AgentFailure(agent) => {
                let message: Arc<str> = "its agent was lost".into();
                for executor in self.on_agent(&agent) {
                    self.lost_with_agent(&executor, message.clone(), actions);
                }
            }
            Event::ExecutorFailure { executor, exit, .. } => {
                let how = match exit {
                    Some(ExitStatus::Code(code)) => format!("it ended with exit code {code}"),
                    Some(ExitStatus::Signal(signal)) => format!("it was killed by signal {signal}"),
                    None => "it ended".to_owned(),
                };
                self.failed(now, &executor, how, actions);
            }
            Event::Error(message) => {
                actions.push(Action::Note(format!("the master said: {message}")));
            }
            Event::Subscribed(_)
            | Event::UpdateOperationStatus(_)
            | Event::Message { .. }
            | Event::Heartbeat
            | Event::Unknown(_) => {}
        }
    }
}

mod offers;
mod statuses;
#[cfg(test)]
pub(super) mod tests;
