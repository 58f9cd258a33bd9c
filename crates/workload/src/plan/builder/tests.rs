//! The rules of plans.

use super::*;
use crate::ids::Partition;

#[test]
fn a_union_has_the_partitions_of_its_parents_in_order() {
    let mut builder = PlanBuilder::new();
    let a = builder.add(NewDataset::source("a", 2)).expect("valid");
    let b = builder.add(NewDataset::source("b", 3)).expect("valid");
    let both = builder
        .add(NewDataset::union("both", [a, b]))
        .expect("valid");
    let plan = builder.build();
    let both = plan.dataset(both);
    assert_eq!(both.partitions(), 5);
    let parents_of = |partition| -> Vec<_> {
        both.narrow_dependencies()
            .filter_map(|narrow| {
                let from = narrow.parent_partition(Partition(partition))?;
                Some((narrow.parent, from.0))
            })
            .collect()
    };
    assert_eq!(parents_of(1), [(a, 1)]);
    assert_eq!(parents_of(2), [(b, 0)]);
    assert_eq!(parents_of(4), [(b, 2)]);
}

#[test]
fn mistakes_are_refused_and_say_what_is_wrong() {
    let mut builder = PlanBuilder::new();
    let a = builder.add(NewDataset::source("a", 2)).expect("valid");
    let b = builder.add(NewDataset::source("b", 3)).expect("valid");
    let unknown = DatasetId(9);
    let said = |result: Result<DatasetId, PlanError>| result.expect_err("a mistake").to_string();
    assert_eq!(
        said(builder.add(NewDataset::zipped("z", [a, b]))),
        "dataset `z` has 2 partitions, but `b` that it reads has 3"
    );
    assert_eq!(
        said(builder.add(NewDataset::derived("d", unknown))),
        "dataset `d` depends on dataset 9, which is not in the plan yet"
    );
    assert_eq!(
        said(builder.add(NewDataset::union("u", []))),
        "dataset `u` is made from nothing: give at least one dataset"
    );
    assert_eq!(
        said(builder.add(NewDataset::source("s", 2).preferring(vec![vec![]]))),
        "dataset `s` has 2 partitions, but preferred hosts for 1"
    );
    assert_eq!(
        builder.shuffle(a, Partitioner::hash(0)),
        Err(PlanError::NoReducePartitions { name: "a".into() })
    );
    let shuffle = builder.shuffle(a, Partitioner::hash(4)).expect("valid");
    let join = NewDataset::with_dependencies(
        "j",
        3,
        [Dependency::Shuffle(shuffle), Dependency::one_to_one(b)],
    );
    assert_eq!(
        said(builder.add(join)),
        "dataset `j` has 3 partitions, but `a` that it reads has 4"
    );
}

#[test]
fn spreading_unordered_records_in_turn_is_indeterminate() {
    let mut builder = PlanBuilder::new();
    let source = builder.add(NewDataset::source("source", 2)).expect("valid");
    let even = builder
        .shuffle(source, Partitioner::round_robin(2))
        .expect("valid");
    let spread = builder
        .add(NewDataset::shuffled("spread", [even]))
        .expect("valid");
    let again = builder
        .shuffle(spread, Partitioner::round_robin(2))
        .expect("valid");
    let by_key = builder
        .shuffle(spread, Partitioner::hash(2))
        .expect("valid");
    let last = builder
        .add(NewDataset::shuffled("last", [again]))
        .expect("valid");
    let plan = builder.build();
    assert_eq!(plan.shuffle(even).determinism, Determinism::Determinate);
    assert_eq!(plan.dataset(spread).determinism(), Determinism::Unordered);
    assert_eq!(plan.shuffle(by_key).determinism, Determinism::Unordered);
    assert_eq!(plan.shuffle(again).determinism, Determinism::Indeterminate);
    assert_eq!(plan.dataset(last).determinism(), Determinism::Indeterminate);
}
