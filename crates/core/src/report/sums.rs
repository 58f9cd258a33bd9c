//! What stages, slow tasks and failures of a run came to: a part of its report. Pure.
//!
//! Responsible for the words. The figures are [`tally`](crate::tally)'s.

use serde::Serialize;

/// What a run came to beyond its jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Its stages, in the order of their numbers. Those that were skipped are not there.
    pub stages: Vec<StageReport>,
    /// The tasks that took far longer than others of their stage, the slowest first; five
    /// at most.
    pub slowest_tasks: Vec<SlowTask>,
    /// Why attempts failed, the most frequent cause first.
    pub failures_by_cause: Vec<FailureCause>,
}

/// A stage, with all attempts at it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    /// Its number.
    pub id: u32,
    /// The name of its last dataset.
    pub name: String,
    /// Attempts at it.
    pub attempts: u32,
    /// Tasks that succeeded.
    pub tasks: u64,
    /// Attempts at tasks that failed.
    pub failed_attempts: u64,
    /// How long it ran.
    pub seconds: f64,
    /// How long its tasks ran; `None` if none succeeded.
    pub run_seconds: Option<RunSeconds>,
    /// Bytes of map output that it made, as stored, also by attempts that failed.
    pub shuffle_bytes_written: u64,
    /// Those that it read.
    pub shuffle_bytes_read: u64,
    /// Bytes that did not fit into the memory of its tasks.
    pub spilled_bytes: u64,
}

/// How long tasks that succeeded ran. Each is the time of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RunSeconds {
    /// Half of them ran no longer, about.
    pub median: f32,
    /// 95 of 100 ran no longer, about.
    pub p95: f32,
    /// The longest.
    pub max: f32,
}

/// A task that took far longer than others of its stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlowTask {
    /// Its stage.
    pub stage: u32,
    /// The name of the stage's last dataset.
    pub name: String,
    /// Its partition.
    pub partition: u32,
    /// How many attempts came before the one that succeeded.
    pub attempt: u32,
    /// Where that ran.
    pub host: String,
    /// How long.
    pub seconds: f32,
    /// The median of its stage.
    pub median_seconds: f32,
}

/// Why attempts failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureCause {
    /// For people, one line.
    pub cause: String,
    /// How many.
    pub attempts: u64,
    /// Of which stages.
    pub stages: Vec<u32>,
}
