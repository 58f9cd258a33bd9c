//! Why a run did not even begin.

use std::path::PathBuf;

use crate::agent_tls::AgentTlsError;
use crate::conf::ByteSize;
use crate::conf::master_url::MasterUrl;
use crate::event_log::EventLogError;
use crate::journal::JournalError;
use mesquite_engine::storage::sink::SinkError;
use mesquite_engine::task::SealError;

/// Why a run did not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
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
    /// The run cannot be kept, or not be gone on with.
    #[error("mesquite.recovery.dir: {0}")]
    Recovery(String),
    /// The same, because of its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no event log where one is wanted.
    #[error(transparent)]
    EventLog(#[from] EventLogError),
    /// Files cannot be encrypted as the settings want.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Executors have too little memory, or two settings say how much.
    #[error("{0}")]
    Memory(String),
    /// The settings name a Mesos master, but not how to speak to it.
    #[error("no connection to a Mesos master was set up")]
    NoMesos,
    /// A manager of one's own starts processes of this machine, and the settings name
    /// another master.
    #[error(
        "a manager of one's own starts processes of this machine; set spark.master to \
         local-cluster[N,cores,MiB] instead of {0}"
    )]
    OwnManager(MasterUrl),
    /// Executors cannot be told how to speak to their agents.
    #[error(transparent)]
    AgentTls(#[from] AgentTlsError),
    /// No master granted a subscription.
    #[error("cannot register with Mesos: {0}")]
    NoMaster(String),
    /// The framework was removed while jobs ran.
    #[error("the framework was removed: {0}")]
    Removed(String),
    /// The user wanted an end before it began.
    #[error("interrupted")]
    Interrupted,
    /// A file that is to be brought to executors cannot be read.
    #[error("cannot bring {path} to executors: {error}")]
    Bring {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// There are too many of them.
    #[error(
        "more than {0} files are to be brought to executors: put those that belong together into \
         an archive, and unpack that in a command"
    )]
    ManyFiles(usize),
    /// Two of them have one name, or one has none that a file can have.
    #[error("{0}")]
    Name(String),
    /// What is to be done is more than executors can be told.
    #[error(
        "executors cannot be sent this job file: as a program it has {bytes} bytes, more than \
         spark.rpc.message.maxSize ({longest}); put long items into files and read those"
    )]
    LongProgram {
        /// The length of the program.
        bytes: usize,
        /// The longest message.
        longest: ByteSize,
    },
    /// The process cannot do its work at all.
    #[error("cannot start")]
    System(#[source] std::io::Error),
}
