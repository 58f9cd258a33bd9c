//! How much of a resource with a name a task needs.
//!
//! Responsible for Spark's rules of that amount, and for the arithmetic of addresses that
//! several tasks have at once. Which addresses there are is known elsewhere. Pure.

use std::fmt;

/// How much of a resource with a name, such as `gpu`, a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Amount {
    /// One address, which so many tasks have at once; two at least.
    Shared(u32),
    /// So many addresses, for itself.
    Whole(u32),
}

impl Amount {
    /// The parts of one address.
    pub const PARTS: u32 = 1 << 30;

    /// No more tasks have an address at once: each has a part of its own size then.
    const MOST_TASKS: f64 = 10_000.0;

    /// The amount that a number means, by Spark's rules: up to a half it is the part of an
    /// address, of which as many fit as go into one; beyond that it counts addresses. None
    /// of zero.
    ///
    /// # Errors
    /// It is neither, in words that follow a name.
    pub fn of(amount: f64) -> Result<Option<Self>, &'static str> {
        if amount == 0.0 {
            return Ok(None);
        }
        let tasks = (1.0 / amount).floor();
        if amount > 0.0 && amount <= 0.5 && tasks <= Self::MOST_TASKS {
            return Ok(Some(Self::Shared(tasks as u32)));
        }
        if amount > 0.5 && amount.fract() == 0.0 && amount <= f64::from(u32::MAX) {
            return Ok(Some(Self::Whole(amount as u32)));
        }
        Err(
            "must be a whole number, or at most 0.5 and at least 0.0001: the part of one that \
             each of several tasks has",
        )
    }

    /// How many addresses a task is given.
    pub const fn addresses(self) -> u32 {
        match self {
            Self::Shared(_) => 1,
            Self::Whole(addresses) => addresses,
        }
    }

    /// How much of each of them it takes, of [`PARTS`](Self::PARTS).
    pub const fn parts(self) -> u32 {
        match self {
            Self::Shared(tasks) => Self::PARTS / if tasks == 0 { 1 } else { tasks },
            Self::Whole(_) => Self::PARTS,
        }
    }

    /// How many tasks have room on so many addresses that nobody uses.
    pub const fn tasks_on(self, addresses: u32) -> u32 {
        match self {
            Self::Shared(tasks) => addresses.saturating_mul(tasks),
            Self::Whole(0) => u32::MAX,
            Self::Whole(each) => addresses / each,
        }
    }

    /// That of two which takes more.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        let size = |it: Self| u64::from(it.addresses()) * u64::from(it.parts());
        if size(other) > size(self) {
            other
        } else {
            self
        }
    }
}

impl From<u32> for Amount {
    fn from(addresses: u32) -> Self {
        Self::Whole(addresses)
    }
}

impl fmt::Display for Amount {
    /// `2`, or `1/4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(tasks) => write!(f, "1/{tasks}"),
            Self::Whole(addresses) => write!(f, "{addresses}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_parts_up_to_a_half_and_whole_beyond_as_sparks() {
        for (amount, means) in [
            (0.0, Ok(None)),
            (0.25, Ok(Some(Amount::Shared(4)))),
            (0.3, Ok(Some(Amount::Shared(3)))),
            (0.5, Ok(Some(Amount::Shared(2)))),
            (0.0001, Ok(Some(Amount::Shared(10_000)))),
            (1.0, Ok(Some(Amount::Whole(1)))),
            (3.0, Ok(Some(Amount::Whole(3)))),
        ] {
            assert_eq!(Amount::of(amount), means, "{amount}");
        }
        for bad in [0.51, 0.75, 1.5, -1.0, 1e-9, 1e18, f64::NAN, f64::INFINITY] {
            assert!(Amount::of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_larger_of_two_is_that_which_takes_more() {
        let [half, quarter, one, two] = [
            Amount::Shared(2),
            Amount::Shared(4),
            Amount::Whole(1),
            Amount::Whole(2),
        ];
        assert_eq!(half.larger(quarter), half);
        assert_eq!(half.larger(one), one);
        assert_eq!(two.larger(one), two);
    }

    proptest! {
        /// As many parts as an address is said to have go into it, and not one more.
        #[test]
        fn as_many_tasks_as_are_told_share_an_address(tasks in 2_u32..=10_000) {
            let parts = u64::from(Amount::Shared(tasks).parts());
            let whole = u64::from(Amount::PARTS);
            prop_assert!(parts * u64::from(tasks) <= whole);
            prop_assert!(parts * u64::from(tasks + 1) > whole);
        }
    }
}
