//! Executors as threads of the driver's own process: `local`. Pure.

use std::time::Duration;

use super::manager::{Action, ClusterManager, Input, Launched};
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host};

/// What executors of this machine know it by.
pub(super) const THIS_HOST: &str = "localhost";

/// Threads that are there from the start and never go.
#[derive(Clone, Copy, Debug)]
pub struct Threads;

impl ClusterManager for Threads {
    fn handle(&mut self, _now: Timestamp, _unix_time: Duration, _input: Input) -> Vec<Action> {
        Vec::new()
    }

    fn launched(&self, _executor: &ExecutorId) -> Option<Launched> {
        Some(Launched {
            host: Host::from(THIS_HOST),
            cores: None,
            agent: None,
            resources: Vec::new(),
        })
    }

    fn has_comers(&self) -> bool {
        false
    }
}
