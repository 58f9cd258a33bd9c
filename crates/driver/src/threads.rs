//! Tasks on threads of the driver's own process.
//!
//! Responsible for being an executor without a connection: it registers, takes
//! what the driver says and tells how tasks end, in the same words as the
//! others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::core::heard::{Heard, Registration};
use super::core::input::{ConnectionId, Input};
use super::error::RunError;
use super::given::Given;
use super::links::{Arrival, LinkTo, OwnThreads};
use super::office::files_key_bytes;
use super::report::LINES_SHOWN;
use super::wire;
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::master_url::Threads as ThreadCount;
use crate::conf::properties::scheduler::TASK_CPUS;
use crate::conf::properties::storage::{MAX_LOG_SIZE, MAX_LOGS_SIZE, MAX_RECORD_LENGTH};
use crate::ids::{DatasetId, ExecutorId, Partition, ShuffleId, StageId, TaskId};
use crate::plan::application::Application;
use mesquite_engine::around::Store;
use mesquite_engine::executor::engine::{Committer, Engine};
use mesquite_engine::executor::functions::Functions;
use mesquite_engine::executor::pool::{Hears, RunTask, TaskPool};
use mesquite_engine::executor::worker;
use mesquite_engine::storage::lock::WorkFolder;
use mesquite_engine::storage::logs::{LOGS, Limits, Logs};
use mesquite_engine::storage::persisted::Persisted;
use mesquite_engine::storage::shuffle::{NoNetwork, Outputs, ShuffleReader};
use mesquite_engine::task::memory::Memory;
use mesquite_engine::task::memory::size::ExecutorMemory;
use mesquite_engine::task::{Cancel, Seal, Voice};
use mesquite_workload::message::{FromDriver, Outcome, Task, from_driver, from_executor::Said};

/// The executor of tasks that the driver runs itself, and its one connection.
const LOCAL: &str = "driver";
const CONNECTION: ConnectionId = ConnectionId(0);

/// Threads that run tasks.
struct Threads {
    pool: TaskPool,
    asking: Arc<Asking>,
    outputs: Arc<Outputs>,
    persisted: Arc<Persisted>,
}

type CommitSender = std::sync::mpsc::Sender<bool>;

/// Tasks that wait to hear whether they may commit.
struct Asking {
    arrivals: mpsc::UnboundedSender<Arrival>,
    answers: Mutex<BTreeMap<u64, CommitSender>>,
}

impl Asking {
    fn answers(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, CommitSender>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the driver's loop how tasks end. That they begin is of no interest: whoever
/// ends this process ends the driver.
struct Ends(mpsc::UnboundedSender<Arrival>);

impl Hears for Ends {
    fn began(&self, _: &Task) {}

    fn ended(&self, task: &Task, outcome: Outcome) {
        let status = (TaskId(task.id), Some(wire::outcome(outcome)));
        // Without the loop nobody waits for it.
        let _ = self.0.send(said(Heard::Statuses {
            statuses: vec![status],
            number: 0,
        }));
    }
}

/// Tells the driver's loop what commands say.
#[derive(Debug)]
struct Words(mpsc::UnboundedSender<Arrival>);

impl Voice for Words {
    fn lines_wanted(&self) -> u64 {
        LINES_SHOWN
    }

    fn say(&self, words: Said) {
        // Without the loop nobody listens.
        let _ = self.0.send(said(Heard::Said(wire::words(words))));
    }
}

/// What the executor of threads says.
fn said(message: Heard) -> Arrival {
    Arrival::Input(Input::Executor {
        connection: CONNECTION,
        executor: ExecutorId::from(LOCAL),
        message,
    })
}

/// Starts the threads, and has them register.
pub(super) fn start(
    threads: ThreadCount,
    app_id: &str,
    (application, functions): (&Application, Arc<dyn Functions>),
    memory: ExecutorMemory,
    (folder, logs): (&WorkFolder, Logs),
    given: Given<'_>,
) -> Result<(), RunError> {
    let Given {
        conf,
        arrivals,
        shelf,
        ..
    } = given;
    let cores = match threads {
        ThreadCount::Count(count) => count.get(),
        ThreadCount::All => std::thread::available_parallelism()
            .ok()
            .and_then(|count| u32::try_from(count.get()).ok())
            .unwrap_or(1),
    };
    let host = "localhost";
    let slots = worker::threads(cores, conf.get(&TASK_CPUS));
    let memory = Memory::new(memory.limits(slots));
    let asking = Arc::new(Asking {
        arrivals: arrivals.clone(),
        answers: Mutex::default(),
    });
    let outputs = Arc::new(Outputs::new(folder.path()));
    let persisted = Persisted::start(folder.path(), &memory, None);
    let engine = Engine {
        app_id: app_id.into(),
        program: Arc::clone(&application.program),
        functions,
        folder: folder.path().to_owned(),
        seal: Seal::of_process(files_key_bytes(conf))?,
        memory: memory.clone(),
        longest_record: conf.get(&MAX_RECORD_LENGTH).whole_bytes(),
        // Nothing is gained by a file between two threads.
        max_direct_result: usize::MAX,
        longest_message: usize::MAX,
        shuffles: ShuffleReader {
            host: host.into(),
            network: Arc::new(NoNetwork),
        },
        outputs: Arc::clone(&outputs),
        persisted: Arc::clone(&persisted),
        around: Arc::new(Store::new(folder.path(), host, Arc::new(shelf.clone()))),
        committer: Arc::clone(&asking) as Arc<dyn Committer>,
        voice: Arc::new(Words(arrivals.clone())),
        logs,
        clock: SystemClock::start(),
    };
    let runner: Arc<dyn RunTask> = Arc::new(engine);
    let pool = TaskPool::start(slots as usize, &runner, Box::new(Ends(arrivals.clone())))
        .map_err(RunError::System)?;
    let itself = Registration {
        executor: LOCAL.into(),
        cores,
        port: 0,
        folder: folder.path().to_string_lossy().into_owned(),
        process: std::process::id(),
        instance: String::new(),
        tasks: Vec::new(),
    };
    // The loop is about to listen.
    let threads = Threads {
        pool,
        asking,
        outputs,
        persisted,
    };
    let link = LinkTo::Threads(Box::new(threads));
    let _ = arrivals.send(Arrival::Connected(CONNECTION, link));
    let _ = arrivals.send(said(Heard::Registered(itself)));
    Ok(())
}

/// Where what commands write to stderr is kept.
pub(super) fn logs(conf: &Conf, folder: &WorkFolder) -> Logs {
    let limits = Limits {
        each: conf.get(&MAX_LOG_SIZE).0,
        all: conf.get(&MAX_LOGS_SIZE).0,
    };
    Logs::new(folder.path().join(LOGS), limits)
}

impl OwnThreads for Threads {
    fn told(&mut self, message: FromDriver) {
        match message.message {
            Some(from_driver::Message::Launch(launch)) => self.pool.submit(launch.tasks),
            Some(from_driver::Message::Kill(kill)) => self.pool.kill(kill.task, &kill.reason),
            Some(from_driver::Message::Commit(decision)) => {
                if let Some(answer) = self.asking.answers().remove(&decision.task) {
                    // A task that was stopped meanwhile does not listen.
                    let _ = answer.send(decision.granted);
                }
            }
            Some(from_driver::Message::Released(released)) => {
                self.outputs
                    .release(released.shuffles.into_iter().map(ShuffleId));
                self.persisted
                    .release(released.datasets.into_iter().map(DatasetId));
                self.outputs.free(released.freed.into_iter().map(ShuffleId));
            }
            // Its connection cannot break, it has no store of another one, its loop ends it,
            // and its files are those of the driver.
            Some(
                from_driver::Message::Registered(_)
                | from_driver::Message::Stop(_)
                | from_driver::Message::Acknowledge(_)
                | from_driver::Message::TakeOver(_)
                | from_driver::Message::Located(_)
                | from_driver::Message::Piece(_),
            )
            | None => {}
        }
    }

    fn stop(&self) {
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
        let asked = self.arrivals.send(said(Heard::MayCommit {
            task: TaskId(task.id),
            stage: StageId(task.stage),
            partition: Partition(task.partition),
        }));
        asked.is_ok() && answered.recv().unwrap_or(false)
    }
}
