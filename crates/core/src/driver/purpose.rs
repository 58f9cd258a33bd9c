//! What jobs are for. Pure.

use crate::ids::ShuffleId;

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The action of this place in the application.
    Action(usize),
    /// The bounds of a shuffle by ranges.
    Sample(ShuffleId),
    /// What a round of a loop leaves.
    Round(RoundOf),
    /// Whether there is anything to do in a round of a loop.
    Watch(RoundOf),
}

/// A round of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoundOf {
    /// The place of the loop in its application.
    pub looped: usize,
    /// Counted from 1.
    pub round: u32,
}
