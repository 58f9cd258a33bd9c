//! What an agent runs: `mesquite executor`.
//!
//! Responsible for running the tasks of a driver and for telling how they went.
//! [`session`] decides what is said to the driver and [`worker`] says it,
//! [`engine`] runs one task with the [`operators`] and the user's [`functions`], [`pool`] has
//! the threads;
//! under an agent [`mesos_tasks`] decides what Mesos is told. It knows neither the scheduler nor offers.

pub mod engine;
mod event_loop;
pub mod functions;
pub mod mesos_tasks;
pub mod operators;
pub mod pool;
pub mod sampling;
pub mod session;
mod task_result;
pub mod worker;

pub use event_loop::{ExecutorError, run};
