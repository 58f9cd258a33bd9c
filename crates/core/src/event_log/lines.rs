//! Events, a line each, under Spark's names.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::json::{JobResult, StageInfo, TaskInfo};
use super::{AboutRun, millis, nanos};
use crate::facts::{AttemptFacts, Metrics};
use crate::ids::{ExecutorId, Host};
use crate::store::log_events::{CLUSTER, ClusterNote};
use crate::store::offers::{OFFERS, OffersEvent};
use mesquite_scheduler::task::TaskEndReason;

/// An event: its name comes first, since readers look for some by the beginning of
/// their line.
pub(super) struct Line {
    name: &'static str,
    fields: Value,
}

impl Line {
    const fn new(name: &'static str, fields: Value) -> Self {
        Self { name, fields }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields.as_object();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Event", &format_args!("SparkListener{}", self.name))?;
        for (name, value) in fields.into_iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

pub(super) fn log_start(version: &str) -> Line {
    // Readers show it as the version of Spark.
    Line::new(
        "LogStart",
        json!({
            "Spark Version": format!("mesquite-{version}") }),
    )
}

pub(super) fn environment(about: &AboutRun) -> Line {
    let settings: BTreeMap<_, _> = about.settings.iter().cloned().collect();
    Line::new(
        "EnvironmentUpdate",
        json!({
            "JVM Information": {},
            "Spark Properties": settings,
            "Hadoop Properties": {},
            "System Properties": {},
            "Metrics Properties": {},
            "Classpath Entries": {},
        }),
    )
}

pub(super) fn application_start(about: &AboutRun) -> Line {
    Line::new(
        "ApplicationStart",
        json!({
            "App Name": about.name,
            "App ID": about.app_id,
            "Timestamp": millis(about.began),
            "User": about.user,
        }),
    )
}

pub(super) fn application_end(at: u64) -> Line {
    Line::new("ApplicationEnd", json!({ "Timestamp": at }))
}

pub(super) fn executor_added(at: u64, executor: &ExecutorId, host: &Host, cores: u32) -> Line {
    Line::new(
        "ExecutorAdded",
        json!({
            "Timestamp": at,
            "Executor ID": executor.as_str(),
            "Executor Info": {
                "Host": host.as_str(),
                "Total Cores": cores,
                "Log Urls": {},
                "Attributes": {},
                "Resources": {},
                "Resource Profile Id": 0,
            },
        }),
    )
}

pub(super) fn executor_removed(at: u64, executor: &ExecutorId, reason: &str) -> Line {
    Line::new(
        "ExecutorRemoved",
        json!({
            "Timestamp": at,
            "Executor ID": executor.as_str(),
            "Removed Reason": reason,
        }),
    )
}

pub(super) fn job_start(at: u64, job: u32, what: &str, stages: &[StageInfo<'_>]) -> Line {
    let ids: Vec<_> = stages.iter().map(|it| it.stage).collect();
    Line::new(
        "JobStart",
        json!({
            "Job ID": job,
            "Submission Time": at,
            "Stage Infos": stages,
            "Stage IDs": ids,
            "Properties": { "spark.job.description": what },
        }),
    )
}

pub(super) fn job_end(at: u64, job: u32, result: &JobResult<'_>) -> Line {
    Line::new(
        "JobEnd",
        json!({
            "Job ID": job,
            "Completion Time": at,
            "Job Result": result,
        }),
    )
}

pub(super) fn stage_submitted(stage: &StageInfo<'_>) -> Line {
    Line::new(
        "StageSubmitted",
        json!({
            "Stage Info": stage, "Properties": {} }),
    )
}

pub(super) fn stage_completed(stage: &StageInfo<'_>) -> Line {
    Line::new("StageCompleted", json!({ "Stage Info": stage }))
}

/// An event of ours, whose class Spark does not have, so that it is passed over.
#[derive(Serialize)]
pub(super) struct Ours<T> {
    #[serde(rename = "Event")]
    event: &'static str,
    #[serde(flatten)]
    told: T,
}

/// Something was told of the cluster.
pub(super) const fn cluster(told: ClusterNote) -> Ours<ClusterNote> {
    let event = CLUSTER;
    Ours { event, told }
}

/// How offers stand.
pub(super) const fn offers(told: OffersEvent) -> Ours<OffersEvent> {
    let event = OFFERS;
    Ours { event, told }
}

/// Of tasks there are many: their lines are made without a tree of values.
#[derive(Serialize)]
pub(super) struct TaskLine<'a> {
    #[serde(rename = "Event")]
    event: &'static str,
    #[serde(rename = "Stage ID")]
    stage: u32,
    #[serde(rename = "Stage Attempt ID")]
    stage_attempt: u32,
    #[serde(rename = "Task Type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(rename = "Task End Reason", skip_serializing_if = "Option::is_none")]
    reason: Option<Reason<'a>>,
    #[serde(rename = "Task Info")]
    info: TaskInfo<'a>,
    #[serde(rename = "Task Metrics", skip_serializing_if = "Option::is_none")]
    metrics: Option<TaskMetrics>,
}

pub(super) fn task_start<'a>(facts: &AttemptFacts, info: TaskInfo<'a>) -> TaskLine<'a> {
    TaskLine {
        event: "SparkListenerTaskStart",
        stage: facts.stage.0,
        stage_attempt: facts.stage_attempt.0,
        kind: None,
        reason: None,
        info,
        metrics: None,
    }
}

pub(super) fn task_end<'a>(
    facts: &'a AttemptFacts,
    is_map: bool,
    info: TaskInfo<'a>,
    reason: &'a TaskEndReason,
    metrics: Option<&Metrics>,
) -> TaskLine<'a> {
    TaskLine {
        event: "SparkListenerTaskEnd",
        kind: Some(if is_map {
            "ShuffleMapTask"
        } else {
            "ResultTask"
        }),
        reason: Some(Reason::of(facts, reason)),
        metrics: metrics.map(TaskMetrics::of),
        ..task_start(facts, info)
    }
}

/// How a task ended, alone.
pub(super) fn reason(facts: &AttemptFacts, reason: &TaskEndReason) -> String {
    // Its keys are text.
    serde_json::to_string(&Reason::of(facts, reason)).unwrap_or_default()
}

/// How a task ended: a name, and what belongs to it.
#[derive(Serialize)]
#[serde(untagged)]
enum Reason<'a> {
    Name {
        #[serde(rename = "Reason")]
        reason: &'static str,
    },
    More(Value),
    Killed {
        #[serde(rename = "Reason")]
        reason: &'static str,
        #[serde(rename = "Kill Reason")]
        why: &'a str,
        #[serde(rename = "Accumulator Updates")]
        updates: [u8; 0],
    },
}

impl<'a> Reason<'a> {
    fn of(facts: &AttemptFacts, reason: &'a TaskEndReason) -> Self {
        let name = |reason| Self::Name { reason };
        match reason {
            TaskEndReason::Success(_) => name("Success"),
            TaskEndReason::Resubmitted => name("Resubmitted"),
            TaskEndReason::ResultLost => name("TaskResultLost"),
            TaskEndReason::Unknown => name("UnknownReason"),
            TaskEndReason::Killed { reason } => Self::Killed {
                reason: "TaskKilled",
                why: reason,
                updates: [],
            },
            TaskEndReason::FetchFailed {
                source,
                shuffle,
                map,
                reduce,
                message,
            } => {
                let map = map.map_or(0, |it| it.0);
                // Which port it was is not known; 0 is none to Spark, whose server then shows
                // nothing of the application.
                let address = source.as_ref().map(|(executor, host)| {
                    json!({ "Executor ID": executor.as_str(), "Host": host.as_str(), "Port": 1 })
                });
                let mut failure = json!({
                    "Reason": "FetchFailed",
                    "Shuffle ID": shuffle.0,
                    "Map ID": map,
                    "Map Index": map,
                    "Reduce ID": reduce.0,
                    "Message": message,
                });
                if let Some(address) = address {
                    failure["Block Manager Address"] = address;
                }
                Self::More(failure)
            }
            TaskEndReason::Failed { message, .. } => Self::More(json!({
                "Reason": "ExceptionFailure",
                "Class Name": "TaskFailed",
                "Description": message,
                "Stack Trace": [],
                "Full Stack Trace": message,
                "Accumulator Updates": [],
            })),
            TaskEndReason::CommitDenied => Self::More(json!({
                "Reason": "TaskCommitDenied",
                "Job ID": facts.stage.0,
                "Partition ID": facts.partition.0,
                "Attempt Number": facts.attempt,
            })),
            TaskEndReason::ExecutorLost {
                caused_by_app,
                message,
            } => Self::More(json!({
                "Reason": "ExecutorLostFailure",
                "Executor ID": facts.executor.as_str(),
                "Exit Caused By App": caused_by_app,
                "Loss Reason": message,
            })),
        }
    }
}

#[derive(Serialize)]
struct TaskMetrics {
    #[serde(rename = "Executor Deserialize Time")]
    deserialize: u64,
    #[serde(rename = "Executor Deserialize CPU Time")]
    deserialize_cpu: u64,
    #[serde(rename = "Executor Run Time")]
    run: u64,
    #[serde(rename = "Executor CPU Time")]
    cpu: u64,
    #[serde(rename = "Peak Execution Memory")]
    peak: u64,
    #[serde(rename = "Result Size")]
    result: u64,
    #[serde(rename = "JVM GC Time")]
    gc: u64,
    #[serde(rename = "Result Serialization Time")]
    serialize: u64,
    #[serde(rename = "Memory Bytes Spilled")]
    memory_spilled: u64,
    #[serde(rename = "Disk Bytes Spilled")]
    disk_spilled: u64,
    #[serde(rename = "Shuffle Read Metrics")]
    read: ShuffleRead,
    #[serde(rename = "Shuffle Write Metrics")]
    write: ShuffleWrite,
    #[serde(rename = "Input Metrics")]
    input: Input,
    #[serde(rename = "Output Metrics")]
    output: Output,
    #[serde(rename = "Updated Blocks")]
    blocks: [u8; 0],
}

#[derive(Serialize)]
struct ShuffleRead {
    #[serde(rename = "Remote Blocks Fetched")]
    remote_blocks: u64,
    #[serde(rename = "Local Blocks Fetched")]
    local_blocks: u64,
    #[serde(rename = "Fetch Wait Time")]
    wait: u64,
    #[serde(rename = "Remote Bytes Read")]
    remote: u64,
    #[serde(rename = "Remote Bytes Read To Disk")]
    to_disk: u64,
    #[serde(rename = "Local Bytes Read")]
    local: u64,
    #[serde(rename = "Total Records Read")]
    records: u64,
}

#[derive(Serialize)]
struct ShuffleWrite {
    #[serde(rename = "Shuffle Bytes Written")]
    bytes: u64,
    #[serde(rename = "Shuffle Write Time")]
    time: u64,
    #[serde(rename = "Shuffle Records Written")]
    records: u64,
}

#[derive(Serialize)]
struct Input {
    #[serde(rename = "Bytes Read")]
    bytes: u64,
    #[serde(rename = "Records Read")]
    records: u64,
}

#[derive(Serialize)]
struct Output {
    #[serde(rename = "Bytes Written")]
    bytes: u64,
    #[serde(rename = "Records Written")]
    records: u64,
}

impl TaskMetrics {
    /// What executors measure; what they do not is 0.
    fn of(metrics: &Metrics) -> Self {
        // What is read is of inputs, or else of map outputs.
        let from_input = metrics.shuffle_bytes_read == 0 || metrics.bytes_read > 0;
        let records = |of_input| if of_input { metrics.records_read } else { 0 };
        let to_shuffle = metrics.shuffle_bytes_written > 0;
        let written = |of_shuffle| {
            if of_shuffle {
                metrics.records_written
            } else {
                0
            }
        };
        Self {
            deserialize: 0,
            deserialize_cpu: 0,
            run: millis(metrics.ran),
            cpu: nanos(metrics.cpu),
            peak: metrics.peak_memory,
            result: 0,
            gc: 0,
            serialize: 0,
            memory_spilled: 0,
            disk_spilled: metrics.spilled_bytes,
            read: ShuffleRead {
                remote_blocks: 0,
                local_blocks: 0,
                wait: millis(metrics.fetch_wait),
                remote: metrics.shuffle_bytes_fetched,
                to_disk: 0,
                local: metrics
                    .shuffle_bytes_read
                    .saturating_sub(metrics.shuffle_bytes_fetched),
                records: records(!from_input),
            },
            write: ShuffleWrite {
                bytes: metrics.shuffle_bytes_written,
                time: 0,
                records: written(to_shuffle),
            },
            input: Input {
                bytes: metrics.bytes_read,
                records: records(from_input),
            },
            output: Output {
                bytes: metrics.bytes_written,
                records: written(!to_shuffle),
            },
            blocks: [],
        }
    }
}
