//! What every piece of a running task shares: its name, its records, its end.
//!
//! Responsible for the words between the engine that runs tasks, the operators
//! that change records and the storage that keeps them. Used by `storage` and
//! `executor`; it runs nothing.

mod cancel;
mod context;
mod error;
mod log;
pub mod memory;
mod records;
mod seal;
mod timeout;
mod voice;

pub use cancel::{Cancel, WakerGuard};
pub use context::{Gauge, Metrics, TaskContext};
pub use error::TaskError;
pub use log::{AttemptName, Log};
pub use mesquite_workload::line::{self, end_line, first_longer, key_of, lines};
pub use records::{CHUNK, Records};
pub use seal::{Seal, SealError};
pub use timeout::Timeouts;
#[cfg(test)]
pub(crate) use voice::Heard;
pub use voice::Voice;

/// A context for tests of what runs within tasks.
#[cfg(test)]
pub(crate) fn test_context(folder: &std::path::Path) -> TaskContext {
    use crate::ids::{JobId, Partition, StageAttempt, StageId, TaskId};
    TaskContext {
        app_id: "app".into(),
        task: TaskId(1),
        job: JobId(0),
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        partition: Partition(0),
        part: Partition(0),
        attempt: 0,
        resources: std::sync::Arc::default(),
        cancel: Cancel::new(),
        memory: memory::Share::for_tests(64 << 20),
        longest_record: 256 << 20,
        spill_folder: folder.to_owned(),
        seal: Seal::default(),
        metrics: std::sync::Arc::default(),
        voice: std::sync::Arc::<Heard>::default(),
        log: std::sync::Arc::new(()),
    }
}

/// Records from memory, a chunk for each, for tests.
#[cfg(test)]
pub(crate) fn test_records(lines: &[&str]) -> impl Records + use<> {
    struct Chunks(std::collections::VecDeque<String>);
    impl Records for Chunks {
        fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
            chunk.clear();
            let next = self.0.pop_front();
            chunk.extend_from_slice(next.as_deref().unwrap_or_default().as_bytes());
            Ok(next.is_some())
        }
    }
    Chunks(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// All records of a stream as text, for tests.
#[cfg(test)]
pub(crate) fn all_lines(mut records: impl Records) -> Result<Vec<String>, TaskError> {
    let mut all = Vec::new();
    let mut chunk = Vec::new();
    while records.next(&mut chunk)? {
        assert!(chunk.ends_with(b"\n"), "a chunk of whole lines");
        all.extend(lines(&chunk).map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    Ok(all)
}
