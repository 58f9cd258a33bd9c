//! The words for what a dataset does.
//!
//! Responsible for the one list of them, each with the function that reads its value.

use super::Reader;
use super::operation::{Derived, OperationSpec};
use crate::plan::operation::Combine;

/// Reads the value of an operation that begins a lineage, and so has no `from`. The text
/// is what messages call it.
pub(super) type ReadFirst = fn(&mut Reader<'_, '_, '_>, &str) -> Option<OperationSpec>;

/// Reads the value of an operation on the dataset that `from` names.
pub(super) type ReadDerived = fn(&mut Reader<'_, '_, '_>, &str) -> Option<Derived>;

/// How the value of a word is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    First(ReadFirst),
    Derived(ReadDerived),
}

/// The words, as they are written, in the order in which they are told.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of a type with lifetimes is a function for one of them, and not for all"
)]
pub(super) const OPERATIONS: &[(&str, Word)] = &[
    ("text", Word::First(|it, label| it.text(label))),
    ("range", Word::First(|it, label| it.range(label))),
    ("items", Word::First(|it, label| it.items(label))),
    ("pipe", Word::Derived(|it, label| it.pipe(label))),
    ("filter", Word::Derived(|it, label| it.filter(label))),
    ("sample", Word::Derived(|it, label| it.sample(label))),
    ("key_by", Word::Derived(|it, label| it.key_by(label))),
    ("split_by", Word::Derived(|it, label| it.split_by(label))),
    ("words", Word::Derived(|it, label| it.words(label))),
    ("replace", Word::Derived(|it, label| it.replace(label))),
    ("csv", Word::Derived(|it, label| it.csv(label))),
    ("jsonl", Word::Derived(|it, label| it.jsonl(label))),
    ("union", Word::First(|it, label| it.union(label))),
    ("coalesce", Word::Derived(|it, label| it.coalesce(label))),
    (
        "count_by_key",
        Word::Derived(|it, label| it.combine(label, Combine::Count)),
    ),
    (
        "sum_by_key",
        Word::Derived(|it, label| it.combine(label, Combine::Sum)),
    ),
    (
        "aggregate_by_key",
        Word::Derived(|it, label| it.aggregate_by_key(label)),
    ),
    (
        "distinct",
        Word::Derived(|it, label| it.combine(label, Combine::Distinct)),
    ),
    (
        "reduce_by_key",
        Word::Derived(|it, label| it.reduce_by_key(label)),
    ),
    ("top", Word::Derived(|it, label| it.top(label))),
    ("sort", Word::Derived(|it, label| it.sort(label))),
    (
        "repartition",
        Word::Derived(|it, label| it.repartition(label)),
    ),
    ("join", Word::Derived(|it, label| it.join(label))),
    ("iterate", Word::Derived(|it, label| it.iterate(label))),
];

/// The words for what a dataset does, each with whether it has a `from`.
pub(in crate::job_file) fn words() -> impl Iterator<Item = (&'static str, bool)> {
    let has_from = |word: &Word| matches!(word, Word::Derived(_));
    OPERATIONS
        .iter()
        .map(move |(name, word)| (*name, has_from(word)))
}
