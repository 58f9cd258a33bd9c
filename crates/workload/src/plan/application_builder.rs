//! Builds an application dataset by dataset.
//!
//! Responsible for the two halves of each dataset, what scheduling knows of it
//! and what executors do for it, under one id. Job files and programs in Rust
//! use it alike. Pure: which files there are is found out before.
//!
//! ```
//! use mesquite_workload::plan::{ApplicationBuilder, application::ActionKind};
//!
//! # fn main() -> Result<(), mesquite_workload::plan::PlanError> {
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

mod iterate;
mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::iterate::Shared;
pub use self::iterate::Turn;
use super::application::{Action, ActionKind, Application};
use super::limits::{LONGEST_CHAIN, MOST_BLOCKS, MOST_PARTITIONS, MOST_REDUCERS};
use super::native::Native;
use super::operation::{Combine, SortOrder};
use super::program::{Exchange, Skip};
use super::rounds::Loop;
use super::surroundings::Surroundings;
use super::views::{DatasetOptions, Doing, Views};
use super::{Amount, Dataset, Partitioner, PlanError, TaskNeeds};
use crate::ids::{DatasetId, ResourceProfileId, ShuffleId};

/// An application in the making. Every method that adds a dataset fails when it
/// breaks a rule of plans.
#[derive(Debug, Default)]
pub struct ApplicationBuilder {
    name: Option<Arc<str>>,
    views: Views,
    /// By dataset, how many operations a task does in a row that makes it.
    chains: Vec<u32>,
    /// By dataset, whether making it costs more than keeping it.
    dear: Vec<bool>,
    actions: Vec<Action>,
    kept_for_sorts: BTreeMap<DatasetId, BTreeSet<ShuffleId>>,
    loops: Vec<Loop>,
    /// The shuffles that all rounds of the loop in the making share.
    shared: Option<Shared>,
    default_parallelism: Option<u32>,
    /// The cores of a task, if that is said.
    task_cpus: Option<u32>,
    /// Of the dataset that is added next.
    asked: DatasetOptions,
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

    /// The cores of tasks of which nobody says otherwise (`spark.task.cpus`); one, if that is
    /// not said.
    pub fn task_cpus(&mut self, cpus: u32) -> &mut Self {
        self.task_cpus = Some(cpus);
        self
    }

    /// Each task that makes the next dataset that is added needs so many cores, if that is
    /// said, and so much of resources with names, sorted by these. It holds for all datasets
    /// of its stage.
    pub fn needs(&mut self, cpus: Option<u32>, resources: Vec<(Arc<str>, Amount)>) -> &mut Self {
        self.asked.needs = Some(TaskNeeds {
            profile: ResourceProfileId::default(),
            cpus: cpus.or(self.task_cpus).unwrap_or(1),
            resources,
        });
        self
    }

    /// The next dataset that is added is persisted.
    pub fn persist(&mut self) -> &mut Self {
        self.asked.persisted = true;
        self
    }

    /// A task that computes the next dataset that is added may take so long.
    pub fn timeout(&mut self, most: Duration) -> &mut Self {
        self.asked.timeout = Some(most);
        self
    }

    /// Items that the next dataset that is added cannot do are left out. It is made of
    /// items, within their stage.
    pub fn skip(&mut self, skip: Skip) -> &mut Self {
        self.asked.skip = Some(skip);
        self
    }

    /// The command of the next dataset that is added finds this around it.
    pub fn around(&mut self, around: Surroundings) -> &mut Self {
        self.asked.around = around;
        self
    }

    /// Asks something of a dataset, in a job of its own.
    pub fn action(&mut self, dataset: DatasetId, kind: ActionKind, pool: Option<Arc<str>>) {
        self.add_action(Action {
            pool,
            ..Action::new(dataset, kind)
        });
    }

    /// Asks something of a dataset, with all that can be said of that; its place
    /// among the actions.
    pub fn add_action(&mut self, action: Action) -> usize {
        self.actions.push(action);
        self.actions.len() - 1
    }

    /// Some datasets are made by functions of the user's program, which executors find
    /// by this.
    pub fn native(&mut self, native: Native) -> &mut Self {
        self.views.native(native);
        self
    }

    /// The finished application.
    pub fn build(self) -> Application {
        let (plan, program) = self.views.build();
        Application {
            name: self.name,
            plan,
            program,
            actions: self.actions,
            kept_for_sorts: self.kept_for_sorts,
            loops: self.loops,
        }
    }

    fn add(&mut self, name: &str, doing: Doing) -> Added {
        let asked = std::mem::take(&mut self.asked);
        let persisted = asked.persisted;
        let id = self.views.add(name, doing, asked)?;
        let Some(recipe) = self.views.recipe(id) else {
            return Ok(id);
        };
        let parents = recipe.operation.parents();
        let of = |parent: &DatasetId| self.chains.get(parent.index()).copied();
        let chain = 1 + parents.iter().filter_map(of).max().unwrap_or(0);
        let is_dear = |parent: &DatasetId| self.dear.get(parent.index()) == Some(&true);
        let dear = recipe.operation.is_dear() || parents.iter().any(is_dear);
        self.chains.push(chain);
        // What is made of one that is persisted is made of what is kept.
        self.dear.push(dear && !persisted);
        let name = || Arc::clone(&recipe.name);
        if self.partitions(id) > MOST_PARTITIONS {
            return Err(PlanError::TooManyPartitions { name: name() });
        }
        if chain > LONGEST_CHAIN {
            return Err(PlanError::ChainTooLong { name: name() });
        }
        Ok(id)
    }

    fn shuffle(
        &mut self,
        name: &str,
        map_side: DatasetId,
        partitioner: Partitioner,
        combine: Option<Combine>,
        order: SortOrder,
    ) -> Result<ShuffleId, PlanError> {
        let partitions = partitioner.partitions;
        let maps = self.partitions(map_side);
        if partitions > MOST_REDUCERS {
            let name = name.into();
            return Err(PlanError::TooManyReducers { name, partitions });
        }
        if u64::from(maps) * u64::from(partitions) > MOST_BLOCKS {
            return Err(PlanError::TooManyBlocks {
                name: name.into(),
                maps,
                partitions,
            });
        }
        let exchange = Exchange {
            map_side,
            partitioning: partitioner.partitioning,
            partitions,
            combine,
            order,
        };
        if let Some(shuffle) = self.shared.as_ref().and_then(|it| it.find(&exchange)) {
            return Ok(shuffle);
        }
        let id = self.views.shuffle(exchange.clone())?;
        if let Some(shared) = &mut self.shared {
            shared.made(id, exchange);
        }
        Ok(id)
    }

    /// How many partitions a dataset has; none if there is no such dataset.
    fn partitions(&self, dataset: DatasetId) -> u32 {
        let dataset = self.views.dataset(dataset);
        dataset.map_or(0, Dataset::partitions)
    }

    /// How many partitions a shuffle of these makes.
    fn reducers(&self, wanted: Option<u32>, parents: &[DatasetId]) -> u32 {
        let largest = || {
            let all = parents.iter().map(|it| self.partitions(*it));
            all.max().unwrap_or(1).max(1)
        };
        wanted.or(self.default_parallelism).unwrap_or_else(largest)
    }
}

#[cfg(test)]
mod tests;
