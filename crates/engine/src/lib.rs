//! What runs tasks: records, where they lie, and the executors that hold them.
//!
//! Responsible for [`storage`] (inputs, map outputs, spills, results), for what every
//! running [`task`] shares, for what commands find [`around`] them, for the [`executor`] with its operators, and for [`rpc`],
//! the connections between a driver and its executors. Threads and sockets live here;
//! the scheduler and offers are unknown.

pub mod around;
pub mod executor;
pub mod rpc;
pub mod storage;
pub mod task;

use mesquite_base::{backoff, conf, hex, ids, plain};
use mesquite_system::{clock, descriptors, timer, usage};
use mesquite_workload::plan;
