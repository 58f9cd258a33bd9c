//! Who listens to a run.
//!
//! Responsible for what programs that run applications are told while that lasts: the
//! results, what people are to know, and all that happened, if they want it.

use bytes::Bytes;

use crate::facts::Happened;
use crate::report::Progress;

/// Where a run tells what it does and leaves its results. Called on the loop's
/// own thread: it must not block for long.
pub trait Listener: Send {
    /// People are to know.
    fn progress(&mut self, progress: Progress);

    /// The number that a `count` asked for, which is the action of this place.
    /// Results come in the order of their actions.
    ///
    /// # Errors
    /// It cannot be written; the job fails.
    fn counted(&mut self, action: usize, records: u64) -> std::io::Result<()>;

    /// The records that a `collect` asked for, in partition order: lines, each
    /// with its end.
    ///
    /// # Errors
    /// They cannot be written; the job fails.
    fn collected(&mut self, action: usize, records: &[Bytes]) -> std::io::Result<()>;

    /// Whether [`happened`](Self::happened) is to be called: facts that nobody reads are
    /// not made. Asked once, before the run begins.
    fn wants_facts(&self) -> bool {
        false
    }

    /// What happened since the last call, in order. A driver that goes on with a run tells
    /// what happened before, too; not if that had ended, and only its results are told again.
    fn happened(&mut self, _facts: &[Happened]) {}
}
