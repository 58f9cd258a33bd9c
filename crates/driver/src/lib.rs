//! The driver: runs an application's jobs to their end.
//!
//! [`core`] decides all that there is to decide and touches nothing; what is
//! beside it waits, speaks and carries out:
//!
//! | file | what |
//! | --- | --- |
//! | `run` | puts a run together, from settings to report |
//! | `settled` | what is known of a run before anything is done for it, and its report |
//! | `saves` | what an application reads, saves, and has saved before |
//! | `delivery` | results on their way: fetched, and handed to whoever listens |
//! | `event_loop` | hands what arrives to `core` and does what it says |
//! | `farewell` | goodbye, and what is told again if a driver died over it |
//! | `journal`, `recovery` | what another driver goes on from when this one dies |
//! | `links`, `server`, `office` | executors that connect |
//! | `threads`, `processes`, `framework` | where executors come from |
//! | `binary`, `served` | our own program, for agents that lack it |
//! | `agent_tls` | what executors are told of TLS to their agents |
//! | `feed` | what happened, for readers on threads of their own |
//! | `event_log` | the file of what happened, and its writer |
//! | `pages` | where a run that lasts can be looked at |
//! | `spans` | what happened, in the log of whoever wants details |
//! | `report` | what a run tells |

mod agent_tls;
pub mod around;
mod attempt_logs;
mod binary;
mod bringing;
mod delivery;
mod error;
mod event_log;
mod event_loop;
mod farewell;
mod feed;
mod framework;
mod given;
mod journal;
mod launching;
mod links;
mod memory;
mod office;
mod pages;
mod processes;
mod recovery;
pub mod run;
mod saves;
mod served;
mod server;
mod settled;
mod shelf;
mod spans;
mod threads;

pub use mesquite_core::{driver as core, facts, listener, report, telling, watch, wire};

use mesquite_base::{conf, hex, ids};
use mesquite_mesos::{offers, resources};
use mesquite_system::{clock, descriptors, timer};
use mesquite_workload::plan;
