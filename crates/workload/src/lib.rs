//! What is to be computed, and what a driver and its executors say to each other of it.
//!
//! Responsible for plans and their operations, for the messages between driver and
//! executors and for what both ends understand alike of records:
//! what a line and a key are, their order, and the sizes of blocks. Pure: it holds no
//! data, and nothing here depends on what is running.

pub mod block_sizes;
pub mod ending;
pub mod line;
pub mod message;
pub mod order;
pub mod plan;

use mesquite_base::ids;
