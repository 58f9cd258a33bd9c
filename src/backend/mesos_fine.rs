//! Fine mode on Mesos: every attempt is a Mesos task. Pure.
//!
//! Responsible for making room for the task scheduler of each batch of offers,
//! for the one ACCEPT per agent and the DECLINE of what is left, in the cycle in
//! which the offers came, and for the statuses that come back. One executor runs
//! on each agent; it holds a sliver of resources besides those of its tasks.
//!
//! ```text
//!  OFFERS ──▶ Offer ──▶ task scheduler ──▶ launch() ──▶ ACCEPT   (an agent each)
//!                                             settle() ──▶ DECLINE (the rest)
//!  UPDATE ──▶ Ended / Lost ──▶ ACKNOWLEDGE, and one REVIVE if tasks wait
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::agent_failures::AgentFailures;
use super::decline_tally::DeclineTally;
use super::maintenance;
use super::mesos_coarse::MesosCoarseConfig;
use crate::clock::Timestamp;
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId, TaskId};
use crate::mesos::call::Call;
use crate::mesos::event::{Event, ExitStatus};
use crate::mesos::reconcile::Reconciliation;
use crate::mesos::task::ExecutorInfo;
use crate::offers::{DeclineReason, OfferGroup, OfferLedger};
use crate::resources::{Resources, Scalar};
use crate::scheduler::task::ExecutorLossReason;
use crate::scheduler::worker_offer::WorkerOffer;
use statuses::Loss;

/// If no offer follows a REVIVE within this, another one is sent.
const REVIVE_AGAIN: Duration = Duration::from_millis(500);

/// When a task ends while others run, the REVIVE waits so long for more of them:
/// one ACCEPT of several tasks costs the master much less than several.
const COALESCE: Duration = Duration::from_millis(8);

/// What the backend is told at its start, beyond what coarse mode is told.
#[derive(Clone, Debug)]
pub struct MesosFineConfig {
    /// What both modes share. Its requirement demands nothing: whether an offer
    /// is large enough depends on what runs on its agent.
    pub shared: MesosCoarseConfig,
    /// Cores of an executor for itself (`spark.mesos.mesosExecutor.cores`).
    pub executor_cores: Scalar,
    /// An executor without a task for so long may go
    /// (`spark.dynamicAllocation.executorIdleTimeout`).
    pub idle_timeout: Duration,
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
    /// So many tasks wait.
    Waiting(u64),
    /// An attempt is to be stopped.
    Kill(TaskId),
    /// An executor connected to the driver.
    Registered(ExecutorId),
    /// An executor's connection is gone.
    ConnectionLost(ExecutorId),
    /// An idle executor holds nothing that anybody needs.
    LetGo(ExecutorId),
    /// No task is to be started on these hosts.
    ExcludeHosts(Vec<Host>),
    /// Time has passed.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this.
    Call(Call),
    /// Offer this to the task scheduler; then [`MesosFine::launch`] with what it
    /// says, and [`MesosFine::settle`] in any case.
    Offer(Vec<WorkerOffer>),
    /// An attempt ended, with what its executor said of it.
    Ended {
        /// Where it ran.
        executor: ExecutorId,
        /// The attempt.
        task: TaskId,
        /// An encoded outcome; empty if the executor said nothing.
        outcome: Bytes,
        /// What Mesos said.
        message: String,
    },
    /// Nobody knows of an attempt any more.
    Lost {
        /// The attempt.
        task: TaskId,
        /// What is known, for people.
        message: String,
    },
    /// An executor is gone.
    ExecutorLost {
        /// The executor.
        executor: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// An executor has had no task for long: [`Input::LetGo`] if it holds nothing
    /// that anybody needs.
    Idle(ExecutorId),
    /// The agent of an executor is to be freed: no task is placed there any more,
    /// and [`Input::LetGo`] follows when it has none. May be repeated.
    Drain(ExecutorId),
    /// People are to know.
    Note(String),
}

#[derive(Debug)]
struct Executor {
    executor: ExecutorId,
    host: Host,
    info: ExecutorInfo,
    /// Whether it has connected to the driver.
    registered: bool,
    /// How many tasks it has, and since when there are none.
    tasks: u32,
    idle_since: Timestamp,
}

#[derive(Debug)]
struct Task {
    agent: AgentId,
    executor: ExecutorId,
    cpus: u32,
}

/// Offers that wait for the task scheduler's answer.
#[derive(Debug)]
struct Room {
    group: OfferGroup,
    left: Resources,
    /// Made if a task is placed here.
    executor: Executor,
}

/// Offers of no use, and why.
type Refused = Box<(OfferGroup, Vec<DeclineReason>)>;

/// See the module.
#[derive(Debug)]
pub struct MesosFine {
    config: MesosFineConfig,
    ledger: OfferLedger,
    executors: BTreeMap<AgentId, Executor>,
    tasks: BTreeMap<TaskId, Task>,
    rooms: BTreeMap<ExecutorId, Room>,
    excluded: BTreeSet<Host>,
    waiting: u64,
    subscribed: bool,
    suppressed: bool,
    /// Whether offers are still to follow a REVIVE.
    asked: bool,
    /// Whether a task has ended since the last REVIVE: it may have come too
    /// early for what that task held.
    freed: bool,
    /// When the next REVIVE is due, if tasks wait.
    revive_at: Option<Timestamp>,
    next: u32,
    tally: DeclineTally,
    failures: AgentFailures,
    reconciliation: Reconciliation,
}

impl MesosFine {
    /// Has nothing yet, and wants nothing.
    pub fn new(config: MesosFineConfig) -> Self {
        Self {
            config,
            ledger: OfferLedger::new(),
            executors: BTreeMap::new(),
            tasks: BTreeMap::new(),
            rooms: BTreeMap::new(),
            excluded: BTreeSet::new(),
            waiting: 0,
            subscribed: false,
            suppressed: false,
            asked: false,
            freed: false,
            revive_at: None,
            next: 0,
            tally: DeclineTally::default(),
            failures: AgentFailures::default(),
            reconciliation: Reconciliation::default(),
        }
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let revive = self
            .revive_at
            .filter(|_| self.waiting > 0 && self.subscribed);
        let idle = self.executors.values().filter(|it| it.tasks == 0);
        let idle = idle.map(|it| it.idle_since + self.config.idle_timeout);
        let excluded = self.failures.next_deadline();
        let reconciliation = self.reconciliation.next_deadline();
        let ours = idle.chain(revive).chain(excluded);
        ours.chain(reconciliation).min()
    }

    /// The host of an executor.
    pub fn host_of(&self, executor: &ExecutorId) -> Option<&Host> {
        let mut all = self.executors.values();
        all.find(|it| it.executor == *executor).map(|it| &it.host)
    }

    /// How many tasks an executor has.
    pub fn tasks_on(&self, executor: &ExecutorId) -> u32 {
        let mut all = self.executors.values();
        let found = all.find(|it| it.executor == *executor);
        found.map_or(0, |it| it.tasks)
    }

    /// Where an attempt runs.
    pub fn executor_of(&self, task: TaskId) -> Option<&ExecutorId> {
        self.tasks.get(&task).map(|it| &it.executor)
    }

    /// Why nothing runs, as far as offers tell.
    pub fn why_nothing_runs(&self) -> Option<String> {
        if !self.subscribed {
            return Some("the master cannot be reached".into());
        }
        Some(self.tally.text())
    }

    /// Takes in what happened and says what to do. `unix_time` is for
    /// maintenance, which is planned by the calendar.
    #[must_use = "actions are to be carried out"]
    pub fn handle(&mut self, now: Timestamp, unix_time: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Subscribed => {
                self.ledger.expire_all();
                self.rooms.clear();
                self.subscribed = true;
                self.suppressed = false;
                self.asked = false;
                self.revive_at = None;
                let ours = Self::ours(&self.config.shared.prefix, &self.tasks);
                self.reconciliation.begin(now, ours.into_keys());
            }
            Input::Disconnected => {
                self.subscribed = false;
                self.reconciliation.pause();
                self.ledger.expire_all();
                self.rooms.clear();
            }
            Input::Event(event) => self.event(now, unix_time, event, &mut actions),
            Input::Waiting(tasks) => {
                let more = tasks > self.waiting;
                self.waiting = tasks;
                if self.suppressed || more {
                    self.revive(now, &mut actions);
                }
            }
            Input::Kill(task) => {
                if let Some(found) = self.tasks.get(&task) {
                    actions.push(Action::Call(Call::Kill {
                        task: self.mesos_id(task),
                        agent: Some(found.agent.clone()),
                        grace_period: None,
                    }));
                }
            }
            Input::Registered(executor) => {
                let mut all = self.executors.iter_mut();
                if let Some((agent, found)) = all.find(|(_, it)| it.executor == executor) {
                    found.registered = true;
                    self.failures.works(agent);
                }
            }
            Input::ConnectionLost(executor) => {
                // Without a driver it ends by itself; Mesos is told in case
                // that it does not.
                self.shut_down(&executor, &mut actions);
                let message = "its connection to the driver is gone".to_owned();
                self.executor_lost(now, &executor, message, Loss::Process, &mut actions);
            }
            Input::LetGo(executor) => {
                let mut all = self.executors.values();
                if all.any(|it| it.executor == executor && it.tasks == 0) {
                    self.shut_down(&executor, &mut actions);
                    self.executors.retain(|_, it| it.executor != executor);
                    actions.push(Action::ExecutorLost {
                        executor,
                        reason: ExecutorLossReason::Killed,
                    });
                }
            }
            Input::ExcludeHosts(hosts) => self.excluded = hosts.into_iter().collect(),
            Input::Tick => {
                let welcome_again = self.failures.expire(now);
                if welcome_again || self.revive_at.is_some_and(|at| at <= now) {
                    self.revive_now(now, &mut actions);
                }
                for executor in self.executors.values_mut() {
                    let idle_at = executor.idle_since + self.config.idle_timeout;
                    if executor.tasks == 0 && idle_at <= now {
                        // If it has to stay it is asked about again.
                        executor.idle_since = now;
                        actions.push(Action::Idle(executor.executor.clone()));
                    }
                }
            }
        }
        let (prefix, tasks) = (&self.config.shared.prefix, &self.tasks);
        let calls = self.reconciliation.calls(now, || Self::ours(prefix, tasks));
        actions.extend(calls.into_iter().map(Action::Call));
        actions
    }

    /// All tasks under their Mesos names, each with its agent.
    fn ours<'a>(
        prefix: &str,
        tasks: &'a BTreeMap<TaskId, Task>,
    ) -> BTreeMap<MesosTaskId, &'a AgentId> {
        let all = tasks.iter();
        all.map(|(id, it)| (statuses::mesos_id(prefix, *id), &it.agent))
            .collect()
    }

    /// Wants offers, because tasks wait; again only when some have come.
    pub fn revive(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.asked {
            self.revive_now(now, actions);
        }
    }

    fn revive_now(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.subscribed || self.waiting == 0 {
            return;
        }
        self.suppressed = false;
        self.asked = true;
        self.freed = false;
        self.revive_at = Some(now + REVIVE_AGAIN);
        let roles = vec![self.config.shared.role.clone()];
        actions.push(Action::Call(Call::Revive { roles }));
    }

    /// Resources came free.
    fn freed(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.tasks.is_empty() {
            return self.revive_now(now, actions);
        }
        self.freed = true;
        let soon = now + COALESCE;
        self.revive_at = Some(self.revive_at.map_or(soon, |at| at.min(soon)));
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
                self.asked = false;
                if !self.freed {
                    self.revive_at = None;
                }
                let groups = self.ledger.receive(now, offers);
                self.offers(now, unix_time, groups, actions);
            }
            Event::Rescind(offer) => {
                self.ledger.rescind(&offer);
                self.rooms
                    .retain(|_, room| !room.group.ids.contains(&offer));
            }
            Event::InverseOffers(offers) => {
                let busy = |agent: &AgentId| self.executors.contains_key(agent);
                let (calls, to_drain) = maintenance::answer(&mut self.ledger, now, offers, busy);
                actions.extend(calls.into_iter().map(Action::Call));
                let executors = to_drain.iter().filter_map(|it| self.executors.get(it));
                actions.extend(executors.map(|it| Action::Drain(it.executor.clone())));
            }
            Event::RescindInverseOffer(offer) => {
                self.ledger.rescind_inverse(&offer);
            }
            Event::Update(status) => self.update(now, status, actions),
            Event::AgentFailure(agent) => {
                if let Some(found) = self.executors.get(&agent) {
                    let executor = found.executor.clone();
                    let message = "its agent was lost".to_owned();
                    self.executor_lost(now, &executor, message, Loss::Agent, actions);
                }
            }
            Event::ExecutorFailure { executor, exit, .. } => {
                let how = match exit {
                    Some(ExitStatus::Code(code)) => format!("it ended with exit code {code}"),
                    Some(ExitStatus::Signal(signal)) => format!("it was killed by signal {signal}"),
                    None => "it ended".to_owned(),
                };
                self.executor_lost(now, &executor, how, Loss::Process, actions);
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
