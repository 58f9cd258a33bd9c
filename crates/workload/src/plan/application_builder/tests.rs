//! What an application is made of, and what is refused.

use super::*;
use crate::ids::Partition;

#[test]
fn what_would_take_all_memory_is_refused_with_the_most_there_may_be() {
    let mut builder = ApplicationBuilder::new();
    let wide = builder
        .range("wide", 0, 1, MOST_PARTITIONS)
        .expect("the most");
    let refused = |added: Added| added.expect_err("too many").to_string();
    let error = refused(builder.range("r", 0, 1, u32::MAX));
    assert!(
        error.contains("`r` would have more than 5000000"),
        "{error}"
    );
    let error = refused(builder.union("u", &[wide, wide]));
    assert!(
        error.contains("`u` would have more than 5000000"),
        "{error}"
    );
    let error = refused(builder.repartition("s", wide, u32::MAX));
    assert!(
        error.contains("into 4294967295 partitions: 1000000"),
        "{error}"
    );
    let error = refused(builder.distinct("b", wide, Some(1_000_000)));
    assert!(error.contains("is 5000000000000 blocks"), "{error}");
    // As many as the larger input has, which is more than a shuffle may make.
    let error = refused(builder.count_by_key("c", wide, None));
    assert!(error.contains("into 5000000 partitions"), "{error}");
    let long = "x".repeat(1 << 20);
    let error = refused(builder.pipe("p", wide, &long));
    assert!(error.contains("`p` has 1048576 bytes"), "{error}");
    let error = refused(builder.reduce_by_key("p", wide, "a\0", Some(1)));
    assert!(error.contains("`p` has a NUL"), "{error}");
}

#[test]
fn a_sort_keeps_its_input_for_its_sample_if_making_it_costs_more() {
    let mut builder = ApplicationBuilder::new();
    let order = SortOrder::default();
    let cheap = builder.range("cheap", 0, 9, 3).expect("a source");
    let piped = builder.pipe("piped", cheap, "cat").expect("a pipe");
    let dear = builder.filter("dear", piped, "a").expect("a filter");
    builder.persist();
    let kept = builder.pipe("kept", cheap, "cat").expect("a pipe");
    let of_kept = builder.filter("of kept", kept, "a").expect("a filter");
    for from in [cheap, dear, kept, of_kept] {
        builder.sort("sort", from, order, Some(2)).expect("a sort");
    }
    // One range needs no sample.
    builder.sort("sort", piped, order, Some(1)).expect("a sort");
    let application = builder.build();
    let sorts: Vec<_> = application.kept_for_sorts.into_iter().collect();
    assert_eq!(sorts, [(dear, BTreeSet::from([ShuffleId(1)]))]);
    let persisted = |id| {
        let kept = application.program.recipe(id).persisted;
        assert_eq!(application.plan.dataset(id).is_persisted(), kept);
        kept
    };
    assert_eq!(
        [cheap, piped, dear, kept, of_kept].map(persisted),
        [false, false, true, true, false]
    );
}

#[test]
fn a_chain_is_as_long_as_a_task_can_hold_and_a_shuffle_begins_another() {
    let mut builder = ApplicationBuilder::new();
    let mut last = builder.range("r", 0, 1, 1).expect("a source");
    for _ in 1..LONGEST_CHAIN {
        last = builder.filter("f", last, "a").expect("not too long");
    }
    let error = builder.filter("g", last, "a").expect_err("too long");
    assert!(
        error
            .to_string()
            .contains("`g` would be the operation 1001 in a row"),
        "{error}"
    );
    let mut last = builder.distinct("d", last, None).expect("a shuffle");
    for _ in 1..LONGEST_CHAIN {
        last = builder.union("u", &[last]).expect("not too long");
    }
    assert!(builder.union("u", &[last]).is_err());
}

#[test]
fn what_is_coalesced_stays_in_its_stage_and_reads_groups() {
    let mut builder = ApplicationBuilder::new();
    let numbers = builder.range("numbers", 0, 9, 5).expect("a source");
    let few = builder.coalesce("few", numbers, 2).expect("fewer");
    let same = builder.coalesce("same", few, 9).expect("as they are");
    assert_eq!(builder.partitions(same), 2);
    let application = builder.build();
    let reads = |id, partition| {
        let operation = &application.program.recipe(id).operation;
        let (parent, partitions) = operation.inputs(Partition(partition)).expect("some");
        (parent, partitions.map(|it| it.0).collect::<Vec<_>>())
    };
    assert_eq!(reads(few, 0), (numbers, vec![0, 1]));
    assert_eq!(reads(few, 1), (numbers, vec![2, 3, 4]));
    assert_eq!(reads(same, 1), (few, vec![1]));
    let no_group = &application.program.recipe(few).operation;
    assert_eq!(no_group.inputs(Partition(2)), None);
    let pipeline = application.plan.pipeline(same);
    assert_eq!(pipeline.datasets, [same, few, numbers]);
    assert_eq!(pipeline.shuffles, []);
}

#[test]
fn items_that_are_left_out_one_by_one_are_not_put_together() {
    let mut builder = ApplicationBuilder::new();
    let items = vec!["a".to_owned(), "b".to_owned()];
    let items = builder.items("items", items).expect("a source");
    builder.skip(Skip::default());
    let done = builder.pipe("done", items, "cat").expect("a pipe");
    let error = builder.coalesce("few", done, 1).expect_err("refused");
    assert!(error.to_string().contains("`few` puts items together"));
    assert!(error.help().expect("help").contains("repartition"));
    // As they are.
    builder.coalesce("same", done, 2).expect("nothing changes");
    let spread = builder.repartition("spread", done, 2).expect("a shuffle");
    builder.coalesce("later", spread, 1).expect("another stage");
}
