//! How executors come to be gone. Pure.
//!
//! Responsible for what is known of an end, as facts: what blame and which losses follow
//! from it is decided by the parts of the scheduler that use them. Here is also the one
//! place where they become words, which whoever shows them asks for; the error of a job
//! shows them too, so they are made no further out. What others say of an end - Mesos, an
//! agent, whoever watches a process - is carried as it came.

use std::fmt;
use std::sync::Arc;

use crate::ids::Host;
use mesquite_workload::ending::Exit;

/// Why an executor is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutorLossReason {
    /// Its process ended, by itself or by a signal, as is known for sure.
    Exited {
        /// Whether the application is to blame.
        caused_by_app: bool,
        /// How it ended.
        cause: LossCause,
    },
    /// The driver asked for it.
    Killed,
    /// Its connection broke, its Mesos task ended, or it fell silent.
    ProcessLost {
        /// What is known of it.
        cause: LossCause,
        /// The host, if the whole host went.
        host: Option<Host>,
        /// Whether the application is to blame.
        caused_by_app: bool,
    },
    /// It was being decommissioned.
    Decommissioned {
        /// The host, if the whole host is being decommissioned.
        host: Option<Host>,
        /// Why.
        why: WhyEnd,
    },
}

/// Why an executor is to end that could go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyEnd {
    /// Too many tasks failed on it.
    Excluded,
    /// Too many tasks failed on its host.
    HostExcluded,
    /// It is excluded and does nothing, while a task waits that can run nowhere.
    InTheWay,
    /// Its agent is to be freed.
    AgentWanted,
}

/// What ended an executor, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossCause {
    /// Its process ended so.
    Exit(Exit),
    /// It ended because it could not speak with its agent.
    NoAgent,
    /// It ended; its agent said this, or nothing.
    Ended(Arc<str>),
    /// Its agent ended it, since it took more memory than it had asked for.
    OutOfMemory {
        /// What the agent said.
        said: Arc<str>,
        /// What had been asked for.
        asked: MemoryAsked,
    },
    /// Its agent ended it, since it took too much of something else.
    OverLimit {
        /// What the agent said.
        said: Arc<str>,
        /// Mesos's name of the limit.
        reason: Arc<str>,
    },
    /// Its agent could not start its container.
    NotStarted {
        /// What the agent said.
        said: Arc<str>,
        /// What helps.
        advice: Arc<str>,
    },
    /// The cluster ended it, whatever it did.
    ByCluster {
        /// What the agent said.
        said: Arc<str>,
        /// Mesos's reason.
        reason: Arc<str>,
    },
    /// It is gone as a task of Mesos.
    Status {
        /// Mesos's name of the state.
        state: &'static str,
        /// What is said beside it; empty for nothing.
        said: Arc<str>,
    },
    /// Its agent is gone.
    AgentLost,
    /// Its agent is there without it.
    NotOnAgent,
    /// It has no connection to the driver any more.
    Disconnected,
    /// It has none to the process that goes on with the run.
    NewDriver,
    /// Whoever saw its end said this.
    Said(Arc<str>),
}

/// The memory that was asked for, for one executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAsked {
    /// All of it, in MiB.
    pub memory_mib: u64,
    /// So much of that is overhead.
    pub overhead_mib: u64,
    /// What has fewer tasks share it.
    pub fewer: FewerTasks,
}

/// What has fewer tasks run at once on an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FewerTasks {
    /// Fewer cores for it.
    ExecutorCores,
    /// More cores for each task.
    TaskCpus,
}

impl From<&str> for LossCause {
    fn from(said: &str) -> Self {
        Self::Said(said.into())
    }
}

impl fmt::Display for ExecutorLossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("executor killed by driver"),
            Self::Exited { cause, .. } | Self::ProcessLost { cause, .. } => cause.fmt(f),
            Self::Decommissioned { why, .. } => write!(f, "decommissioned: {why}"),
        }
    }
}

impl fmt::Display for WhyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded => "excluded for the application",
            Self::HostExcluded => "host excluded for the application",
            Self::InTheWay => "idle and excluded, while a task can run nowhere",
            Self::AgentWanted => "its agent is wanted back",
        })
    }
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(exit) => exit.fmt(f),
            Self::NoAgent => f.write_str(
                "it could not speak with its agent by TLS, and its stderr in the sandbox says why: \
                 agents that speak none want mesquite.mesos.ssl.agents=false, and files of \
                 mesquite.mesos.ssl.executor.* have to be on the agents",
            ),
            Self::Ended(said) if said.is_empty() => f.write_str("it ended"),
            Self::Ended(said) => write!(f, "it ended ({said})"),
            Self::OutOfMemory { said, asked } => write!(
                f,
                "it was out of memory and was ended by its agent ({said}): {asked}"
            ),
            Self::OverLimit { said, reason } => write!(
                f,
                "it took more than it may and was ended by its agent ({said}, {reason})"
            ),
            Self::NotStarted { said, advice } => {
                write!(f, "its container could not be started ({said}): {advice}")
            }
            Self::ByCluster { said, reason } => {
                write!(f, "the cluster ended it ({said}, {reason})")
            }
            Self::Status { state, said } if said.is_empty() => f.write_str(state),
            Self::Status { state, said } => write!(f, "{state}: {said}"),
            Self::AgentLost => f.write_str("its agent was lost"),
            Self::NotOnAgent => f.write_str("its agent does not have it any more"),
            Self::Disconnected => f.write_str("its connection to the driver is gone"),
            Self::NewDriver => f.write_str("it did not find the new driver"),
            Self::Said(said) => f.write_str(said),
        }
    }
}

impl fmt::Display for MemoryAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_mib,
            overhead_mib,
            fewer,
        } = self;
        let own = memory_mib.saturating_sub(*overhead_mib);
        let fewer = match fewer {
            FewerTasks::ExecutorCores => "spark.executor.cores lower",
            FewerTasks::TaskCpus => "spark.task.cpus higher",
        };
        write!(
            f,
            "{memory_mib} MiB were asked for it, with all that its commands take: {own} MiB by \
             spark.executor.memory and {overhead_mib} MiB by spark.mesos.executor.memoryOverhead; \
             set one of these higher, or {fewer} so that fewer tasks share it"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_whoever_knows_it_with_what_helps() {
        let asked = MemoryAsked {
            memory_mib: 64,
            overhead_mib: 24,
            fewer: FewerTasks::TaskCpus,
        };
        let status = |said: &str| LossCause::Status {
            state: "TASK_LOST",
            said: said.into(),
        };
        let (said, reason) = ("Disk".into(), "REASON_X".into());
        for (cause, words) in [
            (LossCause::Ended("".into()), "it ended"),
            (LossCause::Ended("x".into()), "it ended (x)"),
            (status(""), "TASK_LOST"),
            (status("why"), "TASK_LOST: why"),
            (
                LossCause::OverLimit { said, reason },
                "it took more than it may and was ended by its agent (Disk, REASON_X)",
            ),
            (
                LossCause::OutOfMemory {
                    said: "full".into(),
                    asked,
                },
                "it was out of memory and was ended by its agent (full): 64 MiB were asked for it, \
                 with all that its commands take: 40 MiB by spark.executor.memory and 24 MiB by \
                 spark.mesos.executor.memoryOverhead; set one of these higher, or spark.task.cpus \
                 higher so that fewer tasks share it",
            ),
        ] {
            assert_eq!(cause.to_string(), words);
        }
    }
}
