//! Builds a plan, checking each dataset as it is added.
//!
//! Responsible for the rules that every plan keeps: datasets refer only to
//! earlier ones, partition counts agree along dependencies, and a shuffle has
//! somewhere to put its records. The job file's reader and programs in Rust
//! use it alike.

use std::sync::Arc;

use thiserror::Error;

use crate::ids::{DatasetId, Host, ShuffleId};
use crate::plan::dataset::{Dataset, Dependency, Determinism, NarrowDependency, PartitionMapping};
use crate::plan::{Partitioner, Partitioning, Plan, Shuffle};
use crate::scheduler::task::TaskNeeds;

/// Why a dataset or shuffle cannot be part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A dataset refers to one that is not in the plan.
    #[error("dataset `{name}` depends on dataset {parent}, which is not in the plan yet")]
    UnknownParent {
        /// The dataset at fault.
        name: Arc<str>,
        /// What it refers to.
        parent: DatasetId,
    },
    /// A dataset refers to a shuffle that is not in the plan.
    #[error("dataset `{name}` reads shuffle {shuffle}, which is not in the plan yet")]
    UnknownShuffle {
        /// The dataset at fault.
        name: Arc<str>,
        /// What it refers to.
        shuffle: ShuffleId,
    },
    /// A shuffle of a dataset that is not in the plan.
    #[error("dataset {dataset} cannot be shuffled: it is not in the plan yet")]
    UnknownMapSide {
        /// What it refers to.
        dataset: DatasetId,
    },
    /// A shuffle into no partitions.
    #[error("dataset `{name}` cannot be shuffled into 0 partitions: give at least 1")]
    NoReducePartitions {
        /// The dataset to be shuffled.
        name: Arc<str>,
    },
    /// A dataset of no parents that should have some.
    #[error("dataset `{name}` is made from nothing: give at least one dataset")]
    NoParents {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// Partition counts differ along a dependency.
    #[error(
        "dataset `{name}` has {partitions} partitions, but `{parent}` that it reads has {found}"
    )]
    PartitionsDiffer {
        /// The dataset at fault.
        name: Arc<str>,
        /// Its partitions.
        partitions: u32,
        /// The parent, or the map side of the shuffle.
        parent: Arc<str>,
        /// The partitions there.
        found: u32,
    },
    /// A range dependency reaches past the end of child or parent.
    #[error("dataset `{name}` reads partitions of `{parent}` that do not exist")]
    RangeOutside {
        /// The dataset at fault.
        name: Arc<str>,
        /// The parent.
        parent: Arc<str>,
    },
    /// More partitions than can be counted.
    #[error("dataset `{name}` would have more than {} partitions", u32::MAX)]
    TooManyPartitions {
        /// The dataset at fault.
        name: Arc<str>,
    },
    /// Preferred hosts were given for a different number of partitions.
    #[error("dataset `{name}` has {partitions} partitions, but preferred hosts for {given}")]
    PreferencesDiffer {
        /// The dataset at fault.
        name: Arc<str>,
        /// Its partitions.
        partitions: u32,
        /// For how many preferences were given.
        given: usize,
    },
    /// A task that needs no core could run any number of times at once.
    #[error("a task of dataset `{name}` needs 0 cpus: give at least 1")]
    NoCpus {
        /// The dataset at fault.
        name: Arc<str>,
    },
}

#[derive(Clone, Debug)]
enum Parents {
    /// As many partitions as said, from these.
    Given(u32, Vec<Dependency>),
    /// As many partitions as each of these has.
    OneToOne(Vec<DatasetId>),
    /// The partitions of all of these, one after the other.
    Union(Vec<DatasetId>),
    /// As many partitions as each of these shuffles has.
    Shuffled(Vec<ShuffleId>),
}

/// A dataset to be added to a plan.
#[derive(Clone, Debug)]
#[must_use = "a dataset is part of a plan once it is added"]
pub struct NewDataset {
    name: Arc<str>,
    parents: Parents,
    preferred_hosts: Vec<Vec<Host>>,
    persisted: bool,
    barrier: bool,
    order_sensitive: bool,
    indeterminate: bool,
    needs: Option<TaskNeeds>,
}

impl NewDataset {
    fn new(name: impl Into<Arc<str>>, parents: Parents) -> Self {
        Self {
            name: name.into(),
            parents,
            preferred_hosts: Vec::new(),
            persisted: false,
            barrier: false,
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

/// A plan in the making.
#[derive(Debug, Default)]
pub struct PlanBuilder {
    datasets: Vec<Dataset>,
    shuffles: Vec<Shuffle>,
}

impl PlanBuilder {
    /// An empty plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// A dataset that was added.
    pub(super) fn dataset(&self, id: DatasetId) -> &Dataset {
        &self.datasets[id.index()]
    }

    /// Adds a dataset.
    ///
    /// # Errors
    /// When it breaks a rule of plans; the plan is then as it was.
    pub fn add(&mut self, new: NewDataset) -> Result<DatasetId, PlanError> {
        let (partitions, dependencies) = self.resolve(&new.name, new.parents)?;
        if !new.preferred_hosts.is_empty() && new.preferred_hosts.len() != partitions as usize {
            return Err(PlanError::PreferencesDiffer {
                name: new.name,
                partitions,
                given: new.preferred_hosts.len(),
            });
        }
        if new.needs.as_ref().is_some_and(|needs| needs.cpus == 0) {
            return Err(PlanError::NoCpus { name: new.name });
        }
        let inherited = self.determinism_of(&dependencies);
        let determinism =
            if new.indeterminate || (new.order_sensitive && inherited == Determinism::Unordered) {
                Determinism::Indeterminate
            } else {
                inherited
            };
        let barrier_before = dependencies.iter().any(|dependency| match dependency {
            Dependency::Narrow(narrow) => self.datasets[narrow.parent.index()].barrier,
            Dependency::Shuffle(_) => false,
        });
        let id = DatasetId(index_as_id(self.datasets.len()));
        self.datasets.push(Dataset {
            name: new.name,
            partitions,
            dependencies: dependencies.into(),
            preferred_hosts: new.preferred_hosts.into_iter().map(Into::into).collect(),
            persisted: new.persisted,
            barrier: new.barrier || barrier_before,
            own_barrier: new.barrier,
            determinism,
            needs: new.needs.map(Arc::new),
        });
        Ok(id)
    }

    /// Adds a shuffle of `map_side`. Any number of datasets may read it; it is
    /// computed once.
    ///
    /// # Errors
    /// When `map_side` is not in the plan, or there are no reduce partitions.
    pub fn shuffle(
        &mut self,
        map_side: DatasetId,
        partitioner: Partitioner,
    ) -> Result<ShuffleId, PlanError> {
        let dataset = self
            .datasets
            .get(map_side.index())
            .ok_or(PlanError::UnknownMapSide { dataset: map_side })?;
        if partitioner.partitions == 0 {
            return Err(PlanError::NoReducePartitions {
                name: dataset.name.clone(),
            });
        }
        let places_by_order = partitioner.partitioning == Partitioning::RoundRobin;
        let determinism = match dataset.determinism {
            Determinism::Unordered if places_by_order => Determinism::Indeterminate,
            same => same,
        };
        let id = ShuffleId(index_as_id(self.shuffles.len()));
        self.shuffles.push(Shuffle {
            map_side,
            partitioner,
            determinism,
        });
        Ok(id)
    }

    /// The plan, which changes no more.
    pub fn build(self) -> Plan {
        Plan::new(self.datasets, self.shuffles)
    }

    fn resolve(
        &self,
        name: &Arc<str>,
        parents: Parents,
    ) -> Result<(u32, Vec<Dependency>), PlanError> {
        let (partitions, dependencies) = match parents {
            Parents::Given(partitions, dependencies) => (partitions, dependencies),
            Parents::OneToOne(parents) => {
                let first = *parents
                    .first()
                    .ok_or_else(|| PlanError::NoParents { name: name.clone() })?;
                let partitions = self.parent(name, first)?.partitions;
                (
                    partitions,
                    parents.into_iter().map(Dependency::one_to_one).collect(),
                )
            }
            Parents::Union(parents) => self.resolve_union(name, &parents)?,
            Parents::Shuffled(shuffles) => {
                let first = *shuffles
                    .first()
                    .ok_or_else(|| PlanError::NoParents { name: name.clone() })?;
                let partitions = self.shuffle_read(name, first)?.partitioner.partitions;
                (
                    partitions,
                    shuffles.into_iter().map(Dependency::Shuffle).collect(),
                )
            }
        };
        for dependency in &dependencies {
            self.check_dependency(name, partitions, dependency)?;
        }
        Ok((partitions, dependencies))
    }

    fn resolve_union(
        &self,
        name: &Arc<str>,
        parents: &[DatasetId],
    ) -> Result<(u32, Vec<Dependency>), PlanError> {
        if parents.is_empty() {
            return Err(PlanError::NoParents { name: name.clone() });
        }
        let mut start = 0_u32;
        let mut dependencies = Vec::with_capacity(parents.len());
        for &parent in parents {
            let length = self.parent(name, parent)?.partitions;
            dependencies.push(Dependency::Narrow(NarrowDependency {
                parent,
                mapping: PartitionMapping::Range {
                    child_start: start,
                    parent_start: 0,
                    length,
                },
            }));
            start = start
                .checked_add(length)
                .ok_or_else(|| PlanError::TooManyPartitions { name: name.clone() })?;
        }
        Ok((start, dependencies))
    }

    fn check_dependency(
        &self,
        name: &Arc<str>,
        partitions: u32,
        dependency: &Dependency,
    ) -> Result<(), PlanError> {
        let (parent, found) = match dependency {
            Dependency::Narrow(narrow) => {
                let parent = self.parent(name, narrow.parent)?;
                match narrow.mapping {
                    PartitionMapping::OneToOne => (parent, parent.partitions),
                    PartitionMapping::Range {
                        child_start,
                        parent_start,
                        length,
                    } => {
                        let fits = |start: u32, end: u32| {
                            start.checked_add(length).is_some_and(|last| last <= end)
                        };
                        if fits(child_start, partitions) && fits(parent_start, parent.partitions) {
                            return Ok(());
                        }
                        return Err(PlanError::RangeOutside {
                            name: name.clone(),
                            parent: parent.name.clone(),
                        });
                    }
                }
            }
            Dependency::Shuffle(shuffle) => {
                let shuffle = self.shuffle_read(name, *shuffle)?;
                let map_side = &self.datasets[shuffle.map_side.index()];
                (map_side, shuffle.partitioner.partitions)
            }
        };
        if found == partitions {
            return Ok(());
        }
        Err(PlanError::PartitionsDiffer {
            name: name.clone(),
            partitions,
            parent: parent.name.clone(),
            found,
        })
    }

    fn determinism_of(&self, dependencies: &[Dependency]) -> Determinism {
        dependencies
            .iter()
            .map(|dependency| match dependency {
                Dependency::Narrow(narrow) => self.datasets[narrow.parent.index()].determinism,
                // Blocks arrive in any order, so the records do too.
                Dependency::Shuffle(shuffle) => self.shuffles[shuffle.index()]
                    .determinism
                    .max(Determinism::Unordered),
            })
            .max()
            .unwrap_or_default()
    }

    fn parent(&self, name: &Arc<str>, parent: DatasetId) -> Result<&Dataset, PlanError> {
        self.datasets
            .get(parent.index())
            .ok_or_else(|| PlanError::UnknownParent {
                name: name.clone(),
                parent,
            })
    }

    fn shuffle_read(&self, name: &Arc<str>, shuffle: ShuffleId) -> Result<&Shuffle, PlanError> {
        self.shuffles
            .get(shuffle.index())
            .ok_or_else(|| PlanError::UnknownShuffle {
                name: name.clone(),
                shuffle,
            })
    }
}

fn index_as_id(index: usize) -> u32 {
    u32::try_from(index).expect("a plan has fewer than 2^32 datasets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Partition;

    #[test]
    fn a_union_has_the_partitions_of_its_parents_in_order() {
        let mut builder = PlanBuilder::new();
        let a = builder.add(NewDataset::source("a", 2)).expect("valid");
        let b = builder.add(NewDataset::source("b", 3)).expect("valid");
        let both = builder
            .add(NewDataset::union("both", [a, b]))
            .expect("valid");
        let plan = builder.build();
        let both = plan.dataset(both);
        assert_eq!(both.partitions(), 5);
        let parents_of = |partition| -> Vec<_> {
            both.narrow_dependencies()
                .filter_map(|narrow| {
                    let from = narrow.parent_partition(Partition(partition))?;
                    Some((narrow.parent, from.0))
                })
                .collect()
        };
        assert_eq!(parents_of(1), [(a, 1)]);
        assert_eq!(parents_of(2), [(b, 0)]);
        assert_eq!(parents_of(4), [(b, 2)]);
    }

    #[test]
    fn mistakes_are_refused_and_say_what_is_wrong() {
        let mut builder = PlanBuilder::new();
        let a = builder.add(NewDataset::source("a", 2)).expect("valid");
        let b = builder.add(NewDataset::source("b", 3)).expect("valid");
        let unknown = DatasetId(9);
        let said =
            |result: Result<DatasetId, PlanError>| result.expect_err("a mistake").to_string();
        assert_eq!(
            said(builder.add(NewDataset::zipped("z", [a, b]))),
            "dataset `z` has 2 partitions, but `b` that it reads has 3"
        );
        assert_eq!(
            said(builder.add(NewDataset::derived("d", unknown))),
            "dataset `d` depends on dataset 9, which is not in the plan yet"
        );
        assert_eq!(
            said(builder.add(NewDataset::union("u", []))),
            "dataset `u` is made from nothing: give at least one dataset"
        );
        assert_eq!(
            said(builder.add(NewDataset::source("s", 2).preferring(vec![vec![]]))),
            "dataset `s` has 2 partitions, but preferred hosts for 1"
        );
        assert_eq!(
            builder.shuffle(a, Partitioner::hash(0)),
            Err(PlanError::NoReducePartitions { name: "a".into() })
        );
        let shuffle = builder.shuffle(a, Partitioner::hash(4)).expect("valid");
        let join = NewDataset::with_dependencies(
            "j",
            3,
            [Dependency::Shuffle(shuffle), Dependency::one_to_one(b)],
        );
        assert_eq!(
            said(builder.add(join)),
            "dataset `j` has 3 partitions, but `a` that it reads has 4"
        );
    }

    #[test]
    fn spreading_unordered_records_in_turn_is_indeterminate() {
        let mut builder = PlanBuilder::new();
        let source = builder.add(NewDataset::source("source", 2)).expect("valid");
        let even = builder
            .shuffle(source, Partitioner::round_robin(2))
            .expect("valid");
        let spread = builder
            .add(NewDataset::shuffled("spread", [even]))
            .expect("valid");
        let again = builder
            .shuffle(spread, Partitioner::round_robin(2))
            .expect("valid");
        let by_key = builder
            .shuffle(spread, Partitioner::hash(2))
            .expect("valid");
        let last = builder
            .add(NewDataset::shuffled("last", [again]))
            .expect("valid");
        let plan = builder.build();
        assert_eq!(plan.shuffle(even).determinism, Determinism::Determinate);
        assert_eq!(plan.dataset(spread).determinism(), Determinism::Unordered);
        assert_eq!(plan.shuffle(by_key).determinism, Determinism::Unordered);
        assert_eq!(plan.shuffle(again).determinism, Determinism::Indeterminate);
        assert_eq!(plan.dataset(last).determinism(), Determinism::Indeterminate);
    }
}
