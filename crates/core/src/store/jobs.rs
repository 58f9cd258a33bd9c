//! A job, and what its stages and tasks have come to. Pure.
//!
//! Responsible for its counts, as Spark counts them: a task that succeeded twice counts
//! as one completed index, a stage that ran again is complete once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attempts::{Ended, State};
use super::column::Seen;
use super::log_events::{StageInfo, Texts};
use super::stages::StageStatus;

/// What a job has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    /// It runs.
    Running,
    /// It has its result.
    Succeeded,
    /// It failed, or was cancelled.
    Failed,
}

impl JobStatus {
    /// As Spark writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: u32,
    /// The name of its last stage.
    pub name: Arc<str>,
    /// What it does, if that is told.
    pub description: Option<String>,
    /// The group that it is in, if any.
    pub group: Option<String>,
    /// What it was marked with.
    pub tags: Vec<String>,
    /// When it was taken in.
    pub submitted: Option<u64>,
    /// When it was over.
    pub ended: Option<u64>,
    /// Its stages.
    pub stages: Vec<u32>,
    /// What it has come to.
    pub status: JobStatus,
    /// Why it failed.
    pub why: Option<String>,
    /// The tasks of its stages that were not there already.
    pub tasks: u32,
    /// Attempts that run.
    pub active_tasks: u32,
    /// Attempts that succeeded.
    pub completed_tasks: u32,
    /// Attempts that failed.
    pub failed_tasks: u32,
    /// Attempts that were stopped.
    pub killed_tasks: u32,
    /// Tasks of stages that it did not need.
    pub skipped_tasks: u32,
    /// Why attempts were stopped, and how many.
    pub kills: BTreeMap<String, u32>,
    /// Stages that run.
    pub active_stages: u32,
    /// Stages that failed, each time.
    pub failed_stages: u32,
    /// Stages that are complete.
    pub completed_stages: BTreeSet<u32>,
    /// Stages that it did not need.
    pub skipped_stages: BTreeSet<u32>,
    /// Stages that have not begun since the job did.
    pub(super) idle: BTreeSet<u32>,
    completed: BTreeMap<u32, Seen>,
}

impl Job {
    pub(super) fn new(
        id: u32,
        name: Arc<str>,
        submitted: Option<u64>,
        stages: Vec<u32>,
        tasks: u32,
        properties: &Texts,
    ) -> Self {
        let tags = properties.get("spark.job.tags").map_or("", |it| it);
        let mut tags: Vec<_> = tags.split(',').filter(|it| !it.is_empty()).collect();
        tags.sort_unstable();
        Self {
            id,
            name,
            description: properties.get("spark.job.description").cloned(),
            group: properties.get("spark.jobGroup.id").cloned(),
            tags: tags.into_iter().map(str::to_owned).collect(),
            submitted,
            ended: None,
            idle: stages.iter().copied().collect(),
            stages,
            status: JobStatus::Running,
            why: None,
            tasks,
            active_tasks: 0,
            completed_tasks: 0,
            failed_tasks: 0,
            killed_tasks: 0,
            skipped_tasks: 0,
            kills: BTreeMap::new(),
            active_stages: 0,
            failed_stages: 0,
            completed_stages: BTreeSet::new(),
            skipped_stages: BTreeSet::new(),
            completed: BTreeMap::new(),
        }
    }

    /// How many of its tasks are done, however often.
    pub fn completed_indices(&self) -> u32 {
        let counts = self.completed.values().map(Seen::len);
        counts.fold(0, u32::saturating_add)
    }

    /// How long it took, or how long until this time.
    pub fn took(&self, latest: u64) -> u64 {
        let end = self.ended.unwrap_or(latest);
        end.saturating_sub(self.submitted.unwrap_or(end))
    }

    pub(super) fn stage_began(&mut self, stage: u32) {
        self.idle.remove(&stage);
        self.completed_stages.remove(&stage);
        self.active_stages += 1;
    }

    pub(super) fn stage_ended(&mut self, stage: &StageInfo, status: StageStatus) {
        match status {
            StageStatus::Complete => {
                self.completed_stages.insert(stage.stage);
            }
            StageStatus::Skipped => self.skip(stage),
            StageStatus::Failed | StageStatus::Pending | StageStatus::Active => {
                self.failed_stages += 1;
            }
        }
        self.active_stages = self.active_stages.saturating_sub(1);
    }

    pub(super) fn skip(&mut self, stage: &StageInfo) {
        self.skipped_stages.insert(stage.stage);
        self.skipped_tasks = self.skipped_tasks.saturating_add(stage.tasks);
    }

    pub(super) fn task_ended(&mut self, stage: u32, index: u32, ended: &Ended) {
        self.active_tasks = self.active_tasks.saturating_sub(1);
        match ended.counted {
            State::Succeeded => {
                self.completed_tasks += 1;
                self.completed.entry(stage).or_default().insert(index);
            }
            State::Killed => {
                self.killed_tasks += 1;
                let why = ended.why.as_deref().unwrap_or_default();
                *self.kills.entry(why.to_owned()).or_default() += 1;
            }
            State::Failed | State::Running => self.failed_tasks += 1,
        }
    }
}
