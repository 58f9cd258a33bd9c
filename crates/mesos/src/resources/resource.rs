//! One resource: so much of something, with its metadata.
//!
//! Responsible for names, values and the arithmetic between two entries of the
//! same identity. Knows nothing of the list an entry stands in; that is
//! `bundle`.

use std::fmt;
use std::sync::Arc;

use super::{Metadata, Ranges, Scalar, Set};

/// The name of a resource. The well-known ones cost no memory.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ResourceName(Name);

/// In the order in which resources are shown to people.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
enum Name {
    Cpus,
    Mem,
    Disk,
    Gpus,
    Ports,
    Other(Arc<str>),
}

impl ResourceName {
    /// Processors; fractions are allowed.
    pub const CPUS: Self = Self(Name::Cpus);
    /// Memory in MiB.
    pub const MEM: Self = Self(Name::Mem);
    /// Disk space in MiB.
    pub const DISK: Self = Self(Name::Disk);
    /// Graphics processors, whole ones only.
    pub const GPUS: Self = Self(Name::Gpus);
    /// Network ports, as ranges.
    pub const PORTS: Self = Self(Name::Ports);

    /// The resource of that name.
    pub fn new(name: &str) -> Self {
        Self(match name {
            "cpus" => Name::Cpus,
            "mem" => Name::Mem,
            "disk" => Name::Disk,
            "gpus" => Name::Gpus,
            "ports" => Name::Ports,
            other => Name::Other(other.into()),
        })
    }

    /// The name as Mesos knows it.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Cpus => "cpus",
            Name::Mem => "mem",
            Name::Disk => "disk",
            Name::Gpus => "gpus",
            Name::Ports => "ports",
            Name::Other(name) => name,
        }
    }
}

impl From<&str> for ResourceName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of it there is. Texts are values of attributes only.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Value {
    /// An amount.
    Scalar(Scalar),
    /// A set of numbers.
    Ranges(Ranges),
    /// A set of texts.
    Set(Set),
}

impl Value {
    /// Whether it is an amount of zero, or no items.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(amount) => amount.is_zero(),
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(items) => items.is_empty(),
        }
    }

    /// Whether `other` is of the same type and part of it.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(all), Self::Scalar(part)) => all >= part,
            (Self::Ranges(all), Self::Ranges(part)) => all.contains_all(part),
            (Self::Set(all), Self::Set(part)) => all.contains_all(part),
            _ => false,
        }
    }

    /// Adds a value of the same type; another type changes nothing.
    pub(super) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(all), Self::Scalar(part)) => *all += *part,
            (Self::Ranges(all), Self::Ranges(part)) => all.insert_all(part),
            (Self::Set(all), Self::Set(part)) => all.insert_all(part),
            _ => debug_assert!(false, "values of one type are added"),
        }
    }

    /// Removes a value of the same type; another type changes nothing.
    pub(super) fn subtract(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(all), Self::Scalar(part)) => *all = all.saturating_sub(*part),
            (Self::Ranges(all), Self::Ranges(part)) => all.remove_all(part),
            (Self::Set(all), Self::Set(part)) => all.remove_all(part),
            _ => debug_assert!(false, "values of one type are subtracted"),
        }
    }
}

impl From<Scalar> for Value {
    fn from(amount: Scalar) -> Self {
        Self::Scalar(amount)
    }
}

impl From<Ranges> for Value {
    fn from(ranges: Ranges) -> Self {
        Self::Ranges(ranges)
    }
}

impl From<Set> for Value {
    fn from(items: Set) -> Self {
        Self::Set(items)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(amount) => amount.fmt(f),
            Self::Ranges(ranges) => ranges.fmt(f),
            Self::Set(items) => items.fmt(f),
        }
    }
}

/// So much of something: one entry of an offer's or a task's resources.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct Resource {
    /// What it is.
    pub name: ResourceName,
    /// How much of it.
    pub value: Value,
    /// For whom it is reserved, where it lies, and so on.
    pub metadata: Arc<Metadata>,
}

impl Resource {
    /// An entry with metadata, as the wire layer makes it. Give entries of equal
    /// metadata the same `Arc`: it saves memory and makes comparing them fast.
    pub fn new(
        name: impl Into<ResourceName>,
        value: impl Into<Value>,
        metadata: Arc<Metadata>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            metadata,
        }
    }

    /// An entry without metadata.
    pub fn plain(name: impl Into<ResourceName>, value: impl Into<Value>) -> Self {
        Self::new(name, value, Metadata::plain())
    }

    /// A part of this entry: another value, the same identity.
    #[must_use]
    pub fn part(&self, value: impl Into<Value>) -> Self {
        Self::new(self.name.clone(), value, Arc::clone(&self.metadata))
    }

    /// The amount, if it is a scalar.
    pub fn scalar(&self) -> Option<Scalar> {
        match self.value {
            Value::Scalar(amount) => Some(amount),
            _ => None,
        }
    }

    /// The numbers, if it has ranges.
    pub fn ranges(&self) -> Option<&Ranges> {
        match &self.value {
            Value::Ranges(ranges) => Some(ranges),
            _ => None,
        }
    }

    /// Whether the two differ in nothing but the value, so that they are the
    /// same kind of thing to Mesos.
    pub fn same_identity(&self, other: &Self) -> bool {
        self.name == other.name
            && std::mem::discriminant(&self.value) == std::mem::discriminant(&other.value)
            && self.metadata == other.metadata
    }
}
