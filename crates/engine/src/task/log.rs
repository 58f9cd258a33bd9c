//! What the commands of an attempt write to stderr, kept.
//!
//! Responsible for the name of an attempt, by which its log is found, and for the way from
//! a command to whoever keeps it (`storage`'s `logs`).

use std::fmt;

use crate::ids::{Partition, StageAttempt, StageId};

/// Which attempt at a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptName {
    /// The stage.
    pub stage: StageId,
    /// The attempt at the stage.
    pub stage_attempt: StageAttempt,
    /// The partition.
    pub partition: Partition,
    /// How many attempts at the partition came before, in this task set.
    pub attempt: u32,
}

impl AttemptName {
    /// The name out of the four numbers of a path.
    pub fn read(parts: [&str; 4]) -> Option<Self> {
        let [stage, stage_attempt, partition, attempt] = parts;
        Some(Self {
            stage: StageId(stage.parse().ok()?),
            stage_attempt: StageAttempt(stage_attempt.parse().ok()?),
            partition: Partition(partition.parse().ok()?),
            attempt: attempt.parse().ok()?,
        })
    }

    /// As four numbers of a path.
    pub fn path(&self) -> String {
        let Self {
            stage,
            stage_attempt,
            partition,
            attempt,
        } = self;
        format!("{stage}/{stage_attempt}/{partition}/{attempt}")
    }
}

/// As a file is called.
impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stage-{}.{}-partition-{}-attempt-{}.stderr",
            self.stage, self.stage_attempt, self.partition, self.attempt
        )
    }
}

/// Keeps what the commands of one attempt write to stderr.
pub trait Log: fmt::Debug + Send + Sync {
    /// Keeps these bytes, or says nothing of it.
    fn add(&self, bytes: &[u8]);
}

/// Keeps nothing.
impl Log for () {
    fn add(&self, _: &[u8]) {}
}
