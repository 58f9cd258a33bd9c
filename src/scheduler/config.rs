//! The settings of the task scheduler.
//!
//! Responsible for their types, defaults and limits. Where they are written and
//! what wins is the business of the configuration; nothing here reads a file.

use std::sync::Arc;
use std::time::Duration;

use crate::conf::Conf;
use crate::conf::master_url::MasterUrl;
use crate::conf::properties::application::MASTER;
use crate::conf::properties::executor::EXECUTOR_CORES;
use crate::conf::properties::scheduler as property;
use crate::ids::ResourceProfileId;
pub use crate::scheduler::ordering::SchedulingMode;
use crate::scheduler::task::TaskNeeds;

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
    fn default() -> Self {
        Self {
            local: false,
            mode: SchedulingMode::Fifo,
            max_task_failures: 4,
            locality_wait: LocalityWait::all(Duration::from_secs(3)),
            legacy_locality_reset: false,
            starvation_timeout: Duration::from_secs(15),
            max_result_bytes: 1 << 30,
            unschedulable_timeout: Duration::from_secs(120),
            dynamic_allocation: false,
            outputs_outlive_executors: false,
            executor_cores: None,
            executor_resources: Vec::new(),
            retained_removed_decommissioned: 0,
            speculation: None,
            exclusion: None,
        }
    }
}

impl TaskSchedulerConfig {
    /// The settings that are in effect. Dynamic allocation and outputs that
    /// outlive their executors are the backend's to switch on.
    pub fn from_conf(conf: &Conf) -> Self {
        let local_failures = match conf.get(&MASTER) {
            MasterUrl::Local { max_failures, .. } => Some(max_failures.get()),
            MasterUrl::LocalCluster { .. } | MasterUrl::Mesos(_) => None,
        };
        Self {
            local: local_failures.is_some(),
            mode: conf.get(&property::SCHEDULER_MODE),
            max_task_failures: local_failures
                .unwrap_or_else(|| conf.get(&property::TASK_MAX_FAILURES)),
            locality_wait: LocalityWait {
                process: conf.get(&property::LOCALITY_WAIT_PROCESS),
                node: conf.get(&property::LOCALITY_WAIT_NODE),
                rack: conf.get(&property::LOCALITY_WAIT_RACK),
            },
            legacy_locality_reset: conf.get(&property::LOCALITY_LEGACY_RESET),
            starvation_timeout: conf.get(&property::STARVATION_TIMEOUT),
            max_result_bytes: conf.get(&property::MAX_RESULT_SIZE).0,
            unschedulable_timeout: conf.get(&property::UNSCHEDULABLE_TIMEOUT),
            executor_cores: conf.get(&EXECUTOR_CORES),
            retained_removed_decommissioned: conf.get(&property::RETAINED_REMOVED_DECOMMISSIONED)
                as usize,
            speculation: conf
                .get(&property::SPECULATION)
                .then(|| SpeculationConfig::from_conf(conf)),
            // The one executor of a local master has no other to stand in for it.
            exclusion: (conf.get(&property::EXCLUDE) && local_failures.is_none())
                .then(|| ExclusionConfig::from_conf(conf)),
            ..Self::default()
        }
    }

    /// Whether these settings can work together; all that is wrong at once.
    pub fn check(&self) -> Result<(), Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        if self.max_task_failures == 0 {
            problems.push(ConfigProblem::TooSmall {
                property: "spark.task.maxFailures",
                value: "0".into(),
            });
        }
        if let Some(speculation) = &self.speculation {
            speculation.check(&mut problems);
        }
        if let Some(exclusion) = &self.exclusion {
            exclusion.check(self.max_task_failures, &mut problems);
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A limit is zero.
    #[error("{property} was {value}, but must be > 0")]
    TooSmall {
        /// The property.
        property: &'static str,
        /// Its value.
        value: String,
    },
    /// A number is outside its range.
    #[error("{property} was {value}, but must be {allowed}")]
    OutOfRange {
        /// The property.
        property: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        allowed: &'static str,
    },
    /// One bad host could fail a task before it is kept away from it.
    #[error(
        "spark.excludeOnFailure.task.maxTaskAttemptsPerNode was {per_node}, but must be < \
         spark.task.maxFailures, which is {max_failures}: one bad host could fail a job before \
         tasks are kept away from it; lower the first or raise the second"
    )]
    AttemptsPerNode {
        /// Attempts of one task allowed on a host.
        per_node: u32,
        /// Failures of one task that fail its set.
        max_failures: u32,
    },
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
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(100),
            multiplier: 1.5,
            quantile: 0.75,
            min_task_runtime: Duration::from_millis(100),
            task_duration_threshold: None,
            efficiency: true,
            process_rate_multiplier: 0.75,
            long_run_task_factor: 2.0,
            decommission_kill_interval: None,
        }
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

    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        if self.interval.is_zero() {
            problems.push(ConfigProblem::TooSmall {
                property: "spark.speculation.interval",
                value: "0".into(),
            });
        }
        if !(0.0..=1.0).contains(&self.quantile) {
            problems.push(ConfigProblem::OutOfRange {
                property: "spark.speculation.quantile",
                value: self.quantile.to_string(),
                allowed: "from 0 to 1",
            });
        }
        for (property, value) in [
            ("spark.speculation.multiplier", self.multiplier),
            (
                "spark.speculation.efficiency.processRateMultiplier",
                self.process_rate_multiplier,
            ),
            (
                "spark.speculation.efficiency.longRunTaskFactor",
                self.long_run_task_factor,
            ),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                problems.push(ConfigProblem::OutOfRange {
                    property,
                    value: value.to_string(),
                    allowed: "a number >= 0",
                });
            }
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
    fn default() -> Self {
        Self {
            task_attempts_per_executor: 1,
            task_attempts_per_node: 2,
            stage_failed_tasks_per_executor: 2,
            stage_failed_executors_per_node: 2,
            application_failed_tasks_per_executor: 2,
            application_failed_executors_per_node: 2,
            timeout: Duration::from_secs(3600),
            kill: KillExcluded::No,
            on_fetch_failure: false,
        }
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

    fn check(&self, max_task_failures: u32, problems: &mut Vec<ConfigProblem>) {
        for (property, value) in [
            (
                "spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor",
                self.task_attempts_per_executor,
            ),
            (
                "spark.excludeOnFailure.task.maxTaskAttemptsPerNode",
                self.task_attempts_per_node,
            ),
            (
                "spark.excludeOnFailure.stage.maxFailedTasksPerExecutor",
                self.stage_failed_tasks_per_executor,
            ),
            (
                "spark.excludeOnFailure.stage.maxFailedExecutorsPerNode",
                self.stage_failed_executors_per_node,
            ),
            (
                "spark.excludeOnFailure.application.maxFailedTasksPerExecutor",
                self.application_failed_tasks_per_executor,
            ),
            (
                "spark.excludeOnFailure.application.maxFailedExecutorsPerNode",
                self.application_failed_executors_per_node,
            ),
        ] {
            if value == 0 {
                problems.push(ConfigProblem::TooSmall {
                    property,
                    value: value.to_string(),
                });
            }
        }
        if self.timeout.is_zero() {
            problems.push(ConfigProblem::TooSmall {
                property: "spark.excludeOnFailure.timeout",
                value: "0".into(),
            });
        }
        if self.task_attempts_per_node >= max_task_failures {
            problems.push(ConfigProblem::AttemptsPerNode {
                per_node: self.task_attempts_per_node,
                max_failures: max_task_failures,
            });
        }
    }
}

impl TaskNeeds {
    /// What a task of the default profile needs.
    pub fn from_conf(conf: &Conf) -> Self {
        Self {
            profile: ResourceProfileId::default(),
            cpus: conf.get(&property::TASK_CPUS),
            resources: conf
                .family(&property::TASK_RESOURCE_AMOUNT)
                .into_iter()
                .map(|(name, amount)| (name.into(), amount))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Source;

    fn conf(settings: &[(&str, &str)]) -> Result<Conf, String> {
        settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Source::ConfOption, *name, *value)
            })
            .build()
            .map_err(|error| error.to_string())
    }

    fn read(settings: &[(&str, &str)]) -> TaskSchedulerConfig {
        TaskSchedulerConfig::from_conf(&conf(settings).expect("sound settings"))
    }

    const MESOS: (&str, &str) = ("spark.master", "mesos://m:5050");

    #[test]
    fn the_defaults_of_the_properties_are_those_of_the_core() {
        let but_one = TaskSchedulerConfig {
            // People wonder sooner than Spark tells them why nothing runs.
            starvation_timeout: Duration::from_secs(5),
            ..TaskSchedulerConfig::default()
        };
        assert_eq!(read(&[MESOS]), but_one);
        let on = read(&[
            MESOS,
            ("spark.speculation", "true"),
            ("spark.excludeOnFailure.enabled", "true"),
        ]);
        assert_eq!(on.speculation, Some(SpeculationConfig::default()));
        assert_eq!(on.exclusion, Some(ExclusionConfig::default()));
        assert_eq!(on.check(), Ok(()));
    }

    #[test]
    fn a_local_master_says_how_often_a_task_may_fail() {
        for (master, failures) in [("local", 1), ("local[2]", 1), ("local[2,3]", 3)] {
            let config = read(&[
                ("spark.master", master),
                ("spark.task.maxFailures", "7"),
                ("spark.excludeOnFailure.enabled", "true"),
            ]);
            assert!(config.local);
            assert_eq!(config.max_task_failures, failures, "{master}");
            assert_eq!(config.check(), Ok(()));
        }
        let config = read(&[MESOS, ("spark.task.maxFailures", "7")]);
        assert!(!config.local);
        assert_eq!(config.max_task_failures, 7);
    }

    #[test]
    fn the_waits_of_the_levels_follow_the_common_one() {
        let config = read(&[
            ("spark.locality.wait", "1s"),
            ("spark.locality.wait.rack", "0"),
        ]);
        assert_eq!(
            config.locality_wait,
            LocalityWait {
                rack: Duration::ZERO,
                ..LocalityWait::all(Duration::from_secs(1))
            }
        );
    }

    #[test]
    fn limits_of_exclusion_are_checked_with_the_properties() {
        let on = ("spark.excludeOnFailure.enabled", "true");
        let per_node = "spark.excludeOnFailure.task.maxTaskAttemptsPerNode";
        let error = conf(&[on, (per_node, "4")]).expect_err("too many");
        assert!(error.contains("one bad host could fail a job"), "{error}");
        assert!(conf(&[(per_node, "4")]).is_ok(), "it is off");
        assert!(conf(&[on, (per_node, "0")]).is_err());
    }

    #[test]
    fn what_a_task_needs_is_read_with_its_resources() {
        let conf = conf(&[
            ("spark.task.cpus", "2"),
            ("spark.task.resource.gpu.amount", "1"),
        ])
        .expect("sound settings");
        assert_eq!(
            TaskNeeds::from_conf(&conf),
            TaskNeeds {
                profile: ResourceProfileId(0),
                cpus: 2,
                resources: vec![("gpu".into(), 1)],
            }
        );
    }
}
