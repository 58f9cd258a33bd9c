//! Attempts at tasks, as the API has them: written one by one, for there may be a
//! million.

use mesquite_core::store::Store;
use mesquite_core::store::attempts::State;
use mesquite_core::store::measures::{Measure, Measures};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

use super::put;
use crate::time;

/// Attempts as a list.
pub(super) struct TaskList<'a> {
    pub(super) store: &'a Store,
    pub(super) rows: Vec<u32>,
}

impl Serialize for TaskList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in &self.rows {
            list.serialize_element(&data(self.store, *row))?;
        }
        list.end()
    }
}

/// Attempts by their numbers.
pub(super) struct TaskMap<'a> {
    pub(super) store: &'a Store,
    pub(super) rows: Vec<u32>,
}

impl Serialize for TaskMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.rows.len()))?;
        for row in &self.rows {
            let task = self.store.attempts.task(*row);
            map.serialize_entry(&task.to_string(), &data(self.store, *row))?;
        }
        map.end()
    }
}

fn data(store: &Store, row: u32) -> Value {
    let attempts = &store.attempts;
    let executor = attempts.executor(row);
    let logs = store.executors.get(executor).map(|it| &it.logs);
    let state = attempts.state(row);
    // How long one has run that still does: up to the last thing that is known.
    let so_far = || store.latest().saturating_sub(attempts.launched(row));
    let mut data = json!({
        "taskId": attempts.task(row),
        "index": attempts.index(row),
        "attempt": attempts.attempt(row),
        "partitionId": attempts.partition(row),
        "launchTime": time::api(attempts.launched(row)),
        "executorId": store.text(executor),
        "host": store.text(attempts.host(row)),
        "status": state.name(),
        "taskLocality": attempts.locality(row),
        "speculative": attempts.is_speculative(row),
        "accumulatorUpdates": [],
        "executorLogs": logs.cloned().unwrap_or_default(),
        "schedulerDelay": attempts.scheduler_delay(row),
        "gettingResultTime": attempts.getting_result_time(row),
    });
    // Spark has none of a task that took less than a millisecond.
    let duration = attempts.duration(row).unwrap_or_else(so_far);
    put(&mut data, "duration", (duration > 0).then_some(duration));
    let fetched = attempts.getting_result(row).map(time::api);
    put(&mut data, "resultFetchStart", fetched);
    put(&mut data, "errorMessage", attempts.why(row));
    if state != State::Running {
        put(
            &mut data,
            "taskMetrics",
            Some(metrics(&attempts.measures(row))),
        );
    }
    data
}

/// The measures of an attempt.
fn metrics(measures: &Measures) -> Value {
    let it = |measure| measures.get(measure);
    json!({
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
        "inputMetrics": {
            "bytesRead": it(Measure::InputBytes),
            "recordsRead": it(Measure::InputRecords),
        },
        "outputMetrics": {
            "bytesWritten": it(Measure::OutputBytes),
            "recordsWritten": it(Measure::OutputRecords),
        },
        "shuffleReadMetrics": {
            "remoteBlocksFetched": it(Measure::RemoteBlocks),
            "localBlocksFetched": it(Measure::LocalBlocks),
            "fetchWaitTime": it(Measure::FetchWait),
            "remoteBytesRead": it(Measure::RemoteBytes),
            "remoteBytesReadToDisk": it(Measure::RemoteBytesToDisk),
            "localBytesRead": it(Measure::LocalBytes),
            "recordsRead": it(Measure::ShuffleRecordsRead),
            "remoteReqsDuration": it(Measure::RemoteRequests),
            "shufflePushReadMetrics": pushed(&json!(0)),
        },
        "shuffleWriteMetrics": {
            "bytesWritten": it(Measure::ShuffleBytesWritten),
            "writeTime": it(Measure::ShuffleWriteTime),
            "recordsWritten": it(Measure::ShuffleRecordsWritten),
        },
    })
}

/// Measures of push-based shuffles, which there are none of.
pub(super) fn pushed(value: &Value) -> Value {
    json!({
        "corruptMergedBlockChunks": value,
        "mergedFetchFallbackCount": value,
        "remoteMergedBlocksFetched": value,
        "localMergedBlocksFetched": value,
        "remoteMergedChunksFetched": value,
        "localMergedChunksFetched": value,
        "remoteMergedBytesRead": value,
        "localMergedBytesRead": value,
        "remoteMergedReqsDuration": value,
    })
}
