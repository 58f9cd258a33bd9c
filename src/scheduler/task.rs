//! What passes between the DAG scheduler and the task scheduler.
//!
//! Responsible for the words of that conversation: task sets and commands go
//! down, starts and ends of attempts and the fate of executors come up. Neither
//! side sees more of the other than this. No rules live here.

use std::sync::Arc;

use crate::ids::{
    ExecutorId, Host, JobId, Partition, ShuffleId, StageAttempt, StageId, TaskId, TaskIndex,
};

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
}

/// What the tasks of a stage make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Output of a shuffle, one map output for each task.
    ShuffleMap(ShuffleId),
    /// Results of a job, one for each task.
    Result,
}

/// What each task of a set needs of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskNeeds {
    /// Cores, `spark.task.cpus`.
    pub cpus: u32,
    /// Named resources and how many addresses of each, such as `gpu` and 1
    /// (`spark.task.resource.NAME.amount`), sorted by name.
    pub resources: Vec<(Arc<str>, u32)>,
}

/// One task of a task set, before any attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// The partition that the task computes.
    pub partition: Partition,
    /// Where it would like to run, best first; empty means anywhere.
    pub locations: Box<[TaskLocation]>,
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
    /// Cores it holds.
    pub cpus: u32,
    /// Addresses of named resources that it holds, such as `gpu` and `["0"]`.
    pub resources: Vec<(Arc<str>, Vec<Arc<str>>)>,
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
        /// What happened to the executor, for people.
        message: Arc<str>,
    },
    /// Nothing is known.
    Unknown,
}

/// Why an executor is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutorLossReason {
    /// Its process ended with a known status.
    Exited {
        /// The exit code.
        code: i32,
        /// Whether the application is to blame.
        caused_by_app: bool,
        /// For people.
        message: Arc<str>,
    },
    /// The driver asked for it.
    Killed,
    /// Its connection broke, its Mesos task ended, or it fell silent.
    ProcessLost {
        /// For people.
        message: Arc<str>,
        /// The host, if the whole host went.
        host: Option<Host>,
        /// Whether the application is to blame.
        caused_by_app: bool,
    },
    /// It was being decommissioned.
    Decommissioned {
        /// The host, if the whole host is being decommissioned.
        host: Option<Host>,
        /// For people.
        message: Arc<str>,
    },
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
