//! What people see of a task set.
//!
//! Responsible for gathering it; what it comes to says [`running`](crate::running).

use super::TaskSetManager;
use super::kept::Attempt;
use crate::clock::Timestamp;
use crate::cluster::Cluster;
use crate::running::{RunningAttempt, RunningStage, far_longer, left};

impl TaskSetManager {
    /// The set at this moment, with the attempts that have run longest, at most `most`.
    pub(crate) fn seen(&self, now: Timestamp, most: usize, cluster: &Cluster) -> RunningStage {
        // Most of those that run were launched last.
        let backwards = self.attempts.iter().rev().filter(|it| it.is_running());
        let mut running: Vec<&Attempt> = backwards.take(self.running as usize).collect();
        running.reverse();
        let ran = |it: &Attempt| now - it.launched;

        let open = |it: &&&Attempt| !self.tasks[it.index as usize].successful;
        let limit = far_longer(&self.durations, self.tasks.len());
        let far_longer = limit.map(|limit| {
            let open = running.iter().filter(open);
            open.take_while(|it| ran(it) > limit).count() as u32
        });
        let longest = running.iter().filter(open).take(most);
        RunningStage {
            stage: self.stage,
            attempt: self.attempt,
            running: self.running,
            waiting: self.waiting(),
            ended: self.durations.len() as u32,
            median: self.durations.median(),
            ended_last: self.ended_last,
            left: left(
                &self.durations,
                self.waiting(),
                running.iter().map(|it| ran(it)),
            ),
            longest: longest.map(|it| self.seen_attempt(it, cluster)).collect(),
            far_longer,
            copying: self.copying,
        }
    }

    fn seen_attempt(&self, attempt: &Attempt, cluster: &Cluster) -> RunningAttempt {
        let task = &self.tasks[attempt.index as usize];
        RunningAttempt {
            stage: self.stage,
            stage_attempt: self.attempt,
            partition: task.partition,
            attempt: attempt.number,
            executor: cluster.executor_id(attempt.executor).clone(),
            host: cluster.host_name(attempt.host).clone(),
            since: attempt.launched,
            has_copy: task.copies > 1,
        }
    }
}
