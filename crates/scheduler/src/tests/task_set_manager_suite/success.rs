//! Spark's `TaskSetManagerSuite`: success.

use super::*;

#[test]
fn a_set_without_preferences_launches_at_once_and_ends_with_its_task() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 1));
    let started = set.offer("exec1", "host1", NoPref).expect("launched");
    assert_eq!(started.level, ProcessLocal, "as if it were at home");
    set.succeed(started);
    assert!(set.manager.is_done());
    assert!(set.manager.is_complete());
}

#[test]
fn a_set_is_done_when_its_last_task_is() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 3));
    let tasks: Vec<_> = (0..3)
        .map(|_| set.offer("exec1", "host1", NoPref).expect("launched"))
        .collect();
    assert_eq!(set.offer("exec1", "host1", NoPref), None);
    set.succeed(tasks[0]);
    set.succeed(tasks[1]);
    assert!(!set.manager.is_zombie());
    set.succeed(tasks[2]);
    assert!(set.manager.is_done());
}

#[test]
fn the_last_end_is_told_by_a_set_that_is_a_zombie_already() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 1));
    let started = set.offer("exec1", "host1", NoPref).expect("launched");
    set.succeed(started);
    assert!(set.manager.is_zombie());
    assert!(matches!(set.reasons()[..], [TaskEndReason::Success(_)]));
}

#[test]
fn tasks_without_preference_start_with_the_lowest_index() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 3));
    let order: Vec<_> = (0..3).map(|_| set.index("exec1", "host1", Any)).collect();
    assert_eq!(order, [Some(0), Some(1), Some(2)]);
}

#[test]
fn names_say_stage_and_attempt() {
    for (stage, attempt, name) in [
        (0, 0, "TaskSet_0.0"),
        (0, 1, "TaskSet_0.1"),
        (1, 1, "TaskSet_1.1"),
    ] {
        let set = Surroundings::default().manage(task_set(stage, attempt, 1));
        assert_eq!(set.manager.to_string(), name);
    }
}

#[test]
fn a_success_resets_the_failures_of_its_task() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(shuffle_map(task_set(0, 0, 2)));
    for _ in 0..3 {
        let started = set.offer("exec1", "host1", Any).expect("launched");
        assert_eq!(started.index, 0);
        set.fail(started, failure());
    }
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.succeed(started);
    // Its output is lost; three more failures do not add up to the old ones.
    set.lose_executor("exec1", &ExecutorLossReason::Killed);
    for _ in 0..3 {
        let started = set.offer("exec2", "host2", Any).expect("launched");
        assert_eq!(started.index, 0);
        set.fail(started, failure());
    }
    assert_eq!(set.failed_reason(), None);
}

#[test]
fn an_end_that_comes_twice_counts_once() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 2));
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.succeed(started);
    set.succeed(started);
    set.fail(started, failure());
    assert_eq!(set.reasons().len(), 1);
    assert_eq!(set.manager.successful(), 1);
    let second = set.offer("exec1", "host1", Any).expect("launched");
    set.fail(second, failure());
    set.succeed(second);
    assert_eq!(set.reasons().len(), 2);
    assert_eq!(set.manager.successful(), 1);
}
