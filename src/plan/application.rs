//! An application: datasets, what they do, and what is asked of them.
//!
//! Responsible for the one value that the job file and programs in Rust are
//! read into, and that the driver runs. Pure.

use std::sync::Arc;

use crate::ids::DatasetId;
use crate::plan::Plan;
use crate::plan::operation::Program;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its name, if it has one of its own.
    pub name: Option<Arc<str>>,
    /// What scheduling knows.
    pub plan: Arc<Plan>,
    /// What executors know, with the same ids.
    pub program: Arc<Program>,
    /// What is asked for; each becomes a job.
    pub actions: Vec<Action>,
}

/// Something asked of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The dataset.
    pub dataset: DatasetId,
    /// What.
    pub kind: ActionKind,
    /// The pool that its job goes to.
    pub pool: Option<Arc<str>>,
}

/// What is asked of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Files in a folder, one for each partition.
    Save {
        /// The folder.
        to: String,
        /// How the files are packed.
        compress: Compression,
        /// Whether what is in the folder is replaced.
        overwrite: bool,
    },
    /// The records, printed.
    Collect {
        /// At most so many of them.
        limit: Option<u64>,
    },
    /// How many records there are.
    Count,
}

/// How saved files are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As `.gz`.
    Gzip,
    /// As `.zst`.
    Zstd,
}

impl Compression {
    /// As in job files; empty for none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl ActionKind {
    /// As in job files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Save { .. } => "save",
            Self::Collect { .. } => "collect",
            Self::Count => "count",
        }
    }
}
