//! An executor's side of the stream to its driver.
//!
//! Responsible for running what the driver sends until the driver says stop or
//! is gone for good: the connection, the threads, and the blocks that are served
//! to other executors meanwhile. What is said when is the
//! [`session`](super::session)'s business. It knows nothing of Mesos.

mod asking;
mod config;
mod connection;
mod works;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

pub use config::{ALLOCATOR, PATIENCE, SECRETS, WorkerConfig, WorkerError, setting, variable};
pub use works::threads;

use self::asking::{FromTask, PieceSender};
use self::connection::{Connection, FromConnection};
use self::works::Works;
use super::session::{Action, End, Input, Session};
use crate::clock::SystemClock;
use crate::ids::{DatasetId, ShuffleId};
use crate::rpc::connection::halves;
use crate::rpc::guard::{Guard, Whom};
use crate::rpc::message::{
    Credential, FromDriver, FromExecutor, Launch, Outcome, Task, from_driver,
    from_executor::{self, Heartbeat, Register, TookOver, Want},
};
use crate::storage::lock::{RunMark, WorkFolder};
use crate::task::Seal;
use crate::timer::sleep_until;
use mesquite_system::ports::Ports;

/// So many ends of tasks go into one message at most.
const BATCH: usize = 1024;

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

/// Reads what comes with a task: what the executor proves itself with, if it may
/// not have that yet, and the task in fine mode.
///
/// # Errors
/// It is none of a driver's.
pub fn read_launch(data: &[u8]) -> Result<(Option<Credential>, Bytes), WorkerError> {
    let launch = Launch::decode(data).map_err(|error| WorkerError::Launch(error.to_string()))?;
    Ok((launch.credential, launch.task))
}

/// There is nothing to prove oneself with.
pub fn without_credential() -> WorkerError {
    WorkerError::Launch("it has no credential".into())
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
    credential: &Credential,
    stop: impl Future<Output = ()>,
    door: Option<Door>,
) -> Result<(), WorkerError> {
    let guard = Guard::of_executor(&config.executor, credential)?;
    let run = RunMark::of(&credential.authority);
    // The driver knows it by this name, and asks only where it is.
    let made = WorkFolder::within(&config.folder, &credential.folder, &run);
    let folder = made.map_err(system("make a work folder"))?;
    let around = folder.path().parent().unwrap_or(folder.path());
    // Who is found at this name by its peers is on their host.
    let all = if config.host == "localhost" {
        "127.0.0.1"
    } else {
        "0.0.0.0"
    };
    let listener = listen(all, config.ports).map_err(system("serve its outputs"))?;
    let port = listener
        .local_addr()
        .map_err(system("serve its outputs"))?
        .port();
    let register = Register {
        executor: config.executor.clone(),
        cores: config.cores,
        port: port.into(),
        folder: around.to_string_lossy().into_owned(),
        process: std::process::id(),
        instance: uuid::Uuid::new_v4().simple().to_string(),
        ..Register::default()
    };
    let clock = SystemClock::start();
    let session = Session::new(clock.now(), register, config.patience, fastrand::u64(..));
    let (from_tasks, of_tasks) = mpsc::unbounded_channel();
    let worker = Worker {
        config,
        guard,
        session,
        clock,
        listener: Some(listener),
        run,
        seal: Seal::of_run(&credential.files)?,
        folder,
        adopted: Vec::new(),
        works: None,
        door,
        connection: Connection::None,
        from_tasks,
        commits: HashMap::new(),
        searches: HashMap::new(),
        pieces: HashMap::new(),
    };
    worker.run(of_tasks, stop).await
}

fn listen(address: &str, ports: Ports) -> io::Result<TcpListener> {
    let listener = ports.listen(address, std::net::TcpListener::bind)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// The loop: see the module. What must be kept is the [`Session`]'s.
struct Worker {
    config: WorkerConfig,
    guard: Guard,
    session: Session,
    clock: SystemClock,
    /// Taken when the program is known.
    listener: Option<TcpListener>,
    run: RunMark,
    seal: Seal,
    folder: WorkFolder,
    /// The folders of executors that died on this host, which go with ours.
    adopted: Vec<WorkFolder>,
    works: Option<Works>,
    door: Option<Door>,
    connection: Connection,
    from_tasks: mpsc::UnboundedSender<FromTask>,
    commits: HashMap<u64, std::sync::mpsc::Sender<bool>>,
    searches: HashMap<String, Vec<oneshot::Sender<Option<String>>>>,
    /// Who waits for a piece of a file, by its digest and the place in it.
    pieces: HashMap<(String, u64), PieceSender>,
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
            FromConnection::Heard(Ok(Some(FromDriver {
                message: Some(from_driver::Message::Piece(piece)),
            }))) => {
                self.came(piece);
                return Ok(false);
            }
            FromConnection::Heard(Ok(Some(message))) => Input::Heard(message),
            FromConnection::Heard(gone) => {
                self.connection = Connection::None;
                for (_, answer) in self.pieces.drain() {
                    let _ = answer.send(None);
                }
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
                FromTask::Began(task, waiting) => {
                    let at_once = waiting.is_some();
                    is_over |= self.handle(Input::Began { task, at_once })?;
                    if let (Some(waiting), Connection::Made(link)) = (waiting, &self.connection) {
                        link.1.tell_when_written(waiting);
                    }
                }
                FromTask::Ended(task, outcome) => {
                    self.commits.remove(&task);
                    match &self.door {
                        Some(door) => {
                            let _ = door.ended.send((task, outcome));
                            is_over |= self.handle(Input::Over { task })?;
                        }
                        None => ends.push((task, outcome)),
                    }
                }
                FromTask::Said(said) => self.tell(from_executor::Message::Said(said)),
                FromTask::Piece(want, answer) => self.want(want, answer),
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
                let guard = self.guard.clone();
                let making = async move {
                    let stream = guard.connect(&driver, Whom::Driver).await?;
                    Ok(halves(stream))
                };
                self.connection = Connection::Making(Box::pin(making));
            }
            Action::Say(message) => {
                if let Connection::Made(link) = &self.connection {
                    link.1.send(&message);
                }
            }
            Action::Beat => self.beat(),
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
            Action::Release(released) => {
                if let Some(works) = &self.works {
                    let shuffles = released.shuffles.into_iter().map(ShuffleId);
                    works.outputs.release(shuffles);
                    let datasets = released.datasets.into_iter().map(DatasetId);
                    works.persisted.release(datasets);
                    works
                        .outputs
                        .free(released.freed.into_iter().map(ShuffleId));
                }
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

    /// Says that the executor is there, and how far its tasks are.
    fn beat(&self) {
        let progress = self.works.as_ref().map(|works| works.pool.progress());
        let heartbeat = Heartbeat {
            progress: progress.unwrap_or_default(),
        };
        self.tell(from_executor::Message::Heartbeat(heartbeat));
    }

    /// Tells the driver something that is lost if it is not there.
    fn tell(&self, message: from_executor::Message) {
        if let Connection::Made(link) = &self.connection {
            link.1.send(&FromExecutor {
                message: Some(message),
            });
        }
    }

    /// Asks the driver for a piece of a file, if it is there.
    fn want(&mut self, want: Want, answer: PieceSender) {
        if matches!(self.connection, Connection::Made(_)) {
            self.pieces.insert((want.digest.clone(), want.at), answer);
            self.tell(from_executor::Message::Want(want));
        } else {
            let _ = answer.send(None);
        }
    }

    /// A piece of a file came, or the word that there is none.
    fn came(&mut self, piece: from_driver::Piece) {
        if let Some(answer) = self.pieces.remove(&(piece.digest, piece.at)) {
            let said = match piece.error.is_empty() {
                true => Ok(piece.bytes),
                false => Err(piece.error),
            };
            // A task that was stopped meanwhile does not listen.
            let _ = answer.send(Some(said));
        }
    }

    /// Serves the folder of an executor that died on this host; why it cannot,
    /// if so.
    fn adopt(&mut self, folder: &str) -> String {
        let Some(works) = &self.works else {
            return "it has not begun".to_owned();
        };
        match WorkFolder::adopt(Path::new(folder), &self.run) {
            Ok(adopted) => {
                tracing::info!(folder, "serving outputs that were left behind");
                works.server.also_serve(adopted.path().to_owned());
                works.outputs.adopt(adopted.path());
                self.adopted.push(adopted);
                String::new()
            }
            Err(error) => format!("cannot take over {folder}: {error}"),
        }
    }
}
