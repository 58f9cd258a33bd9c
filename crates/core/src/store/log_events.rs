//! Events of a log, as far as the store wants to know, under Spark's names. Pure.
//!
//! Responsible for what is read of a line: fields that are missing have the value that
//! Spark's own reader gives them, fields that are not here are passed over. Tasks have a
//! faster way as well: see [`template`](super::lines).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::measures::{Measure, Measures};

type Text<'a> = Cow<'a, str>;

/// Texts by name, such as settings.
pub type Texts = BTreeMap<String, String>;

#[derive(Deserialize)]
pub(super) struct LogStart {
    #[serde(rename = "Spark Version")]
    pub(super) version: String,
}

#[derive(Deserialize)]
pub(super) struct ApplicationStart {
    #[serde(rename = "App Name")]
    pub(super) name: String,
    #[serde(rename = "App ID")]
    pub(super) id: Option<String>,
    #[serde(rename = "App Attempt ID")]
    pub(super) attempt: Option<String>,
    #[serde(rename = "Timestamp")]
    pub(super) began: u64,
    #[serde(rename = "User", default)]
    pub(super) user: String,
}

/// The name of the lines of a log that tell of the cluster.
pub(crate) const CLUSTER: &str = "mesquite.Cluster";

/// Something that was told of the cluster, such as why nothing runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterNote {
    /// When.
    #[serde(rename = "Timestamp")]
    pub at: u64,
    /// Whether something is wrong.
    #[serde(rename = "Is Wrong", default)]
    pub is_wrong: bool,
    /// For people.
    #[serde(rename = "Text", default)]
    pub text: String,
}

#[derive(Deserialize)]
pub(super) struct ApplicationEnd {
    #[serde(rename = "Timestamp")]
    pub(super) at: u64,
}

/// What an application was set to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Of the Java machine.
    #[serde(rename = "JVM Information")]
    pub jvm: Texts,
    /// The application's settings.
    #[serde(rename = "Spark Properties")]
    pub settings: Texts,
    /// Hadoop's.
    #[serde(rename = "Hadoop Properties")]
    pub hadoop: Texts,
    /// Those of the Java machine.
    #[serde(rename = "System Properties")]
    pub system: Texts,
    /// Those of metrics.
    #[serde(rename = "Metrics Properties")]
    pub metrics: Texts,
    /// Where classes come from.
    #[serde(rename = "Classpath Entries")]
    pub classpath: Texts,
}

#[derive(Deserialize)]
pub(super) struct ExecutorAdded {
    #[serde(rename = "Timestamp")]
    pub(super) at: u64,
    #[serde(rename = "Executor ID")]
    pub(super) executor: String,
    #[serde(rename = "Executor Info")]
    pub(super) info: ExecutorInfo,
}

#[derive(Deserialize)]
pub(super) struct ExecutorInfo {
    #[serde(rename = "Host")]
    pub(super) host: String,
    #[serde(rename = "Total Cores")]
    pub(super) cores: u32,
    #[serde(rename = "Log Urls", default)]
    pub(super) logs: Texts,
    #[serde(rename = "Attributes", default)]
    pub(super) attributes: Texts,
    #[serde(rename = "Resources", default)]
    pub(super) resources: BTreeMap<String, NamedResource>,
    #[serde(rename = "Resource Profile Id", default)]
    pub(super) profile: u32,
}

/// A resource with a name, as an executor has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedResource {
    /// Its name, such as `gpu`.
    pub name: String,
    /// Its addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct ExecutorRemoved {
    #[serde(rename = "Timestamp")]
    pub(super) at: u64,
    #[serde(rename = "Executor ID")]
    pub(super) executor: String,
    #[serde(rename = "Removed Reason", default)]
    pub(super) reason: String,
}

#[derive(Deserialize)]
pub(super) struct BlockManagerAdded {
    #[serde(rename = "Block Manager ID")]
    pub(super) id: BlockManager,
    #[serde(rename = "Maximum Memory", default)]
    pub(super) memory: u64,
    #[serde(rename = "Timestamp", default)]
    pub(super) at: u64,
}

#[derive(Deserialize)]
pub(super) struct BlockManager {
    #[serde(rename = "Executor ID")]
    pub(super) executor: String,
    #[serde(rename = "Host")]
    pub(super) host: String,
    #[serde(rename = "Port")]
    pub(super) port: u32,
}

#[derive(Deserialize)]
pub(super) struct JobStart {
    #[serde(rename = "Job ID")]
    pub(super) job: u32,
    #[serde(rename = "Submission Time")]
    pub(super) at: Option<u64>,
    #[serde(rename = "Stage Infos", default)]
    pub(super) stages: Vec<StageInfo>,
    #[serde(rename = "Stage IDs", default)]
    pub(super) ids: Vec<u32>,
    #[serde(rename = "Properties", default)]
    pub(super) properties: Option<Texts>,
}

#[derive(Deserialize)]
pub(super) struct JobEnd {
    #[serde(rename = "Job ID")]
    pub(super) job: u32,
    #[serde(rename = "Completion Time")]
    pub(super) at: Option<u64>,
    #[serde(rename = "Job Result")]
    pub(super) result: JobResult,
}

#[derive(Deserialize)]
pub(super) struct JobResult {
    #[serde(rename = "Result")]
    pub(super) result: String,
    #[serde(rename = "Exception")]
    pub(super) exception: Option<Exception>,
}

#[derive(Deserialize)]
pub(super) struct Exception {
    #[serde(rename = "Message", default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct StageEvent {
    #[serde(rename = "Stage Info")]
    pub(super) info: StageInfo,
    #[serde(rename = "Properties", default)]
    pub(super) properties: Option<Texts>,
}

/// What is known of an attempt at a stage beside its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageInfo {
    /// The stage.
    #[serde(rename = "Stage ID")]
    pub stage: u32,
    /// The attempt.
    #[serde(rename = "Stage Attempt ID", default)]
    pub attempt: u32,
    /// For people.
    #[serde(rename = "Stage Name")]
    pub name: Arc<str>,
    /// Its tasks.
    #[serde(rename = "Number of Tasks")]
    pub tasks: u32,
    /// What it computes.
    #[serde(rename = "RDD Info", default)]
    pub datasets: Arc<[DatasetInfo]>,
    /// The stages whose output it reads.
    #[serde(rename = "Parent IDs", default)]
    pub parents: Vec<u32>,
    /// Where in a program it was asked for.
    #[serde(rename = "Details", default)]
    pub details: Arc<str>,
    /// When it began.
    #[serde(rename = "Submission Time")]
    pub submitted: Option<u64>,
    /// When it ended.
    #[serde(rename = "Completion Time")]
    pub completed: Option<u64>,
    /// Why it failed.
    #[serde(rename = "Failure Reason")]
    pub failure: Option<Arc<str>>,
    /// Which kind of executors it wants.
    #[serde(rename = "Resource Profile Id", default)]
    pub profile: u32,
}

/// A dataset: in Spark an RDD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Its number.
    #[serde(rename = "RDD ID")]
    pub id: u32,
    /// Its name.
    #[serde(rename = "Name", default)]
    pub name: String,
    /// Those it is made of.
    #[serde(rename = "Parent IDs", default)]
    pub parents: Vec<u32>,
    /// Its partitions.
    #[serde(rename = "Number of Partitions", default)]
    pub partitions: u32,
}

/// A task's beginning or end.
#[derive(Deserialize)]
pub(super) struct TaskEvent<'a> {
    #[serde(rename = "Stage ID")]
    pub(super) stage: u32,
    #[serde(rename = "Stage Attempt ID", default)]
    pub(super) stage_attempt: u32,
    #[serde(rename = "Task End Reason", borrow)]
    pub(super) reason: Option<Reason<'a>>,
    #[serde(rename = "Task Info", borrow)]
    pub(super) info: TaskInfo<'a>,
    #[serde(rename = "Task Metrics")]
    pub(super) metrics: Option<TaskMetrics>,
}

#[derive(Deserialize)]
pub(super) struct TaskInfo<'a> {
    #[serde(rename = "Task ID")]
    pub(super) task: u64,
    #[serde(rename = "Index", default)]
    pub(super) index: u32,
    #[serde(rename = "Attempt", default)]
    pub(super) attempt: u32,
    /// Logs of Spark before 3.3 lack it: -1 there.
    #[serde(rename = "Partition ID")]
    pub(super) partition: Option<i64>,
    #[serde(rename = "Launch Time", default)]
    pub(super) launched: u64,
    #[serde(rename = "Executor ID", borrow, default)]
    pub(super) executor: Text<'a>,
    #[serde(rename = "Host", borrow, default)]
    pub(super) host: Text<'a>,
    #[serde(rename = "Locality", borrow, default)]
    pub(super) locality: Text<'a>,
    #[serde(rename = "Speculative", default)]
    pub(super) speculative: bool,
    #[serde(rename = "Getting Result Time", default)]
    pub(super) getting_result: u64,
    #[serde(rename = "Finish Time", default)]
    pub(super) finished: u64,
    #[serde(rename = "Failed", default)]
    pub(super) failed: bool,
    #[serde(rename = "Killed", default)]
    pub(super) killed: bool,
}

/// How a task ended. What belongs to its name is flat in a log.
#[derive(Deserialize)]
pub(super) struct Reason<'a> {
    #[serde(rename = "Reason", borrow)]
    pub(super) reason: Text<'a>,
    #[serde(rename = "Kill Reason", borrow)]
    killed: Option<Text<'a>>,
    #[serde(rename = "Class Name", borrow)]
    class: Option<Text<'a>>,
    #[serde(rename = "Description", borrow)]
    description: Option<Text<'a>>,
    #[serde(rename = "Full Stack Trace", borrow)]
    trace: Option<Text<'a>>,
    #[serde(rename = "Block Manager Address")]
    address: Option<BlockManager>,
    #[serde(rename = "Shuffle ID", default)]
    shuffle: i64,
    #[serde(rename = "Map ID", default)]
    map: i64,
    #[serde(rename = "Map Index", default)]
    map_index: i64,
    #[serde(rename = "Reduce ID", default)]
    reduce: i64,
    #[serde(rename = "Message", borrow)]
    message: Option<Text<'a>>,
    #[serde(rename = "Job ID", default)]
    job: i64,
    #[serde(rename = "Partition ID", default)]
    partition: i64,
    #[serde(rename = "Attempt Number", default)]
    attempt: i64,
    #[serde(rename = "Executor ID", borrow)]
    executor: Option<Text<'a>>,
    #[serde(rename = "Exit Caused By App", default)]
    caused_by_app: bool,
    #[serde(rename = "Loss Reason", borrow)]
    loss: Option<Text<'a>>,
}

impl Reason<'_> {
    /// Why, as Spark's pages have it; nothing of a success.
    pub(super) fn text(&self) -> Option<Arc<str>> {
        let or = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
        let text = match &*self.reason {
            "Success" => return None,
            "TaskKilled" => or(&self.killed),
            "ExceptionFailure" => match &self.trace {
                Some(trace) => trace.to_string(),
                None => format!("{}: {}\n", or(&self.class), or(&self.description)),
            },
            "FetchFailed" => {
                let address = self.address.as_ref().map_or("null".to_owned(), |it| {
                    let BlockManager {
                        executor,
                        host,
                        port,
                    } = it;
                    format!("BlockManagerId({executor}, {host}, {port}, None)")
                });
                format!(
                    "FetchFailed({address}, shuffleId={}, mapIndex={}, mapId={}, reduceId={}, message=\n{}\n)",
                    self.shuffle,
                    self.map_index,
                    self.map,
                    self.reduce,
                    or(&self.message)
                )
            }
            "TaskCommitDenied" => format!(
                "TaskCommitDenied (Driver denied task commit) for job: {}, partition: {}, attemptNumber: {}",
                self.job, self.partition, self.attempt
            ),
            "ExecutorLostFailure" => {
                let cause = if self.caused_by_app {
                    "caused by one of the running tasks"
                } else {
                    "unrelated to the running tasks"
                };
                let reason = self.loss.as_ref().map(|it| format!(" Reason: {it}"));
                let executor = or(&self.executor);
                format!(
                    "ExecutorLostFailure (executor {executor} exited {cause}){}",
                    reason.unwrap_or_default()
                )
            }
            "Resubmitted" => "Resubmitted (resubmitted due to lost task)".to_owned(),
            "TaskResultLost" => "TaskResultLost (result lost from block manager)".to_owned(),
            other => other.to_owned(),
        };
        Some(text.into())
    }

    /// Whether it was stopped, and did not fail.
    pub(super) fn is_kill(&self) -> bool {
        matches!(&*self.reason, "TaskKilled" | "TaskCommitDenied")
    }
}

/// Why, of a reason that stands alone.
pub(super) fn why(reason: &str) -> Option<Arc<str>> {
    let reason: Option<Reason<'_>> = serde_json::from_str(reason).ok();
    reason.and_then(|it| it.text())
}

/// Measures stand in parts, under their names.
#[derive(Default)]
pub(super) struct TaskMetrics(pub(super) Measures);

impl<'de> Deserialize<'de> for TaskMetrics {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts: serde_json::Map<String, serde_json::Value> =
            Deserialize::deserialize(deserializer)?;
        let mut measures = Measures::default();
        for measure in Measure::ALL {
            let (part, field) = measure.place();
            let value = match part {
                "" => parts.get(field),
                part => parts.get(part).and_then(|it| it.get(field)),
            };
            let value = value.and_then(serde_json::Value::as_u64);
            measures.set(*measure, value.unwrap_or(0));
        }
        Ok(Self(measures))
    }
}
