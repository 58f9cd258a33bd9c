//! Tasks on threads of the driver's own process.
//!
//! Responsible for being an executor without a connection: it registers, takes
//! what the driver says and tells how tasks end, in the same words as the
//! others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::core::input::{ConnectionId, Input};
use super::links::{Arrival, LinkTo};
use super::run::{RunError, WorkFolder};
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::master_url::Threads as ThreadCount;
use crate::conf::properties::storage::{STORAGE_MEMORY, TASK_MEMORY};
use crate::executor::engine::{Committer, Engine};
use crate::executor::pool::{RunTask, TaskPool};
use crate::ids::ExecutorId;
use crate::plan::application::Application;
use crate::rpc::message::{
    FromDriver, FromExecutor, Task, from_driver,
    from_executor::{CommitRequest, Message, Register, Status, StatusBatch},
};
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{NoNetwork, ShuffleReader};
use crate::task::Cancel;

/// The executor of tasks that the driver runs itself, and its one connection.
const LOCAL: &str = "driver";
const CONNECTION: ConnectionId = ConnectionId(0);

/// Threads that run tasks.
pub(super) struct Threads {
    pool: TaskPool,
    asking: Arc<Asking>,
}

type Answer = std::sync::mpsc::Sender<bool>;

/// Tasks that wait to hear whether they may commit.
struct Asking {
    arrivals: mpsc::UnboundedSender<Arrival>,
    answers: Mutex<BTreeMap<u64, Answer>>,
}

impl Asking {
    fn answers(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the executor of threads says.
fn said(message: Message) -> Arrival {
    Arrival::Input(Input::Executor {
        connection: CONNECTION,
        executor: ExecutorId::from(LOCAL),
        message: FromExecutor {
            message: Some(message),
        },
    })
}

/// Starts the threads, and has them register.
pub(super) fn start(
    threads: ThreadCount,
    app_id: &str,
    application: &Application,
    conf: &Conf,
    folder: &WorkFolder,
    arrivals: &mpsc::UnboundedSender<Arrival>,
) -> Result<(), RunError> {
    let cores = match threads {
        ThreadCount::Count(count) => count.get(),
        ThreadCount::All => std::thread::available_parallelism()
            .ok()
            .and_then(|count| u32::try_from(count.get()).ok())
            .unwrap_or(1),
    };
    let host = "localhost";
    let asking = Arc::new(Asking {
        arrivals: arrivals.clone(),
        answers: Mutex::default(),
    });
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
        committer: Arc::clone(&asking) as Arc<dyn Committer>,
        clock: SystemClock::start(),
    };
    let ends = arrivals.clone();
    let on_end = move |task: Task, outcome| {
        let status = Status {
            task: task.id,
            outcome: Some(outcome),
        };
        // Without the loop nobody waits for it.
        let _ = ends.send(said(Message::Statuses(StatusBatch {
            statuses: vec![status],
            number: 0,
        })));
    };
    let runner: Arc<dyn RunTask> = Arc::new(engine);
    let pool =
        TaskPool::start(cores as usize, &runner, Box::new(on_end)).map_err(RunError::System)?;
    let register = Register {
        executor: LOCAL.into(),
        host: host.into(),
        cores,
        folder: folder.0.to_string_lossy().into_owned(),
        process: std::process::id(),
        ..Register::default()
    };
    // The loop is about to listen.
    let threads = Threads { pool, asking };
    let _ = arrivals.send(Arrival::Connected(CONNECTION, LinkTo::Threads(threads)));
    let _ = arrivals.send(said(Message::Register(register)));
    Ok(())
}

impl Threads {
    /// Does what the driver says.
    pub(super) fn told(&mut self, message: FromDriver) {
        match message.message {
            Some(from_driver::Message::Launch(launch)) => self.pool.submit(launch.tasks),
            Some(from_driver::Message::Kill(kill)) => self.pool.kill(kill.task, &kill.reason),
            Some(from_driver::Message::Commit(decision)) => {
                if let Some(answer) = self.asking.answers().remove(&decision.task) {
                    // A task that was stopped meanwhile does not listen.
                    let _ = answer.send(decision.granted);
                }
            }
            _ => {}
        }
    }

    /// Stops what runs, and waits for it.
    pub(super) fn stop(&self) {
        self.pool.close();
        self.pool.wait();
    }
}

impl Committer for Asking {
    fn may_commit(&self, task: &Task, cancel: &Cancel) -> bool {
        let (answer, answered) = std::sync::mpsc::channel();
        let stopped = answer.clone();
        let _wake = cancel.on_cancel(move || {
            let _ = stopped.send(false);
        });
        self.answers().insert(task.id, answer);
        let asked = self.arrivals.send(said(Message::Commit(CommitRequest {
            task: task.id,
            stage: task.stage,
            partition: task.partition,
        })));
        asked.is_ok() && answered.recv().unwrap_or(false)
    }
}
