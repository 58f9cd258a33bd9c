//! What datasets do to records: one file an operation.
//!
//! Responsible for operations within a stage. Each is a stream that pulls from
//! the one before it; the engine puts them together.

pub mod field;
pub mod generate;
pub mod pipe;
pub mod select;
