//! One run of an application, from its settings to its report.
//!
//! Responsible for putting a run together: the core with its settings, the
//! executors that the master URL asks for, and their end in any case.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::binary::Binary;
use super::core::fleet::Fleet;
use super::core::input::Input;
use super::core::processes::Processes;
use super::core::replay::replay;
use super::core::{Driver, DriverParts, Over, record};
use super::event_loop::{EventLoop, Fetcher, Shell, Source};
use super::framework::{forward, host_for, mesos_config, subscribe};
use super::journal::JournalError;
use super::office::{Office, listen, welcome};
use super::processes::{ProcessRunner, ProcessSettings};
use super::recovery::Identity;
use super::report::{JobReport, Listener, Mode, Report, Status};
use super::threads;
use crate::backend::mesos_coarse::{MesosCoarse, MesosCoarseConfig};
use crate::backend::mesos_fine::{MesosFine, MesosFineConfig};
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
use crate::timer::AbortOnDrop;

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
    /// The run cannot be kept, or not be gone on with.
    #[error("mesquite.recovery.dir: {0}")]
    Recovery(String),
    /// The same, because of its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
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
    let application = Arc::new(application);
    let mut identity = Identity::establish(&application, conf)?;
    let clock = identity.clock();
    let began = clock.now();
    let core = core(&application, conf, identity.run.seed)?;
    if identity.earlier.is_none() {
        for (to, overwrite) in saves(&application) {
            sink::check(to, overwrite)?;
        }
    }
    let folder = WorkFolder::make(conf)?;
    // It outlives the loop: a client that nobody listens to gives up.
    let (arrivals, mut receiver) = mpsc::unbounded_channel();
    let mut registered_seconds = 0.0;
    let mut app_id = format!("mesquite-{}", uuid::Uuid::new_v4());
    let master = conf.get(&MASTER);
    let name = conf.get(&APP_NAME);
    let mut subscribed = None;
    let mut connections = None;
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
            let secret = &identity.run.secret;
            let office = Office::open(("127.0.0.1", 0), secret, conf, &arrivals).await?;
            let settings = ProcessSettings {
                cores: cores.get(),
                driver: office.address(),
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
            let binary = Binary::own().map_err(RunError::System)?;
            let mut config = mesos.ok_or(RunError::NoMesos)?;
            config.framework.id = Some(identity.run.framework.clone());
            let (client, notices, granted) =
                subscribe(config, conf, clock, &mut interrupts).await?;
            registered_seconds = (clock.now() - began).as_secs_f64();
            app_id = granted.framework.as_str().to_owned();
            let earlier = identity.office().cloned();
            let (host, port, binary_port) = match &earlier {
                Some(earlier) => (earlier.host.clone(), earlier.port, earlier.binary_port),
                None => (host_for(conf, &granted.endpoint), 0, 0),
            };
            let secret = &identity.run.secret;
            let office = Office::open((&host, port), secret, conf, &arrivals).await?;
            let listener = listen("0.0.0.0", binary_port).await?;
            let binary_port = listener.local_addr().map_err(RunError::System)?.port();
            if earlier.is_none() {
                identity.keep_office(record::Office {
                    host,
                    port: office.port,
                    binary_port,
                })?;
            }
            let shared = mesos_config(&office, &binary, binary_port, &app_id, conf)?;
            let serving = AbortOnDrop::spawn(binary.serve(listener));
            subscribed = Some(Input::Mesos(granted.notice));
            let (fleet, mode) = if conf.get(&COARSE) {
                let backend = MesosCoarse::new(shared);
                (Fleet::Coarse(Box::new(backend)), Mode::Coarse)
            } else {
                let backend = MesosFine::new(fine_config(shared, conf));
                (Fleet::Fine(Box::new(backend)), Mode::Fine)
            };
            forward(notices, arrivals.clone());
            let fetcher = office.fetcher();
            connections = Some(Arc::clone(&office.next));
            _office = Some(office);
            _serving_binary = Some(serving);
            (fleet, Source::Mesos(client), fetcher, mode)
        }
    };
    let steps = identity.earlier.take().map_or_else(Vec::new, |it| it.steps);
    if steps.is_empty() {
        for (to, _) in saves(&application) {
            sink::prepare(to)?;
        }
    }
    let interrupted = arrivals.clone();
    let watching = tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            let _ = interrupted.send(Input::Interrupted.into());
        }
    });
    let mut driver = Driver::new(DriverParts {
        core,
        welcome: welcome(&app_id, &application, conf)?,
        application,
        fleet,
        task_cpus: conf.get(&TASK_CPUS),
        keeps: identity.journal.is_some(),
    });
    let resumed = if steps.is_empty() {
        None
    } else {
        let replayed = replay(&mut driver, steps);
        Some(replayed.map_err(|error| RunError::Recovery(error.to_string()))?)
    };
    let shell = Shell {
        clock,
        source,
        fetcher,
        arrivals,
        journal: identity.journal,
    };
    let mut running = EventLoop::new(driver, shell, listener);
    match resumed {
        None => running.run(vec![Input::Started], &mut receiver).await,
        Some(resumed) => {
            if let Some(connections) = connections {
                connections.fetch_max(resumed.next_connection.0, Ordering::Relaxed);
            }
            let mut inputs = vec![Input::Recovered];
            inputs.extend(subscribed);
            inputs.extend(running.go_on(resumed));
            running.run(inputs, &mut receiver).await;
        }
    }
    running.stop(&mut receiver).await;
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
fn core(application: &Application, conf: &Conf, seed: u64) -> Result<Core, RunError> {
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
        seed,
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
