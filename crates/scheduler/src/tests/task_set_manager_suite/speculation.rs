//! Spark's `TaskSetManagerSuite`: speculation.

use super::*;

/// Launches each task on an executor of its own and finishes all but the last
/// few, each after a second.
fn all_but(set: &mut ManagerFixture, tasks: u32, unfinished: u32) -> Vec<Started> {
    let executors: Vec<(String, String)> = (0..tasks)
        .map(|i| (format!("exec{i}"), format!("host{i}")))
        .collect();
    let places: Vec<(&str, &str)> = executors
        .iter()
        .map(|(executor, host)| (executor.as_str(), host.as_str()))
        .collect();
    let started = launch_all(set, &places);
    set.now += seconds(1);
    for task in &started[..(tasks - unfinished) as usize] {
        set.succeed(*task);
    }
    started
}

#[test]
fn a_slow_attempt_gets_a_copy_and_the_first_to_finish_has_the_other_killed() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.multiplier = 0.0)
        .manage(task_set(0, 0, 4));
    let tasks = all_but(&mut set, 4, 1);
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
    assert!(!set.mark_slow(), "once only");
    assert_eq!(set.offer("exec3", "host3", Any), None, "not where it runs");
    let copy = set.offer("exec1", "host1", Any).expect("a copy");
    assert_eq!(
        (copy.index, copy.speculative, copy.task),
        (3, true, TaskId(4))
    );
    assert_eq!(set.offer("exec2", "host2", Any), None, "one copy only");
    set.succeed(copy);
    assert_eq!(
        set.actions.requests,
        [BackendRequest::KillTask {
            task: tasks[3].task,
            executor: "exec3".into(),
            reason: "another attempt succeeded".into(),
        }]
    );
    assert!(set.manager.is_zombie() && !set.manager.is_done());
    set.fail(
        tasks[3],
        TaskEndReason::Killed {
            reason: "another attempt succeeded".into(),
        },
    );
    assert!(set.manager.is_done());
}

#[test]
fn an_attempt_that_finishes_after_the_copy_counts_as_killed() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.multiplier = 0.0)
        .manage(task_set(0, 0, 4));
    let tasks = all_but(&mut set, 4, 1);
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
    let copy = set.offer("exec1", "host1", Any).expect("a copy");
    set.succeed(copy);
    set.succeed(tasks[3]);
    assert!(matches!(set.reasons()[4], TaskEndReason::Killed { .. }));
    assert!(set.manager.is_done());
}

#[test]
fn the_result_of_an_attempt_that_lost_to_its_copy_is_not_counted() {
    let mut set = Surroundings::default()
        .speculating(|speculation| {
            speculation.multiplier = 0.0;
            speculation.quantile = 0.5;
        })
        .configure(|config| config.max_result_bytes = 40)
        .manage(task_set(0, 0, 4));
    let tasks = all_but(&mut set, 4, 2);
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
    let copy = set.offer("exec1", "host1", Any).expect("a copy");
    assert_eq!(copy.index, 3);
    for attempt in [copy, tasks[3], tasks[2]] {
        set.succeed_with(attempt, 10);
    }
    assert_eq!(set.failed_reason(), None, "four results of 10 bytes each");
    assert!(set.manager.is_done());
}

#[test]
fn the_output_of_the_winner_is_made_again_and_not_that_of_the_killed_copy() {
    let mut set = Surroundings::executors(&[("exec1", "host1"), ("exec3", "host3")])
        .speculating(|speculation| speculation.multiplier = 0.0)
        .manage(shuffle_map(task_set(0, 0, 5)));
    // Task 4 never starts, so that the set lives on.
    for host in ["0", "1", "2", "3"] {
        set.add_executor(&format!("exec{host}"), &format!("host{host}"));
    }
    let tasks = launch_all(
        &mut set,
        &[
            ("exec0", "host0"),
            ("exec1", "host1"),
            ("exec2", "host2"),
            ("exec3", "host3"),
        ],
    );
    set.now += seconds(1);
    for task in &tasks[..3] {
        set.succeed(*task);
    }
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
    let fifth = set
        .offer("exec0", "host0", Any)
        .expect("a regular task first");
    assert!(!fifth.speculative);
    let copy = set.offer("exec0", "host0", Any).expect("a copy");
    set.succeed(copy);
    set.lose_executor("exec3", &process_lost(false));
    let resubmitted = |set: &ManagerFixture| {
        set.reasons()
            .iter()
            .filter(|reason| matches!(reason, TaskEndReason::Resubmitted))
            .count()
    };
    assert_eq!(resubmitted(&set), 0);
    assert_eq!(set.manager.successful(), 4);
    set.lose_executor("exec0", &process_lost(false));
    assert_eq!(resubmitted(&set), 2, "its own task and the copied one");
}

#[test]
fn copies_prefer_the_places_of_their_task() {
    let mut set =
        Surroundings::executors(&[("execA", "host1"), ("execB", "host2"), ("execC", "host3")])
            .speculating(|speculation| {
                speculation.multiplier = 0.0;
                speculation.quantile = 0.25;
            })
            .manage(preferring(&[
                &["executor_host1_execA"],
                &["host2", "host1"],
                &[],
                &["executor_host3_execC"],
            ]));
    let first = set.offer("execA", "host1", ProcessLocal).expect("launched");
    assert_eq!(first.index, 0);
    assert_eq!(set.index("execA", "host1", NodeLocal), None);
    assert_eq!(set.index("execA", "host1", NoPref), Some(1));
    set.now += seconds(1);
    set.succeed(first);
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow(), "task 1 is slow");
    set.now += WAIT;
    assert_eq!(set.index("execA", "host1", NoPref), Some(2));
    let copy = set.offer("execB", "host2", NoPref).expect("a copy");
    assert_eq!(
        (copy.index, copy.speculative, copy.level),
        (1, true, NodeLocal)
    );
    set.now += WAIT * 3;
    assert_eq!(set.index("execB", "host2", Any), Some(3));
}

#[test]
fn nothing_is_slow_until_enough_tasks_succeeded() {
    let mut set = Surroundings::default()
        .speculating(|_| {})
        .manage(task_set(0, 0, 4));
    let tasks = all_but(&mut set, 4, 2);
    set.now += seconds(100);
    assert!(!set.mark_slow(), "2 of 4 are less than three quarters");
    set.succeed(tasks[2]);
    assert!(set.mark_slow());
}

#[test]
fn an_attempt_is_slow_past_the_multiple_of_the_median_and_not_at_it() {
    let mut set = Surroundings::default()
        .speculating(|_| {})
        .manage(task_set(0, 0, 4));
    all_but(&mut set, 4, 1);
    set.now += Duration::from_millis(500);
    assert!(!set.mark_slow(), "1.5 times the median exactly");
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
}

#[test]
fn no_attempt_is_slow_before_the_minimum_runtime() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.min_task_runtime = seconds(20))
        .manage(task_set(0, 0, 4));
    all_but(&mut set, 4, 1);
    set.now += seconds(19);
    assert!(!set.mark_slow());
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
}

#[test]
fn partitions_completed_elsewhere_do_not_count_for_speculation() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.multiplier = 0.0)
        .manage(task_set(0, 0, 4));
    let tasks = all_but(&mut set, 4, 3);
    set.manager.partition_completed(Partition(1));
    set.manager.partition_completed(Partition(2));
    set.now += seconds(100);
    assert!(!set.mark_slow(), "one measured of three needed");
    set.succeed(tasks[1]);
    set.succeed(tasks[2]);
    assert!(set.mark_slow());
}

#[test]
fn a_zombie_a_barrier_set_and_a_lone_task_get_no_copies() {
    let quick = || {
        Surroundings::default().speculating(|speculation| {
            speculation.multiplier = 0.0;
            speculation.quantile = 0.0;
        })
    };
    let mut zombie = quick().manage(task_set(0, 0, 2));
    all_but(&mut zombie, 2, 1);
    zombie.now += seconds(9);
    zombie.manager.make_zombie();
    assert!(!zombie.mark_slow());

    let mut barrier = quick().manage(TaskSet {
        barrier: true,
        ..task_set(0, 0, 2)
    });
    all_but(&mut barrier, 2, 1);
    barrier.now += seconds(9);
    assert!(!barrier.mark_slow());

    let mut alone = quick().manage(task_set(0, 0, 1));
    all_but(&mut alone, 1, 1);
    alone.now += seconds(9);
    assert!(!alone.mark_slow());
}

#[test]
fn a_failed_copy_may_be_followed_by_another() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.multiplier = 0.0)
        .manage(task_set(0, 0, 4));
    all_but(&mut set, 4, 1);
    set.now += Duration::from_millis(1);
    assert!(set.mark_slow());
    let copy = set.offer("exec1", "host1", Any).expect("a copy");
    set.fail(copy, failure());
    assert_eq!(set.offer("exec1", "host1", Any), None, "the original runs");
    assert!(set.mark_slow());
    assert_eq!(set.offer("exec1", "host1", Any), None, "tried there before");
    assert!(set.offer("exec2", "host2", Any).is_some());
}

#[test]
fn a_fixed_threshold_holds_for_sets_that_fit_into_one_executor() {
    let hour = seconds(3600);
    for (threshold, tasks, slots, expected) in [
        (Some(hour), 1, 1, true),
        (Some(hour), 2, 2, true),
        (Some(hour), 2, 1, false),
        (None, 1, 1, false),
        (None, 2, 2, false),
    ] {
        let mut set = Surroundings::default()
            .configure(|config| config.executor_cores = Some(slots))
            .speculating(|speculation| {
                speculation.quantile = 1.0;
                speculation.task_duration_threshold = threshold;
            })
            .manage(task_set(0, 0, tasks));
        launch_all(&mut set, &vec![("exec1", "host1"); tasks as usize]);
        set.now += hour;
        assert!(!set.mark_slow(), "at the threshold");
        set.now += seconds(1);
        assert_eq!(set.mark_slow(), expected, "{threshold:?} {tasks} {slots}");
        assert_eq!(
            set.manager.waiting_copies(),
            if expected { tasks } else { 0 }
        );
        assert!(!set.mark_slow(), "once only");
    }
}

#[test]
fn with_enough_successes_the_median_is_used_and_not_the_fixed_threshold() {
    let mut set = Surroundings::default()
        .configure(|config| config.executor_cores = Some(2))
        .speculating(|speculation| {
            speculation.quantile = 0.5;
            speculation.task_duration_threshold = Some(seconds(3600));
        })
        .manage(task_set(0, 0, 2));
    all_but(&mut set, 2, 1);
    set.now += seconds(1);
    assert!(set.mark_slow());
}

#[test]
fn an_executor_of_unknown_size_counts_as_one_slot() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.task_duration_threshold = Some(seconds(3600)))
        .manage(TaskSet {
            needs: needs(2),
            ..task_set(0, 0, 1)
        });
    launch_all(&mut set, &[("exec1", "host1")]);
    set.now += seconds(3601);
    assert!(set.mark_slow());
}

#[test]
fn what_would_outlive_its_decommissioned_executor_gets_a_copy() {
    // Spark's "SPARK-21040": the median is 10 s, executors are killed 5 s after
    // their decommissioning.
    let mut set =
        Surroundings::executors(&[("exec1", "host1"), ("exec2", "host2"), ("exec3", "host3")])
            .speculating(|speculation| {
                speculation.quantile = 0.5;
                speculation.decommission_kill_interval = Some(seconds(5));
            })
            .manage(task_set(0, 0, 4));
    let tasks = launch_all(
        &mut set,
        &[
            ("exec1", "host1"),
            ("exec1", "host1"),
            ("exec2", "host2"),
            ("exec3", "host3"),
        ],
    );
    set.now += seconds(10);
    set.succeed(tasks[0]);
    set.succeed(tasks[1]);
    assert!(!set.mark_slow(), "nothing is 15 s old");
    set.decommission("exec2", false);
    assert!(!set.mark_slow(), "it ends now, before the kill");
    let mut late = Surroundings::executors(&[("exec1", "host1"), ("exec2", "host2")])
        .speculating(|speculation| {
            speculation.quantile = 0.5;
            speculation.decommission_kill_interval = Some(seconds(5));
        })
        .manage(task_set(0, 0, 2));
    let first = launch_all(&mut late, &[("exec1", "host1")]);
    late.now += seconds(10);
    late.succeed(first[0]);
    launch_all(&mut late, &[("exec2", "host2")]);
    late.decommission("exec2", false);
    assert!(late.mark_slow(), "killed after 5 s, done after 10");
}

#[test]
fn the_scheduler_looks_for_slow_attempts_in_intervals() {
    let mut fixture = Fixture::with(|config| {
        config.speculation = Some(SpeculationConfig {
            multiplier: 0.0,
            min_task_runtime: Duration::ZERO,
            quantile: 0.5,
            ..SpeculationConfig::default()
        });
    });
    fixture.submit(task_set(0, 0, 2));
    assert_eq!(
        fixture.scheduler.next_deadline(),
        Some(Timestamp::ZERO + fixture.scheduler.config.starvation_timeout),
        "nothing runs yet"
    );
    let tasks = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]);
    assert_eq!(
        fixture.scheduler.next_deadline(),
        Some(fixture.now + Duration::from_millis(100))
    );
    fixture.advance(Duration::from_millis(50));
    fixture.finish(&tasks[0]);
    fixture.time_passed(Duration::from_millis(50));
    assert!(fixture.revived);
    assert_eq!(fixture.scheduler.waiting(), 1);
    let copies = fixture.offer(&[("e2", "h2", 1)]);
    assert!(copies[0].speculative);
    assert_eq!(copies[0].attempt, 1);
}
