//! Tasks on threads of the driver's own process.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::cluster::{Cluster, Fetcher, Transport};
use super::input::{CommitAnswer, Input};
use super::run::{RunError, WorkFolder};
use super::work::BlockPlace;
use crate::backend::executors::NewExecutor;
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::master_url::Threads;
use crate::conf::properties::storage::{STORAGE_MEMORY, TASK_MEMORY};
use crate::executor::engine::{Committer, Engine};
use crate::executor::pool::{RunTask, TaskPool};
use crate::ids::{ExecutorId, Partition, StageId, TaskId};
use crate::plan::application::Application;
use crate::rpc::message::Task;
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{NoNetwork, ShuffleReader};
use crate::task::Cancel;

/// The executor of tasks that the driver runs itself.
const LOCAL: &str = "driver";

/// Tasks on threads of this process.
pub(super) fn local(
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
