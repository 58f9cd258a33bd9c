//! What people and programs see of applications.
//!
//! Responsible for the pages and the API of `mesquite history`, out of the
//! [store](mesquite_core::store) that an event log is read into. Read-only: nothing
//! that comes in over the network changes anything. The routes:
//!
//! - `/`: the list of applications
//! - `/history/APP/`: one of them; `stages/ID/ATTEMPT/`, `stages/ID/ATTEMPT/tasks/`,
//!   `executors/` and `settings/` below it
//! - `/api/v1/...`: Spark's API
//! - `/metrics`: for Prometheus; `/healthz`: whether it serves
//!
//! Does not decide: what a number means is the store's business.

// `json!` takes a step for each word of an object.
#![recursion_limit = "512"]

pub mod api;
mod body;
pub mod history;
pub mod logs;
mod metrics;
pub mod pages;
pub mod route;
pub mod server;
pub mod time;
mod zip;
