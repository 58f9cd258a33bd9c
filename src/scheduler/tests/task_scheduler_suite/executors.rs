//! Spark's `TaskSchedulerImplSuite`: executors.

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
fn while_the_reason_of_a_loss_is_pending_the_fate_of_its_tasks_is_open() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.handle(TaskSchedulerEvent::ExecutorDisconnected {
        executor: "e0".into(),
    });
    assert_eq!(fixture.ends(), []);
    fixture.finish(&tasks[0]);
    assert_eq!(fixture.ends(), [], "its statuses are not listened to");
    fixture.lose(
        "e0",
        ExecutorLossReason::Exited {
            code: 143,
            caused_by_app: false,
            message: "preempted".into(),
        },
    );
    assert!(matches!(
        fixture.ends()[..],
        [(
            _,
            TaskEndReason::ExecutorLost {
                caused_by_app: false,
                ..
            }
        )]
    ));
    assert_eq!(fixture.offer(&[("e1", "h1", 1)]).len(), 1);
}

#[test]
fn an_executor_that_registers_anew_has_lost_what_it_ran() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    fixture.offer(&[("e0", "h0", 1)]);
    fixture.handle(TaskSchedulerEvent::ExecutorDisconnected {
        executor: "e0".into(),
    });
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(tasks.len(), 1, "the task runs again");
    assert_eq!(tasks[0].attempt, 1);
    assert_eq!(fixture.scheduler.running(), 1);
}

#[test]
fn a_lost_task_takes_its_executor_along() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 2));
    let tasks = fixture.offer(&[("agent", "h0", 2)]);
    fixture.status(
        tasks[0].task,
        TaskStatus::Lost {
            message: "agent removed".into(),
            caused_by_app: false,
        },
    );
    assert_eq!(fixture.ends().len(), 2);
    assert_eq!(fixture.scheduler.running(), 0);
    assert!(fixture.reports.iter().any(|report| matches!(
        report,
        TaskReport::ExecutorLost { reason: ExecutorLossReason::ProcessLost { message, .. }, .. }
            if message.contains("task 0 was lost")
    )));
    assert!(fixture.revived);
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
    fixture.status(tasks[0].task, TaskStatus::Running);
    fixture.decommission("e0", Some("h0"));
    assert!(fixture.revived);
    assert!(!fixture.scheduler.snapshot().executors[0].alive);
    fixture.lose("e0", process_lost(true));
    assert!(fixture.failed(0).is_none(), "it does not count");
    assert!(fixture.reports.contains(&TaskReport::ExecutorLost {
        executor: "e0".into(),
        host: "h0".into(),
        reason: ExecutorLossReason::ProcessLost {
            message: "connection broke".into(),
            host: Some("h0".into()),
            caused_by_app: false,
        },
    }));
}
