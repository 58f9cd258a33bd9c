//! How long to wait before trying again.
//!
//! Responsible for exponential delays with full jitter, and for forgetting
//! earlier failures after a quiet time. Pure: the seed and the moments come
//! from the caller, who also does the waiting.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::clock::Timestamp;

/// The numbers of a [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// The ceiling of the first delay; doubled after each failure.
    pub base: Duration,
    /// No delay is longer than this.
    pub cap: Duration,
    /// After so long without a failure the next one counts as the first.
    pub quiet: Duration,
}

impl BackoffPolicy {
    /// For peers of a Mesos cluster. Mesos's documentation advises a cap of
    /// about 15 s; with jitter 4 s spread the frameworks of a cluster well
    /// enough, and bring each back within 5 s of its master's return.
    pub const MESOS: Self = Self {
        base: Duration::from_millis(500),
        cap: Duration::from_secs(4),
        quiet: Duration::from_secs(30),
    };

    fn delays(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.base)
            .with_max_delay(self.cap)
            .with_factor(2.0)
            .without_max_times()
            .build()
    }
}

/// Delays between attempts: each drawn evenly from zero to a ceiling that
/// doubles with every failure in a row.
#[derive(Debug)]
pub struct Backoff {
    policy: BackoffPolicy,
    ceilings: ExponentialBackoff,
    random: fastrand::Rng,
    last_failure: Option<Timestamp>,
}

impl Backoff {
    /// A backoff that has seen no failure. Equal seeds give equal delays.
    pub fn new(policy: BackoffPolicy, seed: u64) -> Self {
        Self {
            policy,
            ceilings: policy.delays(),
            random: fastrand::Rng::with_seed(seed),
            last_failure: None,
        }
    }

    /// Counts a failure at `now` and says how long to wait before the next try.
    pub fn after_failure(&mut self, now: Timestamp) -> Duration {
        if self
            .last_failure
            .is_some_and(|last| now - last >= self.policy.quiet)
        {
            self.ceilings = self.policy.delays();
        }
        let ceiling = self.ceilings.next().unwrap_or(self.policy.cap);
        let delay = ceiling.mul_f64(self.random.f64());
        // Waiting is not quiet time: the clock of the quiet starts after it.
        self.last_failure = Some(now + delay);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BackoffPolicy = BackoffPolicy {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(1),
        quiet: Duration::from_secs(10),
    };

    #[test]
    fn no_delay_exceeds_its_doubling_ceiling() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(POLICY, seed);
            let mut now = Timestamp::ZERO;
            for ceiling in [100, 200, 400, 800, 1000, 1000] {
                let delay = backoff.after_failure(now);
                assert!(delay <= Duration::from_millis(ceiling), "{delay:?}");
                now += delay;
            }
        }
    }

    #[test]
    fn a_quiet_time_makes_the_next_failure_the_first_again() {
        let mut backoff = Backoff::new(POLICY, 7);
        let mut now = Timestamp::ZERO;
        for _ in 0..6 {
            now += backoff.after_failure(now);
        }
        now += POLICY.quiet;
        assert!(backoff.after_failure(now) <= POLICY.base);
    }

    #[test]
    fn delays_of_different_seeds_differ() {
        let delays: std::collections::BTreeSet<_> = (0..20)
            .map(|seed| Backoff::new(POLICY, seed).after_failure(Timestamp::ZERO))
            .collect();
        assert!(delays.len() > 15);
    }
}
