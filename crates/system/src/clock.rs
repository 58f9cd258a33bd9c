//! The machine's clocks.
//!
//! Responsible for [`SystemClock`], their only reader. The shells own one; decisions
//! take a [`Timestamp`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use mesquite_base::clock::Timestamp;

/// The machine's clocks. Cheap to copy; copies share their start.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
    /// What it showed then.
    from: Duration,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self::starting_at(Timestamp::ZERO)
    }

    /// A clock that goes on from `moment`, which is now.
    #[expect(clippy::disallowed_methods, reason = "the one home of Instant::now")]
    pub fn starting_at(moment: Timestamp) -> Self {
        Self {
            start: Instant::now(),
            from: moment.since_start(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        Timestamp::at(self.from + self.start.elapsed())
    }

    /// The point in time, for a runtime's timers, at which `moment` comes.
    pub fn instant_of(&self, moment: Timestamp) -> Instant {
        // A moment too far for the platform's clock is as good as a year away.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let ahead = moment.since_start().saturating_sub(self.from);
        self.start.checked_add(ahead).unwrap_or(self.start + FAR)
    }

    /// Seconds since the Unix epoch, as Mesos wants them in `TaskStatus.timestamp`.
    #[expect(clippy::disallowed_methods, reason = "the one home of SystemTime::now")]
    pub fn unix_seconds() -> f64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_never_comes_is_far_away() {
        let never = Timestamp::from_millis(5) + Duration::MAX;
        let clock = SystemClock::start();
        assert!(clock.instant_of(never) > clock.instant_of(Timestamp::from_millis(1)));
    }
}
