//! Where records lie: inputs, map outputs, spilled runs, results.
//!
//! Responsible for files and their formats, and for moving blocks between
//! executors. Used by the operators and by the driver; it knows neither
//! scheduling nor Mesos. Synchronous but for the block server.

mod aggregate;
pub mod block;
pub mod blocks;
pub mod combine;
mod files;
mod groups;
pub mod listing;
mod listing_error;
pub mod lock;
pub mod logs;
pub mod number;
mod numbers;
mod pack;
pub mod path;
pub mod persisted;
pub mod private;
pub mod remote;
mod short;
pub mod shuffle;
pub mod sink;
pub mod sorter;
pub mod source;
pub mod table;
pub(crate) mod unpack;
pub mod value;
mod window;

pub use mesquite_workload::order;
