//! What the driver says of what runs.

use super::*;
use crate::ids::StageId;

#[test]
fn a_partition_has_the_timeout_of_what_it_is_made_from_and_of_nothing_else() {
    let mut builder = ApplicationBuilder::new();
    let plain = builder.range("plain", 0, 9, 2).expect("a dataset");
    builder.timeout(Duration::from_secs(60));
    let watched = builder.range("watched", 0, 9, 2).expect("a dataset");
    let both = builder.union("both", &[plain, watched]);
    builder.action(both.expect("a dataset"), ActionKind::Count, None);
    let mut bench = Bench::of(builder, Threads);
    bench.register(&"e".into());
    let timeouts = [0, 1, 2, 3].map(|it| bench.driver.has_timeout(StageId(0), Partition(it)));
    assert_eq!(timeouts, [false, false, true, true]);
    assert!(!bench.driver.has_timeout(StageId(9), Partition(2)));
}

#[test]
fn what_runs_is_told_by_stage() {
    let bench = Bench::new(ActionKind::Count);
    let running = bench
        .driver
        .running(bench.driver.now + Duration::from_secs(5));
    assert_eq!((running.attempts, running.waiting), (2, 0));
    let [stage] = &running.stages[..] else {
        panic!("one stage runs: {running:?}");
    };
    assert_eq!((stage.running, stage.ended), (2, 0));
    assert_eq!(running.longest, stage.longest);
}
