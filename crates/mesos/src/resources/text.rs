//! Resources as text: `cpus:4;mem:1024;ports:[31000-32000];zones:{a,b}`.
//!
//! Responsible for the notation of Mesos's `--resources` flag, both ways, with
//! `cpus(role):4` for what is reserved for a role. Metadata that the flag
//! cannot express is printed as Mesos's logs do it, for people only: such text
//! is not read back.

use std::fmt;
use std::str::FromStr;

use super::{
    Metadata, Ranges, RangesError, Resource, ResourceName, Resources, Scalar, ScalarError, Set,
    SetError, Value,
};
use crate::ids::Role;

/// Why a text is no list of resources.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResourcesTextError {
    /// An entry without a name or without a colon.
    #[error("resource '{0}' is not of the form name:value or name(role):value")]
    Malformed(String),
    /// An amount that is none.
    #[error("resource '{entry}': {source}")]
    Scalar {
        /// The entry it stands in.
        entry: String,
        /// What is wrong with it.
        source: ScalarError,
    },
    /// Ranges that are none.
    #[error("resource '{entry}': {source}")]
    Ranges {
        /// The entry it stands in.
        entry: String,
        /// What is wrong with it.
        source: RangesError,
    },
    /// A set that is none.
    #[error("resource '{entry}': {source}")]
    Set {
        /// The entry it stands in.
        entry: String,
        /// What is wrong with it.
        source: SetError,
    },
}

impl FromStr for Resource {
    type Err = ResourcesTextError;

    /// Reads one entry, such as `cpus:4`, `mem(eng/web):512` or `ports:[1-9]`.
    /// The first character of the value tells its type.
    fn from_str(entry: &str) -> Result<Self, ResourcesTextError> {
        let entry = entry.trim();
        let malformed = || ResourcesTextError::Malformed(entry.to_owned());
        let (name, value) = entry.split_once(':').ok_or_else(malformed)?;
        let (name, role) = match name.split_once('(') {
            Some((name, role)) => {
                let role = role.trim().strip_suffix(')').ok_or_else(malformed)?;
                (name, Some(role.trim()))
            }
            None => (name, None),
        };
        let name = name.trim();
        if name.is_empty() || name.contains(')') || role.is_some_and(|role| !may_be_role(role)) {
            return Err(malformed());
        }
        let metadata = match role {
            Some(role) => Metadata::reserved_by_operator(&Role::from(role)),
            None => Metadata::plain(),
        };
        let value = parse_value(entry, value.trim())?;
        Ok(Self::new(ResourceName::new(name), value, metadata))
    }
}

/// Whether it can stand between the parentheses; whether Mesos has such a role
/// is not decided here.
fn may_be_role(role: &str) -> bool {
    !role.is_empty() && !role.contains(['(', ')', ',', ';']) && !role.contains(char::is_whitespace)
}

fn parse_value(entry: &str, value: &str) -> Result<Value, ResourcesTextError> {
    let entry = || entry.to_owned();
    match value.as_bytes().first() {
        Some(b'[') => Ranges::from_str(value)
            .map(Value::Ranges)
            .map_err(|source| ResourcesTextError::Ranges {
                entry: entry(),
                source,
            }),
        Some(b'{') => {
            Set::from_str(value)
                .map(Value::Set)
                .map_err(|source| ResourcesTextError::Set {
                    entry: entry(),
                    source,
                })
        }
        Some(_) => Scalar::from_str(value)
            .map(Value::Scalar)
            .map_err(|source| ResourcesTextError::Scalar {
                entry: entry(),
                source,
            }),
        None => Err(ResourcesTextError::Malformed(entry())),
    }
}

impl FromStr for Resources {
    type Err = ResourcesTextError;

    /// Reads entries separated by `;`. Empty ones do not matter, and entries of
    /// the same name and role are added up, as Mesos does it.
    fn from_str(text: &str) -> Result<Self, ResourcesTextError> {
        text.split(';')
            .filter(|entry| !entry.trim().is_empty())
            .map(Resource::from_str)
            .collect()
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metadata = &*self.metadata;
        write!(f, "{}", self.name)?;
        if let Some(role) = metadata.reserved_role() {
            write!(f, "({role}")?;
            if metadata.is_dynamically_reserved() {
                f.write_str(", dynamic")?;
            }
            if let Some(principal) = metadata
                .last_reservation()
                .and_then(|reservation| reservation.principal.as_ref())
            {
                write!(f, " by {principal}")?;
            }
            f.write_str(")")?;
        }
        if let Some(disk) = &metadata.disk {
            write!(f, "[{disk}]")?;
        }
        if metadata.revocable {
            f.write_str("{REV}")?;
        }
        if metadata.shared {
            f.write_str("<SHARED>")?;
        }
        write!(f, ":{}", self.value)
    }
}

impl fmt::Display for Resources {
    /// The entries, separated by `; `. Nothing if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, resource) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{resource}")?;
        }
        Ok(())
    }
}
