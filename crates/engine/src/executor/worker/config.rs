//! What an executor is told at its start, and what can be wrong with it.
//!
//! Responsible for the names of variables and settings, which the driver uses too.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::executor::functions::{Library, NoLibrary};
use crate::rpc::credential::CredentialError;
use crate::task::SealError;
use mesquite_system::ports::Ports;

/// In fine mode an executor has threads for so many tasks; an agent with more
/// cores runs the others as threads come free.
const FINE_THREADS: u32 = 64;

/// Without a word on it an executor looks for its driver for so long: a broken
/// connection is mended at once or never.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The names of the environment variables by which a driver tells an executor
/// who it is.
pub mod variable {
    /// Where the driver listens, `host:port`.
    pub const DRIVER: &str = "MESQUITE_DRIVER";
    /// The executor's id.
    pub const EXECUTOR: &str = "MESQUITE_EXECUTOR_ID";
    /// The name of the host, as the driver knows it.
    pub const HOST: &str = "MESQUITE_HOST";
    /// How many tasks run at once; unset in fine mode.
    pub const CORES: &str = "MESQUITE_CORES";
    /// For how many seconds to look for a driver that is gone.
    pub const PATIENCE: &str = "MESQUITE_DRIVER_PATIENCE";
    /// From which ports its outputs are served; any that is free if unset.
    pub const PORTS: &str = "MESQUITE_PORTS";
    /// The folder in which the work folder is made; the current one if unset.
    pub const FOLDER: &str = "MESQUITE_FOLDER";
    /// Where a process that has begun anew finds its secrets: its id, and the number
    /// of a pipe.
    pub const HANDED_OVER: &str = "MESQUITE_HANDED_OVER";
}

/// The variables by which a framework, or an executor of an agent's, proves who it
/// is. No process of ours keeps them in its environment, where commands could look.
/// Those by which the user's object stores know the user are the commands' as well.
pub const SECRETS: [&str; 2] = ["MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "SPARK_MESOS_SECRET"];

/// What tells the C library's allocator to give memory back to the system as soon
/// as it is free: otherwise each thread keeps tens of megabytes that are in
/// nobody's budget. Executors are started with these; their commands are not.
pub const ALLOCATOR: [(&str, &str); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", "262144"),
    ("MALLOC_TRIM_THRESHOLD_", "262144"),
];

/// The settings that a driver sends along with the program.
pub mod setting {
    /// Bytes that were asked for, for an executor.
    pub const MEMORY: &str = "memory";
    /// Bytes of them that its tasks and persisted partitions may have.
    pub const MANAGED_MEMORY: &str = "managed-memory";
    /// The share of those that persisted partitions are sure of.
    pub const KEPT_SHARE: &str = "kept-share";
    /// Larger results are kept to be fetched, in bytes.
    pub const MAX_DIRECT_RESULT: &str = "max-direct-result";
    /// Lines of each command's stderr that the driver wants; with 0 they are the
    /// executor's to keep.
    pub const LINES_TOLD: &str = "lines-told";
    /// Cores of a task.
    pub const TASK_CPUS: &str = "task-cpus";
    /// The longest record, in bytes.
    pub const LONGEST_RECORD: &str = "longest-record";
    /// The longest message to the driver, in bytes.
    pub const LONGEST_MESSAGE: &str = "longest-message";
    /// Bytes that are kept of what the commands of an attempt write to stderr.
    pub const LOG_SIZE: &str = "log-size";
    /// Bytes of that that are kept of all attempts.
    pub const LOGS_SIZE: &str = "logs-size";
}

/// Who an executor is.
#[derive(Clone)]
pub struct WorkerConfig {
    /// Where the driver listens.
    pub driver: String,
    /// Its id.
    pub executor: String,
    /// Its host.
    pub host: String,
    /// How many tasks run at once.
    pub cores: u32,
    /// From which ports its outputs are served.
    pub ports: Ports,
    /// Whether tasks come from the agent (fine mode).
    pub fine: bool,
    /// Where its work folder is made.
    pub folder: PathBuf,
    /// The sandbox that its agent made for it, which outlives it.
    pub sandbox: Option<PathBuf>,
    /// How long it looks for a driver that is gone.
    pub patience: Duration,
    /// From where it has the functions of the driver's program, if that has any.
    pub library: Arc<dyn Library>,
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
    /// It cannot prove who it is.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// It cannot encrypt as it is told to.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What it was launched with cannot be read.
    #[error("the executor was launched with something that is no launch of a driver's: {0}")]
    Launch(String),
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
            executor: text(variable::EXECUTOR)?,
            host: text(variable::HOST)?,
            // In fine mode the agent's offers limit what runs at once.
            cores: match variables.get(variable::CORES) {
                Some(cores) => cores
                    .parse()
                    .map_err(|_| WorkerError::Environment(variable::CORES))?,
                None => FINE_THREADS,
            },
            ports: match variables.get(variable::PORTS) {
                Some(ports) => ports
                    .parse()
                    .map_err(|_| WorkerError::Environment(variable::PORTS))?,
                None => Ports::ANY,
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
            sandbox: None,
            library: Arc::new(NoLibrary),
        })
    }
}
