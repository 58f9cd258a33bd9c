//! What every piece of a running task shares: its name, its records, its end.
//!
//! Responsible for the words between the engine that runs tasks, the operators
//! that change records and the storage that keeps them. Used by `storage` and
//! `executor`; it runs nothing.

mod cancel;
mod context;
mod error;
mod records;

pub use cancel::{Cancel, WakerGuard};
pub use context::{Metrics, TaskContext};
pub use error::TaskError;
pub use records::{CHUNK, Records, end_line, key_of, lines};
