//! On processes of this machine (`local-cluster[N,cores,MiB]`).

use super::way::{Held, Way, new_app_id, work_folder};
use crate::error::RunError;
use crate::event_loop::ExecutorSource;
use crate::given::Given;
use crate::office::Office;
use crate::processes::{ProcessRunner, ProcessSettings};
use crate::report::Mode;
use mesquite_core::backend::manager::ClusterManager;
use mesquite_system::ports::Ports;

/// The driver and its executors are on one machine.
const HERE: &str = "127.0.0.1";

pub(super) fn way(
    manager: Box<dyn ClusterManager>,
    cores: u32,
    secret: &str,
    given: Given<'_>,
) -> Result<Way, RunError> {
    let folder = work_folder(given.conf)?;
    let within = Some(folder.path());
    let office = Office::open(HERE, (HERE, Ports::ANY), secret, within, given)?;
    let settings = ProcessSettings {
        cores,
        driver: office.address(),
        badges: office.badges.clone(),
        folder: folder.path().to_owned(),
    };
    Ok(Way {
        app_id: new_app_id(),
        master: None,
        manager,
        source: ExecutorSource::Processes(ProcessRunner::new(settings, given.arrivals.clone())),
        fetcher: office.fetcher(),
        logs: office.logs(),
        mode: Mode::LocalCluster,
        registered_seconds: 0.0,
        subscribed: None,
        connections: None,
        held: Held {
            _office: Some(office),
            _folder: Some(folder),
        },
    })
}
