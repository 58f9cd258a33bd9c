//! Properties of the event log.

use crate::conf::property::{Property, boolean, properties, size, text};
use crate::conf::units::SizeUnit;
use crate::conf::value::ByteSize;

properties! {
    title: "Event log";

    /// Whether what happens in the run is written down as Spark's event log, for
    /// Spark's history server and whatever else reads it.
    pub EVENT_LOG: Property<bool> = boolean("spark.eventLog.enabled").default("false");

    /// The folder of event logs: a path, or a `file:` URL, which has to be there, or one of
    /// an object store, such as `s3://bucket/logs`. The log of a run is a file in it with the
    /// application's id as its name, and `.inprogress` behind it until the run is over. To an
    /// object store it is brought when it is complete, its parts one by one if it rolls.
    pub EVENT_LOG_DIR: Property<String> =
        text("spark.eventLog.dir").default("file:///tmp/spark-events");

    /// Whether the event log is compressed, with zstd, as the end of its name says.
    pub EVENT_LOG_COMPRESS: Property<bool> =
        boolean("spark.eventLog.compress").default("false");

    /// Whether a log of the same name is replaced. Without it the run does not begin.
    pub EVENT_LOG_OVERWRITE: Property<bool> =
        boolean("spark.eventLog.overwrite").default("false");

    /// Whether the event log is a folder, `eventlog_v2_` and the application's id, of files
    /// that follow each other, so that none of them grows for ever.
    pub EVENT_LOG_ROLLING: Property<bool> =
        boolean("spark.eventLog.rolling.enabled").default("false");

    /// About how large such a file becomes before the next one is begun; compressed, if the
    /// log is.
    pub EVENT_LOG_ROLLING_SIZE: Property<ByteSize> =
        size("spark.eventLog.rolling.maxFileSize", SizeUnit::Bytes, ByteSize::from_mib(10))
            .default("128m");
}
