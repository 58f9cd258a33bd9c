//! What a framework tells the master, in the domain's own types. Pure.
//!
//! Responsible for the words only: `convert` puts them on the wire.
//! All but SUBSCRIBE, TEARDOWN and UPDATE_FRAMEWORK are fire and forget: that
//! the master took a call does not mean that it did anything.

use std::time::Duration;

use uuid::Uuid;

use super::task::TaskInfo;
use crate::ids::{AgentId, ExecutorId, FrameworkId, MesosTaskId, OfferId, Role};

/// Who the framework is.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameworkInfo {
    /// The account that executors run under.
    pub user: String,
    /// For people.
    pub name: String,
    /// Its id; without one the client gives it one before it first subscribes.
    pub id: Option<FrameworkId>,
    /// How long its tasks live on when its connection breaks. Zero ends them
    /// at once.
    pub failover_timeout: Duration,
    /// The roles it takes offers for.
    pub roles: Vec<Role>,
    /// The host it runs on, for people.
    pub hostname: String,
    /// The principal it authenticates as; fixed for its life.
    pub principal: Option<String>,
    /// Where its own page is.
    pub webui_url: Option<String>,
    /// Whether agents with GPUs may be offered.
    pub gpus: bool,
}

/// A call of the scheduler API.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Opens the stream of events.
    Subscribe {
        /// Who subscribes.
        framework: FrameworkInfo,
        /// The roles that want no offers for now.
        suppressed: Vec<Role>,
    },
    /// Ends the framework with all its tasks and executors.
    Teardown,
    /// Uses offers of one agent and one role; what is left over is declined.
    Accept {
        /// The offers.
        offers: Vec<OfferId>,
        /// The tasks to launch.
        launch: Vec<TaskInfo>,
        /// For how long the rest is not wanted.
        refuse: Duration,
    },
    /// Gives offers back.
    Decline {
        /// The offers.
        offers: Vec<OfferId>,
        /// For how long they are not wanted.
        refuse: Duration,
    },
    /// Agrees to give agents back.
    AcceptInverseOffers {
        /// The inverse offers.
        offers: Vec<OfferId>,
    },
    /// Does not agree to give agents back.
    DeclineInverseOffers {
        /// The inverse offers.
        offers: Vec<OfferId>,
        /// For how long they are not to be repeated.
        refuse: Duration,
    },
    /// Wants offers again, at once and without regard to earlier refusals.
    Revive {
        /// For these roles; for all if empty.
        roles: Vec<Role>,
    },
    /// Wants no offers until further notice.
    Suppress {
        /// For these roles; for all if empty.
        roles: Vec<Role>,
    },
    /// Kills a task. To be repeated until a terminal status comes.
    Kill {
        /// The task.
        task: MesosTaskId,
        /// Its agent, if known.
        agent: Option<AgentId>,
        /// How long it may take to end; the executor's own if absent.
        grace_period: Option<Duration>,
    },
    /// Shuts an executor down. Not repeated by Mesos.
    Shutdown {
        /// The executor.
        executor: ExecutorId,
        /// Its agent.
        agent: AgentId,
    },
    /// Says that a status has taken effect.
    Acknowledge {
        /// The agent in the status.
        agent: AgentId,
        /// The task.
        task: MesosTaskId,
        /// The status's uuid.
        uuid: Uuid,
    },
    /// Asks for the states of tasks.
    Reconcile {
        /// The tasks and their agents; if empty, all that the master knows.
        tasks: Vec<(MesosTaskId, Option<AgentId>)>,
    },
    /// Replaces what the framework said of itself.
    UpdateFramework {
        /// Who it is from now on.
        framework: FrameworkInfo,
        /// The roles that want no offers for now.
        suppressed: Vec<Role>,
    },
}

impl Call {
    /// Mesos's name of the call.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribe { .. } => "SUBSCRIBE",
            Self::Teardown => "TEARDOWN",
            Self::Accept { .. } => "ACCEPT",
            Self::Decline { .. } => "DECLINE",
            Self::AcceptInverseOffers { .. } => "ACCEPT_INVERSE_OFFERS",
            Self::DeclineInverseOffers { .. } => "DECLINE_INVERSE_OFFERS",
            Self::Revive { .. } => "REVIVE",
            Self::Suppress { .. } => "SUPPRESS",
            Self::Kill { .. } => "KILL",
            Self::Shutdown { .. } => "SHUTDOWN",
            Self::Acknowledge { .. } => "ACKNOWLEDGE",
            Self::Reconcile { .. } => "RECONCILE",
            Self::UpdateFramework { .. } => "UPDATE_FRAMEWORK",
        }
    }
}
