//! Whether what an executor says of an attempt is an answer to what it was
//! asked. Pure.
//!
//! Responsible for the kind and the size of an answer, and for all that it
//! names. Executors run the same binary, so a wrong answer is a bug, another
//! version of it, or a peer that lies: to count it would lose records or leave a
//! stage waiting, so its attempt fails with these words instead. What the blocks
//! of a map output hold is checked by whoever reads them.

use std::fmt;

use super::heard::{End, Outcome};
use super::work::{Making, StageWork, WorkKind};
use crate::ids::{DatasetId, Partition, ShuffleId};
use crate::plan::Plan;

/// A count is one number of 64 bits.
const COUNT: usize = 8;

/// Whether what an attempt says of a partition that it saved to a place can be right:
/// that depends on the kind of the place, which is not known here.
pub type IsSaved = fn(&str, Partition, &[u8]) -> bool;

/// What an attempt was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// What there is to be named.
    pub plan: &'a Plan,
    /// What the tasks of its stage do.
    pub work: &'a StageWork,
    /// Its partition.
    pub partition: Partition,
    /// Whether it may put its output in place, if it is to save.
    pub may_commit: bool,
    /// Knows what is said of saved partitions.
    pub is_saved: IsSaved,
}

impl Errand<'_> {
    /// Whether this is an answer to it.
    ///
    /// # Errors
    /// It is none: how it differs.
    pub fn check(&self, outcome: &Outcome) -> Result<(), String> {
        outcome
            .kept
            .iter()
            .try_for_each(|it| self.check_kept(*it))?;
        match &outcome.end {
            End::Map(sizes) => self.check_map(sizes),
            End::Result(bytes) => self.check_small(bytes),
            End::Stored(bytes) => self.check_stored(*bytes),
            End::FetchFailed {
                shuffle,
                map,
                message,
                ..
            } => self.check_blame(*shuffle, *map, message),
            End::CommitDenied if !self.saves() => Err(self.instead_of(&"that it may not commit")),
            End::Unknown => Err(self.instead_of(&"nothing")),
            End::CommitDenied | End::Failed { .. } | End::Killed(_) => Ok(()),
        }
    }

    /// Whether this can be the result that an executor announced.
    ///
    /// # Errors
    /// It is none: how it differs.
    pub fn check_fetched(&self, announced: u64, bytes: &[u8]) -> Result<(), String> {
        let length = bytes.len();
        if length as u64 != announced {
            return Err(format!(
                "its executor announced a result of {announced} bytes and sent {length}"
            ));
        }
        self.check_result(bytes)
    }

    /// Whether it is to put an output in place.
    pub const fn saves(&self) -> bool {
        matches!(self.work.kind, WorkKind::Result(Making::Save { .. }))
    }

    fn check_map(&self, sizes: &[u64]) -> Result<(), String> {
        let told = sizes.len();
        let WorkKind::Map(shuffle) = self.work.kind else {
            return Err(self.instead_of(&format_args!("a map output of {told} blocks")));
        };
        let due = self.plan.shuffle(shuffle).partitioner.partitions as usize;
        let sum = sizes.iter().try_fold(0_u64, |a, b| a.checked_add(*b));
        match sum {
            Some(_) if told == due => Ok(()),
            Some(_) => Err(self.instead_of(&format_args!("the sizes of {told} blocks"))),
            None => Err(self.instead_of(&"sizes that no disk holds")),
        }
    }

    fn check_small(&self, bytes: &[u8]) -> Result<(), String> {
        match self.work.kind {
            WorkKind::Result(_) => self.check_result(bytes),
            WorkKind::Map(_) => {
                Err(self.instead_of(&format_args!("a result of {} bytes", bytes.len())))
            }
        }
    }

    fn check_stored(&self, bytes: u64) -> Result<(), String> {
        match &self.work.kind {
            // Whether it is right is known when it is fetched.
            WorkKind::Result(Making::Collect { .. } | Making::Sample(_) | Making::Save { .. }) => {
                Ok(())
            }
            WorkKind::Result(Making::Count) | WorkKind::Map(_) => {
                Err(self.instead_of(&format_args!("a result of {bytes} bytes to be fetched")))
            }
        }
    }

    fn check_result(&self, bytes: &[u8]) -> Result<(), String> {
        let WorkKind::Result(making) = &self.work.kind else {
            return Ok(());
        };
        let lines = || memchr::memchr_iter(b'\n', bytes).count() as u64;
        let whole = bytes.last().is_none_or(|last| *last == b'\n');
        let right = match making {
            Making::Count => bytes.len() == COUNT,
            Making::Collect { limit } => whole && limit.is_none_or(|limit| lines() <= limit),
            Making::Sample(sample) => {
                let each = u64::from(sample.longest) + 1;
                whole && bytes.len() as u64 <= each.saturating_mul(sample.records.into())
            }
            Making::Save { .. } if !self.may_commit => {
                return Err("its executor says that it is done, and was not let commit".into());
            }
            Making::Save { to, .. } => (self.is_saved)(to, self.partition, bytes),
        };
        if right {
            return Ok(());
        }
        let cut = if whole { "" } else { " without an end" };
        Err(self.instead_of(&format_args!("a result of {} bytes{cut}", bytes.len())))
    }

    /// What could not be read must be something that it reads.
    fn check_blame(
        &self,
        shuffle: ShuffleId,
        map: Option<Partition>,
        message: &str,
    ) -> Result<(), String> {
        let read = self.plan.pipeline(self.work.dataset).shuffles;
        let maps = |shuffle| {
            let map_side = self.plan.shuffle(shuffle).map_side;
            self.plan.dataset(map_side).partitions()
        };
        if read.contains(&shuffle) && map.is_none_or(|map| map.0 < maps(shuffle)) {
            return Ok(());
        }
        let map = map.map(|it| it.0);
        Err(format!(
            "its executor says that it could not read output {map:?} of shuffle {shuffle}, which \
             it was not to read: {message}"
        ))
    }

    fn check_kept(&self, (id, partition): (DatasetId, Partition)) -> Result<(), String> {
        let computed = self.plan.pipeline(self.work.dataset).datasets;
        if computed.contains(&id) {
            let dataset = self.plan.dataset(id);
            if dataset.is_persisted() && partition.0 < dataset.partitions() {
                return Ok(());
            }
        }
        Err(format!(
            "its executor says that it keeps partition {partition} of dataset {id}, which it was \
             not to keep"
        ))
    }

    fn instead_of(&self, told: &dyn fmt::Display) -> String {
        format!("its executor answered with {told}, where {self} was due")
    }
}

impl fmt::Display for Errand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work.kind {
            WorkKind::Map(shuffle) => {
                let blocks = self.plan.shuffle(*shuffle).partitioner.partitions;
                write!(f, "a map output of {blocks} blocks")
            }
            WorkKind::Result(Making::Count) => write!(f, "a count of {COUNT} bytes"),
            WorkKind::Result(Making::Collect { limit: Some(limit) }) => {
                write!(f, "a result of up to {limit} lines")
            }
            WorkKind::Result(Making::Collect { limit: None }) => {
                f.write_str("a result of whole lines")
            }
            WorkKind::Result(Making::Sample(it)) => {
                let (records, longest) = (it.records, it.longest);
                write!(f, "a sample of {records} lines of up to {longest} bytes")
            }
            WorkKind::Result(Making::Save { .. }) => f.write_str("a file in its place"),
        }
    }
}
