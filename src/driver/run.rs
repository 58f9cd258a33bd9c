//! One run of an application, from its settings to its report.
//!
//! Responsible for putting a run together: the core with its settings, the
//! executors that the master URL asks for, and their end in any case.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::binary::Binary;
use super::cluster::{Cluster, ClusterInput, Fetcher, Over, Provider, Transport};
use super::event_loop::EventLoop;
use super::fine::FineTasks;
use super::input::{CommitAnswer, Input};
use super::mesos::MesosExecutors;
use super::processes::{ProcessSettings, Processes};
use super::report::{JobReport, Listener, Mode, Report, Status};
use super::server::serve;
use super::work::BlockPlace;
use crate::backend::executor_size::ExecutorSize;
use crate::backend::executors::NewExecutor;
use crate::backend::mesos_coarse::{MesosCoarse, MesosCoarseConfig};
use crate::backend::mesos_fine::{MesosFine, MesosFineConfig};
use crate::clock::SystemClock;
use crate::conf::master_url::{MasterUrl, Threads};
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties::executor::{CORES_MAX, EXECUTOR_IDLE_TIMEOUT};
use crate::conf::properties::mesos::{
    COARSE, CONSTRAINTS, DRIVER_HOST, EXECUTOR_HOME, EXECUTOR_URI, FINE_EXECUTOR_CORES,
    NETWORK_TIMEOUT, PLACEMENT, Placement, REGISTRATION_TIMEOUT, REJECT_OFFER_DURATION,
    REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES, REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS, ROLE,
};
use crate::conf::properties::scheduler::{SCHEDULER_ALLOCATION_FILE, TASK_CPUS};
use crate::conf::properties::storage::{
    LOCAL_DIR, MAX_DIRECT_RESULT_SIZE, STORAGE_MEMORY, TASK_MEMORY,
};
use crate::conf::property::Property;
use crate::conf::{ByteSize, Conf};
use crate::executor::engine::{Committer, Engine};
use crate::executor::pool::{RunTask, TaskPool};
use crate::executor::worker::{setting, variable};
use crate::ids::{ExecutorId, FrameworkId, Partition, StageId, TaskId};
use crate::mesos::client::{Client, ClientConfig};
use crate::mesos::endpoint::Endpoint;
use crate::mesos::subscription::Notice;
use crate::mesos::task::Variable;
use crate::offers::{Constraints, ConstraintsError, RefusePolicy, Requirement};
use crate::plan::application::{ActionKind, Application};
use crate::resources::{Demand, Scalar};
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
    let (inputs, receiver) = mpsc::unbounded_channel();
    let mut registered_seconds = 0.0;
    let mut app_id = format!("mesquite-{}", uuid::Uuid::new_v4());
    let master = conf.get(&MASTER);
    let name = conf.get(&APP_NAME);
    let _office;
    let _serving_binary;
    let (cluster, mode) = match &master {
        MasterUrl::Local { threads, .. } => (
            local(*threads, &app_id, &application, conf, &folder, &inputs)?,
            Mode::Local,
        ),
        MasterUrl::LocalCluster {
            executors, cores, ..
        } => {
            let office = Office::open("127.0.0.1", conf, &inputs).await?;
            let settings = ProcessSettings {
                executors: executors.get(),
                cores: cores.get(),
                driver: office.address.clone(),
                secret: office.secret.clone(),
                folder: folder.0.clone(),
            };
            let provider = Box::new(Processes::new(settings, inputs.clone()));
            let welcome = welcome(&app_id, &application, conf)?;
            let cluster = Cluster::new(links(welcome, provider), office.fetcher(), None);
            _office = Some(office);
            (cluster, Mode::LocalCluster)
        }
        MasterUrl::Mesos(_) => {
            let config = mesos.ok_or(RunError::NoMesos)?;
            let (client, notices, subscribed) =
                subscribe(config, conf, clock, &mut interrupts).await?;
            registered_seconds = clock.now().since_start().as_secs_f64();
            app_id = subscribed.framework.as_str().to_owned();
            let office = Office::open(&host_for(conf, &subscribed.endpoint), conf, &inputs).await?;
            let (shared, serving) = mesos_config(&office, &app_id, conf).await?;
            let welcome = welcome(&app_id, &application, conf)?;
            let fetcher = office.fetcher();
            let (transport, mode) = if conf.get(&COARSE) {
                let backend = MesosCoarse::new(shared);
                let provider = Box::new(MesosExecutors::new(backend, client));
                (links(welcome, provider), Mode::Coarse)
            } else {
                let executor_cores =
                    Scalar::from_milli((conf.get(&FINE_EXECUTOR_CORES) * 1000.0).round() as u64);
                let backend = MesosFine::new(MesosFineConfig {
                    shared: MesosCoarseConfig {
                        requirement: Requirement {
                            demand: Demand::new(),
                            ..shared.requirement.clone()
                        },
                        ..shared
                    },
                    executor_cores,
                    idle_timeout: conf.get(&EXECUTOR_IDLE_TIMEOUT),
                });
                let tasks = Box::new(FineTasks::new(backend, client));
                let links = BTreeMap::new();
                (
                    Transport::Fine {
                        links,
                        welcome,
                        tasks,
                    },
                    Mode::Fine,
                )
            };
            let cluster = Cluster::new(transport, fetcher, None);
            forward(notices, inputs.clone());
            _office = Some(office);
            _serving_binary = Some(serving);
            (cluster, mode)
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
    let mut running = EventLoop::new(
        clock,
        core,
        cluster,
        application,
        listener,
        inputs,
        conf.get(&TASK_CPUS),
    );
    running.run(receiver).await;
    running.cluster.stop().await;
    watching.abort();
    if let Some(Over::Removed(why)) = running.cluster.over() {
        return Err(RunError::Removed(why.clone()));
    }
    let (totals, jobs) = running.into_results();
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
    let runner: Arc<dyn RunTask> = Arc::new(engine);
    let pool =
        TaskPool::start(cores as usize, &runner, Box::new(on_end)).map_err(RunError::System)?;
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
    async fn open(
        host: &str,
        conf: &Conf,
        inputs: &mpsc::UnboundedSender<Input>,
    ) -> Result<Self, RunError> {
        let listener = TcpListener::bind((host, 0))
            .await
            .map_err(RunError::System)?;
        let port = listener.local_addr().map_err(RunError::System)?.port();
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let serving = serve(
            listener,
            Secret::new(&secret),
            conf.get(&NETWORK_TIMEOUT),
            inputs.clone(),
        );
        let blocks = BlockClient::new(&secret, tokio::runtime::Handle::current())
            .map_err(|error| RunError::System(std::io::Error::other(error)))?;
        Ok(Self {
            address: format!("{host}:{port}"),
            secret,
            blocks,
            _serving: AbortOnDrop::spawn(serving),
        })
    }

    /// Fetches results that executors keep.
    fn fetcher(&self) -> Fetcher {
        let blocks = self.blocks.clone();
        Arc::new(move |place, task| {
            let (blocks, address) = (blocks.clone(), place.address.clone());
            Box::pin(async move {
                let result = blocks.result(&address, task, u64::MAX).await;
                result.map(Into::into).map_err(|error| error.to_string())
            })
        })
    }
}

/// What executors are told when they register.
fn welcome(
    app_id: &str,
    application: &Application,
    conf: &Conf,
) -> Result<from_driver::Registered, RunError> {
    let program = serde_json::to_vec(&*application.program)
        .map_err(|error| RunError::System(error.into()))?;
    let bytes = |property: &Property<ByteSize>| conf.get(property).whole_bytes().to_string();
    let settings = [
        (setting::TASK_MEMORY, bytes(&TASK_MEMORY)),
        (setting::STORAGE_MEMORY, bytes(&STORAGE_MEMORY)),
        (setting::MAX_DIRECT_RESULT, bytes(&MAX_DIRECT_RESULT_SIZE)),
    ];
    Ok(from_driver::Registered {
        program: program.into(),
        app_id: app_id.to_owned(),
        conf: settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    })
}

/// Executors that connect and are sent tasks.
fn links(welcome: from_driver::Registered, provider: Box<dyn Provider>) -> Transport {
    Transport::Links {
        links: BTreeMap::new(),
        welcome,
        provider,
    }
}

/// A granted subscription.
struct Granted {
    framework: FrameworkId,
    endpoint: Endpoint,
}

/// Subscribes with the master; whoever waits no longer says so by `interrupts`.
async fn subscribe(
    config: ClientConfig,
    conf: &Conf,
    clock: SystemClock,
    interrupts: &mut mpsc::UnboundedReceiver<()>,
) -> Result<(Client, mpsc::UnboundedReceiver<Notice>, Granted), RunError> {
    let failed = |why: String| RunError::NoMaster(why);
    let (client, mut notices) =
        Client::start(config, clock).map_err(|error| failed(error.to_string()))?;
    let patience = conf.get(&REGISTRATION_TIMEOUT);
    let mut last = "the master did not answer".to_owned();
    let granted = async {
        loop {
            match notices.recv().await {
                Some(Notice::Subscribed {
                    framework,
                    endpoint,
                    ..
                }) => {
                    return Ok(Granted {
                        framework,
                        endpoint,
                    });
                }
                Some(Notice::Failing { why } | Notice::Disconnected { why }) => last = why,
                Some(Notice::Ended(end)) => return Err(failed(end.to_string())),
                Some(Notice::Event(_)) => {}
                None => return Err(failed("the client ended".into())),
            }
        }
    };
    let granted = tokio::select! {
        granted = tokio::time::timeout(patience, granted) => granted,
        _ = interrupts.recv() => return Err(RunError::Interrupted),
    };
    match granted {
        Ok(granted) => Ok((client, notices, granted?)),
        Err(_) => Err(failed(format!("no success within {patience:?}: {last}"))),
    }
}

/// Hands what Mesos says to the loop.
fn forward(mut notices: mpsc::UnboundedReceiver<Notice>, inputs: mpsc::UnboundedSender<Input>) {
    tokio::spawn(async move {
        while let Some(notice) = notices.recv().await {
            let input = Input::Cluster(Box::new(ClusterInput::Mesos(notice)));
            if inputs.send(input).is_err() {
                return;
            }
        }
    });
}

/// The address of this machine that agents can reach: the one from which the
/// master is reached, unless it is set.
fn host_for(conf: &Conf, master: &Endpoint) -> String {
    conf.get(&DRIVER_HOST).unwrap_or_else(|| {
        let local = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            // Nothing is sent: only the route is looked up.
            socket.connect((master.host.as_str(), master.port))?;
            socket.local_addr()
        });
        local.map_or_else(|_| "127.0.0.1".into(), |address| address.ip().to_string())
    })
}

/// What both backends of Mesos are told, and what serves our binary to agents.
async fn mesos_config(
    office: &Office,
    app_id: &str,
    conf: &Conf,
) -> Result<(MesosCoarseConfig, AbortOnDrop), RunError> {
    let (host, _) = office.address.rsplit_once(':').unwrap_or_default();
    let listener = TcpListener::bind(("0.0.0.0", 0))
        .await
        .map_err(RunError::System)?;
    let port = listener.local_addr().map_err(RunError::System)?.port();
    let binary = Binary::own().map_err(RunError::System)?;
    let command = match conf.get(&EXECUTOR_HOME) {
        Some(home) => format!("exec '{}/bin/mesquite' executor", home.display()),
        None => binary.command(
            &conf
                .get(&EXECUTOR_URI)
                .unwrap_or_else(|| format!("http://{host}:{port}/mesquite")),
        ),
    };
    let variable = |name: &str, value: &str, secret| Variable {
        name: name.into(),
        value: value.into(),
        secret,
    };
    let mut environment = vec![
        variable(variable::DRIVER, &office.address, false),
        variable(variable::SECRET, &office.secret, true),
    ];
    if let Some(folder) = conf.get(&LOCAL_DIR) {
        environment.push(variable(variable::FOLDER, &folder.to_string_lossy(), false));
    }
    let size = ExecutorSize::of(conf);
    let constraints = match conf.get(&CONSTRAINTS) {
        Some(text) => text
            .parse()
            .map_err(|error: ConstraintsError| RunError::Constraints(error.to_string()))?,
        None => Constraints::default(),
    };
    let usual = conf.get(&REJECT_OFFER_DURATION);
    let role = conf.get(&ROLE);
    let config = MesosCoarseConfig {
        size,
        cores_max: conf.get(&CORES_MAX),
        requirement: Requirement {
            demand: size.demand(),
            constraints,
            role: Some(role.clone()),
            ..Requirement::default()
        },
        refuse: RefusePolicy {
            usual,
            unmet_constraints: conf.get(&REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS),
            reached_max_cores: conf.get(&REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES),
            ..RefusePolicy::default()
        },
        role,
        command,
        environment,
        variables: [variable::EXECUTOR, variable::HOST, variable::CORES],
        prefix: app_id
            .chars()
            .rev()
            .take(8)
            .collect::<String>()
            .chars()
            .rev()
            .collect(),
        pack: conf.get(&PLACEMENT) == Placement::Pack,
    };
    Ok((config, AbortOnDrop::spawn(binary.serve(listener))))
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
