//! Spark's `TaskSetManagerSuite`: executors lost.

use super::*;
use crate::loss::WhyEnd;

#[test]
fn outputs_of_a_lost_executor_are_made_again() {
    let mut set = Surroundings::executors(&[("execA", "host1"), ("execB", "host2")])
        .manage(shuffle_map(task_set(0, 0, 4)));
    let tasks = launch_all(
        &mut set,
        &[
            ("execA", "host1"),
            ("execA", "host1"),
            ("execB", "host2"),
            ("execB", "host2"),
        ],
    );
    for task in &tasks[..3] {
        set.succeed(*task);
    }
    set.lose_executor("execA", &process_lost(true));
    assert_eq!(set.manager.successful(), 1);
    let resubmitted = set
        .reasons()
        .iter()
        .filter(|reason| matches!(reason, TaskEndReason::Resubmitted))
        .count();
    assert_eq!(resubmitted, 2);
    let mut again: Vec<_> = (0..2)
        .map(|_| set.index("execB", "host2", Any).expect("listed again"))
        .collect();
    again.sort_unstable();
    assert_eq!(again, [0, 1]);
    assert_eq!(set.offer("execB", "host2", Any), None);
}

#[test]
fn results_of_a_lost_executor_are_not_made_again() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 2));
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.succeed(started);
    set.lose_executor("exec1", &process_lost(true));
    assert_eq!(set.manager.successful(), 1);
}

#[test]
fn outputs_that_outlive_their_executor_are_not_made_again() {
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.outputs_outlive_executors = true)
        .manage(shuffle_map(task_set(0, 0, 2)));
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.succeed(started);
    set.lose_executor("exec1", &process_lost(true));
    assert_eq!(set.manager.successful(), 1);
}

#[test]
fn a_decommissioned_executor_takes_its_outputs_along_in_any_case() {
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.outputs_outlive_executors = true)
        .manage(shuffle_map(task_set(0, 0, 2)));
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.succeed(started);
    set.lose_executor(
        "exec1",
        &ExecutorLossReason::Decommissioned {
            host: None,
            why: WhyEnd::AgentWanted,
        },
    );
    assert_eq!(set.manager.successful(), 0);
}

#[test]
fn a_zombie_makes_no_outputs_again() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(shuffle_map(task_set(0, 0, 2)));
    let tasks = launch_all(&mut set, &[("exec1", "host1"); 2]);
    set.succeed(tasks[0]);
    set.manager.make_zombie();
    set.lose_executor("exec1", &process_lost(true));
    assert!(
        !set.reasons()
            .iter()
            .any(|reason| matches!(reason, TaskEndReason::Resubmitted))
    );
}

#[test]
fn an_output_lost_while_a_failed_attempt_was_elsewhere_is_made_again_once() {
    let mut set = Surroundings::executors(&[("execA", "host1"), ("execB", "host2")])
        .manage(shuffle_map(task_set(0, 0, 2)));
    let first = set.offer("execA", "host1", Any).expect("launched");
    set.fail(first, failure());
    let second = set.offer("execB", "host2", Any).expect("launched");
    assert_eq!(second.index, first.index);
    set.succeed(second);
    // Only a failed attempt was there: the output is elsewhere.
    set.lose_executor("execA", &process_lost(true));
    assert_eq!(set.manager.successful(), 1);
}

#[test]
fn a_loss_counts_as_the_tasks_failure_by_its_reason() {
    let exited = |caused_by_app| ExecutorLossReason::Exited {
        caused_by_app,
        cause: "exit".into(),
    };
    let decommissioned = ExecutorLossReason::Decommissioned {
        host: None,
        why: WhyEnd::AgentWanted,
    };
    for (reason, counts) in [
        (exited(true), true),
        (exited(false), false),
        (ExecutorLossReason::Killed, false),
        (process_lost(true), true),
        (process_lost(false), false),
        (decommissioned, false),
    ] {
        let mut set = Surroundings::executors(ONE_EXECUTOR)
            .configure(|config| config.max_task_failures = 1)
            .manage(task_set(0, 0, 1));
        let started = set.offer("exec1", "host1", Any).expect("launched");
        set.manager.attempt_runs(started.attempt);
        set.lose_executor("exec1", &reason);
        assert_eq!(set.failed_reason().is_some(), counts, "{reason}");
    }
}

#[test]
fn a_task_that_never_started_did_not_bring_its_executor_down() {
    let exited = ExecutorLossReason::Exited {
        caused_by_app: true,
        cause: "Terminated due to issue with running tasks".into(),
    };
    // Unless the exit is known to be the application's doing, as in Spark.
    for (reason, counts) in [(process_lost(true), false), (exited, true)] {
        let mut set = Surroundings::executors(ONE_EXECUTOR)
            .configure(|config| config.max_task_failures = 1)
            .manage(task_set(0, 0, 1));
        set.offer("exec1", "host1", Any).expect("launched");
        set.lose_executor("exec1", &reason);
        assert_eq!(set.failed_reason().is_some(), counts, "{reason}");
    }
}
