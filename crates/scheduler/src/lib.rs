//! Spark's scheduling, pure: jobs become stages, stages become task sets, and
//! task sets meet offers.
//!
//! Nothing in here waits, reads a clock or touches the world: events and the
//! time go in, actions come out.
//!
//! [`Core`] joins two halves and is their one face to the rest.
//!
//! The upper half, [`DagScheduler`]:
//!
//! - [`dag_scheduler`]: lineage becomes stages, stages become task sets
//! - [`stage`], [`job`]: what it remembers of each
//! - [`map_outputs`], with [`block_sizes`]: where the outputs of map stages are
//! - [`cached_locations`]: where persisted partitions are
//! - [`commits`]: which attempt may commit its output
//! - [`partition_set`], `places`: much about partitions in little room
//!
//! The lower half, [`TaskScheduler`]:
//!
//! - [`task`]: the words between the DAG scheduler and the task scheduler
//! - [`event`], [`action`]: what happens to the task scheduler, what it asks for
//! - [`task_scheduler`]: offers become attempts, statuses find their task set
//! - `task_set_manager`: the life of one task set, with `pending` (who waits
//!   where), `delay` (how far from its input by now), `durations` (of attempts) and
//!   `speculation` (copies)
//! - `making`: who makes a persisted partition, while others wait for it
//! - [`pool`], [`ordering`]: who comes first
//! - `health`: keeping work from where it fails
//! - [`worker_offer`], [`stock`], `cluster`: room, and who offers it; [`loss`]: how it comes to
//!   be gone
//! - [`running`], [`starvation`]: what people see
//! - [`config`]: the settings

pub mod action;
pub mod cached_locations;
mod cluster;
pub mod commits;
pub mod config;
pub mod core;
pub mod dag_scheduler;
mod delay;
mod durations;
pub mod event;
mod health;
pub mod job;
pub mod locality;
pub mod loss;
mod making;
pub mod map_outputs;
pub mod ordering;
pub mod partition_set;
mod pending;
mod places;
pub mod pool;
pub mod running;
mod speculation;
pub mod stage;
pub mod starvation;
pub mod stock;
pub mod task;
pub mod task_scheduler;
mod task_set_manager;
#[cfg(test)]
mod tests;
pub mod worker_offer;

pub use self::core::{Core, CoreActions, Event};
pub use action::{Actions, BackendRequest, Notice};
pub use config::TaskSchedulerConfig;
pub use dag_scheduler::{DagScheduler, DagSchedulerConfig};
pub use event::{AttemptStatus, TaskSchedulerEvent};
pub use task_scheduler::TaskScheduler;
pub use worker_offer::WorkerOffer;

use mesquite_base::{clock, conf, ids, plain};
use mesquite_workload::{block_sizes, plan};
