//! What is done with a dataset as a whole: shuffles, orders, and one value of all.

use std::iter;
use std::sync::Arc;

use mesquite_workload::plan::operation::{SortBy, SortOrder};

use crate::call_site::CallSite;
use crate::codec::{Line, Record};
use crate::combine::{Aggregate, Reduce, Rules};
use crate::dataset::Dataset;
use crate::flow::Flow;
use crate::order::SortKey;

/// The smallest, or the largest, of what stands before the first tab comes first.
const fn by_key(descending: bool) -> SortOrder {
    SortOrder {
        by: SortBy::Key,
        numeric: false,
        descending,
    }
}

impl<T: Record> Dataset<T> {
    /// The records of both, in the partitions of both.
    #[track_caller]
    pub fn union(&self, other: &Self) -> Self {
        let both = (self.clone(), other.clone());
        Self::planned_by(
            self.context(),
            CallSite::of("union"),
            move |context, settings| {
                let both = (both.0.planned(), both.1.planned());
                let parents = [both.0?, both.1?];
                context.add(settings, |builder, name| builder.union(name, &parents))
            },
        )
    }

    /// The same records in so many partitions at most, without a shuffle: each has
    /// several of these, one after the other, and one task makes it of all of them.
    #[track_caller]
    pub fn coalesce(&self, partitions: u32) -> Self {
        let before = self.clone();
        Self::planned_by(
            self.context(),
            CallSite::of("coalesce"),
            move |context, settings| {
                let from = before.planned()?;
                context.add(settings, |builder, name| {
                    builder.coalesce(name, from, partitions)
                })
            },
        )
    }

    /// The records spread evenly over so many partitions.
    #[track_caller]
    pub fn repartition(&self, partitions: u32) -> Self {
        let before = self.clone();
        Self::planned_by(
            self.context(),
            CallSite::of("repartition"),
            move |context, settings| {
                let from = before.planned()?;
                context.add(settings, |builder, name| {
                    builder.repartition(name, from, partitions)
                })
            },
        )
    }

    /// Each record once. Records are the same if they are written the same.
    #[track_caller]
    pub fn distinct(&self) -> Self {
        let before = self.clone();
        Self::shuffled_by(
            self.context(),
            CallSite::of("distinct"),
            move |context, settings| {
                let from = before.planned()?;
                context.add(settings, |builder, name| {
                    builder.distinct(name, from, settings.partitions)
                })
            },
        )
    }

    /// All records, over all partitions, in the order of what a closure gives for each;
    /// what is equal is in the order of how it is written.
    /// [`Reverse`](std::cmp::Reverse) turns it round.
    #[track_caller]
    pub fn sort_by<K: SortKey>(&self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Self {
        let place = CallSite::of("sort_by");
        let keyed = self.with_sort_key(place, key);
        let sorted =
            Dataset::<(Line, T)>::shuffled_by(self.context(), place, move |context, settings| {
                let from = keyed.planned()?;
                context.add(settings, |builder, name| {
                    builder.sort(name, from, by_key(false), settings.partitions)
                })
            });
        sorted.derived(place, |flow, _| Box::new(flow.map(|(_, record)| record)))
    }

    /// The so many records for which a closure gives most, the first of them first, in
    /// one partition.
    #[track_caller]
    pub fn top<K: SortKey>(
        &self,
        count: u64,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Self {
        let place = CallSite::of("top");
        let keyed = self.with_sort_key(place, key);
        let top =
            Dataset::<(Line, T)>::planned_by(self.context(), place, move |context, settings| {
                let from = keyed.planned()?;
                context.add(settings, |builder, name| {
                    builder.top(name, from, count, by_key(true))
                })
            });
        top.derived(place, |flow, _| Box::new(flow.map(|(_, record)| record)))
    }

    fn with_sort_key<K: SortKey>(
        &self,
        place: CallSite,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Dataset<(Line, T)> {
        let key = Arc::new(key);
        self.derived(place, move |flow, _| {
            let key = Arc::clone(&key);
            Box::new(flow.map(move |record| {
                let mut bytes = Vec::new();
                key(&record).write(&mut bytes);
                (Line(bytes), record)
            }))
        })
    }

    /// All records put together two by two, in any order, until one is left: it is the
    /// only record, if there was any.
    #[track_caller]
    pub fn reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Self {
        self.put_together(CallSite::of("reduce"), Reduce(f))
    }

    /// All records of a partition added to a value, beginning with `zero`, and what
    /// comes of the partitions merged: the only record, if there was any.
    #[track_caller]
    pub fn aggregate<A: Record>(
        &self,
        zero: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&mut A, T) + Send + Sync + 'static,
        merge: impl Fn(&mut A, A) + Send + Sync + 'static,
    ) -> Dataset<A> {
        let rules = Aggregate { zero, add, merge };
        self.put_together(CallSite::of("aggregate"), rules)
    }

    fn put_together<R: Rules<T>>(&self, place: CallSite, rules: R) -> Dataset<R::Sum> {
        let rules = Arc::new(rules);
        let of_parts = Arc::clone(&rules);
        // As a field, whatever it is.
        let parts = self.derived(place, move |mut flow, _| {
            let rules = Arc::clone(&of_parts);
            once(move || {
                let first = rules.first(flow.next()?);
                Some((flow.fold(first, |sum, value| rules.add(sum, value)),))
            })
        });
        let all =
            Dataset::<(R::Sum,)>::planned_by(self.context(), place, move |context, settings| {
                let from = parts.planned()?;
                context.add(settings, |builder, name| builder.gather(name, from))
            });
        all.derived(place, move |flow, _| {
            let rules = Arc::clone(&rules);
            once(move || {
                let sums = flow.map(|(sum,)| sum);
                sums.reduce(|one, other| rules.merge(one, other))
            })
        })
    }
}

/// What is made when it is asked for.
fn once<T: Send + 'static>(make: impl FnOnce() -> Option<T> + Send + 'static) -> Flow<T> {
    let mut make = Some(make);
    Box::new(iter::from_fn(move || make.take().and_then(|make| make())))
}

impl Dataset<String> {
    /// Through a shell command, once a partition, as `pipe` in job files has it: the
    /// records are its standard input, the lines of its standard output are the new ones.
    #[track_caller]
    pub fn pipe(&self, command: impl Into<String>) -> Self {
        let (before, command) = (self.clone(), command.into());
        Self::planned_by(
            self.context(),
            CallSite::of("pipe"),
            move |context, settings| {
                let from = before.planned()?;
                context.add(settings, |builder, name| builder.pipe(name, from, &command))
            },
        )
    }
}
