//! Spark's `TaskSetManagerSuite`: failures.

use super::*;

#[test]
fn a_lost_result_is_made_again() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 1));
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.fail(started, TaskEndReason::ResultLost);
    let again = set.offer("exec1", "host1", Any).expect("offered again");
    assert_eq!(again.index, started.index);
}

#[test]
fn the_fourth_failure_of_a_task_fails_its_set() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 1));
    for failed in 1..=4 {
        let started = set.offer("exec1", "host1", Any).expect("launched");
        set.fail(started, TaskEndReason::ResultLost);
        assert_eq!(set.failed_reason().is_some(), failed == 4);
    }
    let reason = set.failed_reason().expect("failed");
    assert!(
        reason
            .starts_with("Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task 0.3"),
        "{reason}"
    );
    assert!(reason.contains("(host1 executor exec1)"), "{reason}");
}

#[test]
fn failures_count_for_each_task_alone() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 3));
    for _ in 0..3 {
        let tasks = launch_all(&mut set, &[("exec1", "host1"); 3]);
        for task in tasks {
            set.fail(task, failure());
        }
    }
    assert_eq!(set.failed_reason(), None);
}

#[test]
fn only_what_the_task_may_be_to_blame_for_counts_as_its_failure() {
    let lost = |caused_by_app| TaskEndReason::ExecutorLost {
        caused_by_app,
        reason: Arc::new(process_lost(true)),
    };
    let killed = TaskEndReason::Killed {
        reason: "by hand".into(),
    };
    for (reason, counts) in [
        (failure(), true),
        (TaskEndReason::ResultLost, true),
        (TaskEndReason::Unknown, true),
        (lost(true), true),
        (lost(false), false),
        (killed, false),
        (TaskEndReason::CommitDenied, false),
    ] {
        let mut set = Surroundings::executors(ONE_EXECUTOR)
            .configure(|config| config.max_task_failures = 1)
            .manage(task_set(0, 0, 1));
        let started = set.offer("exec1", "host1", Any).expect("launched");
        set.fail(started, reason.clone());
        assert_eq!(set.failed_reason().is_some(), counts, "{reason}");
        assert_eq!(set.offer("exec1", "host1", Any).is_some(), !counts);
    }
}

#[test]
fn a_permanent_failure_fails_the_set_at_once() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 2));
    let started = set.offer("exec1", "host1", Any).expect("launched");
    set.fail(
        started,
        TaskEndReason::Failed {
            message: "output exists already".into(),
            permanent: true,
        },
    );
    let reason = set.failed_reason().expect("failed");
    assert!(reason.contains("output exists already"), "{reason}");
    assert!(set.manager.is_done());
}

#[test]
fn a_task_is_left_out_where_that_is_wanted_and_its_set_goes_on() {
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.max_task_failures = 2)
        .manage(TaskSet {
            skips: true,
            ..task_set(0, 0, 2)
        });
    let left_out = |set: &ManagerFixture| {
        let notices = set.actions.notices.iter();
        let left_out = notices.filter_map(|it| match it {
            Notice::TaskLeftOut {
                partition, reason, ..
            } => Some((partition.0, reason.to_string())),
            _ => None,
        });
        left_out.collect::<Vec<_>>()
    };
    let describe = |set: &ManagerFixture, started: Started| {
        set.manager
            .describe(started.attempt, &set.cluster, Any, false, vec![])
    };
    for failed in 1..=2 {
        let started = set.offer("exec1", "host1", Any).expect("launched");
        assert!(!describe(&set, started).left_out);
        set.fail(started, failure());
        assert_eq!(left_out(&set).len(), usize::from(failed == 2));
    }
    assert_eq!(left_out(&set), [(0, failure().to_string())]);
    // It still has to run, to make nothing.
    let nothing = set.offer("exec1", "host1", Any).expect("launched");
    assert!(describe(&set, nothing).left_out);
    set.succeed(nothing);
    let other = set.offer("exec1", "host1", Any).expect("launched");
    assert!(!describe(&set, other).left_out);
    set.succeed(other);
    assert_eq!(set.failed_reason(), None);
    assert!(set.manager.is_done());
}

#[test]
fn a_set_whose_task_cannot_even_be_left_out_fails() {
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.max_task_failures = 1)
        .manage(TaskSet {
            skips: true,
            ..task_set(0, 0, 1)
        });
    for fails in [false, true] {
        let started = set.offer("exec1", "host1", Any).expect("launched");
        set.fail(started, failure());
        assert_eq!(set.failed_reason().is_some(), fails);
    }
}

#[test]
fn giving_a_set_up_leaves_its_other_tasks_running() {
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.max_task_failures = 1)
        .manage(task_set(0, 0, 2));
    let tasks = launch_all(&mut set, &[("exec1", "host1"); 2]);
    set.fail(tasks[0], failure());
    assert!(set.manager.is_zombie() && !set.manager.is_done());
    assert_eq!(set.actions.requests, [], "nothing is killed");
    set.succeed(tasks[1]);
    assert!(set.manager.is_done());
    assert_eq!(set.reasons().len(), 2);
}

#[test]
fn a_failed_fetch_makes_the_set_a_zombie_and_its_task_done() {
    let mut set = Surroundings::executors(ONE_EXECUTOR).manage(task_set(0, 0, 3));
    let tasks = launch_all(&mut set, &[("exec1", "host1"); 2]);
    set.fail(tasks[0], fetch_failed("exec9", "host9"));
    assert!(set.manager.is_zombie());
    assert_eq!(set.manager.successful(), 1);
    assert_eq!(set.failed_reason(), None);
    assert_eq!(set.offer("exec1", "host1", Any), None);
    // The others still count when they finish.
    set.succeed(tasks[1]);
    assert_eq!(set.manager.successful(), 2);
    assert!(set.manager.is_done());
}

#[test]
fn a_failed_fetch_excludes_the_host_where_hosts_serve_outputs() {
    let mut fixture = Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig {
            on_fetch_failure: true,
            ..ExclusionConfig::default()
        });
        config.outputs_outlive_executors = true;
    });
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("exec1", "host1", 1)]);
    fixture.status(
        tasks[0].task,
        AttemptStatus::ended(fetch_failed("exec9", "host9")),
    );
    let hosts = fixture.scheduler.snapshot().excluded_hosts;
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].0.as_str(), "host9");
    assert_eq!(
        fixture.requests,
        [BackendRequest::ExcludeHosts(vec!["host9".into()])]
    );
}

#[test]
fn a_failed_fetch_excludes_the_executor_where_executors_serve_outputs() {
    let mut fixture = Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig {
            on_fetch_failure: true,
            ..ExclusionConfig::default()
        });
    });
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("exec1", "host1", 1)]);
    fixture.status(
        tasks[0].task,
        AttemptStatus::ended(fetch_failed("exec1", "host1")),
    );
    let snapshot = fixture.scheduler.snapshot();
    assert_eq!(snapshot.excluded_hosts, []);
    assert_eq!(snapshot.excluded_executors[0].0.as_str(), "exec1");
}
