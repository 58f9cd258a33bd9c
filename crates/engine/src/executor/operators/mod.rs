//! What datasets do to records: one file an operation.
//!
//! Responsible for operations within a stage. Each is a stream that pulls from
//! the one before it; the engine puts them together.

pub mod csv;
pub mod draw;
pub mod each;
pub mod field;
pub mod generate;
pub mod jsonl;
pub mod limit;
pub mod parts;
pub mod pipe;
pub mod rewrite;
pub mod select;
pub mod top;
pub mod top_of_keys;
pub mod words;
