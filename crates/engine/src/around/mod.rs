//! What commands find around them: the files that are brought to an executor.
//!
//! Responsible for fetching each file once, for checking that it is the one that is meant,
//! and for the folders in which commands start. Where nothing is brought it does nothing,
//! and makes nothing.
//!
//! ```text
//! WORK FOLDER/around/DIGEST     what was fetched: read-only, for all commands
//! WORK FOLDER/around/DIGEST-d   a folder with what was in an archive
//! WORK FOLDER/around/at-3/NAME  links to it, as long as one command runs
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `archive` | what is in an archive |
//! | `fetch` | one file, from the driver |
//! | `folder` | where a command starts |
//! | `store` | what is there, and who waits for what |

mod archive;
mod fetch;
mod folder;
mod store;

use bytes::Bytes;

pub use self::folder::TaskFolder;
pub use self::store::Store;
use crate::task::{Cancel, TaskError};

/// So many bytes of a file are asked for at once.
pub const PIECE: usize = 1 << 20;

/// Asks the driver for files that it brings.
pub trait Pieces: Send + Sync {
    /// The next bytes of the file with a digest from a place on, [`PIECE`] at most; none at
    /// its end. Waits for them.
    ///
    /// # Errors
    /// The driver cannot give them, for which no later attempt helps; or the task is to
    /// stop.
    fn piece(&self, digest: &str, at: u64, cancel: &Cancel) -> Result<Bytes, TaskError>;
}
