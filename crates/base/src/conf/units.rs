//! Times and sizes as Spark writes them: `10s`, `1.5h`, `512k`, `2g`.
//!
//! Responsible for turning such text into a [`Duration`] or a number of bytes
//! and back. A number without a unit counts in the property's base unit, which
//! is why that unit is an argument.

use std::fmt;
use std::time::Duration;

/// The units of time strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// `us`
    Microseconds,
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m` or `min`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

impl TimeUnit {
    fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "us" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" | "min" => Self::Minutes,
            "h" => Self::Hours,
            "d" => Self::Days,
            _ => return None,
        })
    }

    const fn nanoseconds(self) -> u64 {
        match self {
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60 * 1_000_000_000,
            Self::Hours => 3_600 * 1_000_000_000,
            Self::Days => 86_400 * 1_000_000_000,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Microseconds => "microseconds",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        })
    }
}

/// The units of sizes. Powers of 1024, as in Spark, whatever the spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeUnit {
    /// `b`
    Bytes,
    /// `k` or `kb`
    KiB,
    /// `m` or `mb`
    MiB,
    /// `g` or `gb`
    GiB,
    /// `t` or `tb`
    TiB,
}

impl SizeUnit {
    fn from_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "b" => Self::Bytes,
            "k" | "kb" | "kib" => Self::KiB,
            "m" | "mb" | "mib" => Self::MiB,
            "g" | "gb" | "gib" => Self::GiB,
            "t" | "tb" | "tib" => Self::TiB,
            _ => return None,
        })
    }

    /// How many bytes one of this unit is.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::KiB => 1 << 10,
            Self::MiB => 1 << 20,
            Self::GiB => 1 << 30,
            Self::TiB => 1 << 40,
        }
    }
}

impl fmt::Display for SizeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::KiB => "KiB",
            Self::MiB => "MiB",
            Self::GiB => "GiB",
            Self::TiB => "TiB",
        })
    }
}

/// Reads a time string. `None` if it is none, negative, or out of range.
///
/// Spark refuses fractions except in the few properties that are plain numbers
/// of seconds (`spark.mesos.driver.failoverTimeout`); here all take them.
pub fn parse_duration(text: &str, bare: TimeUnit) -> Option<Duration> {
    let (number, unit) = number_and_suffix(text)?;
    let unit = match unit.as_str() {
        "" => bare,
        suffix => TimeUnit::from_suffix(suffix)?,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(unit.nanoseconds())
            .map(Duration::from_nanos);
    }
    let seconds =
        number.parse::<f64>().ok()? * Duration::from_nanos(unit.nanoseconds()).as_secs_f64();
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads a size as a number of bytes. `None` if it is none, or out of range.
/// Fractions are refused, as in Spark: `1.5g` is `1536m`.
pub fn parse_size(text: &str, bare: SizeUnit) -> Option<u64> {
    let (number, unit) = number_and_suffix(text)?;
    let unit = match unit.as_str() {
        "" => bare,
        suffix => SizeUnit::from_suffix(suffix)?,
    };
    number.parse::<u64>().ok()?.checked_mul(unit.bytes())
}

/// Splits at the end of the digits; the suffix is in lower case.
fn number_and_suffix(text: &str) -> Option<(&str, String)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    // `f64` reads `.5` and `5.`; a setting written so is likelier a slip.
    let digits_at_both_ends = number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit());
    digits_at_both_ends.then(|| (number, suffix.trim_start().to_ascii_lowercase()))
}

/// The shortest time string that means exactly `duration`, to the microsecond.
pub fn show_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    for (unit, suffix) in [
        (TimeUnit::Days, "d"),
        (TimeUnit::Hours, "h"),
        (TimeUnit::Minutes, "m"),
        (TimeUnit::Seconds, "s"),
        (TimeUnit::Milliseconds, "ms"),
    ] {
        let one = u128::from(unit.nanoseconds());
        if nanoseconds > 0 && nanoseconds.is_multiple_of(one) {
            return format!("{}{suffix}", nanoseconds / one);
        }
    }
    match nanoseconds / 1_000 {
        0 => "0s".to_owned(),
        microseconds => format!("{microseconds}us"),
    }
}

/// The shortest size that means exactly `bytes`.
pub fn show_size(bytes: u64) -> String {
    for (unit, suffix) in [
        (SizeUnit::TiB, "t"),
        (SizeUnit::GiB, "g"),
        (SizeUnit::MiB, "m"),
        (SizeUnit::KiB, "k"),
    ] {
        if bytes > 0 && bytes.is_multiple_of(unit.bytes()) {
            return format!("{}{suffix}", bytes / unit.bytes());
        }
    }
    format!("{bytes}b")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_of_time_is_read() {
        for (text, expected) in [
            ("50us", Duration::from_micros(50)),
            ("50ms", Duration::from_millis(50)),
            ("50s", Duration::from_secs(50)),
            ("50m", Duration::from_secs(3_000)),
            ("50min", Duration::from_secs(3_000)),
            ("50h", Duration::from_secs(180_000)),
            ("50d", Duration::from_secs(4_320_000)),
            (" 1.5H ", Duration::from_secs(5_400)),
            ("0.0", Duration::ZERO),
            ("3 s", Duration::from_secs(3)),
        ] {
            assert_eq!(
                parse_duration(text, TimeUnit::Seconds),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bare_number_counts_in_the_base_unit() {
        assert_eq!(
            parse_duration("250", TimeUnit::Milliseconds),
            Some(Duration::from_millis(250))
        );
        assert_eq!(parse_size("3", SizeUnit::MiB), Some(3 << 20));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "s",
            "-1",
            "-1s",
            "1x",
            "1 2s",
            ".5s",
            "5.s",
            "1.2.3s",
            "1e3",
            "inf",
            "99999999999d",
        ] {
            assert_eq!(parse_duration(text, TimeUnit::Seconds), None, "{text}");
        }
    }

    #[test]
    fn every_unit_of_size_is_read() {
        for (text, expected) in [
            ("7b", 7),
            ("7k", 7 << 10),
            ("7KB", 7 << 10),
            ("7m", 7 << 20),
            ("7g", 7 << 30),
            ("7tb", 7 << 40),
        ] {
            assert_eq!(parse_size(text, SizeUnit::Bytes), Some(expected), "{text}");
        }
        for text in ["", "g", "1.5g", "-1g", "1p5", "99999999999t"] {
            assert_eq!(parse_size(text, SizeUnit::Bytes), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(micros in 0u64..u64::MAX / 1_000, bytes: u64) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(
                parse_duration(&show_duration(duration), TimeUnit::Seconds),
                Some(duration)
            );
            prop_assert_eq!(parse_size(&show_size(bytes), SizeUnit::Bytes), Some(bytes));
        }

        #[test]
        fn no_text_makes_them_panic(text in ".{0,40}") {
            let _ = parse_duration(&text, TimeUnit::Days);
            let _ = parse_size(&text, SizeUnit::TiB);
        }
    }
}
