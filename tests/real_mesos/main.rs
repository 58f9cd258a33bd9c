//! Against a real Mesos, brought up natively by `mesos-test-cluster`. Run by
//! name, for they need that: `scripts/test` does.

mod check;
mod cluster;
mod framework;
#[path = "../support/jobs.rs"]
mod jobs;
mod leaders;
mod recovery;
mod run;
mod subscription;
mod tasks;
