//! Builds a plan, checking each dataset as it is added.
//!
//! Responsible for the rules that every plan keeps: datasets refer only to
//! earlier ones, partition counts agree along dependencies, and a shuffle has
//! somewhere to put its records. The job file's reader and programs in Rust
//! use it alike.

mod error;
mod new_dataset;

use std::sync::Arc;

pub use error::PlanError;
pub use new_dataset::NewDataset;

use self::new_dataset::Parents;
use crate::ids::{DatasetId, ShuffleId};
use crate::plan::dataset::{Dataset, Dependency, Determinism, NarrowDependency, PartitionMapping};
use crate::plan::{Partitioner, Partitioning, Plan, Shuffle};

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
        let before = |of: fn(&Dataset) -> bool| {
            dependencies.iter().any(|dependency| match dependency {
                Dependency::Narrow(narrow) => of(&self.datasets[narrow.parent.index()]),
                Dependency::Shuffle(_) => false,
            })
        };
        let barrier = new.barrier || before(Dataset::is_barrier);
        let skips = new.skips || before(Dataset::skips);
        let id = DatasetId(index_as_id(self.datasets.len()));
        self.datasets.push(Dataset {
            name: new.name,
            partitions,
            dependencies: dependencies.into(),
            preferred_hosts: new.preferred_hosts.into_iter().map(Into::into).collect(),
            persisted: new.persisted,
            barrier,
            own_barrier: new.barrier,
            skips,
            determinism,
            needs: new.needs.map(Arc::new),
        });
        Ok(id)
    }

    /// The partitions of a dataset that was added stay with the executors that
    /// make them, after all.
    pub(super) fn persist(&mut self, dataset: DatasetId) {
        if let Some(dataset) = self.datasets.get_mut(dataset.index()) {
            dataset.persisted = true;
        }
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
            Parents::Groups(parent, most) => {
                let there = self.parent(name, parent)?.partitions;
                if most == 0 {
                    return Err(PlanError::NoGroups { name: name.clone() });
                }
                let mapping = PartitionMapping::Groups {
                    parent: there,
                    child: there.min(most),
                };
                let groups = Dependency::Narrow(NarrowDependency { parent, mapping });
                (there.min(most), vec![groups])
            }
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
                    PartitionMapping::Groups {
                        parent: there,
                        child,
                    } => {
                        if there == parent.partitions && child == partitions && child <= there {
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
                Dependency::Shuffle(shuffle) => {
                    let shuffle = &self.shuffles[shuffle.index()];
                    if shuffle.cuts_lineage() {
                        shuffle.determinism
                    } else {
                        // Blocks arrive in any order, so the records do too.
                        shuffle.determinism.max(Determinism::Unordered)
                    }
                }
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
mod tests;
