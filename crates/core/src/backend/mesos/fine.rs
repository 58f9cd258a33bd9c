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
//!
//! What a task was given counts as held until its terminal status, also when its
//! executor is gone as far as the scheduler can tell: only then has Mesos it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::desk::{Desk, KILL_AGAIN, MesosConfig, News};
use super::named::Addresses;
use crate::backend::ending::Cause;
use crate::backend::manager::{Action, ClusterManager, Input, Launched};
use crate::clock::Timestamp;
use crate::facts::AgentPlace;
use crate::facts::cluster::{NothingRuns, RoomWanted};
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId, TaskId};
use crate::offers::{AgentAddress, DeclineReason, OfferGroup};
use crate::resources::{Resources, Scalar};
use mesquite_mesos::event::Event;
use mesquite_scheduler::loss::{ExecutorLossReason, FewerTasks, LossCause};
use statuses::Loss;

/// If no offer follows a REVIVE within this, another one is sent.
const REVIVE_AGAIN: Duration = Duration::from_millis(500);

/// When a task ends while others run, the REVIVE waits so long for more of them:
/// one ACCEPT of several tasks costs the master much less than several.
const COALESCE: Duration = Duration::from_millis(8);

/// What fine mode is told at its start.
#[derive(Clone, Debug)]
pub struct MesosFineConfig {
    /// What both modes are told. Its requirement demands nothing: whether an offer
    /// is large enough depends on what runs on its agent.
    pub shared: MesosConfig,
    /// By its name, the most that a task takes of each resource. The least that one takes is
    /// that of the executor's size.
    pub offered: Vec<(Arc<str>, u32)>,
    /// Cores of an executor for itself (`spark.mesos.mesosExecutor.cores`).
    pub executor_cores: Scalar,
    /// An executor without a task for so long may go
    /// (`spark.dynamicAllocation.executorIdleTimeout`).
    pub idle_timeout: Duration,
}

#[derive(Debug)]
struct Executor {
    executor: ExecutorId,
    host: Host,
    /// Where its agent listens.
    address: Option<AgentAddress>,
    /// What it holds besides its tasks.
    resources: Resources,
    /// Whether it has connected to the driver.
    registered: bool,
    /// How many calls launched tasks on it.
    launches: u32,
    /// How many tasks it has, and since when there are none.
    tasks: u32,
    idle_since: Timestamp,
    /// When somebody said last that it has to stay nevertheless.
    asked_at: Option<Timestamp>,
}

impl Executor {
    /// When it is asked whether an idle executor may go, if it is idle.
    fn idle_at(&self, timeout: Duration) -> Option<Timestamp> {
        (self.tasks == 0).then(|| self.asked_at.unwrap_or(self.idle_since) + timeout)
    }
}

#[derive(Debug)]
struct Task {
    agent: AgentId,
    executor: ExecutorId,
    cpus: u32,
    /// What it has of resources with names.
    named: Addresses,
    state: State,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may run.
    Live,
    /// The scheduler was told that it is over, and Mesos has not said so.
    Given,
    /// As that, and its agent is out of reach: Mesos has its resources back, and
    /// gives them to it again if it comes back.
    Away,
}

/// Offers that wait for the task scheduler's answer.
#[derive(Debug)]
struct Proposed {
    group: OfferGroup,
    left: Resources,
    /// Made if a task is placed here.
    executor: Executor,
}

/// Offers of no use, and why.
type NoRoom = Box<(OfferGroup, Vec<DeclineReason>)>;

/// See the module.
#[derive(Debug)]
pub struct MesosFine {
    desk: Desk,
    /// By its name, the most that a task takes of each resource.
    offered: Vec<(Arc<str>, u32)>,
    executor_cores: Scalar,
    idle_timeout: Duration,
    executors: BTreeMap<AgentId, Executor>,
    tasks: BTreeMap<TaskId, Task>,
    /// Tasks that were told to end, or are about to, and when a KILL was sent last.
    killing: BTreeMap<TaskId, Timestamp>,
    /// The executor that each agent without one will have: an id is used up by a
    /// launch, and not by an offer.
    names: BTreeMap<AgentId, ExecutorId>,
    rooms: BTreeMap<ExecutorId, Proposed>,
    /// So many tasks wait.
    waiting: u64,
    /// Whether offers are still to follow a REVIVE.
    asked: bool,
    /// Whether a task has ended since the last REVIVE: it may have come too
    /// early for what that task held.
    freed: bool,
    /// When the next REVIVE is due, if tasks wait.
    revive_at: Option<Timestamp>,
}

impl MesosFine {
    /// Has nothing yet, and wants nothing.
    pub fn new(config: MesosFineConfig) -> Self {
        let asked = RoomWanted::Tasks {
            cores: config.shared.size.least_cores,
            executor_cores: config.executor_cores,
            memory_mib: config.shared.size.memory_mib,
            named: config.shared.size.named.clone(),
        };
        Self {
            desk: Desk::new(config.shared, asked, FewerTasks::TaskCpus),
            offered: config.offered,
            executor_cores: config.executor_cores,
            idle_timeout: config.idle_timeout,
            executors: BTreeMap::new(),
            tasks: BTreeMap::new(),
            killing: BTreeMap::new(),
            names: BTreeMap::new(),
            rooms: BTreeMap::new(),
            waiting: 0,
            asked: false,
            freed: false,
            revive_at: None,
        }
    }

    fn host_of(&self, executor: &ExecutorId) -> Option<&Host> {
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
        self.live(task).map(|it| &it.executor)
    }

    fn subscribed(&mut self, actions: &mut Vec<Action>) {
        self.rooms.clear();
        self.asked = false;
        self.revive_at = None;
        let ours = Self::ours(&self.desk.config.prefix, &self.tasks);
        let ours: Vec<_> = ours.into_keys().collect();
        self.desk.subscribed(ours, actions);
    }

    fn registered(&mut self, executor: &ExecutorId) {
        let mut all = self.executors.iter_mut();
        if let Some((agent, found)) = all.find(|(_, it)| it.executor == *executor) {
            found.registered = true;
            self.desk.failures.works(agent);
            self.desk.starts.came();
        }
    }

    /// An executor is given up.
    fn given_up(&mut self, now: Timestamp, executor: &ExecutorId, actions: &mut Vec<Action>) {
        // Without a driver it ends by itself; Mesos is told in case that it does not.
        self.shut_down(executor, actions);
        let cause = LossCause::Disconnected;
        self.executor_lost(now, executor, cause, Loss::Process, actions);
    }

    /// Ends an executor that has nothing to do.
    fn let_go(&mut self, executor: ExecutorId, actions: &mut Vec<Action>) {
        let mut all = self.executors.values();
        if all.any(|it| it.executor == executor && it.tasks == 0) {
            self.shut_down(&executor, actions);
            self.executors.retain(|_, it| it.executor != executor);
            actions.push(Action::ExecutorLost {
                executor,
                reason: ExecutorLossReason::Killed,
            });
        }
    }

    /// Asks whether executors may go that have been idle for long.
    fn ask_of_idle(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let timeout = self.idle_timeout;
        for executor in self.executors.values_mut() {
            if executor.idle_at(timeout).is_some_and(|at| at <= now) {
                // If it has to stay it is asked about again.
                executor.asked_at = Some(now);
                actions.push(Action::Idle(executor.executor.clone()));
            }
        }
    }

    /// All tasks under their Mesos names, each with its agent.
    fn ours<'a>(
        prefix: &str,
        tasks: &'a BTreeMap<TaskId, Task>,
    ) -> BTreeMap<MesosTaskId, &'a AgentId> {
        let all = tasks.iter().filter(|(_, it)| it.state != State::Away);
        all.map(|(id, it)| (statuses::mesos_id(prefix, *id), &it.agent))
            .collect()
    }

    /// Wants offers, because tasks wait; again only when some have come.
    fn revive(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.asked {
            self.revive_now(now, actions);
        }
    }

    fn revive_now(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if !self.desk.subscribed || self.waiting == 0 {
            return;
        }
        if self.desk.refusals.pausing(now).is_some() {
            // It is sent when that is over.
            self.revive_at = None;
            return;
        }
        self.asked = true;
        self.freed = false;
        self.revive_at = Some(now + REVIVE_AGAIN);
        self.desk.revive(actions);
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
        let (executors, tasks) = (&self.executors, &self.tasks);
        let busy = |agent: &AgentId| {
            let mut held = tasks.values().filter(|it| it.state != State::Away);
            executors.contains_key(agent) || held.any(|it| it.agent == *agent)
        };
        match self.desk.event(now, event, busy, actions) {
            Some(News::Offers(groups)) => {
                self.asked = false;
                if !self.freed {
                    self.revive_at = None;
                }
                self.offers(now, unix_time, groups, actions);
            }
            Some(News::TakenBack(offer)) => {
                self.rooms
                    .retain(|_, room| !room.group.ids.contains(&offer));
            }
            Some(News::WantedBack(agents)) => {
                let executors = agents.iter().filter_map(|it| self.executors.get(it));
                // One that has not come has nothing to finish.
                let executors = executors.filter(|it| it.registered);
                actions.extend(executors.map(|it| Action::Drain(it.executor.clone())));
            }
            Some(News::Status(status)) => {
                self.update(now, &status, actions);
                let terminal = status.state.is_terminal();
                actions.extend(self.desk.acknowledged(status));
                if terminal {
                    self.freed(now, actions);
                }
            }
            Some(News::AgentLost(agent)) => {
                if let Some(found) = self.executors.get(&agent) {
                    let executor = found.executor.clone();
                    let cause = LossCause::AgentLost;
                    self.executor_lost(now, &executor, cause, Loss::Agent, actions);
                }
            }
            Some(News::ExecutorEnded(executor, exit)) if self.host_of(&executor).is_some() => {
                let more = self.tasks_on(&executor) > 0;
                self.desk.endings.exited(now, &executor, exit, more);
            }
            Some(News::ExecutorEnded(..)) | None => {}
        }
    }
}

impl ClusterManager for MesosFine {
    fn handle(&mut self, now: Timestamp, unix_time: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        self.desk.begin(now);
        match input {
            Input::Started | Input::Subscribed => self.subscribed(&mut actions),
            Input::Disconnected => {
                self.desk.disconnected(&mut actions);
                self.rooms.clear();
            }
            Input::Event(event) => self.event(now, unix_time, event, &mut actions),
            Input::Wanted { waiting, .. } => {
                let more = waiting > self.waiting;
                self.waiting = waiting;
                if self.desk.suppressed || more {
                    self.revive(now, &mut actions);
                }
            }
            Input::Revive => self.revive(now, &mut actions),
            Input::Kill(task) => {
                if self.live(task).is_some() && !self.killing.contains_key(&task) {
                    self.kill(now, task, &mut actions);
                }
            }
            Input::Registered(executor) => self.registered(&executor),
            Input::GivenUp(executor) | Input::End(executor) => {
                self.given_up(now, &executor, &mut actions);
            }
            Input::LetGo(executor) => self.let_go(executor, &mut actions),
            Input::Refused(call, refusal) => self.refused(now, &call, &refusal, &mut actions),
            Input::ExcludeHosts(hosts) => {
                if self.desk.exclude(hosts) {
                    self.revive_now(now, &mut actions);
                }
            }
            Input::Tick => {
                let resumes = self.desk.resumes(now);
                if resumes || self.revive_at.is_some_and(|at| at <= now) {
                    self.revive_now(now, &mut actions);
                }
                self.ask_of_idle(now, &mut actions);
            }
            Input::Released => {
                for executor in self.executors.values_mut() {
                    executor.asked_at = None;
                }
                self.ask_of_idle(now, &mut actions);
            }
        }
        self.end_executors(now, &mut actions);
        let waits = self.executors.is_empty() && self.waiting > 0;
        actions.extend(self.desk.hopeless(waits));
        self.kill_again(now, &mut actions);
        let waits = self.tasks.is_empty() && self.waiting > 0;
        self.desk.tell_lack(waits, &mut actions);
        let (prefix, tasks) = (self.desk.config.prefix.clone(), &self.tasks);
        actions.extend(self.desk.calls(now, || Self::ours(&prefix, tasks)));
        actions
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let revive = self.revive_at;
        let revive = revive.filter(|_| self.waiting > 0 && self.desk.subscribed);
        let executors = self.executors.values();
        let idle = executors.filter_map(|it| it.idle_at(self.idle_timeout));
        // Without a subscription nothing can be said.
        let kills = self.killing.values().filter(|_| self.desk.subscribed);
        let kills = kills.min().map(|at| *at + KILL_AGAIN);
        idle.chain(revive)
            .chain(kills)
            .chain(self.desk.next_deadline())
            .min()
    }

    fn launched(&self, executor: &ExecutorId) -> Option<Launched> {
        let mut all = self.executors.iter();
        let (agent, found) = all.find(|(_, it)| it.executor == *executor)?;
        Some(Launched {
            host: found.host.clone(),
            cores: None,
            agent: Some(AgentPlace::of(agent, &found.host, found.address.as_ref())),
            // Tasks hold their own.
            resources: Vec::new(),
        })
    }

    fn awaits_executors(&self) -> bool {
        self.executors.values().any(|it| !it.registered)
    }

    fn tells_ends(&self) -> bool {
        true
    }

    fn last_words(&self, executor: &ExecutorId) -> Option<Cause> {
        self.desk.last_words(executor)
    }

    fn why_nothing_runs(&self) -> Option<NothingRuns> {
        Some(self.desk.why_nothing_runs())
    }

    fn fine(&self) -> Option<&Self> {
        Some(self)
    }

    fn fine_mut(&mut self) -> Option<&mut Self> {
        Some(self)
    }
}

mod offers;
mod refused;
mod statuses;
#[cfg(test)]
pub(super) mod tests;
