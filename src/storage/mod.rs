//! Where records lie: inputs, map outputs, spilled runs, results.
//!
//! Responsible for files and their formats, and for moving blocks between
//! executors. Used by the operators and by the driver; it knows neither
//! scheduling nor Mesos. Synchronous but for the block server.

pub mod block;
pub mod blocks;
pub mod combine;
pub mod listing;
pub mod number;
pub mod order;
pub mod persisted;
pub mod remote;
pub mod shuffle;
pub mod sink;
pub mod sorter;
pub mod source;
pub mod table;
pub mod value;
