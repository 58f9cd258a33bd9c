//! Spark's `TaskSetManagerSuite`.

mod executors_lost;
mod failures;
mod locality;
mod result_size;
mod seen;
mod speculation;
mod success;

use super::LocalityLevel::{Any, NoPref, NodeLocal, ProcessLocal, RackLocal};
use super::*;
use crate::config::LocalityWait;

const ONE_EXECUTOR: &[(&str, &str)] = &[("exec1", "host1")];

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn launch_all(fixture: &mut ManagerFixture, places: &[(&str, &str)]) -> Vec<Started> {
    places
        .iter()
        .map(|(executor, host)| {
            fixture
                .offer(executor, host, Any)
                .expect("a task for each place")
        })
        .collect()
}
