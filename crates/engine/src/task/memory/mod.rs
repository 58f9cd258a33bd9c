//! The memory of an executor, shared by the tasks that run and by what is kept.
//!
//! Responsible for one budget: whatever sorts, combines, joins, fetches, holds
//! long records or keeps partitions takes from it before it fills memory, and
//! gives back. It allocates nothing itself. The rules are those of Spark's
//! unified memory, with one difference: nobody waits for an ordinary share.
//!
//! * Each task that runs may hold its share of what tasks can have, about one
//!   of as many as there are. A task that has more, since others came, is given
//!   nothing more until it has written to disk what it holds.
//! * Half of what is not set aside for kept partitions is promised: one part
//!   for each task that may run at once. So a task that comes late has that,
//!   whatever the others hold, and waits for nobody. (In Spark it waits until
//!   others give back, which a task with a slow command may never do.)
//! * Kept partitions take what is free. Of what is beyond their own part, tasks
//!   have them written to disk.
//! * What cannot be made smaller, a long record, may take all that is free, by
//!   one task at a time; if it is more than there is, the task fails and says so.

pub mod size;
mod state;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use self::state::{Grant, State};
use super::{Cancel, TaskError};

/// Taken in pieces of so many bytes, so that asking costs nothing.
const STEP: usize = 256 * 1024;

/// So much of what cannot be smaller is not asked for: it is in what every
/// task is reckoned to need beside the budget.
pub const UNASKED: usize = 1 << 20;

/// How large the budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all.
    pub all: usize,
    /// Of them, bytes of kept partitions that tasks cannot take.
    pub kept: usize,
    /// So many tasks run at once at most.
    pub slots: usize,
}

/// Makes kept partitions smaller.
pub trait Evict: Send + Sync {
    /// Writes partitions to disk until about so many bytes are free, and tells
    /// the budget. May do less.
    fn evict(&self, bytes: usize);
}

/// An executor's budget. Cheap to clone; clones are the same budget.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    kept: OnceLock<Weak<dyn Evict>>,
}

impl Memory {
    /// A budget of which nothing is taken.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State::new(limits)),
            changed: Condvar::new(),
            kept: OnceLock::new(),
        }))
    }

    /// Whom to ask for what kept partitions hold.
    pub fn evict_with(&self, kept: Weak<dyn Evict>) {
        let _ = self.0.kept.set(kept);
    }

    /// A task begins. It counts until the last clone of its share is dropped.
    pub fn task(&self, cancel: &Cancel) -> Share {
        let id = self.0.lock().begin();
        Share {
            task: Arc::new(TaskMemory {
                memory: self.clone(),
                id,
                cancel: cancel.clone(),
            }),
            parts: 1,
        }
    }

    /// Takes so much for a kept partition; false if that is not free.
    pub fn keep(&self, bytes: usize) -> bool {
        self.0.lock().keep(bytes)
    }

    /// Gives back what was taken for a kept partition.
    pub fn forget(&self, bytes: usize) {
        self.0.lock().forget(bytes);
        self.0.changed.notify_all();
    }

    /// Bytes that tasks hold, and those of kept partitions.
    pub fn taken(&self) -> (usize, usize) {
        self.0.lock().taken()
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tasks, kept) = self.taken();
        write!(f, "Memory({tasks} of tasks, {kept} kept)")
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks kept partitions for so much.
    fn evict(&self, bytes: usize) {
        if let Some(kept) = self.kept.get().and_then(Weak::upgrade) {
            kept.evict(bytes);
        }
    }
}

/// A task that counts.
struct TaskMemory {
    memory: Memory,
    id: u64,
    cancel: Cancel,
}

impl Drop for TaskMemory {
    fn drop(&mut self) {
        self.memory.0.lock().end(self.id);
        self.memory.0.changed.notify_all();
    }
}

/// What a part of a task may take: a fraction of the task's share. Cheap to
/// clone.
#[derive(Clone)]
pub struct Share {
    task: Arc<TaskMemory>,
    parts: usize,
}

impl Share {
    /// One of `parts` parts of this.
    #[must_use]
    pub fn part(&self, parts: usize) -> Self {
        Self {
            task: Arc::clone(&self.task),
            parts: self.parts * parts.max(1),
        }
    }

    /// About so many bytes are to be had now. To choose sizes of buffers, not
    /// instead of asking.
    pub fn bytes(&self) -> usize {
        self.memory().0.lock().cap() / self.parts
    }

    /// The most bytes that the whole task held so far.
    pub fn peak(&self) -> usize {
        self.memory().0.lock().peak(self.task.id)
    }

    /// Holds nothing yet.
    pub fn hold(&self) -> Held {
        Held {
            share: self.clone(),
            bytes: 0,
        }
    }

    fn memory(&self) -> &Memory {
        &self.task.memory
    }

    /// A budget of so many bytes with one task, for tests.
    #[cfg(test)]
    pub(crate) fn for_tests(bytes: usize) -> Self {
        let limits = Limits {
            all: bytes,
            kept: 0,
            slots: 1,
        };
        Memory::new(limits).task(&Cancel::new())
    }
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share(1/{} of {:?})", self.parts, self.memory())
    }
}

/// What one user of memory holds. Dropped, it is given back.
#[derive(Debug)]
pub struct Held {
    share: Share,
    bytes: usize,
}

impl Held {
    /// Bytes that are held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Another holder of the same share, which holds nothing.
    #[must_use]
    pub fn none(&self) -> Self {
        self.share.hold()
    }

    /// Wants to hold at least `bytes`; false if that is more than the share or
    /// than what is free. Nothing is given back.
    pub fn want(&mut self, bytes: usize) -> bool {
        bytes <= self.bytes || self.ask(bytes)
    }

    #[cold]
    fn ask(&mut self, bytes: usize) -> bool {
        let memory = &self.share.memory().0;
        let least = bytes - self.bytes;
        let best = bytes.next_multiple_of(STEP) - self.bytes;
        let fits = |more| self.bytes + more;
        for may_evict in [true, false] {
            let missing = {
                let mut state = memory.lock();
                let most = state.cap() / self.share.parts;
                if fits(least) > most {
                    return false;
                }
                let best = best.min(most - self.bytes);
                match state.take(self.share.task.id, best, least, may_evict) {
                    Grant::Taken(taken) => {
                        self.bytes += taken;
                        return true;
                    }
                    Grant::Refused => return false,
                    Grant::Evict(missing) => missing,
                }
            };
            memory.evict(missing);
        }
        false
    }

    /// Must hold at least `bytes`, for something that cannot be made smaller,
    /// and may take more than its share for it. Waits while another task does.
    ///
    /// # Errors
    /// There is not so much, or the task is to stop.
    pub fn need(&mut self, bytes: usize) -> Result<(), TaskError> {
        if bytes <= UNASKED.max(self.bytes) || self.want(bytes) {
            return Ok(());
        }
        let task = &self.share.task;
        let memory = &task.memory.0;
        let waking = Arc::downgrade(memory);
        let _wake = task.cancel.on_cancel(move || {
            if let Some(memory) = waking.upgrade() {
                // A waiter is either before its look at the wish, or waits.
                drop(memory.lock());
                memory.changed.notify_all();
            }
        });
        let more = bytes - self.bytes;
        let (mut may_evict, mut waits) = (true, false);
        let mut state = memory.lock();
        let ended = loop {
            if let Err(killed) = task.cancel.check() {
                break Err(killed);
            }
            match state.take_alone(task.id, more, may_evict) {
                Ok(Grant::Taken(taken)) => break Ok(taken),
                Ok(Grant::Evict(missing)) => {
                    drop(state);
                    memory.evict(missing);
                    state = memory.lock();
                    may_evict = false;
                }
                Ok(Grant::Refused) => {
                    if !std::mem::replace(&mut waits, true) {
                        state.waits(task.id, true);
                        // One that waits for this one must not go on.
                        memory.changed.notify_all();
                    }
                    let woken = memory.changed.wait(state);
                    state = woken.unwrap_or_else(PoisonError::into_inner);
                    may_evict = true;
                }
                Err(short) => break Err(short.error(bytes)),
            }
        };
        if waits {
            state.waits(task.id, false);
        }
        drop(state);
        self.bytes += ended?;
        Ok(())
    }

    /// Gives back what is beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        if bytes < self.bytes {
            let memory = &self.share.memory().0;
            memory
                .lock()
                .give_back(self.share.task.id, self.bytes - bytes);
            memory.changed.notify_all();
            self.bytes = bytes;
        }
    }

    /// Whether what is held is still within the share: it shrinks when more
    /// tasks run.
    pub fn is_within(&self) -> bool {
        self.bytes <= self.share.bytes()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests;
