//! What must hold after every event.
//!
//! Responsible for noticing at once, in debug builds and tests, when a rule
//! breaks the bookkeeping. Each check says what is wrong.

use super::DagScheduler;
use crate::ids::{ShuffleId, StageId};
use crate::job::JobGoal;
use crate::stage::{Stage, StageGoal, StagePhase};

impl DagScheduler {
    /// The first broken rule, if any. Takes time in proportion to the active
    /// jobs and their stages, but not to partitions.
    pub fn broken_invariant(&self) -> Option<String> {
        self.stages
            .values()
            .find_map(|stage| self.broken_in_stage(stage))
            .or_else(|| self.broken_in_jobs())
            .or_else(|| self.broken_in_sets())
    }

    fn broken_in_stage(&self, stage: &Stage) -> Option<String> {
        if stage.jobs.is_empty() || !stage.jobs.iter().all(|job| self.jobs.contains_key(job)) {
            return Some(format!("{stage} is registered for no active job"));
        }
        let known = |id: &StageId| {
            let parent = self.stages.get(id);
            parent.is_some_and(|parent| parent.children.contains(&stage.id))
        };
        if !stage.parents.iter().all(known) {
            return Some(format!(
                "{stage} has a parent that is unknown or does not know of it"
            ));
        }
        if self.waiting.contains(&stage.id) != (stage.phase == StagePhase::Waiting) {
            return Some(format!("{stage} is in the wrong set for {:?}", stage.phase));
        }
        match stage.phase {
            StagePhase::Running if stage.latest_attempt().is_none() => {
                Some(format!("{stage} runs without an attempt"))
            }
            StagePhase::Running => match &stage.goal {
                StageGoal::ShuffleMap { pending, .. } if pending.is_empty() => {
                    Some(format!("{stage} runs with nothing left to do"))
                }
                _ => None,
            },
            StagePhase::Waiting if !stage.parents.iter().any(|id| self.is_under_way(*id)) => {
                Some(format!("{stage} waits for parents that do not run"))
            }
            _ => None,
        }
    }

    fn is_under_way(&self, id: StageId) -> bool {
        self.stage(id).phase != StagePhase::Idle || self.failed.contains(&id)
    }

    fn broken_in_jobs(&self) -> Option<String> {
        self.jobs.iter().find_map(|(id, job)| {
            if !job
                .stages
                .iter()
                .all(|stage| self.stages.contains_key(stage))
            {
                return Some(format!("job {id} has a stage that is gone"));
            }
            if !self.is_under_way(job.final_stage) {
                return Some(format!("job {id} is active but nothing runs for it"));
            }
            match &job.goal {
                JobGoal::Results { finished, wanted } if finished.len() >= *wanted => {
                    Some(format!("job {id} is active but has all its results"))
                }
                _ => None,
            }
        })
    }

    fn broken_in_sets(&self) -> Option<String> {
        if !self.failed.iter().all(|id| self.stages.contains_key(id)) {
            return Some("a failed stage is not registered".into());
        }
        if self.failed.is_empty() != self.resubmit_at.is_none() {
            return Some("failed stages and the time to try them again disagree".into());
        }
        let right = |(shuffle, id): (&ShuffleId, &StageId)| {
            let stage = self.stages.get(id);
            stage.is_some_and(|stage| stage.shuffle() == Some(*shuffle))
        };
        if !self.map_stages.iter().all(right) {
            return Some("a shuffle is registered for the wrong stage".into());
        }
        None
    }

    /// The first count that differs from a recount. Takes time in proportion
    /// to all partitions of all stages.
    pub fn wrong_count(&self) -> Option<&'static str> {
        let finished_wrong = self.jobs.values().any(|job| match &job.goal {
            JobGoal::Results { finished, .. } => finished.len() != finished.recount(),
            JobGoal::MapOutput => false,
        });
        let pending_wrong = self.stages.values().any(|stage| match &stage.goal {
            StageGoal::ShuffleMap { pending, .. } => pending.len() != pending.recount(),
            StageGoal::Result { .. } => false,
        });
        if finished_wrong {
            Some("finished partitions of a job")
        } else if pending_wrong {
            Some("pending partitions of a stage")
        } else if !self.outputs.counts_are_right() {
            Some("available map outputs")
        } else if !self.cached.counts_are_right() {
            Some("held partitions of a dataset")
        } else {
            None
        }
    }
}
