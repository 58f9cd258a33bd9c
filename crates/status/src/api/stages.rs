//! Attempts at stages, as the API has them.

use mesquite_core::store::Store;
use mesquite_core::store::attempts::State;
use mesquite_core::store::measures::Measure;
use mesquite_core::store::query::{Order, Wanted};
use mesquite_core::store::stages::{Share, Stage};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::tasks::TaskMap;
use super::{NotThere, OrNotThere, distributions, peaks, put};
use crate::route::StageDetail;
use crate::time;

/// The stages in one of these states, or all; the last one first.
pub(super) fn all<'a>(
    store: &'a Store,
    states: &[String],
    detail: &StageDetail,
) -> Vec<StageData<'a>> {
    let is_wanted =
        |stage: &&Stage| states.is_empty() || states.iter().any(|it| it == stage.status.name());
    let all = store.stages().rev().filter(is_wanted);
    all.map(|it| StageData::of(store, it, detail)).collect()
}

/// All attempts at a stage.
pub(super) fn attempts<'a>(
    store: &'a Store,
    id: u32,
    detail: &StageDetail,
) -> OrNotThere<Vec<StageData<'a>>> {
    let all = store.stages().filter(|it| it.info.stage == id);
    let all: Vec<_> = all.map(|it| StageData::of(store, it, detail)).collect();
    if all.is_empty() {
        return Err(NotThere(format!("unknown stage: {id}")));
    }
    Ok(all)
}

/// An attempt at a stage.
pub(super) fn find(store: &Store, id: u32, attempt: u32) -> OrNotThere<&Stage> {
    if let Some(stage) = store.stage(id, attempt) {
        return Ok(stage);
    }
    let others = store.stages().filter(|it| it.info.stage == id);
    let others: Vec<_> = others.map(|it| it.info.attempt.to_string()).collect();
    Err(NotThere(match others.is_empty() {
        true => format!("unknown stage: {id}"),
        false => format!(
            "unknown attempt for stage {id}.  Found attempts: [{}]",
            others.join(",")
        ),
    }))
}

/// A stage, with its tasks if they are wanted.
pub(super) struct StageData<'a> {
    fields: Map<String, Value>,
    tasks: Option<TaskMap<'a>>,
}

impl Serialize for StageData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        if let Some(tasks) = &self.tasks {
            map.serialize_entry("tasks", tasks)?;
        }
        map.end()
    }
}

impl<'a> StageData<'a> {
    pub(super) fn of(store: &'a Store, stage: &Stage, detail: &StageDetail) -> Self {
        let mut data = fields(stage);
        let mut tasks = None;
        if detail.details {
            put(&mut data, "speculationSummary", speculation(store, stage));
            let shares = stage.shares.iter();
            let shares = shares.map(|(name, it)| (store.text(*name).to_owned(), share(it)));
            let shares: Map<_, _> = shares.collect();
            put(&mut data, "executorSummary", Some(shares));
            let wanted = Wanted {
                states: detail.task_states.clone(),
                order: Order::Task,
                descending: false,
                offset: 0,
                length: usize::MAX,
            };
            let (rows, _) = store.page(stage, &wanted);
            tasks = Some(TaskMap { store, rows });
        }
        if let Some(parts) = &detail.summaries {
            let of_tasks = distributions::of_tasks(store, stage, parts);
            put(&mut data, "taskMetricsDistributions", of_tasks);
            let of_executors = has_ended(stage).then(|| distributions::of_executors(stage, parts));
            put(&mut data, "executorMetricsDistributions", of_executors);
        }
        let fields = match data {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self { fields, tasks }
    }
}

/// What came of copies of attempts; none if there was no copy.
fn speculation(store: &Store, stage: &Stage) -> Option<Value> {
    let rows = stage.rows().iter().copied();
    let mut counts = [0_u32; 4];
    for row in rows.filter(|it| store.attempts.is_speculative(*it)) {
        counts[store.attempts.state(row) as usize] += 1;
    }
    let count = |state: State| counts[state as usize];
    let all: u32 = counts.iter().sum();
    (all > 0).then(|| {
        json!({
            "numTasks": all,
            "numActiveTasks": count(State::Running),
            "numCompletedTasks": count(State::Succeeded),
            "numFailedTasks": count(State::Failed),
            "numKilledTasks": count(State::Killed),
        })
    })
}

/// Whether a task has ended: what executors measure comes with the end of one.
fn has_ended(stage: &Stage) -> bool {
    stage.succeeded + stage.failed + stage.killed > 0
}

fn fields(stage: &Stage) -> Value {
    let info = &stage.info;
    let it = |measure| stage.sums.get(measure);
    let datasets: Vec<_> = info.datasets.iter().map(|it| it.id).collect();
    let mut data = json!({
        "status": stage.status.name(),
        "stageId": info.stage,
        "attemptId": info.attempt,
        "numTasks": info.tasks,
        "numActiveTasks": stage.active,
        "numCompleteTasks": stage.succeeded,
        "numFailedTasks": stage.failed,
        "numKilledTasks": stage.killed,
        "numCompletedIndices": stage.completed_indices(),
        "executorDeserializeTime": it(Measure::DeserializeTime),
        "executorDeserializeCpuTime": it(Measure::DeserializeCpuTime),
        "executorRunTime": it(Measure::RunTime),
        "executorCpuTime": it(Measure::CpuTime),
        "resultSize": it(Measure::ResultSize),
        "jvmGcTime": it(Measure::GcTime),
        "resultSerializationTime": it(Measure::ResultSerializationTime),
        "memoryBytesSpilled": it(Measure::MemorySpilled),
        "diskBytesSpilled": it(Measure::DiskSpilled),
        "peakExecutionMemory": it(Measure::PeakMemory),
        "inputBytes": it(Measure::InputBytes),
        "inputRecords": it(Measure::InputRecords),
        "outputBytes": it(Measure::OutputBytes),
        "outputRecords": it(Measure::OutputRecords),
        "shuffleRemoteBlocksFetched": it(Measure::RemoteBlocks),
        "shuffleLocalBlocksFetched": it(Measure::LocalBlocks),
        "shuffleFetchWaitTime": it(Measure::FetchWait),
        "shuffleRemoteBytesRead": it(Measure::RemoteBytes),
        "shuffleRemoteBytesReadToDisk": it(Measure::RemoteBytesToDisk),
        "shuffleLocalBytesRead": it(Measure::LocalBytes),
        "shuffleReadBytes": stage.sums.shuffle_bytes_read(),
        "shuffleReadRecords": it(Measure::ShuffleRecordsRead),
        "shuffleRemoteReqsDuration": it(Measure::RemoteRequests),
        "shuffleWriteBytes": it(Measure::ShuffleBytesWritten),
        "shuffleWriteTime": it(Measure::ShuffleWriteTime),
        "shuffleWriteRecords": it(Measure::ShuffleRecordsWritten),
        "name": info.name,
        "details": info.details,
        "schedulingPool": stage.pool,
        "rddIds": datasets,
        "accumulatorUpdates": [],
        "killedTasksSummary": stage.kills,
        "resourceProfileId": info.profile,
        "isShufflePushEnabled": false,
        "shuffleMergersCount": 0,
    });
    for name in PUSHED {
        put(&mut data, name, Some(0));
    }
    let peaks = has_ended(stage).then(|| peaks(&json!(0)));
    put(&mut data, "peakExecutorMetrics", peaks);
    put(&mut data, "description", stage.description.as_ref());
    put(&mut data, "submissionTime", info.submitted.map(time::api));
    put(&mut data, "completionTime", info.completed.map(time::api));
    put(&mut data, "failureReason", info.failure.as_ref());
    let first = stage.first_launch.map(time::api);
    put(&mut data, "firstTaskLaunchedTime", first);
    data
}

/// What a stage has of push-based shuffles.
const PUSHED: [&str; 9] = [
    "shuffleCorruptMergedBlockChunks",
    "shuffleMergedFetchFallbackCount",
    "shuffleMergedRemoteBlocksFetched",
    "shuffleMergedLocalBlocksFetched",
    "shuffleMergedRemoteChunksFetched",
    "shuffleMergedLocalChunksFetched",
    "shuffleMergedRemoteBytesRead",
    "shuffleMergedLocalBytesRead",
    "shuffleMergedRemoteReqsDuration",
];

fn share(share: &Share) -> Value {
    let it = |measure| share.sums.get(measure);
    let mut data = json!({
        "taskTime": share.task_time,
        "failedTasks": share.failed,
        "succeededTasks": share.succeeded,
        "killedTasks": share.killed,
        "inputBytes": it(Measure::InputBytes),
        "inputRecords": it(Measure::InputRecords),
        "outputBytes": it(Measure::OutputBytes),
        "outputRecords": it(Measure::OutputRecords),
        "shuffleRead": share.sums.shuffle_bytes_read(),
        "shuffleReadRecords": it(Measure::ShuffleRecordsRead),
        "shuffleWrite": it(Measure::ShuffleBytesWritten),
        "shuffleWriteRecords": it(Measure::ShuffleRecordsWritten),
        "memoryBytesSpilled": it(Measure::MemorySpilled),
        "diskBytesSpilled": it(Measure::DiskSpilled),
        "isBlacklistedForStage": false,
        "isExcludedForStage": false,
    });
    let ended = share.succeeded + share.failed + share.killed > 0;
    let peaks = ended.then(|| peaks(&json!(0)));
    put(&mut data, "peakMemoryMetrics", peaks);
    data
}
