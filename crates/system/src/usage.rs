//! What threads and processes took of this machine.
//!
//! Responsible for asking the kernel, and for one answer where it gives none: 0. What is
//! made of it is the business of those who run tasks and commands.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What some processes took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Processor time.
    pub cpu: Duration,
    /// The most bytes that one of them had resident.
    pub largest: u64,
}

impl Taken {
    fn of(who: UsageWho) -> Self {
        getrusage(who).map_or_else(
            |_| Self::default(),
            |usage| Self {
                cpu: cpu(&usage),
                largest: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
            },
        )
    }

    /// What this process took so far.
    pub fn by_this() -> Self {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    /// What its children took that have ended and were waited for, and what theirs did.
    pub fn by_children() -> Self {
        Self::of(UsageWho::RUSAGE_CHILDREN)
    }
}

/// Processor time of this thread so far. To ask costs up to a microsecond.
pub fn of_thread() -> Duration {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(Duration::ZERO, |it| cpu(&it))
}

fn cpu(usage: &Usage) -> Duration {
    span(usage.user_time()) + span(usage.system_time())
}

fn span(time: TimeVal) -> Duration {
    let whole = Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0));
    whole + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_a_thread_and_children_take_is_known() {
        let before = of_thread();
        let mut sum = 0_u64;
        while of_thread() < before + Duration::from_millis(2) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
        assert!(Taken::by_this().largest > 100_000);
        let before = Taken::by_children();
        // Enough that no clock misses it.
        let loops = "i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done";
        let ended = Command::new("/bin/sh").args(["-c", loops]).status();
        assert!(ended.expect("a shell").success());
        let after = Taken::by_children();
        assert!(after.cpu > before.cpu);
        assert!(after.largest > 100_000);
    }
}
