//! What tests of closures have in place of an engine.

use std::path::Path;
use std::sync::Arc;

use mesquite_base::ids::{JobId, Partition, StageAttempt, StageId, TaskId};
use mesquite_engine::task::memory::{Limits, Memory};
use mesquite_engine::task::{Cancel, Records, Seal, TaskContext, TaskError, Voice};
use mesquite_workload::message::from_executor::Said;

#[derive(Debug)]
struct Silent;

impl Voice for Silent {
    fn lines_wanted(&self) -> u64 {
        0
    }

    fn say(&self, _: Said) {}
}

/// A task with so much memory.
pub(crate) fn context_with(memory: usize) -> TaskContext {
    let limits = Limits {
        all: memory,
        kept: 0,
        slots: 1,
    };
    let cancel = Cancel::new();
    TaskContext {
        app_id: "app".into(),
        task: TaskId(1),
        job: JobId(0),
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        partition: Partition(0),
        part: Partition(0),
        attempt: 0,
        resources: Arc::default(),
        memory: Memory::new(limits).task(&cancel),
        cancel,
        longest_record: 1 << 20,
        spill_folder: Path::new("/").to_owned(),
        seal: Seal::default(),
        metrics: Arc::default(),
        voice: Arc::new(Silent),
        log: Arc::new(()),
    }
}

pub(crate) fn context() -> TaskContext {
    context_with(64 << 20)
}

struct Lines(Vec<String>);

impl Records for Lines {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        if self.0.is_empty() {
            return Ok(false);
        }
        chunk.extend_from_slice(self.0.remove(0).as_bytes());
        Ok(true)
    }
}

/// Records, a chunk for each.
pub(crate) fn lines(lines: &[&str]) -> Box<dyn Records> {
    Box::new(Lines(lines.iter().map(|it| format!("{it}\n")).collect()))
}

/// All records of a stream.
pub(crate) fn all(mut records: impl Records) -> Result<Vec<String>, TaskError> {
    let (mut all, mut chunk) = (Vec::new(), Vec::new());
    while records.next(&mut chunk)? {
        let text = String::from_utf8_lossy(&chunk);
        all.extend(text.lines().map(str::to_owned));
    }
    Ok(all)
}
