//! Amounts of scalar resources, such as cpus or MiB of memory.
//!
//! Responsible for computing exactly as Mesos does: an amount is a whole number
//! of thousandths, so `0.1 + 0.2` is `0.3` on both sides of the wire and the
//! master never finds a task a hair larger than its offer. Used by everything
//! that counts resources. Must not compute with floating point numbers: they
//! are converted at the edges, here.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

/// How many parts one unit has.
const PARTS: i64 = 1000;

/// An amount of a scalar resource: zero or more, in thousandths of its unit.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Scalar(i64);

/// Why a number is no amount of a resource.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScalarError {
    /// Infinities and NaN, which Mesos does not accept as resources.
    #[error("amount {0} is not a finite number")]
    NotFinite(f64),
    /// Mesos has no negative resources.
    #[error("amount {0} is negative")]
    Negative(f64),
    /// Mesos refuses an amount that is not zero but would be rounded to it.
    #[error("amount {0} is smaller than 0.001, the least that Mesos counts")]
    TooSmall(f64),
    /// More thousandths than Mesos's 64-bit integer holds.
    #[error("amount {0} is larger than {max}, the most that Mesos counts", max = Scalar::MAX)]
    TooLarge(f64),
    /// A text that is no number.
    #[error("'{0}' is not a number")]
    NotANumber(String),
}

impl Scalar {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that can be counted.
    pub const MAX: Self = Self(i64::MAX);

    /// An amount of whole units.
    pub const fn new(units: u32) -> Self {
        Self(units as i64 * PARTS)
    }

    /// An amount in thousandths of a unit. What exceeds [`Scalar::MAX`] is cut
    /// to it.
    pub const fn from_milli(milli: u64) -> Self {
        if milli > i64::MAX as u64 {
            Self::MAX
        } else {
            Self(milli as i64)
        }
    }

    /// The amount as it stands on the wire, rounded to thousandths half away
    /// from zero, as Mesos rounds.
    ///
    /// # Errors
    /// A number that Mesos would refuse as the amount of a resource.
    pub fn from_f64(amount: f64) -> Result<Self, ScalarError> {
        // The first float beyond i64: every float below it converts exactly.
        const BEYOND: f64 = i64::MAX as f64;
        if !amount.is_finite() {
            return Err(ScalarError::NotFinite(amount));
        }
        if amount < 0.0 {
            return Err(ScalarError::Negative(amount));
        }
        let parts = (amount * PARTS as f64).round();
        if parts >= BEYOND {
            Err(ScalarError::TooLarge(amount))
        } else if parts == 0.0 && amount != 0.0 {
            Err(ScalarError::TooSmall(amount))
        } else {
            Ok(Self(parts as i64))
        }
    }

    /// The amount as Mesos writes it on the wire.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / PARTS as f64
    }

    /// The amount in thousandths; never negative.
    pub const fn milli(self) -> i64 {
        self.0
    }

    /// The whole units in it, rounded down: how Spark counts offered cores.
    pub const fn whole_units(self) -> u64 {
        (self.0 / PARTS) as u64
    }

    /// Whether it is a whole number of units, as Mesos demands of `gpus`.
    pub const fn is_whole(self) -> bool {
        self.0 % PARTS == 0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left without `other`, or `None` if there is less than that.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        if other.0 > self.0 {
            None
        } else {
            Some(Self(self.0 - other.0))
        }
    }

    /// What is left without `other`, nothing if there is less than that.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        match self.checked_sub(other) {
            Some(rest) => rest,
            None => Self::ZERO,
        }
    }

    /// So many times the amount; stops at [`Scalar::MAX`].
    #[must_use]
    pub const fn saturating_mul(self, times: u32) -> Self {
        Self(self.0.saturating_mul(times as i64))
    }

    /// How many times `part` goes into it. `None` if `part` is zero.
    pub const fn times(self, part: Self) -> Option<u64> {
        if part.0 == 0 {
            None
        } else {
            Some((self.0 / part.0) as u64)
        }
    }
}

impl From<u32> for Scalar {
    fn from(units: u32) -> Self {
        Self::new(units)
    }
}

impl TryFrom<f64> for Scalar {
    type Error = ScalarError;

    fn try_from(amount: f64) -> Result<Self, ScalarError> {
        Self::from_f64(amount)
    }
}

impl Add for Scalar {
    type Output = Self;

    /// Stops at [`Scalar::MAX`].
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Scalar {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Scalar {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Scalar {
    /// Writes at most three decimals and no needless zeros: `2`, `0.1`, `0.125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, parts) = (self.0 / PARTS, self.0 % PARTS);
        let text = match parts {
            0 => format!("{units}"),
            _ if parts % 100 == 0 => format!("{units}.{}", parts / 100),
            _ if parts % 10 == 0 => format!("{units}.{:02}", parts / 10),
            _ => format!("{units}.{parts:03}"),
        };
        f.pad(&text)
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Scalar {
    type Err = ScalarError;

    fn from_str(text: &str) -> Result<Self, ScalarError> {
        let amount: f64 = text
            .trim()
            .parse()
            .map_err(|_| ScalarError::NotANumber(text.to_owned()))?;
        Self::from_f64(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar(amount: f64) -> Scalar {
        Scalar::from_f64(amount).expect("an amount")
    }

    #[test]
    fn a_tenth_and_two_tenths_are_three_tenths() {
        assert_eq!(scalar(0.1) + scalar(0.2), scalar(0.3));
        assert_eq!((0..10).map(|_| scalar(0.1)).sum::<Scalar>(), scalar(1.0));
        assert_eq!(scalar(0.3).checked_sub(scalar(0.1)), Some(scalar(0.2)));
    }

    #[test]
    fn amounts_are_rounded_to_thousandths_half_away_from_zero() {
        assert_eq!(scalar(0.0005).milli(), 1);
        assert_eq!(scalar(1.0004).milli(), 1000);
        assert_eq!(scalar(2.0625).milli(), 2063);
        assert_eq!(scalar(6_144.000_000_000_001), Scalar::new(6144));
    }

    #[test]
    fn zero_is_an_amount_and_so_is_minus_zero() {
        assert_eq!(Scalar::from_f64(0.0), Ok(Scalar::ZERO));
        assert_eq!(Scalar::from_f64(-0.0), Ok(Scalar::ZERO));
    }

    #[test]
    fn what_mesos_refuses_is_refused() {
        assert_eq!(
            Scalar::from_f64(f64::INFINITY),
            Err(ScalarError::NotFinite(f64::INFINITY))
        );
        assert!(matches!(
            Scalar::from_f64(f64::NAN),
            Err(ScalarError::NotFinite(_))
        ));
        assert_eq!(
            Scalar::from_f64(-0.0001),
            Err(ScalarError::Negative(-0.0001))
        );
        assert_eq!(Scalar::from_f64(0.0004), Err(ScalarError::TooSmall(0.0004)));
        assert_eq!(Scalar::from_f64(1e300), Err(ScalarError::TooLarge(1e300)));
        let first_beyond = 9_223_372_036_854_776.0;
        assert_eq!(
            Scalar::from_f64(first_beyond),
            Err(ScalarError::TooLarge(first_beyond))
        );
    }

    #[test]
    fn an_amount_prints_without_needless_zeros() {
        for (milli, text) in [
            (0, "0"),
            (2000, "2"),
            (100, "0.1"),
            (10, "0.01"),
            (1, "0.001"),
            (125, "0.125"),
            (1_050, "1.05"),
            (6_144_000, "6144"),
        ] {
            assert_eq!(Scalar::from_milli(milli).to_string(), text);
        }
        assert_eq!(format!("{:>6}|", Scalar::new(2)), "     2|");
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        let wrong = |text: &str| text.parse::<Scalar>().expect_err("no amount").to_string();
        assert_eq!(wrong("many"), "'many' is not a number");
        assert_eq!(wrong("-1"), "amount -1 is negative");
        assert_eq!(wrong("inf"), "amount inf is not a finite number");
        assert_eq!(
            wrong("0.0001"),
            "amount 0.0001 is smaller than 0.001, the least that Mesos counts"
        );
    }

    #[test]
    fn whole_units_are_rounded_down() {
        assert_eq!(scalar(3.999).whole_units(), 3);
        assert!(!scalar(3.999).is_whole());
        assert_eq!(scalar(3.5).times(scalar(0.5)), Some(7));
        assert_eq!(scalar(3.5).times(Scalar::ZERO), None);
    }

    #[test]
    fn sums_and_products_stop_at_the_largest_amount() {
        assert_eq!(Scalar::MAX + Scalar::new(1), Scalar::MAX);
        assert_eq!(Scalar::MAX.saturating_mul(2), Scalar::MAX);
        assert_eq!(Scalar::from_milli(u64::MAX), Scalar::MAX);
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(a in 0..1u64 << 62, b in 0..1u64 << 62) {
            let (a, b) = (Scalar::from_milli(a), Scalar::from_milli(b));
            prop_assert_eq!((a + b).checked_sub(b), Some(a));
        }

        #[test]
        fn no_difference_is_negative(a: u64, b: u64) {
            let (a, b) = (Scalar::from_milli(a), Scalar::from_milli(b));
            prop_assert_eq!(a.checked_sub(b).is_none(), b > a);
            prop_assert!(a.saturating_sub(b) >= Scalar::ZERO);
        }

        #[test]
        fn the_wire_and_the_printed_form_keep_the_amount(milli in 0..1_000_000_000_000_000u64) {
            let amount = Scalar::from_milli(milli);
            prop_assert_eq!(Scalar::from_f64(amount.to_f64()), Ok(amount));
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn no_number_makes_a_negative_amount(number: f64) {
            if let Ok(amount) = Scalar::from_f64(number) {
                prop_assert!(amount >= Scalar::ZERO);
            }
        }
    }
}
