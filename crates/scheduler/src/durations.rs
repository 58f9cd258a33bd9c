//! How long attempts took that succeeded.
//!
//! Responsible for the median and the sum of one task set's durations as they come. What
//! is slow beside them others say: `speculation` for the scheduler, `running` for people.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// See the module. In nanoseconds: there may be a hundred thousand.
#[derive(Debug, Default)]
pub(super) struct Durations {
    /// The shorter half.
    low: BinaryHeap<u64>,
    /// The longer half, at most one fewer.
    high: BinaryHeap<Reverse<u64>>,
    total: Duration,
}

impl Durations {
    pub(super) fn insert(&mut self, duration: Duration) {
        self.total = self.total.saturating_add(duration);
        let duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if self.low.peek().is_none_or(|middle| duration <= *middle) {
            self.low.push(duration);
        } else {
            self.high.push(Reverse(duration));
        }
        if self.low.len() > self.high.len() + 1 {
            self.high.extend(self.low.pop().map(Reverse));
        } else if self.high.len() > self.low.len() {
            self.low.extend(self.high.pop().map(|Reverse(least)| least));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.low.len() + self.high.len()
    }

    /// All of them together.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// The median; of an even number, the mean of the middle two.
    pub(super) fn median(&self) -> Option<Duration> {
        let low = *self.low.peek()?;
        let median = if self.low.len() > self.high.len() {
            low
        } else {
            let Reverse(high) = *self.high.peek()?;
            low + (high - low) / 2
        };
        Some(Duration::from_nanos(median))
    }

    /// The mean.
    pub(super) fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.len()).ok()?;
        self.total.checked_div(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn median_and_mean_are_those_of_the_sorted_durations(
            millis in proptest::collection::vec(0u64..1000, 1..40),
        ) {
            let mut durations = Durations::default();
            for duration in &millis {
                durations.insert(Duration::from_millis(*duration));
            }
            let mut sorted = millis;
            sorted.sort_unstable();
            let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
            let expected = Duration::from_millis(low) + Duration::from_millis(high - low) / 2;
            prop_assert_eq!(durations.median(), Some(expected));
            let total = Duration::from_millis(sorted.iter().sum());
            prop_assert_eq!(durations.total(), total);
            prop_assert_eq!(durations.mean(), Some(total / sorted.len() as u32));
        }
    }

    #[test]
    fn nothing_has_no_middle() {
        assert_eq!(Durations::default().median(), None);
        assert_eq!(Durations::default().mean(), None);
    }
}
