//! What Spark's API says of an application, as far as an overview needs it. Pure.
//!
//! Responsible for the fields that are read: all may be absent, since there are servers of
//! many versions. Asked for by `asked`, read by `drawing`.

use serde::Deserialize;

/// All that an overview shows.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The ids of all applications that the server knows.
    pub ids: Vec<String>,
    /// The one that is shown.
    pub application: Application,
    /// Its jobs, the last one first.
    pub jobs: Vec<Job>,
    /// Its attempts at stages, the last one first.
    pub stages: Vec<Stage>,
    /// Its executors that are there.
    pub executors: Vec<Executor>,
    /// What people were told last; only Mesquite has it.
    pub notes: Vec<Note>,
    /// Milliseconds since the epoch, when it was asked for.
    pub at: u64,
}

/// An application.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Attempts at it, the last one first.
    pub attempts: Vec<ApplicationAttempt>,
}

/// An attempt at an application.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationAttempt {
    /// Its id, if the application has several.
    pub attempt_id: Option<String>,
    /// Milliseconds since the epoch.
    pub start_time_epoch: i64,
    /// The same; no meaningful number as long as it runs.
    pub end_time_epoch: i64,
    /// Whether it has ended.
    pub completed: bool,
}

/// A job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Job {
    /// `RUNNING`, `SUCCEEDED`, `FAILED` or another word.
    pub status: String,
}

/// An attempt at a stage.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Stage {
    /// Its id.
    pub stage_id: i64,
    /// Which attempt at it.
    pub attempt_id: i64,
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `COMPLETE`, `PENDING`, `FAILED` or `SKIPPED`.
    pub status: String,
    /// How many tasks it has.
    pub num_tasks: u64,
    /// How many of them are done.
    pub num_completed_indices: u64,
    /// How many attempts run.
    pub num_active_tasks: u64,
    /// How many failed.
    pub num_failed_tasks: u64,
    /// Bytes of inputs.
    pub input_bytes: u64,
    /// Bytes of map outputs that were read.
    pub shuffle_read_bytes: u64,
    /// The same, written.
    pub shuffle_write_bytes: u64,
    /// Bytes that did not fit into memory.
    pub disk_bytes_spilled: u64,
}

impl Stage {
    /// Whether tasks of it may run.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// An executor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Executor {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub host_port: String,
    /// How many tasks it takes at once.
    pub max_tasks: u64,
    /// How many attempts run there.
    pub active_tasks: u64,
    /// How many succeeded.
    pub completed_tasks: u64,
    /// How many failed.
    pub failed_tasks: u64,
    /// Milliseconds that its attempts took.
    pub total_duration: u64,
    /// Bytes of inputs.
    pub total_input_bytes: u64,
    /// Bytes of map outputs that were read.
    pub total_shuffle_read: u64,
    /// The same, written.
    pub total_shuffle_write: u64,
}

/// Something that people were told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Note {
    /// Whether something is wrong.
    pub is_wrong: bool,
    /// The text.
    pub text: String,
}

/// What Mesquite says of what waits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// The last things that people were told, the oldest one first.
    pub told: Vec<Note>,
}

/// How many tasks of these stages are done, and how many there are, but those of stages
/// that never ran.
pub fn done(stages: &[Stage]) -> (u64, u64) {
    let counted = stages.iter().filter(|it| it.status != "SKIPPED");
    counted.fold((0, 0), |(done, all), it| {
        (done + it.num_completed_indices, all + it.num_tasks)
    })
}
