//! What happens as time passes: speculation, starvation, exclusions that end,
//! sets that can run nowhere, and locality waits that are over.

use super::{Counts, TaskScheduler};
use crate::action::{Actions, Notice};
use crate::clock::Timestamp;
use crate::health::HealthTracker;
use crate::pool::SetIx;
use crate::task_set_manager::TaskSetManager;

impl TaskScheduler {
    /// The moment at which [`TaskSchedulerEvent::TimePassed`] is next of use;
    /// earlier it does no harm.
    ///
    /// [`TaskSchedulerEvent::TimePassed`]: crate::event::TaskSchedulerEvent::TimePassed
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let exclusion = self
            .health
            .as_ref()
            .filter(|_| self.waiting > 0)
            .and_then(HealthTracker::deadline);
        [
            self.starvation.deadline(),
            self.next_speculation,
            self.locality_deadline,
            exclusion,
            self.unschedulable.values().map(|(_, at)| *at).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn time_passed(&mut self, now: Timestamp, actions: &mut Actions) {
        if self.next_speculation.is_some_and(|next| next <= now) {
            self.next_speculation = None;
            self.check_speculation(now, actions);
        }
        if self.locality_deadline.is_some_and(|at| at <= now) {
            // Farther places are allowed now: see what is free.
            self.locality_deadline = None;
            actions.revive = true;
        }
        if let Some(health) = &mut self.health
            && health.apply_timeout(now, &self.cluster, actions)
            && self.waiting > 0
        {
            actions.revive = true;
        }
        self.abort_unschedulable(now, actions);
        if let Some((since, offers, declined)) = self.starvation.due(now) {
            actions.notices.push(Notice::Starving {
                waiting: self.waiting,
                since,
                offers,
                declined,
            });
        }
    }

    /// Sets the clocks that depend on what there is; after each event.
    pub(super) fn watch_clocks(&mut self, now: Timestamp) {
        let starving = self.waiting > 0 && self.running == 0 && !self.config.local;
        self.starvation.observe(now, starving);
        if let Some(speculation) = &self.config.speculation {
            if self.running == 0 || self.config.local {
                self.next_speculation = None;
            } else if self.next_speculation.is_none() {
                self.next_speculation = Some(now + speculation.interval);
            }
        }
        if self.waiting + self.waiting_copies == 0 {
            self.locality_deadline = None;
        }
    }

    fn check_speculation(&mut self, now: Timestamp, actions: &mut Actions) {
        for set in self.sets_by_stage() {
            let found = self.with_set(now, set, actions, |manager, context| {
                manager.mark_slow(now, context.cluster)
            });
            actions.revive |= found == Some(true);
        }
    }

    // --- sets that can run nowhere

    /// After sets were offered room, each with whether it started something: if it
    /// did not and its next task can run nowhere for reasons of exclusion, it runs
    /// alone where others may have been to blame; else room is made or asked for, and
    /// the set is given up if that takes too long. Once any set starts something the
    /// others get more time.
    pub(super) fn watch_unschedulable(
        &mut self,
        now: Timestamp,
        offered: &[(SetIx, bool)],
        actions: &mut Actions,
    ) {
        for (set, launched) in offered {
            let Some(mut manager) = self.sets[set.index()].take() else {
                continue;
            };
            let before = Counts::of(&manager);
            self.watch_set(now, *set, &mut manager, *launched, actions);
            let (after, done) = (Counts::of(&manager), manager.is_done());
            self.sets[set.index()] = Some(manager);
            self.count(*set, before, after);
            if done {
                self.finish(now, *set, actions);
            }
        }
    }

    fn watch_set(
        &mut self,
        now: Timestamp,
        set: SetIx,
        manager: &mut TaskSetManager,
        launched: bool,
        actions: &mut Actions,
    ) {
        let Some(health) = &self.health else {
            return;
        };
        if launched {
            if !self.unschedulable.is_empty() {
                self.unschedulable.clear();
                self.publish_unschedulable(actions);
            }
            return;
        }
        let Some(task) = manager.task_excluded_everywhere(&self.cluster, |executor, host| {
            health.is_host_excluded(host) || health.is_executor_excluded(executor)
        }) else {
            return;
        };
        if manager.forget_suspicions(task) {
            actions.revive = true;
            return;
        }
        let idle = self
            .cluster
            .registered()
            .find(|executor| self.cluster.running(*executor) == 0);
        if idle.is_none() && !self.config.dynamic_allocation {
            manager.abort_excluded_everywhere(task, &self.cluster, actions);
            return;
        }
        if self.unschedulable.contains_key(&set) {
            return;
        }
        if let Some(idle) = idle {
            // Another may come in its place.
            health.end_idle_executor(idle, &self.cluster, actions);
        }
        let give_up = now + self.config.unschedulable_timeout;
        self.unschedulable.insert(set, (task, give_up));
        if idle.is_none() {
            self.publish_unschedulable(actions);
        }
    }

    fn abort_unschedulable(&mut self, now: Timestamp, actions: &mut Actions) {
        let over: Vec<(SetIx, u32)> = self
            .unschedulable
            .iter()
            .filter(|(_, (_, at))| *at <= now)
            .map(|(set, (task, _))| (*set, *task))
            .collect();
        for (set, task) in over {
            self.unschedulable.remove(&set);
            self.publish_unschedulable(actions);
            self.with_set(now, set, actions, |manager, context| {
                manager.abort_excluded_everywhere(task, context.cluster, context.actions);
            });
        }
    }
}
