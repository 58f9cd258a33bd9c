//! The map output tracker (Spark's `MapOutputTrackerSuite`).

use super::*;

const SHUFFLE: ShuffleId = ShuffleId(10);

fn status(executor: &str, host: &str, task: u64, sizes: &[u64]) -> MapStatus {
    MapStatus {
        executor: executor.into(),
        host: host.into(),
        task: TaskId(task),
        sizes: sizes.into(),
    }
}

fn tracker(maps: u32, reducers: u32) -> MapOutputs {
    let mut outputs = MapOutputs::new();
    outputs.register_shuffle(SHUFFLE, maps, reducers);
    outputs
}

fn two_outputs() -> MapOutputs {
    let mut outputs = tracker(2, 2);
    outputs.register_output(
        SHUFFLE,
        Partition(0),
        &status("a", "hostA", 5, &[1000, 10_000]),
    );
    outputs.register_output(
        SHUFFLE,
        Partition(1),
        &status("b", "hostB", 6, &[10_000, 1000]),
    );
    outputs
}

/// The executors, map partitions and attempts of a reducer's blocks.
fn sources(outputs: &MapOutputs, reduce: u32) -> Vec<(String, u32, u64)> {
    let blocks = outputs
        .blocks(SHUFFLE, Partition(reduce))
        .expect("complete");
    let flat = blocks.iter().flat_map(|from| {
        from.blocks
            .iter()
            .map(|block| (from.executor.to_string(), block.map.0, block.task.0))
    });
    flat.collect()
}

#[test]
fn a_reducer_is_told_both_locations_and_which_attempts_made_the_outputs() {
    let outputs = two_outputs();
    assert_eq!(
        sources(&outputs, 0),
        [("a".to_owned(), 0, 5), ("b".to_owned(), 1, 6)]
    );
    let blocks = outputs.blocks(SHUFFLE, Partition(0)).expect("complete");
    let bytes: Vec<_> = blocks.iter().map(|from| from.blocks[0].bytes).collect();
    assert!((1000..=1100).contains(&bytes[0]) && (10_000..=11_000).contains(&bytes[1]));
}

#[test]
fn an_unregistered_shuffle_is_unknown_and_has_no_blocks() {
    let mut outputs = two_outputs();
    assert!(outputs.contains_shuffle(SHUFFLE));
    outputs.unregister_shuffle(SHUFFLE);
    assert!(!outputs.contains_shuffle(SHUFFLE));
    assert_eq!(outputs.blocks(SHUFFLE, Partition(0)), Ok(Vec::new()));
    assert!(!outputs.is_complete(SHUFFLE));
}

#[test]
fn a_missing_output_fails_the_reader() {
    let mut outputs = two_outputs();
    outputs.unregister_output(SHUFFLE, Partition(0), &"a".into(), &"hostA".into());
    let missing = outputs.blocks(SHUFFLE, Partition(0));
    assert_eq!(
        missing,
        Err(MissingOutput {
            shuffle: SHUFFLE,
            map: Partition(0)
        })
    );
    assert_eq!(outputs.missing(SHUFFLE).collect::<Vec<_>>(), [Partition(0)]);
}

#[test]
fn empty_blocks_are_left_out() {
    let mut outputs = tracker(2, 4);
    let first = status("a", "hostA", 5, &[0, 1000, 0, 10_000]);
    let second = status("b", "hostB", 6, &[10_000, 0, 1000, 0]);
    outputs.register_output(SHUFFLE, Partition(0), &first);
    outputs.register_output(SHUFFLE, Partition(1), &second);
    let all: Vec<_> = (0..4)
        .flat_map(|reduce| sources(&outputs, reduce))
        .collect();
    let expected = [("b", 1, 6), ("a", 0, 5), ("b", 1, 6), ("a", 0, 5)];
    assert_eq!(
        all,
        expected.map(|(e, map, task)| (e.to_owned(), map, task))
    );
}

#[test]
fn a_location_counts_from_a_fraction_of_the_bytes() {
    let mut outputs = tracker(3, 1);
    for (map, host, bytes) in [(0, "hostA", 2), (1, "hostA", 2), (2, "hostB", 3)] {
        let status = status(host, host, 0, &[bytes]);
        outputs.register_output(SHUFFLE, Partition(map), &status);
    }
    let holders = |fraction| {
        let places = outputs.large_holders(SHUFFLE, Partition(0), fraction);
        let hosts = places.into_iter().map(|place| outputs.places.host(place));
        hosts.map(Host::to_string).collect::<Vec<_>>()
    };
    assert_eq!(holders(0.5), ["hostA"]);
    assert_eq!(holders(0.2), ["hostA", "hostB"]);
    assert_eq!(
        outputs.preferred_hosts(SHUFFLE, Partition(0)),
        ["hostA".into(), "hostB".into()]
    );
}

#[test]
fn the_epoch_grows_with_every_loss_and_with_no_registration() {
    let mut outputs = two_outputs();
    assert_eq!(outputs.epoch(), 0);
    let (nobody, nowhere) = ("nobody".into(), "nowhere".into());
    outputs.unregister_output(SHUFFLE, Partition(0), &nobody, &nowhere);
    assert_eq!(outputs.epoch(), 1);
    assert!(outputs.is_complete(SHUFFLE), "the location did not match");
    outputs.remove_executor(&nobody);
    outputs.remove_host(&nowhere);
    assert_eq!(outputs.epoch(), 3);
    outputs.unregister_all_outputs(SHUFFLE);
    assert_eq!(outputs.epoch(), 4);
    assert_eq!(outputs.available(SHUFFLE), 0);
    outputs.increment_epoch();
    assert_eq!(outputs.epoch(), 5);
    outputs.register_shuffle(ShuffleId(11), 1, 1);
    assert_eq!(outputs.epoch(), 5);
}

#[test]
fn an_output_made_again_replaces_the_first_and_counts_once() {
    let mut outputs = two_outputs();
    outputs.register_output(SHUFFLE, Partition(0), &status("c", "hostC", 9, &[1, 1]));
    assert_eq!(outputs.available(SHUFFLE), 2);
    assert_eq!(sources(&outputs, 0)[0], ("c".to_owned(), 0, 9));
    assert!(outputs.counts_are_right());
}

#[test]
fn a_lost_executor_or_host_takes_its_outputs_of_every_shuffle() {
    let mut outputs = two_outputs();
    let other = ShuffleId(11);
    outputs.register_shuffle(other, 2, 1);
    outputs.register_output(other, Partition(0), &status("a", "hostA", 7, &[1]));
    outputs.register_output(other, Partition(1), &status("a2", "hostA", 8, &[1]));
    outputs.remove_executor(&"a".into());
    assert_eq!(
        (outputs.available(SHUFFLE), outputs.available(other)),
        (1, 1)
    );
    outputs.remove_host(&"hostA".into());
    assert_eq!(
        (outputs.available(SHUFFLE), outputs.available(other)),
        (1, 0)
    );
    assert!(outputs.counts_are_right());
}

#[test]
fn a_shuffle_registered_again_keeps_its_outputs() {
    let mut outputs = two_outputs();
    outputs.register_shuffle(SHUFFLE, 2, 2);
    assert!(outputs.is_complete(SHUFFLE));
}

#[test]
fn what_is_unknown_is_ignored() {
    let mut outputs = two_outputs();
    outputs.register_output(ShuffleId(99), Partition(0), &status("a", "hostA", 1, &[1]));
    outputs.register_output(SHUFFLE, Partition(2), &status("a", "hostA", 1, &[1]));
    outputs.unregister_output(ShuffleId(99), Partition(0), &"a".into(), &"hostA".into());
    outputs.unregister_output(SHUFFLE, Partition(2), &"a".into(), &"hostA".into());
    assert!(outputs.is_complete(SHUFFLE));
    assert_eq!(outputs.location(SHUFFLE, Partition(2)), None);
    assert_eq!(
        outputs.location(SHUFFLE, Partition(0)),
        Some((&"a".into(), &"hostA".into()))
    );
}

#[test]
fn the_bytes_of_every_reducer_add_up_over_the_outputs_that_are_there() {
    let mut outputs = tracker(3, 2);
    outputs.register_output(SHUFFLE, Partition(0), &status("a", "hostA", 0, &[1, 0]));
    outputs.register_output(SHUFFLE, Partition(2), &status("a", "hostA", 1, &[2, 1]));
    assert_eq!(*outputs.bytes_by_reducer(SHUFFLE), [3, 1]);
}
