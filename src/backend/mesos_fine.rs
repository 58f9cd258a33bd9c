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
use super::executor_size::ExecutorSize;
use super::maintenance;
use super::mesos_coarse::MesosCoarseConfig;
use crate::clock::Timestamp;
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId, TaskId};
use crate::mesos::call::Call;
use crate::mesos::event::{Event, ExitStatus};
use crate::mesos::reconcile::{Ask, Reconciliation};
use crate::mesos::task::{Command, ExecutorInfo, TaskInfo, TaskState, TaskStatus, Variable};
use crate::offers::{DeclineReason, OfferGroup, OfferLedger};
use crate::resources::{Demand, ResourceName, Resources, Scalar, Tenure};
use crate::scheduler::task::{ExecutorLossReason, TaskDescription};
use crate::scheduler::worker_offer::WorkerOffer;

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
                self.begin_reconciliation(now);
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
                self.executor_lost(now, &executor, message, true, &mut actions);
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
        self.reconcile(now, &mut actions);
        actions
    }

    fn begin_reconciliation(&mut self, now: Timestamp) {
        let tasks: Vec<_> = self.tasks.keys().map(|id| self.mesos_id(*id)).collect();
        self.reconciliation.begin(now, tasks);
    }

    /// Asks the master about tasks, if it is time.
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
                        let task = self.task_id(&id).and_then(|it| self.tasks.get(&it));
                        let agent = task.map(|it| it.agent.clone());
                        (id, agent)
                    })
                    .collect(),
            };
            actions.push(Action::Call(Call::Reconcile { tasks }));
        }
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
                let refuse = self.config.shared.refuse.usual;
                let calls = maintenance::answer(&mut self.ledger, now, offers, busy, refuse);
                actions.extend(calls.into_iter().map(Action::Call));
            }
            Event::RescindInverseOffer(offer) => {
                self.ledger.rescind_inverse(&offer);
            }
            Event::Update(status) => self.update(now, status, actions),
            Event::AgentFailure(agent) => {
                if let Some(found) = self.executors.get(&agent) {
                    let executor = found.executor.clone();
                    let message = "its agent was lost".to_owned();
                    self.executor_lost(now, &executor, message, false, actions);
                }
            }
            Event::ExecutorFailure { executor, exit, .. } => {
                let how = match exit {
                    Some(ExitStatus::Code(code)) => format!("it ended with exit code {code}"),
                    Some(ExitStatus::Signal(signal)) => format!("it was killed by signal {signal}"),
                    None => "it ended".to_owned(),
                };
                self.executor_lost(now, &executor, how, true, actions);
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

    /// Cores that tasks hold.
    fn cores(&self) -> u64 {
        self.tasks.values().map(|it| u64::from(it.cpus)).sum()
    }

    fn cores_left(&self) -> u64 {
        let most = self.config.shared.cores_max.map_or(u64::MAX, u64::from);
        most.saturating_sub(self.cores())
    }

    fn offers(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        groups: Vec<OfferGroup>,
        actions: &mut Vec<Action>,
    ) {
        self.tally.came(groups.len());
        let mut offers = Vec::new();
        let mut cores_left = self.cores_left();
        for group in groups {
            match self.room(now, unix_time, group, cores_left) {
                Ok((room, offer)) => {
                    cores_left -= u64::from(offer.cores).min(cores_left);
                    self.rooms.insert(room.executor.executor.clone(), room);
                    offers.push(offer);
                }
                Err(refused) => self.decline(&refused.0, &refused.1, actions),
            }
        }
        if self.waiting == 0 && self.subscribed && !self.suppressed {
            self.suppressed = true;
            let roles = vec![self.config.shared.role.clone()];
            actions.push(Action::Call(Call::Suppress { roles }));
        }
        if !offers.is_empty() {
            actions.push(Action::Offer(offers));
        }
    }

    /// What an executor needs for itself.
    fn sliver(&self) -> Demand {
        let size: ExecutorSize = self.config.shared.size;
        Demand::new()
            .with_cpus(self.config.executor_cores)
            .with_mem(Scalar::from_milli(size.memory_mib.saturating_mul(1000)))
    }

    fn room(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        group: OfferGroup,
        cores_left: u64,
    ) -> Result<(Room, WorkerOffer), Refused> {
        if self.waiting == 0 {
            return Err(Box::new((group, vec![DeclineReason::NothingWanted])));
        }
        if cores_left == 0 {
            let max_cores = self.config.shared.cores_max.unwrap_or(0).into();
            let reasons = vec![DeclineReason::ReachedMaxCores { max_cores }];
            return Err(Box::new((group, reasons)));
        }
        let offer = &group.combined;
        let host = Host::from(&*offer.hostname);
        let mut reasons = self
            .config
            .shared
            .requirement
            .reasons_against(offer, unix_time);
        let failed = self.failures.excluded_for(now, &offer.agent_id);
        if failed.is_some() {
            reasons.push(DeclineReason::AgentExcluded { remaining: failed });
        } else if self.excluded.contains(&host) {
            reasons.push(DeclineReason::AgentExcluded { remaining: None });
        }
        let mut left = offer.resources.clone();
        let known = self.executors.get(&offer.agent_id);
        let is_new = known.is_none();
        let mut executor = match known {
            Some(known) => Executor {
                executor: known.executor.clone(),
                host: host.clone(),
                info: known.info.clone(),
                ..*known
            },
            None => self.new_executor(now, host.clone()),
        };
        if is_new {
            match left.take(&self.sliver()) {
                Ok(taken) => executor.info.resources = taken,
                Err(shortages) => {
                    reasons.extend(shortages.into_iter().map(DeclineReason::Shortage));
                }
            }
        }
        let task = Demand::new().with_cpus(Scalar::new(self.config.shared.size.least_cores));
        if reasons.is_empty() {
            let shortages = left.shortages(&task);
            reasons.extend(shortages.into_iter().map(DeclineReason::Shortage));
        }
        if !reasons.is_empty() {
            return Err(Box::new((group, reasons)));
        }
        let cpus = left
            .available(&ResourceName::CPUS, Tenure::Firm)
            .whole_units();
        let cores = u32::try_from(cpus.min(cores_left)).unwrap_or(u32::MAX);
        let offer = WorkerOffer::new(executor.executor.clone(), host, cores);
        let room = Room {
            group,
            left,
            executor,
        };
        Ok((room, offer))
    }

    fn new_executor(&mut self, now: Timestamp, host: Host) -> Executor {
        let shared = &self.config.shared;
        let executor = ExecutorId::from(format!("{}-{}", shared.prefix, self.next));
        self.next += 1;
        let [id, host_name, _] = shared.variables;
        let mut environment = shared.environment.clone();
        for (name, value) in [(id, executor.as_str()), (host_name, host.as_str())] {
            environment.push(Variable {
                name: name.into(),
                value: value.into(),
                secret: false,
            });
        }
        Executor {
            info: ExecutorInfo {
                executor: executor.clone(),
                name: "mesquite".into(),
                command: Command {
                    value: shared.command.clone(),
                    environment,
                },
                resources: Resources::new(),
                shutdown_grace_period: None,
            },
            executor,
            host,
            registered: false,
            tasks: 0,
            idle_since: now,
        }
    }

    /// Starts attempts on the room that was offered. `data` is what each
    /// executor is handed; attempts without one are not started.
    #[must_use = "actions are to be carried out"]
    pub fn launch(
        &mut self,
        launches: Vec<Vec<TaskDescription>>,
        mut data: impl FnMut(&TaskDescription) -> Option<Bytes>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        for attempts in launches {
            let Some(first) = attempts.first() else {
                continue;
            };
            let Some(mut room) = self.rooms.remove(&first.executor) else {
                // Rescinded while the scheduler thought: nothing was started.
                actions.extend(attempts.iter().map(|it| Action::Lost {
                    task: it.task,
                    message: "its offer was taken back".into(),
                }));
                continue;
            };
            let mut launch = Vec::new();
            for attempt in &attempts {
                let Some(data) = data(attempt) else { continue };
                let demand = Demand::new().with_cpus(Scalar::new(attempt.cpus));
                let Ok(resources) = room.left.take(&demand) else {
                    actions.push(Action::Lost {
                        task: attempt.task,
                        message: "its offer was smaller than it seemed".into(),
                    });
                    continue;
                };
                launch.push(TaskInfo {
                    name: format!("task {} of stage {}", attempt.partition, attempt.stage),
                    task: self.mesos_id(attempt.task),
                    agent: room.group.combined.agent_id.clone(),
                    resources,
                    executor: Some(room.executor.info.clone()),
                    data,
                });
                let task = Task {
                    agent: room.group.combined.agent_id.clone(),
                    executor: room.executor.executor.clone(),
                    cpus: attempt.cpus,
                };
                self.tasks.insert(attempt.task, task);
            }
            self.accept(room, launch, &mut actions);
        }
        actions
    }

    fn accept(&mut self, room: Room, launch: Vec<TaskInfo>, actions: &mut Vec<Action>) {
        if launch.is_empty() {
            return self.decline(&room.group, &[DeclineReason::AwaitsLocality], actions);
        }
        if let Err(error) = self.ledger.accept(&room.group.ids) {
            actions.push(Action::Note(format!("offers were not accepted: {error}")));
            for task in launch {
                if let Some(task) = self.task_id(&task.task) {
                    self.tasks.remove(&task);
                    let message = "its offer was taken back".to_owned();
                    actions.push(Action::Lost { task, message });
                }
            }
            return;
        }
        self.tally.accepted();
        let agent = room.group.combined.agent_id.clone();
        let executor = self.executors.entry(agent).or_insert(room.executor);
        executor.tasks += u32::try_from(launch.len()).unwrap_or(u32::MAX);
        actions.push(Action::Call(Call::Accept {
            offers: room.group.ids,
            launch,
            // When tasks end, REVIVE removes the filter.
            refuse: self.config.shared.refuse.momentary,
        }));
    }

    /// Declines the room that was not used.
    #[must_use = "actions are to be carried out"]
    pub fn settle(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for (_, room) in std::mem::take(&mut self.rooms) {
            let reason = if self.waiting > 0 {
                DeclineReason::AwaitsLocality
            } else {
                DeclineReason::NothingWanted
            };
            self.decline(&room.group, &[reason], &mut actions);
        }
        actions
    }

    fn decline(
        &mut self,
        group: &OfferGroup,
        reasons: &[DeclineReason],
        actions: &mut Vec<Action>,
    ) {
        self.tally.declined(reasons);
        let refuse = self.config.shared.refuse.duration_for(reasons);
        let left = self.ledger.decline(&group.ids).left;
        let offers: Vec<_> = left.into_iter().map(|it| it.id).collect();
        if !offers.is_empty() {
            actions.push(Action::Call(Call::Decline { offers, refuse }));
        }
    }

    // --- tasks

    fn mesos_id(&self, task: TaskId) -> MesosTaskId {
        MesosTaskId::from(format!("{}-task-{task}", self.config.shared.prefix))
    }

    fn task_id(&self, id: &MesosTaskId) -> Option<TaskId> {
        let rest = id.as_str().strip_prefix(&self.config.shared.prefix)?;
        rest.strip_prefix("-task-")?.parse().ok().map(TaskId)
    }

    fn update(&mut self, now: Timestamp, status: TaskStatus, actions: &mut Vec<Action>) {
        self.reconciliation.heard(&status.task);
        let task = self.task_id(&status.task);
        let known = task.filter(|task| self.tasks.contains_key(task));
        let text = if status.message.is_empty() {
            status.state.name().to_owned()
        } else {
            format!("{}: {}", status.state, status.message)
        };
        let silent = known.is_some_and(|task| !self.has_come(task)) && status.data.is_empty();
        match (known, status.state) {
            // Its executor did not even begin, which is not the task's fault.
            (Some(task), TaskState::Failed) if silent => {
                self.forget(now, task);
                actions.push(Action::Lost {
                    task,
                    message: text,
                });
            }
            // TASK_ERROR is about what was asked for: that will not do next time.
            (
                Some(task),
                TaskState::Finished | TaskState::Failed | TaskState::Killed | TaskState::Error,
            ) => {
                if let Some(found) = self.forget(now, task) {
                    actions.push(Action::Ended {
                        executor: found.executor,
                        task,
                        outcome: status.data.clone(),
                        message: text,
                    });
                }
            }
            (
                Some(task),
                TaskState::Lost
                | TaskState::Dropped
                | TaskState::Unreachable
                | TaskState::Gone
                | TaskState::GoneByOperator
                | TaskState::Unknown,
            ) => {
                self.forget(now, task);
                actions.push(Action::Lost {
                    task,
                    message: text,
                });
            }
            (
                None,
                TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing,
            ) => {
                // One that was given up, and lives after all.
                if let Some(agent) = status.agent.clone() {
                    actions.push(Action::Call(Call::Kill {
                        task: status.task.clone(),
                        agent: Some(agent),
                        grace_period: None,
                    }));
                }
            }
            (Some(_) | None, _) => {}
        }
        let terminal = status.state.is_terminal();
        if let (Some(uuid), Some(agent)) = (status.uuid, status.agent) {
            actions.push(Action::Call(Call::Acknowledge {
                agent,
                task: status.task,
                uuid,
            }));
        }
        if terminal {
            self.freed(now, actions);
        }
    }

    /// Whether the executor of a task has ever connected.
    fn has_come(&self, task: TaskId) -> bool {
        let agent = self.tasks.get(&task).map(|it| &it.agent);
        let executor = agent.and_then(|agent| self.executors.get(agent));
        executor.is_none_or(|it| it.registered)
    }

    /// A task is over.
    fn forget(&mut self, now: Timestamp, task: TaskId) -> Option<Task> {
        let id = self.mesos_id(task);
        self.reconciliation.heard(&id);
        let task = self.tasks.remove(&task)?;
        if let Some(executor) = self.executors.get_mut(&task.agent)
            && executor.executor == task.executor
        {
            executor.tasks = executor.tasks.saturating_sub(1);
            executor.idle_since = now;
        }
        Some(task)
    }

    /// Tells Mesos to end an executor.
    fn shut_down(&self, executor: &ExecutorId, actions: &mut Vec<Action>) {
        let mut all = self.executors.iter();
        if let Some((agent, _)) = all.find(|(_, it)| it.executor == *executor) {
            actions.push(Action::Call(Call::Shutdown {
                executor: executor.clone(),
                agent: agent.clone(),
            }));
        }
    }

    fn executor_lost(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        message: String,
        caused_by_app: bool,
        actions: &mut Vec<Action>,
    ) {
        let mut all = self.executors.iter();
        let Some((agent, found)) = all.find(|(_, it)| it.executor == *executor) else {
            return;
        };
        let (agent, began) = (agent.clone(), found.registered);
        self.executors.remove(&agent);
        if caused_by_app && !began {
            self.failures.failed(now, agent);
        }
        self.tasks.retain(|_, it| it.executor != *executor);
        actions.push(Action::ExecutorLost {
            executor: executor.clone(),
            reason: ExecutorLossReason::ProcessLost {
                message: message.into(),
                host: None,
                caused_by_app: caused_by_app && began,
            },
        });
        self.revive(now, actions);
    }
}

#[cfg(test)]
pub(super) mod tests;
