//! Properties of executors: how large each is and how many there may be.

use crate::conf::Conf;
use crate::conf::property::{Family, Property, decimal, integer, list, properties, size, text};
use crate::conf::units::SizeUnit;
use crate::conf::value::ByteSize;
use crate::variables::{check_name, check_value};

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

    /// A variable of the environment of all commands (`pipe`, and that of
    /// `reduce_by_key`), wherever they run. `env` of a job file goes before it. It
    /// comes to executors on their way to the driver, and so Mesos does not show it.
    pub EXECUTOR_ENV: Family<String> = text("spark.executorEnv.NAME").family();

    /// Files that are brought to executors: commands start in a folder of their own, with
    /// these in it. `PATH#NAME` gives one another name than its own. A URL of a web server or
    /// an object store is fetched by the executors. `files` of a job file says the same.
    pub FILES: Property<Vec<String>> = list("spark.files").default("");

    /// Archives that are brought to executors: in the folder in which commands start, a folder of
    /// that name has what is in one. `PATH#NAME` gives it another name. They end with
    /// `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.tar.bz2`, `.tbz2`, `.tar.xz` or `.txz`.
    /// `archives` of a job file says the same.
    pub ARCHIVES: Property<Vec<String>> = list("spark.archives").default("");

    /// The most bytes that the files of an archive may have, unpacked.
    pub ARCHIVES_MAX_SIZE: Property<ByteSize> =
        size("mesquite.archives.maxSize", SizeUnit::Bytes, ByteSize(1)).default("10g");
}

/// Variables that commands cannot be given.
pub(super) fn bad_variables(conf: &Conf) -> impl Iterator<Item = String> {
    conf.family(&EXECUTOR_ENV)
        .into_iter()
        .filter_map(|(name, value)| {
            let checked = check_name(&name).and_then(|()| check_value(&value));
            let why = checked.err()?;
            Some(format!("the variable of spark.executorEnv.{name} {why}"))
        })
}
