//! Parts of events, under Spark's names.

use serde::Serialize;

use crate::facts::AttemptFacts;
use crate::ids::DatasetId;
use crate::plan::{Dependency, Plan};
use mesquite_scheduler::task::TaskEndReason;

#[derive(Serialize)]
pub(super) struct StageInfo<'a> {
    #[serde(rename = "Stage ID")]
    pub(super) stage: u32,
    #[serde(rename = "Stage Attempt ID")]
    pub(super) attempt: u32,
    #[serde(rename = "Stage Name")]
    pub(super) name: &'a str,
    #[serde(rename = "Number of Tasks")]
    pub(super) tasks: u32,
    #[serde(rename = "RDD Info")]
    pub(super) datasets: Vec<Info>,
    #[serde(rename = "Parent IDs")]
    pub(super) parents: Vec<u32>,
    #[serde(rename = "Details")]
    pub(super) details: &'static str,
    #[serde(rename = "Submission Time", skip_serializing_if = "Option::is_none")]
    pub(super) submitted: Option<u64>,
    #[serde(rename = "Completion Time", skip_serializing_if = "Option::is_none")]
    pub(super) completed: Option<u64>,
    #[serde(rename = "Failure Reason", skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<&'a str>,
    #[serde(rename = "Accumulables")]
    pub(super) accumulables: [u8; 0],
    #[serde(rename = "Resource Profile Id")]
    pub(super) profile: u32,
}

/// A dataset: in Spark an RDD.
#[derive(Serialize)]
pub(super) struct Info {
    #[serde(rename = "RDD ID")]
    id: u32,
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Scope")]
    scope: String,
    #[serde(rename = "Callsite")]
    callsite: &'static str,
    #[serde(rename = "Parent IDs")]
    parents: Vec<u32>,
    #[serde(rename = "Storage Level")]
    level: Level,
    #[serde(rename = "Barrier")]
    barrier: bool,
    #[serde(rename = "DeterministicLevel")]
    determinism: &'static str,
    #[serde(rename = "Number of Partitions")]
    partitions: u32,
    #[serde(rename = "Number of Cached Partitions")]
    cached: u32,
    #[serde(rename = "Memory Size")]
    memory: u64,
    #[serde(rename = "Disk Size")]
    disk: u64,
}

#[derive(Serialize)]
struct Level {
    #[serde(rename = "Use Disk")]
    disk: bool,
    #[serde(rename = "Use Memory")]
    memory: bool,
    #[serde(rename = "Use Off Heap")]
    off_heap: bool,
    #[serde(rename = "Deserialized")]
    deserialized: bool,
    #[serde(rename = "Replication")]
    replication: u32,
}

impl Info {
    pub(super) fn of(plan: &Plan, id: DatasetId) -> Self {
        let dataset = plan.dataset(id);
        let parents = dataset.dependencies().iter().map(|it| match it {
            Dependency::Narrow(narrow) => narrow.parent.0,
            Dependency::Shuffle(shuffle) => plan.shuffle(*shuffle).map_side.0,
        });
        let name = dataset.name().to_string();
        // The box in which the drawing of a stage puts it.
        let scope = serde_json::json!({ "id": id.0.to_string(), "name": name }).to_string();
        let persisted = dataset.is_persisted();
        Self {
            id: id.0,
            scope,
            callsite: "",
            parents: parents.collect(),
            level: Level {
                disk: persisted,
                memory: persisted,
                off_heap: false,
                deserialized: false,
                replication: 1,
            },
            barrier: dataset.is_barrier(),
            determinism: "DETERMINATE",
            partitions: dataset.partitions(),
            cached: 0,
            memory: 0,
            disk: 0,
            name,
        }
    }
}

#[derive(Clone, Serialize)]
pub(super) struct TaskInfo<'a> {
    #[serde(rename = "Task ID")]
    task: u64,
    #[serde(rename = "Index")]
    index: u32,
    #[serde(rename = "Attempt")]
    attempt: u32,
    #[serde(rename = "Partition ID")]
    partition: u32,
    #[serde(rename = "Launch Time")]
    launched: u64,
    #[serde(rename = "Executor ID")]
    executor: &'a str,
    #[serde(rename = "Host")]
    host: &'a str,
    #[serde(rename = "Locality")]
    locality: &'static str,
    #[serde(rename = "Speculative")]
    speculative: bool,
    #[serde(rename = "Getting Result Time")]
    getting_result: u64,
    #[serde(rename = "Finish Time")]
    finished: u64,
    #[serde(rename = "Failed")]
    failed: bool,
    #[serde(rename = "Killed")]
    killed: bool,
    #[serde(rename = "Accumulables")]
    accumulables: [u8; 0],
}

impl<'a> TaskInfo<'a> {
    /// Of an attempt that was launched then and runs.
    pub(super) fn of(facts: &'a AttemptFacts, launched: u64) -> Self {
        Self {
            task: facts.task.0,
            index: facts.index.0,
            attempt: facts.attempt,
            partition: facts.partition.0,
            launched,
            executor: facts.executor.as_str(),
            host: facts.host.as_str(),
            locality: facts.locality.name(),
            speculative: facts.speculative,
            getting_result: 0,
            finished: 0,
            failed: false,
            killed: false,
            accumulables: [],
        }
    }

    /// The same when it has ended.
    pub(super) fn ended(self, at: u64, reason: &TaskEndReason) -> Self {
        let killed = matches!(reason, TaskEndReason::Killed { .. });
        Self {
            finished: at.max(self.launched),
            killed,
            failed: !killed && !matches!(reason, TaskEndReason::Success(_)),
            ..self
        }
    }
}

#[derive(Serialize)]
pub(super) struct JobResult<'a> {
    #[serde(rename = "Result")]
    result: &'static str,
    #[serde(rename = "Exception", skip_serializing_if = "Option::is_none")]
    exception: Option<Exception<'a>>,
}

#[derive(Serialize)]
struct Exception<'a> {
    #[serde(rename = "Message")]
    message: &'a str,
    #[serde(rename = "Stack Trace")]
    trace: [u8; 0],
}

impl<'a> JobResult<'a> {
    pub(super) const fn succeeded() -> Self {
        Self {
            result: "JobSucceeded",
            exception: None,
        }
    }

    pub(super) const fn failed(message: &'a str) -> Self {
        Self {
            result: "JobFailed",
            exception: Some(Exception { message, trace: [] }),
        }
    }
}
