//! From an attempt that was placed to the task that an executor is sent. Pure.
//!
//! Responsible for adding what scheduling does not know: what the stage's tasks
//! do, where the blocks that they read lie, and the bounds of the ranges that
//! they write. It keeps that by stage, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::ids::{DatasetId, ExecutorId, JobId, Partition, ShuffleId, StageId};
use crate::plan::application::Compression;
use crate::plan::program::Program;
use crate::plan::{Partitioning, Plan};
use mesquite_scheduler::cached_locations::CachedLocations;
use mesquite_scheduler::map_outputs::{MapOutputs, MissingOutput};
use mesquite_scheduler::task::{StageKind, TaskDescription, TaskLocation};
use mesquite_workload::message::{
    self, CachedPartition, MapWork, ResultWork, ShuffleInput, result_work, shuffle_input,
};

/// What the tasks of a stage do.
#[derive(Clone, Debug, PartialEq)]
pub struct StageWork {
    /// The job on whose behalf it was submitted first.
    pub job: JobId,
    /// The dataset whose partitions are computed.
    pub dataset: DatasetId,
    /// What becomes of them.
    pub kind: WorkKind,
}

impl StageWork {
    /// The shuffle that it makes, if it makes one.
    pub const fn shuffle(&self) -> Option<ShuffleId> {
        match self.kind {
            WorkKind::Map(shuffle) => Some(shuffle),
            WorkKind::Result(_) => None,
        }
    }
}

/// What becomes of a partition's records.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkKind {
    /// They are spread.
    Map(ShuffleId),
    /// They become a result.
    Result(Making),
}

/// What result a partition's records become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Making {
    /// Their number.
    Count,
    /// They themselves.
    Collect {
        /// At most so many of a partition.
        limit: Option<u64>,
    },
    /// Files.
    Save {
        /// The folder.
        to: Arc<str>,
        /// How they are compressed.
        compress: Compression,
        /// What the folders in it are called whose values are the first fields of each
        /// record.
        partition_by: Arc<[String]>,
    },
    /// Some of them, evenly drawn, from which the bounds of a sort are made.
    Sample(Sample),
}

/// Which records are drawn of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// So many.
    pub records: u32,
    /// What the choice depends on.
    pub seed: u64,
    /// At most so many bytes of each, from its beginning.
    pub longest: u32,
}

impl Making {
    /// For tasks.
    fn message(&self) -> result_work::Action {
        match self {
            Self::Count => result_work::Action::Count(result_work::Nothing {}),
            Self::Collect { limit } => result_work::Action::Collect(result_work::Collect {
                limit: limit.unwrap_or(0),
            }),
            Self::Save {
                to,
                compress,
                partition_by,
            } => result_work::Action::Save(result_work::Save {
                to: to.to_string(),
                compress: compress.format.name().into(),
                level: compress.level.map_or(0, u32::from),
                partition_by: partition_by.to_vec(),
            }),
            Self::Sample(it) => result_work::Action::Sample(result_work::TakeSample {
                records: it.records,
                seed: it.seed,
                longest: it.longest,
            }),
        }
    }
}

/// How others reach the blocks of an executor.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BlockPlace {
    /// Its block server, `host:port`; empty if it has none.
    pub address: String,
    /// Its folder.
    pub folder: String,
}

/// See the module.
#[derive(Debug)]
pub struct Works {
    plan: Arc<Plan>,
    program: Arc<Program>,
    stages: BTreeMap<StageId, StageWork>,
    bounds: BTreeMap<ShuffleId, Vec<Bytes>>,
    /// What is read in place of a shuffle of the program that nobody made.
    instead: BTreeMap<ShuffleId, ShuffleId>,
    places: BTreeMap<ExecutorId, BlockPlace>,
}

impl Works {
    /// Knows of no stage yet.
    pub fn new(plan: Arc<Plan>, program: Arc<Program>) -> Self {
        Self {
            plan,
            program,
            stages: BTreeMap::new(),
            bounds: BTreeMap::new(),
            instead: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    /// A stage was submitted, on behalf of `job`; `result` is what that job
    /// makes of its dataset.
    pub fn submitted(
        &mut self,
        stage: StageId,
        kind: StageKind,
        job: JobId,
        result: Option<(DatasetId, Making)>,
    ) {
        let work = match (kind, result) {
            (StageKind::ShuffleMap(shuffle), _) => StageWork {
                job,
                dataset: self.plan.shuffle(shuffle).map_side,
                kind: WorkKind::Map(shuffle),
            },
            (StageKind::Result, Some((dataset, making))) => StageWork {
                job,
                dataset,
                kind: WorkKind::Result(making),
            },
            // A result stage of a job that is over: nothing of it is launched.
            (StageKind::Result, None) => return,
        };
        self.stages.insert(stage, work);
    }

    /// What the tasks of a stage do.
    pub fn stage(&self, stage: StageId) -> Option<&StageWork> {
        self.stages.get(&stage)
    }

    /// Whether a task of a stage is ended that takes too long to compute a partition.
    pub fn has_timeout(&self, stage: StageId, partition: Partition) -> bool {
        let last = self.stages.get(&stage).map(|it| (it.dataset, partition));
        let mut to_visit = Vec::from_iter(last);
        let mut seen = BTreeSet::new();
        while let Some((dataset, partition)) = to_visit.pop() {
            let recipe = self.program.recipe(dataset);
            if recipe.timeout.is_some() {
                return true;
            }
            let inputs = recipe.operation.inputs(partition).into_iter();
            let inputs =
                inputs.flat_map(|(parent, partitions)| partitions.map(move |it| (parent, it)));
            to_visit.extend(inputs.filter(|it| seen.insert(*it)));
        }
        false
    }

    /// The bounds of a shuffle by ranges are known.
    pub fn set_bounds(&mut self, shuffle: ShuffleId, bounds: Vec<Bytes>) {
        self.bounds.insert(shuffle, bounds);
    }

    /// A loop ended before the round that would have made `from`: whoever reads that
    /// reads `to`, as the plan has it now.
    pub fn loop_ended(&mut self, plan: Arc<Plan>, from: ShuffleId, to: ShuffleId) {
        self.plan = plan;
        self.instead.insert(from, to);
    }

    /// The shuffles by ranges that come before `dataset` and whose bounds are
    /// not known yet, each after those that its own map side needs. One range
    /// has no bounds.
    pub fn missing_bounds(&self, dataset: DatasetId) -> Vec<ShuffleId> {
        // What a round is made from has had its bounds before that was over.
        let is_over = |shuffle| self.plan.shuffle(shuffle).cuts_lineage();
        let before = self
            .plan
            .ancestor_shuffles_until(dataset, |_| false, is_over);
        let needs_bounds = |shuffle: &ShuffleId| {
            let partitioner = self.plan.shuffle(*shuffle).partitioner;
            partitioner.partitioning == Partitioning::Range
                && partitioner.partitions > 1
                && self
                    .plan
                    .dataset(self.plan.shuffle(*shuffle).map_side)
                    .partitions()
                    > 0
                && !self.bounds.contains_key(shuffle)
        };
        before.into_iter().filter(needs_bounds).collect()
    }

    /// An executor has come.
    pub fn set_place(&mut self, executor: ExecutorId, place: BlockPlace) {
        self.places.insert(executor, place);
    }

    /// Where an executor's blocks are, also after it is gone.
    pub fn place(&self, executor: &ExecutorId) -> Option<&BlockPlace> {
        self.places.get(executor)
    }

    /// The task for an attempt.
    ///
    /// # Errors
    /// An output that it has to read is missing: it fails before it starts.
    ///
    /// # Panics
    /// When the stage was never submitted.
    pub fn task(
        &self,
        attempt: &TaskDescription,
        outputs: &MapOutputs,
        kept: &CachedLocations,
    ) -> Result<message::Task, MissingOutput> {
        let work = self
            .stages
            .get(&attempt.stage)
            .expect("an attempt is of a stage that was submitted");
        let (inputs, cached) = self.inputs(work.dataset, attempt.partition, outputs, kept)?;
        let doing = match &work.kind {
            WorkKind::Map(shuffle) => message::task::Work::Map(MapWork {
                shuffle: shuffle.0,
                bounds: self.bounds.get(shuffle).cloned().unwrap_or_default(),
            }),
            WorkKind::Result(making) => message::task::Work::Result(ResultWork {
                action: Some(making.message()),
            }),
        };
        Ok(message::Task {
            id: attempt.task.0,
            job: work.job.0,
            stage: attempt.stage.0,
            stage_attempt: attempt.stage_attempt.0,
            partition: attempt.partition.0,
            attempt: attempt.attempt,
            dataset: work.dataset.0,
            work: Some(doing),
            inputs,
            cpus: attempt.cpus,
            resources: attempt
                .resources
                .iter()
                .map(|held| message::NamedResource {
                    name: held.name.to_string(),
                    addresses: held.addresses.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            cached,
            left_out: attempt.left_out,
        })
    }

    /// What computing a partition reads: blocks by shuffle, and partitions that
    /// are kept. What a kept partition was made from is added if it is there,
    /// for the case that it is kept no longer.
    fn inputs(
        &self,
        dataset: DatasetId,
        partition: Partition,
        outputs: &MapOutputs,
        kept: &CachedLocations,
    ) -> Result<(Vec<ShuffleInput>, Vec<CachedPartition>), MissingOutput> {
        let mut inputs: Vec<ShuffleInput> = Vec::new();
        let mut cached = Vec::new();
        let mut read = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut to_visit = vec![(dataset, partition, true)];
        while let Some(visit) = to_visit.pop() {
            // One that is put together with itself may be met any number of times.
            if !seen.insert(visit) {
                continue;
            }
            let (dataset, partition, mut needed) = visit;
            let recipe = self.program.recipe(dataset);
            if recipe.persisted {
                let holders = self.holders(dataset, partition, kept);
                needed &= holders.is_empty();
                cached.extend(holders);
            }
            for shuffle in recipe.operation.shuffles() {
                if !read.contains(&(shuffle, partition)) {
                    match self.input(shuffle, partition, outputs) {
                        Ok(input) => {
                            read.insert((shuffle, partition));
                            inputs.push(input);
                        }
                        Err(missing) if needed => return Err(missing),
                        Err(_) => {}
                    }
                }
            }
            if let Some((parent, partitions)) = recipe.operation.inputs(partition) {
                // Last in, first out: they are read in order.
                to_visit.extend(partitions.rev().map(|it| (parent, it, needed)));
            }
        }
        Ok((inputs, cached))
    }

    fn holders(
        &self,
        dataset: DatasetId,
        partition: Partition,
        kept: &CachedLocations,
    ) -> Vec<CachedPartition> {
        let executors = kept.holders(dataset, partition).into_iter();
        executors
            .filter_map(|location| match location {
                TaskLocation::Executor { executor, .. } => Some(executor),
                TaskLocation::Host(_) | TaskLocation::HostCache(_) => None,
            })
            .map(|executor| {
                let place = self.places.get(&executor).cloned().unwrap_or_default();
                CachedPartition {
                    dataset: dataset.0,
                    partition: partition.0,
                    executor: executor.as_str().to_owned(),
                    address: place.address,
                    folder: place.folder,
                }
            })
            .collect()
    }

    fn input(
        &self,
        shuffle: ShuffleId,
        reduce: Partition,
        outputs: &MapOutputs,
    ) -> Result<ShuffleInput, MissingOutput> {
        let instead = self.instead.get(&shuffle).copied();
        let sources = outputs
            .blocks(instead.unwrap_or(shuffle), reduce)?
            .into_iter()
            .map(|held| {
                let place = self.places.get(&held.executor).cloned().unwrap_or_default();
                shuffle_input::Source {
                    executor: held.executor.as_str().to_owned(),
                    host: held.host.as_str().to_owned(),
                    address: place.address,
                    folder: place.folder,
                    blocks: held
                        .blocks
                        .iter()
                        .map(|block| shuffle_input::Block {
                            map: block.map.0,
                            task: block.task.0,
                            bytes: block.bytes,
                        })
                        .collect(),
                }
            })
            .collect();
        Ok(ShuffleInput {
            shuffle: shuffle.0,
            reduce: reduce.0,
            sources,
            instead: instead.map(|it| it.0),
        })
    }
}
