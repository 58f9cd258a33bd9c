//! Builds an application dataset by dataset.
//!
//! Responsible for the two halves of each dataset, what scheduling knows of it
//! and what executors do for it, under one id. Job files and programs in Rust
//! use it alike. Pure: which files there are is found out before.
//!
//! ```
//! use mesquite::plan::{ApplicationBuilder, application::ActionKind};
//!
//! # fn main() -> Result<(), mesquite::plan::PlanError> {
//! let mut builder = ApplicationBuilder::new();
//! let numbers = builder.range("numbers", 0, 1000, 4)?;
//! let digits = builder.pipe("digits", numbers, "fold -w 1")?;
//! let counts = builder.count_by_key("counts", digits, Some(2))?;
//! builder.action(counts, ActionKind::Count, None);
//! let application = builder.build();
//! assert_eq!(application.plan.dataset(counts).partitions(), 2);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use super::application::{Action, ActionKind, Application};
use super::operation::{
    Combine, Exchange, JoinKind, Merge, Operation, Program, SortOrder, Split, Step,
};
use super::{Dependency, NewDataset, Partitioner, PlanBuilder, PlanError};
use crate::ids::{DatasetId, Host, ShuffleId};

/// A split of a file and the hosts that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedSplit {
    /// The split.
    pub split: Split,
    /// Where it lies; empty for anywhere.
    pub hosts: Vec<Host>,
}

/// An application in the making. Every method that adds a dataset fails when it
/// breaks a rule of plans.
#[derive(Debug, Default)]
pub struct ApplicationBuilder {
    name: Option<Arc<str>>,
    plan: PlanBuilder,
    program: Program,
    /// How many partitions each dataset has.
    partitions: Vec<u32>,
    actions: Vec<Action>,
    default_parallelism: Option<u32>,
    /// Set for the dataset that is added next.
    persist: bool,
}

type Added = Result<DatasetId, PlanError>;

impl ApplicationBuilder {
    /// An empty application.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it a name.
    pub fn name(&mut self, name: impl Into<Arc<str>>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// How many partitions shuffles make unless they say so
    /// (`spark.default.parallelism`); else as many as the larger parent has.
    pub fn default_parallelism(&mut self, partitions: Option<u32>) -> &mut Self {
        self.default_parallelism = partitions;
        self
    }

    /// The next dataset that is added is persisted.
    pub fn persist(&mut self) -> &mut Self {
        self.persist = true;
        self
    }

    /// Asks something of a dataset, in a job of its own.
    pub fn action(&mut self, dataset: DatasetId, kind: ActionKind, pool: Option<Arc<str>>) {
        self.actions.push(Action {
            dataset,
            kind,
            pool,
        });
    }

    /// The finished application.
    pub fn build(self) -> Application {
        Application {
            name: self.name,
            plan: Arc::new(self.plan.build()),
            program: Arc::new(self.program),
            actions: self.actions,
        }
    }

    fn add(&mut self, new: NewDataset, operation: Operation) -> Added {
        let persisted = std::mem::take(&mut self.persist);
        let new = if persisted { new.persisted() } else { new };
        let id = self.plan.add(new)?;
        let dataset = self.plan.dataset(id);
        self.partitions.push(dataset.partitions());
        self.program.datasets.push(Step {
            name: Arc::clone(dataset.name()),
            operation,
            parents: dataset.narrow_dependencies().cloned().collect(),
            persisted,
        });
        Ok(id)
    }

    fn shuffle(
        &mut self,
        map_side: DatasetId,
        partitioner: Partitioner,
        combine: Option<Combine>,
        order: SortOrder,
    ) -> Result<ShuffleId, PlanError> {
        let id = self.plan.shuffle(map_side, partitioner)?;
        self.program.shuffles.push(Exchange {
            map_side,
            partitioning: partitioner.partitioning,
            partitions: partitioner.partitions,
            combine,
            order,
        });
        Ok(id)
    }

    /// How many partitions a shuffle of these makes.
    fn reducers(&self, wanted: Option<u32>, parents: &[DatasetId]) -> u32 {
        let largest = || {
            let all = parents
                .iter()
                .filter_map(|it| self.partitions.get(it.index()));
            all.copied().max().unwrap_or(1).max(1)
        };
        wanted.or(self.default_parallelism).unwrap_or_else(largest)
    }

    // --- sources

    /// Lines of files, a partition for each split.
    pub fn text(&mut self, name: &str, splits: Vec<PlacedSplit>) -> Added {
        let (splits, hosts): (Vec<_>, Vec<_>) =
            splits.into_iter().map(|it| (it.split, it.hosts)).unzip();
        let partitions = count(name, splits.len())?;
        let mut new = NewDataset::source(name, partitions);
        if hosts.iter().any(|hosts| !hosts.is_empty()) {
            new = new.preferring(hosts);
        }
        self.add(new, Operation::Text(splits))
    }

    /// The numbers from `start` up to but not `end`.
    pub fn range(&mut self, name: &str, start: i64, end: i64, partitions: u32) -> Added {
        let operation = Operation::Range {
            start,
            end,
            partitions,
        };
        self.add(NewDataset::source(name, partitions), operation)
    }

    /// A partition for each item.
    pub fn items(&mut self, name: &str, items: Vec<String>) -> Added {
        let partitions = count(name, items.len())?;
        self.add(
            NewDataset::source(name, partitions),
            Operation::Items(items),
        )
    }

    // --- within a stage

    /// Through a shell command, which may depend on the order of its input.
    pub fn pipe(&mut self, name: &str, from: DatasetId, command: &str) -> Added {
        let new = NewDataset::derived(name, from).order_sensitive();
        self.add(new, Operation::Pipe(command.into()))
    }

    /// Records in which a regular expression is found.
    pub fn filter(&mut self, name: &str, from: DatasetId, pattern: &str) -> Added {
        let new = NewDataset::derived(name, from);
        self.add(new, Operation::Filter(pattern.into()))
    }

    /// Each record with this probability. Which ones depends on their order.
    pub fn sample(&mut self, name: &str, from: DatasetId, fraction: f64, seed: u64) -> Added {
        let new = NewDataset::derived(name, from).order_sensitive();
        self.add(new, Operation::Sample { fraction, seed })
    }

    /// A field, counted from 1, and a tab before each record.
    pub fn key_by(&mut self, name: &str, from: DatasetId, field: u32, separator: &str) -> Added {
        let operation = Operation::KeyBy {
            field,
            separator: separator.into(),
        };
        self.add(NewDataset::derived(name, from), operation)
    }

    /// The partitions of all parents.
    pub fn union(&mut self, name: &str, parents: &[DatasetId]) -> Added {
        self.add(NewDataset::union(name, parents), Operation::Union)
    }

    // --- shuffles

    /// `key<TAB>number` of records for each key.
    pub fn count_by_key(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        self.combine(name, from, partitions, Combine::Count)
    }

    /// `key<TAB>sum` of the numbers after the tab.
    pub fn sum_by_key(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        self.combine(name, from, partitions, Combine::Sum)
    }

    /// Each line once.
    pub fn distinct(&mut self, name: &str, from: DatasetId, partitions: Option<u32>) -> Added {
        self.combine(name, from, partitions, Combine::Distinct)
    }

    fn combine(
        &mut self,
        name: &str,
        from: DatasetId,
        partitions: Option<u32>,
        combine: Combine,
    ) -> Added {
        let reducers = self.reducers(partitions, &[from]);
        let hash = Partitioner::hash(reducers);
        let shuffle = self.shuffle(from, hash, Some(combine), SortOrder::default())?;
        let merge = Merge::Combine(combine);
        self.add(
            NewDataset::shuffled(name, [shuffle]),
            Operation::Read(shuffle, merge),
        )
    }

    /// Records of a partition, sorted by key, through a shell command.
    pub fn reduce_by_key(
        &mut self,
        name: &str,
        from: DatasetId,
        command: &str,
        partitions: Option<u32>,
    ) -> Added {
        let hash = Partitioner::hash(self.reducers(partitions, &[from]));
        let shuffle = self.shuffle(from, hash, None, SortOrder::default())?;
        let merge = Merge::ReduceByPipe(command.into());
        self.add(
            NewDataset::shuffled(name, [shuffle]),
            Operation::Read(shuffle, merge),
        )
    }

    /// All records in order, over all partitions.
    pub fn sort(
        &mut self,
        name: &str,
        from: DatasetId,
        order: SortOrder,
        partitions: Option<u32>,
    ) -> Added {
        let ranges = Partitioner::range(self.reducers(partitions, &[from]));
        let shuffle = self.shuffle(from, ranges, None, order)?;
        let merge = Merge::Sort(order);
        self.add(
            NewDataset::shuffled(name, [shuffle]),
            Operation::Read(shuffle, merge),
        )
    }

    /// Records spread evenly.
    pub fn repartition(&mut self, name: &str, from: DatasetId, partitions: u32) -> Added {
        let evenly = Partitioner::round_robin(partitions);
        let shuffle = self.shuffle(from, evenly, None, SortOrder::default())?;
        let operation = Operation::Read(shuffle, Merge::Concatenate);
        self.add(NewDataset::shuffled(name, [shuffle]), operation)
    }

    /// Records of two datasets matched by key.
    pub fn join(
        &mut self,
        name: &str,
        left: DatasetId,
        right: DatasetId,
        kind: JoinKind,
        partitions: Option<u32>,
    ) -> Added {
        let hash = Partitioner::hash(self.reducers(partitions, &[left, right]));
        let left = self.shuffle(left, hash, None, SortOrder::default())?;
        let right = self.shuffle(right, hash, None, SortOrder::default())?;
        let both = [Dependency::Shuffle(left), Dependency::Shuffle(right)];
        let new = NewDataset::with_dependencies(name, hash.partitions, both);
        self.add(new, Operation::Join { left, right, kind })
    }
}

fn count(name: &str, partitions: usize) -> Result<u32, PlanError> {
    u32::try_from(partitions).map_err(|_| PlanError::TooManyPartitions { name: name.into() })
}
