//! What the driver wants done. Pure.
//!
//! Responsible for the words alone. They are carried out in order: an
//! acknowledgement comes after what it acknowledges.

use bytes::Bytes;

use super::input::ConnectionId;
use super::record::Record;
use super::work::BlockPlace;
use crate::driver::report::Progress;
use crate::ids::{ExecutorId, JobId, TaskId};
use crate::mesos::call::Call;
use crate::rpc::message::FromDriver;

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
    },
    /// Hand over the result of a job;
    /// [`Input::Delivered`](super::input::Input::Delivered) follows.
    Deliver {
        /// The job.
        job: JobId,
        /// The dataset that was asked for.
        dataset: String,
        /// The result.
        delivery: Delivery,
    },
    /// Remove what a job that failed has saved.
    AbortSave {
        /// The folder.
        to: String,
    },
    /// Tell people.
    Tell(Progress),
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
        /// Whether what is in the folder is replaced.
        overwrite: bool,
    },
}
