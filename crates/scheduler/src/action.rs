//! What the task scheduler asks of the others.
//!
//! Responsible for the words alone: one list for each listener, in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ids::{ExecutorId, Host, Partition, StageAttempt, StageId, TaskId};
use crate::loss::WhyEnd;
use crate::plain::counted;
use crate::starvation::Unused;
use crate::task::{TaskDescription, TaskReport};

/// The answer to one event.
#[must_use = "what the task scheduler asks for must be done"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions {
    /// For the backend, after offers: the attempts to start, for each offer in
    /// the order in which they came. Empty after other events.
    pub launches: Vec<Vec<TaskDescription>>,
    /// For the DAG scheduler.
    pub reports: Vec<TaskReport>,
    /// For the backend.
    pub requests: Vec<BackendRequest>,
    /// For the backend, last: offer all that is free, tasks may fit there.
    pub revive: bool,
    /// For people, and for whoever keeps a record.
    pub notices: Vec<Notice>,
}

impl Actions {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// How many attempts are to be started.
    pub fn launched(&self) -> usize {
        self.launches.iter().map(Vec::len).sum()
    }
}

/// How an executor is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorEnd {
    /// At once, whatever it runs.
    Kill,
    /// After what it runs, handing over what it holds.
    Decommission,
}

/// What a backend is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendRequest {
    /// Kill an attempt. Its end is reported as a status, as always.
    KillTask {
        /// The attempt.
        task: TaskId,
        /// Where it runs.
        executor: ExecutorId,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// Fetch the result of an attempt that announced it.
    FetchResult {
        /// The attempt.
        task: TaskId,
    },
    /// Start no executor on these hosts from now on. Replaces the list given
    /// before.
    ExcludeHosts(Vec<Host>),
    /// End an executor, even if busy. It does not count as a failure, and
    /// another one is wanted in its place.
    EndExecutor {
        /// The executor.
        executor: ExecutorId,
        /// How.
        end: ExecutorEnd,
        /// Why.
        why: WhyEnd,
    },
    /// End all executors on a host; otherwise as `EndExecutor`.
    EndExecutorsOnHost {
        /// The host.
        host: Host,
        /// How.
        end: ExecutorEnd,
        /// Why.
        why: WhyEnd,
    },
    /// So many task sets can run on no executor there is: with dynamic
    /// allocation, more are wanted. Replaces the number given before.
    UnschedulableTaskSets(usize),
}

/// Something people want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Tasks wait and none runs.
    Starving {
        /// Tasks that wait.
        waiting: u64,
        /// For how long nothing has run.
        since: Duration,
        /// Offers that came since the last such notice.
        offers: u64,
        /// Why they were declined, the most frequent first.
        declined: Vec<Unused>,
    },
    /// A pool that nobody defined was asked for, and made with defaults.
    PoolCreated {
        /// The pool.
        pool: Arc<str>,
    },
    /// An executor is excluded for the application.
    ExecutorExcluded {
        /// The executor.
        executor: ExecutorId,
        /// The failures that did it.
        failures: usize,
    },
    /// An executor is no longer excluded.
    ExecutorIncluded {
        /// The executor.
        executor: ExecutorId,
    },
    /// A host is excluded for the application.
    HostExcluded {
        /// The host.
        host: Host,
        /// How many of its executors were excluded.
        executors: usize,
    },
    /// A host is no longer excluded.
    HostIncluded {
        /// The host.
        host: Host,
    },
    /// An executor is excluded for a task set.
    ExecutorExcludedForStage {
        /// The executor.
        executor: ExecutorId,
        /// The stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// How many of the set's tasks failed there.
        failures: usize,
    },
    /// A host is excluded for a task set.
    HostExcludedForStage {
        /// The host.
        host: Host,
        /// The stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// How many of its executors were excluded.
        executors: usize,
    },
    /// A task failed as often as it may, and is left out.
    TaskLeftOut {
        /// The stage.
        stage: StageId,
        /// The partition that it was to compute.
        partition: Partition,
        /// How it failed last.
        reason: Arc<str>,
    },
    /// A barrier set could not start, since not all of its tasks found room.
    BarrierPostponed {
        /// The stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// Tasks that found room.
        placed: usize,
        /// Tasks that must.
        wanted: usize,
    },
}

/// Tasks that have waited, say.
pub fn have(tasks: u64) -> String {
    let have = if tasks == 1 { "has" } else { "have" };
    format!("{} {have}", counted(tasks, "task"))
}

fn starving(
    f: &mut fmt::Formatter<'_>,
    (waiting, since): (u64, Duration),
    offers: u64,
    declined: &[Unused],
) -> fmt::Result {
    write!(
        f,
        "{} waited {} s and none runs: ",
        have(waiting),
        since.as_secs()
    )?;
    if offers == 0 {
        return f.write_str(
            "no offer came; check that the cluster has free resources and that executors register",
        );
    }
    write!(f, "{} came and none was used: ", counted(offers, "offer"))?;
    for (index, decline) in declined.iter().enumerate() {
        let gap = if index == 0 { "" } else { "; " };
        write!(f, "{gap}{decline}")?;
    }
    Ok(())
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starving {
                waiting,
                since,
                offers,
                declined,
            } => starving(f, (*waiting, *since), *offers, declined),
            Self::PoolCreated { pool } => write!(
                f,
                "pool {pool:?} is not defined; it was made with mode FIFO, minimum share 0, weight 1"
            ),
            Self::ExecutorExcluded { executor, failures } => write!(
                f,
                "executor {executor} is excluded for the application after {failures} failures"
            ),
            Self::ExecutorIncluded { executor } => {
                write!(f, "executor {executor} is no longer excluded")
            }
            Self::HostExcluded { host, executors } => write!(
                f,
                "host {host} is excluded for the application with {executors} executors excluded"
            ),
            Self::HostIncluded { host } => write!(f, "host {host} is no longer excluded"),
            Self::ExecutorExcludedForStage {
                executor,
                stage,
                stage_attempt,
                failures,
            } => write!(
                f,
                "executor {executor} is excluded for stage {stage}.{stage_attempt} after \
                 {failures} tasks failed there"
            ),
            Self::HostExcludedForStage {
                host,
                stage,
                stage_attempt,
                executors,
            } => write!(
                f,
                "host {host} is excluded for stage {stage}.{stage_attempt} with {executors} \
                 executors excluded"
            ),
            Self::TaskLeftOut {
                stage,
                partition,
                reason,
            } => write!(
                f,
                "partition {partition} of stage {stage} is left out: {reason}"
            ),
            Self::BarrierPostponed {
                stage,
                stage_attempt,
                placed,
                wanted,
            } => write!(
                f,
                "barrier stage {stage}.{stage_attempt} waits: {placed} of its {wanted} tasks \
                 found room, and all must start together"
            ),
        }
    }
}
