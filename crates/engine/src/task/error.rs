//! How a task fails, as far as it matters what follows.

use std::io;

use crate::ids::{ExecutorId, Host, Partition, ShuffleId};

/// Why a task did not succeed. Messages are for people and name what was done
/// to what.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A map output could not be read: it is made anew.
    #[error(
        "cannot read {} of shuffle {shuffle} from executor {executor}: {message}",
        output(*map)
    )]
    Fetch {
        /// Who should have served it.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// The shuffle.
        shuffle: ShuffleId,
        /// Which output, if a single one is to blame.
        map: Option<Partition>,
        /// What went wrong.
        message: String,
    },
    /// Anything else that may go better elsewhere.
    #[error("{0}")]
    Failed(String),
    /// Trying again cannot help.
    #[error("{0}")]
    Permanent(String),
    /// It was told to stop.
    #[error("killed")]
    Killed,
    /// Another attempt has the right to put its output in place.
    #[error("another attempt committed this partition")]
    CommitDenied,
}

impl TaskError {
    /// A failed operation on a file or stream: `cannot WHAT: ERROR`.
    pub fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::Failed(format!("cannot {what}: {error}"))
    }
}

fn output(map: Option<Partition>) -> String {
    map.map_or_else(
        || "the outputs".to_owned(),
        |map| format!("the output of map {map}"),
    )
}
