//! Properties of what tasks keep: memory, work folders, results.

use std::path::PathBuf;

use crate::conf::property::{Property, path, properties, size};
use crate::conf::units::SizeUnit;
use crate::conf::value::ByteSize;

properties! {
    title: "Storage";

    /// The folder in which executors make their work folders, for map outputs
    /// and for records that do not fit into memory. On Mesos the sandbox is
    /// used unless this is set.
    pub LOCAL_DIR: Property<Option<PathBuf>> =
        path("spark.local.dir").optional("the system's folder for temporary files");

    /// The memory in which one task sorts and combines records; what does not
    /// fit is written to the work folder.
    pub TASK_MEMORY: Property<ByteSize> =
        size("mesquite.task.memory", SizeUnit::MiB, ByteSize(4096)).default("128m");

    /// The memory in which an executor keeps partitions of persisted datasets;
    /// what does not fit is written to the work folder.
    pub STORAGE_MEMORY: Property<ByteSize> =
        size("mesquite.storage.memory", SizeUnit::MiB, ByteSize(0)).default("256m");

    /// Results larger than this are not sent with a task's status, but fetched
    /// from the executor.
    pub MAX_DIRECT_RESULT_SIZE: Property<ByteSize> =
        size("spark.task.maxDirectResultSize", SizeUnit::Bytes, ByteSize(0))
            .default("1m");
}
