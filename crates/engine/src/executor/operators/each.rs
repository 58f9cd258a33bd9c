//! Any number of records out of each.
//!
//! Responsible for chunks that do not grow, whatever is made of their records: an
//! operation only says what it makes of one.

use crate::task::{CHUNK, Records, TaskError, lines};

/// Makes something of each record: whole lines, each with its end.
pub struct Each<F> {
    parent: Box<dyn Records>,
    make: F,
    read: Vec<u8>,
    /// How much of that has been handed on.
    done: usize,
}

impl<F: FnMut(&[u8], &mut Vec<u8>) -> Result<(), TaskError> + Send> Each<F> {
    /// Of the records of `parent`.
    pub const fn new(parent: Box<dyn Records>, make: F) -> Self {
        Self {
            parent,
            make,
            read: Vec::new(),
            done: 0,
        }
    }
}

impl<F: FnMut(&[u8], &mut Vec<u8>) -> Result<(), TaskError> + Send> Records for Each<F> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        while chunk.is_empty() {
            if self.done == self.read.len() {
                self.done = 0;
                if !self.parent.next(&mut self.read)? {
                    return Ok(false);
                }
            }
            // What is made may be as long as records, and there may be many such steps.
            let mut records = lines(&self.read[self.done..]);
            while chunk.len() < CHUNK
                && let Some(record) = records.next()
            {
                (self.make)(record, chunk)?;
                self.done += record.len() + 1;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_records;

    #[test]
    fn chunks_do_not_grow_with_every_step() {
        let text = "abcdefgh\n".repeat(CHUNK / 9);
        let mut records: Box<dyn Records> = Box::new(test_records(&[&text[..text.len() - 1]]));
        for _ in 0..6 {
            records = Box::new(Each::new(records, |record: &[u8], chunk: &mut Vec<u8>| {
                chunk.extend_from_slice(b"before ");
                chunk.extend_from_slice(record);
                chunk.push(b'\n');
                Ok(())
            }));
        }
        let (mut chunk, mut count) = (Vec::new(), 0);
        while records.next(&mut chunk).expect("made") {
            assert!(chunk.len() < CHUNK + 1000);
            count += lines(&chunk).count();
        }
        assert_eq!(count, CHUNK / 9);
    }

    #[test]
    fn a_chunk_of_which_nothing_is_made_is_passed_over() {
        let parent = Box::new(test_records(&["", "", "a"]));
        let mut records = Each::new(parent, |record: &[u8], chunk: &mut Vec<u8>| {
            if !record.is_empty() {
                chunk.extend_from_slice(b"some\n");
            }
            Ok(())
        });
        let mut chunk = Vec::new();
        assert!(records.next(&mut chunk).expect("made"));
        assert_eq!(chunk, b"some\n");
        assert!(!records.next(&mut chunk).expect("the end"));
    }
}
