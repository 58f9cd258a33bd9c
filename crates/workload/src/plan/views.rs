//! An application's datasets and shuffles, for scheduling and for executors.
//!
//! Responsible for both views of them being of one thing: what scheduling is told of a
//! dataset follows from its operation, and whatever is added is added to both at once.
//! How much there may be, and what an application asks, is `application_builder`'s
//! business. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::native::Native;
use super::operation::{Change, Nature, Operation, Source};
use super::program::{Exchange, Program, Recipe, Skip};
use super::surroundings::Surroundings;
use super::{Dataset, NewDataset, Partitioner, Plan, PlanBuilder, PlanError, TaskNeeds};
use crate::ids::{DatasetId, Host, ShuffleId};

/// What is asked of a dataset beside what it does.
#[derive(Debug, Default)]
pub(super) struct DatasetOptions {
    /// Its partitions are kept.
    pub(super) persisted: bool,
    /// How long a task may take that computes it.
    pub(super) timeout: Option<Duration>,
    /// Items that it cannot do are left out.
    pub(super) skip: Option<Skip>,
    /// What its command finds around it.
    pub(super) around: Surroundings,
    /// What its tasks need, whatever the application's setting.
    pub(super) needs: Option<TaskNeeds>,
}

/// What a new dataset does; where it takes partitions of others as they are, these are
/// counted here.
#[derive(Debug)]
pub(super) enum Doing {
    /// It begins a pipeline; by partition, where it would like to be read.
    Source(Source, Vec<Vec<Host>>),
    /// It changes what another one has.
    Change(DatasetId, Change),
    /// It has what all of these have.
    Union(Vec<DatasetId>),
    /// It has what this one has, in so many partitions at most.
    Coalesce(DatasetId, u32),
}

/// Both views in the making.
#[derive(Debug, Default)]
pub(super) struct Views {
    plan: PlanBuilder,
    program: Program,
}

impl Views {
    /// Adds a dataset.
    ///
    /// # Errors
    /// When it breaks a rule of plans; nothing is added then.
    pub(super) fn add(
        &mut self,
        name: &str,
        doing: Doing,
        asked: DatasetOptions,
    ) -> Result<DatasetId, PlanError> {
        let mut new = told(name, &doing)?;
        if asked.skip.is_some() {
            new = new.skipping();
        }
        if asked.persisted {
            new = new.persisted();
        }
        if let Some(needs) = asked.needs {
            new = new.needing(needs);
        }
        let id = self.plan.add(new)?;
        let dataset = self.plan.dataset(id);
        self.program.datasets.push(Recipe {
            name: Arc::clone(dataset.name()),
            operation: match doing {
                Doing::Source(source, _) => Operation::Source(source),
                Doing::Change(parent, change) => Operation::Change(parent, change),
                Doing::Union(_) => {
                    Operation::Union(dataset.narrow_dependencies().cloned().collect())
                }
                Doing::Coalesce(..) => {
                    let mut groups = dataset.narrow_dependencies().cloned();
                    Operation::Coalesce(groups.next().expect("it was added with its parent"))
                }
            },
            persisted: asked.persisted,
            timeout: asked.timeout,
            skip: asked.skip,
            around: asked.around,
        });
        Ok(id)
    }

    /// Adds a shuffle.
    ///
    /// # Errors
    /// When it breaks a rule of plans; nothing is added then.
    pub(super) fn shuffle(&mut self, exchange: Exchange) -> Result<ShuffleId, PlanError> {
        let partitioner = Partitioner {
            partitioning: exchange.partitioning,
            partitions: exchange.partitions,
        };
        let id = self.plan.shuffle(exchange.map_side, partitioner)?;
        self.program.shuffles.push(exchange);
        Ok(id)
    }

    /// Some datasets are made by functions of the user's program, which executors find
    /// by this.
    pub(super) fn native(&mut self, native: Native) {
        self.program.native = Some(native);
    }

    /// The partitions of a dataset that was added are kept, after all.
    pub(super) fn persist(&mut self, dataset: DatasetId) {
        self.plan.persist(dataset);
        if let Some(recipe) = self.program.datasets.get_mut(dataset.index()) {
            recipe.persisted = true;
        }
    }

    /// A dataset that was added, as scheduling sees it.
    pub(super) fn dataset(&self, id: DatasetId) -> Option<&Dataset> {
        (id.index() < self.program.datasets.len()).then(|| self.plan.dataset(id))
    }

    /// A dataset that was added, as executors see it.
    pub(super) fn recipe(&self, id: DatasetId) -> Option<&Recipe> {
        self.program.datasets.get(id.index())
    }

    /// All shuffles that were added, in the order of their ids.
    pub(super) fn shuffles(&self) -> &[Exchange] {
        &self.program.shuffles
    }

    /// Both, which change no more.
    pub(super) fn build(self) -> (Arc<Plan>, Arc<Program>) {
        (Arc::new(self.plan.build()), Arc::new(self.program))
    }
}

/// What scheduling is told of a dataset.
fn told(name: &str, doing: &Doing) -> Result<NewDataset, PlanError> {
    let partitions = |count: usize| {
        u32::try_from(count).map_err(|_| PlanError::TooManyPartitions { name: name.into() })
    };
    Ok(match doing {
        Doing::Source(source, hosts) => {
            let new = match source {
                Source::Text(splits) => NewDataset::source(name, partitions(splits.partitions())?),
                Source::Range { partitions, .. } => NewDataset::source(name, *partitions),
                Source::Items(items) => NewDataset::source(name, partitions(items.len())?),
                Source::Native(source) => {
                    NewDataset::source(name, partitions(source.partitions.len())?)
                }
                Source::Read(shuffle, _) => NewDataset::shuffled(name, [*shuffle]),
                Source::Join { left, right, .. } => NewDataset::shuffled(name, [*left, *right]),
            };
            new.preferring(hosts.clone())
        }
        Doing::Change(parent, change) => {
            let new = NewDataset::derived(name, *parent);
            match change.nature() {
                Nature::Plain | Nature::Function { by_order: false } => new,
                Nature::ByOrder | Nature::Command | Nature::Function { by_order: true } => {
                    new.order_sensitive()
                }
            }
        }
        Doing::Union(parents) => NewDataset::union(name, parents.as_slice()),
        Doing::Coalesce(parent, partitions) => NewDataset::coalesced(name, *parent, *partitions),
    })
}
