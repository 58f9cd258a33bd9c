//! An executor's side of the stream to its driver.
//!
//! Responsible for running what the driver sends until the driver says stop or
//! is gone for good: the connection, the threads, and the blocks that are served
//! to other executors meanwhile. What is said when is the
//! [`session`](super::session)'s business. It knows nothing of Mesos.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Committer, Engine};
use super::pool::{RunTask, TaskPool};
use super::session::{Action, End, Input, Session};
use crate::clock::SystemClock;
use crate::plan::operation::Program;
use crate::rpc::connection::{ConnectionError, Incoming, Outgoing, connect};
use crate::rpc::frame::Secret;
use crate::rpc::message::{
    FromDriver, FromExecutor, Outcome, Task, from_driver,
    from_executor::{CommitRequest, Register, TookOver},
};
use crate::storage::blocks::{BlockClient, BlockError, BlockServer, Locate};
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{ShuffleReader, remove_shuffle};
use crate::task::Cancel;
use crate::timer::sleep_until;

/// In fine mode an executor has threads for so many tasks; an agent with more
/// cores runs the others as threads come free.
const FINE_THREADS: u32 = 64;

/// Without a word on it an executor looks for its driver for so long: a broken
/// connection is mended at once or never.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// So many ends of tasks go into one message at most.
const BATCH: usize = 1024;

/// The names of the environment variables by which a driver tells an executor
/// who it is.
pub mod variable {
    /// Where the driver listens, `host:port`.
    pub const DRIVER: &str = "MESQUITE_DRIVER";
    /// The application's secret.
    pub const SECRET: &str = "MESQUITE_SECRET";
    /// The executor's id.
    pub const EXECUTOR: &str = "MESQUITE_EXECUTOR_ID";
    /// The name of the host, as the driver knows it.
    pub const HOST: &str = "MESQUITE_HOST";
    /// How many tasks run at once; unset in fine mode.
    pub const CORES: &str = "MESQUITE_CORES";
    /// For how many seconds to look for a driver that is gone.
    pub const PATIENCE: &str = "MESQUITE_DRIVER_PATIENCE";
    /// The folder in which the work folder is made; the current one if unset.
    pub const FOLDER: &str = "MESQUITE_FOLDER";
}

/// The settings that a driver sends along with the program.
pub mod setting {
    /// Bytes for the sorting and combining of one task.
    pub const TASK_MEMORY: &str = "task-memory";
    /// Bytes for persisted partitions.
    pub const STORAGE_MEMORY: &str = "storage-memory";
    /// Larger results are kept to be fetched, in bytes.
    pub const MAX_DIRECT_RESULT: &str = "max-direct-result";
}

/// Who an executor is.
#[derive(Clone)]
pub struct WorkerConfig {
    /// Where the driver listens.
    pub driver: String,
    /// The application's secret.
    pub secret: String,
    /// Its id.
    pub executor: String,
    /// Its host.
    pub host: String,
    /// How many tasks run at once.
    pub cores: u32,
    /// Whether tasks come from the agent (fine mode).
    pub fine: bool,
    /// Where its work folder is made.
    pub folder: PathBuf,
    /// How long it looks for a driver that is gone.
    pub patience: Duration,
}

/// Why an executor ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The environment does not say who it is.
    #[error("environment variable {0} is missing or bad: executors are started by a driver")]
    Environment(&'static str),
    /// The driver cannot be reached, or is gone.
    #[error("cannot speak to the driver at {driver}: {why}")]
    Driver {
        /// Where it should be.
        driver: String,
        /// What went wrong.
        why: String,
    },
    /// The driver does not want it.
    #[error("the driver sent it away: {0}")]
    Refused(String),
    /// The program or a setting is not understood.
    #[error("the driver sent a program that cannot be read")]
    Program,
    /// Files or sockets.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        error: io::Error,
    },
    /// Blocks.
    #[error(transparent)]
    Blocks(#[from] BlockError),
}

impl WorkerConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// Something is missing or bad.
    pub fn read(variables: &BTreeMap<String, String>) -> Result<Self, WorkerError> {
        let text = |name| {
            variables
                .get(name)
                .cloned()
                .ok_or(WorkerError::Environment(name))
        };
        Ok(Self {
            driver: text(variable::DRIVER)?,
            secret: text(variable::SECRET)?,
            executor: text(variable::EXECUTOR)?,
            host: text(variable::HOST)?,
            // In fine mode the agent's offers limit what runs at once.
            cores: match variables.get(variable::CORES) {
                Some(cores) => cores
                    .parse()
                    .map_err(|_| WorkerError::Environment(variable::CORES))?,
                None => FINE_THREADS,
            },
            fine: !variables.contains_key(variable::CORES),
            patience: match variables.get(variable::PATIENCE) {
                Some(seconds) => seconds
                    .parse()
                    .map(Duration::from_secs)
                    .map_err(|_| WorkerError::Environment(variable::PATIENCE))?,
                None => PATIENCE,
            },
            folder: variables
                .get(variable::FOLDER)
                .map_or_else(|| ".".into(), PathBuf::from),
        })
    }
}

/// Tasks that come by another way than the driver's stream: from the agent, in
/// fine mode. Their ends go back the same way.
pub struct Door {
    /// What is to be done.
    pub wanted: mpsc::UnboundedReceiver<Wanted>,
    /// How tasks ended.
    pub ended: mpsc::UnboundedSender<(u64, Outcome)>,
}

/// What is wanted of the worker.
pub enum Wanted {
    /// Run this.
    Run(Box<Task>),
    /// Stop this.
    Kill(u64),
}

/// What tasks and their readers tell the loop.
enum FromTask {
    Ended(u64, Outcome),
    Commit(CommitRequest, std::sync::mpsc::Sender<bool>),
    Locate(String, oneshot::Sender<Option<String>>),
}

struct AskDriver(mpsc::UnboundedSender<FromTask>);

impl Committer for AskDriver {
    fn may_commit(&self, task: &Task, cancel: &Cancel) -> bool {
        let (answer, answered) = std::sync::mpsc::channel();
        let stopped = answer.clone();
        let _wake = cancel.on_cancel(move || {
            let _ = stopped.send(false);
        });
        let request = CommitRequest {
            task: task.id,
            stage: task.stage,
            partition: task.partition,
        };
        let asked = self.0.send(FromTask::Commit(request, answer));
        asked.is_ok() && answered.recv().unwrap_or(false)
    }
}

impl Locate for AskDriver {
    fn locate(&self, store: &str) -> oneshot::Receiver<Option<String>> {
        let (answer, answered) = oneshot::channel();
        // Without the loop nobody answers, which says that it is lost.
        let _ = self.0.send(FromTask::Locate(store.to_owned(), answer));
        answered
    }
}

/// A folder that is gone when its owner is.
struct WorkFolder(PathBuf);

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> WorkerError {
    move |error| WorkerError::System { what, error }
}

/// Works for a driver until it says stop. `stop` ends it as well.
///
/// # Errors
/// It could not begin, or the driver is gone.
pub async fn work(
    config: WorkerConfig,
    stop: impl Future<Output = ()>,
    door: Option<Door>,
) -> Result<(), WorkerError> {
    let folder = config.folder.join(format!("mesquite-{}", config.executor));
    std::fs::create_dir_all(&folder).map_err(system("make a work folder"))?;
    let folder = std::path::absolute(&folder).map_err(system("find the work folder"))?;
    let folder = WorkFolder(folder);
    let listener = TcpListener::bind(("0.0.0.0", 0))
        .await
        .map_err(system("listen for readers of blocks"))?;
    let port = listener
        .local_addr()
        .map_err(system("listen for readers of blocks"))?
        .port();
    let register = Register {
        executor: config.executor.clone(),
        host: config.host.clone(),
        cores: config.cores,
        block_address: format!("{}:{port}", config.host),
        folder: folder.0.to_string_lossy().into_owned(),
        process: std::process::id(),
        instance: uuid::Uuid::new_v4().simple().to_string(),
        ..Register::default()
    };
    let clock = SystemClock::start();
    let session = Session::new(clock.now(), register, config.patience, fastrand::u64(..));
    let (from_tasks, of_tasks) = mpsc::unbounded_channel();
    let worker = Worker {
        config,
        session,
        clock,
        listener: Some(listener),
        folder,
        adopted: Vec::new(),
        works: None,
        door,
        connection: Connection::None,
        from_tasks,
        commits: HashMap::new(),
        searches: HashMap::new(),
    };
    worker.run(of_tasks, stop).await
}

type Link = (Incoming<FromDriver>, Outgoing<FromExecutor>);

/// The way to the driver.
enum Connection {
    None,
    Making(Pin<Box<dyn Future<Output = Result<Link, ConnectionError>> + Send>>),
    Made(Box<Link>),
}

/// What became of the way to the driver.
enum FromConnection {
    Made(Result<Link, ConnectionError>),
    Heard(Result<Option<FromDriver>, ConnectionError>),
}

impl Connection {
    /// Waits for the next thing to happen to it; for ever if there is none.
    async fn next(&mut self) -> FromConnection {
        match self {
            Self::None => std::future::pending().await,
            Self::Making(making) => FromConnection::Made(making.await),
            Self::Made(link) => FromConnection::Heard(link.0.next().await),
        }
    }
}

/// What there is once the driver has taken the executor in.
struct Works {
    pool: TaskPool,
    server: BlockServer,
}

/// The loop: see the module. What must be kept is the [`Session`]'s.
struct Worker {
    config: WorkerConfig,
    session: Session,
    clock: SystemClock,
    /// Taken when the program is known.
    listener: Option<TcpListener>,
    folder: WorkFolder,
    /// The folders of executors that died on this host, which go with ours.
    adopted: Vec<WorkFolder>,
    works: Option<Works>,
    door: Option<Door>,
    connection: Connection,
    from_tasks: mpsc::UnboundedSender<FromTask>,
    commits: HashMap<u64, std::sync::mpsc::Sender<bool>>,
    searches: HashMap<String, Vec<oneshot::Sender<Option<String>>>>,
}

/// The next wish that comes by the door; never, without one.
async fn next_wanted(door: Option<&mut Door>) -> Wanted {
    if let Some(door) = door
        && let Some(wanted) = door.wanted.recv().await
    {
        return wanted;
    }
    std::future::pending().await
}

impl Worker {
    async fn run(
        mut self,
        mut of_tasks: mpsc::UnboundedReceiver<FromTask>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), WorkerError> {
        let mut stop = std::pin::pin!(stop);
        let mut batch = Vec::with_capacity(BATCH);
        let mut ended = self.handle(Input::Tick)?;
        while !ended {
            let due = self.session.next_deadline();
            // Wishes wait until there is somebody to run them.
            let door = self.door.as_mut().filter(|_| self.works.is_some());
            ended = tokio::select! {
                happened = self.connection.next() => self.happened(happened)?,
                _ = of_tasks.recv_many(&mut batch, BATCH) => self.told(&mut batch)?,
                wanted = next_wanted(door) => {
                    self.wanted(wanted);
                    false
                }
                () = sleep_until(self.clock, due) => self.handle(Input::Tick)?,
                () = &mut stop => true,
            };
        }
        if let Some(works) = &self.works {
            works.pool.close();
            works.pool.wait();
        }
        Ok(())
    }

    /// Something happened to the connection.
    fn happened(&mut self, happened: FromConnection) -> Result<bool, WorkerError> {
        let input = match happened {
            FromConnection::Made(Ok(link)) => {
                self.connection = Connection::Made(Box::new(link));
                Input::Connected
            }
            FromConnection::Made(Err(error)) => {
                self.connection = Connection::None;
                let why = error.to_string();
                Input::NotConnected { why }
            }
            FromConnection::Heard(Ok(Some(message))) => Input::Heard(message),
            FromConnection::Heard(gone) => {
                self.connection = Connection::None;
                let why = match gone {
                    Err(error) => error.to_string(),
                    Ok(_) => "it closed the connection".to_owned(),
                };
                tracing::warn!("lost the driver: {why}");
                Input::Broken { why }
            }
        };
        self.handle(input)
    }

    fn wanted(&self, wanted: Wanted) {
        if let Some(works) = &self.works {
            match wanted {
                Wanted::Run(task) => works.pool.submit([*task]),
                Wanted::Kill(task) => works.pool.kill(task, "killed by the driver"),
            }
        }
    }

    /// Takes in what tasks say; true if the executor is to end.
    fn told(&mut self, batch: &mut Vec<FromTask>) -> Result<bool, WorkerError> {
        let mut ends = Vec::new();
        let mut is_over = false;
        for said in batch.drain(..) {
            match said {
                FromTask::Ended(task, outcome) => {
                    self.commits.remove(&task);
                    match &self.door {
                        Some(door) => {
                            let _ = door.ended.send((task, outcome));
                        }
                        None => ends.push((task, outcome)),
                    }
                }
                FromTask::Commit(request, answer) => {
                    self.commits.insert(request.task, answer);
                    is_over |= self.handle(Input::AskCommit(request))?;
                }
                FromTask::Locate(store, answer) => {
                    self.searches.entry(store.clone()).or_default().push(answer);
                    is_over |= self.handle(Input::AskWhere { store })?;
                }
            }
        }
        if !ends.is_empty() {
            is_over |= self.handle(Input::Ended(ends))?;
        }
        Ok(is_over)
    }

    /// Hands over to the session and does what it says; true if the executor is
    /// to end.
    fn handle(&mut self, input: Input) -> Result<bool, WorkerError> {
        for action in self.session.handle(self.clock.now(), input) {
            if self.carry_out(action)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn carry_out(&mut self, action: Action) -> Result<bool, WorkerError> {
        match action {
            Action::Connect => {
                let driver = self.config.driver.clone();
                let secret = Secret::new(&self.config.secret);
                let making = async move { connect(&driver, &secret).await };
                self.connection = Connection::Making(Box::pin(making));
            }
            Action::Say(message) => {
                if let Connection::Made(link) = &self.connection {
                    link.1.send(&message);
                }
            }
            Action::Begin(registered) => self.works = Some(self.begin(&registered)?),
            Action::Run(tasks) => {
                if let Some(works) = &self.works {
                    works.pool.submit(tasks);
                }
            }
            Action::Kill { task, reason } => {
                if let Some(works) = &self.works {
                    works.pool.kill(task, &reason);
                }
            }
            Action::Decide { task, granted } => {
                if let Some(answer) = self.commits.remove(&task) {
                    let _ = answer.send(granted);
                }
            }
            Action::Found { store, address } => {
                for answer in self.searches.remove(&store).unwrap_or_default() {
                    let _ = answer.send(address.clone());
                }
            }
            Action::TakeOver { store, folder } => {
                let error = self.adopt(&folder);
                let executor = store;
                return self.handle(Input::TookOver(TookOver { executor, error }));
            }
            Action::RemoveShuffle(shuffle) => {
                remove_shuffle(&self.folder.0, crate::ids::ShuffleId(shuffle));
            }
            Action::End(End::Stopped(reason)) => {
                tracing::info!(reason, "ending");
                return Ok(true);
            }
            Action::End(End::Refused(reason)) => return Err(WorkerError::Refused(reason)),
            Action::End(End::Alone { why }) => {
                let driver = self.config.driver.clone();
                return Err(WorkerError::Driver { driver, why });
            }
        }
        Ok(false)
    }

    /// Serves the folder of an executor that died on this host; why it cannot,
    /// if so.
    fn adopt(&mut self, folder: &str) -> String {
        let Some(works) = &self.works else {
            return "it has not begun".to_owned();
        };
        let folder = PathBuf::from(folder);
        match std::fs::read_dir(&folder) {
            Ok(_) => {
                tracing::info!(folder = %folder.display(), "serving outputs that were left behind");
                works.server.also_serve(folder.clone());
                self.adopted.push(WorkFolder(folder));
                String::new()
            }
            Err(error) => format!("cannot read {}: {error}", folder.display()),
        }
    }

    /// Makes all that it takes to run tasks.
    fn begin(&mut self, registered: &from_driver::Registered) -> Result<Works, WorkerError> {
        let config = &self.config;
        let number = |name: &str| -> Result<usize, WorkerError> {
            let text = registered.conf.get(name).ok_or(WorkerError::Program)?;
            text.parse().map_err(|_| WorkerError::Program)
        };
        let program: Program =
            serde_json::from_slice(&registered.program).map_err(|_| WorkerError::Program)?;
        let asking = Arc::new(AskDriver(self.from_tasks.clone()));
        let runtime = tokio::runtime::Handle::current();
        let client = BlockClient::new(&config.secret, runtime)?.asking(asking.clone());
        let memory = number(setting::STORAGE_MEMORY)?;
        let folder = &self.folder.0;
        let persisted = Arc::new(Persisted::new(folder, memory, Some(client.clone())));
        let served: Arc<Persisted> = Arc::clone(&persisted);
        let listener = self.listener.take().ok_or(WorkerError::Program)?;
        let server = BlockServer::start(listener, folder.clone(), &config.secret, served)
            .map_err(system("serve blocks"))?;
        let engine = Engine {
            app_id: registered.app_id.as_str().into(),
            program: Arc::new(program),
            folder: folder.clone(),
            memory: number(setting::TASK_MEMORY)?,
            max_direct_result: number(setting::MAX_DIRECT_RESULT)?,
            shuffles: ShuffleReader {
                host: config.host.as_str().into(),
                network: Arc::new(client),
            },
            persisted,
            committer: asking,
            clock: SystemClock::start(),
        };
        let ends = self.from_tasks.clone();
        let on_end = move |task: Task, outcome| {
            let _ = ends.send(FromTask::Ended(task.id, outcome));
        };
        let runner: Arc<dyn RunTask> = Arc::new(engine);
        let pool = TaskPool::start(config.cores as usize, &runner, Box::new(on_end))
            .map_err(system("start threads"))?;
        Ok(Works { pool, server })
    }
}
