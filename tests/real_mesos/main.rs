//! Against a real Mesos, brought up natively by `mesos-test-cluster`. Run by
//! name, for they need that: `scripts/test` does.

// The simulator's model, which is held against the real thing.
#[expect(dead_code, reason = "the simulator uses the rest")]
#[path = "../simulation/agent.rs"]
mod agent;
#[expect(dead_code, reason = "the simulator uses the rest")]
#[path = "../simulation/master.rs"]
mod master;
mod model;
#[expect(dead_code, reason = "the simulator uses the rest")]
#[path = "../simulation/network.rs"]
mod network;

mod check;
mod cluster;
mod framework;
#[path = "../support/jobs.rs"]
mod jobs;
mod leaders;
mod maintenance;
mod recovery;
mod run;
mod subscription;
mod tasks;
