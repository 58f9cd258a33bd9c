//! Mesquite: a batch engine for Apache Mesos that schedules the way Spark does.
//!
//! The modules stand in layers; a file uses its own layer and those below.
//!
//! ```text
//! 4  cli                                         parse, run, show
//! 3  driver  executor                            loops that wait and act (async)
//! 2  mesos::{http, client, ...}  rpc  storage    sockets and files (async)
//! 1  resources  offers  plan  scheduler  backend decisions: pure
//!    driver::core  executor::{core, session}
//!    mesos::{recordio, codec, subscription, ...} protocol: pure
//! 0  ids  clock  backoff  base64  conf           vocabulary
//! ```

pub mod backend;
pub mod backoff;
mod base64;
pub mod cli;
pub mod clock;
pub mod conf;
pub mod driver;
pub mod executor;
pub mod ids;
pub mod mesos;
pub mod offers;
pub mod plan;
pub mod resources;
pub mod rpc;
pub mod scheduler;
pub mod storage;
pub mod task;
mod timer;
