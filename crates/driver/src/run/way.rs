//! What a way to run brings.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::conf::Conf;
use crate::conf::properties::storage::LOCAL_DIR;
use crate::core::input::Input;
use crate::delivery::Fetcher;
use crate::error::RunError;
use crate::event_loop::ExecutorSource;
use crate::office::Office;
use crate::report::Mode;
use mesquite_core::backend::manager::ClusterManager;
use mesquite_engine::storage::lock::WorkFolder;
use mesquite_status::live::AttemptLogs;

/// What a way to run brings.
pub(super) struct Way {
    pub(super) app_id: String,
    /// Where the page of Mesos's master is, if there is one.
    pub(super) master: Option<String>,
    pub(super) manager: Box<dyn ClusterManager>,
    pub(super) source: ExecutorSource,
    pub(super) fetcher: Fetcher,
    pub(super) logs: Arc<dyn AttemptLogs>,
    pub(super) mode: Mode,
    pub(super) registered_seconds: f64,
    /// What Mesos said first.
    pub(super) subscribed: Option<Input>,
    /// The number of the next connection, if connections outlive a driver.
    pub(super) connections: Option<Arc<AtomicU64>>,
    pub(super) held: Held,
}

/// What is there for as long as the run is.
#[derive(Default)]
pub(super) struct Held {
    pub(super) _office: Option<Office>,
    pub(super) _folder: Option<WorkFolder>,
}

/// The name of an application that no master gives one.
pub(super) fn new_app_id() -> String {
    format!("mesquite-{}", uuid::Uuid::new_v4())
}

/// The folder of map outputs and spilled records; gone when the run is.
pub(super) fn work_folder(conf: &Conf) -> Result<WorkFolder, RunError> {
    let parent = conf.get(&LOCAL_DIR).unwrap_or_else(std::env::temp_dir);
    WorkFolder::make(&parent).map_err(|error| RunError::WorkFolder {
        path: parent,
        error,
    })
}
