//! Events, a line each, under Spark's names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::json::{JobResult, StageInfo};
use super::{AboutRun, millis};
use crate::backend::mesos::named::Addresses;
use crate::ids::{ExecutorId, Host};
use crate::store::log_events::{CLUSTER, ClusterNote, Texts};
use crate::store::offers::{OFFERS, OffersEvent};

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
    let mut fields = json!({
        "App Name": about.name,
        "App ID": about.app_id,
        "Timestamp": millis(about.began),
        "User": about.user,
    });
    if let Some(attempt) = about.attempt {
        fields["App Attempt ID"] = attempt.to_string().into();
    }
    Line::new("ApplicationStart", fields)
}

pub(super) fn application_end(at: u64) -> Line {
    Line::new("ApplicationEnd", json!({ "Timestamp": at }))
}

pub(super) fn executor_added(
    at: u64,
    executor: &ExecutorId,
    (host, (cores, resources)): (&Host, (u32, &Addresses)),
    logs: &Texts,
) -> Line {
    let named = |(name, addresses): &(Arc<str>, Vec<Arc<str>>)| {
        let addresses: Vec<&str> = addresses.iter().map(|it| &**it).collect();
        let all = json!({ "name": **name, "addresses": addresses });
        (name.to_string(), all)
    };
    let resources: BTreeMap<String, Value> = resources.iter().map(named).collect();
    Line::new(
        "ExecutorAdded",
        json!({
            "Timestamp": at,
            "Executor ID": executor.as_str(),
            "Executor Info": {
                "Host": host.as_str(),
                "Total Cores": cores,
                "Log Urls": logs,
                "Attributes": {},
                "Resources": resources,
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
