//! Who comes first: the comparison of FIFO and of FAIR, and nothing else.

use std::cmp::Ordering;

pub use crate::conf::properties::scheduler::SchedulingMode;

/// What decides the place of a member of a FAIR pool; less comes first. Equal
/// shares are ordered by name, which the pool sees to.
#[derive(Clone, Copy, Debug)]
pub(super) struct FairShare {
    satisfied: bool,
    ratio: f64,
}

impl FairShare {
    /// The share of a member with so many running tasks.
    pub(super) fn new(running: u32, min_share: u32, weight: u32) -> Self {
        let running_share = f64::from(running);
        if running < min_share {
            Self {
                satisfied: false,
                ratio: running_share / f64::from(min_share.max(1)),
            }
        } else {
            Self {
                satisfied: true,
                ratio: running_share / f64::from(weight.max(1)),
            }
        }
    }

    /// Which of two members comes first.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.satisfied
            .cmp(&other.satisfied)
            .then(self.ratio.total_cmp(&other.ratio))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(a: (u32, u32, u32), b: (u32, u32, u32)) -> Ordering {
        FairShare::new(a.0, a.1, a.2).compare(&FairShare::new(b.0, b.1, b.2))
    }

    #[test]
    fn whoever_has_less_than_its_minimum_share_comes_first() {
        assert_eq!(first((1, 2, 1), (0, 0, 100)), Ordering::Less);
        assert_eq!(first((2, 2, 1), (0, 0, 1)), Ordering::Greater);
    }

    #[test]
    fn of_two_below_their_minimum_share_the_emptier_comes_first() {
        assert_eq!(first((1, 4, 1), (1, 2, 1)), Ordering::Less);
        assert_eq!(first((1, 2, 1), (2, 4, 9)), Ordering::Equal);
    }

    #[test]
    fn of_two_satisfied_the_one_with_fewer_running_for_its_weight_comes_first() {
        assert_eq!(first((4, 0, 4), (2, 0, 1)), Ordering::Less);
        assert_eq!(first((4, 1, 2), (2, 0, 1)), Ordering::Equal);
    }
}
