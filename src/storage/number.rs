//! Decimal numbers, added exactly.
//!
//! Responsible for the sums of `sum_by_key`: whatever the order in which parts
//! are added, the result is the same, so it does not depend on where and how
//! often tasks ran.

use std::fmt;

/// No more digits after the point.
const MOST_SCALE: u32 = 18;

/// `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number {
    mantissa: i128,
    scale: u32,
}

impl Number {
    /// A whole number.
    pub const fn whole(number: i128) -> Self {
        Self {
            mantissa: number,
            scale: 0,
        }
    }

    /// Reads `[+-]digits[.digits]`; spaces around it do not matter. `None` if
    /// it is not that, or too long to be exact.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let (negative, digits) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        let mut mantissa: i128 = 0;
        let mut scale = None;
        let mut some = false;
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    some = true;
                    mantissa = mantissa
                        .checked_mul(10)?
                        .checked_add(i128::from(byte - b'0'))?;
                    if let Some(scale) = &mut scale {
                        *scale += 1;
                    }
                }
                b'.' if scale.is_none() => scale = Some(0),
                _ => return None,
            }
        }
        let scale = scale.unwrap_or(0);
        (some && scale <= MOST_SCALE).then_some(Self {
            mantissa: if negative { -mantissa } else { mantissa },
            scale,
        })
    }

    /// The sum; `None` if it is too large to be exact.
    pub fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Some(Self {
            mantissa: self.at(scale)?.checked_add(other.at(scale)?)?,
            scale,
        })
    }

    fn at(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(10_i128.pow(scale - self.scale))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = 10_u128.pow(self.scale);
        let (whole, mut rest) = (
            self.mantissa.unsigned_abs() / power,
            self.mantissa.unsigned_abs() % power,
        );
        let mut digits = self.scale as usize;
        // The shortest form, so that equal sums are equal text.
        while digits > 0 && rest.is_multiple_of(10) {
            rest /= 10;
            digits -= 1;
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if digits == 0 {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{rest:0digits$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[&str]) -> String {
        numbers
            .iter()
            .try_fold(Number::default(), |sum, text| {
                sum.plus(Number::read(text.as_bytes())?)
            })
            .map_or_else(|| "none".into(), |sum| sum.to_string())
    }

    #[test]
    fn sums_are_exact_in_any_order_and_written_shortest() {
        assert_eq!(sum(&["0.1", "0.2"]), "0.3");
        assert_eq!(sum(&["0.2", "0.1", "-0.3"]), "0");
        assert_eq!(sum(&["-1.50", " 1 "]), "-0.5");
        assert_eq!(sum(&["+7", ".5", "2."]), "9.5");
        assert_eq!(sum(&["9223372036854775807", "1"]), "9223372036854775808");
    }

    #[test]
    fn what_is_no_exact_decimal_is_refused() {
        for text in ["", "-", ".", "1e3", "0x1", "1.2.3", "1 2", "nan"] {
            assert_eq!(Number::read(text.as_bytes()), None, "{text:?}");
        }
        let long = "9".repeat(60);
        assert_eq!(Number::read(long.as_bytes()), None);
        assert_eq!(Number::read(b"0.1234567890123456789"), None);
    }
}
