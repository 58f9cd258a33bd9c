//! What a job asks for.
//!
//! Responsible for requests that make sense for their plan: an action becomes
//! one, and the DAG scheduler takes nothing else. What happens to the results
//! is the business of whoever asked.

use std::sync::Arc;

use thiserror::Error;

use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::Plan;

/// Why a job cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobRequestError {
    /// The dataset is not in the plan.
    #[error("dataset {0} is not in the plan")]
    UnknownDataset(DatasetId),
    /// The shuffle is not in the plan.
    #[error("shuffle {0} is not in the plan")]
    UnknownShuffle(ShuffleId),
    /// A partition that does not exist.
    #[error("partition {partition} of dataset `{dataset}` does not exist: it has {partitions}")]
    UnknownPartition {
        /// The dataset's name.
        dataset: Arc<str>,
        /// The partition asked for.
        partition: Partition,
        /// How many there are.
        partitions: u32,
    },
    /// A partition asked for twice.
    #[error("partition {partition} of dataset `{dataset}` is asked for twice")]
    RepeatedPartition {
        /// The dataset's name.
        dataset: Arc<str>,
        /// The partition.
        partition: Partition,
    },
    /// Map output of no partitions.
    #[error("dataset `{dataset}` has no partitions, so there is no map output to make")]
    EmptyMapStage {
        /// The name of the map side.
        dataset: Arc<str>,
    },
}

/// Which partitions of a dataset a job wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedPartitions {
    /// All of them.
    All,
    /// These, each once, in the order in which their tasks are to be tried.
    Some(Arc<[Partition]>),
}

/// What a job is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobTarget {
    /// A result for each wanted partition of a dataset.
    Result {
        /// The dataset.
        dataset: DatasetId,
        /// The partitions.
        partitions: WantedPartitions,
    },
    /// The map output of a shuffle, and how large its reduce partitions are.
    MapStage {
        /// The shuffle.
        shuffle: ShuffleId,
    },
}

/// What the tasks of a job carry along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobProperties {
    /// The pool its task sets go to (`spark.scheduler.pool`).
    pub pool: Option<Arc<str>>,
}

/// A job to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    target: JobTarget,
    properties: JobProperties,
}

impl JobRequest {
    /// What it is to make.
    pub fn target(&self) -> &JobTarget {
        &self.target
    }

    /// What its tasks carry along.
    pub fn properties(&self) -> &JobProperties {
        &self.properties
    }

    /// The same job with these properties.
    #[must_use]
    pub fn with_properties(mut self, properties: JobProperties) -> Self {
        self.properties = properties;
        self
    }
}

impl Plan {
    /// A job that wants every partition of `dataset`.
    ///
    /// # Errors
    /// When the dataset is not in this plan.
    pub fn result_job(&self, dataset: DatasetId) -> Result<JobRequest, JobRequestError> {
        self.find_dataset(dataset)
            .ok_or(JobRequestError::UnknownDataset(dataset))?;
        Ok(JobRequest {
            target: JobTarget::Result {
                dataset,
                partitions: WantedPartitions::All,
            },
            properties: JobProperties::default(),
        })
    }

    /// A job that wants only some partitions of `dataset`.
    ///
    /// # Errors
    /// When the dataset or a partition is not in this plan, or a partition is
    /// named twice.
    pub fn partial_result_job(
        &self,
        dataset: DatasetId,
        partitions: impl Into<Arc<[Partition]>>,
    ) -> Result<JobRequest, JobRequestError> {
        let partitions = partitions.into();
        let found = self
            .find_dataset(dataset)
            .ok_or(JobRequestError::UnknownDataset(dataset))?;
        let mut sorted = partitions.to_vec();
        sorted.sort_unstable();
        if let Some(last) = sorted.last()
            && last.0 >= found.partitions()
        {
            return Err(JobRequestError::UnknownPartition {
                dataset: found.name().clone(),
                partition: *last,
                partitions: found.partitions(),
            });
        }
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(JobRequestError::RepeatedPartition {
                dataset: found.name().clone(),
                partition: twice[0],
            });
        }
        Ok(JobRequest {
            target: JobTarget::Result {
                dataset,
                partitions: WantedPartitions::Some(partitions),
            },
            properties: JobProperties::default(),
        })
    }

    /// A job that wants the map output of `shuffle`.
    ///
    /// # Errors
    /// When the shuffle is not in this plan, or its map side has no partitions.
    pub fn map_stage_job(&self, shuffle: ShuffleId) -> Result<JobRequest, JobRequestError> {
        let found = self
            .find_shuffle(shuffle)
            .ok_or(JobRequestError::UnknownShuffle(shuffle))?;
        let map_side = self.dataset(found.map_side);
        if map_side.partitions() == 0 {
            return Err(JobRequestError::EmptyMapStage {
                dataset: map_side.name().clone(),
            });
        }
        Ok(JobRequest {
            target: JobTarget::MapStage { shuffle },
            properties: JobProperties::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{NewDataset, Partitioner, PlanBuilder};

    #[test]
    fn a_job_can_only_ask_for_what_there_is() {
        let mut builder = PlanBuilder::new();
        let some = builder.add(NewDataset::source("some", 2)).expect("valid");
        let none = builder.add(NewDataset::source("none", 0)).expect("valid");
        let shuffle = builder.shuffle(none, Partitioner::hash(2)).expect("valid");
        let plan = builder.build();
        assert!(plan.result_job(none).is_ok());
        assert_eq!(
            plan.result_job(DatasetId(7)),
            Err(JobRequestError::UnknownDataset(DatasetId(7)))
        );
        let said = |partitions: &[u32]| {
            let partitions: Vec<_> = partitions.iter().copied().map(Partition).collect();
            plan.partial_result_job(some, partitions)
                .map_err(|error| error.to_string())
        };
        assert!(said(&[1, 0]).is_ok());
        assert_eq!(
            said(&[0, 2]),
            Err("partition 2 of dataset `some` does not exist: it has 2".into())
        );
        assert_eq!(
            said(&[1, 1]),
            Err("partition 1 of dataset `some` is asked for twice".into())
        );
        assert_eq!(
            plan.map_stage_job(shuffle),
            Err(JobRequestError::EmptyMapStage {
                dataset: "none".into()
            })
        );
    }
}
