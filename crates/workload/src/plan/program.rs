//! What executors know of an application: what each dataset and shuffle does.
//!
//! Responsible for the half of an application that is sent to executors; the facts that
//! scheduling rests on are in [`Plan`](super::Plan). Both are made together, by
//! [`ApplicationBuilder`](super::ApplicationBuilder) alone, so they have the same
//! datasets and shuffles under the same ids. Pure.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::native::Native;
use super::operation::{Combine, Operation, SortOrder, Source};
use super::surroundings::Surroundings;
use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::Partitioning;

/// Each dataset and shuffle by its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    pub(super) datasets: Vec<Recipe>,
    pub(super) shuffles: Vec<Exchange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) native: Option<Native>,
    /// What all commands find around them.
    #[serde(default, skip_serializing_if = "Surroundings::is_empty")]
    pub(super) around: Surroundings,
}

/// How a dataset is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The dataset's name, for people.
    pub name: Arc<str>,
    /// What it does, and with whose records.
    pub operation: Operation,
    /// Whether its partitions are kept.
    pub persisted: bool,
    /// How long a task may take that computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What becomes of items that cannot be done; `None` if they fail their job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<Skip>,
    /// What its command finds around it, beside what all of them do.
    #[serde(default, skip_serializing_if = "Surroundings::is_empty")]
    pub around: Surroundings,
}

/// Items that cannot be done are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// So many may be left out of a run that counts as a success.
    pub allowed: u64,
    /// The folder in which they are written down.
    pub failed: Option<String>,
}

/// One shuffle of a program: what the map side does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The dataset whose records are spread.
    pub map_side: DatasetId,
    /// What decides a record's reduce partition.
    pub partitioning: Partitioning,
    /// How many reduce partitions.
    pub partitions: u32,
    /// How records of a key become one before they are sent, if they do.
    pub combine: Option<Combine>,
    /// The order that ranges are ranges of.
    pub order: SortOrder,
}

impl Program {
    /// By what executors find the functions of the user's program, if it has any.
    pub const fn native(&self) -> Option<&Native> {
        self.native.as_ref()
    }

    /// What the command of a dataset finds around it.
    pub fn around(&self, recipe: &Recipe) -> Surroundings {
        let mut around = recipe.around.clone();
        around.add_of_all(&self.around);
        around
    }

    /// What all commands find around them, whatever else those of a dataset do.
    pub const fn around_all(&mut self) -> &mut Surroundings {
        &mut self.around
    }

    /// All that commands find, that of all of them first.
    pub fn all_around(&self) -> impl Iterator<Item = &Surroundings> {
        let own = self.datasets.iter().map(|it| &it.around);
        std::iter::once(&self.around).chain(own)
    }

    /// The same, to be changed.
    pub fn all_around_mut(&mut self) -> impl Iterator<Item = &mut Surroundings> {
        let own = self.datasets.iter_mut().map(|it| &mut it.around);
        std::iter::once(&mut self.around).chain(own)
    }

    /// All datasets, in the order of their ids.
    pub fn datasets(&self) -> &[Recipe] {
        &self.datasets
    }

    /// All shuffles, in the order of their ids.
    pub fn shuffles(&self) -> &[Exchange] {
        &self.shuffles
    }

    /// Whether there are such a dataset and such a shuffle.
    pub fn has(&self, dataset: DatasetId, shuffle: Option<ShuffleId>) -> bool {
        dataset.index() < self.datasets.len()
            && shuffle.is_none_or(|it| it.index() < self.shuffles.len())
    }

    /// How a dataset is made.
    ///
    /// # Panics
    /// When the id is of another program.
    pub fn recipe(&self, dataset: DatasetId) -> &Recipe {
        &self.datasets[dataset.index()]
    }

    /// A shuffle.
    ///
    /// # Panics
    /// When the id is of another program.
    pub fn exchange(&self, shuffle: ShuffleId) -> &Exchange {
        &self.shuffles[shuffle.index()]
    }

    /// Of each dataset, whether it is computed by commands: its own, or those of
    /// what it is made from within its stage.
    pub fn datasets_by_commands(&self) -> Vec<bool> {
        let mut all: Vec<bool> = Vec::with_capacity(self.datasets.len());
        for recipe in &self.datasets {
            let operation = &recipe.operation;
            // Parents come first.
            let parents = operation.parents().into_iter().map(DatasetId::index);
            let of_parents = parents.map(|parent| all.get(parent).copied().unwrap_or(true));
            let any = of_parents.fold(operation.runs_command(), |any, it| any | it);
            all.push(any);
        }
        all
    }

    /// The dataset whose items are left out where a partition of `dataset` cannot be
    /// done, and which of them that is.
    pub fn item_of(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> Option<(DatasetId, Partition, &str)> {
        let mut at = (dataset, partition);
        let mut skips = None;
        loop {
            let recipe = self.recipe(at.0);
            if recipe.skip.is_some() {
                skips = Some(at);
            }
            if let Operation::Source(Source::Items(items)) = &recipe.operation {
                let (dataset, partition) = skips?;
                return Some((dataset, partition, items.get(at.1.index())?));
            }
            let (parent, mut partitions) = recipe.operation.inputs(at.1)?;
            at = (parent, partitions.next()?);
            // What fails of several items cannot be told.
            if partitions.next().is_some() {
                return None;
            }
        }
    }
}
