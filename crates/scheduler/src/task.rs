//! What passes between the DAG scheduler and the task scheduler.
//!
//! Responsible for the words of that conversation: task sets and commands go
//! down, starts and ends of attempts and the fate of executors come up. Neither
//! side sees more of the other than this. No rules live here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ids::{
    DatasetId, ExecutorId, Host, JobId, Partition, ShuffleId, StageAttempt, StageId, TaskId,
    TaskIndex,
};
use crate::locality::LocalityLevel;
use crate::loss::ExecutorLossReason;
use crate::plan::TaskNeeds;
use crate::stock::Held;

/// Where a task would like to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskLocation {
    /// Anywhere on a host: its input lies there.
    Host(Host),
    /// In one executor, which holds the input; failing that, on its host.
    Executor {
        /// The executor's host.
        host: Host,
        /// The executor that holds the input.
        executor: ExecutorId,
    },
    /// On a host that keeps the input in its memory: any executor there is as
    /// good as one that holds it (Spark's HDFS cache location).
    HostCache(Host),
}

impl TaskLocation {
    /// The host, whichever kind of location it is.
    pub fn host(&self) -> &Host {
        match self {
            Self::Host(host) | Self::HostCache(host) | Self::Executor { host, .. } => host,
        }
    }
}

impl fmt::Display for TaskLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "{host}"),
            Self::Executor { host, executor } => {
                write!(f, "{EXECUTOR_PREFIX}{host}_{executor}")
            }
            Self::HostCache(host) => write!(f, "{HOST_CACHE_PREFIX}{host}"),
        }
    }
}

const EXECUTOR_PREFIX: &str = "executor_";
const HOST_CACHE_PREFIX: &str = "hdfs_cache_";

/// A location's text says it is an executor but names none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad task location {text:?}: expected executor_HOST_EXECUTOR")]
pub struct BadTaskLocation {
    /// The text that was read.
    pub text: String,
}

impl FromStr for TaskLocation {
    type Err = BadTaskLocation;

    /// Reads Spark's spelling: `HOST`, `executor_HOST_EXECUTOR` (the host ends
    /// at the first `_`, since host names hold none) or `hdfs_cache_HOST`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix(EXECUTOR_PREFIX) {
            return match rest.split_once('_') {
                Some((host, executor)) if !host.is_empty() && !executor.is_empty() => {
                    Ok(Self::Executor {
                        host: Host::from(host),
                        executor: ExecutorId::from(executor),
                    })
                }
                _ => Err(BadTaskLocation { text: text.into() }),
            };
        }
        Ok(match text.strip_prefix(HOST_CACHE_PREFIX) {
            Some(host) => Self::HostCache(Host::from(host)),
            None => Self::Host(Host::from(text)),
        })
    }
}

/// What the tasks of a stage make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Output of a shuffle, one map output for each task.
    ShuffleMap(ShuffleId),
    /// Results of a job, one for each task.
    Result,
}

/// A partition of a persisted dataset.
pub type PersistedPartition = (DatasetId, Partition);

/// One task of a task set, before any attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// The partition that the task computes.
    pub partition: Partition,
    /// Where it would like to run, best first; empty means anywhere.
    pub locations: Box<[TaskLocation]>,
    /// What it makes on its way that executors keep, as far as nobody keeps it.
    pub to_keep: Box<[PersistedPartition]>,
}

/// One attempt at a stage: the tasks that are missing, to be run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSet {
    /// The stage.
    pub stage: StageId,
    /// Which attempt at the stage this is.
    pub attempt: StageAttempt,
    /// What its tasks make.
    pub kind: StageKind,
    /// The job on whose behalf it runs: the FIFO priority.
    pub job: JobId,
    /// The pool asked for (`spark.scheduler.pool`), if any.
    pub pool: Option<Arc<str>>,
    /// Whether all tasks must start together or none (barrier execution).
    pub barrier: bool,
    /// Whether a task that cannot be done is left out instead of ending the set.
    pub skips: bool,
    /// What each task needs.
    pub needs: TaskNeeds,
    /// The map output tracker's epoch at creation; executors with older
    /// knowledge of map outputs forget it.
    pub epoch: u64,
    /// The tasks, by [`TaskIndex`].
    pub tasks: Vec<TaskSpec>,
}

/// What the DAG scheduler asks of the task scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskCommand {
    /// Run a task set. Older attempts of the stage become zombies.
    Submit(TaskSet),
    /// Kill all running attempts of the stage and abort its task sets.
    CancelStage {
        /// The stage.
        stage: StageId,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// Kill all running attempts of the stage; its task sets live on.
    KillAllAttempts {
        /// The stage.
        stage: StageId,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// An older attempt of the stage has computed this partition: the active
    /// attempt need not.
    PartitionCompleted {
        /// The stage.
        stage: StageId,
        /// The partition.
        partition: Partition,
    },
}

/// One attempt of a task, to be started on an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDescription {
    /// This attempt.
    pub task: TaskId,
    /// The stage and its attempt.
    pub stage: StageId,
    /// Which attempt at the stage.
    pub stage_attempt: StageAttempt,
    /// The place in the task set.
    pub index: TaskIndex,
    /// The partition to compute.
    pub partition: Partition,
    /// How many attempts of this index came before.
    pub attempt: u32,
    /// Where it runs.
    pub executor: ExecutorId,
    /// How near its input it was placed.
    pub locality: LocalityLevel,
    /// Whether it is a copy of an attempt that takes too long.
    pub speculative: bool,
    /// Whether its task was left out: it makes nothing of its partition.
    pub left_out: bool,
    /// In a barrier set, the addresses of all its tasks, by partition.
    pub addresses: Option<Arc<[Arc<str>]>>,
    /// Cores it holds.
    pub cpus: u32,
    /// What it holds of named resources, such as `0` of `gpu`.
    pub resources: Vec<Held>,
    /// The map output tracker's epoch that the attempt must know.
    pub epoch: u64,
}

/// Where a map output lies and how large its blocks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapStatus {
    /// The executor that made it.
    pub executor: ExecutorId,
    /// The executor's host.
    pub host: Host,
    /// The attempt that made it.
    pub task: TaskId,
    /// Bytes for each reduce partition; exact.
    pub sizes: Arc<[u64]>,
}

/// What a successful attempt hands back, as far as decisions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOutput {
    /// A map task's output.
    Map(MapStatus),
    /// A result task's result of so many bytes; the bytes stay with the shell.
    Result {
        /// Size of the serialised result in bytes.
        bytes: u64,
    },
}

/// How an attempt ended. Each reason has its own consequence (Spark's
/// `TaskEndReason`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEndReason {
    /// It did its work.
    Success(TaskOutput),
    /// A map task that had succeeded must run again: its output went with its
    /// executor. Made by the task set manager, never reported by an executor.
    Resubmitted,
    /// It could not read a map output.
    FetchFailed {
        /// Who should have served it; `None` if not even that was known.
        source: Option<(ExecutorId, Host)>,
        /// The shuffle.
        shuffle: ShuffleId,
        /// Which map output, if a single one is to blame.
        map: Option<Partition>,
        /// The reduce partition that wanted it.
        reduce: Partition,
        /// What went wrong, for people.
        message: Arc<str>,
    },
    /// The task itself failed: a non-zero exit, unreadable input, a bug.
    Failed {
        /// What went wrong, for people.
        message: Arc<str>,
        /// Whether trying again cannot help (Spark: the output exists
        /// already, the result cannot be serialised), so the set is aborted.
        permanent: bool,
    },
    /// It was asked to stop.
    Killed {
        /// Why, for people.
        reason: Arc<str>,
    },
    /// The driver refused its commit: another attempt has that right.
    CommitDenied,
    /// Its result was lost before the driver had it.
    ResultLost,
    /// Its executor went away.
    ExecutorLost {
        /// Whether the loss is the task's fault and counts as a failure of it.
        caused_by_app: bool,
        /// Why it did.
        reason: Arc<ExecutorLossReason>,
    },
    /// Nothing is known.
    Unknown,
}

/// What the task scheduler tells the DAG scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskReport {
    /// An attempt was placed.
    TaskStarted {
        /// The stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// The partition.
        partition: Partition,
        /// The attempt.
        task: TaskId,
    },
    /// An attempt ended.
    TaskEnded {
        /// The stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// The place in the task set.
        index: TaskIndex,
        /// The partition.
        partition: Partition,
        /// The attempt; for [`TaskEndReason::Resubmitted`] the one whose
        /// output was lost.
        task: TaskId,
        /// How many attempts of the index came before it.
        attempt: u32,
        /// Where it ran.
        executor: ExecutorId,
        /// The host it ran on.
        host: Host,
        /// The epoch its task set was created under.
        epoch: u64,
        /// How it ended.
        reason: TaskEndReason,
    },
    /// A task set was given up.
    TaskSetFailed {
        /// The stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// An executor was seen for the first time, or again.
    ExecutorAdded {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
    },
    /// An executor is gone.
    ExecutorLost {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// Why.
        reason: ExecutorLossReason,
    },
}

impl fmt::Display for TaskEndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(_) => f.write_str("success"),
            Self::Resubmitted => f.write_str("resubmitted: its output was lost with its executor"),
            Self::FetchFailed {
                source,
                shuffle,
                map,
                reduce,
                message,
            } => {
                write!(
                    f,
                    "fetch failed for partition {reduce} of shuffle {shuffle}"
                )?;
                if let Some(map) = map {
                    write!(f, ", map output {map}")?;
                }
                if let Some((executor, host)) = source {
                    write!(f, ", from executor {executor} on {host}")?;
                }
                write!(f, ": {message}")
            }
            Self::Failed { message, .. } => f.write_str(message),
            Self::Killed { reason } => write!(f, "killed: {reason}"),
            Self::CommitDenied => {
                f.write_str("commit denied: another attempt has the right to commit")
            }
            Self::ResultLost => f.write_str("result lost before the driver had it"),
            Self::ExecutorLost {
                caused_by_app,
                reason,
            } => {
                let blame = if *caused_by_app {
                    "through one of its tasks"
                } else {
                    "for a reason unrelated to its tasks"
                };
                write!(f, "executor lost {blame}: {reason}")
            }
            Self::Unknown => f.write_str("unknown reason"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_spark_spells_them() {
        let executor = |host: &str, executor: &str| TaskLocation::Executor {
            host: host.into(),
            executor: executor.into(),
        };
        for (text, location) in [
            ("host1", TaskLocation::Host("host1".into())),
            ("hdfs_cache_host1", TaskLocation::HostCache("host1".into())),
            ("executor_host1_3", executor("host1", "3")),
            (
                "executor_some.host1_executor_task_3",
                executor("some.host1", "executor_task_3"),
            ),
        ] {
            assert_eq!(text.parse(), Ok(location.clone()), "{text}");
            assert_eq!(location.to_string(), text);
        }
    }

    #[test]
    fn a_location_in_no_executor_is_refused() {
        for text in [
            "executor_",
            "executor_host1",
            "executor_host1_",
            "executor__3",
        ] {
            assert!(text.parse::<TaskLocation>().is_err(), "{text}");
        }
    }
}
