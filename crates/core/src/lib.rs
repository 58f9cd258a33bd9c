//! The driver's decisions.
//!
//! Responsible for where executors come from ([`backend`]: Mesos in both modes, processes,
//! threads), for what they are sent and what becomes of it ([`driver`]), for what happens
//! ([`facts`], [`event_log`], and all of it to be asked: [`store`]; what it comes to: [`tally`]) and for what a run tells,
//! and whom ([`telling`], [`watch`], [`report`], [`listener`]); [`wire`] reads what executors say. Pure:
//! steps go in, effects come out, in order. Waiting, speaking and carrying out is the shell's.

pub mod backend;
pub mod driver;
pub mod event_log;
pub mod facts;
pub mod listener;
pub mod report;
pub mod store;
pub mod tally;
pub mod telling;
pub mod watch;
pub mod wire;

use mesquite_base::{clock, conf, ids, plain};
use mesquite_mesos::{offers, resources};
use mesquite_workload::plan;
