//! What is known of a run before anything is done for it, and what is said of it at its end.
//!
//! Responsible for the driver of a run, which is made of the same settings whoever runs it:
//! a driver that begins, one that goes on, and one that only tells the results again.

use std::sync::Arc;

use bytes::Bytes;

use super::core::allocation::{AllocationConfig, tasks_at_once};
use super::core::{Driver, DriverParts, Results, record};
use super::error::RunError;
use super::office::{longest_message, welcome};
use super::recovery::Identity;
use super::report::{JobReport, Mode, Report, Status};
use super::saves::{saves, with_rest};
use crate::conf::Conf;
use crate::conf::properties::allocation::is_dynamic;
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties::scheduler::TASK_CPUS;
use crate::plan::application::Application;
use mesquite_core::backend::manager::ClusterManager;
use mesquite_engine::storage::sink::{finished_before, is_saved};
use mesquite_engine::task::memory::size::ExecutorMemory;
use mesquite_scheduler::pool::PoolDefinition;
use mesquite_scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};

/// What is known of a run before anything is done for it.
pub(super) struct Settled<'a> {
    pub(super) application: Arc<Application>,
    pub(super) conf: &'a Conf,
    pub(super) core: Core,
    /// Whether somebody reads all that happens, and not only what people are told.
    pub(super) tells_all: bool,
}

impl Settled<'_> {
    /// The decisions of the run; the same for each driver that goes on with it.
    pub(super) fn driver(
        self,
        app_id: &str,
        (program, memory): (Bytes, ExecutorMemory),
        (manager, mode): (Box<dyn ClusterManager>, Mode),
        keeps: bool,
    ) -> Driver {
        let conf = self.conf;
        Driver::new(DriverParts {
            core: self.core,
            welcome: welcome(app_id, program, memory, conf, mode),
            application: self.application,
            manager,
            task_cpus: conf.get(&TASK_CPUS),
            named: tasks_at_once(conf),
            allocation: AllocationConfig::of(conf),
            keeps,
            tells_all: self.tells_all,
            longest_message: longest_message(conf, mode),
            is_saved,
        })
    }
}

/// Who the run is, and what is settled of it: a run that goes on is about what was there
/// when it began.
pub(super) fn settle<'a>(
    application: Application,
    pools: Option<&[PoolDefinition]>,
    conf: &'a Conf,
    tells_all: bool,
) -> Result<(Identity, Settled<'a>), RunError> {
    let there = || finished_before(saves(&application));
    let identity = Identity::establish(&application, conf, there)?;
    let application = Arc::new(with_rest(application, &identity.run.there));
    let core = core(&application, pools, conf, identity.run.seed);
    let settled = Settled {
        application,
        conf,
        core,
        tells_all,
    };
    Ok((identity, settled))
}

/// The scheduling core with the settings in effect.
fn core(
    application: &Application,
    pools: Option<&[PoolDefinition]>,
    conf: &Conf,
    seed: u64,
) -> Core {
    Core::new(
        Arc::clone(&application.plan),
        DagSchedulerConfig::from_conf(conf),
        TaskSchedulerConfig {
            // Another executor on the same host serves them.
            outputs_outlive_executors: true,
            dynamic_allocation: is_dynamic(conf),
            ..TaskSchedulerConfig::from_conf(conf)
        },
        pools,
        seed,
    )
}

/// What a report says of a run beside its results.
pub(super) struct About {
    app_id: String,
    name: String,
    master: String,
    mode: Mode,
}

impl About {
    pub(super) fn of(conf: &Conf, app_id: String, mode: Mode) -> Self {
        Self {
            app_id,
            name: conf.get(&APP_NAME),
            master: conf.get(&MASTER).to_string(),
            mode,
        }
    }
}

/// What came of a run.
pub(super) fn report(driver: Driver, about: About, ended: record::Ended) -> Report {
    let Results {
        totals,
        jobs,
        left_out,
        sums,
    } = driver.into_results();
    let too_many = left_out.iter().any(|it| it.too_many.is_some());
    Report {
        app_id: about.app_id,
        name: about.name,
        master: about.master,
        mode: about.mode,
        status: status_of(&jobs, too_many),
        seconds: ended.seconds,
        registered_seconds: ended.registered_seconds,
        shuffle_bytes_read: totals.shuffle_bytes_read,
        shuffle_bytes_fetched: totals.shuffle_bytes_fetched,
        spilled_bytes: totals.spilled_bytes,
        jobs,
        sums,
        event_log: None,
        left_out,
    }
}

fn status_of(jobs: &[JobReport], too_many: bool) -> Status {
    let any = |status| jobs.iter().any(|job| job.status == status);
    if any(Status::Cancelled) {
        Status::Cancelled
    } else if too_many || any(Status::Failed) {
        Status::Failed
    } else {
        Status::Succeeded
    }
}
