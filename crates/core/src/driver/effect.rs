//! What the driver wants done. Pure.
//!
//! Responsible for the words alone. They are carried out in order: an
//! acknowledgement comes after what it acknowledges.

use bytes::Bytes;

use super::input::ConnectionId;
use super::record::Record;
use super::work::BlockPlace;
use crate::facts::Happened;
use crate::ids::{ExecutorId, JobId, Partition, TaskId};
use mesquite_mesos::call::Call;
use mesquite_workload::message::FromDriver;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write this down, so that another driver can go on from here. Comes before
    /// all else that its step leads to: what others were told is never forgotten.
    Keep(Box<Record>),
    /// Say this on a connection.
    Send(ConnectionId, FromDriver),
    /// Close a connection, once all that was said on it is sent.
    Close(ConnectionId),
    /// Tell the master this.
    Call(Call),
    /// Start an executor process.
    StartProcess(ExecutorId),
    /// Kill an executor process.
    KillProcess(ExecutorId),
    /// Fetch the result of an attempt; [`Input::Fetched`](super::input::Input::Fetched)
    /// follows.
    Fetch {
        /// The attempt.
        task: TaskId,
        /// Where it is.
        place: BlockPlace,
        /// How long it is.
        bytes: u64,
    },
    /// Hand over the result of a job;
    /// [`Input::Delivered`](super::input::Input::Delivered) follows.
    Deliver {
        /// The job.
        job: JobId,
        /// The place of its action.
        action: usize,
        /// The result.
        delivery: Delivery,
    },
    /// Remove what a job that failed has saved.
    AbortSave {
        /// The folder.
        to: String,
    },
    /// Hand on what happened in this step, for people and for whoever keeps a record:
    /// once, behind all but the results that are printed.
    Facts(Vec<Happened>),
}

/// A job's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// So many records.
    Count(u64),
    /// Lines, in partition order.
    Records(Vec<Bytes>),
    /// Files that are to be put in place.
    Save {
        /// The folder.
        to: String,
        /// How many there must be.
        partitions: u32,
        /// What the tasks said of theirs.
        results: Vec<Bytes>,
        /// Those that are left out.
        without: Vec<Partition>,
        /// Whether the save counts as complete all the same.
        complete: bool,
    },
}
