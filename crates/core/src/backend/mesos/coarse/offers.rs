//! What becomes of offers in coarse mode: executors on those that are of use,
//! DECLINE for the others, in the cycle in which they came.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Action, Executor, MesosCoarse, Site};
use crate::backend::executor_size::ExecutorSize;
use crate::backend::mesos::named::{self, Addresses};
use crate::clock::Timestamp;
use crate::conf::properties::resources::GPU;
use crate::facts::cluster::ClusterFact;
use crate::ids::{AgentId, ExecutorId, Host, MesosTaskId};
use crate::offers::{DeclineReason, OfferGroup};
use crate::resources::Resources;
use mesquite_mesos::call::Call;
use mesquite_mesos::task::TaskInfo;

/// The cores of all executors, counted once for a batch of offers: counted anew
/// for each offer they would take a time that grows with the square.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Of executors that are not about to go: what tasks can use.
    live: u64,
    /// How many those are.
    executors: u64,
    /// Of all that Mesos counts as ours.
    held: u64,
    /// GPUs that it counts as ours.
    gpus: u64,
}

impl Taken {
    fn add(&mut self, cores: u32, gpus: u64) {
        self.live += u64::from(cores);
        self.executors += 1;
        self.held += u64::from(cores);
        self.gpus += gpus;
    }
}

impl MesosCoarse {
    pub(super) fn taken(&self) -> Taken {
        let all = self.executors.values();
        let live = all.filter(|it| it.killed.is_none());
        let add = |taken: Taken, it: &Executor| Taken {
            live: taken.live + u64::from(it.cores),
            executors: taken.executors + 1,
            ..taken
        };
        let none = Taken {
            live: 0,
            executors: 0,
            held: self.held_cores(),
            gpus: self.held_gpus(),
        };
        live.fold(none, add)
    }

    /// Cores that Mesos counts as ours: also those of executors that were told to
    /// end, and of which it has not said that they have.
    pub(super) fn held_cores(&self) -> u64 {
        let executors = self.executors.values().map(|it| it.cores);
        let remnants = self.remnants.values();
        let remnants = remnants.filter(|it| it.killed.is_some()).map(|it| it.cores);
        executors.chain(remnants).map(u64::from).sum()
    }

    /// GPUs that Mesos counts as ours.
    fn held_gpus(&self) -> u64 {
        if self.desk.config.gpus_max.is_none() {
            return 0;
        }
        let executors = self.executors.values().map(|it| &it.named);
        let remnants = self.remnants.values();
        let remnants = remnants
            .filter(|it| it.killed.is_some())
            .map(|it| &it.named);
        executors
            .chain(remnants)
            .map(|it| named::count(it, GPU))
            .sum()
    }

    /// Whether one more executor would have more GPUs than may be taken.
    fn lacks_gpus(&self, taken: Taken) -> Option<u64> {
        let most = u64::from(self.desk.config.gpus_max?);
        let named = self.desk.config.size.named.iter();
        let of_one = named.filter(|(name, _)| **name == *GPU);
        let of_one: u64 = of_one.map(|(_, count)| u64::from(*count)).sum();
        (of_one > 0 && taken.gpus + of_one > most).then_some(most)
    }

    /// What may still be taken.
    fn allowed_beyond(&self, taken: Taken) -> u64 {
        self.most_cores().saturating_sub(taken.held)
    }

    /// The most cores to take: a multiple of an executor's.
    pub(super) fn most_cores(&self) -> u64 {
        match (self.desk.config.cores_max, self.desk.config.size.cores) {
            (None, _) => u64::MAX,
            (Some(max), Some(each)) => u64::from(max - max % each.max(1)),
            (Some(max), None) => u64::from(max),
        }
    }

    pub(super) fn wants_more(&self) -> bool {
        self.wants_beyond(self.taken())
    }

    fn wants_beyond(&self, taken: Taken) -> bool {
        let size = &self.desk.config.size;
        let least = size.cores.unwrap_or(size.least_cores).max(1);
        let (fewest, most) = (*self.bounds.start(), *self.bounds.end());
        let useful = taken.live < self.wanted && taken.executors < most;
        (useful || taken.executors < fewest)
            && u64::from(least) <= self.allowed_beyond(taken)
            && self.lacks_gpus(taken).is_none()
    }

    pub(super) fn offers(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        groups: Vec<OfferGroup>,
        actions: &mut Vec<Action>,
    ) {
        let mut taken = self.taken();
        let mut rooms = Vec::new();
        for group in groups {
            let reasons = self.reasons_against(now, unix_time, &group, taken);
            if reasons.is_empty() {
                let left = group.combined.resources.clone();
                rooms.push(Site {
                    group,
                    left,
                    launch: Vec::new(),
                });
            } else {
                self.desk.decline(&group, reasons);
            }
        }
        self.place(now, &mut rooms, &mut taken);
        for room in rooms {
            self.answer(room, &mut taken, actions);
        }
        actions.extend(self.desk.settled());
        if !self.wants_beyond(taken) {
            self.desk.suppress(actions);
        }
    }

    /// Puts executors onto offers while more are wanted.
    fn place(&mut self, now: Timestamp, rooms: &mut [Site], taken: &mut Taken) {
        loop {
            let mut placed = false;
            for room in &mut *rooms {
                while self.wants_beyond(*taken) {
                    let Some(task) = self.executor_on(now, room, taken) else {
                        break;
                    };
                    room.launch.push(task);
                    placed = true;
                    if !self.pack {
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
    fn executor_on(
        &mut self,
        now: Timestamp,
        room: &mut Site,
        taken: &mut Taken,
    ) -> Option<TaskInfo> {
        let size = self.desk.config.size.clone();
        let free = u32::try_from(size.capacity(&room.left).cores).unwrap_or(u32::MAX);
        let allowed = self.allowed_beyond(*taken);
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
        let named = self.addresses_of(&resources, &offer.agent_id);
        let executor = self.desk.new_executor();
        let host = Host::from(&*offer.hostname);
        taken.add(cores, named::count(&named, GPU));
        self.executors.insert(
            executor.clone(),
            Executor {
                agent: offer.agent_id.clone(),
                address: offer.address.clone(),
                host: host.clone(),
                cores,
                named,
                launched: now,
                registered: false,
                killed: None,
                told: false,
            },
        );
        // The task holds all: it lives as long as its executor.
        let none = Resources::new();
        let info = self.desk.executor_info(&executor, &host, Some(cores), none);
        Some(TaskInfo {
            name: format!("mesquite executor {executor}"),
            task: MesosTaskId::new(executor.as_str()),
            agent: offer.agent_id.clone(),
            resources,
            executor: Some(info),
            // What it does is said by its environment.
            data: Bytes::from_static(b"work"),
            labels: self.desk.config.labels.clone(),
        })
    }

    /// The addresses of what an executor takes on an agent.
    fn addresses_of(&self, taken: &Resources, agent: &AgentId) -> Addresses {
        let executors = self.executors.values().map(|it| (&it.agent, &it.named));
        // One that is out of reach is told of before its agent offers anything.
        let remnants = self.remnants.values().filter(|it| it.killed.is_some());
        let all = executors.chain(remnants.map(|it| (&it.agent, &it.named)));
        let there: Vec<_> = all.filter(|(its, _)| *its == agent).collect();
        let sizes = self.desk.config.size.named.iter();
        sizes
            .map(|(name, count)| {
                let held = there.iter().flat_map(|(_, it)| named::each(it));
                let found = named::addresses(taken, name, *count as usize, held);
                (Arc::clone(name), found)
            })
            .collect()
    }

    fn answer(&mut self, room: Site, taken: &mut Taken, actions: &mut Vec<Action>) {
        if room.launch.is_empty() {
            // It was good enough until others had taken what was wanted.
            let reasons = if self.wants_beyond(*taken) {
                let demand = &self.desk.config.requirement.demand;
                let shortages = room.left.shortages(demand);
                shortages.into_iter().map(DeclineReason::Shortage).collect()
            } else {
                vec![self.enough(*taken)]
            };
            return self.desk.decline(&room.group, reasons);
        }
        match self.desk.accept(&room.group, room.launch.len()) {
            Ok(()) => {
                let more = self.wants_beyond(*taken);
                let rest = if more {
                    self.desk.config.refuse.momentary
                } else {
                    self.desk.config.refuse.usual
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
                *taken = self.taken();
                actions.push(Action::Told(ClusterFact::NotAccepted(error)));
            }
        }
    }

    /// Why no more is wanted.
    fn enough(&self, taken: Taken) -> DeclineReason {
        if let Some(max_gpus) = self.lacks_gpus(taken).filter(|_| self.wanted > taken.live) {
            return DeclineReason::ReachedMaxGpus { max_gpus };
        }
        match self.desk.config.cores_max {
            Some(max) if self.wanted > taken.live => DeclineReason::ReachedMaxCores {
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
        taken: Taken,
    ) -> Vec<DeclineReason> {
        if !self.wants_beyond(taken) {
            return vec![self.enough(taken)];
        }
        if let Some(reason) = self.desk.refusals.pausing(now) {
            return vec![reason];
        }
        self.desk.reasons_against(now, unix_time, &group.combined)
    }
}
