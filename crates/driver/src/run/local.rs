//! On threads of this process (`local[N]`).

use std::sync::Arc;

use super::way::{Held, Way, new_app_id, work_folder};
use crate::attempt_logs;
use crate::conf::master_url::Threads;
use crate::error::RunError;
use crate::event_loop::ExecutorSource;
use crate::given::Given;
use crate::plan::application::Application;
use crate::report::Mode;
use crate::threads;
use mesquite_core::backend;
use mesquite_engine::executor::functions::Functions;
use mesquite_engine::task::memory::size::ExecutorMemory;

pub(super) fn way(
    count: Threads,
    work: (&Application, Arc<dyn Functions>),
    memory: ExecutorMemory,
    given: Given<'_>,
) -> Result<Way, RunError> {
    let folder = work_folder(given.conf)?;
    let app_id = new_app_id();
    let logs = threads::logs(given.conf, &folder);
    let read = attempt_logs::of_threads(logs.clone());
    threads::start(count, &app_id, work, memory, (&folder, logs), given)?;
    Ok(Way {
        app_id,
        master: None,
        manager: Box::new(backend::threads::Threads),
        source: ExecutorSource::Threads,
        fetcher: Arc::new(|_, _, _| Box::pin(async { Err("threads keep no results".into()) })),
        logs: read,
        mode: Mode::Local,
        registered_seconds: 0.0,
        subscribed: None,
        connections: None,
        held: Held {
            _office: None,
            _folder: Some(folder),
        },
    })
}
