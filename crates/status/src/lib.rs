//! What people and programs see of applications.
//!
//! Responsible for the pages and the API, out of a [store](mesquite_core::store): of
//! [`history`], which reads event logs, and of a [run that lasts](live), which says what
//! happens. Read-only: nothing that comes in over the network changes anything. The routes:
//!
//! - `/`: the list of applications; of a run that lasts, that run
//! - `/history/APP/`: one of them; `stages/ID/ATTEMPT/`, `stages/ID/ATTEMPT/tasks/`,
//!   `executors/` and `settings/` below it, which a run that lasts has below `/`, too
//! - `/api/v1/...`: Spark's API
//! - `/metrics`: for Prometheus; `/healthz`: whether it serves
//!
//! Does not decide: what a number means is the store's business.

// `json!` takes a step for each word of an object.
#![recursion_limit = "512"]

pub mod api;
mod body;
mod front;
pub mod history;
pub mod live;
pub mod login;
pub mod logs;
mod metrics;
pub mod pages;
mod recent;
pub mod route;
pub mod server;
pub mod time;
mod zip;
