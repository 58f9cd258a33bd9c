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
            .flat_map(|narrow| {
                let from = narrow.parent_partitions(Partition(partition));
                from.map(|it| (narrow.parent, it.0))
            })
            .collect()
    };
    assert_eq!(parents_of(1), [(a, 1)]);
    assert_eq!(parents_of(2), [(b, 0)]);
    assert_eq!(parents_of(4), [(b, 2)]);
    assert_eq!(parents_of(5), []);
}

#[test]
fn groups_have_all_partitions_in_order_and_are_even() {
    for parent in 0..40 {
        for most in 1..45 {
            let mut builder = PlanBuilder::new();
            let a = builder.add(NewDataset::source("a", parent));
            let a = a.expect("valid");
            let few = builder.add(NewDataset::coalesced("few", a, most));
            let few = few.expect("valid");
            let plan = builder.build();
            let few = plan.dataset(few);
            let groups = most.min(parent);
            assert_eq!(few.partitions(), groups);
            let [Dependency::Narrow(from)] = few.dependencies() else {
                panic!("one parent: {:?}", few.dependencies());
            };
            let of = |group| from.parent_partitions(Partition(group));
            let all: Vec<u32> = (0..groups).flat_map(of).map(|it| it.0).collect();
            assert_eq!(all, (0..parent).collect::<Vec<_>>());
            let sizes = (0..groups).map(|group| of(group).len());
            let least = sizes.clone().min().unwrap_or(0);
            assert!(sizes.max().unwrap_or(0) <= least + 1);
            assert_eq!(of(groups).len(), 0, "there is no such group");
        }
    }
}

#[test]
fn groups_of_the_largest_dataset_do_not_overflow() {
    let from = NarrowDependency {
        parent: DatasetId(0),
        mapping: PartitionMapping::Groups {
            parent: u32::MAX,
            child: u32::MAX - 1,
        },
    };
    let last = from.parent_partitions(Partition(u32::MAX - 2));
    let last: Vec<u32> = last.map(|it| it.0).collect();
    assert_eq!(last, [u32::MAX - 2, u32::MAX - 1]);
    assert_eq!(from.parent_partitions(Partition(u32::MAX)).len(), 0);
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
        said(builder.add(NewDataset::coalesced("c", a, 0))),
        "dataset `c` cannot have 0 partitions: give at least 1"
    );
    let groups = |parent, child| {
        let mapping = PartitionMapping::Groups { parent, child };
        Dependency::Narrow(NarrowDependency { parent: b, mapping })
    };
    for (groups, partitions) in [(groups(4, 2), 2), (groups(3, 2), 3), (groups(3, 4), 4)] {
        let wrong = NewDataset::with_dependencies("g", partitions, [groups]);
        assert_eq!(
            said(builder.add(wrong)),
            "dataset `g` reads partitions of `b` that do not exist"
        );
    }
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
