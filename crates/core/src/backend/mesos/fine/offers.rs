//! What becomes of offers in fine mode: room for the task scheduler, one ACCEPT
//! for each agent, DECLINE for the rest, in the cycle in which they came.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::statuses::Loss;
use super::{Action, Executor, MesosFine, NoRoom, Proposed, State, Task};
use crate::backend::mesos::named::{self, Addresses, mesos_name};
use crate::clock::Timestamp;
use crate::conf::properties::resources::GPU;
use crate::facts::cluster::ClusterFact;
use crate::ids::{AgentId, Host};
use crate::offers::{DeclineReason, Offer, OfferGroup};
use crate::resources::{Demand, ResourceName, Resources, Scalar, Tenure};
use mesquite_mesos::call::Call;
use mesquite_mesos::task::TaskInfo;
use mesquite_scheduler::loss::LossCause;
use mesquite_scheduler::stock::{Stock, tasks_on};
use mesquite_scheduler::task::TaskDescription;
use mesquite_scheduler::worker_offer::WorkerOffer;
use mesquite_workload::plan::Amount;

/// No more addresses of an agent are offered at once.
const MOST_ADDRESSES: u64 = 1 << 16;

/// Addresses that tasks have on an agent, each with its resource.
type HeldOnAgent = Vec<(Arc<str>, Arc<str>)>;

/// The same, by agent.
type HeldThere = BTreeMap<AgentId, HeldOnAgent>;

/// What may still be taken of the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    cores: u64,
    gpus: u64,
}

impl Left {
    /// So much of it may become tasks.
    fn offered(&mut self, offer: &WorkerOffer) {
        self.cores -= u64::from(offer.cores).min(self.cores);
        let gpus = tasks_on(&offer.resources, GPU, Amount::Whole(1));
        self.gpus -= u64::from(gpus).min(self.gpus);
    }
}

impl MesosFine {
    /// Cores that tasks hold, also those that are over as far as the scheduler
    /// knows.
    pub(super) fn cores(&self) -> u64 {
        let all = self.tasks.values().filter(|it| it.state != State::Away);
        all.map(|it| u64::from(it.cpus)).sum()
    }

    pub(super) fn cores_left(&self) -> u64 {
        let most = self.desk.config.cores_max.map_or(u64::MAX, u64::from);
        most.saturating_sub(self.cores())
    }

    /// What may still be taken.
    fn left(&self) -> Left {
        let gpus = self.desk.config.gpus_max.map_or(u64::MAX, |most| {
            let all = self.tasks.values().filter(|it| it.state != State::Away);
            let held: u64 = all.map(|it| named::count(&it.named, GPU)).sum();
            u64::from(most).saturating_sub(held)
        });
        let cores = self.cores_left();
        Left { cores, gpus }
    }

    /// By agent, the addresses that tasks have there, if any are asked for. One that is out of
    /// reach is told of before its agent offers anything.
    fn held(&self) -> HeldThere {
        let mut held = HeldThere::new();
        if self.offered.is_empty() {
            return held;
        }
        for task in self.tasks.values().filter(|it| it.state != State::Away) {
            let its = named::each(&task.named).map(|(name, it)| (name.clone(), it.clone()));
            held.entry(task.agent.clone()).or_default().extend(its);
        }
        held
    }

    pub(super) fn offers(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        groups: Vec<OfferGroup>,
        actions: &mut Vec<Action>,
    ) {
        for group in &groups {
            self.miss_executor(now, &group.combined, actions);
        }
        let mut offers = Vec::new();
        let (mut left, held) = (self.left(), self.held());
        for group in groups {
            match self.room(now, unix_time, group, left, &held) {
                Ok((room, offer)) => {
                    left.offered(&offer);
                    self.rooms.insert(room.executor.executor.clone(), room);
                    offers.push(offer);
                }
                Err(refused) => self.desk.decline(&refused.0, refused.1),
            }
        }
        if offers.is_empty() {
            actions.extend(self.desk.settled());
        }
        if self.waiting == 0 {
            self.desk.suppress(actions);
        }
        if !offers.is_empty() {
            actions.push(Action::Offer(offers));
        }
    }

    /// An offer names the executors on its agent. One that has been there and is
    /// not named is gone, whether or not its end was heard of.
    fn miss_executor(&mut self, now: Timestamp, offer: &Offer, actions: &mut Vec<Action>) {
        let Some(known) = self.executors.get(&offer.agent_id) else {
            return;
        };
        // One that was just launched may be younger than the offer.
        let was_there = known.registered || known.tasks == 0;
        if was_there && !offer.executor_ids.contains(&known.executor) {
            let executor = known.executor.clone();
            let (cause, loss) = match self.desk.endings.so_far(&executor) {
                Some(ended) => {
                    let loss = Loss::of(&ended);
                    (ended.what, loss)
                }
                None => (LossCause::NotOnAgent, Loss::Blameless),
            };
            self.executor_lost(now, &executor, cause, loss, actions);
        }
    }

    /// What an executor needs for itself.
    pub(super) fn sliver(&self) -> Demand {
        let size = &self.desk.config.size;
        Demand::new()
            .with_cpus(self.executor_cores)
            .with_mem(Scalar::from_milli(size.memory_mib.saturating_mul(1000)))
    }

    pub(super) fn room(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        group: OfferGroup,
        most: Left,
        held: &HeldThere,
    ) -> Result<(Proposed, WorkerOffer), NoRoom> {
        if self.waiting == 0 {
            return Err(Box::new((group, vec![DeclineReason::NothingWanted])));
        }
        if let Some(reason) = self.desk.refusals.pausing(now) {
            return Err(Box::new((group, vec![reason])));
        }
        if let Some(reason) = self.reached_most(most) {
            return Err(Box::new((group, vec![reason])));
        }
        let offer = &group.combined;
        let host = Host::from(&*offer.hostname);
        let mut reasons = self.desk.reasons_against(now, unix_time, offer);
        let mut left = offer.resources.clone();
        let known = self.executors.get(&offer.agent_id);
        let is_new = known.is_none();
        if let Some(known) = known.filter(|it| !offer.executor_ids.contains(&it.executor)) {
            // Its launch may have been lost: then it starts with the next task.
            if left.subtract(&known.resources).is_err() {
                let reasons = vec![DeclineReason::AwaitsExecutor];
                return Err(Box::new((group, reasons)));
            }
        }
        let mut executor = match known {
            Some(known) => Executor {
                executor: known.executor.clone(),
                host: host.clone(),
                address: offer.address.clone(),
                resources: known.resources.clone(),
                ..*known
            },
            None => self.new_executor(now, offer),
        };
        if is_new {
            match left.take(&self.sliver()) {
                Ok(taken) => executor.resources = taken,
                Err(shortages) => {
                    reasons.extend(shortages.into_iter().map(DeclineReason::Shortage));
                }
            }
        }
        let size = &self.desk.config.size;
        let task = Demand::new().with_cpus(Scalar::new(size.least_cores));
        let task = size.with_named(task);
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
        let cores = u32::try_from(cpus.min(most.cores)).unwrap_or(u32::MAX);
        let offer = WorkerOffer {
            resources: self.stocks(&left, cores, most, held.get(&offer.agent_id)),
            ..WorkerOffer::new(executor.executor.clone(), host, cores)
        };
        let room = Proposed {
            group,
            left,
            executor,
        };
        Ok((room, offer))
    }

    /// Why nothing more is taken, if it is not.
    fn reached_most(&self, left: Left) -> Option<DeclineReason> {
        let config = &self.desk.config;
        if left.cores == 0 {
            let max_cores = config.cores_max.unwrap_or(0).into();
            return Some(DeclineReason::ReachedMaxCores { max_cores });
        }
        let mut named = config.size.named.iter();
        let lacks = |(name, each): &(Arc<str>, u32)| **name == *GPU && left.gpus < (*each).into();
        named.any(lacks).then(|| DeclineReason::ReachedMaxGpus {
            max_gpus: config.gpus_max.unwrap_or(0).into(),
        })
    }

    /// The addresses that tasks on so many cores can have of what is left.
    fn stocks(
        &self,
        left: &Resources,
        cores: u32,
        most: Left,
        held: Option<&HeldOnAgent>,
    ) -> Vec<Stock> {
        let size = &self.desk.config.size;
        let tasks = u64::from(cores / size.least_cores.max(1));
        let stock = |(name, each): &(Arc<str>, u32)| {
            let useful = tasks.saturating_mul(u64::from(*each)).min(MOST_ADDRESSES);
            let useful = if **name == *GPU {
                useful.min(most.gpus)
            } else {
                useful
            };
            let held = held.into_iter().flatten().map(|(name, it)| (name, it));
            let free = named::addresses(left, name, useful as usize, held);
            Stock::new(Arc::clone(name), free)
        };
        self.offered.iter().map(stock).collect()
    }

    fn new_executor(&mut self, now: Timestamp, offer: &Offer) -> Executor {
        let agent = &offer.agent_id;
        let executor = if let Some(executor) = self.names.get(agent) {
            executor.clone()
        } else {
            let executor = self.desk.new_executor();
            self.names.insert(agent.clone(), executor.clone());
            executor
        };
        Executor {
            executor,
            host: Host::from(&*offer.hostname),
            address: offer.address.clone(),
            resources: Resources::new(),
            registered: false,
            launches: 0,
            tasks: 0,
            idle_since: now,
            asked_at: None,
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
                actions.extend(attempts.iter().map(|it| Action::TaskLost {
                    task: it.task,
                    message: "its offer was taken back".into(),
                }));
                continue;
            };
            let Executor {
                executor,
                host,
                resources,
                ..
            } = &room.executor;
            let info = self
                .desk
                .executor_info(executor, host, None, resources.clone());
            let mut launch = Vec::new();
            for attempt in &attempts {
                let Some(data) = data(attempt) else { continue };
                let Some(resources) = take(&mut room.left, attempt) else {
                    actions.push(Action::TaskLost {
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
                    executor: Some(info.clone()),
                    data,
                    labels: self.desk.config.labels.clone(),
                });
                let task = Task {
                    agent: room.group.combined.agent_id.clone(),
                    executor: room.executor.executor.clone(),
                    cpus: attempt.cpus,
                    named: addresses_of(attempt),
                    state: State::Live,
                };
                self.tasks.insert(attempt.task, task);
            }
            self.accept(room, launch, &mut actions);
        }
        actions
    }

    pub(super) fn accept(
        &mut self,
        room: Proposed,
        launch: Vec<TaskInfo>,
        actions: &mut Vec<Action>,
    ) {
        if launch.is_empty() {
            return self.unused(&room);
        }
        if let Err(error) = self.desk.accept(&room.group, launch.len()) {
            actions.push(Action::Told(ClusterFact::NotAccepted(error)));
            for task in launch {
                if let Some(task) = self.task_id(&task.task) {
                    self.tasks.remove(&task);
                    let message = "its offer was taken back".to_owned();
                    actions.push(Action::TaskLost { task, message });
                }
            }
            return;
        }
        let agent = room.group.combined.agent_id.clone();
        self.names.remove(&agent);
        let executor = self.executors.entry(agent).or_insert(room.executor);
        executor.launches += 1;
        executor.tasks += u32::try_from(launch.len()).unwrap_or(u32::MAX);
        actions.push(Action::Call(Call::Accept {
            offers: room.group.ids,
            launch,
            // When tasks end, REVIVE removes the filter.
            refuse: self.desk.config.refuse.momentary,
        }));
    }

    /// Tasks wait, and none is placed here: the room lacks what some need, or they wait for
    /// another one. For a moment: other tasks may have a use for it then.
    fn unused(&mut self, room: &Proposed) {
        let named = self.offered.iter();
        let most = named.fold(Demand::new(), |demand, (name, count)| {
            demand.with_units(mesos_name(name), u64::from(*count))
        });
        let lacks = room.left.shortages(&most).into_iter();
        let mut reasons: Vec<_> = lacks.map(DeclineReason::Shortage).collect();
        if reasons.is_empty() {
            reasons.push(DeclineReason::AwaitsLocality);
        }
        let refuse = self.desk.config.refuse.momentary;
        self.desk.decline_for(&room.group, reasons, refuse);
    }

    /// Declines the room that was not used.
    #[must_use = "actions are to be carried out"]
    pub fn settle(&mut self) -> Vec<Action> {
        for (_, room) in std::mem::take(&mut self.rooms) {
            if self.waiting == 0 {
                let reasons = vec![DeclineReason::NothingWanted];
                self.desk.decline(&room.group, reasons);
            } else {
                self.unused(&room);
            }
        }
        self.desk.settled().collect()
    }
}

/// Takes what an attempt needs; nothing if it is not all there.
fn take(left: &mut Resources, attempt: &TaskDescription) -> Option<Resources> {
    let demand = Demand::new().with_cpus(Scalar::new(attempt.cpus));
    if attempt.resources.is_empty() {
        return left.take(&demand).ok();
    }
    let mut rest = left.clone();
    let mut taken = rest.take(&demand).ok()?;
    for held in &attempt.resources {
        let name = mesos_name(&held.name);
        let part = rest.take_named(&name, &held.addresses, Tenure::Firm);
        taken.add_all(&part.ok()?);
    }
    *left = rest;
    Some(taken)
}

/// What an attempt has of resources with names.
fn addresses_of(attempt: &TaskDescription) -> Addresses {
    let all = attempt.resources.iter();
    all.map(|it| (Arc::clone(&it.name), it.addresses.clone()))
        .collect()
}
