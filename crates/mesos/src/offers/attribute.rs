//! What an agent says of itself: `zone:a`, `ssd_gb:400`, `rack:[1-4]`.
//!
//! Responsible for attributes as values, and for printing them as Mesos does.
//! What is demanded of them is decided in `constraint`.

use std::fmt;
use std::sync::Arc;

use crate::resources::{Ranges, Set};

/// One attribute of an agent. An agent can have several of one name.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Attribute {
    /// What it is called.
    pub name: Arc<str>,
    /// What it is.
    pub value: AttributeValue,
}

/// The value of an attribute: one of the four types Mesos has.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum AttributeValue {
    /// A number. No amount of anything: it may be negative, and is compared as
    /// it came.
    Scalar(f64),
    /// A set of numbers.
    Ranges(Ranges),
    /// A set of texts. Agents accept no such attribute in their flags today.
    Set(Set),
    /// A text.
    Text(Arc<str>),
}

impl Attribute {
    /// An attribute of that name and value.
    pub fn new(name: impl Into<Arc<str>>, value: AttributeValue) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Three decimals, as Mesos prints every scalar.
            Self::Scalar(number) => ((number * 1000.0).round() / 1000.0).fmt(f),
            Self::Ranges(ranges) => ranges.fmt(f),
            Self::Set(items) => items.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_print_as_mesos_writes_them() {
        let values = [
            (AttributeValue::Scalar(4.0), "a:4"),
            (AttributeValue::Scalar(-0.5), "a:-0.5"),
            (AttributeValue::Scalar(1.0 / 3.0), "a:0.333"),
            (AttributeValue::Text("us-east-1".into()), "a:us-east-1"),
            (
                AttributeValue::Ranges("[1-2,5-5]".parse().expect("ranges")),
                "a:[1-2, 5-5]",
            ),
            (
                AttributeValue::Set(["y", "x"].into_iter().collect()),
                "a:{x, y}",
            ),
        ];
        for (value, text) in values {
            assert_eq!(Attribute::new("a", value).to_string(), text);
        }
    }
}
