//! Tests of combining by key before and after a shuffle.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::testing::context_with;

fn words(count: u64) -> Flow<(String, u64)> {
    Box::new((0..count).map(|it| (format!("word {}", it % 20_000), 1)))
}

#[test]
fn what_does_not_fit_is_sent_in_parts_that_come_to_the_same() {
    let count = 100_000;
    let mut parts = Vec::new();
    for memory in [4 << 20, 64 << 20] {
        let scope = Scope::new(context_with(memory));
        let rules = Arc::new(Reduce(|a: u64, b| a + b));
        let combined: Vec<_> = Combining::new(words(count), Arc::clone(&rules), &scope).collect();
        parts.push(combined.len());
        let mut sorted = combined;
        sorted.sort();
        let merged = Merging::new(Box::new(sorted.into_iter()), rules);
        let sums: BTreeMap<_, _> = merged.collect();
        assert_eq!(sums.len(), 20_000);
        assert!(sums.values().all(|sum| *sum == count / 20_000));
    }
    assert!(parts[0] > 20_000, "{parts:?}");
    assert_eq!(parts[1], 20_000);
}

#[test]
fn sums_that_grow_are_counted_as_they_grow() {
    let scope = Scope::new(context_with(4 << 20));
    let text = "x".repeat(10_000);
    let values: Flow<(u8, String)> = Box::new((0..1_000).map(move |_| (7, text.clone())));
    let rules = Arc::new(Aggregate {
        zero: Vec::new,
        add: |all: &mut Vec<String>, one| all.push(one),
        merge: |all: &mut Vec<String>, more| all.extend(more),
    });
    let longest = Combining::new(values, rules, &scope).map(|(_, all)| all.len());
    let all: Vec<usize> = longest.collect();
    assert!(all.iter().all(|it| *it < 500), "{all:?}");
    assert_eq!(all.iter().sum::<usize>(), 1_000);
}
