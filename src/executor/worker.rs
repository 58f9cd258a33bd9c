//! An executor's side of the stream to its driver.
//!
//! Responsible for running what the driver sends until the driver says stop or
//! is gone: registering, handing tasks to the pool, sending their ends in
//! batches, and serving blocks to other executors meanwhile. It knows nothing
//! of Mesos.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::engine::{Committer, Engine};
use super::pool::{RunTask, TaskPool};
use crate::clock::SystemClock;
use crate::plan::operation::Program;
use crate::rpc::connection::{ConnectionError, Incoming, Outgoing, connect};
use crate::rpc::frame::Secret;
use crate::rpc::message::{
    FromDriver, FromExecutor, Outcome, Task, from_driver,
    from_executor::{CommitRequest, Heartbeat, Message, Register, Status, StatusBatch},
};
use crate::storage::blocks::{BlockClient, BlockError, BlockServer};
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{ShuffleReader, remove_shuffle};
use crate::task::Cancel;

/// So often an executor says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// In fine mode an executor has threads for so many tasks; an agent with more
/// cores runs the others as threads come free.
const FINE_THREADS: u32 = 64;

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
}

/// Why an executor ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The environment does not say who it is.
    #[error("environment variable {0} is missing or bad: executors are started by a driver")]
    Environment(&'static str),
    /// The driver cannot be reached, or is gone.
    #[error("cannot speak to the driver at {driver}: {error}")]
    Driver {
        /// Where it should be.
        driver: String,
        /// What went wrong.
        error: ConnectionError,
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

/// What the pool's threads tell the loop.
enum FromTask {
    Ended(u64, Outcome),
    Commit(CommitRequest, std::sync::mpsc::Sender<bool>),
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

/// A folder that is gone when its owner is.
struct WorkFolder(PathBuf);

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn message(message: Message) -> FromExecutor {
    FromExecutor {
        message: Some(message),
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
    mut door: Option<Door>,
) -> Result<(), WorkerError> {
    let lost = |error| WorkerError::Driver {
        driver: config.driver.clone(),
        error,
    };
    let secret = Secret::new(&config.secret);
    let (mut incoming, outgoing) = connect(&config.driver, &secret).await.map_err(lost)?;
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
    outgoing.send(&message(Message::Register(Register {
        executor: config.executor.clone(),
        host: config.host.clone(),
        cores: config.cores,
        block_address: format!("{}:{port}", config.host),
        folder: folder.0.to_string_lossy().into_owned(),
        process: std::process::id(),
        resources: Vec::new(),
    })));
    let registered = match incoming
        .next()
        .await
        .map_err(lost)?
        .and_then(|it: FromDriver| it.message)
    {
        Some(from_driver::Message::Registered(registered)) => registered,
        Some(from_driver::Message::Stop(stop)) => return Err(WorkerError::Refused(stop.reason)),
        _ => return Err(WorkerError::Program),
    };
    let number = |name: &str| -> Result<usize, WorkerError> {
        let text = registered.conf.get(name).ok_or(WorkerError::Program)?;
        text.parse().map_err(|_| WorkerError::Program)
    };
    let program: Program =
        serde_json::from_slice(&registered.program).map_err(|_| WorkerError::Program)?;
    let client = BlockClient::new(&config.secret, tokio::runtime::Handle::current())?;
    let memory = number(setting::STORAGE_MEMORY)?;
    let persisted = Arc::new(Persisted::new(&folder.0, memory, Some(client.clone())));
    let served: Arc<Persisted> = Arc::clone(&persisted);
    let _server = BlockServer::start(listener, folder.0.clone(), &config.secret, served)
        .map_err(system("serve blocks"))?;
    let (from_tasks, mut of_tasks) = mpsc::unbounded_channel();
    let engine = Engine {
        app_id: registered.app_id.as_str().into(),
        program: Arc::new(program),
        folder: folder.0.clone(),
        memory: number(setting::TASK_MEMORY)?,
        max_direct_result: number(setting::MAX_DIRECT_RESULT)?,
        shuffles: ShuffleReader {
            host: config.host.as_str().into(),
            network: Arc::new(client),
        },
        persisted,
        committer: Arc::new(AskDriver(from_tasks.clone())),
        clock: SystemClock::start(),
    };
    let on_end = move |task: Task, outcome| {
        let _ = from_tasks.send(FromTask::Ended(task.id, outcome));
    };
    let runner: Arc<dyn RunTask> = Arc::new(engine);
    let pool = TaskPool::start(config.cores as usize, &runner, Box::new(on_end))
        .map_err(system("start threads"))?;
    let mut worker = Worker {
        pool,
        outgoing,
        folder,
        commits: HashMap::new(),
    };
    let ended = worker
        .run(&mut incoming, &mut of_tasks, stop, door.as_mut())
        .await;
    worker.pool.close();
    worker.pool.wait();
    ended.map_err(lost)
}

/// The next wish that comes by the door; never, without one.
async fn next_wanted(door: &mut Option<&mut Door>) -> Wanted {
    if let Some(door) = door
        && let Some(wanted) = door.wanted.recv().await
    {
        return wanted;
    }
    std::future::pending().await
}

struct Worker {
    pool: TaskPool,
    outgoing: Outgoing<FromExecutor>,
    folder: WorkFolder,
    commits: HashMap<u64, std::sync::mpsc::Sender<bool>>,
}

impl Worker {
    async fn run(
        &mut self,
        incoming: &mut Incoming<FromDriver>,
        of_tasks: &mut mpsc::UnboundedReceiver<FromTask>,
        stop: impl Future<Output = ()>,
        mut door: Option<&mut Door>,
    ) -> Result<(), ConnectionError> {
        let mut stop = std::pin::pin!(stop);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                received = incoming.next() => match received?.and_then(|it: FromDriver| it.message) {
                    Some(message) => if self.told(message) { return Ok(()); },
                    None => {
                        let gone = io::ErrorKind::ConnectionReset;
                        return Err(io::Error::new(gone, "it closed the connection").into());
                    }
                },
                _ = of_tasks.recv_many(&mut batch, BATCH) => {
                    self.tell(&mut batch, door.as_deref());
                }
                wanted = next_wanted(&mut door) => match wanted {
                    Wanted::Run(task) => self.pool.submit([*task]),
                    Wanted::Kill(task) => self.pool.kill(task, "killed by the driver"),
                },
                _ = heartbeat.tick() => {
                    self.outgoing.send(&message(Message::Heartbeat(Heartbeat::default())));
                }
                () = &mut stop => return Ok(()),
            }
        }
    }

    /// Tells the driver what tasks said.
    fn tell(&mut self, batch: &mut Vec<FromTask>, door: Option<&Door>) {
        let mut statuses = Vec::new();
        for said in batch.drain(..) {
            match said {
                FromTask::Ended(task, outcome) => {
                    self.commits.remove(&task);
                    match door {
                        Some(door) => {
                            let _ = door.ended.send((task, outcome));
                        }
                        None => statuses.push(Status {
                            task,
                            outcome: Some(outcome),
                        }),
                    }
                }
                FromTask::Commit(request, answer) => {
                    self.commits.insert(request.task, answer);
                    self.outgoing.send(&message(Message::Commit(request)));
                }
            }
        }
        if !statuses.is_empty() {
            let statuses = StatusBatch { statuses };
            self.outgoing.send(&message(Message::Statuses(statuses)));
        }
    }

    /// Does what the driver says; true if it is to end.
    fn told(&mut self, message: from_driver::Message) -> bool {
        match message {
            from_driver::Message::Launch(launch) => self.pool.submit(launch.tasks),
            from_driver::Message::Kill(kill) => self.pool.kill(kill.task, &kill.reason),
            from_driver::Message::Commit(decision) => {
                if let Some(answer) = self.commits.remove(&decision.task) {
                    let _ = answer.send(decision.granted);
                }
            }
            from_driver::Message::RemoveShuffle(shuffle) => {
                remove_shuffle(&self.folder.0, crate::ids::ShuffleId(shuffle.shuffle));
            }
            from_driver::Message::Stop(stop) => {
                tracing::info!(reason = stop.reason, "ending");
                return true;
            }
            from_driver::Message::Registered(_) | from_driver::Message::Ping(_) => {}
        }
        false
    }
}
