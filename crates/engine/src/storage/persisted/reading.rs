//! Records that were kept, read again: from memory, a file, or over the network.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use bytes::Bytes;

use super::{Key, part_of};
use crate::storage::block::{self, Blocks};
use crate::task::{Records, TaskContext, TaskError};

pub(super) fn reading(file: File, key: Key, context: TaskContext) -> Box<dyn Records> {
    let file = BufReader::with_capacity(block::BLOCK, file);
    Box::new(Reading::of(file, key, context))
}

/// Blocks in memory, one after the other.
pub(super) struct Chain {
    blocks: Arc<[Bytes]>,
    at: usize,
    within: usize,
}

impl Chain {
    pub(super) fn of(blocks: Arc<[Bytes]>) -> Self {
        Self {
            blocks,
            at: 0,
            within: 0,
        }
    }
}

impl std::io::Read for Chain {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some(block) = self.blocks.get(self.at) {
            let rest = &block[self.within..];
            if rest.is_empty() {
                self.at += 1;
                self.within = 0;
                continue;
            }
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.within += count;
            return Ok(count);
        }
        Ok(0)
    }
}

pub(super) struct Reading<R> {
    blocks: Blocks<R>,
    context: TaskContext,
}

impl<R: std::io::Read> Reading<R> {
    pub(super) fn of(from: R, key: Key, context: TaskContext) -> Self {
        let blocks = Blocks::new(from, part_of(key), &context.seal).with_an_end();
        Self {
            blocks: blocks.of_records(context.longest_record),
            context,
        }
    }
}

impl<R: std::io::Read + Send> Records for Reading<R> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        self.context.cancel.check()?;
        let more = self.blocks.next(chunk);
        more.map_err(|error| TaskError::io("read a persisted partition", &error))
    }
}

/// Records of which the first were read: it is known that they can be had.
pub(super) struct Begun {
    first: Option<Vec<u8>>,
    rest: Box<dyn Records>,
}

impl Begun {
    pub(super) fn of(mut records: Box<dyn Records>) -> Result<Self, TaskError> {
        let mut first = Vec::new();
        records.next(&mut first)?;
        Ok(Self {
            first: Some(first),
            rest: records,
        })
    }
}

impl Records for Begun {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        match self.first.take() {
            Some(first) => {
                *chunk = first;
                Ok(!chunk.is_empty())
            }
            None => self.rest.next(chunk),
        }
    }
}
