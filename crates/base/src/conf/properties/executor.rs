//! Properties of executors: how large each is and how many there may be.

use std::time::Duration;

use crate::conf::property::{Property, decimal, duration, integer, properties, size};
use crate::conf::units::{SizeUnit, TimeUnit};
use crate::conf::value::ByteSize;

properties! {
    title: "Executors";

    /// The most cores to take from the cluster, over all executors. Rounded
    /// down to a multiple of `spark.executor.cores`.
    pub CORES_MAX: Property<Option<u32>> =
        integer("spark.cores.max", 1).optional("as many as are offered");

    /// The cores of one executor.
    pub EXECUTOR_CORES: Property<Option<u32>> =
        integer("spark.executor.cores", 1).optional("all that an offer has");

    /// The memory of one executor for its work; its overhead comes on top.
    pub EXECUTOR_MEMORY: Property<ByteSize> =
        size("spark.executor.memory", SizeUnit::MiB, ByteSize::from_mib(1)).default("1g");

    /// The overhead of an executor as a share of its memory.
    pub EXECUTOR_MEMORY_OVERHEAD_FACTOR: Property<f64> =
        decimal("spark.executor.memoryOverheadFactor", 0.0).default("0.1");

    /// The overhead of an executor: memory to ask of Mesos beyond
    /// `spark.executor.memory`.
    pub EXECUTOR_MEMORY_OVERHEAD: Property<Option<ByteSize>> =
        size("spark.mesos.executor.memoryOverhead", SizeUnit::MiB, ByteSize::from_mib(0))
            .optional(
                "spark.executor.memory times spark.executor.memoryOverheadFactor, \
                 at least 384m",
            );

    /// In fine mode: an executor that has had no task for so long is ended, if it
    /// holds no map outputs or persisted partitions.
    pub EXECUTOR_IDLE_TIMEOUT: Property<Duration> =
        duration("spark.dynamicAllocation.executorIdleTimeout", TimeUnit::Seconds).default("60s");
}
