//! Mesos, as the framework and the executor see it.

pub mod proto;
