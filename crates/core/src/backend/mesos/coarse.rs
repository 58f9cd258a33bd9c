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
//!
//! What an executor was given counts as held until its terminal status, also
//! when it is told to end, or is gone as far as the scheduler can tell: only then
//! has Mesos it back. A KILL is repeated until then, as Mesos asks for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::desk::{Desk, KILL_AGAIN, MesosConfig, News};
use super::named::Addresses;
use crate::backend::ending::Cause;
use crate::backend::manager::{Action, ClusterManager, Input, Launched};
use crate::clock::Timestamp;
use crate::facts::AgentPlace;
use crate::facts::cluster::{NothingRuns, RoomWanted};
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId};
use crate::offers::{AgentAddress, OfferGroup};
use crate::resources::Resources;
use mesquite_mesos::event::Event;
use mesquite_mesos::task::TaskInfo;
use mesquite_scheduler::loss::{FewerTasks, LossCause};

/// An executor that has not registered for so long is given up.
const REGISTRATION: Duration = Duration::from_secs(120);

#[derive(Debug)]
struct Executor {
    agent: AgentId,
    /// Where the agent listens.
    address: Option<AgentAddress>,
    host: Host,
    cores: u32,
    /// What it holds of resources with names.
    named: Addresses,
    launched: Timestamp,
    registered: bool,
    /// When a KILL was sent last.
    killed: Option<Timestamp>,
    /// Mesos has told its end.
    told: bool,
}

/// An executor that is gone as far as the scheduler was told, and holds
/// resources all the same, or may do so again.
#[derive(Debug)]
struct Remnant {
    agent: AgentId,
    cores: u32,
    named: Addresses,
    /// When a KILL was sent last; unset while its agent is out of reach, with
    /// which it may come back.
    killed: Option<Timestamp>,
}

/// See the module.
#[derive(Debug)]
pub struct MesosCoarse {
    desk: Desk,
    /// Whether agents are filled one after the other, instead of evenly.
    pack: bool,
    executors: BTreeMap<ExecutorId, Executor>,
    remnants: BTreeMap<ExecutorId, Remnant>,
    /// So many cores could be used by tasks that run or wait.
    wanted: u64,
    /// So many executors are wanted whatever tasks could use.
    bounds: RangeInclusive<u64>,
}

/// An offer on which executors are being placed.
struct Site {
    group: OfferGroup,
    left: Resources,
    launch: Vec<TaskInfo>,
}

impl MesosCoarse {
    /// Has nothing yet, and wants nothing. With `pack` agents are filled one after the
    /// other, instead of evenly.
    pub fn new(config: MesosConfig, pack: bool) -> Self {
        let asked = RoomWanted::Executors {
            cores: config.size.cores,
            memory_mib: config.size.memory_mib,
            named: config.size.named.clone(),
        };
        Self {
            desk: Desk::new(config, asked, FewerTasks::ExecutorCores),
            pack,
            executors: BTreeMap::new(),
            remnants: BTreeMap::new(),
            wanted: 0,
            bounds: 0..=u64::MAX,
        }
    }

    /// Those of which it is not known whether they will come.
    fn awaited(&self) -> impl Iterator<Item = &Executor> {
        let all = self.executors.values();
        all.filter(|it| !it.registered && it.killed.is_none())
    }

    /// All executors as Mesos tasks, each with its agent.
    fn ours(executors: &BTreeMap<ExecutorId, Executor>) -> BTreeMap<MesosTaskId, &AgentId> {
        let all = executors.iter();
        all.map(|(id, it)| (MesosTaskId::new(id.as_str()), &it.agent))
            .collect()
    }

    fn subscribed(&mut self, actions: &mut Vec<Action>) {
        let ours = Self::ours(&self.executors);
        self.desk.subscribed(ours.into_keys(), actions);
    }

    fn event(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        event: Event,
        actions: &mut Vec<Action>,
    ) {
        let (executors, remnants) = (&self.executors, &self.remnants);
        let busy = |agent: &AgentId| {
            let mut remnants = remnants.values().filter(|it| it.killed.is_some());
            executors.values().any(|it| it.agent == *agent) || remnants.any(|it| it.agent == *agent)
        };
        match self.desk.event(now, event, busy, actions) {
            Some(News::Offers(groups)) => self.offers(now, unix_time, groups, actions),
            Some(News::WantedBack(agents)) => {
                for agent in agents {
                    let executors = self.on_agent(&agent).into_iter();
                    actions.extend(executors.map(Action::Drain));
                }
            }
            Some(News::Status(status)) => {
                self.update(now, &status, actions);
                actions.extend(self.desk.acknowledged(status));
            }
            Some(News::AgentLost(agent)) => {
                for executor in self.on_agent(&agent) {
                    let cause = LossCause::AgentLost;
                    self.lost_with_agent(&executor, cause, Holds::IfItComesBack, actions);
                }
            }
            Some(News::ExecutorEnded(executor, exit)) => {
                if let Some(found) = self.executors.get(&executor) {
                    // Its task ends with it, and has the reason.
                    let more = found.killed.is_none();
                    self.desk.endings.exited(now, &executor, exit, more);
                }
            }
            Some(News::TakenBack(_)) | None => {}
        }
    }

    fn registered(&mut self, executor: &ExecutorId) {
        if let Some(found) = self.executors.get_mut(executor) {
            found.registered = true;
            self.desk.failures.works(&found.agent);
            self.desk.starts.came();
            self.desk.answers.forget();
            self.desk.refusals.launched();
        }
    }

    /// Asks for offers, if more is wanted.
    fn revive_if_wanted(&mut self, actions: &mut Vec<Action>) {
        if self.wants_more() {
            self.desk.revive(actions);
        }
    }
}

impl ClusterManager for MesosCoarse {
    fn handle(&mut self, now: Timestamp, unix_time: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        self.desk.begin(now);
        match input {
            Input::Started | Input::Subscribed => self.subscribed(&mut actions),
            Input::Disconnected => self.desk.disconnected(&mut actions),
            Input::Event(event) => self.event(now, unix_time, event, &mut actions),
            Input::Wanted {
                cores, executors, ..
            } => {
                self.wanted = cores;
                self.bounds = executors;
                if self.desk.suppressed {
                    self.revive_if_wanted(&mut actions);
                } else if !self.wants_more() {
                    self.desk.suppress(&mut actions);
                }
            }
            Input::Registered(executor) => self.registered(&executor),
            Input::GivenUp(executor) | Input::End(executor) => {
                self.kill(now, &executor, &mut actions);
            }
            Input::ExcludeHosts(hosts) => {
                if self.desk.exclude(hosts) {
                    self.revive_if_wanted(&mut actions);
                }
            }
            Input::Refused(call, refusal) => self.refused(now, &call, &refusal, &mut actions),
            // Tasks are none of its business.
            Input::Revive | Input::LetGo(_) | Input::Kill(_) | Input::Released | Input::Tick => {}
        }
        self.end_executors(now, &mut actions);
        self.give_up_late(now, &mut actions);
        let waits = self.executors.is_empty() && self.wants_more();
        actions.extend(self.desk.hopeless(waits));
        self.kill_again(now, &mut actions);
        if self.desk.resumes(now) {
            self.revive_if_wanted(&mut actions);
        }
        let waits = self.executors.is_empty() && self.wants_more();
        self.desk.tell_lack(waits, &mut actions);
        let executors = &self.executors;
        actions.extend(self.desk.calls(now, || Self::ours(executors)));
        actions
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let registrations = self.awaited().map(|it| it.launched + REGISTRATION);
        let killed = self.executors.values().filter_map(|it| it.killed);
        let killed = killed.chain(self.remnants.values().filter_map(|it| it.killed));
        // Without a subscription nothing can be said.
        let kills = killed.filter(|_| self.desk.subscribed);
        registrations
            .chain(kills.map(|it| it + KILL_AGAIN))
            .chain(self.desk.next_deadline())
            .min()
    }

    fn launched(&self, executor: &ExecutorId) -> Option<Launched> {
        let found = self.executors.get(executor)?;
        found.killed.is_none().then(|| Launched {
            host: found.host.clone(),
            cores: Some(found.cores),
            agent: Some(AgentPlace::of(
                &found.agent,
                &found.host,
                found.address.as_ref(),
            )),
            resources: found.named.clone(),
        })
    }

    fn awaits_executors(&self) -> bool {
        self.awaited().next().is_some()
    }

    fn tells_ends(&self) -> bool {
        true
    }

    fn last_words(&self, executor: &ExecutorId) -> Option<Cause> {
        self.desk.last_words(executor)
    }

    fn has_other_hosts(&self) -> bool {
        true
    }

    fn why_nothing_runs(&self) -> Option<NothingRuns> {
        let starting = self.executors.values().filter(|it| !it.registered).count();
        if self.desk.subscribed && starting > 0 {
            let executors = starting as u64;
            return Some(NothingRuns::Starting { executors });
        }
        Some(self.desk.why_nothing_runs())
    }
}

mod offers;
mod refused;
mod statuses;

use statuses::Holds;

#[cfg(test)]
pub(super) mod tests;
