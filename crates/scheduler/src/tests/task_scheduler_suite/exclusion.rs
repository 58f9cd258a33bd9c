//! Spark's `TaskSchedulerImplSuite`: exclusion while offering.

use super::*;

/// Fails `index` of the stage on an executor until it is excluded as wanted.
fn fail_on(fixture: &mut Fixture, executor: &str, host: &str, times: usize) {
    for _ in 0..times {
        let tasks = fixture.offer(&[(executor, host, 1)]);
        assert_eq!(tasks.len(), 1, "{executor} takes a task");
        fixture.fail(&tasks[0]);
    }
}

#[test]
fn a_set_excluded_on_an_executor_uses_the_others() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 4));
    // Two distinct tasks fail on e0: it is excluded for the set.
    fail_on(&mut fixture, "e0", "h0", 2);
    assert!(fixture.notices.contains(&Notice::ExecutorExcludedForStage {
        executor: "e0".into(),
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        failures: 2,
    }));
    let tasks = fixture.offer(&[("e0", "h0", 9), ("e1", "h0", 2), ("e2", "h1", 2)]);
    assert_eq!(executors_of(&tasks), ["e1", "e1", "e2", "e2"]);
}

#[test]
fn a_set_excluded_on_a_host_uses_none_of_its_executors() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 9));
    fail_on(&mut fixture, "e1", "h1", 2);
    fail_on(&mut fixture, "e2", "h1", 2);
    let tasks = fixture.offer(&[
        ("e1", "h1", 1),
        ("e2", "h1", 1),
        ("e4", "h1", 1),
        ("e3", "h2", 1),
    ]);
    assert_eq!(executors_of(&tasks), ["e3"]);
}

#[test]
fn exclusion_for_one_stage_does_not_concern_another() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 2));
    fail_on(&mut fixture, "e0", "h0", 2);
    fixture.submit(task_set(1, 0, 2));
    let tasks = fixture.offer(&[("e0", "h0", 9)]);
    assert!(tasks.iter().all(|task| task.stage == StageId(1)));
    assert_eq!(tasks.len(), 2);
}

#[test]
fn a_task_excluded_on_an_executor_runs_elsewhere_and_others_run_there() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 2));
    fail_on(&mut fixture, "e0", "h0", 1);
    let tasks = fixture.offer(&[("e0", "h0", 2)]);
    assert_eq!(
        tasks.iter().map(|task| task.index.0).collect::<Vec<_>>(),
        [1]
    );
    let tasks = fixture.offer(&[("e0", "h0", 2), ("e1", "h1", 1)]);
    assert_eq!(
        tasks.iter().map(|task| task.index.0).collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(executors_of(&tasks), ["e1"]);
}

/// A fixture whose application excludes executors after one failed task.
fn excluding_after_one() -> Fixture {
    Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig {
            application_failed_tasks_per_executor: 1,
            application_failed_executors_per_node: 9,
            ..ExclusionConfig::default()
        });
    })
}

/// Has executors fail once each in a set that then succeeds on `good`.
fn exclude_for_application(fixture: &mut Fixture, stage: u32, bad: &[(&str, &str)]) {
    fixture.submit(task_set(stage, 0, bad.len() as u32));
    let offers: Vec<_> = bad.iter().map(|(e, h)| (*e, *h, 1)).collect();
    let tasks = fixture.offer(&offers);
    for task in &tasks {
        fixture.fail(task);
    }
    let tasks = fixture.offer(&[("good", "good", 99)]);
    assert_eq!(tasks.len(), bad.len());
    for task in &tasks {
        fixture.finish(task);
    }
}

#[test]
fn what_is_excluded_for_the_application_is_not_used_by_any_set() {
    let mut fixture = excluding_after_one();
    exclude_for_application(&mut fixture, 0, &[("e0", "h0"), ("e3", "h2")]);
    let excluded: Vec<_> = fixture
        .scheduler
        .snapshot()
        .excluded_executors
        .into_iter()
        .map(|(executor, _)| executor.to_string())
        .collect();
    assert_eq!(excluded, ["e0", "e3"]);
    for stage in 1..4 {
        fixture.submit(task_set(stage, 0, 2));
    }
    let tasks = fixture.offer(&[("e0", "h0", 1), ("e3", "h2", 10), ("e4", "h3", 1)]);
    assert_eq!(executors_of(&tasks), ["e4"]);
}

#[test]
fn a_set_that_can_run_nowhere_is_given_up_when_nobody_is_idle() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 3));
    // e0 is excluded for the set after two failed tasks, and busy with a task
    // of another one.
    fail_on(&mut fixture, "e0", "h0", 2);
    assert!(fixture.failed(0).is_none());
    fixture.submit(task_set(1, 0, 1));
    let other = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(other[0].stage, StageId(1));
    assert_eq!(fixture.offer(&[("e0", "h0", 0)]).len(), 0);
    let reason = fixture.failed(0).expect("given up");
    assert!(reason.contains("can run nowhere"), "{reason}");
    assert!(reason.contains("some failure"), "{reason}");
    assert_eq!(fixture.set(0, 0), None);
}

#[test]
fn an_idle_excluded_executor_is_ended_to_make_room_for_another() {
    let mut fixture = Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig::default());
        config.unschedulable_timeout = Duration::from_secs(10);
    });
    fixture.submit(task_set(0, 0, 1));
    fail_on(&mut fixture, "e0", "h0", 1);
    fixture.offer(&[]);
    let set = fixture.set(0, 0).expect("alive");
    assert!(!set.zombie);
    assert_eq!(
        set.unschedulable_until,
        Some(fixture.now + Duration::from_secs(10))
    );
    assert!(matches!(
        &fixture.requests[..],
        [BackendRequest::EndExecutor { executor, end: ExecutorEnd::Kill, .. }]
            if executor.as_str() == "e0"
    ));
    // Asked for once only.
    fixture.offer(&[]);
    assert_eq!(fixture.requests.len(), 1);

    let tasks = fixture.offer(&[("e1", "h1", 1)]);
    assert_eq!(tasks.len(), 1);
    let set = fixture.set(0, 0).expect("alive");
    assert_eq!(set.unschedulable_until, None);
    assert!(!set.zombie);
}

#[test]
fn a_set_that_can_run_nowhere_for_too_long_is_given_up() {
    let mut fixture = Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig::default());
        config.unschedulable_timeout = Duration::ZERO;
    });
    fixture.submit(task_set(0, 0, 1));
    fail_on(&mut fixture, "e0", "h0", 1);
    fixture.offer(&[]);
    assert_eq!(fixture.scheduler.next_deadline(), Some(fixture.now));
    fixture.time_passed(Duration::ZERO);
    assert!(
        fixture
            .failed(0)
            .expect("given up")
            .contains("can run nowhere")
    );
}

#[test]
fn with_dynamic_allocation_a_stuck_set_waits_for_more_executors() {
    let mut fixture = Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig::default());
        config.dynamic_allocation = true;
    });
    fixture.submit(task_set(0, 0, 2));
    // Both tasks run on e0; one fails and e0 stays busy with the other.
    let tasks = fixture.offer(&[("e0", "h0", 2)]);
    fixture.fail(&tasks[0]);
    fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(fixture.requests, [BackendRequest::UnschedulableTaskSets(1)]);
    assert!(fixture.failed(0).is_none());
    assert_eq!(fixture.offer(&[("e1", "h1", 1)]).len(), 1);
    assert_eq!(
        fixture.requests.last(),
        Some(&BackendRequest::UnschedulableTaskSets(0))
    );
}

#[test]
fn a_stuck_set_that_became_a_zombie_is_not_given_up() {
    let mut fixture = Fixture::with(|config| {
        config.exclusion = Some(ExclusionConfig::default());
        config.dynamic_allocation = true;
    });
    fixture.submit(task_set(0, 0, 3));
    let tasks = fixture.offer(&[("e0", "h0", 3)]);
    fixture.fail(&tasks[0]);
    fixture.offer(&[("e0", "h0", 1)]);
    let set = fixture.set(0, 0).expect("alive");
    let until = set.unschedulable_until.expect("it is stuck");
    // The stage is tried again; of this attempt one task still runs.
    fixture.status(
        tasks[1].task,
        AttemptStatus::ended(TaskEndReason::FetchFailed {
            source: None,
            shuffle: ShuffleId(0),
            map: None,
            reduce: tasks[1].partition,
            message: "gone".into(),
        }),
    );
    let set = fixture.set(0, 0).expect("one runs");
    assert!(set.zombie);
    assert_eq!(set.unschedulable_until, None);
    assert_eq!(
        fixture.requests.last(),
        Some(&BackendRequest::UnschedulableTaskSets(0))
    );
    fixture.time_passed(until - fixture.now);
    assert_eq!(fixture.failed(0), None);
}

#[test]
fn two_stuck_sets_get_more_time_once_either_starts_a_task() {
    let mut fixture = Fixture::excluding();
    for stage in 0..2 {
        fixture.submit(task_set(stage, 0, 1));
    }
    let tasks = fixture.offer(&[("e0", "h0", 2)]);
    for task in &tasks {
        fixture.fail(task);
    }
    fixture.offer(&[]);
    for stage in 0..2 {
        let set = fixture.set(stage, 0).expect("alive");
        assert!(set.unschedulable_until.is_some());
    }
    let tasks = fixture.offer(&[("e1", "h1", 1)]);
    assert_eq!(tasks.len(), 1);
    for stage in 0..2 {
        let set = fixture.set(stage, 0).expect("alive");
        assert_eq!(set.unschedulable_until, None);
    }
}

#[test]
fn nobody_is_stuck_before_an_executor_was_seen() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 1));
    fixture.offer(&[]);
    assert!(fixture.failed(0).is_none());
    assert_eq!(fixture.set(0, 0).expect("alive").unschedulable_until, None);
}

#[test]
fn a_task_that_only_waits_for_locality_is_not_stuck() {
    let mut fixture = Fixture::excluding();
    fixture.submit(preferring(&[&["host0"], &["host0"]]));
    let both = [("e0", "host0", 4), ("e1", "host1", 4)];
    let tasks = fixture.offer(&both);
    assert_eq!(executors_of(&tasks), ["e0", "e0"]);
    for task in &tasks {
        fixture.fail(task);
    }
    assert_eq!(fixture.offer(&both).len(), 0);
    assert!(fixture.failed(0).is_none());
}

#[test]
fn exclusions_end_within_an_offer_round() {
    let mut fixture = excluding_after_one();
    exclude_for_application(&mut fixture, 0, &[("e0", "h0")]);
    fixture.submit(task_set(1, 0, 1));
    assert_eq!(fixture.offer(&[("e0", "h0", 1)]).len(), 0);
    let hour = Duration::from_secs(3600);
    assert_eq!(
        fixture.scheduler.next_deadline(),
        Some(Timestamp::ZERO + TaskSchedulerConfig::default().starvation_timeout),
        "the starvation warning comes before the end of the exclusion"
    );
    fixture.advance(hour);
    assert_eq!(fixture.offer(&[("e0", "h0", 1)]).len(), 0, "still excluded");
    fixture.advance(Duration::from_millis(1));
    assert_eq!(fixture.offer(&[("e0", "h0", 1)]).len(), 1);
    assert!(fixture.notices.contains(&Notice::ExecutorIncluded {
        executor: "e0".into()
    }));
}

#[test]
fn the_end_of_an_exclusion_asks_for_offers() {
    let mut fixture = excluding_after_one();
    exclude_for_application(&mut fixture, 0, &[("e0", "h0")]);
    fixture.submit(task_set(1, 0, 1));
    fixture.time_passed(Duration::from_secs(3600) + Duration::from_millis(1));
    assert!(fixture.revived);
}

/// Runs a set whose task ends its executor whenever it runs, and an innocent one of so
/// many tasks, on executors of so many cores on one host, until both are over. Says
/// how often the executor was lost.
fn poisoned(fixture: &mut Fixture, innocents: u32, cores: u32) -> u32 {
    fixture.submit(task_set(0, 0, 1));
    fixture.submit(task_set(1, 0, innocents));
    let mut losses = 0;
    let mut rounds = 0;
    while fixture.set(0, 0).is_some() || fixture.set(1, 0).is_some() {
        rounds += 1;
        assert!(rounds < 100, "it ends");
        let executor = format!("e{losses}");
        let tasks = fixture.offer(&[(&executor, "h", cores)]);
        if tasks.iter().any(|task| task.stage.0 == 0) {
            losses += 1;
            lose_with(fixture, &executor, &tasks);
        } else {
            for task in &tasks {
                fixture.finish(task);
            }
        }
    }
    losses
}

#[test]
fn exclusion_gives_no_set_up_for_executors_that_others_have_ended() {
    for cores in 2..=8 {
        let mut fixture = Fixture::excluding();
        assert_eq!(poisoned(&mut fixture, 12, cores), 4);
        let reason = fixture.failed(0).expect("given up");
        assert!(reason.contains("failed 4 times"), "{reason}");
        assert_eq!(fixture.failed(1), None, "{cores} cores");
    }
}

#[test]
fn a_task_that_is_surely_to_blame_is_excluded_and_told_with_its_attempts() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 1));
    for loss in 0..2 {
        let executor = format!("e{loss}");
        let tasks = fixture.offer(&[(&executor, "h", 1)]);
        lose_with(&mut fixture, &executor, &tasks);
    }
    // It ran alone, so that nobody else may have done it.
    assert_eq!(fixture.offer(&[("e2", "h", 1)]), []);
    fixture.time_passed(Duration::from_secs(120));
    let reason = fixture.failed(0).expect("given up");
    assert!(
        reason.contains("its attempts ran on h (executor e0), h (executor e1)"),
        "{reason}"
    );
}

#[test]
fn no_executor_is_ended_as_idle_that_was_given_something_in_the_same_round() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 1));
    for loss in 0..2 {
        let executor = format!("e{loss}");
        let tasks = fixture.offer(&[(&executor, "h", 1)]);
        lose_with(&mut fixture, &executor, &tasks);
    }
    fixture.submit(task_set(1, 0, 1));
    let tasks = fixture.offer(&[("e2", "h", 1)]);
    assert_eq!(tasks.len(), 1);
    assert_eq!(fixture.requests, []);
}
