//! Spark's `TaskSetManagerSuite`: size of results.

use super::*;

fn results_of(sizes: &[u64], limit: u64, shuffle: bool) -> Option<String> {
    let mut all = task_set(0, 0, sizes.len() as u32);
    if shuffle {
        all = shuffle_map(all);
    }
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.max_result_bytes = limit)
        .manage(all);
    for bytes in sizes {
        let Some(started) = set.offer("exec1", "host1", Any) else {
            break;
        };
        set.succeed_with(started, *bytes);
    }
    set.failed_reason().map(str::to_owned)
}

#[test]
fn results_within_the_limit_are_fine() {
    assert_eq!(results_of(&[1 << 10; 10], 2 << 20, false), None);
    assert_eq!(results_of(&[1 << 30; 10], 0, false), None, "0 is no limit");
}

#[test]
fn results_over_the_limit_fail_the_set() {
    for sizes in [&[10 << 20][..], &[1 << 20; 10]] {
        let reason = results_of(sizes, 2 << 20, false).expect("failed");
        assert!(
            reason.contains("bigger than spark.driver.maxResultSize (2.0 MiB)"),
            "{reason}"
        );
    }
    let reason = results_of(&[1 << 20; 10], 2 << 20, false).expect("failed");
    assert!(reason.contains("of 3 tasks (3.0 MiB)"), "{reason}");
}

#[test]
fn what_map_tasks_send_is_not_counted() {
    assert_eq!(results_of(&[10 << 20], 2 << 20, true), None);
}

#[test]
fn a_result_too_large_to_fetch_is_not_fetched_and_its_task_over() {
    let mut fixture = Fixture::with(|config| config.max_result_bytes = 1 << 20);
    fixture.submit(task_set(0, 0, 2));
    let tasks = fixture.offer(&[("e0", "h0", 2)]);
    fixture.status(tasks[0].task, AttemptStatus::ResultReady { bytes: 2 << 20 });
    assert_eq!(fixture.requests, []);
    assert!(fixture.failed(0).is_some());
    assert!(matches!(
        fixture.ends()[..],
        [(_, TaskEndReason::Killed { .. })]
    ));
    assert_eq!(fixture.scheduler.running(), 1);
}

#[test]
fn a_result_fetched_later_is_counted_once() {
    let mut fixture = Fixture::with(|config| config.max_result_bytes = 3 << 20);
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.status(tasks[0].task, AttemptStatus::ResultReady { bytes: 2 << 20 });
    let output = result(2 << 20);
    fixture.status(
        tasks[0].task,
        AttemptStatus::ended(TaskEndReason::Success(output)),
    );
    assert!(fixture.failed(0).is_none());
}
