//! Jobs, as the API has them.

use mesquite_core::store::Store;
use mesquite_core::store::jobs::Job;
use serde_json::{Value, json};

use super::{NotThere, OrNotThere, put};
use crate::time;

/// The jobs in one of these states, or all; the last one first.
pub(super) fn all(store: &Store, states: &[String]) -> Value {
    let is_wanted =
        |job: &&Job| states.is_empty() || states.iter().any(|it| it == job.status.name());
    store.jobs().rev().filter(is_wanted).map(data).collect()
}

pub(super) fn one(store: &Store, id: u32) -> OrNotThere<Value> {
    let job = store.job(id);
    let job = job.ok_or_else(|| NotThere(format!("unknown job: {id}")))?;
    Ok(data(job))
}

fn data(job: &Job) -> Value {
    let mut data = json!({
        "jobId": job.id,
        "name": job.name,
        "stageIds": job.stages,
        "jobTags": job.tags,
        "status": job.status.name(),
        "numTasks": job.tasks,
        "numActiveTasks": job.active_tasks,
        "numCompletedTasks": job.completed_tasks,
        "numSkippedTasks": job.skipped_tasks,
        "numFailedTasks": job.failed_tasks,
        "numKilledTasks": job.killed_tasks,
        "numCompletedIndices": job.completed_indices(),
        "numActiveStages": job.active_stages,
        "numCompletedStages": job.completed_stages.len(),
        "numSkippedStages": job.skipped_stages.len(),
        "numFailedStages": job.failed_stages,
        "killedTasksSummary": job.kills,
    });
    put(&mut data, "description", job.description.as_ref());
    put(&mut data, "jobGroup", job.group.as_ref());
    put(&mut data, "submissionTime", job.submitted.map(time::api));
    put(&mut data, "completionTime", job.ended.map(time::api));
    data
}
