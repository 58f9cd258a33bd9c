//! Spark's `TaskSchedulerImplSuite`: executors.

use std::collections::HashSet;

use super::*;

#[test]
fn losing_an_executor_forgets_what_ran_there() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.lose("e0", process_lost(true));
    assert_eq!(fixture.scheduler.running(), 0);
    assert_eq!(fixture.scheduler.snapshot().executors, []);
    assert!(fixture.revived);
    assert!(fixture.reports.contains(&TaskReport::ExecutorLost {
        executor: "e0".into(),
        host: "h0".into(),
        reason: process_lost(true),
    }));
    // A status that comes late changes nothing.
    let told = fixture.reports.len();
    fixture.finish(&tasks[0]);
    assert_eq!(fixture.reports.len(), told);
}

#[test]
fn losing_an_executor_twice_is_told_once() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("e0", "h0", 1)]);
    fixture.lose("e0", process_lost(true));
    let told = fixture.reports.len();
    fixture.lose("e0", ExecutorLossReason::Killed);
    fixture.lose("never-seen", ExecutorLossReason::Killed);
    assert_eq!(fixture.reports.len(), told);
}

#[test]
fn executors_are_told_of_once() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("e0", "h0", 1)]);
    fixture.offer(&[("e0", "h0", 1)]);
    let added = TaskReport::ExecutorAdded {
        executor: "e0".into(),
        host: "h0".into(),
    };
    assert_eq!(fixture.reports, std::slice::from_ref(&added));
    fixture.lose("e0", ExecutorLossReason::Killed);
    fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(fixture.reports.last(), Some(&added));
}

#[test]
fn a_decommissioned_executor_is_not_alive_and_its_loss_is_not_the_applications() {
    let mut fixture = Fixture::with(|config| config.max_task_failures = 1);
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.status(tasks[0].task, AttemptStatus::Running);
    fixture.decommission("e0", Some("h0"));
    assert!(fixture.revived);
    assert!(!fixture.scheduler.snapshot().executors[0].alive);
    fixture.lose("e0", process_lost(true));
    assert!(fixture.failed(0).is_none(), "it does not count");
    assert!(fixture.reports.contains(&TaskReport::ExecutorLost {
        executor: "e0".into(),
        host: "h0".into(),
        reason: ExecutorLossReason::ProcessLost {
            cause: "connection broke".into(),
            host: Some("h0".into()),
            caused_by_app: false,
        },
    }));
}

#[test]
fn only_a_task_that_was_alone_with_its_executor_is_given_up_for_its_loss() {
    let mut fixture = Fixture::with(|config| config.max_task_failures = 4);
    fixture.submit(task_set(0, 0, 1));
    fixture.submit(task_set(1, 0, 3));
    for loss in 0..3 {
        let executor = format!("e{loss}");
        let tasks = fixture.offer(&[(&executor, "h", 2)]);
        assert_eq!(tasks.len(), 2, "with others so far");
        lose_with(&mut fixture, &executor, &tasks);
    }
    // The suspect of the first set, then that of the second, each alone.
    let tasks = fixture.offer(&[("e4", "h", 2), ("e5", "h", 2)]);
    let stages: HashSet<u32> = tasks.iter().map(|task| task.stage.0).collect();
    assert_eq!((tasks.len(), stages.len()), (2, 2));
    assert_eq!(executors_of(&tasks).iter().collect::<HashSet<_>>().len(), 2);
    assert_eq!(fixture.offer(&[("e4", "h", 1), ("e5", "h", 1)]), []);
    let (poison, innocent) = match tasks[0].stage.0 {
        0 => (&tasks[0], &tasks[1]),
        _ => (&tasks[1], &tasks[0]),
    };
    lose_with(
        &mut fixture,
        poison.executor.as_str(),
        std::slice::from_ref(poison),
    );
    let reason = fixture.failed(0).expect("given up");
    assert!(reason.contains("failed 4 times"), "{reason}");
    assert!(
        reason.contains("h (executor e0), h (executor e1)"),
        "{reason}"
    );
    assert_eq!(fixture.failed(1), None);
    fixture.finish(innocent);
    let rest = fixture.offer(&[(innocent.executor.as_str(), "h", 2)]);
    assert_eq!(rest.len(), 2, "nobody is alone any more");
    for task in &rest {
        fixture.finish(task);
    }
    assert_eq!(fixture.failed(1), None);
    assert!(fixture.set(1, 0).is_none(), "it is done");
}

#[test]
fn the_last_attempt_is_alone_also_if_the_one_before_it_was_so_by_chance() {
    let mut fixture = Fixture::with(|config| config.max_task_failures = 2);
    fixture.submit(task_set(0, 0, 1));
    let first = fixture.offer(&[("e0", "h", 2)]);
    lose_with(&mut fixture, "e0", &first);
    fixture.submit(task_set(1, 0, 3));
    let last = fixture.offer(&[("e1", "h", 2)]);
    assert_eq!(last.len(), 1, "the poison alone: {last:?}");
    lose_with(&mut fixture, "e1", &last);
    let reason = fixture.failed(0).expect("given up");
    assert!(reason.contains("failed 2 times"), "{reason}");
    assert_eq!(fixture.failed(1), None);
}

#[test]
fn an_attempt_that_is_done_is_not_to_blame_for_the_end_of_its_executor() {
    let mut fixture = Fixture::with(|config| config.max_task_failures = 1);
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h", 1)]);
    fixture.status(tasks[0].task, AttemptStatus::ResultReady { bytes: 5 });
    fixture.lose("e0", process_lost(true));
    assert_eq!(fixture.failed(0), None);
    assert_eq!(fixture.offer(&[("e1", "h", 1)]).len(), 1, "made again");
}

#[test]
fn an_executor_is_kept_for_tasks_that_are_to_run_alone() {
    let mut fixture = Fixture::with(|config| config.max_task_failures = 2);
    fixture.submit(task_set(0, 0, 6));
    let busy = fixture.offer(&[("e1", "h", 2)]);
    let suspects = fixture.offer(&[("e0", "h", 2)]);
    lose_with(&mut fixture, "e0", &suspects);
    // None is idle: e1 gets nothing until it is, though two of the tasks could run.
    assert_eq!(fixture.offer(&[("e1", "h", 1)]), []);
    fixture.finish(&busy[0]);
    assert_eq!(fixture.offer(&[("e1", "h", 2)]), []);
    fixture.finish(&busy[1]);
    let first = fixture.offer(&[("e1", "h", 3)]);
    assert_eq!(first.len(), 1);
    assert_eq!(fixture.offer(&[("e1", "h", 2)]), []);
    let second = fixture.offer(&[("e2", "h", 3)]);
    assert_eq!(second.len(), 1);
    for task in [&first[0], &second[0]] {
        assert_eq!(task.attempt, 1);
        fixture.finish(task);
    }
    assert_eq!(fixture.offer(&[("e1", "h", 3)]).len(), 2);
}
