//! Time, as a value that is passed around.
//!
//! Responsible for [`Timestamp`], which every decision takes as an argument. Must not
//! read a clock: the shells own those.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

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

    /// The moment that long after the clock started.
    pub const fn at(since_start: Duration) -> Self {
        Self(since_start)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_never_comes_does_not_overflow() {
        let never = Timestamp::from_millis(5) + Duration::MAX;
        assert!(never > Timestamp::from_millis(u64::MAX / 2));
        assert_eq!(Timestamp::ZERO - never, Duration::ZERO);
    }
}
