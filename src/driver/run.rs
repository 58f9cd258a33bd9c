//! One run of an application, from its settings to its report.
//!
//! Responsible for putting a run together: the core with its settings, the
//! executors that the master URL asks for, and their end in any case.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::core::fleet::Fleet;
use super::core::input::Input;
use super::core::processes::Processes;
use super::core::{Driver, DriverParts, Over};
use super::event_loop::{EventLoop, Fetcher, Source};
use super::framework::{forward, host_for, mesos_config, subscribe};
use super::office::{Office, welcome};
use super::processes::{ProcessRunner, ProcessSettings};
use super::report::{JobReport, Listener, Mode, Report, Status};
use super::threads;
use crate::backend::mesos_coarse::{MesosCoarse, MesosCoarseConfig};
use crate::backend::mesos_fine::{MesosFine, MesosFineConfig};
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::master_url::MasterUrl;
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties::executor::EXECUTOR_IDLE_TIMEOUT;
use crate::conf::properties::mesos::{COARSE, FINE_EXECUTOR_CORES};
use crate::conf::properties::scheduler::{SCHEDULER_ALLOCATION_FILE, TASK_CPUS};
use crate::conf::properties::storage::LOCAL_DIR;
use crate::mesos::client::ClientConfig;
use crate::offers::Requirement;
use crate::plan::application::{ActionKind, Application};
use crate::resources::{Demand, Scalar};
use crate::scheduler::config::ConfigProblem;
use crate::scheduler::pools_file::{PoolsFile, PoolsFileError};
use crate::scheduler::task::TaskNeeds;
use crate::scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};
use crate::storage::sink::{self, SinkError};

/// Why a run did not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The pools cannot be read.
    #[error("cannot read the allocation file {}", path.display())]
    PoolsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The pools make no sense.
    #[error(transparent)]
    Pools(#[from] PoolsFileError),
    /// Settings contradict each other.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<ConfigProblem>),
    /// What agents must be like cannot be read.
    #[error("spark.mesos.constraints: {0}")]
    Constraints(String),
    /// A folder to save to cannot be used.
    #[error(transparent)]
    Save(#[from] SinkError),
    /// There is no folder for map outputs.
    #[error("cannot make a work folder in {}", path.display())]
    WorkFolder {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The settings name a Mesos master, but not how to speak to it.
    #[error("no connection to a Mesos master was set up")]
    NoMesos,
    /// No master granted a subscription.
    #[error("cannot register with Mesos: {0}")]
    NoMaster(String),
    /// The framework was removed while jobs ran.
    #[error("the framework was removed: {0}")]
    Removed(String),
    /// The user wanted an end before it began.
    #[error("interrupted")]
    Interrupted,
    /// The process cannot do its work at all.
    #[error("cannot start")]
    System(#[source] std::io::Error),
}

/// Runs an application to its end. `interrupts` gives an item each time the
/// user wants an end: the first one ends it in good order, the second at once.
///
/// # Errors
/// It cannot begin. What goes wrong later is in the report.
pub async fn run(
    application: Application,
    conf: &Conf,
    mesos: Option<ClientConfig>,
    listener: &mut dyn Listener,
    mut interrupts: mpsc::UnboundedReceiver<()>,
) -> Result<Report, RunError> {
    let clock = SystemClock::start();
    let application = Arc::new(application);
    let core = core(&application, conf)?;
    for (to, overwrite) in saves(&application) {
        sink::check(to, overwrite)?;
    }
    let folder = WorkFolder::make(conf)?;
    let (arrivals, receiver) = mpsc::unbounded_channel();
    let mut registered_seconds = 0.0;
    let mut app_id = format!("mesquite-{}", uuid::Uuid::new_v4());
    let master = conf.get(&MASTER);
    let name = conf.get(&APP_NAME);
    let _office;
    let _serving_binary;
    let (fleet, source, fetcher, mode): (_, _, Fetcher, _) = match &master {
        MasterUrl::Local { threads: count, .. } => {
            threads::start(*count, &app_id, &application, conf, &folder, &arrivals)?;
            let fetcher: Fetcher =
                Arc::new(|_, _| Box::pin(async { Err("threads keep no results".into()) }));
            (Fleet::Threads, Source::Threads, fetcher, Mode::Local)
        }
        MasterUrl::LocalCluster {
            executors, cores, ..
        } => {
            let office = Office::open("127.0.0.1", conf, &arrivals).await?;
            let settings = ProcessSettings {
                cores: cores.get(),
                driver: office.address.clone(),
                secret: office.secret.clone(),
                folder: folder.0.clone(),
            };
            let fleet = Fleet::Processes(Processes::new(executors.get()));
            let runner = ProcessRunner::new(settings, arrivals.clone());
            let fetcher = office.fetcher();
            _office = Some(office);
            (
                fleet,
                Source::Processes(runner),
                fetcher,
                Mode::LocalCluster,
            )
        }
        MasterUrl::Mesos(_) => {
            let config = mesos.ok_or(RunError::NoMesos)?;
            let (client, notices, subscribed) =
                subscribe(config, conf, clock, &mut interrupts).await?;
            registered_seconds = clock.now().since_start().as_secs_f64();
            app_id = subscribed.framework.as_str().to_owned();
            let host = host_for(conf, &subscribed.endpoint);
            let office = Office::open(&host, conf, &arrivals).await?;
            let (shared, serving) = mesos_config(&office, &app_id, conf).await?;
            let (fleet, mode) = if conf.get(&COARSE) {
                let backend = MesosCoarse::new(shared);
                (Fleet::Coarse(Box::new(backend)), Mode::Coarse)
            } else {
                let backend = MesosFine::new(fine_config(shared, conf));
                (Fleet::Fine(Box::new(backend)), Mode::Fine)
            };
            forward(notices, arrivals.clone());
            let fetcher = office.fetcher();
            _office = Some(office);
            _serving_binary = Some(serving);
            (fleet, Source::Mesos(client), fetcher, mode)
        }
    };
    for (to, overwrite) in saves(&application) {
        sink::prepare(to, overwrite)?;
    }
    let interrupted = arrivals.clone();
    let watching = tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            let _ = interrupted.send(Input::Interrupted.into());
        }
    });
    let driver = Driver::new(DriverParts {
        core,
        welcome: welcome(&app_id, &application, conf)?,
        application,
        fleet,
        task_cpus: conf.get(&TASK_CPUS),
    });
    let mut running = EventLoop::new(clock, driver, source, fetcher, listener, arrivals);
    running.run(receiver).await;
    running.stop().await;
    watching.abort();
    if let Some(Over::Removed(why)) = running.driver.over() {
        return Err(RunError::Removed(why.clone()));
    }
    let (totals, jobs) = running.driver.into_results();
    let seconds = clock.now().since_start().as_secs_f64();
    Ok(Report {
        app_id,
        name,
        master: master.to_string(),
        mode,
        status: status_of(&jobs),
        seconds,
        registered_seconds,
        shuffle_bytes_read: totals.shuffle_bytes_read,
        shuffle_bytes_fetched: totals.shuffle_bytes_fetched,
        spilled_bytes: totals.spilled_bytes,
        jobs,
    })
}

fn saves(application: &Application) -> impl Iterator<Item = (&str, bool)> {
    application.actions.iter().filter_map(|it| match &it.kind {
        ActionKind::Save { to, overwrite, .. } => Some((to.as_str(), *overwrite)),
        ActionKind::Collect { .. } | ActionKind::Count => None,
    })
}

fn status_of(jobs: &[JobReport]) -> Status {
    let any = |status| jobs.iter().any(|job| job.status == status);
    if any(Status::Cancelled) {
        Status::Cancelled
    } else if any(Status::Failed) {
        Status::Failed
    } else {
        Status::Succeeded
    }
}

/// The scheduling core with the settings in effect.
fn core(application: &Application, conf: &Conf) -> Result<Core, RunError> {
    let pools = match conf.get(&SCHEDULER_ALLOCATION_FILE) {
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| RunError::PoolsFile {
                path: path.clone(),
                error,
            })?;
            Some(PoolsFile::read(&path.to_string_lossy(), &text)?)
        }
        None => None,
    };
    let dag = DagSchedulerConfig {
        task_needs: TaskNeeds::from_conf(conf),
        ..DagSchedulerConfig::default()
    };
    Core::new(
        Arc::clone(&application.plan),
        dag,
        TaskSchedulerConfig {
            // Another executor on the same host serves them.
            outputs_outlive_executors: true,
            ..TaskSchedulerConfig::from_conf(conf)
        },
        pools.as_ref().map(|it| it.pools.as_slice()),
        fastrand::u64(..),
    )
    .map_err(RunError::Settings)
}

/// The folder of map outputs and spilled records; gone when the run is.
pub(super) struct WorkFolder(pub(super) PathBuf);

impl WorkFolder {
    pub(super) fn make(conf: &Conf) -> Result<Self, RunError> {
        let parent = conf.get(&LOCAL_DIR).unwrap_or_else(std::env::temp_dir);
        let folder = parent.join(format!("mesquite-{}", uuid::Uuid::new_v4()));
        match std::fs::create_dir_all(&folder) {
            Ok(()) => Ok(Self(folder)),
            Err(error) => Err(RunError::WorkFolder {
                path: parent,
                error,
            }),
        }
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What fine mode is told beyond what coarse mode is.
fn fine_config(shared: MesosCoarseConfig, conf: &Conf) -> MesosFineConfig {
    let cores = conf.get(&FINE_EXECUTOR_CORES);
    MesosFineConfig {
        shared: MesosCoarseConfig {
            requirement: Requirement {
                demand: Demand::new(),
                ..shared.requirement.clone()
            },
            ..shared
        },
        executor_cores: Scalar::from_milli((cores * 1000.0).round() as u64),
        idle_timeout: conf.get(&EXECUTOR_IDLE_TIMEOUT),
    }
}
