//! Spark's scheduling, pure: jobs become stages, stages become task sets, and
//! task sets meet offers.
//!
//! Nothing in here waits, reads a clock or touches the world: events and the
//! time go in, actions come out.

pub mod action;
pub mod block_sizes;
pub mod cached_locations;
pub mod commits;
pub mod dag_scheduler;
pub mod event;
pub mod job;
pub mod locality;
pub mod map_outputs;
pub mod partition_set;
mod places;
pub mod stage;
pub mod task;

#[cfg(test)]
mod tests;
