//! The driver: runs an application's jobs to their end.
//!
//! [`core`] decides all that there is to decide and touches nothing; what is
//! beside it waits, speaks and carries out:
//!
//! | file | what |
//! | --- | --- |
//! | `run` | puts a run together, from settings to report |
//! | `event_loop` | hands what arrives to `core` and does what it says |
//! | `journal`, `recovery` | what another driver goes on from when this one dies |
//! | `links`, `server`, `office` | executors that connect |
//! | `threads`, `processes`, `framework` | where executors come from |
//! | `binary` | our own program, for agents that lack it |
//! | `report` | what a run tells |

mod binary;
pub mod core;
mod event_loop;
mod framework;
mod journal;
mod links;
mod office;
mod processes;
mod recovery;
pub mod report;
pub mod run;
mod server;
mod threads;
