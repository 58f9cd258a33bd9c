//! Constraints on the attributes of agents: `spark.mesos.constraints`.
//!
//! Responsible for Spark's notation `attribute:value,value;attribute:` and for
//! whether an agent's attributes meet it. Differs from Spark in two points:
//! attributes of type RANGES really match, and of several attributes with one
//! name it is enough that any one matches.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Attribute, AttributeValue};

/// Constraints that all have to be met. The default is none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Constraints(Vec<Constraint>);

/// What is demanded of one attribute: that it exists and, if values are given,
/// that it matches them. Cheap to clone.
///
/// | the agent's attribute | matches if |
/// | --- | --- |
/// | a number | it is at least one of the values |
/// | ranges | one of the values lies in them |
/// | a set | all of the values are in it |
/// | a text | it is one of the values |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    attribute: Arc<str>,
    values: Arc<[Box<str>]>,
}

/// A constraint and what there is instead, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmet {
    /// The constraint that is not met.
    pub constraint: Constraint,
    /// The values the agent has for that attribute; none if it lacks it.
    pub found: Vec<AttributeValue>,
}

/// Why a text is no list of constraints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintsError {
    /// An entry without a colon.
    #[error(
        "constraint '{0}' has no colon; write '{0}:value', or '{0}:' to demand only that the attribute exists"
    )]
    NoColon(String),
    /// An entry with several colons.
    #[error(
        "constraint '{0}' has more than one colon; separate constraints by ';' and the values of one by ','"
    )]
    ExtraColon(String),
    /// Nothing between two semicolons or at an end.
    #[error("constraints '{0}' have an empty entry; remove the extra ';'")]
    EmptyEntry(String),
    /// An entry that starts with its colon.
    #[error("constraint '{0}' names no attribute; the form is attribute:value,value")]
    NoAttribute(String),
    /// Nothing between two commas or at an end.
    #[error("constraint '{0}' has an empty value; remove the extra ','")]
    EmptyValue(String),
    /// An attribute that has an entry already.
    #[error(
        "constraints name the attribute '{0}' twice; write all its values in one entry, as '{0}:value,value'"
    )]
    Repeated(String),
}

impl Constraints {
    /// The constraints in the order in which they were written.
    pub fn iter(&self) -> std::slice::Iter<'_, Constraint> {
        self.0.iter()
    }

    /// Whether nothing is demanded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an agent with these attributes meets all of them.
    pub fn are_met_by(&self, attributes: &[Attribute]) -> bool {
        self.0
            .iter()
            .all(|constraint| constraint.is_met_by(attributes))
    }

    /// The constraints that an agent with these attributes does not meet.
    pub fn unmet_by(&self, attributes: &[Attribute]) -> Vec<Unmet> {
        self.0
            .iter()
            .filter(|constraint| !constraint.is_met_by(attributes))
            .map(|constraint| Unmet {
                constraint: constraint.clone(),
                found: constraint.named_in(attributes).cloned().collect(),
            })
            .collect()
    }
}

impl Constraint {
    /// The name of the attribute.
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// The values, in order and each once; none if it is enough that the
    /// attribute exists.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| &**value)
    }

    /// Whether one of the attributes is the right one and matches.
    pub fn is_met_by(&self, attributes: &[Attribute]) -> bool {
        self.named_in(attributes).any(|value| self.matches(value))
    }

    fn named_in<'a>(
        &self,
        attributes: &'a [Attribute],
    ) -> impl Iterator<Item = &'a AttributeValue> {
        attributes
            .iter()
            .filter(|attribute| attribute.name == self.attribute)
            .map(|attribute| &attribute.value)
    }

    fn matches(&self, found: &AttributeValue) -> bool {
        if self.values.is_empty() {
            return true;
        }
        let mut values = self.values();
        match found {
            AttributeValue::Scalar(found) => {
                values.any(|value| value.parse::<f64>().is_ok_and(|least| least <= *found))
            }
            AttributeValue::Ranges(found) => {
                values.any(|value| value.parse().is_ok_and(|number| found.contains(number)))
            }
            AttributeValue::Set(found) => values.all(|value| found.contains(value)),
            AttributeValue::Text(found) => values.any(|value| *value == **found),
        }
    }

    fn parse(entry: &str) -> Result<Self, ConstraintsError> {
        let (attribute, values) = entry
            .split_once(':')
            .ok_or_else(|| ConstraintsError::NoColon(entry.to_owned()))?;
        if values.contains(':') {
            return Err(ConstraintsError::ExtraColon(entry.to_owned()));
        }
        let (attribute, values) = (attribute.trim(), values.trim());
        if attribute.is_empty() {
            return Err(ConstraintsError::NoAttribute(entry.to_owned()));
        }
        let mut values: Vec<Box<str>> = match values {
            "" => Vec::new(),
            values => values.split(',').map(|value| value.trim().into()).collect(),
        };
        if values.iter().any(|value| value.is_empty()) {
            return Err(ConstraintsError::EmptyValue(entry.to_owned()));
        }
        values.sort_unstable();
        values.dedup();
        Ok(Self {
            attribute: attribute.into(),
            values: values.into(),
        })
    }
}

impl FromStr for Constraints {
    type Err = ConstraintsError;

    /// Reads `zone:a,b;ssd:` - nothing for no constraints. Blanks around names
    /// and values do not matter.
    fn from_str(text: &str) -> Result<Self, ConstraintsError> {
        let mut constraints: Vec<Constraint> = Vec::new();
        if text.trim().is_empty() {
            return Ok(Self(constraints));
        }
        for entry in text.split(';').map(str::trim) {
            if entry.is_empty() {
                return Err(ConstraintsError::EmptyEntry(text.trim().to_owned()));
            }
            let constraint = Constraint::parse(entry)?;
            let known = |other: &Constraint| other.attribute == constraint.attribute;
            if constraints.iter().any(known) {
                return Err(ConstraintsError::Repeated(
                    constraint.attribute().to_owned(),
                ));
            }
            constraints.push(constraint);
        }
        Ok(Self(constraints))
    }
}

impl<'a> IntoIterator for &'a Constraints {
    type Item = &'a Constraint;
    type IntoIter = std::slice::Iter<'a, Constraint>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Constraint {
    /// As it is written, `zone:a,b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.attribute, self.values.join(","))
    }
}

impl fmt::Display for Constraints {
    /// As they are written, `zone:a,b;ssd:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, constraint) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(";")?;
            }
            write!(f, "{constraint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Unmet {
    /// Such as `attribute zone must be a or b, is c`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = &self.constraint.values;
        write!(f, "attribute {} ", self.constraint.attribute)?;
        let Some(first) = self.found.first() else {
            f.write_str("is missing")?;
            return match values.is_empty() {
                true => Ok(()),
                false => write!(f, ", must be {}", values.join(" or ")),
            };
        };
        match first {
            AttributeValue::Scalar(_) => write!(f, "must be at least {}", values.join(" or "))?,
            AttributeValue::Ranges(_) => write!(f, "must include {}", values.join(" or "))?,
            AttributeValue::Set(_) => write!(f, "must include {}", values.join(" and "))?,
            AttributeValue::Text(_) => write!(f, "must be {}", values.join(" or "))?,
        }
        for (index, found) in self.found.iter().enumerate() {
            f.write_str(if index == 0 { ", is " } else { " and " })?;
            write!(f, "{found}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn constraints(text: &str) -> Constraints {
        text.parse().expect("constraints")
    }

    fn attribute(name: &str, value: &str) -> Attribute {
        let value = match value.as_bytes()[0] {
            b'[' => AttributeValue::Ranges(value.parse().expect("ranges")),
            b'{' => AttributeValue::Set(value.parse().expect("a set")),
            _ => match value.parse() {
                Ok(number) => AttributeValue::Scalar(number),
                Err(_) => AttributeValue::Text(value.into()),
            },
        };
        Attribute::new(name, value)
    }

    fn agent(attributes: &[(&str, &str)]) -> Vec<Attribute> {
        attributes
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect()
    }

    #[test]
    fn entries_values_and_blanks_are_read_as_spark_reads_them() {
        let read = constraints(" os:centos7 ; zone: us-east-1b, us-east-1a;ssd:");
        let parts: Vec<(&str, Vec<&str>)> = read
            .iter()
            .map(|constraint| (constraint.attribute(), constraint.values().collect()))
            .collect();
        assert_eq!(
            parts,
            [
                ("os", vec!["centos7"]),
                ("zone", vec!["us-east-1a", "us-east-1b"]),
                ("ssd", vec![]),
            ]
        );
        assert_eq!(
            read.to_string(),
            "os:centos7;zone:us-east-1a,us-east-1b;ssd:"
        );
        assert!(constraints("").is_empty() && constraints("  ").is_empty());
    }

    #[test]
    fn a_wrong_entry_is_named_with_what_is_allowed() {
        for (text, error) in [
            (
                "os;zone:us-east",
                "constraint 'os' has no colon; write 'os:value', or 'os:' to demand only that the attribute exists",
            ),
            (
                "a:b:c",
                "constraint 'a:b:c' has more than one colon; separate constraints by ';' and the values of one by ','",
            ),
            (
                "a:b;",
                "constraints 'a:b;' have an empty entry; remove the extra ';'",
            ),
            (
                ";",
                "constraints ';' have an empty entry; remove the extra ';'",
            ),
            (
                "a:1; :x",
                "constraint ':x' names no attribute; the form is attribute:value,value",
            ),
            (
                "a:1,,2",
                "constraint 'a:1,,2' has an empty value; remove the extra ','",
            ),
            (
                "a:,",
                "constraint 'a:,' has an empty value; remove the extra ','",
            ),
            (
                "a:1;b:;a:2",
                "constraints name the attribute 'a' twice; write all its values in one entry, as 'a:value,value'",
            ),
        ] {
            let result = text.parse::<Constraints>();
            assert_eq!(result.expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn an_attribute_without_values_only_has_to_exist() {
        let any = constraints("os:");
        for value in ["centos7", "7", "[1-2]", "{a}"] {
            assert!(any.are_met_by(&agent(&[("os", value)])), "{value}");
        }
        assert!(!any.are_met_by(&agent(&[("zone", "a")])));
        assert!(!any.are_met_by(&[]));
        assert!(constraints("").are_met_by(&[]));
    }

    #[test]
    fn a_number_has_to_be_at_least_one_of_the_values() {
        let met = |text: &str, found| constraints(text).are_met_by(&agent(&[("gb", found)]));
        assert!(met("gb:4", "4"));
        assert!(met("gb:4", "4.5"));
        assert!(!met("gb:4", "3.999"));
        assert!(met("gb:8,2", "3"));
        assert!(met("gb:-2", "-1"));
        assert!(!met("gb:many", "4"));
        assert!(!met("gb:nan", "4"));
    }

    #[test]
    fn one_of_the_values_has_to_lie_in_the_ranges() {
        let met =
            |text: &str| constraints(text).are_met_by(&agent(&[("port", "[7000-8000,9000-9000]")]));
        assert!(!met("port:6000"));
        assert!(!met("port:8002"));
        assert!(met("port:7500"));
        assert!(met("port:5000,7500,8300"));
        assert!(met("port:9000"));
        assert!(!met("port:7500.5"));
        assert!(!met("port:x"));
    }

    #[test]
    fn all_values_have_to_be_in_the_set() {
        let spark = constraints("os:;zone:us-east-1a,us-east-1c");
        let zones = "{us-east-1a,us-east-1b,us-east-1c}";
        assert!(spark.are_met_by(&agent(&[("os", "centos7"), ("zone", zones)])));
        assert!(!spark.are_met_by(&agent(&[("os", "centos7"), ("zone", "{us-east-1a}")])));
    }

    #[test]
    fn a_text_has_to_be_one_of_the_values() {
        let met = |text: &str| constraints(text).are_met_by(&agent(&[("os", "centos7")]));
        assert!(met("os:centos7"));
        assert!(met("os:ubuntu,centos7"));
        assert!(!met("os:ubuntu"));
        assert!(!met("os:Centos7"));
    }

    #[test]
    fn of_several_attributes_with_one_name_any_may_match() {
        let agent = agent(&[("rack", "r1"), ("rack", "r2"), ("rack", "3")]);
        for text in ["rack:r1", "rack:r2", "rack:2"] {
            assert!(constraints(text).are_met_by(&agent), "{text}");
        }
        assert!(!constraints("rack:r3").are_met_by(&agent));
    }

    #[test]
    fn what_is_not_met_is_explained() {
        let agent = agent(&[
            ("zone", "c"),
            ("zone", "d"),
            ("gb", "2.5"),
            ("port", "[1-9]"),
            ("gpu", "{k80}"),
        ]);
        let explain = |text: &str| {
            let unmet = constraints(text).unmet_by(&agent);
            let texts: Vec<_> = unmet.iter().map(ToString::to_string).collect();
            texts.join("; ")
        };
        assert_eq!(
            explain("zone:a,b"),
            "attribute zone must be a or b, is c and d"
        );
        assert_eq!(explain("gb:4"), "attribute gb must be at least 4, is 2.5");
        assert_eq!(
            explain("port:10"),
            "attribute port must include 10, is [1-9]"
        );
        assert_eq!(
            explain("gpu:k80,p100"),
            "attribute gpu must include k80 and p100, is {k80}"
        );
        assert_eq!(
            explain("os:;rack:r1;zone:c"),
            "attribute os is missing; attribute rack is missing, must be r1"
        );
    }

    proptest! {
        #[test]
        fn constraints_are_read_as_they_are_printed(text in "[ab]:[xy,]{0,4}(;[c-e]:[xy]{0,2}){0,3}") {
            if let Ok(read) = text.parse::<Constraints>() {
                prop_assert_eq!(read.to_string().parse(), Ok(read));
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[a-c:;, ]{0,20}") {
            let _ = text.parse::<Constraints>();
        }

        #[test]
        fn constraints_are_met_exactly_if_none_is_unmet(
            text in "[ab]:([1-3](,[1-3])?)?(;c:[1-3])?",
            values in proptest::collection::vec(("[abc]", "[1-3]|\\[1-2\\]|\\{1, 2\\}|x"), 0..4),
        ) {
            let attributes: Vec<_> =
                values.iter().map(|(name, value)| attribute(name, value)).collect();
            let constraints = constraints(&text);
            prop_assert_eq!(
                constraints.are_met_by(&attributes),
                constraints.unmet_by(&attributes).is_empty()
            );
        }
    }
}
