//! The records that a task answers with.
//!
//! Responsible for sending them along with the task's end if they are few, and
//! for having them wait in a file, to be fetched, if they are many: they never
//! are in memory whole then. Used by the engine.

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::ids::TaskId;
use crate::rpc::message::success::Output;
use crate::storage::block::{PartOf, Writer};
use crate::storage::blocks::result_file;
use crate::storage::private;
use crate::task::memory::Held;
use crate::task::{Seal, TaskContext, TaskError};

/// See the module. Dropped before [`finish`](Self::finish), it leaves nothing.
pub(super) struct TaskResult {
    bytes: Vec<u8>,
    held: Held,
    /// More is not sent along.
    most: usize,
    task: TaskId,
    path: PathBuf,
    file: Option<Writer>,
    seal: Seal,
    /// Bytes that went to the file.
    written: u64,
    done: bool,
}

impl TaskResult {
    /// Nothing yet. More than `most` bytes go to a file in `folder`.
    pub(super) fn new(most: usize, folder: &Path, context: &TaskContext) -> Self {
        Self {
            bytes: Vec::new(),
            held: context.memory.hold(),
            most,
            task: context.task,
            path: result_file(folder, context.task),
            file: None,
            seal: context.seal.clone(),
            written: 0,
            done: false,
        }
    }

    fn failed(&self, error: &std::io::Error) -> TaskError {
        TaskError::io(format_args!("write {}", self.path.display()), error)
    }

    /// Appends these.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn push(&mut self, more: &[u8]) -> Result<(), TaskError> {
        let whole = self.bytes.len() + more.len();
        if self.file.is_none() {
            if whole <= self.most && self.held.want(whole) {
                self.bytes.extend_from_slice(more);
                return Ok(());
            }
            let file = private::create(&self.path).map_err(|error| self.failed(&error))?;
            self.file = Some(Writer::new(file, PartOf::Result(self.task), &self.seal));
            let before = std::mem::take(&mut self.bytes);
            self.write(&before)?;
            drop(before);
            self.held.shrink_to(0);
        }
        self.write(more)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TaskError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let written = file.write_all(bytes);
        written.map_err(|error| self.failed(&error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// All of it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn finish(mut self) -> Result<Output, TaskError> {
        if let Some(file) = &mut self.file {
            let finished = file.finish();
            finished.map_err(|error| self.failed(&error))?;
        }
        self.done = true;
        Ok(match self.file {
            Some(_) => Output::Stored(self.written),
            None => Output::Result(Bytes::from(std::mem::take(&mut self.bytes))),
        })
    }
}

impl Drop for TaskResult {
    fn drop(&mut self) {
        if self.file.is_some() && !self.done {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::memory::Share;
    use crate::task::test_context;

    #[test]
    fn few_records_are_sent_along_and_many_wait_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = || std::fs::read_dir(folder.path()).expect("a folder").count();
        for (most, memory, in_memory) in [
            (6, 100, true),
            (5, 100, false),
            (6, 5, false),
            // So nothing of it passes through Mesos in fine mode.
            (0, 100, false),
        ] {
            let context = TaskContext {
                memory: Share::for_tests(memory),
                ..test_context(folder.path())
            };
            let mut answer = TaskResult::new(most, folder.path(), &context);
            answer.push(b"ab\n").expect("taken");
            answer.push(b"cd\n").expect("taken");
            let output = answer.finish().expect("whole");
            if in_memory {
                assert_eq!(output, Output::Result(Bytes::from_static(b"ab\ncd\n")));
                assert_eq!(files(), 0);
            } else {
                assert_eq!(output, Output::Stored(6));
                let path = result_file(folder.path(), context.task);
                assert_eq!(std::fs::read(&path).expect("written"), b"ab\ncd\n");
                std::fs::remove_file(path).expect("removed");
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut answer = TaskResult::new(1, folder.path(), &test_context(folder.path()));
        answer.push(b"ab\n").expect("taken");
        drop(answer);
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 0);
    }
}
