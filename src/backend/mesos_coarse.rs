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

use bytes::Bytes;

use super::agent_failures::AgentFailures;
use super::decline_tally::DeclineTally;
use super::executor_size::ExecutorSize;
use super::maintenance;
use crate::clock::Timestamp;
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId, Role};
use crate::mesos::call::Call;
use crate::mesos::event::{Event, ExitStatus};
use crate::mesos::reconcile::{Ask, Reconciliation};
use crate::mesos::task::{Command, ExecutorInfo, TaskInfo, TaskState, TaskStatus, Variable};
use crate::offers::{DeclineReason, OfferGroup, OfferLedger, RefusePolicy, Requirement};
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
    /// People are to know.
    Note(String),
}

#[derive(Debug)]
struct Executor {
    agent: AgentId,
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

    /// Executors that were launched and are not known to be gone.
    pub fn executors(&self) -> impl Iterator<Item = &ExecutorId> {
        self.executors.keys()
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
        self.reconcile(now, &mut actions);
        actions
    }

    fn subscribed(&mut self, now: Timestamp) {
        self.ledger.expire_all();
        self.subscribed = true;
        self.suppressed = false;
        self.begin_reconciliation(now);
    }

    fn begin_reconciliation(&mut self, now: Timestamp) {
        let ids = self.executors.keys();
        let tasks: Vec<_> = ids.map(|id| MesosTaskId::new(id.as_str())).collect();
        self.reconciliation.begin(now, tasks);
    }

    /// Asks the master about executors, if it is time.
    fn reconcile(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while let Some(ask) = self.reconciliation.due(now) {
            let tasks = match ask {
                Ask::Everything => {
                    self.begin_reconciliation(now);
                    Vec::new()
                }
                Ask::About(tasks) => tasks
                    .into_iter()
                    .map(|id| {
                        let executor = self.executors.get(&ExecutorId::new(id.as_str()));
                        let agent = executor.map(|it| it.agent.clone());
                        (id, agent)
                    })
                    .collect(),
            };
            actions.push(Action::Call(Call::Reconcile { tasks }));
        }
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
                let refuse = self.config.refuse.usual;
                let calls = maintenance::answer(&mut self.ledger, now, offers, busy, refuse);
                actions.extend(calls.into_iter().map(Action::Call));
            }
            Event::RescindInverseOffer(offer) => {
                self.ledger.rescind_inverse(&offer);
            }
            Event::Update(status) => self.update(now, status, actions),
            Event::AgentFailure(agent) => {
                let message: Arc<str> = "its agent was lost".into();
                for executor in self.on_agent(&agent) {
                    self.lost(&executor, message.clone(), false, actions);
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

    // --- offers

    /// Cores of all executors that are not about to go.
    fn cores(&self) -> u64 {
        let live = self.executors.values().filter(|it| !it.killed);
        live.map(|it| u64::from(it.cores)).sum()
    }

    /// The most cores to take: a multiple of an executor's.
    fn most_cores(&self) -> u64 {
        match (self.config.cores_max, self.config.size.cores) {
            (None, _) => u64::MAX,
            (Some(max), Some(each)) => u64::from(max - max % each.max(1)),
            (Some(max), None) => u64::from(max),
        }
    }

    fn wants_more(&self) -> bool {
        self.cores() < self.wanted.min(self.most_cores())
    }

    fn offers(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        groups: Vec<OfferGroup>,
        actions: &mut Vec<Action>,
    ) {
        self.tally.came(groups.len());
        let mut rooms = Vec::new();
        for group in groups {
            let reasons = self.reasons_against(now, unix_time, &group);
            if reasons.is_empty() {
                let left = group.combined.resources.clone();
                rooms.push(Room {
                    group,
                    left,
                    launch: Vec::new(),
                });
            } else {
                self.decline(&group, &reasons, actions);
            }
        }
        self.place(now, &mut rooms);
        for room in rooms {
            self.answer(room, actions);
        }
        if self.subscribed && !self.wants_more() && !self.suppressed {
            self.suppressed = true;
            let roles = vec![self.config.role.clone()];
            actions.push(Action::Call(Call::Suppress { roles }));
        }
    }

    /// Puts executors onto offers while more are wanted.
    fn place(&mut self, now: Timestamp, rooms: &mut [Room]) {
        loop {
            let mut placed = false;
            for room in &mut *rooms {
                while self.wants_more() {
                    let Some(task) = self.executor_on(now, room) else {
                        break;
                    };
                    room.launch.push(task);
                    placed = true;
                    if !self.config.pack {
                        break;
                    }
                }
            }
            if !placed {
                return;
            }
        }
    }

    /// Takes an executor's resources from an offer, if it has them.
    fn executor_on(&mut self, now: Timestamp, room: &mut Room) -> Option<TaskInfo> {
        let size = self.config.size;
        let free = u32::try_from(size.capacity(&room.left).cores).unwrap_or(u32::MAX);
        let allowed = self.most_cores().saturating_sub(self.cores());
        let cores = match size.cores {
            Some(cores) => cores,
            None => free.min(u32::try_from(allowed).unwrap_or(u32::MAX)),
        };
        if cores < size.least_cores.max(1) || free < cores || u64::from(cores) > allowed {
            return None;
        }
        let whole = ExecutorSize {
            cores: Some(cores),
            ..size
        };
        let resources = room.left.take(&whole.demand()).ok()?;
        let offer = &room.group.combined;
        let executor = ExecutorId::from(format!("{}-{}", self.config.prefix, self.next));
        self.next += 1;
        self.executors.insert(
            executor.clone(),
            Executor {
                agent: offer.agent_id.clone(),
                cores,
                launched: now,
                registered: false,
                killed: false,
            },
        );
        let [id, host, count] = self.config.variables;
        let mut environment = self.config.environment.clone();
        for (name, value) in [
            (id, executor.as_str().to_owned()),
            (host, offer.hostname.to_string()),
            (count, cores.to_string()),
        ] {
            environment.push(Variable {
                name: name.into(),
                value,
                secret: false,
            });
        }
        Some(TaskInfo {
            name: format!("mesquite executor {executor}"),
            task: MesosTaskId::new(executor.as_str()),
            agent: offer.agent_id.clone(),
            resources,
            executor: Some(ExecutorInfo {
                executor,
                name: "mesquite".into(),
                command: Command {
                    value: self.config.command.clone(),
                    environment,
                },
                // The task holds all: it lives as long as its executor.
                resources: Resources::new(),
                shutdown_grace_period: None,
            }),
            // What it does is said by its environment.
            data: Bytes::from_static(b"work"),
        })
    }

    fn answer(&mut self, room: Room, actions: &mut Vec<Action>) {
        if room.launch.is_empty() {
            // It was good enough until others had taken what was wanted.
            let reasons = if self.wants_more() {
                let demand = &self.config.requirement.demand;
                let shortages = room.left.shortages(demand);
                shortages.into_iter().map(DeclineReason::Shortage).collect()
            } else {
                vec![self.enough()]
            };
            return self.decline(&room.group, &reasons, actions);
        }
        match self.ledger.accept(&room.group.ids) {
            Ok(_) => {
                self.tally.accepted();
                let more = self.wants_more();
                let rest = if more {
                    self.config.refuse.momentary
                } else {
                    self.config.refuse.usual
                };
                actions.push(Action::Call(Call::Accept {
                    offers: room.group.ids,
                    launch: room.launch,
                    refuse: rest,
                }));
            }
            Err(error) => {
                for task in room.launch {
                    self.executors.remove(&ExecutorId::new(task.task.as_str()));
                }
                actions.push(Action::Note(format!("offers were not accepted: {error}")));
            }
        }
    }

    /// Why no more is wanted.
    fn enough(&self) -> DeclineReason {
        match self.config.cores_max {
            Some(max) if self.wanted > self.cores() => DeclineReason::ReachedMaxCores {
                max_cores: max.into(),
            },
            _ => DeclineReason::NothingWanted,
        }
    }

    fn reasons_against(
        &self,
        now: Timestamp,
        unix_time: Duration,
        group: &OfferGroup,
    ) -> Vec<DeclineReason> {
        if !self.wants_more() {
            return vec![self.enough()];
        }
        let offer = &group.combined;
        let requirement = &self.config.requirement;
        let mut reasons = requirement.reasons_against(offer, unix_time);
        let failed = self.failures.excluded_for(now, &offer.agent_id);
        if failed.is_some() {
            reasons.push(DeclineReason::AgentExcluded { remaining: failed });
        } else if self.excluded.contains(&Host::from(&*offer.hostname)) {
            reasons.push(DeclineReason::AgentExcluded { remaining: None });
        }
        reasons
    }

    fn decline(
        &mut self,
        group: &OfferGroup,
        reasons: &[DeclineReason],
        actions: &mut Vec<Action>,
    ) {
        self.tally.declined(reasons);
        let refuse = self.config.refuse.duration_for(reasons);
        let left = self.ledger.decline(&group.ids).left;
        let offers: Vec<_> = left.into_iter().map(|it| it.id).collect();
        if !offers.is_empty() {
            actions.push(Action::Call(Call::Decline { offers, refuse }));
        }
    }

    fn revive(&mut self, actions: &mut Vec<Action>) {
        if self.subscribed {
            self.suppressed = false;
            let roles = vec![self.config.role.clone()];
            actions.push(Action::Call(Call::Revive { roles }));
        }
    }

    // --- executors

    fn on_agent(&self, agent: &AgentId) -> Vec<ExecutorId> {
        let there = self.executors.iter().filter(|(_, it)| it.agent == *agent);
        there.map(|(id, _)| id.clone()).collect()
    }

    fn update(&mut self, now: Timestamp, status: TaskStatus, actions: &mut Vec<Action>) {
        self.reconciliation.heard(&status.task);
        let executor = ExecutorId::new(status.task.as_str());
        let known = self.executors.contains_key(&executor);
        let text = if status.message.is_empty() {
            status.state.name().to_owned()
        } else {
            format!("{}: {}", status.state, status.message)
        };
        match status.state {
            TaskState::Finished | TaskState::Killed => {
                self.lost(&executor, text.into(), false, actions);
            }
            TaskState::Failed | TaskState::Error => self.failed(now, &executor, text, actions),
            // Not the fault of what ran there.
            TaskState::Lost
            | TaskState::Dropped
            | TaskState::Unreachable
            | TaskState::Gone
            | TaskState::GoneByOperator
            | TaskState::Unknown => self.lost(&executor, text.into(), false, actions),
            TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing => {
                // One that was given up, and lives after all.
                if !known && let Some(agent) = status.agent.clone() {
                    actions.push(Action::Call(Call::Kill {
                        task: status.task.clone(),
                        agent: Some(agent),
                        grace_period: None,
                    }));
                }
            }
        }
        if let (Some(uuid), Some(agent)) = (status.uuid, status.agent) {
            actions.push(Action::Call(Call::Acknowledge {
                agent,
                task: status.task,
                uuid,
            }));
        }
    }

    /// An executor failed for a reason that may be the agent's, or its tasks'.
    fn failed(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        why: String,
        actions: &mut Vec<Action>,
    ) {
        let Some(found) = self.executors.get(executor) else {
            return;
        };
        if !found.killed {
            let agent = found.agent.clone();
            self.failures.failed(now, agent);
        }
        self.lost(executor, why.into(), true, actions);
    }

    fn lost(
        &mut self,
        executor: &ExecutorId,
        message: Arc<str>,
        caused_by_app: bool,
        actions: &mut Vec<Action>,
    ) {
        let Some(found) = self.executors.remove(executor) else {
            return;
        };
        self.reconciliation
            .heard(&MesosTaskId::new(executor.as_str()));
        if !found.registered && !found.killed {
            // Nobody else knows of it.
            let agent = &found.agent;
            actions.push(Action::Note(format!(
                "executor {executor} is gone before it registered, on agent {agent}: {message}"
            )));
        }
        actions.push(Action::Lost {
            executor: executor.clone(),
            reason: ExecutorLossReason::ProcessLost {
                message,
                host: None,
                caused_by_app,
            },
        });
        if self.wants_more() {
            self.revive(actions);
        }
    }

    fn kill(&mut self, executor: &ExecutorId, actions: &mut Vec<Action>) {
        let Some(found) = self.executors.get_mut(executor).filter(|it| !it.killed) else {
            return;
        };
        found.killed = true;
        actions.push(Action::Call(Call::Kill {
            task: MesosTaskId::new(executor.as_str()),
            agent: Some(found.agent.clone()),
            grace_period: None,
        }));
        if self.wants_more() {
            self.revive(actions);
        }
    }

    fn give_up_late(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let late =
            |it: &Executor| !it.registered && !it.killed && it.launched + REGISTRATION <= now;
        let late: Vec<_> = self
            .executors
            .iter()
            .filter(|(_, it)| late(it))
            .map(|(id, _)| id.clone())
            .collect();
        for executor in late {
            actions.push(Action::Note(format!(
                "executor {executor} has not registered within {} s and is given up",
                REGISTRATION.as_secs()
            )));
            self.kill(&executor, actions);
        }
    }

    /// Agents whose time is over are welcome again.
    fn include_again(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.failures.expire(now) && self.wants_more() {
            self.revive(actions);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
