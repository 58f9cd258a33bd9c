//! Records that pass, and are kept once all have.
//!
//! In memory as long as there is room for the next block, and from then on in a file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::{Kept, Key, Persisted, file_of, part_of};
use crate::ids::TaskId;
use crate::storage::block::{self, Encoder};
use crate::storage::private;
use crate::task::{Records, TaskContext, TaskError};

/// Records on their way. See the module.
pub(super) struct Keeping {
    records: Box<dyn Records>,
    store: Arc<Persisted>,
    key: Key,
    task: TaskId,
    encoder: Encoder,
    lines: Vec<u8>,
    blocks: Vec<Bytes>,
    taken: usize,
    file: Option<(BufWriter<File>, PathBuf)>,
    done: bool,
}

impl Keeping {
    pub(super) fn of(
        records: Box<dyn Records>,
        store: Arc<Persisted>,
        key: Key,
        context: &TaskContext,
    ) -> Self {
        Self {
            records,
            store,
            key,
            task: context.task,
            encoder: Encoder::new(part_of(key), &context.seal),
            lines: Vec::new(),
            blocks: Vec::new(),
            taken: 0,
            file: None,
            done: false,
        }
    }

    fn close_block(&mut self) -> std::io::Result<()> {
        let mut stored = Vec::new();
        self.encoder.block(&self.lines, &mut stored);
        self.lines.clear();
        // Compression may need more than there is in the end.
        stored.shrink_to_fit();
        if self.file.is_none() && !self.store.memory.keep(stored.len()) {
            self.move_to_file()?;
        }
        match &mut self.file {
            Some((file, _)) => file.write_all(&stored),
            None => {
                self.taken += stored.len();
                self.blocks.push(stored.into());
                Ok(())
            }
        }
    }

    fn move_to_file(&mut self) -> std::io::Result<()> {
        let path = file_of(&self.store.folder, self.key);
        let path = path.with_extension(format!("{}.tmp", self.task));
        let mut file = BufWriter::new(private::create(&path)?);
        for block in self.blocks.drain(..) {
            file.write_all(&block)?;
        }
        self.store.memory.forget(std::mem::take(&mut self.taken));
        self.file = Some((file, path));
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        if !self.lines.is_empty() {
            self.close_block()?;
        }
        // The end.
        self.close_block()?;
        let kept = match self.file.take() {
            Some((mut file, path)) => {
                file.flush()?;
                fs::rename(&path, file_of(&self.store.folder, self.key))?;
                Kept::File
            }
            None => Kept::Memory {
                blocks: std::mem::take(&mut self.blocks).into(),
                bytes: std::mem::take(&mut self.taken),
                seen: 0,
            },
        };
        self.store.add(self.key, kept, self.task);
        Ok(())
    }
}

impl Records for Keeping {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        if self.records.next(chunk)? {
            self.lines.extend_from_slice(chunk);
            if self.lines.len() >= block::BLOCK && !self.done && self.close_block().is_err() {
                // Without room to keep it, the partition passes all the same.
                self.done = true;
            }
            if self.done {
                self.lines.clear();
            }
            return Ok(true);
        }
        if !std::mem::replace(&mut self.done, true)
            && let Err(error) = self.finish()
        {
            tracing::warn!(%error, "cannot keep a partition");
        }
        Ok(false)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.store.memory.forget(self.taken);
        if let Some((_, path)) = self.file.take() {
            let _ = fs::remove_file(path);
        }
    }
}
