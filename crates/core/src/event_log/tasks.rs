//! The lines of tasks. Pure.
//!
//! Responsible for what a log says of a task's beginning and end. Of tasks there are many,
//! and most of a line is the names of fields, so lines are not made by way of a serializer,
//! which looks at each byte of a name: names are put where they belong as they are.

use serde_json::{Value as Json, json};

use super::{millis, nanos};
use crate::facts::{AttemptFacts, Metrics};
use mesquite_scheduler::task::{TaskEndReason, TaskOutput};

/// What can stand in a line.
trait Value {
    /// Puts it there.
    fn put(&self, out: &mut Vec<u8>);
}

impl Value for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        json_of(self, out);
    }
}

impl Value for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        json_of(self, out);
    }
}

impl Value for &str {
    fn put(&self, out: &mut Vec<u8>) {
        // Names of hosts and executors are, nearly always.
        let is_special = |it: u8| (it < b' ') | (it == b'"') | (it == b'\\');
        if !self.bytes().fold(false, |some, it| some | is_special(it)) {
            out.push(b'"');
            out.extend_from_slice(self.as_bytes());
            out.push(b'"');
        } else {
            json_of(self, out);
        }
    }
}

impl Value for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

fn json_of(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, value);
}

/// What is JSON already, and always the same.
struct Fixed(&'static str);

impl Value for Fixed {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

/// What no task of ours has: the Java machine's, or not measured.
const NONE: Fixed = Fixed("0");
const EMPTY: Fixed = Fixed("[]");

/// Puts an object into a line: its fields' names, which need no escaping, and their values.
macro_rules! object {
    ($out:expr; $first:literal: $value:expr, $($name:literal: $more:expr,)*) => {{
        let out: &mut Vec<u8> = $out;
        out.extend_from_slice(concat!("{\"", $first, "\":").as_bytes());
        Value::put(&$value, out);
        $(
            out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
            Value::put(&$more, out);
        )*
        out.push(b'}');
    }};
}

/// A task begins.
pub(super) fn start(facts: &AttemptFacts, info: TaskInfo<'_>, out: &mut Vec<u8>) {
    object!(out;
        "Event": Fixed("\"SparkListenerTaskStart\""),
        "Stage ID": facts.stage.0,
        "Stage Attempt ID": facts.stage_attempt.0,
        "Task Info": info,
    );
    out.push(b'\n');
}

/// A task ends.
pub(super) fn end(
    facts: &AttemptFacts,
    is_map: bool,
    info: TaskInfo<'_>,
    reason: &TaskEndReason,
    metrics: Option<&Metrics>,
    out: &mut Vec<u8>,
) {
    let kind = match is_map {
        true => "\"ShuffleMapTask\"",
        false => "\"ResultTask\"",
    };
    object!(out;
        "Event": Fixed("\"SparkListenerTaskEnd\""),
        "Stage ID": facts.stage.0,
        "Stage Attempt ID": facts.stage_attempt.0,
        "Task Type": Fixed(kind),
        "Task End Reason": Reason { facts, reason },
        "Task Info": info,
    );
    if let Some(metrics) = metrics {
        // Behind the last field.
        out.pop();
        out.extend_from_slice(b",\"Task Metrics\":");
        let result = result_size(reason);
        Measured { metrics, result }.put(out);
        out.push(b'}');
    }
    out.push(b'\n');
}

/// Bytes of the result of a task, if it has one.
pub(super) const fn result_size(reason: &TaskEndReason) -> u64 {
    match reason {
        TaskEndReason::Success(TaskOutput::Result { bytes }) => *bytes,
        TaskEndReason::Success(TaskOutput::Map(_))
        | TaskEndReason::Resubmitted
        | TaskEndReason::FetchFailed { .. }
        | TaskEndReason::Failed { .. }
        | TaskEndReason::Killed { .. }
        | TaskEndReason::CommitDenied
        | TaskEndReason::ResultLost
        | TaskEndReason::ExecutorLost { .. }
        | TaskEndReason::Unknown => 0,
    }
}

/// How a task ended, alone.
pub(super) fn reason(facts: &AttemptFacts, reason: &TaskEndReason) -> String {
    let mut out = Vec::new();
    Reason { facts, reason }.put(&mut out);
    // It is made of texts.
    String::from_utf8(out).unwrap_or_default()
}

/// What is known of an attempt.
#[derive(Clone, Copy)]
pub(super) struct TaskInfo<'a> {
    facts: &'a AttemptFacts,
    launched: u64,
    finished: u64,
    failed: bool,
    killed: bool,
}

impl<'a> TaskInfo<'a> {
    /// Of an attempt that was launched then and runs.
    pub(super) const fn of(facts: &'a AttemptFacts, launched: u64) -> Self {
        Self {
            facts,
            launched,
            finished: 0,
            failed: false,
            killed: false,
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

impl Value for TaskInfo<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let facts = self.facts;
        object!(out;
            "Task ID": facts.task.0,
            "Index": facts.index.0,
            "Attempt": facts.attempt,
            "Partition ID": facts.partition.0,
            "Launch Time": self.launched,
            "Executor ID": facts.executor.as_str(),
            "Host": facts.host.as_str(),
            "Locality": facts.locality.name(),
            "Speculative": facts.speculative,
            "Getting Result Time": NONE,
            "Finish Time": self.finished,
            "Failed": self.failed,
            "Killed": self.killed,
            "Accumulables": EMPTY,
        );
    }
}

/// How a task ended: a name, and what belongs to it.
struct Reason<'a> {
    facts: &'a AttemptFacts,
    reason: &'a TaskEndReason,
}

impl Value for Reason<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        if matches!(self.reason, TaskEndReason::Success(_)) {
            Fixed("{\"Reason\":\"Success\"}").put(out);
        } else {
            json_of(&self.more(), out);
        }
    }
}

impl Reason<'_> {
    /// Of one that did not succeed.
    fn more(&self) -> Json {
        let facts = self.facts;
        match self.reason {
            TaskEndReason::Success(_) => json!({ "Reason": "Success" }),
            TaskEndReason::Resubmitted => json!({ "Reason": "Resubmitted" }),
            TaskEndReason::ResultLost => json!({ "Reason": "TaskResultLost" }),
            TaskEndReason::Unknown => json!({ "Reason": "UnknownReason" }),
            TaskEndReason::Killed { reason } => json!({
                "Reason": "TaskKilled",
                "Kill Reason": reason,
                "Accumulator Updates": [],
            }),
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
                failure
            }
            TaskEndReason::Failed { message, .. } => json!({
                "Reason": "ExceptionFailure",
                "Class Name": "TaskFailed",
                "Description": message,
                "Stack Trace": [],
                "Full Stack Trace": message,
                "Accumulator Updates": [],
            }),
            TaskEndReason::CommitDenied => json!({
                "Reason": "TaskCommitDenied",
                "Job ID": facts.stage.0,
                "Partition ID": facts.partition.0,
                "Attempt Number": facts.attempt,
            }),
            TaskEndReason::ExecutorLost {
                caused_by_app,
                reason,
            } => json!({
                "Reason": "ExecutorLostFailure",
                "Executor ID": facts.executor.as_str(),
                "Exit Caused By App": caused_by_app,
                "Loss Reason": reason.to_string(),
            }),
        }
    }
}

/// What executors measure; what they do not is 0.
struct Measured<'a> {
    metrics: &'a Metrics,
    result: u64,
}

impl Value for Measured<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let it = self.metrics;
        object!(out;
            "Executor Deserialize Time": NONE,
            "Executor Deserialize CPU Time": NONE,
            "Executor Run Time": millis(it.ran),
            "Executor CPU Time": nanos(it.cpu),
            "Peak Execution Memory": it.peak_memory,
            "Result Size": self.result,
            "JVM GC Time": NONE,
            "Result Serialization Time": NONE,
            "Memory Bytes Spilled": NONE,
            "Disk Bytes Spilled": it.spilled_bytes,
            "Shuffle Read Metrics": ShuffleRead(it),
            "Shuffle Write Metrics": ShuffleWrite(it),
            "Input Metrics": Input(it),
            "Output Metrics": Output(it),
            "Updated Blocks": EMPTY,
        );
    }
}

/// What was read: of inputs, or else of map outputs.
const fn is_from_input(metrics: &Metrics) -> bool {
    metrics.shuffle_bytes_read == 0 || metrics.bytes_read > 0
}

/// What was written: map outputs, or else a result.
const fn is_to_shuffle(metrics: &Metrics) -> bool {
    metrics.shuffle_bytes_written > 0
}

const fn if_so(is_so: bool, records: u64) -> u64 {
    if is_so { records } else { 0 }
}

struct ShuffleRead<'a>(&'a Metrics);

impl Value for ShuffleRead<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let Self(it) = self;
        object!(out;
            "Remote Blocks Fetched": NONE,
            "Local Blocks Fetched": NONE,
            "Fetch Wait Time": millis(it.fetch_wait),
            "Remote Bytes Read": it.shuffle_bytes_fetched,
            "Remote Bytes Read To Disk": NONE,
            "Local Bytes Read": it.shuffle_bytes_read.saturating_sub(it.shuffle_bytes_fetched),
            "Total Records Read": if_so(!is_from_input(it), it.records_read),
        );
    }
}

struct ShuffleWrite<'a>(&'a Metrics);

impl Value for ShuffleWrite<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let Self(it) = self;
        object!(out;
            "Shuffle Bytes Written": it.shuffle_bytes_written,
            "Shuffle Write Time": NONE,
            "Shuffle Records Written": if_so(is_to_shuffle(it), it.records_written),
        );
    }
}

struct Input<'a>(&'a Metrics);

impl Value for Input<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let Self(it) = self;
        object!(out;
            "Bytes Read": it.bytes_read,
            "Records Read": if_so(is_from_input(it), it.records_read),
        );
    }
}

struct Output<'a>(&'a Metrics);

impl Value for Output<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let Self(it) = self;
        object!(out;
            "Bytes Written": it.bytes_written,
            "Records Written": if_so(!is_to_shuffle(it), it.records_written),
        );
    }
}
