//! What people see of all task sets.

use super::*;

#[test]
fn the_longest_of_all_sets_are_named_and_sets_that_start_nothing_more_are_left_out() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 2));
    fixture.offer(&[("e0", "h0", 1)]);
    fixture.advance(Duration::from_secs(1));
    fixture.submit(task_set(1, 0, 3));
    fixture.offer(&[("e1", "h1", 3)]);
    let seen = fixture.scheduler.seen(fixture.now, 1, 2);
    assert_eq!((seen.at, seen.attempts, seen.waiting), (fixture.now, 4, 1));
    let named: Vec<_> = seen.longest.iter().map(|it| it.stage.0).collect();
    assert_eq!(named, [0, 0], "one began before, one has the lower stage");
    let stages: Vec<_> = seen
        .stages
        .iter()
        .map(|it| (it.stage.0, it.running))
        .collect();
    assert_eq!(stages, [(0, 2), (1, 2)]);
    // There is a new attempt at the stage: the one before starts nothing more.
    fixture.submit(task_set(0, 1, 2));
    let seen = fixture.scheduler.seen(fixture.now, 1, 2);
    let stages: Vec<_> = seen
        .stages
        .iter()
        .map(|it| (it.stage.0, it.attempt.0, it.running))
        .collect();
    assert_eq!(stages, [(0, 1, 0), (1, 0, 2)]);
    assert_eq!((seen.attempts, seen.longest.len()), (4, 2));
}
