//! Mesos, as the framework and the executor see it.

pub mod codec;
pub mod endpoint;
pub mod leader;
pub mod proto;
pub mod recordio;
