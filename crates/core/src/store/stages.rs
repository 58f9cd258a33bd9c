//! An attempt at a stage, and what its tasks have come to. Pure.
//!
//! Responsible for its counts and sums, also for each executor, and for the rows of its
//! attempts at tasks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::attempts::{Began, Ended, LOCALITIES, State};
use super::column::{Name, Seen};
use super::log_events::{StageInfo, Texts};
use super::measures::Measures;

/// What an attempt at a stage has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StageStatus {
    /// It has not begun.
    Pending,
    /// It runs.
    Active,
    /// All of its tasks are done.
    Complete,
    /// It was given up.
    Failed,
    /// It was not needed: its output was there.
    Skipped,
}

impl StageStatus {
    /// As Spark writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// What an executor did for a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Milliseconds that its attempts took.
    pub task_time: u64,
    /// Attempts that succeeded.
    pub succeeded: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Attempts that were stopped.
    pub killed: u32,
    /// The sums of what they measured.
    pub sums: Measures,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What is known of it beside its tasks.
    pub info: StageInfo,
    /// What it has come to.
    pub status: StageStatus,
    /// What its job does, if that is told.
    pub description: Option<String>,
    /// The pool that it is scheduled in.
    pub pool: String,
    /// The jobs that want it.
    pub jobs: BTreeSet<u32>,
    /// When the first of its attempts at tasks was launched.
    pub first_launch: Option<u64>,
    /// Attempts that run.
    pub active: u32,
    /// Attempts that succeeded.
    pub succeeded: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Attempts that were stopped.
    pub killed: u32,
    /// Why attempts were stopped, and how many.
    pub kills: BTreeMap<String, u32>,
    /// How many attempts ran how near their input, as in [`LOCALITIES`].
    pub localities: [u32; LOCALITIES.len()],
    /// The sums of what its attempts measured.
    pub sums: Measures,
    /// What each executor did.
    pub shares: BTreeMap<Name, Share>,
    completed: Seen,
    rows: Vec<u32>,
}

impl Stage {
    pub(super) fn new(info: StageInfo) -> Self {
        Self {
            info,
            status: StageStatus::Pending,
            description: None,
            pool: "default".to_owned(),
            jobs: BTreeSet::new(),
            first_launch: None,
            active: 0,
            succeeded: 0,
            failed: 0,
            killed: 0,
            kills: BTreeMap::new(),
            localities: [0; LOCALITIES.len()],
            sums: Measures::default(),
            shares: BTreeMap::new(),
            completed: Seen::default(),
            rows: Vec::new(),
        }
    }

    /// The rows of its attempts at tasks, in the order in which they began.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// How many of its tasks are done, however often.
    pub const fn completed_indices(&self) -> u32 {
        self.completed.len()
    }

    /// How long it took, or how long until this time.
    pub fn took(&self, latest: u64) -> u64 {
        let end = self.info.completed.unwrap_or(latest);
        end.saturating_sub(self.info.submitted.unwrap_or(end))
    }

    pub(super) fn describe(&mut self, properties: &Texts) {
        if let Some(description) = properties.get("spark.job.description") {
            self.description = Some(description.clone());
        }
        if let Some(pool) = properties.get("spark.scheduler.pool") {
            self.pool.clone_from(pool);
        }
    }

    pub(super) fn task_started(&mut self, row: u32, began: &Began) {
        self.rows.push(row);
        self.active += 1;
        let first = self.first_launch.unwrap_or(began.launched);
        self.first_launch = Some(first.min(began.launched));
        self.localities[usize::from(began.locality)] += 1;
    }

    pub(super) fn task_ended(&mut self, index: u32, executor: Name, took: u64, ended: &Ended) {
        self.active = self.active.saturating_sub(1);
        let share = self.shares.entry(executor).or_default();
        share.task_time = share.task_time.saturating_add(took);
        match ended.counted {
            State::Succeeded => {
                self.succeeded += 1;
                share.succeeded += 1;
                self.completed.insert(index);
            }
            State::Killed => {
                self.killed += 1;
                share.killed += 1;
                let why = ended.why.as_deref().unwrap_or_default();
                *self.kills.entry(why.to_owned()).or_default() += 1;
            }
            State::Failed | State::Running => {
                self.failed += 1;
                share.failed += 1;
            }
        }
        if let Some(measures) = &ended.measures {
            self.sums.add(measures);
            share.sums.add(measures);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}
