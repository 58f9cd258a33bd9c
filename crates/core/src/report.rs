//! What a run tells: its progress while it lasts, and the report at its end. Pure.
//!
//! Responsible for the words between the driver's loop and whoever shows them.
//! Nothing here writes to a terminal.

mod sums;

use serde::Serialize;

use crate::ids::{JobId, Partition, StageId};
use mesquite_workload::message::whose;

pub use self::sums::{FailureCause, RunSeconds, SlowTask, StageReport, Sums};
pub use mesquite_scheduler::running::Running;

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

impl Mode {
    /// Whether tasks are handed to threads as they are, and not sent as messages.
    pub const fn has_no_messages(self) -> bool {
        match self {
            Self::Local => true,
            Self::LocalCluster | Self::Coarse | Self::Fine => false,
        }
    }

    /// Whether tasks and what becomes of them pass through Mesos.
    pub const fn is_through_mesos(self) -> bool {
        match self {
            Self::Fine => true,
            Self::Local | Self::LocalCluster | Self::Coarse => false,
        }
    }

    /// Whether executors have a sandbox on an agent, where what they write is kept.
    pub const fn has_sandboxes(self) -> bool {
        match self {
            Self::Coarse | Self::Fine => true,
            Self::Local | Self::LocalCluster => false,
        }
    }
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
    /// Its stages, its slowest tasks, and why attempts failed.
    #[serde(flatten)]
    pub sums: Sums,
    /// The event log, if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_log: Option<String>,
    /// What was left out, for each dataset that may leave something out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutReport>,
}

/// What a dataset left out (`on_failure = "skip"`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOutReport {
    /// The dataset.
    pub dataset: String,
    /// How many items it has.
    pub of: u32,
    /// How many of them a run that succeeds may leave out.
    pub allowed: u64,
    /// Where they are to be written down.
    pub folder: Option<String>,
    /// What is to be said if they are too many.
    #[serde(skip)]
    pub too_many: Option<String>,
    /// The items, in their order.
    pub items: Vec<LeftOutItem>,
}

/// An item that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOutItem {
    /// Its place among the items.
    pub partition: u32,
    /// The item.
    pub item: String,
    /// How it failed last, with the end of its stderr.
    pub error: String,
}

/// What a job does that looks whether there is another round.
pub const LOOK: &str = "look";

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobReport {
    /// Its number; `None` if it was never submitted.
    pub id: Option<u32>,
    /// `save`, `collect` or `count`; `sample` for a job that a sort needs first, `round 3`
    /// or [`LOOK`] for one of a loop.
    pub action: String,
    /// The dataset that was asked for.
    pub dataset: String,
    /// The name of its action, if it has one.
    pub name: Option<String>,
    /// The dataset of which it makes a round, or looks whether there is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_of: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Attempts at stages.
    pub stages: u32,
    /// Tasks that succeeded.
    pub tasks: u64,
    /// Attempts that were started.
    pub attempts: u64,
    /// Attempts that failed. Those that were stopped, such as a copy of an attempt
    /// that was faster, did not.
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

/// Of what the commands of a stage write to stderr so many lines are shown.
pub const LINES_SHOWN: u64 = 40;

/// What a command says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its stage.
    pub stage: StageId,
    /// Its partition.
    pub partition: Partition,
    /// How many attempts at its task came before.
    pub attempt: u32,
    /// The dataset whose command it is.
    pub dataset: String,
    /// Lines of its stderr.
    pub lines: Vec<String>,
    /// So many more lines came.
    pub more: u64,
    /// What is not right with it, if anything.
    pub warning: Option<String>,
}

impl Said {
    /// Whose words they are, for people.
    pub fn whose(&self) -> String {
        let (stage, partition) = (self.stage.0, self.partition.0);
        whose(&self.dataset, stage, partition, self.attempt)
    }
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
    /// A command says something.
    Said(Said),
    /// A line of the log of an executor process of this machine.
    Logged(String),
    /// What runs at this moment. Told now and then, and not only when it changes.
    Running(Running),
    /// Something that people want to know: an executor that
    /// is gone, why nothing runs.
    Note(String),
    /// An attempt failed. What comes of that is told later.
    Failed(String),
    /// Like [`Progress::Note`], and something is wrong.
    Warning(String),
}
