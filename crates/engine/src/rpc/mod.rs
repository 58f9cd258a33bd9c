//! The stream between the driver and its executors, and who may speak on it.
//!
//! Responsible for what a run's processes know each other by, for the proofs at
//! the beginning of each connection, for frames, and for the two ends of the
//! stream. What the messages lead to is decided by `driver` and `executor`.

pub mod connection;
pub mod credential;
pub mod frame;
pub mod gate;
pub mod guard;
pub mod turns;

pub use mesquite_workload::message;
