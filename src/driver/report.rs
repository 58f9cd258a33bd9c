//! What a run tells: its progress while it lasts, and the report at its end. Pure.
//!
//! Responsible for the words between the driver's loop and whoever shows them.
//! Nothing here writes to a terminal.

use serde::Serialize;

use crate::ids::{JobId, StageId};

/// Where tasks ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// On threads of the driver.
    Local,
    /// On executor processes of this machine.
    LocalCluster,
    /// On Mesos, with long-lived executors.
    Coarse,
    /// On Mesos, a Mesos task for each task.
    Fine,
}

/// How an application or a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// With its result.
    Succeeded,
    /// Without.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// The whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The application's id: the framework's on Mesos.
    pub app_id: String,
    /// Its name.
    pub name: String,
    /// The master, without credentials.
    pub master: String,
    /// Where tasks ran.
    pub mode: Mode,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub seconds: f64,
    /// How long it took until a Mesos master granted the subscription; 0
    /// without Mesos.
    pub registered_seconds: f64,
    /// Bytes of map output that reducers read, as stored.
    pub shuffle_bytes_read: u64,
    /// Those of them that came over the network.
    pub shuffle_bytes_fetched: u64,
    /// Bytes that did not fit into the memory of tasks.
    pub spilled_bytes: u64,
    /// Its jobs, in the order in which they were submitted.
    pub jobs: Vec<JobReport>,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobReport {
    /// Its number; `None` if it was never submitted.
    pub id: Option<u32>,
    /// `save`, `collect` or `count`; `sample` for a job that a sort needs first.
    pub action: String,
    /// The dataset that was asked for.
    pub dataset: String,
    /// How it ended.
    pub status: Status,
    /// Attempts at stages.
    pub stages: u32,
    /// Tasks that succeeded.
    pub tasks: u64,
    /// Attempts that were started.
    pub attempts: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Records counted, printed or saved.
    pub records: u64,
    /// When it was submitted, from the start of the run.
    pub submitted_seconds: f64,
    /// From its submission to its end.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<String>,
}

/// Something to show while it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A job was taken in.
    JobStarted {
        /// The job.
        job: JobId,
        /// What it does.
        action: String,
        /// The dataset.
        dataset: String,
    },
    /// A stage begins.
    StageStarted {
        /// The stage.
        stage: StageId,
        /// The name of its last dataset.
        name: String,
        /// Its tasks.
        tasks: u32,
    },
    /// So many tasks of a stage have ended since it was told last.
    TasksEnded {
        /// The stage.
        stage: StageId,
        /// Tasks that succeeded.
        succeeded: u32,
        /// Attempts that failed.
        failed: u32,
    },
    /// A stage is over.
    StageEnded {
        /// The stage.
        stage: StageId,
        /// Why it failed, if it did.
        failure: Option<String>,
    },
    /// Something that people want to know: a failed attempt, an executor that
    /// is gone, why nothing runs.
    Note(String),
    /// Like [`Progress::Note`], and something is wrong.
    Warning(String),
}

/// Where a run tells what it does and leaves its results. Called on the loop's
/// own thread: it must not block for long.
pub trait Listener: Send {
    /// Something happened.
    fn progress(&mut self, progress: Progress);

    /// The number that `count` asked for.
    ///
    /// # Errors
    /// It cannot be written; the job fails.
    fn counted(&mut self, dataset: &str, records: u64) -> std::io::Result<()>;

    /// The next records that `collect` asked for, in partition order: lines,
    /// each with its end.
    ///
    /// # Errors
    /// They cannot be written; the job fails.
    fn collected(&mut self, dataset: &str, records: &[u8]) -> std::io::Result<()>;
}
