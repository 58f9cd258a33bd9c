//! The values that properties can have, once read.
//!
//! Responsible for the value types that are ours ([`ByteSize`], [`Choice`], and [`Secret`]) and for the door from a checked [`Value`] to the type a caller
//! gets ([`Setting`]). Reading text is [`syntax`](super::syntax)'s.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::master_url::MasterUrl;
use super::secret::Secret;
use super::units::{self, SizeUnit};
use crate::ids::{FrameworkId, Role};

/// An amount of memory or data, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// So many MiB.
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib * SizeUnit::MiB.bytes())
    }

    /// Bytes, as many as an address can count.
    pub fn whole_bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Whole MiB, the unit of Mesos's `mem` and `disk`; a rest is dropped, as
    /// Spark drops it.
    pub const fn whole_mib(self) -> u64 {
        self.0 / SizeUnit::MiB.bytes()
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&units::show_size(self.0))
    }
}

/// A property's value after its text was read and checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a boolean property.
    Boolean(bool),
    /// Of a whole number.
    Integer(u64),
    /// Of a number with a fraction.
    Decimal(f64),
    /// Of a time.
    Duration(Duration),
    /// Of a size.
    Size(ByteSize),
    /// Of text, a path or a name.
    Text(String),
    /// Of a comma-separated list.
    List(Vec<String>),
    /// Of a secret.
    Secret(Secret),
    /// One word of a fixed set, as the set spells it.
    Word(&'static str),
    /// Of `spark.master`.
    Master(MasterUrl),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => value.fmt(f),
            Self::Duration(value) => f.write_str(&units::show_duration(*value)),
            Self::Size(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::List(items) => f.write_str(&items.join(",")),
            Self::Secret(value) => value.fmt(f),
            Self::Word(value) => f.write_str(value),
            Self::Master(value) => value.fmt(f),
        }
    }
}

/// A type that [`Conf::get`](super::Conf::get) can answer with.
///
/// The constructors in [`property`](super::property) pair each type with the
/// syntax that yields its kind of value, so a mismatch cannot be declared.
pub trait Setting: Sized {
    /// Takes the value out; `value` is `None` if the property has none.
    /// Answers `None` if the value is of another kind.
    fn read(value: Option<&Value>) -> Option<Self>;
}

impl<T: Setting> Setting for Option<T> {
    fn read(value: Option<&Value>) -> Option<Self> {
        match value {
            None => Some(None),
            Some(_) => T::read(value).map(Some),
        }
    }
}

macro_rules! settings {
    ($($type:ty: $pattern:pat => $result:expr;)*) => {$(
        impl Setting for $type {
            fn read(value: Option<&Value>) -> Option<Self> {
                match value? {
                    $pattern => $result,
                    _ => None,
                }
            }
        }
    )*};
}

settings! {
    bool: Value::Boolean(value) => Some(*value);
    u32: Value::Integer(value) => u32::try_from(*value).ok();
    u64: Value::Integer(value) => Some(*value);
    f64: Value::Decimal(value) => Some(*value);
    Duration: Value::Duration(value) => Some(*value);
    ByteSize: Value::Size(value) => Some(*value);
    String: Value::Text(value) => Some(value.clone());
    PathBuf: Value::Text(value) => Some(PathBuf::from(value));
    Role: Value::Text(value) => Some(Role::from(value.as_str()));
    FrameworkId: Value::Text(value) => Some(FrameworkId::from(value.as_str()));
    Vec<String>: Value::List(value) => Some(value.clone());
    Secret: Value::Secret(value) => Some(value.clone());
    MasterUrl: Value::Master(value) => Some(value.clone());
}

impl<C: Choice> Setting for C {
    fn read(value: Option<&Value>) -> Option<Self> {
        match value? {
            Value::Word(word) => C::from_word(word),
            _ => None,
        }
    }
}

/// A whole-number type that properties can have.
pub trait Whole: Setting {
    /// The largest value of the type.
    const MAX: u64;
}

impl Whole for u32 {
    const MAX: u64 = u32::MAX as u64;
}

impl Whole for u64 {
    const MAX: u64 = u64::MAX;
}

/// A type whose values are written as plain text.
pub trait Textual: Setting {}

impl Textual for String {}
impl Textual for Role {}
impl Textual for FrameworkId {}

/// An enumeration whose values are written as words.
pub trait Choice: Copy + 'static {
    /// The words, in the order they are shown. Matched whatever their case.
    const WORDS: &'static [&'static str];

    /// The value that is written `word`, which is one of [`Self::WORDS`].
    fn from_word(word: &str) -> Option<Self>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars_however_it_is_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(secret.to_string(), "***");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(
            format!("{:?}", Value::Secret(secret.clone())),
            "Secret(***)"
        );
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn memory_counts_whole_mib() {
        assert_eq!(ByteSize((3 << 20) + 5).whole_mib(), 3);
        assert_eq!(ByteSize::from_mib(512).to_string(), "512m");
    }

    #[test]
    fn a_value_of_another_kind_is_not_read() {
        assert_eq!(bool::read(Some(&Value::Integer(1))), None);
        assert_eq!(u32::read(Some(&Value::Integer(u64::MAX))), None);
        assert_eq!(Option::<bool>::read(None), Some(None));
    }
}
