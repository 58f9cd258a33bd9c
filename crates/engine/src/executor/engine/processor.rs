//! The processor time of the threads that run tasks.
//!
//! Responsible for what an attempt is charged with. To ask the kernel takes up to a
//! microsecond, and there are tasks that take not much more: it is asked once in a
//! millisecond at most, on each thread. So what attempts take that are shorter is charged to
//! the one with which the millisecond is full, and no sum misses any of it.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::usage;

/// The kernel is asked so often at most.
const OFTEN: Duration = Duration::from_millis(1);

thread_local! {
    /// When this thread asked, and what the answer was.
    static ASKED: Cell<Option<(Timestamp, Duration)>> = const { Cell::new(None) };
}

/// What the attempt is charged with that ends now on this thread.
pub(super) fn spent(now: Timestamp) -> Duration {
    let (asked, before) = match ASKED.get() {
        Some((asked, before)) => (Some(asked), before),
        // What a thread does before its first attempt is next to nothing.
        None => (None, Duration::ZERO),
    };
    if asked.is_some_and(|asked| now - asked < OFTEN) {
        return Duration::ZERO;
    }
    let so_far = usage::of_thread();
    ASKED.set(Some((now, so_far)));
    so_far.saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some processor time, and returns the least that it is.
    fn work() -> Duration {
        let some = Duration::from_millis(2);
        let until = usage::of_thread() + some;
        while usage::of_thread() < until {}
        some
    }

    #[test]
    fn the_kernel_is_asked_once_in_a_millisecond_and_nothing_is_missed() {
        std::thread::spawn(|| {
            let at = Timestamp::from_millis;
            let first = work();
            assert!(spent(at(5)) >= first);
            let second = work();
            assert_eq!(spent(at(5)), Duration::ZERO, "too soon");
            let third = work();
            assert!(spent(at(6)) >= second + third);
            assert!(spent(at(9)) < first, "nothing was done since");
        })
        .join()
        .expect("it holds");
    }
}
