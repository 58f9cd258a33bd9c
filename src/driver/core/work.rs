//! From an attempt that was placed to the task that an executor is sent. Pure.
//!
//! Responsible for adding what scheduling does not know: what the stage's tasks
//! do, where the blocks that they read lie, and the bounds of the ranges that
//! they write. It keeps that by stage, and decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::ids::{DatasetId, ExecutorId, JobId, Partition, ShuffleId, StageId};
use crate::plan::operation::{Operation, Program};
use crate::plan::{Partitioning, Plan};
use crate::rpc::message::{
    self, CachedPartition, MapWork, ResultWork, ShuffleInput, result_work, shuffle_input,
};
use crate::scheduler::cached_locations::CachedLocations;
use crate::scheduler::map_outputs::{MapOutputs, MissingOutput};
use crate::scheduler::task::{StageKind, TaskDescription, TaskLocation};

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

/// What becomes of a partition's records.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkKind {
    /// They are spread.
    Map(ShuffleId),
    /// They become a result.
    Result(result_work::Action),
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
            places: BTreeMap::new(),
        }
    }

    /// A stage was submitted, on behalf of `job`; `action` is what that job
    /// makes of its dataset.
    pub fn submitted(
        &mut self,
        stage: StageId,
        kind: StageKind,
        job: JobId,
        result: Option<(DatasetId, result_work::Action)>,
    ) {
        let work = match (kind, result) {
            (StageKind::ShuffleMap(shuffle), _) => StageWork {
                job,
                dataset: self.plan.shuffle(shuffle).map_side,
                kind: WorkKind::Map(shuffle),
            },
            (StageKind::Result, Some((dataset, action))) => StageWork {
                job,
                dataset,
                kind: WorkKind::Result(action),
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

    /// The bounds of a shuffle by ranges are known.
    pub fn set_bounds(&mut self, shuffle: ShuffleId, bounds: Vec<Bytes>) {
        self.bounds.insert(shuffle, bounds);
    }

    /// The shuffles by ranges that come before `dataset` and whose bounds are
    /// not known yet, each after those that its own map side needs. One range
    /// has no bounds.
    pub fn missing_bounds(&self, dataset: DatasetId) -> Vec<ShuffleId> {
        let before = self.plan.ancestor_shuffles(dataset, |_| false);
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
            WorkKind::Result(action) => message::task::Work::Result(ResultWork {
                action: Some(action.clone()),
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
                .map(|(name, addresses)| message::NamedResource {
                    name: name.to_string(),
                    addresses: addresses.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            cached,
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
        let mut to_visit = vec![(dataset, partition, true)];
        while let Some((dataset, partition, mut needed)) = to_visit.pop() {
            let step = self.program.step(dataset);
            if step.persisted {
                let holders = self.holders(dataset, partition, kept);
                needed &= holders.is_empty();
                cached.extend(holders);
            }
            let shuffles = match &step.operation {
                Operation::Read(shuffle, _) => vec![*shuffle],
                Operation::Join { left, right, .. } => vec![*left, *right],
                _ => vec![],
            };
            for shuffle in shuffles {
                if inputs.iter().all(|input| input.shuffle != shuffle.0) {
                    match self.input(shuffle, partition, outputs) {
                        Ok(input) => inputs.push(input),
                        Err(missing) if needed => return Err(missing),
                        Err(_) => {}
                    }
                }
            }
            let parents = self.program.inputs(dataset, partition);
            to_visit.extend(parents.map(|(parent, partition)| (parent, partition, needed)));
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
        let sources = outputs
            .blocks(shuffle, reduce)?
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
            sources,
        })
    }
}
