//! Spark's `TaskSchedulerImplSuite`: statuses.

use super::*;

#[test]
fn a_finished_task_is_told_once_and_frees_its_executor() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 2));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    finish_running(&mut fixture, &tasks[0]);
    finish_running(&mut fixture, &tasks[0]);
    assert_eq!(fixture.ends().len(), 1);
    assert_eq!(fixture.scheduler.snapshot().executors[0].running, 0);
}

#[test]
fn a_failed_task_asks_for_offers_and_is_retried_first() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 3));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(tasks[0].index.0, 0);
    fixture.fail(&tasks[0]);
    assert!(fixture.revived);
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!((tasks[0].index.0, tasks[0].attempt), (0, 1));
}

#[test]
fn a_result_to_fetch_frees_its_executor_before_the_task_is_over() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    let ready = AttemptStatus::ResultReady { bytes: 5 << 20 };
    fixture.status(tasks[0].task, ready.clone());
    fixture.status(tasks[0].task, ready);
    assert_eq!(
        fixture.requests,
        [BackendRequest::FetchResult {
            task: tasks[0].task
        }]
    );
    assert_eq!(fixture.scheduler.snapshot().executors[0].running, 0);
    assert_eq!(fixture.ends(), []);
    fixture.finish(&tasks[0]);
    assert!(matches!(
        fixture.ends()[..],
        [(_, TaskEndReason::Success(_))]
    ));
    assert_eq!(fixture.scheduler.snapshot().executors[0].running, 0);
}

#[test]
fn a_result_that_cannot_be_fetched_is_made_again() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.status(tasks[0].task, AttemptStatus::ResultReady { bytes: 5 << 20 });
    fixture.status(
        tasks[0].task,
        AttemptStatus::ended(TaskEndReason::ResultLost),
    );
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!((tasks.len(), tasks[0].attempt), (1, 1));
}
