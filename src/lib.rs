//! Mesquite: a batch engine for Apache Mesos that schedules the way Spark does.
//!
//! This package is the command line, job files and pools files, and the face of the
//! library: what is in the crates of the workspace goes by its name here. Which crate
//! holds what, and which may use which, is told in `docs/architecture.md`.
//!
//! | to | see |
//! | --- | --- |
//! | say what is to be computed | [`plan::ApplicationBuilder`], or [`job_file`] for what people write |
//! | run it | [`driver::run::run`], with [`conf::Conf`]; `examples/builder.rs` |
//! | hear of results, and of all that happens | [`driver::listener::Listener`] and [`driver::facts`]; `examples/facts.rs` |
//! | give executors in a way of one's own | [`backend::manager::ClusterManager`] and [`driver::run::run_with`]; `examples/growing.rs` |
//!
//! No version promises that the next one has the same names: this is what the binary is
//! made of, and it changes with it.

pub mod cli;
pub mod job_file;
pub mod pools_file;
mod program;

pub use mesquite_base::{backoff, conf, ids, plain, variables};
pub use mesquite_core::backend;
pub use mesquite_driver as driver;
pub use mesquite_engine::{executor, rpc, storage, task};
pub use mesquite_mesos::{offers, resources};
pub use mesquite_mesos_client as mesos;
pub use mesquite_native as native;
pub use mesquite_native::{
    Action, BoxError, Broadcast, Context, Dataset, Format, Line, Partition, Placed, Record,
    SortKey, Source, Task,
};
pub use mesquite_scheduler as scheduler;
use mesquite_system::timer;
pub use mesquite_system::{clock, descriptors};
pub use mesquite_workload::plan;
pub use program::main;
