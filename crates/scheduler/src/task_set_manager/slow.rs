//! Copies of slow attempts: which attempts are watched, and marking the slow.

use super::TaskSetManager;
use crate::clock::Timestamp;
use crate::cluster::Cluster;

impl TaskSetManager {
    /// Watches the attempt of a task if it is the only one and no copy is asked
    /// for yet; after any change of these.
    pub(super) fn rewatch(&mut self, index: u32) {
        if self.speculation.is_none() {
            return;
        }
        let task = &self.tasks[index as usize];
        let alone = !task.successful && task.copies == 1 && !task.marked;
        let attempts: Vec<(u32, bool)> = self
            .attempts_of(index)
            .map(|attempt| (attempt, self.attempts[attempt as usize].is_running()))
            .collect();
        if let Some(speculation) = &mut self.speculation {
            for (attempt, running) in attempts {
                if alone && running {
                    speculation.watch(attempt);
                } else {
                    speculation.unwatch(attempt);
                }
            }
        }
    }

    /// Marks the attempts that are too slow by now; true if there was one.
    pub(crate) fn mark_slow(&mut self, now: Timestamp, cluster: &Cluster) -> bool {
        let Some(speculation) = &self.speculation else {
            return false;
        };
        if self.zombie || (self.tasks.len() == 1 && !speculation.has_fixed_threshold()) {
            return false;
        }
        let Some(slowness) = speculation.slowness(&self.durations) else {
            return false;
        };
        let mut slow = Vec::new();
        for attempt in speculation.watched() {
            let entry = &self.attempts[attempt as usize];
            let ran = now - entry.launched;
            let too_slow = ran > slowness.threshold;
            if !too_slow && !speculation.looks_at_decommissioned() {
                // Those that follow were launched later.
                break;
            }
            let outlives = || {
                cluster
                    .decommission_of(entry.executor)
                    .is_some_and(|state| {
                        speculation.outlives_executor(ran, now - state.since, &self.durations)
                    })
            };
            let tasks = self.tasks.len();
            let deserves =
                || speculation.deserves_copy(attempt, ran, slowness, &self.durations, tasks);
            if (too_slow && deserves()) || outlives() {
                slow.push(entry.index);
            }
        }
        for index in &slow {
            self.tasks[*index as usize].marked = true;
            self.marked += 1;
            self.rewatch(*index);
            let _ = self
                .copies
                .push(*index, self.preferences.of(*index), cluster);
        }
        !slow.is_empty()
    }
}
