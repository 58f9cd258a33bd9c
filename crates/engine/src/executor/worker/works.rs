//! What there is once the driver has taken the executor in.
//!
//! Responsible for making all that it takes to run tasks, out of the program and the
//! settings that the driver sends.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use super::asking::{AskDriver, TellLoop, Words};
use super::config::setting;
use super::{Worker, WorkerError, system};
use crate::around::Store;
use crate::clock::SystemClock;
use crate::executor::engine::Engine;
use crate::executor::functions::Refused;
use crate::executor::pool::{RunTask, TaskPool};
use crate::plan::program::Program;
use crate::rpc::message::from_driver;
use crate::storage::blocks::{BlockClient, BlockServer, Serves};
use crate::storage::logs::{LOGS, Limits, Logs};
use crate::storage::persisted::Persisted;
use crate::storage::shuffle::{Outputs, ShuffleReader};
use crate::task::memory::Memory;
use crate::task::memory::size::ExecutorMemory;

/// What there is once the driver has taken the executor in.
pub(super) struct Works {
    pub(super) pool: TaskPool,
    pub(super) server: BlockServer,
    pub(super) outputs: Arc<Outputs>,
    pub(super) persisted: Arc<Persisted>,
}

/// So many tasks of so many cores run at once: those that come early wait.
pub fn threads(cores: u32, task_cpus: u32) -> u32 {
    (cores / task_cpus.max(1)).max(1)
}

/// One of the settings that a driver sends.
fn number<T: FromStr>(settings: &BTreeMap<String, String>, name: &str) -> Result<T, WorkerError> {
    let text = settings.get(name).ok_or(WorkerError::Program)?;
    text.parse().map_err(|_| WorkerError::Program)
}

impl Worker {
    /// Where what commands write to stderr is kept: for longer than this executor lives if
    /// there is somebody who shows it then.
    fn logs(&self, settings: &BTreeMap<String, String>) -> Result<Logs, WorkerError> {
        let limits = Limits {
            each: number(settings, setting::LOG_SIZE)?,
            all: number(settings, setting::LOGS_SIZE)?,
        };
        let around = self.config.sandbox.as_deref();
        let folder = around.unwrap_or_else(|| self.folder.path()).join(LOGS);
        Ok(Logs::new(folder, limits))
    }

    /// How many tasks run at once. Who has more cores than memory for them lets tasks wait.
    fn threads(&self, asked: &ExecutorMemory, task_cpus: u32) -> u32 {
        let (cores, fine) = (self.config.cores, self.config.fine);
        let wished = threads(cores, task_cpus);
        let threads = wished.min(asked.most_tasks());
        if threads < wished && !fine {
            tracing::warn!(
                cores,
                threads,
                "memory holds fewer tasks at once than there are cores"
            );
        }
        threads
    }

    /// Makes all that it takes to run tasks.
    pub(super) fn begin(
        &mut self,
        registered: &from_driver::Registered,
    ) -> Result<Works, WorkerError> {
        let config = &self.config;
        let settings = &registered.conf;
        let asked = ExecutorMemory {
            bytes: number(settings, setting::MEMORY)?,
            managed: number(settings, setting::MANAGED_MEMORY)?,
            kept: number(settings, setting::KEPT_SHARE)?,
        };
        let threads = self.threads(&asked, number(settings, setting::TASK_CPUS)?);
        // In fine mode nobody says how many there will be: as many as have threads.
        let memory = Memory::new(asked.limits(threads));
        let program: Program =
            serde_json::from_slice(&registered.program).map_err(|_| WorkerError::Program)?;
        let library = &config.library;
        let functions = program.native().map(|native| library.open(native));
        let functions = functions.unwrap_or_else(|| Arc::new(Refused::without_functions()));
        let asking = Arc::new(AskDriver(self.from_tasks.clone()));
        let runtime = tokio::runtime::Handle::current();
        let client = BlockClient::new(self.guard.clone(), runtime).asking(asking.clone());
        let folder = self.folder.path();
        let persisted = Persisted::start(folder, &memory, Some(client.clone()));
        let served: Arc<Persisted> = Arc::clone(&persisted);
        let listener = self.listener.take().ok_or(WorkerError::Program)?;
        let guard = self.guard.clone();
        let logs = self.logs(settings)?;
        let served = Serves {
            folder: folder.to_owned(),
            persisted: served,
            logs: logs.clone(),
        };
        let server = BlockServer::start(listener, guard, served, &self.seal)
            .map_err(system("serve blocks"))?;
        let tell = TellLoop {
            loop_: self.from_tasks.clone(),
            commands: program.datasets_by_commands(),
            fine: config.fine,
        };
        let outputs = Arc::new(Outputs::new(folder));
        let engine = Engine {
            app_id: registered.app_id.as_str().into(),
            program: Arc::new(program),
            functions,
            folder: folder.to_owned(),
            seal: self.seal.clone(),
            memory,
            longest_record: number(settings, setting::LONGEST_RECORD)?,
            max_direct_result: number(settings, setting::MAX_DIRECT_RESULT)?,
            longest_message: number(settings, setting::LONGEST_MESSAGE)?,
            shuffles: ShuffleReader {
                host: config.host.as_str().into(),
                network: Arc::new(client),
            },
            outputs: Arc::clone(&outputs),
            persisted: Arc::clone(&persisted),
            around: Arc::new(Store::new(folder, &config.host, Arc::clone(&asking) as _)),
            committer: asking,
            voice: Arc::new(Words {
                loop_: self.from_tasks.clone(),
                told: number(settings, setting::LINES_TOLD)?,
            }),
            logs,
            clock: SystemClock::start(),
        };
        let runner: Arc<dyn RunTask> = Arc::new(engine);
        let pool = TaskPool::start(threads as usize, &runner, Box::new(tell))
            .map_err(system("start threads"))?;
        Ok(Works {
            pool,
            server,
            outputs,
            persisted,
        })
    }
}
