//! Properties of the scheduler: what a task needs, how tasks are placed and
//! tried again, and what is kept away from where it fails.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::application::MASTER;
use super::executor::{CORES_MAX, EXECUTOR_CORES};
use super::mesos::COARSE;
use crate::conf::Conf;
use crate::conf::problem::{Remark, Warning};
use crate::conf::property::{
    Property, boolean, choice, decimal, decimal_between, duration, integer, path, properties, size,
};
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

    /// A task that failed so often fails its job. On `local[N,F]` it is F,
    /// on `local` and `local[N]` 1 unless it is set.
    pub TASK_MAX_FAILURES: Property<u32> = integer("spark.task.maxFailures", 1).default("4");

    /// A stage whose input could not be read in so many attempts in a row
    /// fails its jobs.
    pub STAGE_MAX_CONSECUTIVE_ATTEMPTS: Property<u32> =
        integer("spark.stage.maxConsecutiveAttempts", 1).default("4");

    /// A stage that was attempted so often in all, and is still not done,
    /// fails its jobs.
    pub STAGE_MAX_ATTEMPTS: Property<Option<u32>> =
        integer("spark.stage.maxAttempts", 1).optional("only attempts in a row are limited");

    /// Does not count attempts that failed because an executor that could not
    /// be read from was being decommissioned.
    pub STAGE_IGNORE_DECOMMISSION: Property<bool> =
        boolean("spark.stage.ignoreDecommissionFetchFailure").default("false");

    /// An output that cannot be read makes all outputs of its host count as
    /// lost, and not only those of its executor.
    pub UNREGISTER_OUTPUT_ON_HOST: Property<bool> =
        boolean("spark.files.fetchFailure.unRegisterOutputOnHost").default("false");

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

    /// How long to wait for the rack in which the host stands where the input lies
    /// (`mesquite.locality.rack.attribute`).
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
    pub EXCLUDE: Property<bool> = boolean("spark.excludeOnFailure.enabled").default("false")
            .formerly("spark.blacklist.enabled");

    /// So many failed attempts keep a task from an executor.
    pub EXCLUDE_TASK_EXECUTOR: Property<u32> =
        integer("spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor", 1).default("1")
            .formerly("spark.blacklist.task.maxTaskAttemptsPerExecutor");

    /// So many failed attempts keep a task from a host. Must be less than
    /// `spark.task.maxFailures`.
    pub EXCLUDE_TASK_NODE: Property<u32> =
        integer("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", 1).default("2")
            .formerly("spark.blacklist.task.maxTaskAttemptsPerNode");

    /// So many failed tasks keep a stage from an executor.
    pub EXCLUDE_STAGE_EXECUTOR: Property<u32> =
        integer("spark.excludeOnFailure.stage.maxFailedTasksPerExecutor", 1).default("2")
            .formerly("spark.blacklist.stage.maxFailedTasksPerExecutor");

    /// So many excluded executors keep a stage from their host.
    pub EXCLUDE_STAGE_NODE: Property<u32> =
        integer("spark.excludeOnFailure.stage.maxFailedExecutorsPerNode", 1).default("2")
            .formerly("spark.blacklist.stage.maxFailedExecutorsPerNode");

    /// So many failed tasks, in stages that succeeded, keep the application
    /// from an executor.
    pub EXCLUDE_APPLICATION_EXECUTOR: Property<u32> =
        integer("spark.excludeOnFailure.application.maxFailedTasksPerExecutor", 1).default("2")
            .formerly("spark.blacklist.application.maxFailedTasksPerExecutor");

    /// So many excluded executors keep the application from their host.
    pub EXCLUDE_APPLICATION_NODE: Property<u32> =
        integer("spark.excludeOnFailure.application.maxFailedExecutorsPerNode", 1).default("2")
            .formerly("spark.blacklist.application.maxFailedExecutorsPerNode");

    /// How long an exclusion for the application lasts.
    pub EXCLUDE_TIMEOUT: Property<Duration> =
        duration("spark.excludeOnFailure.timeout", TimeUnit::Milliseconds).at_least(SOME_TIME)
            .default("1h")
            .formerly("spark.blacklist.timeout");

    /// Kills executors that are excluded for the application, so that others
    /// take their place.
    pub EXCLUDE_KILL: Property<bool> =
        boolean("spark.excludeOnFailure.killExcludedExecutors").default("false")
            .formerly("spark.blacklist.killBlacklistedExecutors");

    /// Decommissions such executors in place of killing them.
    pub EXCLUDE_DECOMMISSION: Property<bool> =
        boolean("spark.excludeOnFailure.killExcludedExecutors.decommission").default("false")
            .formerly("spark.blacklist.killBlacklistedExecutors.decommission");

    /// Excludes on the first output that could not be fetched.
    pub EXCLUDE_FETCH_FAILURE: Property<bool> =
        boolean("spark.excludeOnFailure.application.fetchFailure.enabled").default("false")
            .formerly("spark.blacklist.application.fetchFailure.enabled");

    /// A stage that can run nowhere for so long, since all is excluded, fails.
    pub UNSCHEDULABLE_TIMEOUT: Property<Duration> =
        duration(
            "spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout",
            TimeUnit::Seconds,
        )
        .default("120s")
        .formerly("spark.scheduler.blacklist.unschedulableTaskSetTimeout");
}

/// How often a task may fail (`spark.task.maxFailures`). What the master URL
/// says counts first; without either, a local master allows no second try.
pub fn max_task_failures(conf: &Conf) -> u32 {
    let set = conf.source(TASK_MAX_FAILURES.name()).is_some();
    let master = conf.get(&MASTER);
    match master.max_failures() {
        Some(failures) => failures.get(),
        None if master.shares_process() && !set => 1,
        None => conf.get(&TASK_MAX_FAILURES),
    }
}

/// Pools are of FAIR alone.
pub(super) fn pools_without_fair(conf: &Conf) -> Option<Warning> {
    let name = SCHEDULER_ALLOCATION_FILE.name();
    let origin = conf.source(name)?.clone();
    (conf.get(&SCHEDULER_MODE) != SchedulingMode::Fair).then(|| Warning {
        name: name.to_owned(),
        origin,
        remark: Remark::NoEffect("there are pools with spark.scheduler.mode=FAIR only"),
    })
}

/// The master URL names another number of failures than the property.
pub(super) fn failures_are_in_the_url(conf: &Conf) -> Option<Warning> {
    let failures = conf.get(&MASTER).max_failures()?;
    let name = TASK_MAX_FAILURES.name();
    let origin = conf.source(name)?.clone();
    (conf.get(&TASK_MAX_FAILURES) != failures.get()).then(|| Warning {
        name: name.to_owned(),
        origin,
        remark: Remark::NoEffect("the master local[N,F] says how often a task may fail"),
    })
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

/// Where the master URL says how many cores there are at once, a task that needs
/// more would wait for ever.
pub(super) fn task_larger_than_master(conf: &Conf) -> Option<String> {
    let (has, who) = conf.get(&MASTER).cores()?;
    let cpus = conf.get(&TASK_CPUS);
    (cpus > has.get())
        .then(|| format!("a task of {cpus} cores (spark.task.cpus) never fits: {who} has {has}"))
}

/// An application whose cores hold no executor, or no task, would wait for ever.
pub(super) fn no_cores_for_an_executor(conf: &Conf) -> Option<String> {
    let most = conf.get(&CORES_MAX)?;
    conf.get(&MASTER).mesos()?;
    let cpus = conf.get(&TASK_CPUS);
    if most < cpus {
        return Some(format!(
            "an application of {most} cores at most (spark.cores.max) can run no task of {cpus} \
             (spark.task.cpus)"
        ));
    }
    let cores = conf.get(&EXECUTOR_CORES).filter(|_| conf.get(&COARSE))?;
    (most < cores).then(|| {
        format!(
            "an application of {most} cores at most (spark.cores.max) can have no executor of \
             {cores} (spark.executor.cores)"
        )
    })
}

/// One bad host could fail a job before tasks are kept away from it.
pub(super) fn host_may_fail_a_task(conf: &Conf) -> Option<String> {
    let attempts = conf.get(&EXCLUDE_TASK_NODE);
    let failures = max_task_failures(conf);
    let local = conf.get(&MASTER).shares_process();
    (conf.get(&EXCLUDE) && !local && attempts >= failures).then(|| {
        format!(
            "{} ({attempts}) must be less than {} ({failures}), or one bad host could fail a job \
             before tasks are kept away from it",
            EXCLUDE_TASK_NODE.name(),
            TASK_MAX_FAILURES.name()
        )
    })
}
