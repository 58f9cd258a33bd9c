//! Which attempt may commit its output.
//!
//! Responsible for letting one attempt at a partition put its output in place,
//! however many run: the first to ask gets the right and keeps it, and loses
//! it only by failing (Spark's `OutputCommitCoordinator`). Asking again gives
//! the same answer, so a lost answer does no harm.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Partition, StageId, TaskId};

#[derive(Debug, Default)]
struct StageCommits {
    partitions: u32,
    /// By partition; empty until someone asks. Most stages never do.
    committers: Vec<Option<TaskId>>,
    /// Attempts that failed. One of them may still ask, when its question and
    /// the news of its failure pass each other; it must be refused.
    failed: BTreeSet<TaskId>,
}

/// Which attempt may commit which partition, for each running stage.
#[derive(Debug, Default)]
pub struct Commits {
    stages: BTreeMap<StageId, StageCommits>,
}

impl Commits {
    /// No stage runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// A stage of so many partitions runs. Rights given to attempts of an
    /// earlier attempt at the stage stay.
    pub fn stage_started(&mut self, stage: StageId, partitions: u32) {
        self.stages.entry(stage).or_insert_with(|| StageCommits {
            partitions,
            ..StageCommits::default()
        });
    }

    /// A stage is over: nothing of it may be committed any more.
    pub fn stage_ended(&mut self, stage: StageId) {
        self.stages.remove(&stage);
    }

    /// Whether `task` may commit its output for `partition`.
    pub fn may_commit(&mut self, stage: StageId, partition: Partition, task: TaskId) -> bool {
        let Some(commits) = self.stages.get_mut(&stage) else {
            return false;
        };
        if partition.0 >= commits.partitions || commits.failed.contains(&task) {
            return false;
        }
        if commits.committers.is_empty() {
            commits.committers = vec![None; commits.partitions as usize];
        }
        *commits.committers[partition.index()].get_or_insert(task) == task
    }

    /// Whether `task` may have put an output in place for `partition`, as far as
    /// the stage still counts.
    pub fn may_have_committed(&self, stage: StageId, partition: Partition, task: TaskId) -> bool {
        self.stages.get(&stage).is_none_or(|commits| {
            let committer = commits.committers.get(partition.index());
            committer.is_some_and(|committer| *committer == Some(task))
        })
    }

    /// An attempt ended without success: it gives back its right, if it had
    /// any, and gets none.
    pub fn attempt_failed(&mut self, stage: StageId, partition: Partition, task: TaskId) {
        let Some(commits) = self.stages.get_mut(&stage) else {
            return;
        };
        commits.failed.insert(task);
        if let Some(committer) = commits.committers.get_mut(partition.index()) {
            committer.take_if(|committer| *committer == task);
        }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether something is remembered of the stage.
    pub fn knows_stage(&self, stage: StageId) -> bool {
        self.stages.contains_key(&stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: StageId = StageId(1);
    const PARTITION: Partition = Partition(2);

    fn started() -> Commits {
        let mut commits = Commits::new();
        commits.stage_started(STAGE, 4);
        commits
    }

    #[test]
    fn only_one_of_two_attempts_may_commit() {
        let mut commits = started();
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(7)));
        assert!(!commits.may_commit(STAGE, PARTITION, TaskId(8)));
        assert!(commits.may_commit(STAGE, Partition(3), TaskId(8)));
    }

    #[test]
    fn asking_twice_gets_the_same_answer() {
        let mut commits = started();
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(7)));
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(7)));
    }

    #[test]
    fn only_the_failure_of_the_committer_frees_its_right() {
        let mut commits = started();
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(7)));
        commits.attempt_failed(STAGE, PARTITION, TaskId(8));
        assert!(!commits.may_commit(STAGE, PARTITION, TaskId(9)));
        commits.attempt_failed(STAGE, PARTITION, TaskId(7));
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(9)));
    }

    #[test]
    fn an_attempt_that_failed_before_it_asked_is_refused() {
        let mut commits = started();
        commits.attempt_failed(STAGE, PARTITION, TaskId(7));
        assert!(!commits.may_commit(STAGE, PARTITION, TaskId(7)));
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(8)));
    }

    #[test]
    fn a_right_outlives_the_attempt_at_the_stage_but_not_the_stage() {
        let mut commits = started();
        assert!(commits.may_commit(STAGE, PARTITION, TaskId(7)));
        commits.stage_started(STAGE, 4);
        assert!(!commits.may_commit(STAGE, PARTITION, TaskId(8)));
        commits.stage_ended(STAGE);
        assert!(!commits.may_commit(STAGE, PARTITION, TaskId(7)));
        assert!(commits.is_empty());
    }

    #[test]
    fn questions_about_what_does_not_run_are_refused() {
        let mut commits = started();
        assert!(!commits.may_commit(StageId(9), PARTITION, TaskId(7)));
        assert!(!commits.may_commit(STAGE, Partition(4), TaskId(7)));
        commits.attempt_failed(StageId(9), PARTITION, TaskId(7));
        commits.attempt_failed(STAGE, Partition(4), TaskId(8));
    }
}
