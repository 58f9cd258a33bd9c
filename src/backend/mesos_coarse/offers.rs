//! What becomes of offers in coarse mode: executors on those that are of use,
//! DECLINE for the others, in the cycle in which they came.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Executor, MesosCoarse, Room};
use crate::backend::executor_size::ExecutorSize;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, MesosTaskId};
use crate::mesos::call::Call;
use crate::mesos::task::{Command, ExecutorInfo, TaskInfo, Variable};
use crate::offers::{DeclineReason, OfferGroup};
use crate::resources::Resources;

impl MesosCoarse {
    /// Cores of all executors that are not about to go.
    pub(super) fn cores(&self) -> u64 {
        let live = self.executors.values().filter(|it| !it.killed);
        live.map(|it| u64::from(it.cores)).sum()
    }

    /// The most cores to take: a multiple of an executor's.
    pub(super) fn most_cores(&self) -> u64 {
        match (self.config.cores_max, self.config.size.cores) {
            (None, _) => u64::MAX,
            (Some(max), Some(each)) => u64::from(max - max % each.max(1)),
            (Some(max), None) => u64::from(max),
        }
    }

    pub(super) fn wants_more(&self) -> bool {
        self.cores() < self.wanted.min(self.most_cores())
    }

    pub(super) fn offers(
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
    pub(super) fn place(&mut self, now: Timestamp, rooms: &mut [Room]) {
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
    pub(super) fn executor_on(&mut self, now: Timestamp, room: &mut Room) -> Option<TaskInfo> {
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
                host: Host::from(&*offer.hostname),
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

    pub(super) fn answer(&mut self, room: Room, actions: &mut Vec<Action>) {
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
    pub(super) fn enough(&self) -> DeclineReason {
        match self.config.cores_max {
            Some(max) if self.wanted > self.cores() => DeclineReason::ReachedMaxCores {
                max_cores: max.into(),
            },
            _ => DeclineReason::NothingWanted,
        }
    }

    pub(super) fn reasons_against(
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

    pub(super) fn decline(
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

    pub(super) fn revive(&mut self, actions: &mut Vec<Action>) {
        if self.subscribed {
            self.suppressed = false;
            let roles = vec![self.config.role.clone()];
            actions.push(Action::Call(Call::Revive { roles }));
        }
    }
}
