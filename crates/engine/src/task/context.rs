//! Who a running task is, what it may use, and what it has done so far.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::memory::Share;
use super::{Cancel, Log, Seal, Voice};
use crate::ids::{JobId, Partition, StageAttempt, StageId, TaskId};
use crate::rpc::message::{self, NamedResource};

/// Cheap to clone; all clones are of one attempt.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// The application.
    pub app_id: Arc<str>,
    /// The attempt.
    pub task: TaskId,
    /// The job for which its stage runs.
    pub job: JobId,
    /// The stage.
    pub stage: StageId,
    /// The attempt at the stage.
    pub stage_attempt: StageAttempt,
    /// The partition.
    pub partition: Partition,
    /// What users' code is told of that: where the partition is several that are put
    /// together, the one of them that it works on.
    pub part: Partition,
    /// How many attempts at the partition came before, in this task set.
    pub attempt: u32,
    /// What it has of resources with names.
    pub resources: Arc<[NamedResource]>,
    /// Whether it is to stop.
    pub cancel: Cancel,
    /// What it may take of the executor's memory.
    pub memory: Share,
    /// The longest record, in bytes without its end (`mesquite.record.maxLength`).
    pub longest_record: usize,
    /// For what does not fit: a folder that exists and is the executor's.
    pub spill_folder: PathBuf,
    /// Encrypts what is written to disk, or does not.
    pub seal: Seal,
    /// What it has done so far.
    pub metrics: Arc<Metrics>,
    /// Where what its commands say goes.
    pub voice: Arc<dyn Voice>,
    /// Where all of that is kept.
    pub log: Arc<dyn Log>,
}

/// Declares counters with their messages' fields of the same names.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a task has done so far.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[$doc])* pub $name: AtomicU64,)*
            /// What its commands have resident.
            pub commands: Gauge,
        }

        impl Metrics {
            /// The counts at this moment.
            pub fn snapshot(&self) -> message::Metrics {
                message::Metrics {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

counters! {
    /// Records that came from sources and shuffles.
    records_read,
    /// Bytes that came from sources.
    bytes_read,
    /// Records that went to a shuffle or a result.
    records_written,
    /// Bytes that went to saved files.
    bytes_written,
    /// Bytes of shuffle blocks, as stored, that were read.
    shuffle_bytes_read,
    /// Those of them that came over the network.
    shuffle_bytes_fetched,
    /// Bytes of map output, as stored.
    shuffle_bytes_written,
    /// Bytes that did not fit into memory.
    spilled_bytes,
    /// Time it ran, in microseconds.
    run_micros,
    /// Processor time of its threads, its commands and their descendants, in nanoseconds.
    cpu_nanos,
    /// The most bytes that it held of the executor's memory, and that its commands had
    /// resident. Known at its end.
    peak_memory,
    /// Time in which it waited for map outputs of other hosts, in microseconds.
    fetch_wait_micros,
}

impl Metrics {
    /// Adds to one of the counters.
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds processor time.
    pub fn add_cpu(&self, spent: Duration) {
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        Self::add(&self.cpu_nanos, nanos);
    }
}

/// A sum that grows and shrinks, and the most that it was.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Gauge {
    /// Adds to it.
    pub fn grow(&self, by: u64) {
        let now = self.now.fetch_add(by, Ordering::Relaxed);
        self.peak
            .fetch_max(now.saturating_add(by), Ordering::Relaxed);
    }

    /// Takes off what was added.
    pub fn shrink(&self, by: u64) {
        self.now.fetch_sub(by, Ordering::Relaxed);
    }

    /// The most that it was.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}
