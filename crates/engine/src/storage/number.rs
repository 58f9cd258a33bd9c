//! Decimal numbers, added exactly.
//!
//! Responsible for the sums of `sum_by_key`: whatever the order in which parts
//! are added, the result is the same, so it does not depend on where and how
//! often tasks ran.

use std::fmt;
use std::io::Write;

/// No more digits after the point.
const MOST_SCALE: u32 = 18;

/// What has no more digits fits into 64 bits, whatever they are.
const SHORT: usize = 18;

/// The powers of ten that numbers are brought to one scale with.
const POWERS: [i64; MOST_SCALE as usize + 1] = {
    let mut powers = [1; MOST_SCALE as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = 10 * powers[at - 1];
        at += 1;
    }
    powers
};

/// `mantissa / 10^scale`, not always as short as can be.
#[derive(Clone, Copy, Debug, Default)]
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

    /// Reads `[+-]digits[.digits][e[+-]digits]`, as `sort` does; spaces around
    /// it do not matter.
    ///
    /// # Errors
    /// It is not that, or it is too long to be exact.
    pub fn read(text: &[u8]) -> Result<Self, NotExact> {
        if let Some((short, length)) = Self::read_short(text)
            && length == text.len()
        {
            return Ok(short);
        }
        let text = text.trim_ascii();
        let exponent_at = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (digits, exponent) = match exponent_at {
            Some(at) => (&text[..at], read_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (negative, digits) = match digits.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, digits),
        };
        let mut mantissa: i128 = 0;
        let mut scale: Option<i64> = None;
        let mut some = false;
        // Zeros at the end count only once another digit follows them.
        let mut zeros: u32 = 0;
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    some = true;
                    if let Some(scale) = &mut scale {
                        *scale += 1;
                    }
                    if *byte == b'0' {
                        zeros = zeros.saturating_add(1);
                        continue;
                    }
                    let shifted = match zeros {
                        0 => mantissa.checked_mul(10),
                        zeros => times_power_of_ten(mantissa, i64::from(zeros) + 1),
                    };
                    mantissa = shifted
                        .and_then(|it| it.checked_add(i128::from(byte - b'0')))
                        .ok_or(NotExact::TooLong)?;
                    zeros = 0;
                }
                b'.' if scale.is_none() => scale = Some(0),
                _ => return Err(NotExact::NoNumber),
            }
        }
        if !some {
            return Err(NotExact::NoNumber);
        }
        // The number is `mantissa * 10^power`.
        let power = i64::from(zeros) - scale.unwrap_or(0) + exponent;
        let mantissa = if negative { -mantissa } else { mantissa };
        if mantissa == 0 {
            return Ok(Self::default());
        }
        if power >= 0 {
            let mantissa = times_power_of_ten(mantissa, power).ok_or(NotExact::TooLong)?;
            return Ok(Self { mantissa, scale: 0 });
        }
        let scale = u32::try_from(-power).map_err(|_| NotExact::TooLong)?;
        if scale > MOST_SCALE {
            return Err(NotExact::TooLong);
        }
        Ok(Self { mantissa, scale })
    }

    /// Reads what most numbers are, few digits with a point or without, up to a tab or
    /// the end; and how long it is.
    pub(super) fn read_short(text: &[u8]) -> Option<(Self, usize)> {
        let start = usize::from(text.first() == Some(&b'-'));
        let (mut mantissa, mut point, mut end) = (0_i64, None, text.len());
        for (at, byte) in text.iter().enumerate().skip(start).take(SHORT + 1) {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit));
            } else if *byte == b'.' && point.is_none() {
                point = Some(at);
            } else if *byte == b'\t' {
                end = at;
                break;
            } else {
                return None;
            }
        }
        if end == start || end - start > SHORT {
            return None;
        }
        let scale = match point {
            None => 0,
            // What is left out is for others.
            Some(at) if at == start || at + 1 == end => return None,
            Some(at) => u32::try_from(end - at - 1).ok()?,
        };
        let mantissa = i128::from(if start == 1 { -mantissa } else { mantissa });
        Some((Self { mantissa, scale }, end))
    }

    /// The nearest number that is not exact.
    pub fn as_float(self) -> f64 {
        self.mantissa as f64 / 10_f64.powi(self.scale.cast_signed())
    }

    /// Whether it is smaller.
    pub fn is_less(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        match (self.at(scale), other.at(scale)) {
            (Some(a), Some(b)) => a < b,
            // One is so large that its digits behind the point decide nothing.
            _ => self.as_float() < other.as_float(),
        }
    }

    /// The sum; `None` if it is too large to be exact.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.scale == other.scale {
            let mantissa = self.mantissa.checked_add(other.mantissa)?;
            return Some(Self { mantissa, ..self });
        }
        let scale = self.scale.max(other.scale);
        Some(Self {
            mantissa: self.at(scale)?.checked_add(other.at(scale)?)?,
            scale,
        })
    }

    /// Appends it as text, as [`Display`](fmt::Display) has it: the short way for what
    /// most numbers are, since to divide 128 bits takes long.
    pub fn push_to(self, text: &mut Vec<u8>) {
        let Ok(short) = i64::try_from(self.mantissa) else {
            // Writing to memory cannot fail.
            drop(write!(text, "{self}"));
            return;
        };
        let (mut left, mut scale) = (short.unsigned_abs(), self.scale);
        while scale > 0 && left.is_multiple_of(10) {
            left /= 10;
            scale -= 1;
        }
        // From the last digit to the first: those of 64 bits, or all behind the point and
        // one before it.
        let mut digits = [0; 24];
        let (mut at, mut count) = (digits.len(), 0);
        while left > 0 || count <= scale {
            if count == scale && scale > 0 {
                at -= 1;
                digits[at] = b'.';
            }
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            count += 1;
        }
        if short < 0 {
            text.push(b'-');
        }
        text.extend_from_slice(&digits[at..]);
    }

    /// It in two parts, to be kept apart.
    pub(super) const fn parts(self) -> (i128, u8) {
        (self.mantissa, self.scale as u8)
    }

    /// What [`parts`](Self::parts) were of.
    pub(super) const fn of_parts((mantissa, scale): (i128, u8)) -> Self {
        Self {
            mantissa,
            scale: scale as u32,
        }
    }

    fn at(self, scale: u32) -> Option<i128> {
        if scale == self.scale {
            return Some(self.mantissa);
        }
        // Of few digits, as most are, the product cannot be too large.
        let power = POWERS.get((scale - self.scale) as usize);
        if let (Ok(short), Some(power)) = (i64::try_from(self.mantissa), power) {
            return Some(i128::from(short) * i128::from(*power));
        }
        self.mantissa.checked_mul(10_i128.pow(scale - self.scale))
    }
}

/// Why a text is no [`Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotExact {
    /// It is none at all.
    NoNumber,
    /// It has too many digits before or after the point.
    TooLong,
}

fn read_exponent(text: &[u8]) -> Result<i64, NotExact> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotExact::NoNumber);
    }
    // Beyond this any number but 0 is too long, and so it may be less exact.
    let most = i64::from(i32::MAX);
    let exponent = digits.iter().fold(0_i64, |exponent, digit| {
        (exponent * 10 + i64::from(digit - b'0')).min(most)
    });
    Ok(if negative { -exponent } else { exponent })
}

/// `None` if it is too large.
fn times_power_of_ten(number: i128, power: i64) -> Option<i128> {
    if number == 0 {
        return Some(0);
    }
    let power = 10_i128.checked_pow(u32::try_from(power).ok()?)?;
    number.checked_mul(power)
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
                sum.plus(Number::read(text.as_bytes()).ok()?)
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
    fn numbers_are_those_that_sort_takes() {
        assert_eq!(sum(&["1e3", "2.5E-1", "-1e+2"]), "900.25");
        assert_eq!(sum(&["0e99999999999", "1"]), "1");
        assert_eq!(sum(&["1.500000000000000000000000000", "1"]), "2.5");
        assert_eq!(sum(&["100000000000000000000e-20"]), "1");
        assert_eq!(sum(&[&format!("{}1", "0".repeat(99)), "1"]), "2");
        assert_eq!(sum(&["1e37"]), format!("1{}", "0".repeat(37)));
    }

    #[test]
    fn what_is_no_exact_decimal_is_refused() {
        for text in [
            "", "-", ".", "e3", "1e", "1e+", "1e3.5", "1e3e3", "0x1", "1.2.3", "1 2", "nan", "inf",
        ] {
            assert_eq!(
                Number::read(text.as_bytes()).err(),
                Some(NotExact::NoNumber),
                "{text:?}"
            );
        }
        let long = "9".repeat(60);
        for text in [
            &*long,
            "0.1234567890123456789",
            "1e39",
            "1e-19",
            "1e99999999999999999999",
        ] {
            assert_eq!(
                Number::read(text.as_bytes()).err(),
                Some(NotExact::TooLong),
                "{text:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_to_read_is_the_long_one(text in "-?[0-9]{0,18}(\\.[0-9]{0,5})?") {
            for behind in ["", "\t", "\t12"] {
                if let Some((short, length)) = Number::read_short(format!("{text}{behind}").as_bytes()) {
                    proptest::prop_assert_eq!(length, text.len());
                    // The blank before it leads the long way.
                    let long = Number::read(format!(" {text}").as_bytes()).expect("a number");
                    proptest::prop_assert_eq!(short.to_string(), long.to_string());
                }
            }
        }

        #[test]
        fn the_short_way_to_write_is_the_long_one(mantissa in proptest::prelude::any::<i64>(), less in 0_u32..64, scale in 0..=MOST_SCALE) {
            for mantissa in [i128::from(mantissa >> less), i128::from(mantissa >> less) * 1000, i128::from(mantissa) << less] {
                let number = Number { mantissa, scale };
                let mut text = Vec::new();
                number.push_to(&mut text);
                proptest::prop_assert_eq!(String::from_utf8(text).expect("text"), number.to_string());
            }
        }

        #[test]
        fn the_smaller_number_is_less(a in "-?[0-9]{1,12}(\\.[0-9]{1,5})?", b in "-?[0-9]{1,12}(\\.[0-9]{1,5})?") {
            let number = |text: &str| Number::read(text.as_bytes()).expect("a number");
            let float = |text: &str| text.parse::<f64>().expect("a number");
            proptest::prop_assert_eq!(number(&a).is_less(number(&b)), float(&a) < float(&b));
        }

        #[test]
        fn whatever_is_a_number_to_sort_is_one_to_sum_or_too_long(
            text in "[+-]?([0-9]{0,4}(\\.[0-9]{0,4})?)([eE][+-]?[0-9]{0,3})?|[0-9eE.+-]{0,6}",
        ) {
            let float = text.trim().parse::<f64>().ok();
            match Number::read(text.as_bytes()) {
                Ok(number) => {
                    let shown: f64 = number.to_string().parse().expect("a number");
                    let float = float.expect("sort takes it too");
                    proptest::prop_assert!((shown - float).abs() <= float.abs() * 1e-12, "{} {}", shown, float);
                }
                Err(NotExact::NoNumber) => proptest::prop_assert_eq!(float, None),
                Err(NotExact::TooLong) => proptest::prop_assert!(float.is_some()),
            }
        }
    }
}
