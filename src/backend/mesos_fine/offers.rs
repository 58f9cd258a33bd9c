//! What becomes of offers in fine mode: room for the task scheduler, one ACCEPT
//! for each agent, DECLINE for the rest, in the cycle in which they came.

use std::time::Duration;

use bytes::Bytes;

use super::statuses::Loss;
use super::{Action, Executor, MesosFine, Refused, Room, Task};
use crate::backend::executor_size::ExecutorSize;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host};
use crate::mesos::call::Call;
use crate::mesos::task::{Command, ExecutorInfo, TaskInfo, Variable};
use crate::offers::{DeclineReason, Offer, OfferGroup};
use crate::resources::{Demand, ResourceName, Resources, Scalar, Tenure};
use crate::scheduler::task::TaskDescription;
use crate::scheduler::worker_offer::WorkerOffer;

impl MesosFine {
    /// Cores that tasks hold.
    pub(super) fn cores(&self) -> u64 {
        self.tasks.values().map(|it| u64::from(it.cpus)).sum()
    }

    pub(super) fn cores_left(&self) -> u64 {
        let most = self.config.shared.cores_max.map_or(u64::MAX, u64::from);
        most.saturating_sub(self.cores())
    }

    pub(super) fn offers(
        &mut self,
        now: Timestamp,
        unix_time: Duration,
        groups: Vec<OfferGroup>,
        actions: &mut Vec<Action>,
    ) {
        self.tally.came(groups.len());
        for group in &groups {
            self.miss_executor(now, &group.combined, actions);
        }
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
            let message = "its agent does not have it any more".to_owned();
            self.executor_lost(now, &executor, message, Loss::Blameless, actions);
        }
    }

    /// What an executor needs for itself.
    pub(super) fn sliver(&self) -> Demand {
        let size: ExecutorSize = self.config.shared.size;
        Demand::new()
            .with_cpus(self.config.executor_cores)
            .with_mem(Scalar::from_milli(size.memory_mib.saturating_mul(1000)))
    }

    pub(super) fn room(
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
        if let Some(known) = known.filter(|it| !offer.executor_ids.contains(&it.executor)) {
            // Its launch may have been lost: then it starts with the next task.
            if left.subtract(&known.info.resources).is_err() {
                let reasons = vec![DeclineReason::AwaitsLocality];
                return Err(Box::new((group, reasons)));
            }
        }
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

    pub(super) fn new_executor(&mut self, now: Timestamp, host: Host) -> Executor {
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

    pub(super) fn accept(&mut self, room: Room, launch: Vec<TaskInfo>, actions: &mut Vec<Action>) {
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

    pub(super) fn decline(
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
}
