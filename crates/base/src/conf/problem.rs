//! What can be wrong with the settings.
//!
//! Responsible for saying of each bad setting its name, value, place and what
//! would be accepted, and for keeping secrets out of that.

use std::fmt;

use super::layer::Layer;

/// One bad setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nobody knows the property.
    #[error("unknown property {} ({origin}){}", printable(.name), suggestion(.nearest.as_deref()))]
    Unknown {
        /// The name as written.
        name: String,
        /// Where it was written.
        origin: Layer,
        /// The known name that it was probably meant to be.
        nearest: Option<String>,
    },
    /// The value is not one that the property can have.
    #[error(
        "{} is `{}` ({origin}), but must be {}",
        printable(.name), printable(.value), printable(.accepted)
    )]
    Invalid {
        /// The property.
        name: String,
        /// The value as written; without what is secret in it.
        value: String,
        /// Where it was written.
        origin: Layer,
        /// What would be accepted, to follow "must be".
        accepted: String,
    },
    /// Spark has the property, Mesquite does not, and a run without it would not
    /// be what was asked for.
    #[error("{} ({origin}) is refused: {reason}; `--conf {}=` does without it",
        printable(.name), printable(.name))]
    Refused {
        /// The property.
        name: String,
        /// Where it was written.
        origin: Layer,
        /// Why it cannot be had, and what there is in its place.
        reason: &'static str,
    },
    /// Values that are good by themselves do not go together.
    #[error("{0}")]
    Conflict(String),
}

/// Keeps a message on its line, and terminals from obeying what a file says.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean {name}?"),
        None => "; `mesquite conf` lists all".to_owned(),
    }
}

/// All bad settings of one run; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfError {
    problems: Vec<Problem>,
}

impl ConfError {
    /// The error of these problems, if there are any.
    pub(crate) fn from_problems(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// The problems, in the order of their names.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfError {}

/// A setting that is accepted, and about which there is something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The property.
    pub name: String,
    /// Where it was written.
    pub origin: Layer,
    /// What there is to say.
    pub remark: Remark,
}

/// What there is to say about a setting that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It does nothing, for this reason.
    NoEffect(&'static str),
    /// Its name is an old one of this property, which it sets.
    FormerName(&'static str),
    /// Its name is an old one of this property, which is set itself.
    Overruled(&'static str),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) ", printable(&self.name), self.origin)?;
        match self.remark {
            Remark::NoEffect(reason) => write!(f, "has no effect: {reason}"),
            Remark::FormerName(name) => write!(f, "is the old name of {name}, and sets it"),
            Remark::Overruled(name) => {
                write!(
                    f,
                    "has no effect: it is the old name of {name}, which is set too"
                )
            }
        }
    }
}
