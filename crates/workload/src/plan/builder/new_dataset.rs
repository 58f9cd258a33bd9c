//! A dataset as it is asked for.

use std::sync::Arc;

use crate::ids::{DatasetId, Host, ShuffleId};
use crate::plan::TaskNeeds;
use crate::plan::dataset::Dependency;

/// What a dataset is made from.
#[derive(Clone, Debug)]
pub(super) enum Parents {
    /// As many partitions as said, from these.
    Given(u32, Vec<Dependency>),
    /// As many partitions as each of these has.
    OneToOne(Vec<DatasetId>),
    /// The partitions of all of these, one after the other.
    Union(Vec<DatasetId>),
    /// The partitions of this one, in so many groups or fewer.
    Groups(DatasetId, u32),
    /// As many partitions as each of these shuffles has.
    Shuffled(Vec<ShuffleId>),
}

/// A dataset to be added to a plan.
#[derive(Clone, Debug)]
#[must_use = "a dataset is part of a plan once it is added"]
pub struct NewDataset {
    pub(super) name: Arc<str>,
    pub(super) parents: Parents,
    pub(super) preferred_hosts: Vec<Vec<Host>>,
    pub(super) persisted: bool,
    pub(super) barrier: bool,
    pub(super) skips: bool,
    pub(super) order_sensitive: bool,
    pub(super) indeterminate: bool,
    pub(super) needs: Option<TaskNeeds>,
}

impl NewDataset {
    fn new(name: impl Into<Arc<str>>, parents: Parents) -> Self {
        Self {
            name: name.into(),
            parents,
            preferred_hosts: Vec::new(),
            persisted: false,
            barrier: false,
            skips: false,
            order_sensitive: false,
            indeterminate: false,
            needs: None,
        }
    }

    /// A dataset that is read from outside, in so many partitions.
    pub fn source(name: impl Into<Arc<str>>, partitions: u32) -> Self {
        Self::new(name, Parents::Given(partitions, Vec::new()))
    }

    /// A dataset made from `parent`, partition by partition.
    pub fn derived(name: impl Into<Arc<str>>, parent: DatasetId) -> Self {
        Self::new(name, Parents::OneToOne(vec![parent]))
    }

    /// A dataset whose partition `i` is made from partition `i` of each parent.
    pub fn zipped(name: impl Into<Arc<str>>, parents: impl Into<Vec<DatasetId>>) -> Self {
        Self::new(name, Parents::OneToOne(parents.into()))
    }

    /// The partitions of all parents, one parent after the other.
    pub fn union(name: impl Into<Arc<str>>, parents: impl Into<Vec<DatasetId>>) -> Self {
        Self::new(name, Parents::Union(parents.into()))
    }

    /// The partitions of `parent`, put together until there are `partitions` at most.
    pub fn coalesced(name: impl Into<Arc<str>>, parent: DatasetId, partitions: u32) -> Self {
        Self::new(name, Parents::Groups(parent, partitions))
    }

    /// A dataset whose partition `i` reads reduce partition `i` of each
    /// shuffle; a join reads two.
    pub fn shuffled(name: impl Into<Arc<str>>, shuffles: impl Into<Vec<ShuffleId>>) -> Self {
        Self::new(name, Parents::Shuffled(shuffles.into()))
    }

    /// A dataset with any mixture of dependencies.
    pub fn with_dependencies(
        name: impl Into<Arc<str>>,
        partitions: u32,
        dependencies: impl Into<Vec<Dependency>>,
    ) -> Self {
        Self::new(name, Parents::Given(partitions, dependencies.into()))
    }

    /// Says on which hosts each partition would like to be computed.
    pub fn preferring(mut self, hosts_by_partition: Vec<Vec<Host>>) -> Self {
        self.preferred_hosts = hosts_by_partition;
        self
    }

    /// Its partitions stay with the executors that made them.
    pub fn persisted(mut self) -> Self {
        self.persisted = true;
        self
    }

    /// All tasks of its stage must start together.
    pub fn barrier(mut self) -> Self {
        self.barrier = true;
        self
    }

    /// A task of its stage that cannot be done is left out.
    pub fn skipping(mut self) -> Self {
        self.skips = true;
        self
    }

    /// Its records depend on the order of the records it is made from.
    pub fn order_sensitive(mut self) -> Self {
        self.order_sensitive = true;
        self
    }

    /// Computing it again may give other records, whatever it is made from.
    pub fn indeterminate(mut self) -> Self {
        self.indeterminate = true;
        self
    }

    /// Its tasks need this, whatever the application's setting.
    pub fn needing(mut self, needs: TaskNeeds) -> Self {
        self.needs = Some(needs);
        self
    }
}
