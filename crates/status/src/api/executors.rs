//! Executors, as the API has them.

use mesquite_core::store::Store;
use mesquite_core::store::executors::Executor;
use mesquite_core::store::measures::Measure;
use serde_json::{Value, json};

use super::{peaks, put};
use crate::time;

/// The executors: those that are there, or those that were as well.
pub(super) fn all(store: &Store, only_active: bool) -> Value {
    let all = store.executors.all();
    let all = all.filter(|it| !only_active || it.removed.is_none());
    all.map(|it| summary(store, it)).collect()
}

fn summary(store: &Store, executor: &Executor) -> Value {
    let mut summary = json!({
        "id": store.text(executor.name),
        "hostPort": executor.host_port,
        "isActive": executor.removed.is_none(),
        "rddBlocks": 0,
        "memoryUsed": 0,
        "diskUsed": 0,
        "totalCores": executor.cores,
        "maxTasks": executor.most_tasks,
        "activeTasks": executor.active,
        "failedTasks": executor.failed,
        "completedTasks": executor.completed,
        "totalTasks": executor.total,
        "totalDuration": executor.task_time,
        "totalGCTime": executor.gc_time(),
        "totalInputBytes": executor.sums.get(Measure::InputBytes),
        "totalShuffleRead": executor.sums.shuffle_bytes_read(),
        "totalShuffleWrite": executor.sums.get(Measure::ShuffleBytesWritten),
        "isBlacklisted": false,
        "maxMemory": executor.memory,
        "addTime": time::api(executor.added),
        "executorLogs": executor.logs,
        "blacklistedInStages": [],
        "attributes": executor.attributes,
        "resources": executor.resources,
        "resourceProfileId": executor.profile,
        "isExcluded": false,
        "excludedInStages": [],
    });
    // They come with the end of a task.
    let peaks = (executor.ended > 0).then(|| peaks(&json!(0)));
    put(&mut summary, "peakMemoryMetrics", peaks);
    put(&mut summary, "removeTime", executor.removed.map(time::api));
    put(&mut summary, "removeReason", executor.why.as_ref());
    summary
}
