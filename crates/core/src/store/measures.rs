//! What an attempt measures, under Spark's names. Pure.
//!
//! Responsible for the list: which measures there are, and where a log has them.

use serde::{Deserialize, Serialize};

/// Declares the measures: where a log has each, as part and field.
macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident = $part:literal, $field:literal;)*) => {
        /// A measure of an attempt. Times are milliseconds, unless they say nanoseconds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Measure {
            $($(#[$doc])* $name,)*
        }

        impl Measure {
            /// All of them, in the order of [`Measures`].
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Where a log has it: the part of `Task Metrics` (none if it stands there
            /// itself) and the field.
            pub const fn place(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => ($part, $field),)*
                }
            }
        }
    };
}

measures! {
    /// Time to get ready.
    DeserializeTime = "", "Executor Deserialize Time";
    /// Nanoseconds of processor time of that.
    DeserializeCpuTime = "", "Executor Deserialize CPU Time";
    /// Time that the work took.
    RunTime = "", "Executor Run Time";
    /// Nanoseconds of processor time of that.
    CpuTime = "", "Executor CPU Time";
    /// Bytes that went to the driver.
    ResultSize = "", "Result Size";
    /// Time in which a Java machine collected garbage.
    GcTime = "", "JVM GC Time";
    /// Time to make a message of the result.
    ResultSerializationTime = "", "Result Serialization Time";
    /// Bytes in memory of what was spilled.
    MemorySpilled = "", "Memory Bytes Spilled";
    /// Bytes of it on the disk.
    DiskSpilled = "", "Disk Bytes Spilled";
    /// The most bytes of memory that were held.
    PeakMemory = "", "Peak Execution Memory";
    /// Bytes of input.
    InputBytes = "Input Metrics", "Bytes Read";
    /// Records of input.
    InputRecords = "Input Metrics", "Records Read";
    /// Bytes saved.
    OutputBytes = "Output Metrics", "Bytes Written";
    /// Records that came out.
    OutputRecords = "Output Metrics", "Records Written";
    /// Blocks of map output from other hosts.
    RemoteBlocks = "Shuffle Read Metrics", "Remote Blocks Fetched";
    /// Blocks of map output of this host.
    LocalBlocks = "Shuffle Read Metrics", "Local Blocks Fetched";
    /// Time waited for map outputs.
    FetchWait = "Shuffle Read Metrics", "Fetch Wait Time";
    /// Bytes of map output from other hosts.
    RemoteBytes = "Shuffle Read Metrics", "Remote Bytes Read";
    /// Those of them that went to the disk first.
    RemoteBytesToDisk = "Shuffle Read Metrics", "Remote Bytes Read To Disk";
    /// Bytes of map output of this host.
    LocalBytes = "Shuffle Read Metrics", "Local Bytes Read";
    /// Records of map output.
    ShuffleRecordsRead = "Shuffle Read Metrics", "Total Records Read";
    /// Time that requests for map output took.
    RemoteRequests = "Shuffle Read Metrics", "Remote Requests Duration";
    /// Bytes of map output written.
    ShuffleBytesWritten = "Shuffle Write Metrics", "Shuffle Bytes Written";
    /// Nanoseconds that this took.
    ShuffleWriteTime = "Shuffle Write Metrics", "Shuffle Write Time";
    /// Records of map output written.
    ShuffleRecordsWritten = "Shuffle Write Metrics", "Shuffle Records Written";
}

/// A value of each measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures(pub [u64; Measure::ALL.len()]);

impl Default for Measures {
    fn default() -> Self {
        Self([0; Measure::ALL.len()])
    }
}

impl Measures {
    /// The value of one.
    pub const fn get(&self, measure: Measure) -> u64 {
        self.0[measure as usize]
    }

    /// Sets one.
    pub const fn set(&mut self, measure: Measure, value: u64) {
        self.0[measure as usize] = value;
    }

    /// Adds those of an attempt.
    pub fn add(&mut self, more: &Self) {
        for (sum, value) in self.0.iter_mut().zip(more.0) {
            *sum = sum.saturating_add(value);
        }
    }

    /// Bytes of map output read.
    pub const fn shuffle_bytes_read(&self) -> u64 {
        self.get(Measure::RemoteBytes)
            .saturating_add(self.get(Measure::LocalBytes))
    }
}
