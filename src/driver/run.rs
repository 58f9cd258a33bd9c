//! One run of an application, from its settings to its report.
//!
//! Responsible for putting a run together: the core with its settings, the
//! executors that the master URL asks for, and their end in any case.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::cluster::{Cluster, Fetcher, Provider, Transport};
use super::event_loop::EventLoop;
use super::input::{CommitAnswer, Input};
use super::processes::{ProcessSettings, Processes};
use super::report::{JobReport, Listener, Mode, Report, Status};
use super::server::serve;
use super::work::BlockPlace;
use crate::backend::executors::NewExecutor;
use crate::clock::SystemClock;
use crate::conf::master_url::{MasterUrl, Threads};
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties::scheduler::SCHEDULER_ALLOCATION_FILE;
use crate::conf::properties::storage::{
    LOCAL_DIR, MAX_DIRECT_RESULT_SIZE, STORAGE_MEMORY, TASK_MEMORY,
};
use crate::conf::property::Property;
use crate::conf::{ByteSize, Conf};
use crate::executor::engine::{Committer, Engine};
use crate::executor::pool::TaskPool;
use crate::executor::worker::setting;
use crate::ids::{ExecutorId, Partition, StageId, TaskId};
use crate::plan::application::{ActionKind, Application};
use crate::rpc::frame::Secret;
use crate::rpc::message::{Task, from_driver};
use crate::scheduler::config::ConfigProblem;
use crate::scheduler::pools_file::{PoolsFile, PoolsFileError};
use crate::scheduler::task::TaskNeeds;
use crate::scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};
use crate::storage::blocks::BlockClient;
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{NoNetwork, ShuffleReader};
use crate::storage::sink::{self, SinkError};
use crate::task::Cancel;
use crate::timer::AbortOnDrop;

/// The executor of tasks that the driver runs itself.
const LOCAL: &str = "driver";

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
    let (inputs, receiver) = mpsc::unbounded_channel();
    let app_id = format!("mesquite-{}", uuid::Uuid::new_v4());
    let master = conf.get(&MASTER);
    let name = conf.get(&APP_NAME);
    let _office;
    let (cluster, mode) = match &master {
        MasterUrl::Local { threads, .. } => (
            local(*threads, &app_id, &application, conf, &folder, &inputs)?,
            Mode::Local,
        ),
        MasterUrl::LocalCluster {
            executors, cores, ..
        } => {
            let office = Office::open("127.0.0.1", &inputs).await?;
            let settings = ProcessSettings {
                executors: executors.get(),
                cores: cores.get(),
                driver: office.address.clone(),
                secret: office.secret.clone(),
                folder: folder.0.clone(),
            };
            let provider = Box::new(Processes::new(settings, inputs.clone()));
            let cluster = linked(&office, &app_id, &application, conf, provider)?;
            _office = Some(office);
            (cluster, Mode::LocalCluster)
        }
        MasterUrl::Mesos(_) => {
            return Err(RunError::System(std::io::Error::other(
                "jobs cannot run on Mesos yet",
            )));
        }
    };
    for (to, overwrite) in saves(&application) {
        sink::prepare(to, overwrite)?;
    }
    let interrupted = inputs.clone();
    let watching = tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            let _ = interrupted.send(Input::Interrupted);
        }
    });
    let mut running = EventLoop::new(clock, core, cluster, application, listener, inputs);
    running.run(receiver).await;
    running.cluster.stop().await;
    watching.abort();
    let (totals, jobs) = running.into_results();
    let seconds = (clock.now() - crate::clock::Timestamp::ZERO).as_secs_f64();
    Ok(Report {
        app_id,
        name,
        master: master.to_string(),
        mode,
        status: status_of(&jobs),
        seconds,
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
        TaskSchedulerConfig::from_conf(conf),
        pools.as_ref().map(|it| it.pools.as_slice()),
        fastrand::u64(..),
    )
    .map_err(RunError::Settings)
}

/// The folder of map outputs and spilled records; gone when the run is.
struct WorkFolder(PathBuf);

impl WorkFolder {
    fn make(conf: &Conf) -> Result<Self, RunError> {
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

/// Tasks on threads of this process.
fn local(
    threads: Threads,
    app_id: &str,
    application: &Application,
    conf: &Conf,
    folder: &WorkFolder,
    inputs: &mpsc::UnboundedSender<Input>,
) -> Result<Cluster, RunError> {
    let cores = match threads {
        Threads::Count(count) => count.get(),
        Threads::All => std::thread::available_parallelism()
            .ok()
            .and_then(|count| u32::try_from(count.get()).ok())
            .unwrap_or(1),
    };
    let host = "localhost";
    let engine = Engine {
        app_id: app_id.into(),
        program: Arc::clone(&application.program),
        folder: folder.0.clone(),
        memory: conf.get(&TASK_MEMORY).whole_bytes(),
        // Nothing is gained by a file between two threads.
        max_direct_result: usize::MAX,
        shuffles: ShuffleReader {
            host: host.into(),
            network: Arc::new(NoNetwork),
        },
        persisted: Arc::new(Persisted::new(
            &folder.0,
            conf.get(&STORAGE_MEMORY).whole_bytes(),
            None,
        )),
        committer: Arc::new(LocalCommitter(inputs.clone())),
        clock: SystemClock::start(),
    };
    let executor = ExecutorId::from(LOCAL);
    let (ends, of) = (inputs.clone(), executor.clone());
    let on_end = move |task: Task, outcome| {
        let ended = Input::Ended {
            executor: of.clone(),
            task: TaskId(task.id),
            outcome,
        };
        // Without the loop nobody waits for it.
        let _ = ends.send(ended);
    };
    let pool = TaskPool::start(cores as usize, Arc::new(engine), Box::new(on_end))
        .map_err(RunError::System)?;
    let new = NewExecutor {
        executor: executor.clone(),
        host: host.into(),
        cores,
        resources: Vec::new(),
    };
    let fetcher: Fetcher =
        Arc::new(|_, _| Box::pin(async { Err("results of threads are not fetched".into()) }));
    let mut cluster = Cluster::new(Transport::Threads { pool, executor }, fetcher, Some(new));
    cluster.set_place(BlockPlace {
        address: String::new(),
        folder: folder.0.to_string_lossy().into_owned(),
    });
    Ok(cluster)
}

/// Where executors find the driver, and by what they know each other.
struct Office {
    address: String,
    secret: String,
    blocks: BlockClient,
    _serving: AbortOnDrop,
}

impl Office {
    /// Listens on a free port of `host`.
    async fn open(host: &str, inputs: &mpsc::UnboundedSender<Input>) -> Result<Self, RunError> {
        let listener = TcpListener::bind((host, 0))
            .await
            .map_err(RunError::System)?;
        let port = listener.local_addr().map_err(RunError::System)?.port();
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let serving = serve(listener, Secret::new(&secret), inputs.clone());
        let blocks = BlockClient::new(&secret, tokio::runtime::Handle::current())
            .map_err(|error| RunError::System(std::io::Error::other(error)))?;
        Ok(Self {
            address: format!("{host}:{port}"),
            secret,
            blocks,
            _serving: AbortOnDrop::spawn(serving),
        })
    }
}

/// Tasks on executors that connect.
fn linked(
    office: &Office,
    app_id: &str,
    application: &Application,
    conf: &Conf,
    provider: Box<dyn Provider>,
) -> Result<Cluster, RunError> {
    let program = serde_json::to_vec(&*application.program)
        .map_err(|error| RunError::System(error.into()))?;
    let bytes = |property: &Property<ByteSize>| conf.get(property).whole_bytes().to_string();
    let settings = [
        (setting::TASK_MEMORY, bytes(&TASK_MEMORY)),
        (setting::STORAGE_MEMORY, bytes(&STORAGE_MEMORY)),
        (setting::MAX_DIRECT_RESULT, bytes(&MAX_DIRECT_RESULT_SIZE)),
    ];
    let welcome = from_driver::Registered {
        program: program.into(),
        app_id: app_id.to_owned(),
        conf: settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    };
    let blocks = office.blocks.clone();
    let fetcher: Fetcher = Arc::new(move |place, task| {
        let (blocks, address) = (blocks.clone(), place.address.clone());
        Box::pin(async move {
            let result = blocks.result(&address, task, u64::MAX).await;
            result.map(Into::into).map_err(|error| error.to_string())
        })
    });
    let transport = Transport::Links {
        links: BTreeMap::new(),
        welcome,
        provider,
    };
    Ok(Cluster::new(transport, fetcher, None))
}

/// Asks the loop of this process.
struct LocalCommitter(mpsc::UnboundedSender<Input>);

impl Committer for LocalCommitter {
    fn may_commit(&self, task: &Task, cancel: &Cancel) -> bool {
        let (answer, answered) = std::sync::mpsc::channel();
        let stopped = answer.clone();
        let _wake = cancel.on_cancel(move || {
            let _ = stopped.send(false);
        });
        let asked = self.0.send(Input::Commit {
            task: TaskId(task.id),
            stage: StageId(task.stage),
            partition: Partition(task.partition),
            answer: CommitAnswer::Thread(answer),
        });
        asked.is_ok() && answered.recv().unwrap_or(false)
    }
}
