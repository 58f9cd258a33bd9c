//! Records on their way through a task.
//!
//! Responsible for the one form that they have everywhere: chunks of whole
//! lines. A record is a line without its end; in a chunk each is followed by
//! one `\n`. So a chunk can be handed to a command's stdin, or written to a
//! file, as it is, and no record costs an allocation.

use memchr::{memchr, memchr_iter};

use super::TaskError;

/// A stream of records, pulled chunk by chunk.
///
/// Everything that makes or changes records is one of these; the task pulls at
/// the last.
pub trait Records: Send {
    /// Replaces what is in `chunk` by the next records, about
    /// [`CHUNK`] bytes of whole lines (more if a line is longer).
    /// False at the end, with an empty chunk; a chunk before the end is never
    /// empty.
    ///
    /// # Errors
    /// The task's end. It is not to be called again.
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError>;
}

/// About as many bytes as a chunk should have.
pub const CHUNK: usize = 128 * 1024;

impl Records for Box<dyn Records> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        (**self).next(chunk)
    }
}

/// The records of a chunk, without their ends.
pub fn lines(chunk: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', chunk).map(move |end| {
        let line = &chunk[start..end];
        start = end + 1;
        line
    })
}

/// A record's key: what stands before its first tab, or all of it.
pub fn key_of(record: &[u8]) -> &[u8] {
    match memchr(b'\t', record) {
        Some(tab) => &record[..tab],
        None => record,
    }
}

/// Gives the last line of a chunk its end, if it has none.
pub fn end_line(chunk: &mut Vec<u8>) {
    if chunk.last().is_some_and(|last| *last != b'\n') {
        chunk.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_read_line_by_line() {
        let read: Vec<_> = lines(b"a\tb\n\nc\r\n").collect();
        assert_eq!(read, [&b"a\tb"[..], b"", b"c\r"]);
        assert_eq!(
            read.iter().map(|r| key_of(r)).collect::<Vec<_>>(),
            [&b"a"[..], b"", b"c\r"]
        );
        let mut open = b"x".to_vec();
        end_line(&mut open);
        end_line(&mut open);
        assert_eq!(open, b"x\n");
    }
}
