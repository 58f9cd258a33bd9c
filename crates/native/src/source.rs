//! Sources of the user's own.
//!
//! Responsible for what it takes to read something that Mesquite does not know: a
//! list of partitions, made by the driver, and the records of one of them, made
//! where its task runs.

use crate::BoxError;
use crate::codec::Record;

/// Something that records are read from.
///
/// ```
/// use std::convert::Infallible;
/// use mesquite_native::{Placed, Source, Task};
///
/// /// The squares below a number, in partitions of a hundred.
/// struct Squares(u64);
///
/// impl Source for Squares {
///     type Partition = (u64, u64);
///     type Record = u64;
///     type Error = Infallible;
///
///     fn partitions(&self) -> Result<Vec<Placed<(u64, u64)>>, Infallible> {
///         let starts = (0..self.0).step_by(100);
///         Ok(starts.map(|start| (start, self.0.min(start + 100)).into()).collect())
///     }
///
///     fn read(
///         &self,
///         (start, end): (u64, u64),
///         _: &Task,
///     ) -> Result<impl Iterator<Item = Result<u64, Infallible>> + Send + 'static, Infallible> {
///         Ok((start..end).map(|number| Ok(number * number)))
///     }
/// }
/// ```
pub trait Source: Send + Sync + 'static {
    /// What executors are told of a partition.
    type Partition: Record;
    /// What is read.
    type Record: Record;
    /// What can go wrong.
    type Error: Into<BoxError>;

    /// All partitions. Asked once, in the driver: executors are told of it.
    ///
    /// # Errors
    /// There is nothing to read; the application does not begin.
    fn partitions(&self) -> Result<Vec<Placed<Self::Partition>>, Self::Error>;

    /// The records of a partition, made as they are asked for. Asked wherever a task
    /// runs, and again when it is tried again: it has to give the same.
    ///
    /// # Errors
    /// It cannot be read. The task fails, and is tried again elsewhere.
    fn read(
        &self,
        partition: Self::Partition,
        task: &Task,
    ) -> Result<impl Iterator<Item = Result<Self::Record, Self::Error>> + Send + 'static, Self::Error>;
}

/// A partition, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<P> {
    /// What executors are told of it.
    pub partition: P,
    /// The hosts on which its task would like to run, as the master calls them. None
    /// is as good as all.
    pub hosts: Vec<String>,
}

impl<P> From<P> for Placed<P> {
    fn from(partition: P) -> Self {
        Self {
            partition,
            hosts: Vec::new(),
        }
    }
}

/// Which task it is that runs a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The partition that it makes, from 0.
    pub partition: u32,
    /// How many attempts at it came before.
    pub attempt: u32,
    /// The stage that it is of.
    pub stage: u32,
    /// The job for which the stage runs.
    pub job: u32,
}
