//! What a framework does whatever its mode. Pure.
//!
//! Responsible for the subscription and what it voids, for taking offers in and giving
//! them back, for SUPPRESS and REVIVE, for what speaks against an offer, for calls that
//! were refused, for reconciliation, for agents that fail or are wanted back, and for
//! what Mesos is told of an executor, and for telling what becomes of offers. Used by both modes, which decide what becomes of
//! an offer that nothing speaks against, and what the end of a Mesos task means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::agent_failures::AgentFailures;
use super::answers::Answers;
use super::declines::Declines;
use super::lacking::Lacking;
use super::maintenance;
use super::racks::Racks;
use super::refusals::Refusals;
use super::starts::Starts;
use crate::backend::ending::{Cause, Endings};
use crate::backend::executor_size::ExecutorSize;
use crate::backend::manager::Action;
use crate::clock::Timestamp;
use crate::facts::cluster::{ClusterFact, Launches, NothingRuns, OfferAnswer, RoomWanted, Verdict};
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId, OfferId, Role};
use crate::offers::{
    CannotAccept, DeclineReason, Offer, OfferGroup, OfferLedger, OutstandingOffer, RefusePolicy,
    Requirement,
};
use crate::resources::Resources;
use mesquite_mesos::call::Call;
use mesquite_mesos::container::{Container, Label};
use mesquite_mesos::event::{Event, ExitStatus};
use mesquite_mesos::reconcile::Reconciliation;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::task::{Command, ExecutorInfo, TaskStatus, Variable};
use mesquite_scheduler::loss::FewerTasks;

/// A KILL without a terminal status is repeated after so long.
pub(super) const KILL_AGAIN: Duration = Duration::from_secs(10);

/// What both modes are told at their start.
#[derive(Clone, Debug)]
pub struct MesosConfig {
    /// How large an executor is.
    pub size: ExecutorSize,
    /// The most cores to take (`spark.cores.max`).
    pub cores_max: Option<u32>,
    /// The most GPUs to take (`spark.mesos.gpus.max`).
    pub gpus_max: Option<u32>,
    /// What an offer must be like.
    pub requirement: Requirement,
    /// For how long offers are refused.
    pub refuse: RefusePolicy,
    /// The role that resources are taken for.
    pub role: Role,
    /// What starts an executor, with what every executor finds in its environment.
    pub command: Command,
    /// Where executors run, if not just on the agents.
    pub container: Option<Container>,
    /// What Mesos tasks are labelled with.
    pub labels: Vec<Label>,
    /// The names of the variables for an executor's id, host and cores.
    pub variables: [&'static str; 3],
    /// Executor ids begin with this.
    pub prefix: String,
    /// The attribute of agents that names their rack; the zone does if there is none.
    pub rack_attribute: Option<Arc<str>>,
}

/// What is left for a mode of what the master said.
pub(super) enum News {
    /// Offers, by agent.
    Offers(Vec<OfferGroup>),
    /// An offer is none any more.
    TakenBack(OfferId),
    /// These agents are wanted back, and have something of ours.
    WantedBack(Vec<AgentId>),
    /// How a Mesos task is; [`Desk::acknowledged`] when that has taken effect.
    Status(TaskStatus),
    /// An agent is lost.
    AgentLost(AgentId),
    /// An executor ended, and how, if that is known.
    ExecutorEnded(ExecutorId, Option<ExitStatus>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    pub config: MesosConfig,
    pub ledger: OfferLedger,
    pub endings: Endings,
    lacking: Lacking,
    pub failures: AgentFailures,
    pub starts: Starts,
    pub answers: Answers,
    pub refusals: Refusals,
    pub reconciliation: Reconciliation,
    pub subscribed: bool,
    /// Whether the master knows that nothing is wanted.
    pub suppressed: bool,
    asked: RoomWanted,
    /// When it is, in the step that is taken.
    now: Timestamp,
    declines: Declines,
    racks: Racks,
    excluded: BTreeSet<Host>,
    next: u32,
}

impl Desk {
    /// Without a subscription. `asked` is what is asked for; `fewer` the setting that has
    /// fewer tasks share an executor.
    pub fn new(config: MesosConfig, asked: RoomWanted, fewer: FewerTasks) -> Self {
        let racks = Racks::new(config.rack_attribute.clone());
        Self {
            endings: Endings::new(&config.size, fewer, config.container.clone()),
            starts: Starts::of(config.container.as_ref()),
            config,
            ledger: OfferLedger::new(),
            lacking: Lacking::default(),
            failures: AgentFailures::default(),
            answers: Answers::default(),
            refusals: Refusals::default(),
            reconciliation: Reconciliation::default(),
            subscribed: false,
            suppressed: false,
            asked,
            now: Timestamp::ZERO,
            declines: Declines::default(),
            racks,
            excluded: BTreeSet::new(),
            next: 0,
        }
    }

    /// When something of this is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.endings
            .next_deadline()
            .into_iter()
            .chain(self.failures.next_deadline())
            .chain(self.reconciliation.next_deadline())
            .chain(self.refusals.next_deadline())
            .chain(self.lacking.next_deadline())
            .chain(self.starts.next_deadline())
            .min()
    }

    /// A step is taken.
    pub const fn begin(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The master granted a subscription: earlier offers are void, and it is asked how
    /// our tasks are.
    pub fn subscribed(
        &mut self,
        ours: impl IntoIterator<Item = MesosTaskId>,
        actions: &mut Vec<Action>,
    ) {
        self.expire(actions);
        self.refusals.begin_afresh();
        self.subscribed = true;
        self.suppressed = false;
        self.reconciliation.begin(self.now, ours);
        actions.push(Action::Told(ClusterFact::Asks(self.asked.clone())));
    }

    /// There is no subscription any more.
    pub fn disconnected(&mut self, actions: &mut Vec<Action>) {
        self.subscribed = false;
        self.refusals.begin_afresh();
        self.reconciliation.pause();
        self.expire(actions);
    }

    fn expire(&mut self, actions: &mut Vec<Action>) {
        let offers = self.ledger.offers().count() as u64;
        self.ledger.expire_all();
        if offers > 0 {
            actions.push(Action::Told(ClusterFact::Expired { offers }));
        }
    }

    /// Takes in what the master said. `busy` knows whether an agent has something of
    /// ours.
    pub fn event(
        &mut self,
        now: Timestamp,
        event: Event,
        busy: impl Fn(&AgentId) -> bool,
        actions: &mut Vec<Action>,
    ) -> Option<News> {
        match event {
            Event::Offers(offers) => {
                let groups = self.ledger.receive(now, offers);
                let came: usize = groups.iter().map(|it| it.ids.len()).sum();
                self.answers.came(came as u64);
                let racks = self.racks.news(groups.iter().map(|it| &it.combined));
                if !racks.is_empty() {
                    actions.push(Action::Racks(racks));
                }
                Some(News::Offers(groups))
            }
            Event::Rescind(offer) => {
                let agent = self.ledger.rescind(&offer).map(|it| it.agent_id);
                actions.push(Action::Told(ClusterFact::Rescinded { agent }));
                Some(News::TakenBack(offer))
            }
            Event::InverseOffers(offers) => {
                let (calls, wanted) = maintenance::answer(&mut self.ledger, now, offers, busy);
                actions.extend(calls.into_iter().map(Action::Call));
                actions.push(Action::Told(ClusterFact::WantedBack {
                    free: wanted.free,
                    busy: wanted.to_drain.clone(),
                }));
                Some(News::WantedBack(wanted.to_drain))
            }
            Event::RescindInverseOffer(offer) => {
                self.ledger.rescind_inverse(&offer);
                None
            }
            Event::Update(status) => {
                self.reconciliation.heard(&status.task);
                Some(News::Status(status))
            }
            Event::AgentFailure(agent) => {
                let told = agent.clone();
                actions.push(Action::Told(ClusterFact::AgentLost { agent: told }));
                Some(News::AgentLost(agent))
            }
            Event::ExecutorFailure { executor, exit, .. } => {
                Some(News::ExecutorEnded(executor, exit))
            }
            Event::Error(message) => {
                actions.push(Action::Told(ClusterFact::MasterSaid(message)));
                None
            }
            Event::Subscribed(_)
            | Event::UpdateOperationStatus(_)
            | Event::Message { .. }
            | Event::Heartbeat
            | Event::Unknown(_) => None,
        }
    }

    /// What speaks against an offer, whatever is to run there.
    pub fn reasons_against(
        &self,
        now: Timestamp,
        unix_time: Duration,
        offer: &Offer,
    ) -> Vec<DeclineReason> {
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

    /// Gives offers back. The calls for it are those of [`settled`](Self::settled).
    pub fn decline(&mut self, group: &OfferGroup, reasons: Vec<DeclineReason>) {
        let refuse = self.config.refuse.duration_for(&reasons);
        self.decline_for(group, reasons, refuse);
    }

    /// The same, refused for so long.
    pub fn decline_for(
        &mut self,
        group: &OfferGroup,
        reasons: Vec<DeclineReason>,
        refuse: Duration,
    ) {
        let left = self.ledger.decline(&group.ids).left;
        self.answered(&group.combined, &left, Verdict::Declined(reasons));
        self.declines.add(refuse, left.into_iter().map(|it| it.id));
    }

    /// Takes offers, for so many tasks or executors. The call for it is the caller's.
    ///
    /// # Errors
    /// They are gone; then nothing is to be launched there.
    pub fn accept(&mut self, group: &OfferGroup, launched: usize) -> Result<(), CannotAccept> {
        let left = self.ledger.accept(&group.ids)?;
        if !self.failures.has_failed(&group.combined.agent_id) {
            self.starts.launched();
        }
        let launched = launched as u64;
        self.answered(&group.combined, &left, Verdict::Accepted { launched });
        Ok(())
    }

    /// Remembers what was answered to offers that have left the ledger by it.
    fn answered(&mut self, offer: &Offer, left: &[OutstandingOffer], answer: Verdict) {
        self.lacking.answered(self.now, &answer);
        let Some(oldest) = left.iter().map(|it| it.received).min() else {
            return;
        };
        self.answers.answered(OfferAnswer {
            agent: offer.agent_id.clone(),
            host: Host::new(Arc::clone(&offer.hostname)),
            cpus: offer.resources.cpus(),
            mem: offer.resources.mem(),
            offers: left.len() as u64,
            held: self.now.saturating_since(oldest),
            answer,
        });
    }

    /// All offers of this cycle are answered: the calls for those that were declined, and
    /// what is told of all.
    pub fn settled(&mut self) -> impl Iterator<Item = Action> + use<> {
        let calls = self.declines.calls().into_iter().map(Action::Call);
        calls.chain(self.answers.told().map(Action::Told))
    }

    /// Tells the master that nothing is wanted, unless it knows.
    pub fn suppress(&mut self, actions: &mut Vec<Action>) {
        if !self.subscribed || self.suppressed {
            return;
        }
        self.suppressed = true;
        let roles = self.roles();
        actions.push(Action::Call(Call::Suppress { roles }));
        actions.push(Action::Told(ClusterFact::Suppressed));
    }

    /// Asks for all offers again, those that were declined included.
    pub fn revive(&mut self, actions: &mut Vec<Action>) {
        if !self.subscribed {
            return;
        }
        self.suppressed = false;
        actions.push(Action::Call(self.revival()));
        actions.push(Action::Told(ClusterFact::Revived));
    }

    /// Tells, in time, that what has a name is offered by no agent. `waits` if tasks wait and
    /// nothing of ours is there.
    pub fn tell_lack(&mut self, waits: bool, actions: &mut Vec<Action>) {
        let answers = &self.answers;
        let lack = self.lacking.is_due(self.now, waits, || answers.so_far());
        actions.extend(lack.map(|it| Action::Told(ClusterFact::Lacking(it))));
    }

    /// An executor failed on an agent; `exited` if it is known how its process ended.
    pub fn failed_on(
        &mut self,
        (agent, host): (AgentId, Host),
        (why, exited): (&str, bool),
        actions: &mut Vec<Action>,
    ) {
        self.starts.failed(self.now, host.clone(), why, exited);
        if let Some((failures, pause)) = self.failures.failed(self.now, agent.clone()) {
            actions.push(Action::Told(ClusterFact::AgentExcluded {
                agent,
                host,
                failures,
                pause,
            }));
        }
    }

    /// Whether no executor will ever come; `waits` if some are wanted and none is there.
    pub fn hopeless(&mut self, waits: bool) -> Option<Action> {
        let waits = waits && self.subscribed;
        self.starts.hopeless(self.now, waits).map(Action::Hopeless)
    }

    /// The call that asks for all offers again.
    pub fn revival(&self) -> Call {
        Call::Revive {
            roles: self.roles(),
        }
    }

    fn roles(&self) -> Vec<Role> {
        vec![self.config.role.clone()]
    }

    /// Nothing is to be started on these hosts; whether some are welcome again, of which
    /// offers were declined for longer than that.
    pub fn exclude(&mut self, hosts: Vec<Host>) -> bool {
        let before = std::mem::replace(&mut self.excluded, hosts.into_iter().collect());
        !before.is_subset(&self.excluded)
    }

    /// Whether agents are welcome again, or launches are tried again, from now on.
    pub fn resumes(&mut self, now: Timestamp) -> bool {
        self.failures.expire(now) | self.refusals.resumes(now)
    }

    /// A call other than a launch was refused. When offers come it is said again that
    /// none are wanted; that some are wanted is said again by whoever wants them.
    pub fn refused(&mut self, now: Timestamp, call: &Refused, refusal: &CallRefusal) {
        match call {
            Refused::Suppress => self.suppressed = false,
            Refused::Accept { .. } | Refused::Revive => {}
            other => self.refusals.call(now, other, refusal),
        }
    }

    /// A launch on these offers was refused, of so many executors or tasks: they go back,
    /// and launches pause. `alone` if nothing of ours lives, so that the run may be without
    /// hope.
    pub fn launch_refused(
        &mut self,
        now: Timestamp,
        offers: &[OfferId],
        (count, what): (u64, Launches),
        refusal: &CallRefusal,
        alone: bool,
    ) -> Vec<Action> {
        if count == 0 {
            return Vec::new();
        }
        let refused = ClusterFact::LaunchRefused {
            what,
            count,
            refusal: refusal.clone(),
        };
        let decline = self.refusals.launch(now, offers, refusal);
        let mut actions = vec![Action::Call(decline), Action::Told(refused)];
        if alone {
            actions.extend(self.refusals.hopeless(refusal).map(Action::Hopeless));
        }
        actions
    }

    /// Calls whose time has come. `ours` are all Mesos tasks, each with its agent.
    pub fn calls<'a>(
        &mut self,
        now: Timestamp,
        ours: impl Fn() -> BTreeMap<MesosTaskId, &'a AgentId>,
    ) -> Vec<Action> {
        let again = self.refusals.calls(now);
        let reconcile = self.reconciliation.calls(now, ours);
        again
            .into_iter()
            .chain(reconcile)
            .map(Action::Call)
            .collect()
    }

    /// A status has taken effect.
    pub fn acknowledged(&self, status: TaskStatus) -> Option<Action> {
        let (uuid, agent) = (status.uuid?, status.agent?);
        let task = status.task;
        Some(Action::Call(Call::Acknowledge { agent, task, uuid }))
    }

    /// The name of a new executor.
    pub fn new_executor(&mut self) -> ExecutorId {
        let executor = ExecutorId::from(format!("{}-{}", self.config.prefix, self.next));
        self.next += 1;
        executor
    }

    /// An executor as Mesos is told of it: the same each time, as it demands.
    pub fn executor_info(
        &self,
        executor: &ExecutorId,
        host: &Host,
        cores: Option<u32>,
        resources: Resources,
    ) -> ExecutorInfo {
        let [id, host_name, count] = self.config.variables;
        let mut command = self.config.command.clone();
        let mut add = |name: &str, value: String| {
            command.environment.push(Variable {
                name: name.into(),
                value,
                secret: false,
            });
        };
        add(id, executor.to_string());
        add(host_name, host.to_string());
        if let Some(cores) = cores {
            add(count, cores.to_string());
        }
        ExecutorInfo {
            executor: executor.clone(),
            name: "mesquite".into(),
            command,
            container: self.config.container.clone(),
            resources,
            shutdown_grace_period: None,
        }
    }

    /// Why an executor ended, if Mesos has said so, maybe not all.
    pub fn last_words(&self, executor: &ExecutorId) -> Option<Cause> {
        self.endings.so_far(executor)
    }

    /// Why nothing runs, as far as offers tell.
    pub fn why_nothing_runs(&self) -> NothingRuns {
        if self.subscribed {
            NothingRuns::Offers(self.answers.so_far())
        } else {
            NothingRuns::MasterAway
        }
    }
}

/// Tells Mesos to end a task.
pub(super) fn kill(task: MesosTaskId, agent: AgentId) -> Action {
    Action::Call(Call::Kill {
        task,
        agent: Some(agent),
        grace_period: None,
    })
}
