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

#[path = "../support/certificates.rs"]
mod certificates;
mod check;
mod cluster;
mod containers;
#[path = "../support/examples.rs"]
mod examples;
mod framework;
mod guest;
#[path = "../support/jobs.rs"]
mod jobs;
mod leaders;
mod maintenance;
mod memory;
mod native;
mod offers;
mod operations;
#[path = "../support/peaks.rs"]
mod peaks;
mod poison;
mod recovery;
mod resources;
mod run;
mod shown;
mod subscription;
mod tasks;
mod tls;
