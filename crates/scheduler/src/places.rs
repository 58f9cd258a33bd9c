//! Executors and their hosts, numbered.
//!
//! Responsible for letting tables of many entries (map outputs, cached
//! partitions) name an executor in four bytes. Numbers are never reused;
//! executor ids are not either.

use std::collections::BTreeMap;

use crate::ids::{ExecutorId, Host};

/// The number of an executor on a host, within one [`Places`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

impl Place {
    /// The least of all numbers.
    pub(super) const FIRST: Self = Self(0);
    /// The greatest of all numbers.
    pub(super) const LAST: Self = Self(u32::MAX);
}

/// The numbering.
#[derive(Debug, Default)]
pub(super) struct Places {
    numbers: BTreeMap<(ExecutorId, Host), Place>,
    names: Vec<(ExecutorId, Host)>,
}

impl Places {
    /// The number of an executor, a new one if it has none.
    pub(super) fn number(&mut self, executor: &ExecutorId, host: &Host) -> Place {
        let next = Place(u32::try_from(self.names.len()).expect("fewer than 2^32 executors"));
        let key = (executor.clone(), host.clone());
        *self.numbers.entry(key).or_insert_with_key(|key| {
            self.names.push(key.clone());
            next
        })
    }

    /// The number of an executor, if it has one.
    pub(super) fn find(&self, executor: &ExecutorId, host: &Host) -> Option<Place> {
        self.numbers.get(&(executor.clone(), host.clone())).copied()
    }

    /// The executor of a number that came from here.
    pub(super) fn executor(&self, place: Place) -> &ExecutorId {
        &self.names[place.0 as usize].0
    }

    /// The host of a number that came from here.
    pub(super) fn host(&self, place: Place) -> &Host {
        &self.names[place.0 as usize].1
    }
}
