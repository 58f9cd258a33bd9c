//! Properties of what tasks keep: memory, work folders, results.

use std::path::PathBuf;

use crate::conf::Conf;
use crate::conf::property::{Property, boolean, choice, decimal_between, path, properties, size};
use crate::conf::units::SizeUnit;
use crate::conf::value::{ByteSize, Choice};

properties! {
    title: "Storage";

    /// The folder in which executors make their work folders, for map outputs
    /// and for records that do not fit into memory. On Mesos the sandbox is
    /// used unless this is set.
    pub LOCAL_DIR: Property<Option<PathBuf>> =
        path("spark.local.dir").optional("the system's folder for temporary files");

    /// The part of an executor's memory that sorting, combining, joining,
    /// fetching and persisting share; what does not fit is written to the work
    /// folder. The rest is for buffers and for what the allocator cannot use. The
    /// memory of an executor is `spark.executor.memory`; in `local-cluster`, what
    /// the master URL says; in `local`, where `spark.executor.memory` is not set,
    /// half of the machine's, or of what its control group allows.
    pub MEMORY_FRACTION: Property<f64> =
        decimal_between("spark.memory.fraction", 0.0, 1.0).default("0.6");

    /// The part of that which persisted partitions keep even if tasks want it.
    /// They may have more while it is free.
    pub MEMORY_STORAGE_FRACTION: Property<f64> =
        decimal_between("spark.memory.storageFraction", 0.0, 1.0).default("0.5");

    /// Results larger than this are not sent with a task's status, but fetched
    /// from the executor.
    pub MAX_DIRECT_RESULT_SIZE: Property<ByteSize> =
        size("spark.task.maxDirectResultSize", SizeUnit::Bytes, ByteSize(0))
            .default("1m");

    /// The longest record, at most 900 MiB. A line of a file, of a command's
    /// output or of a join that is longer fails its task, which says where it is.
    pub MAX_RECORD_LENGTH: Property<ByteSize> =
        size("mesquite.record.maxLength", SizeUnit::Bytes, ByteSize(1024)).default("256m");

    /// The longest message between the driver and an executor, at most 255 MiB.
    /// An attempt whose task or whose answer is longer fails. In fine mode, where
    /// both pass through Mesos, no more than 16 MiB are sent.
    pub MAX_MESSAGE_SIZE: Property<ByteSize> =
        size("spark.rpc.message.maxSize", SizeUnit::MiB, ByteSize(1 << 20)).default("128");

    /// How much is kept of what the commands of an attempt write to stderr, at most 16 MiB:
    /// of what is longer its beginning and its end. It lies in the executor's sandbox, on
    /// this machine in its work folder.
    pub MAX_LOG_SIZE: Property<ByteSize> =
        size("mesquite.executor.logs.maxSize", SizeUnit::Bytes, ByteSize(4096)).default("1m");

    /// How much an executor keeps of that, of all attempts that have ended: the oldest
    /// are removed.
    pub MAX_LOGS_SIZE: Property<ByteSize> =
        size("mesquite.executor.logs.maxTotalSize", SizeUnit::Bytes, ByteSize(4096))
            .default("100m");

    /// Whether map outputs, spilled records, persisted partitions and stored results
    /// are encrypted where they lie (AES-GCM), with a key of the run that is written
    /// nowhere but in the journal of `mesquite.recovery.dir`. What is saved is not.
    pub IO_ENCRYPTION: Property<bool> = boolean("spark.io.encryption.enabled").default("false");

    /// The length of that key. There is no AES with 192 bits here, and Spark's default
    /// is 128.
    pub IO_ENCRYPTION_KEY: Property<KeySize> =
        choice("spark.io.encryption.keySizeBits").default("256");
}

/// The length of a key for files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySize {
    /// 128 bits.
    Bits128,
    /// 256 bits.
    Bits256,
}

impl Choice for KeySize {
    const WORDS: &'static [&'static str] = &["128", "256"];

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "128" => Some(Self::Bits128),
            "256" => Some(Self::Bits256),
            _ => None,
        }
    }
}

/// Blocks of records, compressed or not, are shorter than 1 GiB, and what does
/// not compress may grow.
pub const LONGEST_RECORD: ByteSize = ByteSize(900 << 20);

/// A record that does not fit into a block could be written and not be read.
pub(super) fn record_larger_than_block(conf: &Conf) -> Option<String> {
    let wanted = conf.get(&MAX_RECORD_LENGTH);
    (wanted > LONGEST_RECORD).then(|| {
        format!(
            "{} ({wanted}) can be {LONGEST_RECORD} at most",
            MAX_RECORD_LENGTH.name()
        )
    })
}

/// Pages answer with a whole log at once: no log is longer.
pub const LONGEST_LOG: ByteSize = ByteSize(16 << 20);

/// A log that is too long could never be shown.
pub(super) fn log_larger_than_page(conf: &Conf) -> Option<String> {
    let wanted = conf.get(&MAX_LOG_SIZE);
    (wanted > LONGEST_LOG).then(|| {
        format!(
            "{} ({wanted}) can be {LONGEST_LOG} at most",
            MAX_LOG_SIZE.name()
        )
    })
}

/// A frame of the stream between driver and executors is no longer.
const LONGEST_MESSAGE: ByteSize = ByteSize(255 << 20);

/// A message that does not fit into a frame could never arrive.
pub(super) fn message_larger_than_frame(conf: &Conf) -> Option<String> {
    let wanted = conf.get(&MAX_MESSAGE_SIZE);
    (wanted > LONGEST_MESSAGE).then(|| {
        format!(
            "{} ({wanted}) can be {LONGEST_MESSAGE} at most",
            MAX_MESSAGE_SIZE.name()
        )
    })
}
