//! Quantiles of what tasks and executors measured, as the API has them.

use mesquite_core::store::Store;
use mesquite_core::store::attempts::Of;
use mesquite_core::store::measures::Measure;
use mesquite_core::store::stages::{Share, Stage};
use serde_json::{Value, json};

use super::peaks;
use super::tasks::pushed;

/// Of the tasks of a stage that succeeded; none if there is none.
pub(super) fn of_tasks(store: &Store, stage: &Stage, parts: &[f64]) -> Option<Value> {
    let succeeded = store.succeeded(stage);
    let of = |number: Of<'_>| {
        let values = succeeded.quantiles(parts, number)?;
        Some(values.into_iter().map(|it| it as f64).collect::<Vec<_>>())
    };
    // All of them are there, or none is.
    let took = of(Of::Duration)?;
    let it = |measure| of(Of::Sum(&[measure]));
    let sum = |one, other| of(Of::Sum(&[one, other]));
    Some(json!({
        "quantiles": parts,
        "duration": took,
        "executorDeserializeTime": it(Measure::DeserializeTime),
        "executorDeserializeCpuTime": it(Measure::DeserializeCpuTime),
        "executorRunTime": it(Measure::RunTime),
        "executorCpuTime": it(Measure::CpuTime),
        "resultSize": it(Measure::ResultSize),
        "jvmGcTime": it(Measure::GcTime),
        "resultSerializationTime": it(Measure::ResultSerializationTime),
        "gettingResultTime": of(Of::GettingResult),
        "schedulerDelay": of(Of::SchedulerDelay),
        "peakExecutionMemory": it(Measure::PeakMemory),
        "memoryBytesSpilled": it(Measure::MemorySpilled),
        "diskBytesSpilled": it(Measure::DiskSpilled),
        "inputMetrics": {
            "bytesRead": it(Measure::InputBytes),
            "recordsRead": it(Measure::InputRecords),
        },
        "outputMetrics": {
            "bytesWritten": it(Measure::OutputBytes),
            "recordsWritten": it(Measure::OutputRecords),
        },
        "shuffleReadMetrics": {
            "readBytes": sum(Measure::RemoteBytes, Measure::LocalBytes),
            "readRecords": it(Measure::ShuffleRecordsRead),
            "remoteBlocksFetched": it(Measure::RemoteBlocks),
            "localBlocksFetched": it(Measure::LocalBlocks),
            "fetchWaitTime": it(Measure::FetchWait),
            "remoteBytesRead": it(Measure::RemoteBytes),
            "remoteBytesReadToDisk": it(Measure::RemoteBytesToDisk),
            "totalBlocksFetched": sum(Measure::RemoteBlocks, Measure::LocalBlocks),
            "remoteReqsDuration": it(Measure::RemoteRequests),
            "shufflePushReadMetricsDist": pushed(&json!(vec![0.0; parts.len()])),
        },
        "shuffleWriteMetrics": {
            "writeBytes": it(Measure::ShuffleBytesWritten),
            "writeRecords": it(Measure::ShuffleRecordsWritten),
            "writeTime": it(Measure::ShuffleWriteTime),
        },
    }))
}

/// Of the executors of a stage.
pub(super) fn of_executors(stage: &Stage, parts: &[f64]) -> Value {
    let of = |value: &dyn Fn(&Share) -> u64| {
        let mut values: Vec<_> = stage.shares.values().map(value).collect();
        values.sort_unstable();
        let at = |part: &f64| {
            let place = (part * values.len() as f64) as usize;
            let place = place.min(values.len().saturating_sub(1));
            values.get(place).map_or(0.0, |it| *it as f64)
        };
        json!(parts.iter().map(at).collect::<Vec<_>>())
    };
    let it = |measure| of(&move |it: &Share| it.sums.get(measure));
    json!({
        "quantiles": parts,
        "taskTime": of(&|it| it.task_time),
        "failedTasks": of(&|it| it.failed.into()),
        "succeededTasks": of(&|it| it.succeeded.into()),
        "killedTasks": of(&|it| it.killed.into()),
        "inputBytes": it(Measure::InputBytes),
        "inputRecords": it(Measure::InputRecords),
        "outputBytes": it(Measure::OutputBytes),
        "outputRecords": it(Measure::OutputRecords),
        "shuffleRead": of(&|it| it.sums.shuffle_bytes_read()),
        "shuffleReadRecords": it(Measure::ShuffleRecordsRead),
        "shuffleWrite": it(Measure::ShuffleBytesWritten),
        "shuffleWriteRecords": it(Measure::ShuffleRecordsWritten),
        "memoryBytesSpilled": it(Measure::MemorySpilled),
        "diskBytesSpilled": it(Measure::DiskSpilled),
        "peakMemoryMetrics": peaks(&json!(vec![0.0; parts.len()])),
    })
}
