//! The wish that a task stop.
//!
//! Responsible for telling a task's threads, and for ending at once what they
//! may be blocked on: whoever blocks registers how to be woken. It does not know
//! why.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::TaskError;

type Waker = Box<dyn FnOnce() + Send>;

/// Cheap to clone; clones are the same wish.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    wanted: AtomicBool,
    next: AtomicU64,
    wakers: Mutex<Vec<(u64, Waker)>>,
}

/// Takes a waker back when it is dropped.
#[must_use = "dropping it takes the waker back"]
pub struct WakerGuard {
    cancel: Cancel,
    id: u64,
}

impl Cancel {
    /// Nobody wants the task to stop yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the task to stop, and wakes what it is blocked on.
    pub fn cancel(&self) {
        self.0.wanted.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut *self.lock());
        for (_, wake) in wakers {
            wake();
        }
    }

    /// Whether the task is to stop.
    pub fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::SeqCst)
    }

    /// Ends the task here if it is to stop.
    ///
    /// # Errors
    /// [`TaskError::Killed`] if so.
    pub fn check(&self) -> Result<(), TaskError> {
        if self.is_wanted() {
            Err(TaskError::Killed)
        } else {
            Ok(())
        }
    }

    /// Calls `wake` when the task is to stop, at once if it is already.
    pub fn on_cancel(&self, wake: impl FnOnce() + Send + 'static) -> WakerGuard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut wakers = self.lock();
        if self.is_wanted() {
            drop(wakers);
            wake();
        } else {
            wakers.push((id, Box::new(wake)));
        }
        WakerGuard {
            cancel: self.clone(),
            id,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Waker)>> {
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WakerGuard {
    fn drop(&mut self) {
        self.cancel.lock().retain(|(id, _)| *id != self.id);
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({})", self.is_wanted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blocks_is_woken_once_or_taken_back() {
        let cancel = Cancel::new();
        let count = Arc::new(AtomicU64::new(0));
        let waker = |count: &Arc<AtomicU64>| {
            let count = Arc::clone(count);
            move || {
                count.fetch_add(1, Ordering::SeqCst);
            }
        };
        drop(cancel.on_cancel(waker(&count)));
        let kept = cancel.on_cancel(waker(&count));
        assert!(cancel.check().is_ok());
        cancel.cancel();
        cancel.cancel();
        assert!(cancel.check().is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        drop(kept);
        let _late = cancel.on_cancel(waker(&count));
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
