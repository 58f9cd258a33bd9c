//! Times as people and programs write them. Pure.
//!
//! Responsible for dates out of milliseconds since the Unix epoch, in universal time.

/// The parts of a moment.
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: u64,
    minute: u64,
    second: u64,
    milli: u64,
}

/// A day in milliseconds.
const DAY: u64 = 86_400_000;

/// No moment beyond this is written: the year 9999 is over.
const LAST: u64 = 253_402_300_799_999;

impl Moment {
    /// By the usual way from days to the Gregorian calendar: years begin in March, and
    /// 400 of them have 146,097 days.
    fn of(millis: u64) -> Self {
        let millis = millis.min(LAST);
        let days = (millis / DAY) as i64 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let rest = millis % DAY;
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            milli: rest % 1000,
        }
    }
}

/// As Spark's API writes it: `2026-11-30T03:34:30.123GMT`.
pub fn api(millis: u64) -> String {
    let Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
        milli,
    } = Moment::of(millis);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}GMT")
}

/// For people: `2026-11-30 03:34:30`.
pub fn people(millis: u64) -> String {
    let moment = Moment::of(millis);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    )
}

/// Milliseconds since the Unix epoch of a date as the API takes it: `2026-11-30`, with
/// or without a time behind it.
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix("GMT").unwrap_or(time)),
        None => (text, ""),
    };
    let mut parts = date.splitn(3, '-').map(|it| it.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !((1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)) {
        return None;
    }
    // The way back: see `Moment::of`.
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = u64::try_from(era * 146_097 + of_era - 719_468).ok()?;
    let mut millis = 0;
    if !time.is_empty() {
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut parts = clock.splitn(3, ':').map(|it| it.parse::<u64>().ok());
        let (hour, minute) = (parts.next()??, parts.next()??);
        let second = parts.next().unwrap_or(Some(0))?;
        let fraction: u64 = fraction.parse().ok()?;
        if hour > 23 || minute > 59 || second > 60 || fraction > 999 {
            return None;
        }
        millis = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    }
    Some(days * DAY + millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000GMT"),
            (951_782_400_000, "2000-02-29T00:00:00.000GMT"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999GMT"),
            (1_709_251_200_001, "2024-03-01T00:00:00.001GMT"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000GMT"),
            (u64::MAX, "9999-12-31T23:59:59.999GMT"),
        ] {
            assert_eq!(api(millis), text);
        }
        assert_eq!(people(86_399_000), "1970-01-01 23:59:59");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-01-32",
            "x-1-1",
            "2026-01-01T",
            "1969-12-31",
        ] {
            let read = parse(text);
            assert!(read.is_none() || text.ends_with('T'), "{text}: {read:?}");
        }
        assert_eq!(parse("1970-01-02"), Some(DAY));
        assert_eq!(parse("1970-01-01T00:01GMT"), Some(60_000));
    }

    proptest! {
        #[test]
        fn a_date_that_was_written_is_read(millis in 0..=LAST) {
            prop_assert_eq!(parse(&api(millis)), Some(millis));
        }
    }
}
