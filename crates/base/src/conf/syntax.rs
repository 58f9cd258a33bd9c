//! How a property's value is written.
//!
//! Responsible for reading a value's text into a [`Value`] within its bounds,
//! and for saying in words what would have been accepted. A syntax is plain
//! data, so that declarations can be constants and documentation can be made
//! from them.

use std::time::Duration;

use super::master_url::MasterUrl;
use super::secret::Secret;
use super::units::{self, SizeUnit, TimeUnit};
use super::value::{ByteSize, Value};

/// A further rule for a text value: `Err` says what the text must be.
pub type TextRule = fn(&str) -> Result<(), &'static str>;

/// The written form of a property's value, with its bounds.
#[derive(Clone, Copy, Debug)]
pub enum Syntax {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two bounds, both included.
    Integer {
        /// The smallest accepted.
        min: u64,
        /// The largest accepted.
        max: u64,
    },
    /// A number, perhaps with a fraction, between two bounds, both included.
    Decimal {
        /// The smallest accepted.
        min: f64,
        /// The largest accepted; may be infinite, the value may not.
        max: f64,
    },
    /// A time string.
    Duration {
        /// What a number without unit counts.
        bare: TimeUnit,
        /// The shortest accepted.
        min: Duration,
        /// The longest accepted.
        max: Duration,
    },
    /// A size string.
    Size {
        /// What a number without unit counts.
        bare: SizeUnit,
        /// The smallest accepted.
        min: ByteSize,
    },
    /// Any text that is not empty and follows the rule.
    Text(TextRule),
    /// The path of a file or folder.
    Path,
    /// Items separated by commas; blanks around them are dropped.
    List,
    /// Text that is never shown.
    Secret,
    /// One word of a set.
    Choice(&'static [&'static str]),
    /// A master URL.
    Master,
}

/// An upper bound from here on is one of the type, not of the matter: not shown.
const UNBOUNDED: u64 = u32::MAX as u64;

/// Times longer than this (about 100 years) are refused: Mesos counts its
/// failover timeout in nanoseconds of 63 bits, and no wait is meant so long.
pub const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

impl Syntax {
    /// Reads `text`; the error says what it must be, to follow "must be".
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let value = match *self {
            Self::Boolean => parse_boolean(text).map(Value::Boolean),
            Self::Integer { min, max } => text
                .parse()
                .ok()
                .filter(|value| (min..=max).contains(value))
                .map(Value::Integer),
            Self::Decimal { min, max } => text
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite() && (min..=max).contains(value))
                .map(Value::Decimal),
            Self::Duration { bare, min, max } => units::parse_duration(text, bare)
                .filter(|value| (min..=max).contains(value))
                .map(Value::Duration),
            Self::Size { bare, min } => units::parse_size(text, bare)
                .map(ByteSize)
                .filter(|value| *value >= min)
                .map(Value::Size),
            Self::Text(rule) if !text.is_empty() => {
                rule(text)?;
                Some(Value::Text(text.to_owned()))
            }
            Self::Path if !text.is_empty() => Some(Value::Text(text.to_owned())),
            Self::Secret if !text.is_empty() => Some(Value::Secret(Secret::new(text))),
            Self::Text(_) | Self::Path | Self::Secret => None,
            Self::List => Some(Value::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            )),
            Self::Choice(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| Value::Word(word)),
            Self::Master => {
                return text
                    .parse::<MasterUrl>()
                    .map(Value::Master)
                    .map_err(|error| format!("a master URL: {error}"));
            }
        };
        value.ok_or_else(|| self.accepted())
    }

    /// What is accepted, to follow "must be".
    pub fn accepted(&self) -> String {
        let bounds = self.bounds();
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { .. } => format!("a whole number{bounds}"),
            Self::Decimal { .. } => format!("a number{bounds}"),
            Self::Duration { bare, .. } => format!(
                "a time{bounds}, such as 500ms, 10s, 5m, 2h or 1d (a bare number counts {bare})"
            ),
            Self::Size { bare, .. } => {
                format!("a size{bounds}, such as 512k, 64m or 2g (a bare number counts {bare})")
            }
            Self::Text(_) => "text that is not empty".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::List => "items separated by commas".to_owned(),
            Self::Secret => "text that is not empty (it is never shown)".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::Master => "a master URL".to_owned(),
        }
    }

    /// The type and unit in a few words, for lists of properties.
    pub fn summary(&self) -> String {
        let bounds = self.bounds();
        match self {
            Self::Boolean => "boolean".to_owned(),
            Self::Integer { .. } => format!("whole number{bounds}"),
            Self::Decimal { .. } => format!("number{bounds}"),
            Self::Duration { bare, .. } => format!("time in {bare}{bounds}"),
            Self::Size { bare, .. } => format!("size in {bare}{bounds}"),
            Self::Text(_) => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::List => "list".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::Master => "master URL".to_owned(),
        }
    }

    /// The bounds, as far as they are not those of the type.
    fn bounds(&self) -> String {
        let (min, max) = match *self {
            Self::Integer { min, max } => (
                (min > 0).then(|| min.to_string()),
                (max < UNBOUNDED).then(|| max.to_string()),
            ),
            Self::Decimal { min, max } => (
                min.is_finite().then(|| min.to_string()),
                max.is_finite().then(|| max.to_string()),
            ),
            Self::Duration { min, max, .. } => (
                (min > Duration::ZERO).then(|| units::show_duration(min)),
                (max < LONGEST).then(|| units::show_duration(max)),
            ),
            Self::Size { min, .. } => ((min > ByteSize(0)).then(|| min.to_string()), None),
            Self::Boolean
            | Self::Text(_)
            | Self::Path
            | Self::List
            | Self::Secret
            | Self::Choice(_)
            | Self::Master => (None, None),
        };
        match (min, max) {
            (None, None) => String::new(),
            (Some(min), None) => format!(", at least {min}"),
            (None, Some(max)) => format!(", at most {max}"),
            (Some(min), Some(max)) => format!(", from {min} to {max}"),
        }
    }

    /// The text of a value as it may be printed: secrets and the credentials
    /// within master URLs are left out.
    pub fn redact(&self, text: &str) -> String {
        match self {
            Self::Secret => Secret::SHOWN.to_owned(),
            Self::Master => MasterUrl::redact(text),
            Self::Boolean
            | Self::Integer { .. }
            | Self::Decimal { .. }
            | Self::Duration { .. }
            | Self::Size { .. }
            | Self::Text(_)
            | Self::Path
            | Self::List
            | Self::Choice(_) => text.to_owned(),
        }
    }
}

/// Spark reads booleans as Scala does: these two words in any case.
fn parse_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Syntax = Syntax::Duration {
        bare: TimeUnit::Seconds,
        min: Duration::from_secs(1),
        max: LONGEST,
    };

    #[test]
    fn booleans_are_true_or_false_in_any_case() {
        assert_eq!(Syntax::Boolean.parse(" TRUE "), Ok(Value::Boolean(true)));
        assert_eq!(Syntax::Boolean.parse("False"), Ok(Value::Boolean(false)));
        for text in ["", "yes", "1", "on", "truee"] {
            assert_eq!(
                Syntax::Boolean.parse(text),
                Err("true or false".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        let cores = Syntax::Integer { min: 1, max: 64 };
        assert_eq!(cores.parse("64"), Ok(Value::Integer(64)));
        for text in ["0", "65", "-1", "1.5", "", "one"] {
            assert_eq!(
                cores.parse(text),
                Err("a whole number, from 1 to 64".to_owned()),
                "{text}"
            );
        }
        let factor = Syntax::Decimal {
            min: 0.0,
            max: f64::INFINITY,
        };
        assert_eq!(factor.parse("0.10"), Ok(Value::Decimal(0.10)));
        for text in ["-0.1", "inf", "NaN", "", "x"] {
            assert_eq!(
                factor.parse(text),
                Err("a number, at least 0".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_out_of_bounds_is_told_the_bounds() {
        assert_eq!(
            SECONDS.parse("5"),
            Ok(Value::Duration(Duration::from_secs(5)))
        );
        assert_eq!(
            SECONDS.parse("0.5s"),
            Err("a time, at least 1s, such as 500ms, 10s, 5m, 2h or 1d (a bare number counts seconds)".to_owned())
        );
        assert!(SECONDS.parse("36501d").is_err());
    }

    #[test]
    fn a_list_drops_blanks_and_empty_items() {
        assert_eq!(
            Syntax::List.parse(" a, b,,c "),
            Ok(Value::List(vec!["a".into(), "b".into(), "c".into()]))
        );
        assert_eq!(Syntax::List.parse(""), Ok(Value::List(vec![])));
    }

    #[test]
    fn a_choice_is_matched_in_any_case_and_kept_as_declared() {
        let codec = Syntax::Choice(&["protobuf", "json"]);
        assert_eq!(codec.parse("JSON"), Ok(Value::Word("json")));
        assert_eq!(codec.parse("xml"), Err("protobuf or json".to_owned()));
    }

    #[test]
    fn what_is_secret_is_redacted() {
        assert_eq!(Syntax::Secret.redact("hunter2"), "***");
        assert_eq!(Syntax::Master.redact("zk://u:hunter2@h/p"), "zk://***@h/p");
        assert_eq!(Syntax::Boolean.redact("maybe"), "maybe");
    }
}
