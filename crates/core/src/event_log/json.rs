//! Parts of events, under Spark's names.

use serde::Serialize;

use crate::ids::DatasetId;
use crate::plan::{Dependency, Plan};

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
