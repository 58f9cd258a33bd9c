//! Map outputs: written by map tasks, read by reducers.
//!
//! Responsible for the files of a shuffle and for what each side does to
//! records on the way: spread and combine, bring together, sort and join.
//!
//! | file | what |
//! | --- | --- |
//! | `files` | names and index of a map output |
//! | `form` | what records look like in it: lines |
//! | `spread` | records gathered by reduce partition, within memory, and put in place |
//! | `outputs` | what an executor has of them, until no task will read it again |
//! | `writer` | a map task's side |
//! | `reader` | a reducer's side: blocks from disk or from other executors |
//! | `merge` | what becomes of what a reducer read |
//! | `join` | two shuffles matched by key |

pub mod files;
mod form;
mod join;
mod merge;
mod outputs;
mod reader;
mod spread;
#[cfg(test)]
pub(in crate::storage) mod tests;
mod writer;

pub use form::{Form, Lines};
pub use join::join;
pub use merge::merged;
pub use outputs::Outputs;
pub use reader::{Fetch, FetchBlocks, NoNetwork, ShuffleReader, WantedBlock, open_block};
pub use writer::ShuffleWriter;
