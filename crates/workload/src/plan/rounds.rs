//! Datasets that are made round by round. Pure.
//!
//! Responsible for what a loop is to those who run it: which shuffle holds what each
//! round leaves, what is looked at before the next one, and what may go once it is
//! over. All rounds that a loop may have are part of the plan; which of them are run is
//! decided while it runs.
//!
//! ```text
//!  start ─▶ body, round 1 ══same══▶ body, round 2 ══same══▶ ... ══same══▶ result
//! ```

use std::sync::Arc;

use crate::ids::{DatasetId, ShuffleId};

/// A dataset that is made round by round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Its name.
    pub name: Arc<str>,
    /// What it comes to: it reads what the last round leaves, and to the plan that is
    /// the last one there may be.
    pub result: DatasetId,
    /// The rounds, from the first one on; there is at least one.
    pub rounds: Vec<Round>,
    /// What ends it.
    pub until: Until,
}

/// One round of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The shuffle that holds what it leaves.
    pub leaves: ShuffleId,
    /// What is looked at before it begins.
    pub watched: Option<DatasetId>,
    /// The datasets that are made in it, from the first one to what it leaves.
    pub datasets: Vec<DatasetId>,
    /// The shuffles that are made in it, `leaves` included.
    pub shuffles: Vec<ShuffleId>,
}

/// What ends a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All its rounds are over.
    AllRounds,
    /// A round leaves no record.
    Empty {
        /// Whether it has failed if that does not come about in all its rounds.
        or_fails: bool,
    },
    /// What is watched has no record.
    Watched {
        /// Whether it has failed if it still has some before the last round.
        or_fails: bool,
    },
}

/// What a dataset is called in a round.
pub fn in_round(name: &str, round: u32) -> String {
    format!("{name} (round {round})")
}
