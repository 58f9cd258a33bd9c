//! What is to be computed: datasets as lineage, and the jobs that ask for them.
//!
//! Responsible for the graph of datasets and its shuffles, checked as it is
//! built, and for the questions that scheduling asks of it. It holds no data,
//! and nothing here depends on what is running; that is `scheduler`.
//!
//! ```text
//!  lines ──narrow──▶ words ══shuffle══▶ counts ◀── job
//!  └──────── one stage ─────┘          └ the next ┘
//! ```
//!
//! A [`Plan`] comes from a [`PlanBuilder`] and does not change afterwards.
//! Datasets only ever refer to earlier ones, so a plan has no cycles.

pub mod application;
mod application_builder;
mod builder;
pub mod columns;
mod dataset;
mod job;
pub mod limits;
mod lineage;
pub mod measure;
pub mod native;
mod needs;
pub mod operation;
pub mod outline;
mod partitioner;
pub mod program;
pub mod rounds;
pub mod split;
pub mod splits;
pub mod surroundings;
mod views;

pub use application_builder::{ApplicationBuilder, Turn};
pub use builder::{NewDataset, PlanBuilder, PlanError};
pub use dataset::{
    Dataset, Dependency, Determinism, NarrowDependency, PartitionMapping, Partitions, Shuffle,
};
pub use job::{JobProperties, JobRequest, JobRequestError, JobTarget, WantedPartitions};
pub use lineage::{Pipeline, Plan};
pub use needs::{Amount, TaskNeeds};
pub use partitioner::{Partitioner, Partitioning};
pub use splits::PlacedSplit;
