//! Records on their way through a task.
//!
//! Responsible for the one form that they have everywhere: chunks of whole
//! lines. A record is a line without its end; in a chunk each is followed by
//! one `\n`. So a chunk can be handed to a command's stdin, or written to a
//! file, as it is, and no record costs an allocation.

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
