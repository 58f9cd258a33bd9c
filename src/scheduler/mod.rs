//! Spark's scheduling, pure: jobs become stages, stages become task sets, and
//! task sets meet offers.
//!
//! Nothing in here waits, reads a clock or touches the world: events and the
//! time go in, actions come out.

pub mod locality;
pub mod task;
