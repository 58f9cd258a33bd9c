//! Time, as a value that is passed around.
//!
//! Responsible for [`Timestamp`], which every decision takes as an argument,
//! and for [`SystemClock`], the only reader of the machine's clocks. Layers 0
//! and 1 use `Timestamp` alone; only the asynchronous shells own a clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment on a clock that never goes back: the time since the clock started.
///
/// Timestamps of different clocks must not be compared.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The moment the clock started.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment `millis` milliseconds after the clock started.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The time since the clock started.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates, so that "never" (`Duration::MAX`) stays "never".
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{:?}", self.0)
    }
}

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
            from: moment.0,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.from + self.start.elapsed())
    }

    /// The point in time, for a runtime's timers, at which `moment` comes.
    pub fn instant_of(&self, moment: Timestamp) -> Instant {
        // A moment too far for the platform's clock is as good as a year away.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let ahead = moment.0.saturating_sub(self.from);
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
    fn a_moment_that_never_comes_does_not_overflow() {
        let never = Timestamp::from_millis(5) + Duration::MAX;
        assert!(never > Timestamp::from_millis(u64::MAX / 2));
        assert_eq!(Timestamp::ZERO - never, Duration::ZERO);
        let clock = SystemClock::start();
        assert!(clock.instant_of(never) > clock.instant_of(Timestamp::from_millis(1)));
    }
}
