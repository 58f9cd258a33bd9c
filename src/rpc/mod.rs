//! The stream between the driver and its executors.
//!
//! Responsible for frames, the proof that both sides know the application's
//! secret, and the two ends of the connection. What the messages lead to is
//! decided by `driver` and `executor`.

pub mod connection;
pub mod frame;
pub mod message;
