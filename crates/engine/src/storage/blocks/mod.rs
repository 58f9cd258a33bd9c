//! Blocks on their way between executors.
//!
//! Responsible for serving what lies in an executor's folder to the processes of
//! its run, and for fetching it. Used by reducers whose input
//! is on other hosts, by readers of persisted partitions, and by the driver for
//! large results. It does not look into what it moves: checksums are checked by
//! whoever reads the records.
//!
//! | file | what |
//! | --- | --- |
//! | `wire` | the question for many blocks, and its answer |
//! | `server` | what is asked of an executor |
//! | `pump` | files and streams as the bodies of answers |
//! | `paced` | peers that take an answer too slowly |
//! | `http` | requests over connections of the run |
//! | `client` | asking, in order, a few requests at a time |
//! | `download` | one request: tried again, kept in memory or in a file |
//! | `spool` | what came for a task that reads it in its own time |

mod client;
mod download;
mod http;
mod locate;
mod paced;
mod pump;
mod server;
mod spool;
#[cfg(test)]
mod tests;
pub mod wire;

pub use client::{BlockClient, BlockError};
pub use locate::Locate;
pub use server::{BlockServer, NothingPersisted, Persisted, Serves};

use std::path::{Path, PathBuf};

use crate::ids::TaskId;

/// Where the large result of a task lies in an executor's folder.
pub fn result_file(folder: &Path, task: TaskId) -> PathBuf {
    folder.join(format!("result_{task}"))
}
