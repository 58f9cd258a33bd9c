//! What an agent runs: `mesquite executor`.
//!
//! Responsible for running the commands that a framework sends as tasks, one
//! process group each, and for telling how they went. [`core`] decides, the
//! event loop waits, [`runner`] has the processes. It knows neither the
//! scheduler nor offers.

pub mod core;
pub mod engine;
mod event_loop;
pub mod operators;
pub mod pool;
pub mod runner;
pub mod sampling;
pub mod worker;

pub use event_loop::{ExecutorError, run};
