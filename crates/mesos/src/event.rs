//! What the master tells a framework, in the domain's own types. Pure.
//!
//! Responsible for the words only: `convert` makes these from the
//! wire, [`super::subscription`] reads those that concern the subscription, and
//! the driver the others.

use std::time::Duration;

use bytes::Bytes;

use super::task::TaskStatus;
use crate::ids::{AgentId, ExecutorId, FrameworkId, OfferId, OperationId};
use crate::offers::{InverseOffer, Offer};

/// An event of the scheduler API.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Event {
    /// The subscription is granted. All offers from before it are void.
    Subscribed(Subscribed),
    /// Offers; each must be accepted or declined.
    Offers(Vec<Offer>),
    /// The operator would like these agents back.
    InverseOffers(Vec<InverseOffer>),
    /// An offer is no longer valid. May come after it was accepted.
    Rescind(OfferId),
    /// An inverse offer is no longer valid.
    RescindInverseOffer(OfferId),
    /// A task's state; to be acknowledged if it has a uuid.
    Update(TaskStatus),
    /// What became of an operation.
    UpdateOperationStatus(OperationStatus),
    /// A message of an executor; unreliable.
    Message {
        /// The executor's agent.
        agent: AgentId,
        /// The executor.
        executor: ExecutorId,
        /// What it says.
        #[serde(with = "crate::base64")]
        data: Bytes,
    },
    /// An agent is gone. A hint: unreliable and unordered.
    AgentFailure(AgentId),
    /// An executor has ended. A hint: unreliable and unordered.
    ExecutorFailure {
        /// The executor's agent, if known.
        agent: Option<AgentId>,
        /// The executor.
        executor: ExecutorId,
        /// How its process ended, if known.
        exit: Option<ExitStatus>,
    },
    /// The subscription is over, or was never granted.
    Error(String),
    /// The master is alive.
    Heartbeat,
    /// An event that this version does not know; by its number, if it had one.
    Unknown(Option<i32>),
}

/// What the master says when it grants a subscription.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Subscribed {
    /// The framework's id, new or repeated.
    pub framework: FrameworkId,
    /// How often heartbeats come; `None` if none are promised.
    pub heartbeat_interval: Option<Duration>,
    /// The master, if it introduces itself.
    pub master: Option<Master>,
}

/// A master, as far as people want to know of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Master {
    /// New for each run of a master.
    pub id: String,
    /// Its host name.
    pub hostname: Option<String>,
    /// Its port.
    pub port: u32,
    /// Its version, such as 1.11.0.
    pub version: Option<String>,
}

/// A state of an operation that was given an id.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OperationStatus {
    /// The operation, if it had an id.
    pub operation: Option<OperationId>,
    /// The state, with Mesos's name.
    pub state: String,
    /// What happened, for people.
    pub message: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    /// Reads a raw POSIX wait status, as FAILURE carries it; `None` for -1,
    /// which means that nobody knows.
    pub const fn from_raw(raw: i32) -> Option<Self> {
        match (raw, raw & 0x7f) {
            (-1, _) => None,
            (_, 0) => Some(Self::Code((raw >> 8) & 0xff)),
            (_, signal) => Some(Self::Signal(signal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_wait_status_is_a_code_or_a_signal() {
        assert_eq!(ExitStatus::from_raw(0), Some(ExitStatus::Code(0)));
        assert_eq!(ExitStatus::from_raw(7 << 8), Some(ExitStatus::Code(7)));
        assert_eq!(ExitStatus::from_raw(9), Some(ExitStatus::Signal(9)));
        assert_eq!(ExitStatus::from_raw(9 | 0x80), Some(ExitStatus::Signal(9)));
        assert_eq!(ExitStatus::from_raw(-1), None);
    }
}
