//! Properties of the scheduler: what a task needs, how tasks are placed and
//! tried again, and what is kept away from where it fails.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::executor::EXECUTOR_CORES;
use crate::conf::property::{
    Family, Property, boolean, choice, decimal, decimal_between, duration, integer, path,
    properties, size,
};
use crate::conf::resolve::Conf;
use crate::conf::units::{SizeUnit, TimeUnit};
use crate::conf::value::{ByteSize, Choice};

/// How those who share the cluster, or a pool of it, are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SchedulingMode {
    /// Earlier jobs first, then earlier stages.
    #[default]
    Fifo,
    /// By shares: first whoever has less than its minimum share, then by the
    /// running tasks for each unit of weight.
    Fair,
}

impl SchedulingMode {
    /// The mode's name as Spark writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fifo => "FIFO",
            Self::Fair => "FAIR",
        }
    }
}

impl fmt::Display for SchedulingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Choice for SchedulingMode {
    const WORDS: &'static [&'static str] = &["FIFO", "FAIR"];

    fn from_word(word: &str) -> Option<Self> {
        [Self::Fifo, Self::Fair]
            .into_iter()
            .find(|mode| mode.name() == word)
    }
}

/// The shortest time that is not none.
const SOME_TIME: Duration = Duration::from_millis(1);

properties! {
    title: "Scheduling";

    /// How many partitions a shuffle makes unless the job file says so.
    pub DEFAULT_PARALLELISM: Property<Option<u32>> =
        integer("spark.default.parallelism", 1).optional("as many as its largest input has");

    /// The cores that one task takes.
    pub TASK_CPUS: Property<u32> = integer("spark.task.cpus", 1).default("1");

    /// How many of a named resource one task takes, such as
    /// `spark.task.resource.gpu.amount`. A requirement: without them the task
    /// waits.
    pub TASK_RESOURCE_AMOUNT: Family<u32> = integer("spark.task.resource.NAME.amount", 1).family();

    /// A task that failed so often fails its job. On `local[N,F]` it is F.
    pub TASK_MAX_FAILURES: Property<u32> = integer("spark.task.maxFailures", 1).default("4");

    /// How jobs share the cluster: FIFO, earlier jobs first, or FAIR, by pools.
    pub SCHEDULER_MODE: Property<SchedulingMode> = choice("spark.scheduler.mode").default("FIFO");

    /// The file that defines the pools of FAIR: XML as Spark reads it, or TOML
    /// if its name ends with `.toml`.
    pub SCHEDULER_ALLOCATION_FILE: Property<Option<PathBuf>> =
        path("spark.scheduler.allocation.file").optional("one pool, default, that is FAIR");

    /// How long a task waits for a place nearer to its input before it takes
    /// one farther away, at each level.
    pub LOCALITY_WAIT: Property<Duration> =
        duration("spark.locality.wait", TimeUnit::Milliseconds).default("3s");

    /// How long to wait for the executor that holds the input.
    pub LOCALITY_WAIT_PROCESS: Property<Duration> =
        duration("spark.locality.wait.process", TimeUnit::Milliseconds).same_as(&LOCALITY_WAIT);

    /// How long to wait for the host where the input lies.
    pub LOCALITY_WAIT_NODE: Property<Duration> =
        duration("spark.locality.wait.node", TimeUnit::Milliseconds).same_as(&LOCALITY_WAIT);

    /// How long to wait for the rack where the input lies.
    pub LOCALITY_WAIT_RACK: Property<Duration> =
        duration("spark.locality.wait.rack", TimeUnit::Milliseconds).same_as(&LOCALITY_WAIT);

    /// Starts the wait anew whenever a task of the stage starts, as Spark did
    /// before 3.1, and not only when all that was offered was used.
    pub LOCALITY_LEGACY_RESET: Property<bool> =
        boolean("spark.locality.wait.legacyResetOnTaskLaunch").default("false");

    /// How often to warn while tasks wait and none runs, with the reasons why
    /// offers were declined. Spark waits for 15 seconds.
    pub STARVATION_TIMEOUT: Property<Duration> =
        duration("spark.starvation.timeout", TimeUnit::Milliseconds).at_least(SOME_TIME)
            .default("5s");

    /// The most that the results of one stage may have together; 0 is no
    /// limit.
    pub MAX_RESULT_SIZE: Property<ByteSize> =
        size("spark.driver.maxResultSize", SizeUnit::Bytes, ByteSize(0)).default("1g");

    /// Of how many removed executors to remember that they were being
    /// decommissioned.
    pub RETAINED_REMOVED_DECOMMISSIONED: Property<u32> =
        integer("spark.scheduler.maxRetainedRemovedDecommissionExecutors", 0).default("0");

    /// Starts a copy of an attempt that takes much longer than others did; the
    /// first to finish counts.
    pub SPECULATION: Property<bool> = boolean("spark.speculation").default("false");

    /// How often to look for slow attempts.
    pub SPECULATION_INTERVAL: Property<Duration> =
        duration("spark.speculation.interval", TimeUnit::Milliseconds).at_least(SOME_TIME)
            .default("100ms");

    /// How many times longer than the median an attempt must run to be slow.
    pub SPECULATION_MULTIPLIER: Property<f64> =
        decimal("spark.speculation.multiplier", 0.0).default("1.5");

    /// The part of a stage's tasks that must have succeeded before any attempt
    /// is called slow.
    pub SPECULATION_QUANTILE: Property<f64> =
        decimal_between("spark.speculation.quantile", 0.0, 1.0).default("0.75");

    /// No attempt is slow before it ran so long.
    pub SPECULATION_MIN_RUNTIME: Property<Duration> =
        duration("spark.speculation.minTaskRuntime", TimeUnit::Milliseconds).default("100ms");

    /// Calls attempts slow after this time whatever the others do, in stages
    /// small enough to fit into one executor.
    pub SPECULATION_THRESHOLD: Property<Option<Duration>> =
        duration("spark.speculation.task.duration.threshold", TimeUnit::Milliseconds)
            .optional("only the median decides");

    /// Spares slow attempts that read their records about as fast as others.
    pub SPECULATION_EFFICIENCY: Property<bool> =
        boolean("spark.speculation.efficiency.enabled").default("true");

    /// Below this part of the average rate an attempt reads its records too
    /// slowly to be spared.
    pub SPECULATION_RATE_MULTIPLIER: Property<f64> =
        decimal("spark.speculation.efficiency.processRateMultiplier", 0.0).default("0.75");

    /// An attempt so many times over the threshold is not spared.
    pub SPECULATION_LONG_RUN_FACTOR: Property<f64> =
        decimal("spark.speculation.efficiency.longRunTaskFactor", 0.0).default("2");

    /// How long an executor that is being decommissioned may go on. Attempts
    /// that would take longer get a copy, if speculation is on.
    pub DECOMMISSION_KILL_INTERVAL: Property<Option<Duration>> =
        duration("spark.executor.decommission.killInterval", TimeUnit::Seconds)
            .optional("nothing is copied for it");

    /// Keeps tasks from executors and hosts on which they failed.
    pub EXCLUDE: Property<bool> = boolean("spark.excludeOnFailure.enabled").default("false");

    /// So many failed attempts keep a task from an executor.
    pub EXCLUDE_TASK_EXECUTOR: Property<u32> =
        integer("spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor", 1).default("1");

    /// So many failed attempts keep a task from a host. Must be less than
    /// `spark.task.maxFailures`.
    pub EXCLUDE_TASK_NODE: Property<u32> =
        integer("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", 1).default("2");

    /// So many failed tasks keep a stage from an executor.
    pub EXCLUDE_STAGE_EXECUTOR: Property<u32> =
        integer("spark.excludeOnFailure.stage.maxFailedTasksPerExecutor", 1).default("2");

    /// So many excluded executors keep a stage from their host.
    pub EXCLUDE_STAGE_NODE: Property<u32> =
        integer("spark.excludeOnFailure.stage.maxFailedExecutorsPerNode", 1).default("2");

    /// So many failed tasks, in stages that succeeded, keep the application
    /// from an executor.
    pub EXCLUDE_APPLICATION_EXECUTOR: Property<u32> =
        integer("spark.excludeOnFailure.application.maxFailedTasksPerExecutor", 1).default("2");

    /// So many excluded executors keep the application from their host.
    pub EXCLUDE_APPLICATION_NODE: Property<u32> =
        integer("spark.excludeOnFailure.application.maxFailedExecutorsPerNode", 1).default("2");

    /// How long an exclusion for the application lasts.
    pub EXCLUDE_TIMEOUT: Property<Duration> =
        duration("spark.excludeOnFailure.timeout", TimeUnit::Milliseconds).at_least(SOME_TIME)
            .default("1h");

    /// Kills executors that are excluded for the application, so that others
    /// take their place.
    pub EXCLUDE_KILL: Property<bool> =
        boolean("spark.excludeOnFailure.killExcludedExecutors").default("false");

    /// Decommissions such executors in place of killing them.
    pub EXCLUDE_DECOMMISSION: Property<bool> =
        boolean("spark.excludeOnFailure.killExcludedExecutors.decommission").default("false");

    /// Excludes on the first output that could not be fetched.
    pub EXCLUDE_FETCH_FAILURE: Property<bool> =
        boolean("spark.excludeOnFailure.application.fetchFailure.enabled").default("false");

    /// A stage that can run nowhere for so long, since all is excluded, fails.
    pub UNSCHEDULABLE_TIMEOUT: Property<Duration> =
        duration(
            "spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout",
            TimeUnit::Seconds,
        )
        .default("120s");
}

/// An executor that can hold no task would wait for ever.
pub(super) fn task_larger_than_executor(conf: &Conf) -> Option<String> {
    let cores = conf.get(&EXECUTOR_CORES)?;
    let cpus = conf.get(&TASK_CPUS);
    (cpus > cores).then(|| {
        format!(
            "an executor of {cores} cores (spark.executor.cores) has no room for a task of \
             {cpus} (spark.task.cpus)"
        )
    })
}

/// One bad host could fail a job before tasks are kept away from it.
pub(super) fn host_may_fail_a_task(conf: &Conf) -> Option<String> {
    let attempts = conf.get(&EXCLUDE_TASK_NODE);
    let failures = conf.get(&TASK_MAX_FAILURES);
    (conf.get(&EXCLUDE) && attempts >= failures).then(|| {
        format!(
            "{} ({attempts}) must be less than {} ({failures}), or one bad host could fail a job \
             before tasks are kept away from it",
            EXCLUDE_TASK_NODE.name(),
            TASK_MAX_FAILURES.name()
        )
    })
}
