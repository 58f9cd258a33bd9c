//! Where tasks would like to run.

use super::*;
use crate::plan::Dependency;

fn hosts(names: &[&str]) -> Vec<Host> {
    names.iter().map(|name| Host::from(*name)).collect()
}

#[test]
fn a_cached_parent_behind_a_narrow_dependency_is_preferred() {
    let mut plan = PlanBuilder::new();
    let parent = plan.data(NewDataset::source("", 1).persisted());
    let child = plan.data(NewDataset::derived("", parent));
    let mut h = Harness::new(plan);
    h.cache(parent, 0, "hostA");
    h.cache(parent, 0, "hostB");
    h.submit(child);
    assert_eq!(h.locations(0), [["hostA", "hostB"]]);
    let on_a = TaskLocation::Executor {
        host: "hostA".into(),
        executor: executor_on("hostA"),
    };
    assert_eq!(h.sets[0].tasks[0].locations[0], on_a);
}

#[test]
fn cached_partitions_come_before_own_hosts_and_those_before_the_parents() {
    let mut plan = PlanBuilder::new();
    let all_on = |host: &str| vec![hosts(&[host]), hosts(&[host]), hosts(&[])];
    let parent = plan.data(NewDataset::source("", 3).preferring(vec![
        hosts(&["parent"]),
        hosts(&["parent"]),
        hosts(&["parent"]),
    ]));
    let child = plan.data(
        NewDataset::derived("", parent)
            .persisted()
            .preferring(all_on("own")),
    );
    let mut h = Harness::new(plan);
    h.cache(child, 0, "cached");
    h.submit(child);
    assert_eq!(h.locations(0), [["cached"], ["own"], ["parent"]]);
}

#[test]
fn the_first_parent_with_a_preference_decides() {
    let mut plan = PlanBuilder::new();
    let silent = plan.data(NewDataset::source("", 1));
    let b = plan.data(NewDataset::source("", 1).preferring(vec![hosts(&["hostB"])]));
    let c = plan.data(NewDataset::source("", 1).preferring(vec![hosts(&["hostC"])]));
    let over_b = plan.data(NewDataset::derived("", b));
    let zip = plan.data(NewDataset::zipped("", [silent, over_b, c]));
    let mut h = Harness::new(plan);
    h.submit(zip);
    assert_eq!(h.locations(0), [["hostB"]]);
}

#[test]
fn a_union_asks_the_parent_that_a_partition_comes_from() {
    let mut plan = PlanBuilder::new();
    let a = plan.data(NewDataset::source("", 1).preferring(vec![hosts(&["hostA"])]));
    let b = plan.data(
        NewDataset::source("", 2).preferring(vec![hosts(&["hostB"]), hosts(&["hostC", "hostD"])]),
    );
    let both = plan.data(NewDataset::union("", [a, b]));
    let mut h = Harness::new(plan);
    h.submit(both);
    assert_eq!(
        h.locations(0),
        [vec!["hostA"], vec!["hostB"], vec!["hostC", "hostD"]]
    );
}

#[test]
fn partitions_that_are_put_together_are_where_most_of_them_are() {
    let mut plan = PlanBuilder::new();
    let on = [
        "hostA", "hostB", "hostB", "", "hostC", "hostA", "", "", "hostD",
    ];
    let on = on.map(|it| if it.is_empty() { vec![] } else { hosts(&[it]) });
    let source = plan.data(NewDataset::source("", 9).preferring(on.to_vec()));
    let kept = plan.data(NewDataset::derived("", source).persisted());
    let few = plan.data(NewDataset::coalesced("", kept, 2));
    let one = plan.data(NewDataset::coalesced("", few, 1));
    let mut h = Harness::new(plan);
    h.submit(few);
    // Three of the first four have hosts, four of the other five.
    assert_eq!(
        h.locations(0),
        [vec!["hostB"], vec!["hostC", "hostA", "hostD"]]
    );
    h.submit(one);
    assert_eq!(h.locations(1), [["hostA", "hostB"]]);
    // What is kept is not looked for where it was read.
    h.cache(kept, 1, "hostD");
    h.submit(one);
    let on_a = TaskLocation::Host("hostA".into());
    assert_eq!(*h.sets[2].tasks[0].locations, [on_a]);
}

#[test]
fn without_a_preference_among_those_put_together_the_next_parent_is_asked() {
    let mut plan = PlanBuilder::new();
    let silent = plan.data(NewDataset::source("", 4));
    let few = plan.data(NewDataset::coalesced("", silent, 2));
    let b = plan.data(NewDataset::source("", 2).preferring(vec![hosts(&["hostB"]), hosts(&[])]));
    let zip = plan.data(NewDataset::zipped("", [few, b]));
    let mut h = Harness::new(plan);
    h.submit(zip);
    assert_eq!(h.locations(0), [vec!["hostB"], vec![]]);
}

#[test]
fn reduce_partitions_that_are_put_together_are_where_most_of_them_prefer() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(2, 3);
    let one = plan.data(NewDataset::coalesced("", reduce, 1));
    let mut h = Harness::new(plan);
    h.submit(one);
    let outputs = [("hostA", [9000, 10, 10]), ("hostB", [10, 9000, 9000])];
    h.complete(0, outputs.map(|(host, sizes)| map_output_of(host, &sizes)));
    assert_eq!(h.locations(1), [["hostB"]]);
}

#[test]
fn a_task_makes_all_partitions_that_it_puts_together_and_nobody_keeps() {
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 4));
    let kept = plan.data(NewDataset::derived("", source).persisted());
    let few = plan.data(NewDataset::coalesced("", kept, 2));
    let mut h = Harness::new(plan);
    h.cache(kept, 2, "hostA");
    h.submit(few);
    let to_keep = |task: usize| {
        let mut all = h.sets[0].tasks[task].to_keep.to_vec();
        all.sort_unstable();
        all
    };
    assert_eq!(to_keep(0), [(kept, Partition(0)), (kept, Partition(1))]);
    assert_eq!(to_keep(1), [(kept, Partition(3))]);
}

#[test]
fn nested_zips_of_a_dataset_with_itself_are_looked_up_quickly() {
    let mut plan = PlanBuilder::new();
    // The preference of another dataset makes the look-up necessary.
    let other = plan.data(NewDataset::source("", 2).preferring(vec![hosts(&["h"]), hosts(&[])]));
    let mut last = plan.data(NewDataset::source("", 2));
    for _ in 0..30 {
        last = plan.data(NewDataset::zipped("", [last, last]));
    }
    let both = plan.data(NewDataset::zipped("", [last, other]));
    let mut h = Harness::new(plan);
    h.submit(both);
    assert_eq!(h.locations(0), [vec!["h"], vec![]]);
}

#[test]
fn a_reducer_prefers_the_only_host_with_its_map_output() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    assert_eq!(h.locations(1), [["hostA"]]);
}

#[test]
fn a_reducer_prefers_every_host_with_a_fifth_of_its_input() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(4, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    let sizes = [
        ("hostA", 1000),
        ("hostB", 1000),
        ("hostC", 100),
        ("hostD", 1000),
    ];
    h.complete(0, sizes.map(|(host, bytes)| map_output_of(host, &[bytes])));
    assert_eq!(h.locations(1), [["hostA", "hostB", "hostD"]]);
}

#[test]
fn exactly_a_fifth_of_its_input_is_enough_to_be_preferred() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(5, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    let hosts = ["hostA", "hostB", "hostC", "hostD", "hostE"];
    h.complete_maps(0, 1, &hosts);
    assert_eq!(h.locations(1), [hosts]);
}

#[test]
fn reducers_of_large_shuffles_have_no_preference() {
    for (maps, reducers) in [(1000, 1), (1, 1000)] {
        let mut plan = PlanBuilder::new();
        let (_, reduce) = plan.map_reduce(maps, reducers);
        let mut h = Harness::new(plan);
        h.submit(reduce);
        h.complete_maps(0, reducers as usize, &vec!["hostA"; maps as usize]);
        assert!(h.locations(1).iter().all(Vec::is_empty));
    }
}

#[test]
fn reduce_locality_can_be_switched_off() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(1, 1);
    let config = DagSchedulerConfig {
        reduce_locality: false,
        ..DagSchedulerConfig::default()
    };
    let mut h = Harness::with_config(plan, config);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    assert!(h.locations(1)[0].is_empty());
}

#[test]
fn a_dataset_with_a_shuffle_and_a_narrow_dependency_follows_the_narrow_one() {
    let mut plan = PlanBuilder::new();
    let (shuffle, _) = plan.map_reduce(1, 1);
    let narrow = plan.data(NewDataset::source("", 1).preferring(vec![hosts(&["hostB"])]));
    let both = NewDataset::with_dependencies(
        "",
        1,
        [Dependency::Shuffle(shuffle), Dependency::one_to_one(narrow)],
    );
    let both = plan.data(both);
    let mut h = Harness::new(plan);
    let job = h.submit(both);
    h.complete_maps(0, 1, &["hostA"]);
    assert_eq!(h.locations(1), [["hostB"]]);
    h.complete_results(1);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_partition_that_was_dropped_or_lost_is_not_preferred() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 2).persisted());
    let mut h = Harness::new(plan);
    h.cache(data, 0, "hostA");
    h.cache(data, 0, "hostB");
    h.cache(data, 1, "hostA");
    h.send(DagEvent::PartitionDropped {
        dataset: data,
        partition: Partition(0),
        executor: executor_on("hostB"),
        host: "hostB".into(),
    });
    h.submit(data);
    h.lose_executor("hostA");
    h.submit(data);
    assert_eq!(h.locations(0), [["hostA"], ["hostA"]]);
    assert!(h.locations(1).iter().all(Vec::is_empty));
}
