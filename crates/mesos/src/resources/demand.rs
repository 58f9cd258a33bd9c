//! What is asked of resources, and what is missing.
//!
//! Responsible for saying what a task or an executor needs, and in words why it
//! cannot be had. Finding it is the business of `take`.

use std::fmt;

use super::{Ranges, ResourceName, Scalar};

/// Whether the agent may take a resource back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Tenure {
    /// It is held as long as it is used.
    #[default]
    Firm,
    /// It can be taken back at any time, and whatever uses it be killed.
    Revocable,
}

/// What a task or an executor needs of the resources of one agent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Demand {
    amounts: Vec<(ResourceName, Scalar)>,
    ports: Ranges,
    /// Of each resource so many units, of whatever kind it is.
    units: Vec<(ResourceName, u64)>,
    revocable: bool,
}

/// One reason why a demand cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// There is too little of something.
    #[error("{} needed, {available} available", Amount(*needed, name))]
    Amount {
        /// What there is too little of.
        name: ResourceName,
        /// How much is needed.
        needed: Scalar,
        /// How much of it could be used.
        available: Scalar,
    },
    /// Certain numbers are not there: ports that others use.
    #[error("{name} {missing} needed, not available")]
    Numbers {
        /// What they are numbers of.
        name: ResourceName,
        /// Those that are needed and not there.
        missing: Ranges,
    },
    /// There are too few numbers, or items, or units.
    #[error("{needed} {name} needed, {available} available")]
    Count {
        /// What there are too few of.
        name: ResourceName,
        /// How many are needed.
        needed: u64,
        /// How many could be used.
        available: u64,
    },
}

/// An amount with its unit, for people.
struct Amount<'a>(Scalar, &'a ResourceName);

impl fmt::Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(amount, name) = self;
        if **name == ResourceName::MEM || **name == ResourceName::DISK {
            write!(f, "{amount} MiB of {name}")
        } else {
            write!(f, "{amount} {name}")
        }
    }
}

impl Demand {
    /// A demand of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands that much more of a scalar.
    #[must_use]
    pub fn with(mut self, name: ResourceName, amount: Scalar) -> Self {
        match self.amounts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += amount,
            None if amount.is_zero() => {}
            None => self.amounts.push((name, amount)),
        }
        self
    }

    /// Demands so many more processors.
    #[must_use]
    pub fn with_cpus(self, cpus: Scalar) -> Self {
        self.with(ResourceName::CPUS, cpus)
    }

    /// Demands so much more memory, in MiB.
    #[must_use]
    pub fn with_mem(self, mebibytes: Scalar) -> Self {
        self.with(ResourceName::MEM, mebibytes)
    }

    /// Demands so many more graphics processors.
    #[must_use]
    pub fn with_gpus(self, gpus: u32) -> Self {
        self.with(ResourceName::GPUS, Scalar::new(gpus))
    }

    /// Demands so many units more of a resource, be it a number, a range or a set.
    #[must_use]
    pub fn with_units(mut self, name: ResourceName, count: u64) -> Self {
        match self.units.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None if count == 0 => {}
            None => self.units.push((name, count)),
        }
        self
    }

    /// Demands these very ports too.
    #[must_use]
    pub fn with_ports(mut self, ports: &Ranges) -> Self {
        self.ports.insert_all(ports);
        self
    }

    /// Allows revocable resources for each name of which there are too few firm
    /// ones.
    #[must_use]
    pub fn or_revocable(mut self) -> Self {
        self.revocable = true;
        self
    }

    /// How much of a scalar is demanded.
    pub fn amount(&self, name: &ResourceName) -> Scalar {
        self.amounts
            .iter()
            .find(|(known, _)| known == name)
            .map_or(Scalar::ZERO, |(_, amount)| *amount)
    }

    /// All scalars that are demanded, none of them zero.
    pub fn amounts(&self) -> impl Iterator<Item = (&ResourceName, Scalar)> {
        self.amounts.iter().map(|(name, amount)| (name, *amount))
    }

    /// The ports that are demanded.
    pub fn ports(&self) -> &Ranges {
        &self.ports
    }

    /// What is demanded in units, none of it zero.
    pub fn units(&self) -> impl Iterator<Item = (&ResourceName, u64)> {
        self.units.iter().map(|(name, count)| (name, *count))
    }

    /// The kinds to look for, the better one first.
    pub(super) fn tenures(&self) -> &'static [Tenure] {
        if self.revocable {
            &[Tenure::Firm, Tenure::Revocable]
        } else {
            &[Tenure::Firm]
        }
    }
}
