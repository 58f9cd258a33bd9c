//! Datasets of pairs of a key and a value.
//!
//! Responsible for what brings the values of a key together. Keys are the same if they
//! are written the same.

use std::hash::Hash;
use std::sync::Arc;

use mesquite_workload::plan::operation::JoinKind;

use crate::call_site::CallSite;
use crate::codec::Record;
use crate::combine::{Aggregate, Combining, Merging, Reduce, Rules};
use crate::dataset::Dataset;

impl<K: Send + 'static, V: Send + 'static> Dataset<(K, V)> {
    /// The keys alone.
    #[track_caller]
    pub fn keys(&self) -> Dataset<K> {
        self.derived(CallSite::of("keys"), |flow, _| {
            Box::new(flow.map(|(key, _)| key))
        })
    }

    /// The values alone.
    #[track_caller]
    pub fn values(&self) -> Dataset<V> {
        self.derived(CallSite::of("values"), |flow, _| {
            Box::new(flow.map(|(_, value)| value))
        })
    }

    /// The keys with what a closure makes of their values.
    #[track_caller]
    pub fn map_values<W: Send + 'static>(
        &self,
        f: impl Fn(V) -> W + Send + Sync + 'static,
    ) -> Dataset<(K, W)> {
        let f = Arc::new(f);
        self.derived(CallSite::of("map_values"), move |flow, _| {
            let f = Arc::clone(&f);
            Box::new(flow.map(move |(key, value)| (key, f(value))))
        })
    }
}

impl<K: Record + Hash + Eq, V: Record> Dataset<(K, V)> {
    /// Each key once, with its values put together two by two, in any order: before
    /// they are sent, and behind that.
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Self {
        self.combined(CallSite::of("reduce_by_key"), Reduce(f))
    }

    /// Each key once, with its values added to what `zero` gives, and several such sums
    /// merged: in any order, before they are sent and behind that.
    #[track_caller]
    pub fn aggregate_by_key<A: Record>(
        &self,
        zero: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&mut A, V) + Send + Sync + 'static,
        merge: impl Fn(&mut A, A) + Send + Sync + 'static,
    ) -> Dataset<(K, A)> {
        let rules = Aggregate { zero, add, merge };
        self.combined(CallSite::of("aggregate_by_key"), rules)
    }

    /// Each key once, with its values put together by a closure that `zero` changes
    /// nothing in: it may come in several times.
    #[track_caller]
    pub fn fold_by_key(&self, zero: V, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Self
    where
        V: Clone + Sync,
    {
        let rules = Reduce(move |one, other| f(f(zero.clone(), one), other));
        self.combined(CallSite::of("fold_by_key"), rules)
    }

    /// Each key once, with all of its values, in any order. They have to fit into
    /// memory: to put them together as they come there is
    /// [`aggregate_by_key`](Self::aggregate_by_key).
    #[track_caller]
    pub fn group_by_key(&self) -> Dataset<(K, Vec<V>)> {
        let rules = Aggregate {
            zero: Vec::new,
            add: |all: &mut Vec<V>, value| all.push(value),
            merge: |all: &mut Vec<V>, more| all.extend(more),
        };
        self.combined(CallSite::of("group_by_key"), rules)
    }

    /// Each key once, with how many values it has.
    #[track_caller]
    pub fn count_by_key(&self) -> Dataset<(K, u64)> {
        let rules = Aggregate {
            zero: || 0,
            add: |count: &mut u64, _: V| *count += 1,
            merge: |count: &mut u64, more| *count += more,
        };
        self.combined(CallSite::of("count_by_key"), rules)
    }

    fn combined<R: Rules<V>>(&self, place: CallSite, rules: R) -> Dataset<(K, R::Sum)> {
        let rules = Arc::new(rules);
        let before_it = Arc::clone(&rules);
        let before = self.derived(place, move |flow, scope| {
            Box::new(Combining::new(flow, Arc::clone(&before_it), scope))
        });
        let grouped =
            Dataset::<(K, R::Sum)>::shuffled_by(self.context(), place, move |context, settings| {
                let from = before.planned()?;
                context.add(settings, |builder, name| {
                    builder.group(name, from, settings.partitions)
                })
            });
        grouped.derived(place, move |flow, _| {
            Box::new(Merging::new(flow, Arc::clone(&rules)))
        })
    }

    /// The pairs of values that a key has in both.
    #[track_caller]
    pub fn join<W: Record>(&self, other: &Dataset<(K, W)>) -> Dataset<(K, (V, W))> {
        self.joined(other, CallSite::of("join"), JoinKind::Inner)
    }

    /// As [`join`](Self::join), with `None` for what the other one does not have.
    #[track_caller]
    pub fn left_join<W: Record>(&self, other: &Dataset<(K, W)>) -> Dataset<(K, (V, Option<W>))> {
        let place = CallSite::of("left_join");
        self.joined(&some(other, place), place, JoinKind::Left)
    }

    /// As [`join`](Self::join), with `None` for what either does not have.
    #[expect(clippy::type_complexity, reason = "it is what comes of it")]
    #[track_caller]
    pub fn full_join<W: Record>(
        &self,
        other: &Dataset<(K, W)>,
    ) -> Dataset<(K, (Option<V>, Option<W>))> {
        let place = CallSite::of("full_join");
        some(self, place).joined(&some(other, place), place, JoinKind::Full)
    }

    fn joined<W: Record>(
        &self,
        other: &Dataset<(K, W)>,
        place: CallSite,
        kind: JoinKind,
    ) -> Dataset<(K, (V, W))> {
        let both = (self.clone(), other.clone());
        let joined =
            Dataset::<(K, V, W)>::shuffled_by(self.context(), place, move |context, settings| {
                let both = (both.0.planned(), both.1.planned());
                let (left, right) = (both.0?, both.1?);
                context.add(settings, |builder, name| {
                    builder.join(name, left, right, kind, settings.partitions)
                })
            });
        joined.derived(place, |flow, _| {
            Box::new(flow.map(|(key, left, right)| (key, (left, right))))
        })
    }
}

/// What is not there is written as `None` is.
fn some<K: Record, V: Record>(of: &Dataset<(K, V)>, place: CallSite) -> Dataset<(K, Option<V>)> {
    of.derived(place, |flow, _| {
        Box::new(flow.map(|(key, value)| (key, Some(value))))
    })
}
