//! The connections of executors, as the driver's loop sees them.
//!
//! Responsible for what reaches the loop, and for getting words to an executor:
//! over the network, or to the threads of this process.

use super::core::input::{ConnectionId, Input};
use super::report::Progress;
use mesquite_engine::rpc::connection::Outgoing;
use mesquite_workload::message::FromDriver;

/// What reaches the loop.
pub(super) enum Arrival {
    /// A peer proved the secret. What it says follows.
    Connected(ConnectionId, LinkTo),
    /// For the driver.
    Input(Input),
    /// For people; nothing is decided by it.
    Tell(Progress),
}

impl From<Input> for Arrival {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}

/// The way to an executor.
pub(super) enum LinkTo {
    /// A process.
    Process(Outgoing<FromDriver>),
    /// Threads of this process.
    Threads(Box<dyn OwnThreads>),
}

/// An executor that is no process of its own.
pub(super) trait OwnThreads: Send {
    /// Does what the driver says.
    fn told(&mut self, message: FromDriver);

    /// Stops what runs, and waits for it.
    fn stop(&self);
}

impl LinkTo {
    /// Sends a message after all those before it.
    pub(super) fn send(&mut self, message: FromDriver) {
        match self {
            Self::Process(link) => link.send(&message),
            Self::Threads(threads) => threads.told(message),
        }
    }
}
