//! Values of a key put together by closures, on both sides of a shuffle.
//!
//! Responsible for doing so within the memory of the task. Before the shuffle what
//! is known of each key is kept as long as there is room, and then sent as it is:
//! several parts of one key are put together behind it. There records come sorted by
//! key, and one key is kept at a time.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, IntoIter};
use std::hash::Hash;
use std::mem::{needs_drop, size_of};

use mesquite_engine::task::memory::Held;
use rustc_hash::FxBuildHasher;
use serde::Serialize;

use crate::codec::{Record, encode};
use crate::flow::{Flow, Scope};

/// How the values of a key become one.
pub(crate) trait Rules<V>: Send + Sync + 'static {
    /// What is known of several values.
    type Sum: Record;

    fn first(&self, value: V) -> Self::Sum;
    fn add(&self, sum: Self::Sum, value: V) -> Self::Sum;
    fn merge(&self, one: Self::Sum, other: Self::Sum) -> Self::Sum;
}

/// Two values become one of the same type.
pub(crate) struct Reduce<F>(pub(crate) F);

impl<V: Record, F: Fn(V, V) -> V + Send + Sync + 'static> Rules<V> for Reduce<F> {
    type Sum = V;

    fn first(&self, value: V) -> V {
        value
    }

    fn add(&self, sum: V, value: V) -> V {
        self.0(sum, value)
    }

    fn merge(&self, one: V, other: V) -> V {
        self.0(one, other)
    }
}

/// Values are added to something of another type.
pub(crate) struct Aggregate<Z, S, M> {
    pub(crate) zero: Z,
    pub(crate) add: S,
    pub(crate) merge: M,
}

impl<V, A, Z, S, M> Rules<V> for Aggregate<Z, S, M>
where
    A: Record,
    Z: Fn() -> A + Send + Sync + 'static,
    S: Fn(&mut A, V) + Send + Sync + 'static,
    M: Fn(&mut A, A) + Send + Sync + 'static,
{
    type Sum = A;

    fn first(&self, value: V) -> A {
        let mut sum = (self.zero)();
        (self.add)(&mut sum, value);
        sum
    }

    fn add(&self, mut sum: A, value: V) -> A {
        (self.add)(&mut sum, value);
        sum
    }

    fn merge(&self, mut one: A, other: A) -> A {
        (self.merge)(&mut one, other);
        one
    }
}

/// A table is not asked for room as long as it is smaller, in bytes.
const SMALL: usize = 1 << 20;

/// Before a shuffle.
pub(crate) struct Combining<K, V, R: Rules<V>> {
    input: Flow<(K, V)>,
    rules: std::sync::Arc<R>,
    sums: HashMap<K, Option<R::Sum>, FxBuildHasher>,
    full: Option<IntoIter<K, Option<R::Sum>>>,
    /// Bytes that the table is reckoned to have.
    bytes: usize,
    held: Held,
    scratch: Vec<u8>,
}

impl<K: Record + Hash + Eq, V: Serialize, R: Rules<V>> Combining<K, V, R> {
    pub(crate) fn new(input: Flow<(K, V)>, rules: std::sync::Arc<R>, scope: &Scope) -> Self {
        Self {
            input,
            rules,
            sums: HashMap::default(),
            full: None,
            bytes: 0,
            // What comes before and what comes behind may gather records as well.
            held: scope.context.memory.part(3).hold(),
            scratch: Vec::new(),
        }
    }

    /// About what a value has outside of its own bytes: as much as it has written
    /// down. What cannot be written fails the task when it is sent.
    fn heap<T: Serialize>(&mut self, value: &T) -> usize {
        if !needs_drop::<T>() {
            return 0;
        }
        self.scratch.clear();
        let _ = encode(&(value,), &mut self.scratch);
        // And what the allocator has around it.
        self.scratch.len() + 32
    }

    /// Takes a value; false if there was no room for more.
    fn take(&mut self, key: K, value: V) -> bool {
        // A sum that has nothing outside does not grow.
        let grows = if needs_drop::<R::Sum>() {
            self.heap(&value)
        } else {
            0
        };
        let of_key = self.heap(&key);
        match self.sums.entry(key) {
            Entry::Occupied(mut known) => {
                let sum = known.get_mut().take();
                let sum = sum.map(|sum| self.rules.add(sum, value));
                *known.get_mut() = sum;
                self.bytes += grows;
            }
            Entry::Vacant(new) => {
                new.insert(Some(self.rules.first(value)));
                // A table has up to twice as many places, and two of them while it grows.
                self.bytes += 3 * size_of::<(K, Option<R::Sum>)>() + of_key + grows;
            }
        }
        self.bytes <= SMALL || (self.held.want(self.bytes) && self.held.is_within())
    }
}

impl<K: Record + Hash + Eq, V: Serialize, R: Rules<V>> Iterator for Combining<K, V, R> {
    type Item = (K, R::Sum);

    fn next(&mut self) -> Option<(K, R::Sum)> {
        loop {
            if let Some(full) = &mut self.full {
                // Each has its sum: it is taken for as long as one is added to it.
                if let Some((key, Some(sum))) = full.next() {
                    return Some((key, sum));
                }
                self.full = None;
                self.bytes = 0;
                self.held.shrink_to(0);
            }
            let mut any = false;
            while let Some((key, value)) = self.input.next() {
                any = true;
                if !self.take(key, value) {
                    break;
                }
            }
            if !any {
                return None;
            }
            self.full = Some(std::mem::take(&mut self.sums).into_iter());
        }
    }
}

/// Behind a shuffle: what comes has the records of each key one after the other.
pub(crate) struct Merging<K, V, R: Rules<V>> {
    input: Flow<(K, R::Sum)>,
    rules: std::sync::Arc<R>,
    next: Option<(K, R::Sum)>,
}

impl<K: Eq, V, R: Rules<V>> Merging<K, V, R> {
    pub(crate) fn new(input: Flow<(K, R::Sum)>, rules: std::sync::Arc<R>) -> Self {
        Self {
            input,
            rules,
            next: None,
        }
    }
}

impl<K: Eq, V, R: Rules<V>> Iterator for Merging<K, V, R> {
    type Item = (K, R::Sum);

    fn next(&mut self) -> Option<(K, R::Sum)> {
        let (key, mut sum) = self.next.take().or_else(|| self.input.next())?;
        for (next, part) in self.input.by_ref() {
            if next != key {
                self.next = Some((next, part));
                break;
            }
            sum = self.rules.merge(sum, part);
        }
        Some((key, sum))
    }
}

#[cfg(test)]
mod tests;
