//! The DAG scheduler's settings.

use std::time::Duration;

use crate::conf::Conf;
use crate::conf::properties::resources::MERGE_CONFLICTS;
use crate::conf::properties::scheduler as property;
use crate::config::task_needs;
use crate::plan::TaskNeeds;

/// The DAG scheduler's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagSchedulerConfig {
    /// After so many attempts in a row that failed for want of input, a stage
    /// is given up (`spark.stage.maxConsecutiveAttempts`).
    pub max_consecutive_stage_attempts: u32,
    /// After so many attempts in all, a stage is given up
    /// (`spark.stage.maxAttempts`).
    pub max_stage_attempts: u32,
    /// How long failed stages are gathered before they are tried again: one
    /// lost executor fails many tasks in quick succession.
    pub resubmit_delay: Duration,
    /// Whether reducers prefer the hosts that hold much of their input
    /// (Spark: `spark.shuffle.reduceLocality.enabled`).
    pub reduce_locality: bool,
    /// Whether map outputs outlive the executor that made them, because
    /// someone else on its host can serve them.
    pub outputs_outlive_executors: bool,
    /// Whether a fetch failure makes the outputs of the whole host count as
    /// lost (`spark.files.fetchFailure.unRegisterOutputOnHost`).
    pub unregister_output_on_host: bool,
    /// Whether fetch failures from executors that are being decommissioned
    /// leave the count of failed attempts alone
    /// (`spark.stage.ignoreDecommissionFetchFailure`).
    pub ignore_decommission_fetch_failure: bool,
    /// How long to wait before asking again whether a barrier stage fits into
    /// the cluster (Spark: `spark.scheduler.barrier.maxConcurrentTasksCheck.interval`).
    pub barrier_check_interval: Duration,
    /// How often to ask again before the job fails
    /// (Spark: `spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures`).
    pub barrier_check_max_failures: u32,
    /// Whether executors come and go with the load
    /// (Spark: `spark.dynamicAllocation.enabled`); barrier stages refuse it.
    pub dynamic_allocation: bool,
    /// Whether datasets of one stage that need different resources get the
    /// larger of each, instead of an error
    /// (`spark.scheduler.resource.profileMergeConflicts`).
    pub merge_needs_conflicts: bool,
    /// What a task needs unless its datasets say otherwise (`spark.task.cpus`).
    pub task_needs: TaskNeeds,
}

/// Spark has no property for it either.
const RESUBMIT_DELAY: Duration = Duration::from_millis(200);

/// Spark's `spark.scheduler.barrier.maxConcurrentTasksCheck.*`, which no job has a
/// use for yet.
const BARRIER_CHECKS: (Duration, u32) = (Duration::from_secs(15), 40);

impl Default for DagSchedulerConfig {
    /// What the properties are when nobody sets them.
    fn default() -> Self {
        Self::from_conf(&Conf::default())
    }
}

impl DagSchedulerConfig {
    /// The settings that are in effect. What both halves of the scheduler are
    /// told of the cluster is not among them.
    pub fn from_conf(conf: &Conf) -> Self {
        let (barrier_check_interval, barrier_check_max_failures) = BARRIER_CHECKS;
        Self {
            max_consecutive_stage_attempts: conf.get(&property::STAGE_MAX_CONSECUTIVE_ATTEMPTS),
            max_stage_attempts: conf.get(&property::STAGE_MAX_ATTEMPTS).unwrap_or(u32::MAX),
            resubmit_delay: RESUBMIT_DELAY,
            reduce_locality: true,
            outputs_outlive_executors: false,
            unregister_output_on_host: conf.get(&property::UNREGISTER_OUTPUT_ON_HOST),
            ignore_decommission_fetch_failure: conf.get(&property::STAGE_IGNORE_DECOMMISSION),
            barrier_check_interval,
            barrier_check_max_failures,
            dynamic_allocation: false,
            merge_needs_conflicts: conf.get(&MERGE_CONFLICTS),
            task_needs: task_needs(conf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    fn read(settings: &[(&str, &str)]) -> DagSchedulerConfig {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            });
        DagSchedulerConfig::from_conf(&builder.build().expect("sound settings"))
    }

    #[test]
    fn each_property_reaches_its_setting() {
        let read = read(&[
            ("spark.stage.maxConsecutiveAttempts", "2"),
            ("spark.stage.maxAttempts", "7"),
            ("spark.files.fetchFailure.unRegisterOutputOnHost", "true"),
            ("spark.stage.ignoreDecommissionFetchFailure", "true"),
            ("spark.task.cpus", "3"),
            ("spark.scheduler.resource.profileMergeConflicts", "true"),
        ]);
        let expected = DagSchedulerConfig {
            merge_needs_conflicts: true,
            max_consecutive_stage_attempts: 2,
            max_stage_attempts: 7,
            unregister_output_on_host: true,
            ignore_decommission_fetch_failure: true,
            task_needs: TaskNeeds {
                cpus: 3,
                ..DagSchedulerConfig::default().task_needs
            },
            ..DagSchedulerConfig::default()
        };
        assert_eq!(read, expected);
    }
}
