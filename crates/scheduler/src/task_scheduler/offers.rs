//! How room on executors becomes attempts.
//!
//! The steps are Spark's (`resourceOffers`):
//!
//! 1. register executors not seen before;
//! 2. end exclusions whose time is over, and pass over what is excluded;
//! 3. shuffle the offers, so that no executor is always first;
//! 4. take the task sets in pool order, which holds for the whole round;
//! 5. for each set, at each of its levels, nearest first: go round the offers,
//!    at most one task each, until a round starts nothing;
//! 6. a barrier set starts whole or not at all.

use std::sync::Arc;

use super::room::Room;
use super::round::{Launch, Parked, Round};
use super::{Counts, TaskScheduler};
use crate::action::Actions;
use crate::clock::Timestamp;
use crate::cluster::ExecutorIx;
use crate::locality::LocalityLevel;
use crate::pool::SetIx;
use crate::starvation::{Unused, UnusedReason};
use crate::stock::tasks_on;
use crate::task::TaskReport;
use crate::task_set_manager::{Choice, Spot, TaskSetManager};
use crate::worker_offer::{WorkerOffer, slots};

/// What became of the rounds of one task set.
#[derive(Default)]
struct Outcome {
    /// Tasks started or, in a barrier set, parked.
    launched: usize,
    /// The nearest level at which one was.
    nearest: Option<LocalityLevel>,
    /// Whether an offer was rejected for locality.
    rejected: bool,
}

impl TaskScheduler {
    /// Answers offers; see the module.
    pub(super) fn resource_offers(
        &mut self,
        now: Timestamp,
        offers: Vec<WorkerOffer>,
        all_free: bool,
        actions: &mut Actions,
    ) {
        let count = offers.len();
        let (executors, new_executor) = self.register(&offers, actions);
        if let Some(health) = &mut self.health {
            health.apply_timeout(now, &self.cluster, actions);
        }
        self.starvation.count_offers(count);
        let mut rooms = self.rooms(offers, executors);
        self.random.shuffle(&mut rooms);
        let mut round = Round {
            now,
            open: (0..rooms.len() as u32).collect(),
            rooms,
            placed: vec![Vec::new(); count],
            offered: Vec::new(),
        };
        let order = self.pools.order(|set| {
            self.sets[set.index()]
                .as_ref()
                .map_or(0, |manager| manager.running())
        });
        if new_executor {
            for set in &order {
                if let Some(manager) = &mut self.sets[set.index()] {
                    manager.recompute_levels(&self.cluster);
                }
            }
        }
        if all_free {
            // Whoever still waits for a nearer place says so again.
            self.locality_deadline = None;
        }
        let mut launched_any = self.offer_alone(&mut round, &order, actions);
        for set in &order {
            // With exclusion on, a set is looked at even if there is no room,
            // since it may be unable to run anywhere.
            if round.open.is_empty() && self.health.is_none() {
                break;
            }
            launched_any |= self.offer_to_set(&mut round, *set, all_free, actions);
        }
        // Only now is it known which executors stay idle.
        self.watch_unschedulable(now, &round.offered, actions);
        if !launched_any && self.running == 0 && !self.config.local {
            self.note_declined(&order, &round);
        }
        actions.launches = round.placed;
    }

    /// The executors of the offers, in their order, registered by now; and
    /// whether one was not before.
    fn register(
        &mut self,
        offers: &[WorkerOffer],
        actions: &mut Actions,
    ) -> (Vec<ExecutorIx>, bool) {
        let mut new = false;
        self.cluster.expect(offers.len());
        let executors = offers
            .iter()
            .map(|offer| {
                let known = self.cluster.find_executor(&offer.executor);
                if let Some(known) = known
                    && self.cluster.is_registered(known)
                {
                    return known;
                }
                let host = self.cluster.host(&offer.host);
                let executor =
                    known.unwrap_or_else(|| self.cluster.add_executor(&offer.executor, host));
                self.cluster.register(executor, host);
                new = true;
                actions.reports.push(TaskReport::ExecutorAdded {
                    executor: offer.executor.clone(),
                    host: offer.host.clone(),
                });
                executor
            })
            .collect();
        (executors, new)
    }

    /// The offers that are not excluded, as rooms.
    fn rooms(&mut self, offers: Vec<WorkerOffer>, executors: Vec<ExecutorIx>) -> Vec<Room> {
        let mut rooms = Vec::with_capacity(offers.len());
        for ((place, offer), executor) in (0..).zip(offers).zip(executors) {
            let host = self.cluster.host_of(executor);
            if let Some(health) = &self.health {
                let reason = if health.is_host_excluded(host) {
                    Some(UnusedReason::HostExcluded)
                } else if health.is_executor_excluded(executor) {
                    Some(UnusedReason::ExecutorExcluded)
                } else {
                    None
                };
                if let Some(reason) = reason {
                    self.starvation.decline(reason.clone(), || Unused {
                        reason,
                        offers: 1,
                        executor: offer.executor.clone(),
                        host: offer.host.clone(),
                        cores: offer.cores,
                    });
                    continue;
                }
            }
            rooms.push(Room {
                offer: place,
                spot: Spot {
                    executor,
                    host,
                    rack: self.cluster.rack_of(host),
                },
                cores: offer.cores,
                profile: offer.profile,
                resources: offer.resources,
                address: offer.address,
            });
        }
        rooms
    }

    /// Offers what is left to one task set; true if it started something.
    fn offer_to_set(
        &mut self,
        round: &mut Round,
        set: SetIx,
        all_free: bool,
        actions: &mut Actions,
    ) -> bool {
        let Some(mut manager) = self.sets[set.index()].take() else {
            return false;
        };
        let before = Counts::of(&manager);
        let enough_slots = !manager.is_barrier() || {
            let free: u64 = round
                .rooms
                .iter()
                .map(|room| {
                    let slots = slots(room.profile, room.cores, &room.resources, manager.needs());
                    u64::from(slots)
                })
                .sum();
            free >= manager.tasks() as u64
        };
        let mut launched = false;
        if enough_slots && !manager.is_zombie() {
            let mut parked = Vec::new();
            let outcome = self.rounds(round, set, &mut manager, &mut parked, actions);
            launched = outcome.launched > 0;
            if !self.config.legacy_locality_reset {
                reset_delay(round.now, &mut manager, &outcome, all_free);
            }
            if outcome.rejected
                && let Some(deadline) = manager.delay().deadline()
            {
                self.locality_deadline = Some(match self.locality_deadline {
                    Some(known) => known.min(deadline),
                    None => deadline,
                });
            }
            if launched && manager.is_barrier() {
                launched = self.start_barrier(round, set, &mut manager, parked, actions);
            }
            if self.health.is_some() {
                round.offered.push((set, outcome.launched > 0));
            }
        }
        let (after, done) = (Counts::of(&manager), manager.is_done());
        self.sets[set.index()] = Some(manager);
        self.count(set, before, after);
        if done {
            self.finish(round.now, set, actions);
        }
        launched
    }

    /// Goes round the offers at each level until nothing more starts.
    fn rounds(
        &mut self,
        round: &mut Round,
        set: SetIx,
        manager: &mut TaskSetManager,
        parked: &mut Vec<Parked>,
        actions: &mut Actions,
    ) -> Outcome {
        let needs = Arc::clone(manager.needs());
        let mut outcome = Outcome::default();
        if manager.waiting() + manager.waiting_copies() == 0 {
            // Most sets of a busy application: all that is left of the rounds
            // is that the delay finds nothing waiting at any level.
            let fits = |room: &u32| round.rooms[*room as usize].fits(&needs);
            if round.open.iter().any(fits) {
                manager.delay_mut().exhaust(round.now);
            }
            return outcome;
        }
        let mut usable: Vec<u32> = round
            .open
            .iter()
            .copied()
            .filter(|room| round.rooms[*room as usize].fits(&needs))
            .collect();
        'levels: for level in manager.delay().levels().iter() {
            loop {
                if usable.is_empty() {
                    break 'levels;
                }
                if manager.waiting() + manager.waiting_copies() == 0 {
                    // All that follows would find nothing.
                    manager.delay_mut().exhaust(round.now);
                    break 'levels;
                }
                let launched_before = outcome.launched;
                for room in &usable {
                    if manager.waiting() + manager.waiting_copies() == 0 {
                        break;
                    }
                    self.offer_one(
                        round,
                        *room,
                        set,
                        manager,
                        level,
                        &mut outcome,
                        parked,
                        actions,
                    );
                }
                if outcome.launched == launched_before {
                    break;
                }
                usable.retain(|room| round.rooms[*room as usize].fits(&needs));
            }
        }
        if outcome.launched > 0 {
            let rooms = &round.rooms;
            round.open.retain(|room| rooms[*room as usize].cores > 0);
        }
        outcome
    }

    /// Offers room for one task.
    #[expect(clippy::too_many_arguments, reason = "the innermost step of a round")]
    fn offer_one(
        &mut self,
        round: &mut Round,
        place: u32,
        set: SetIx,
        manager: &mut TaskSetManager,
        level: LocalityLevel,
        outcome: &mut Outcome,
        parked: &mut Vec<Parked>,
        actions: &mut Actions,
    ) {
        let room = &mut round.rooms[place as usize];
        let legacy = self.config.legacy_locality_reset;
        match manager.choose(round.now, room.spot, level, legacy, &self.making) {
            Choice::Nothing => {}
            Choice::Rejected => outcome.rejected = true,
            Choice::Task {
                index,
                level,
                speculative,
            } => {
                let taken = room.take(manager.needs());
                outcome.launched += 1;
                outcome.nearest = Some(outcome.nearest.map_or(level, |known| known.min(level)));
                if manager.is_barrier() {
                    manager.park(index);
                    parked.push(Parked {
                        index,
                        room: place,
                        level,
                        taken,
                    });
                } else {
                    let launch = Launch {
                        index,
                        level,
                        speculative,
                        taken,
                    };
                    let description =
                        self.launch(round.now, set, manager, room.spot, launch, actions);
                    round.placed[room.offer as usize].push(description);
                }
            }
        }
    }

    /// Notes why nothing was started, for the starvation warning.
    fn note_declined(&mut self, order: &[SetIx], round: &Round) {
        let Some(manager) = order
            .iter()
            .filter_map(|set| self.sets[set.index()].as_deref())
            .find(|manager| manager.waiting() > 0)
        else {
            return;
        };
        let needs = manager.needs();
        for room in &round.rooms {
            let missing = needs
                .resources
                .iter()
                .find(|(name, amount)| tasks_on(&room.resources, name, *amount) == 0);
            let reason = if room.profile != needs.profile {
                UnusedReason::OtherProfile
            } else if room.cores < needs.cpus {
                UnusedReason::TooFewCores { needed: needs.cpus }
            } else if let Some((resource, needed)) = missing {
                UnusedReason::TooFewOf {
                    resource: Arc::clone(resource),
                    needed: *needed,
                }
            } else if manager.is_barrier() {
                UnusedReason::BarrierNeedsMoreSlots {
                    needed: manager.tasks() as u32,
                }
            } else {
                manager.why_declined(room.spot)
            };
            let cluster = &self.cluster;
            self.starvation.decline(reason.clone(), || Unused {
                reason,
                offers: 1,
                executor: cluster.executor_id(room.spot.executor).clone(),
                host: cluster.host_name(room.spot.host).clone(),
                cores: room.cores,
            });
        }
    }
}

/// The rule by which delay scheduling starts its clock anew, since Spark 3.1:
/// when a set used what it was offered without rejecting anything, be it all
/// that is free, or a part of it with no reject since the last time.
fn reset_delay(now: Timestamp, manager: &mut TaskSetManager, outcome: &Outcome, all_free: bool) {
    if outcome.rejected {
        manager.no_rejects_since_reset = false;
    } else if let Some(nearest) = outcome.nearest
        && (all_free || manager.no_rejects_since_reset)
    {
        manager.delay_mut().reset(now, nearest);
        manager.no_rejects_since_reset = true;
    }
}
