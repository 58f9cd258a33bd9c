//! What reaches the driver. Pure.
//!
//! Responsible for the words in which the shell tells what happened. They can be
//! written down and read again: a driver that was given the same steps as
//! another one is in the same state, which is how a run survives its driver
//! (see `driver::journal`).

use std::time::Duration;

use bytes::Bytes;

use super::heard::Heard;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, JobId, TaskId};
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_mesos::subscription::Notice;

/// What happened, all at one time as far as the driver is concerned.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// When, by the run's own clock.
    pub at: Timestamp,
    /// When, by the calendar: since the Unix epoch.
    pub unix_time: Duration,
    /// What, in order.
    pub inputs: Vec<Input>,
}

/// A connection of an executor, counted by the shell; numbers are used once in
/// a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Input {
    /// The run begins.
    Started,
    /// Another process goes on with the run: all connections are gone.
    Recovered,
    /// An executor said something. The first word on a connection is
    /// [`Heard::Registered`].
    Executor {
        /// On which connection.
        connection: ConnectionId,
        /// Who it said it was.
        executor: ExecutorId,
        /// What.
        #[serde(with = "crate::wire::journal")]
        message: Heard,
    },
    /// A connection is gone.
    Disconnected {
        /// Which.
        connection: ConnectionId,
        /// The executor.
        executor: ExecutorId,
        /// Why, for people.
        why: String,
    },
    /// Mesos said something.
    Mesos(Notice),
    /// The master, or something before it, refused a call.
    Refused {
        /// What it was about.
        call: Refused,
        /// Why.
        refusal: CallRefusal,
    },
    /// A process of this machine that was an executor has ended.
    ProcessEnded {
        /// The executor.
        executor: ExecutorId,
        /// How, for people: `it ...`.
        how: String,
    },
    /// A large result was fetched, or could not be.
    Fetched {
        /// The attempt whose result it is.
        task: TaskId,
        /// The result, or what went wrong.
        #[serde(with = "mesquite_base::base64::result")]
        result: Result<Bytes, String>,
    },
    /// A job's result reached whoever asked for it, or could not.
    Delivered {
        /// The job.
        job: JobId,
        /// What went wrong.
        result: Result<(), String>,
    },
    /// The user wants an end.
    Interrupted,
    /// A deadline came.
    TimePassed,
}
