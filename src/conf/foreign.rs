//! Names that Spark has and that do nothing here.
//!
//! Responsible for the table of such names with the reason of each, so that a
//! `spark-defaults.conf` of a real cluster is accepted with warnings while a
//! slip of the pen is still an error. A name that gets a meaning moves from here
//! to [`properties`](super::properties); a test makes sure that none is in both.
//!
//! Where Mesquite has properties in the same family, names stand here one by
//! one, for a beginning with `*` would also swallow misspelt names of ours.

/// Why properties of Spark do nothing here.
#[derive(Debug)]
pub struct Foreign {
    /// The reason, to follow "has no effect:".
    pub reason: &'static str,
    /// Full names, and beginnings of names that end in `*`.
    pub names: &'static [&'static str],
}

/// The table. The first entry that matches tells the reason.
pub static FOREIGN: &[Foreign] = &[
    Foreign {
        reason: "it is for the JVM, and Mesquite has none",
        names: &[
            "spark.cleaner.*",
            "spark.driver.defaultJavaOptions",
            "spark.driver.extraClassPath",
            "spark.driver.extraJavaOptions",
            "spark.driver.extraLibraryPath",
            "spark.driver.userClassPathFirst",
            "spark.executor.defaultJavaOptions",
            "spark.executor.extraClassPath",
            "spark.executor.extraJavaOptions",
            "spark.executor.extraLibraryPath",
            "spark.executor.killOnFatalError.depth",
            "spark.executor.userClassPathFirst",
            "spark.extraListeners",
            "spark.jars",
            "spark.jars.*",
            "spark.memory.*",
            "spark.plugins",
            "spark.plugins.*",
            "spark.repl.*",
            "spark.task.reaper.threadDump",
            "spark.unsafe.*",
        ],
    },
    Foreign {
        reason: "records here are lines of text, not serialized objects",
        names: &[
            "spark.closure.serializer",
            "spark.hadoopRDD.*",
            "spark.kryo.*",
            "spark.kryoserializer.*",
            "spark.rdd.*",
            "spark.serializer",
            "spark.serializer.*",
        ],
    },
    Foreign {
        reason: "it is for another cluster manager",
        names: &[
            "spark.dead.*",
            "spark.deploy.*",
            "spark.kubernetes.*",
            "spark.master.*",
            "spark.standalone.*",
            "spark.worker.*",
            "spark.yarn.*",
        ],
    },
    Foreign {
        reason: "it is for a part of Spark that Mesquite does not have",
        names: &[
            "spark.api.mode",
            "spark.archives",
            "spark.broadcast.*",
            "spark.checkpoint.*",
            "spark.connect.*",
            "spark.driver.allowSparkContextInExecutors",
            "spark.executor.allowSparkContext",
            "spark.executor.pyspark.memory",
            "spark.graphx.*",
            "spark.hadoop.*",
            "spark.hive.*",
            "spark.kerberos.*",
            "spark.ml.*",
            "spark.mllib.*",
            "spark.pyspark.*",
            "spark.python.*",
            "spark.r.*",
            "spark.remote",
            "spark.shuffle.cleaner.interval",
            "spark.sparkr.*",
            "spark.sql.*",
            "spark.streaming.*",
        ],
    },
    Foreign {
        reason: "it is for the dispatcher that submits Spark's drivers",
        names: &[
            "spark.mesos.appJar.local.resolution.mode",
            "spark.mesos.cluster.retry.wait.max",
            "spark.mesos.dispatcher.*",
            "spark.mesos.driver.constraints",
            "spark.mesos.driver.labels",
            "spark.mesos.driver.memoryOverhead",
            "spark.mesos.driver.secret.*",
            "spark.mesos.driverEnv.*",
            "spark.mesos.maxDrivers",
            "spark.mesos.proxy.baseURL",
            "spark.mesos.retainedDrivers",
            "spark.submit.*",
        ],
    },
    Foreign {
        reason: "the driver is the mesquite process, which is not started with a size",
        names: &[
            "spark.driver.cores",
            "spark.driver.memory",
            "spark.driver.memoryOverhead",
            "spark.driver.memoryOverheadFactor",
            "spark.driver.supervise",
        ],
    },
    Foreign {
        reason: "on Mesos the property is spark.mesos.executor.memoryOverhead",
        names: &["spark.executor.memoryOverhead"],
    },
    Foreign {
        reason: "this version of Mesquite does not act on it",
        names: &[
            "spark.acls.*",
            "spark.admin.*",
            "spark.app.id",
            "spark.appStateStore.*",
            "spark.appStatusStore.*",
            "spark.authenticate",
            "spark.authenticate.*",
            "spark.barrier.*",
            "spark.blacklist.*",
            "spark.block.*",
            "spark.blockManager.port",
            "spark.buffer.*",
            "spark.decommission.enabled",
            "spark.diskStore.*",
            "spark.driver.bindAddress",
            "spark.driver.blockManager.port",
            "spark.driver.log.*",
            "spark.driver.port",
            "spark.driver.resource.*",
            "spark.driver.timeout",
            "spark.dynamicAllocation.cachedExecutorIdleTimeout",
            "spark.dynamicAllocation.enabled",
            "spark.dynamicAllocation.executorAllocationRatio",
            "spark.dynamicAllocation.initialExecutors",
            "spark.dynamicAllocation.maxExecutors",
            "spark.dynamicAllocation.minExecutors",
            "spark.dynamicAllocation.schedulerBacklogTimeout",
            "spark.dynamicAllocation.shuffleTracking.*",
            "spark.dynamicAllocation.sustainedSchedulerBacklogTimeout",
            "spark.eventLog.*",
            "spark.executor.decommission.forceKillTimeout",
            "spark.executor.decommission.signal",
            "spark.executor.failuresValidityInterval",
            "spark.executor.heartbeat.maxFailures",
            "spark.executor.heartbeatInterval",
            "spark.executor.id",
            "spark.executor.instances",
            "spark.executor.logs.*",
            "spark.executor.maxNumFailures",
            "spark.executor.metrics.*",
            "spark.executor.port",
            "spark.executor.processTreeMetrics.enabled",
            "spark.executor.resource.*",
            "spark.executor.syncLogLevel.enabled",
            "spark.executorEnv.*",
            "spark.files",
            "spark.files.*",
            "spark.history.*",
            "spark.io.*",
            "spark.job.description",
            "spark.job.interruptOnCancel",
            "spark.jobGroup.id",
            "spark.launcher.*",
            "spark.log.callerContext",
            "spark.log.legacyTaskNameMdc.enabled",
            "spark.log.level",
            "spark.log.structuredLogging.enabled",
            "spark.logConf",
            "spark.logging.*",
            "spark.logLineage",
            "spark.mesos.coarse.shutdownTimeout",
            "spark.mesos.containerizer",
            "spark.mesos.executor.docker.*",
            "spark.mesos.executor.secret.*",
            "spark.mesos.extra.cores",
            "spark.mesos.fetcherCache.enable",
            "spark.mesos.network.labels",
            "spark.mesos.network.name",
            "spark.mesos.task.labels",
            "spark.mesos.uris",
            "spark.metrics.*",
            "spark.modify.*",
            "spark.network.auth.*",
            "spark.network.crypto.*",
            "spark.network.io.*",
            "spark.network.maxRemoteBlockSizeFetchToMem",
            "spark.network.sasl.*",
            "spark.network.timeoutInterval",
            "spark.port.maxRetries",
            "spark.redaction.*",
            "spark.reducer.*",
            "spark.resourceDiscovery.*",
            "spark.resources.*",
            "spark.resultGetter.threads",
            "spark.rpc.*",
            "spark.scheduler.barrier.maxConcurrentTasksCheck.interval",
            "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures",
            "spark.scheduler.executorTaskBlacklistTime",
            "spark.scheduler.listenerbus.*",
            "spark.scheduler.maxRegisteredResourcesWaitingTime",
            "spark.scheduler.minRegisteredResourcesRatio",
            "spark.scheduler.pool",
            "spark.scheduler.resource.profileMergeConflicts",
            "spark.scheduler.revive.interval",
            "spark.security.*",
            "spark.shuffle.*",
            "spark.ssl.*",
            "spark.stage.ignoreDecommissionFetchFailure",
            "spark.stage.maxAttempts",
            "spark.stage.maxConsecutiveAttempts",
            "spark.storage.*",
            "spark.task.reaper.enabled",
            "spark.task.reaper.killTimeout",
            "spark.task.reaper.pollingInterval",
            "spark.taskMetrics.*",
            "spark.ui.*",
            "spark.user.*",
        ],
    },
];

/// Why `name` does nothing here; `None` if it is no such name of Spark's.
pub fn reason(name: &str) -> Option<&'static str> {
    FOREIGN
        .iter()
        .find(|foreign| foreign.names.iter().any(|known| matches(known, name)))
        .map(|foreign| foreign.reason)
}

/// The full names in the table.
pub fn names() -> impl Iterator<Item = &'static str> {
    FOREIGN
        .iter()
        .flat_map(|foreign| foreign.names.iter().copied())
        .filter(|name| !name.ends_with('*'))
}

/// Whether `name` is what `known` says, or begins so.
fn matches(known: &str, name: &str) -> bool {
    match known.strip_suffix('*') {
        Some(beginning) => name.len() > beginning.len() && name.starts_with(beginning),
        None => name == known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_spark_are_known_with_their_reason() {
        for (name, expected) in [
            ("spark.driver.extraJavaOptions", "JVM"),
            ("spark.yarn.queue", "another cluster manager"),
            (
                "spark.kubernetes.container.image",
                "another cluster manager",
            ),
            ("spark.sql.shuffle.partitions", "does not have"),
            ("spark.mesos.dispatcher.queue.urgent", "dispatcher"),
            (
                "spark.executor.memoryOverhead",
                "spark.mesos.executor.memoryOverhead",
            ),
            ("spark.task.reaper.threadDump", "JVM"),
            ("spark.scheduler.revive.interval", "does not act on it"),
        ] {
            let reason = reason(name).unwrap_or_else(|| panic!("{name} is not known"));
            assert!(reason.contains(expected), "{name}: {reason}");
        }
    }

    #[test]
    fn a_misspelt_name_is_not_known() {
        for name in [
            "spark.yarn.",
            "spark.yarnqueue",
            "spark.mesos.corse",
            "spark.locality.weight",
            "spark.master",
            "spark",
            "",
        ] {
            assert_eq!(reason(name), None, "{name}");
        }
    }

    #[test]
    fn the_lists_are_in_order_without_doubles() {
        for foreign in FOREIGN {
            assert!(
                foreign.names.is_sorted_by(|a, b| {
                    let (a, b) = (a.trim_end_matches('*'), b.trim_end_matches('*'));
                    a.to_lowercase() < b.to_lowercase()
                }),
                "{}",
                foreign.reason
            );
        }
    }
}
