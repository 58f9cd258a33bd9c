//! The settings of the task scheduler.
//!
//! Responsible for their types, and for which property each is. Defaults and
//! limits stand in `conf::properties` alone.

use std::sync::Arc;
use std::time::Duration;

use crate::conf::Conf;
use crate::conf::properties::application::MASTER;
use crate::conf::properties::executor::EXECUTOR_CORES;
use crate::conf::properties::mesos::COARSE;
use crate::conf::properties::resources::{of_executor, of_task};
use crate::conf::properties::scheduler as property;
use crate::ids::ResourceProfileId;
pub use crate::ordering::SchedulingMode;
use crate::plan::TaskNeeds;

/// Everything the task scheduler can be told at its start.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSchedulerConfig {
    /// Tasks run in the driver's own process (master `local`): no speculation,
    /// no starvation warning.
    pub local: bool,
    /// How task sets share the cluster (`spark.scheduler.mode`).
    pub mode: SchedulingMode,
    /// A task that failed so often fails its set (`spark.task.maxFailures`).
    pub max_task_failures: u32,
    /// How long to wait for a nearer place (`spark.locality.wait`...).
    pub locality_wait: LocalityWait,
    /// Restart the wait at every launch, as Spark did before 3.1
    /// (`spark.locality.wait.legacyResetOnTaskLaunch`).
    pub legacy_locality_reset: bool,
    /// Warn so often while tasks wait and none runs (`spark.starvation.timeout`).
    pub starvation_timeout: Duration,
    /// Bytes that the results of one task set may have together; zero is no
    /// limit (`spark.driver.maxResultSize`).
    pub max_result_bytes: u64,
    /// A set that can run nowhere for so long is given up
    /// (`spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout`).
    pub unschedulable_timeout: Duration,
    /// Executors come and go with the load (`spark.dynamicAllocation.enabled`).
    pub dynamic_allocation: bool,
    /// Map outputs outlive the executor that made them
    /// (`spark.shuffle.service.enabled`).
    pub outputs_outlive_executors: bool,
    /// Cores of each executor if that is fixed (`spark.executor.cores`).
    pub executor_cores: Option<u32>,
    /// Addresses of named resources that each executor has
    /// (`spark.executor.resource.NAME.amount`).
    pub executor_resources: Vec<(Arc<str>, u32)>,
    /// Remember of so many removed executors that they were being
    /// decommissioned
    /// (`spark.scheduler.maxRetainedRemovedDecommissionExecutors`).
    pub retained_removed_decommissioned: usize,
    /// Copies of slow attempts (`spark.speculation`); `None` if off.
    pub speculation: Option<SpeculationConfig>,
    /// Keeping work from where it fails (`spark.excludeOnFailure.enabled`);
    /// `None` if off.
    pub exclusion: Option<ExclusionConfig>,
}

impl Default for TaskSchedulerConfig {
    /// What the properties are when nobody sets them, on a master that is not local.
    fn default() -> Self {
        Self::on_master(&Conf::default(), false)
    }
}

impl TaskSchedulerConfig {
    /// The settings that are in effect. Dynamic allocation and outputs that
    /// outlive their executors are the backend's to switch on.
    pub fn from_conf(conf: &Conf) -> Self {
        let local = conf.get(&MASTER).shares_process();
        Self::on_master(conf, local)
    }

    fn on_master(conf: &Conf, local: bool) -> Self {
        Self {
            local,
            mode: conf.get(&property::SCHEDULER_MODE),
            max_task_failures: if local {
                property::max_task_failures(conf)
            } else {
                conf.get(&property::TASK_MAX_FAILURES)
            },
            locality_wait: LocalityWait {
                process: conf.get(&property::LOCALITY_WAIT_PROCESS),
                node: conf.get(&property::LOCALITY_WAIT_NODE),
                rack: conf.get(&property::LOCALITY_WAIT_RACK),
            },
            legacy_locality_reset: conf.get(&property::LOCALITY_LEGACY_RESET),
            starvation_timeout: conf.get(&property::STARVATION_TIMEOUT),
            max_result_bytes: conf.get(&property::MAX_RESULT_SIZE).0,
            unschedulable_timeout: conf.get(&property::UNSCHEDULABLE_TIMEOUT),
            dynamic_allocation: false,
            outputs_outlive_executors: false,
            executor_cores: conf.get(&EXECUTOR_CORES),
            executor_resources: if conf.get(&COARSE) {
                let all = of_executor(conf).into_iter();
                all.map(|(name, amount)| (name.into(), amount)).collect()
            } else {
                Vec::new()
            },
            retained_removed_decommissioned: conf.get(&property::RETAINED_REMOVED_DECOMMISSIONED)
                as usize,
            speculation: conf
                .get(&property::SPECULATION)
                .then(|| SpeculationConfig::from_conf(conf)),
            // The one executor of a local master has no other to stand in for it.
            exclusion: (conf.get(&property::EXCLUDE) && !local)
                .then(|| ExclusionConfig::from_conf(conf)),
        }
    }
}

/// How long delay scheduling waits at each level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalityWait {
    /// For the executor that holds the input (`spark.locality.wait.process`).
    pub process: Duration,
    /// For its host (`spark.locality.wait.node`).
    pub node: Duration,
    /// For its rack (`spark.locality.wait.rack`).
    pub rack: Duration,
}

impl LocalityWait {
    /// The same wait at each level (`spark.locality.wait`).
    pub const fn all(wait: Duration) -> Self {
        Self {
            process: wait,
            node: wait,
            rack: wait,
        }
    }
}

/// When an attempt is slow enough for a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeculationConfig {
    /// How often to look (`spark.speculation.interval`).
    pub interval: Duration,
    /// How many times slower than the median (`spark.speculation.multiplier`).
    pub multiplier: f64,
    /// The part of the tasks that must have succeeded first
    /// (`spark.speculation.quantile`).
    pub quantile: f64,
    /// No attempt is slow before this (`spark.speculation.minTaskRuntime`).
    pub min_task_runtime: Duration,
    /// For sets that fit into one executor: slow after this, whatever the
    /// others do (`spark.speculation.task.duration.threshold`).
    pub task_duration_threshold: Option<Duration>,
    /// Whether attempts that read their records about as fast as others are
    /// spared (`spark.speculation.efficiency.enabled`).
    pub efficiency: bool,
    /// Below this part of the average rate an attempt is inefficient
    /// (`spark.speculation.efficiency.processRateMultiplier`).
    pub process_rate_multiplier: f64,
    /// So many times over the threshold an attempt is slow however efficient
    /// (`spark.speculation.efficiency.longRunTaskFactor`).
    pub long_run_task_factor: f64,
    /// Executors being decommissioned are killed after this, so tasks that
    /// would end later get a copy (`spark.executor.decommission.killInterval`).
    pub decommission_kill_interval: Option<Duration>,
}

impl Default for SpeculationConfig {
    /// What the properties are when nobody sets them.
    fn default() -> Self {
        Self::from_conf(&Conf::default())
    }
}

impl SpeculationConfig {
    fn from_conf(conf: &Conf) -> Self {
        Self {
            interval: conf.get(&property::SPECULATION_INTERVAL),
            multiplier: conf.get(&property::SPECULATION_MULTIPLIER),
            quantile: conf.get(&property::SPECULATION_QUANTILE),
            min_task_runtime: conf.get(&property::SPECULATION_MIN_RUNTIME),
            task_duration_threshold: conf.get(&property::SPECULATION_THRESHOLD),
            efficiency: conf.get(&property::SPECULATION_EFFICIENCY),
            process_rate_multiplier: conf.get(&property::SPECULATION_RATE_MULTIPLIER),
            long_run_task_factor: conf.get(&property::SPECULATION_LONG_RUN_FACTOR),
            decommission_kill_interval: conf.get(&property::DECOMMISSION_KILL_INTERVAL),
        }
    }
}

/// When work is kept away from where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExclusionConfig {
    /// Attempts of one task that may fail in an executor
    /// (`spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor`).
    pub task_attempts_per_executor: u32,
    /// Attempts of one task that may fail on a host
    /// (`spark.excludeOnFailure.task.maxTaskAttemptsPerNode`).
    pub task_attempts_per_node: u32,
    /// Tasks of a set that may fail in an executor
    /// (`spark.excludeOnFailure.stage.maxFailedTasksPerExecutor`).
    pub stage_failed_tasks_per_executor: u32,
    /// Executors that may be excluded for a set before their host is
    /// (`spark.excludeOnFailure.stage.maxFailedExecutorsPerNode`).
    pub stage_failed_executors_per_node: u32,
    /// Tasks of successful sets that may have failed in an executor
    /// (`spark.excludeOnFailure.application.maxFailedTasksPerExecutor`).
    pub application_failed_tasks_per_executor: u32,
    /// Executors that may be excluded for the application before their host is
    /// (`spark.excludeOnFailure.application.maxFailedExecutorsPerNode`).
    pub application_failed_executors_per_node: u32,
    /// After so long an exclusion for the application ends
    /// (`spark.excludeOnFailure.timeout`).
    pub timeout: Duration,
    /// What becomes of executors that are excluded for the application
    /// (`spark.excludeOnFailure.killExcludedExecutors`).
    pub kill: KillExcluded,
    /// Exclude on the first failed fetch
    /// (`spark.excludeOnFailure.application.fetchFailure.enabled`).
    pub on_fetch_failure: bool,
}

/// What becomes of executors that are excluded for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KillExcluded {
    /// They stay, unused until the exclusion ends.
    #[default]
    No,
    /// They are killed (`spark.excludeOnFailure.killExcludedExecutors`).
    Kill,
    /// They are decommissioned
    /// (`spark.excludeOnFailure.killExcludedExecutors.decommission`).
    Decommission,
}

impl Default for ExclusionConfig {
    /// What the properties are when nobody sets them.
    fn default() -> Self {
        Self::from_conf(&Conf::default())
    }
}

impl ExclusionConfig {
    fn from_conf(conf: &Conf) -> Self {
        Self {
            task_attempts_per_executor: conf.get(&property::EXCLUDE_TASK_EXECUTOR),
            task_attempts_per_node: conf.get(&property::EXCLUDE_TASK_NODE),
            stage_failed_tasks_per_executor: conf.get(&property::EXCLUDE_STAGE_EXECUTOR),
            stage_failed_executors_per_node: conf.get(&property::EXCLUDE_STAGE_NODE),
            application_failed_tasks_per_executor: conf
                .get(&property::EXCLUDE_APPLICATION_EXECUTOR),
            application_failed_executors_per_node: conf.get(&property::EXCLUDE_APPLICATION_NODE),
            timeout: conf.get(&property::EXCLUDE_TIMEOUT),
            kill: match (
                conf.get(&property::EXCLUDE_KILL),
                conf.get(&property::EXCLUDE_DECOMMISSION),
            ) {
                (false, _) => KillExcluded::No,
                (true, false) => KillExcluded::Kill,
                (true, true) => KillExcluded::Decommission,
            },
            on_fetch_failure: conf.get(&property::EXCLUDE_FETCH_FAILURE),
        }
    }
}

/// What a task of the default profile needs.
pub fn task_needs(conf: &Conf) -> TaskNeeds {
    TaskNeeds {
        profile: ResourceProfileId::default(),
        cpus: conf.get(&property::TASK_CPUS),
        resources: of_task(conf)
            .into_iter()
            .map(|(name, amount)| (name.into(), amount))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    fn conf(settings: &[(&str, &str)]) -> Result<Conf, String> {
        settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            })
            .build()
            .map_err(|error| error.to_string())
    }

    fn read(settings: &[(&str, &str)]) -> TaskSchedulerConfig {
        TaskSchedulerConfig::from_conf(&conf(settings).expect("sound settings"))
    }

    const MESOS: (&str, &str) = ("spark.master", "mesos://m:5050");

    #[test]
    fn what_nobody_sets_is_as_declared() {
        assert_eq!(read(&[MESOS]), TaskSchedulerConfig::default());
        let on = read(&[
            MESOS,
            ("spark.speculation", "true"),
            ("spark.excludeOnFailure.enabled", "true"),
        ]);
        assert_eq!(on.speculation, Some(SpeculationConfig::default()));
        assert_eq!(on.exclusion, Some(ExclusionConfig::default()));
    }

    #[test]
    fn on_a_local_master_a_task_may_fail_as_often_as_was_set_and_else_once() {
        let set = ("spark.task.maxFailures", "7");
        for (master, unset, with_property) in
            [("local", 1, 7), ("local[2]", 1, 7), ("local[2,3]", 3, 3)]
        {
            let master_is = ("spark.master", master);
            let exclusion = ("spark.excludeOnFailure.enabled", "true");
            for (settings, failures) in [
                (vec![master_is, exclusion], unset),
                (vec![master_is, exclusion, set], with_property),
            ] {
                let config = read(&settings);
                assert!(config.local);
                assert_eq!(config.max_task_failures, failures, "{settings:?}");
            }
        }
        assert_eq!(read(&[MESOS, set]).max_task_failures, 7);
        assert_eq!(read(&[MESOS]).max_task_failures, 4);
    }

    #[test]
    fn failures_that_the_master_url_overrules_are_told() {
        let overruled = |master, failures| {
            let settings = [
                ("spark.master", master),
                ("spark.task.maxFailures", failures),
            ];
            let conf = conf(&settings).expect("sound settings");
            conf.warnings().first().map(ToString::to_string)
        };
        let told = overruled("local[2,3]", "7").expect("a warning");
        assert!(told.contains("spark.task.maxFailures"), "{told}");
        assert!(told.contains("local[N,F]"), "{told}");
        assert_eq!(overruled("local[2,3]", "3"), None);
        assert_eq!(overruled("local[2]", "7"), None);
    }

    #[test]
    fn the_waits_of_the_levels_follow_the_common_one() {
        let config = read(&[
            ("spark.locality.wait", "1s"),
            ("spark.locality.wait.node", "0"),
        ]);
        assert_eq!(
            config.locality_wait,
            LocalityWait {
                node: Duration::ZERO,
                ..LocalityWait::all(Duration::from_secs(1))
            }
        );
    }

    #[test]
    fn one_bad_host_must_not_be_able_to_fail_a_task() {
        let on = ("spark.excludeOnFailure.enabled", "true");
        let per_node = "spark.excludeOnFailure.task.maxTaskAttemptsPerNode";
        for (failures, attempts, sound) in [("2", "2", false), ("2", "3", false), ("3", "2", true)]
        {
            let limits = [("spark.task.maxFailures", failures), (per_node, attempts)];
            let read = conf(&[MESOS, on, limits[0], limits[1]]);
            assert_eq!(read.is_ok(), sound, "{limits:?}");
            if let Err(error) = read {
                assert!(error.contains("one bad host could fail a job"), "{error}");
            }
            assert!(conf(&[MESOS, limits[0], limits[1]]).is_ok(), "it is off");
        }
    }

    #[test]
    fn no_limit_may_be_zero_and_all_that_are_wrong_are_told_at_once() {
        let settings = [
            (
                "spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor",
                "0",
            ),
            ("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", "0"),
            (
                "spark.excludeOnFailure.stage.maxFailedTasksPerExecutor",
                "0",
            ),
            (
                "spark.excludeOnFailure.stage.maxFailedExecutorsPerNode",
                "0",
            ),
            (
                "spark.excludeOnFailure.application.maxFailedTasksPerExecutor",
                "0",
            ),
            (
                "spark.excludeOnFailure.application.maxFailedExecutorsPerNode",
                "0",
            ),
            ("spark.excludeOnFailure.timeout", "0"),
            ("spark.task.maxFailures", "0"),
            ("spark.speculation.interval", "0"),
            ("spark.speculation.quantile", "1.5"),
            ("spark.speculation.multiplier", "-1"),
            ("spark.speculation.efficiency.processRateMultiplier", "inf"),
            ("spark.speculation.efficiency.longRunTaskFactor", "NaN"),
        ];
        let error = conf(&settings).expect_err("all are wrong");
        assert_eq!(error.lines().count(), settings.len(), "{error}");
        for (name, _) in settings {
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}
