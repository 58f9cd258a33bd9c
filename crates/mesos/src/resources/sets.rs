//! Sets of texts: the values of set resources and attributes.
//!
//! Responsible for union, difference and containment, and for the form Mesos
//! prints. Items are kept in order, so equal sets are equal values.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A set of texts, such as the zones `{a, b}`.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Set(BTreeSet<String>);

/// A text that is no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a set of different items such as {{a,b}}")]
pub struct SetError(String);

impl Set {
    /// A set of nothing.
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the item is in it.
    pub fn contains(&self, item: &str) -> bool {
        self.0.contains(item)
    }

    /// Whether every item of `other` is in it.
    pub fn contains_all(&self, other: &Self) -> bool {
        self.0.is_superset(&other.0)
    }

    /// Adds the items of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Removes the items of `other`; those that are not in it do not matter.
    pub fn remove_all(&mut self, other: &Self) {
        self.0.retain(|item| !other.0.contains(item));
    }
}

impl<T: Into<String>> FromIterator<T> for Set {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Set {
    /// Writes as Mesos does: `{a, b}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(item)?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Set {
    type Err = SetError;

    /// Reads `{a,b}`, with blanks around the items.
    fn from_str(text: &str) -> Result<Self, SetError> {
        let malformed = || SetError(text.trim().to_owned());
        let inner = text
            .trim()
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or_else(malformed)?;
        let mut items = BTreeSet::new();
        if inner.trim().is_empty() {
            return Ok(Self(items));
        }
        for item in inner.split(',').map(str::trim) {
            if item.is_empty() || !items.insert(item.to_owned()) {
                return Err(malformed());
            }
        }
        Ok(Self(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Set {
        text.parse().expect("a set")
    }

    #[test]
    fn a_set_reads_what_it_prints() {
        assert_eq!(set("{ b,a }").to_string(), "{a, b}");
        assert_eq!(set("{a, b}"), ["b", "a"].into_iter().collect());
        assert_eq!(set("{}"), Set::new());
    }

    #[test]
    fn union_and_difference_are_of_items() {
        let mut zones = set("{a,b}");
        zones.insert_all(&set("{b,c}"));
        assert_eq!(zones, set("{a,b,c}"));
        assert!(zones.contains_all(&set("{a,c}")));
        assert!(!zones.contains_all(&set("{a,d}")));
        zones.remove_all(&set("{a,d}"));
        assert_eq!(zones, set("{b,c}"));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "a,b", "{a", "a}", "{a,,b}", "{a,a}", "{,}"] {
            assert!(text.parse::<Set>().is_err(), "{text}");
        }
        assert_eq!(
            "{a,a}".parse::<Set>().expect_err("no set").to_string(),
            "'{a,a}' is not a set of different items such as {a,b}"
        );
    }
}
