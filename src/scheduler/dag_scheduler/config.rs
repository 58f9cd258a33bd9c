//! The DAG scheduler's settings.

use std::time::Duration;

use crate::ids::ResourceProfileId;
use crate::scheduler::task::TaskNeeds;

/// The DAG scheduler's settings; the defaults are Spark's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagSchedulerConfig {
    /// After so many attempts in a row that failed for want of input, a stage
    /// is given up (`spark.stage.maxConsecutiveAttempts`, 4).
    pub max_consecutive_stage_attempts: u32,
    /// After so many attempts in all, a stage is given up
    /// (`spark.stage.maxAttempts`, 2^31-1).
    pub max_stage_attempts: u32,
    /// How long failed stages are gathered before they are tried again: one
    /// lost executor fails many tasks in quick succession. No property in
    /// Spark; 200 ms.
    pub resubmit_delay: Duration,
    /// Whether reducers prefer the hosts that hold much of their input
    /// (`spark.shuffle.reduceLocality.enabled`, true).
    pub reduce_locality: bool,
    /// Whether map outputs outlive the executor that made them, because
    /// someone else on its host can serve them (`spark.shuffle.service.enabled`,
    /// false).
    pub outputs_outlive_executors: bool,
    /// Whether a fetch failure makes the outputs of the whole host count as
    /// lost (`spark.files.fetchFailure.unRegisterOutputOnHost`, false).
    pub unregister_output_on_host: bool,
    /// Whether fetch failures from executors that are being decommissioned
    /// leave the count of failed attempts alone
    /// (`spark.stage.ignoreDecommissionFetchFailure`, false).
    pub ignore_decommission_fetch_failure: bool,
    /// How long to wait before asking again whether a barrier stage fits into
    /// the cluster (`spark.scheduler.barrier.maxConcurrentTasksCheck.interval`,
    /// 15 s).
    pub barrier_check_interval: Duration,
    /// How often to ask again before the job fails
    /// (`spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures`, 40).
    pub barrier_check_max_failures: u32,
    /// Whether executors come and go with the load
    /// (`spark.dynamicAllocation.enabled`, false); barrier stages refuse it.
    pub dynamic_allocation: bool,
    /// Whether datasets of one stage that need different resources get the
    /// larger of each, instead of an error
    /// (`spark.scheduler.resource.profileMergeConflicts`, false).
    pub merge_needs_conflicts: bool,
    /// What a task needs unless its datasets say otherwise (`spark.task.cpus`,
    /// 1; `spark.task.resource.NAME.amount`, none).
    pub task_needs: TaskNeeds,
}

impl Default for DagSchedulerConfig {
    fn default() -> Self {
        Self {
            max_consecutive_stage_attempts: 4,
            max_stage_attempts: i32::MAX.unsigned_abs(),
            resubmit_delay: Duration::from_millis(200),
            reduce_locality: true,
            outputs_outlive_executors: false,
            unregister_output_on_host: false,
            ignore_decommission_fetch_failure: false,
            barrier_check_interval: Duration::from_secs(15),
            barrier_check_max_failures: 40,
            dynamic_allocation: false,
            merge_needs_conflicts: false,
            task_needs: TaskNeeds {
                profile: ResourceProfileId::default(),
                cpus: 1,
                resources: Vec::new(),
            },
        }
    }
}
