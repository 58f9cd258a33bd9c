//! What cluster managers tell of offers, agents and executors. Pure.
//!
//! Responsible for these words of the stream of [facts](crate::facts). Managers make them
//! where things happen; what people read of them is made in
//! [`telling`](crate::telling::cluster), and what became of all offers is kept by the
//! [store](crate::store::offers). They say what was, and decide nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{AgentId, ExecutorId, Host};
use crate::offers::{CannotAccept, DeclineReason};
use crate::resources::Scalar;
use mesquite_mesos::refused::CallRefusal;
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause};

/// What a manager tells.
#[derive(Clone, Debug, PartialEq)]
pub enum ClusterFact {
    /// This is asked for, from a subscription on.
    Asks(RoomWanted),
    /// Offers came, and were answered. Shared, for there may be many.
    Offers(Arc<OfferCycle>),
    /// The master took an offer back.
    Rescinded {
        /// Its agent, if it had no answer yet; the answer to one that had comes too late.
        agent: Option<AgentId>,
    },
    /// Offers without an answer ended with their subscription.
    Expired {
        /// So many.
        offers: u64,
    },
    /// The master was told that no offers are wanted.
    Suppressed,
    /// The master was asked for all offers again, those that were declined included.
    Revived,
    /// Agents are wanted back for maintenance.
    WantedBack {
        /// Those that are given up: nothing of ours is left there.
        free: Vec<AgentId>,
        /// Those that are to be drained first.
        busy: Vec<AgentId>,
    },
    /// An agent is lost, with all that is on it.
    AgentLost {
        /// The agent.
        agent: AgentId,
    },
    /// Executors failed on an agent one after the other, and none is started there for a
    /// while.
    AgentExcluded {
        /// The agent.
        agent: AgentId,
        /// Its host.
        host: Host,
        /// How many failed.
        failures: u32,
        /// For how long.
        pause: Duration,
    },
    /// The master refused to launch something.
    LaunchRefused {
        /// What was to be launched.
        what: Launches,
        /// How many of these.
        count: u64,
        /// Why.
        refusal: CallRefusal,
    },
    /// Offers were gone before they could be accepted.
    NotAccepted(CannotAccept),
    /// The master said that something is wrong.
    MasterSaid(String),
    /// An executor was launched and is gone, and had not registered.
    NeverCame {
        /// The executor.
        executor: ExecutorId,
        /// Its agent.
        agent: AgentId,
        /// Where that is.
        host: Host,
        /// Why it is gone.
        why: ExecutorLossReason,
    },
    /// An executor was launched and has not registered for so long, and is given up.
    TooLate {
        /// The executor.
        executor: ExecutorId,
        /// For how long.
        waited: Duration,
    },
    /// It is known now how an executor ended that was given up before.
    EndedAfterAll {
        /// The executor.
        executor: ExecutorId,
        /// How.
        how: LossCause,
    },
    /// No agent offers what was asked for by a name.
    Lacking(OffersSoFar),
    /// Executors die, and no more are started.
    NoMoreExecutors(NoHope),
}

impl ClusterFact {
    /// Whether it is for those alone who want to know all, and not for people while they
    /// wait.
    pub const fn is_detail(&self) -> bool {
        match self {
            Self::Asks(_)
            | Self::Offers(_)
            | Self::Rescinded { .. }
            | Self::Expired { .. }
            | Self::Suppressed
            | Self::Revived
            | Self::WantedBack { .. }
            | Self::AgentLost { .. } => true,
            Self::AgentExcluded { .. }
            | Self::LaunchRefused { .. }
            | Self::NotAccepted(_)
            | Self::MasterSaid(_)
            | Self::NeverCame { .. }
            | Self::TooLate { .. }
            | Self::EndedAfterAll { .. }
            | Self::Lacking(_)
            | Self::NoMoreExecutors(_) => false,
        }
    }
}

/// What a framework asks of its offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomWanted {
    /// Room for executors.
    Executors {
        /// The cores of each; all that an offer has, if that is not said.
        cores: Option<u32>,
        /// The memory of each, in MiB.
        memory_mib: u64,
        /// How many of resources with names each holds.
        named: Vec<(Arc<str>, u32)>,
    },
    /// Room for tasks, and for an executor on each agent.
    Tasks {
        /// The cores of a task.
        cores: u32,
        /// The cores of an executor, for itself.
        executor_cores: Scalar,
        /// The memory of an executor, in MiB.
        memory_mib: u64,
        /// How many of resources with names a task takes.
        named: Vec<(Arc<str>, u32)>,
    },
}

/// The offers of one event of the master.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferCycle {
    /// How many came.
    pub came: u64,
    /// What they were answered, by agent and role.
    pub answers: Vec<OfferAnswer>,
}

/// What the offers of an agent were answered.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferAnswer {
    /// The agent.
    pub agent: AgentId,
    /// Its host.
    pub host: Host,
    /// The cores that were offered.
    pub cpus: Scalar,
    /// The memory that was offered, in MiB.
    pub mem: Scalar,
    /// In so many offers.
    pub offers: u64,
    /// How long the oldest of them had waited for the answer.
    pub held: Duration,
    /// The answer.
    pub answer: Verdict,
}

/// An answer to offers.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// They were taken.
    Accepted {
        /// For so many tasks or executors.
        launched: u64,
    },
    /// They were given back, for all of these reasons.
    Declined(Vec<DeclineReason>),
}

/// What is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launches {
    /// Executors.
    Executors,
    /// Tasks.
    Tasks,
}

/// Why nothing runs, as far as a manager knows.
#[derive(Clone, Debug, PartialEq)]
pub enum NothingRuns {
    /// No executor is there, and it is not known why.
    NoneRegistered,
    /// There is no way to the master.
    MasterAway,
    /// Executors were launched, and have not registered.
    Starting {
        /// So many.
        executors: u64,
    },
    /// Of the offers that came none was of use.
    Offers(OffersSoFar),
}

/// What offers came to, since something was accepted last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffersSoFar {
    /// So many came, from the beginning on.
    pub came: u64,
    /// Agents whose last offer was declined, by why it was.
    pub declined: Vec<AgentsDeclined>,
    /// So many agents more.
    pub more: u64,
}

/// Agents whose last offer was declined for the same reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentsDeclined {
    /// The reasons.
    pub reasons: Vec<DeclineReason>,
    /// The hosts of some of them.
    pub hosts: Vec<Host>,
    /// How many they are.
    pub agents: u64,
}

/// Why there will be no executor any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHope {
    /// The master refused launches for what they are.
    LaunchesRefused {
        /// So many in a row.
        launches: u32,
        /// The last one so.
        last: CallRefusal,
    },
    /// No executor comes up in the image that all are to run in.
    NoContainer {
        /// The image.
        image: String,
        /// Where the last one did not.
        host: Host,
        /// Why, for people.
        why: String,
    },
    /// Executors died before they began a task.
    ExecutorsDied {
        /// So many, one after the other.
        deaths: u32,
    },
}
