//! Which of several outputs of an indeterminate stage was read.
//!
//! Responsible for keeping a result free of a mixture of two outputs of the
//! same indeterminate stage, along every path from that stage to the result.
//! Each attempt at such a stage starts from nothing and makes a new
//! generation; what is computed from it remembers which one that was. A stage
//! whose inputs disagree does not run before the older ones are made again.
//!
//! Spark looks only at the stages behind a fetch failure, and so can join two
//! datasets that descend from different generations. Partitions that executors
//! keep (`persist`) are not traced, here as there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::DagScheduler;
use crate::ids::{JobId, ShuffleId, StageId};
use crate::job::{JobGoal, MadeFrom};
use crate::stage::StageGoal;
use crate::task::TaskCommand;

/// The generations of indeterminate shuffles.
#[derive(Debug, Default)]
pub(super) struct Generations {
    last: u64,
    /// What the outputs of each indeterminate shuffle were computed from,
    /// itself included.
    outputs: BTreeMap<ShuffleId, MadeFrom>,
}

impl Generations {
    pub(super) fn forget(&mut self, shuffle: ShuffleId) {
        self.outputs.remove(&shuffle);
    }

    /// What is computed from these shuffles: the newest generation of each.
    fn newest(&self, shuffles: &[ShuffleId]) -> MadeFrom {
        let mut newest = MadeFrom::new();
        for made_from in shuffles.iter().filter_map(|s| self.outputs.get(s)) {
            for (shuffle, generation) in made_from {
                let known = newest.entry(*shuffle).or_default();
                *known = (*known).max(*generation);
            }
        }
        newest
    }

    /// Which of these shuffles are older than others of them.
    fn outdated(&self, shuffles: &[ShuffleId]) -> Vec<ShuffleId> {
        let newest = self.newest(shuffles);
        let is_older = |shuffle: &&ShuffleId| {
            let made_from = self.outputs.get(shuffle);
            made_from.is_some_and(|made_from| {
                made_from
                    .iter()
                    .any(|(ancestor, generation)| *generation < newest[ancestor])
            })
        };
        shuffles.iter().filter(is_older).copied().collect()
    }
}

impl DagScheduler {
    /// Drops complete outputs among those that a stage is to read if they
    /// descend from an older generation than the others.
    pub(super) fn drop_outdated_inputs(&mut self, shuffles: &[ShuffleId]) {
        for shuffle in self.generations.outdated(shuffles) {
            self.outputs.unregister_all_outputs(shuffle);
        }
    }

    /// Notes what the attempt that is about to begin reads. False if the stage
    /// cannot go on: its job has results that came from other inputs.
    pub(super) fn settle_generations(&mut self, id: StageId) -> bool {
        let shuffles = self.shuffles_read_by(id);
        let mut made_from = self.generations.newest(&shuffles);
        let stage = self.stage(id);
        match stage.goal {
            StageGoal::ShuffleMap { shuffle, .. } => {
                if stage.indeterminate && !self.outputs.is_complete(shuffle) {
                    self.generations.last += 1;
                    made_from.insert(shuffle, self.generations.last);
                    self.generations.outputs.insert(shuffle, made_from);
                    self.restart_readers(id);
                }
                // Failing a reader's job can end the need for this stage.
                self.stages.contains_key(&id)
            }
            StageGoal::Result { job } => {
                if self.has_results(job) && self.jobs[&job].made_from != made_from {
                    self.abort_used_results(id, id);
                    return false;
                }
                let job = self.jobs.get_mut(&job).expect("its stage is registered");
                job.made_from = made_from;
                true
            }
        }
    }

    /// Stages that run on the output that is about to be replaced must not go
    /// on with the new one.
    fn restart_readers(&mut self, replaced: StageId) {
        let readers = self.stage(replaced).children.iter().copied();
        let readers: Vec<_> = readers.filter(|id| self.stage(*id).is_running()).collect();
        for id in readers {
            if self.stages.contains_key(&id) {
                self.restart_or_abort(id, replaced);
            }
        }
    }

    /// Begins a running stage anew; a job whose results have been used fails.
    pub(super) fn restart_or_abort(&mut self, id: StageId, replaced: StageId) {
        let stage = self.stage_mut(id);
        stage.rolled_back = stage.latest_attempt();
        let result_of = match stage.goal {
            StageGoal::Result { job } => Some(job),
            StageGoal::ShuffleMap { .. } => None,
        };
        if result_of.is_some_and(|job| self.has_results(job)) {
            self.abort_used_results(id, replaced);
        } else {
            self.restart(id);
        }
    }

    fn abort_used_results(&mut self, id: StageId, replaced: StageId) {
        let what = match self.stage(replaced) {
            same if same.id == id => "an indeterminate stage that it reads".to_owned(),
            other => other.to_string(),
        };
        let reason = format!(
            "{what} has indeterminate output and is run again, but {} cannot be rolled back: \
             some of its results have been used already; \
             sort the input of the repartition to make it determinate",
            self.stage(id),
        );
        self.abort_stage(id, &reason);
    }

    fn has_results(&self, job: JobId) -> bool {
        match &self.jobs[&job].goal {
            JobGoal::Results { finished, .. } => !finished.is_empty(),
            JobGoal::MapOutput => false,
        }
    }

    /// Ends the running attempt at a stage, to begin a new one soon.
    fn restart(&mut self, id: StageId) {
        if self.stage(id).is_running() {
            let why: Arc<str> = "its input is being made anew".into();
            // The report that the task set failed is expected, and ignored.
            self.command(TaskCommand::CancelStage {
                stage: id,
                reason: why.clone(),
            });
            self.mark_stage_finished(id, Some(&why), true);
            self.retry_soon([id]);
        }
    }
}
