//! Spark's `TaskSchedulerImplSuite`.

use super::*;
use crate::scheduler::action::ExecutorEnd;
use crate::scheduler::config::LocalityWait;
use crate::scheduler::starvation::DeclineReason;

fn barrier(stage: u32, tasks: u32, needs: TaskNeeds) -> TaskSet {
    TaskSet {
        barrier: true,
        needs,
        ..task_set(stage, 0, tasks)
    }
}

/// A task set whose tasks all prefer one executor.
fn all_preferring(tasks: usize, location: &'static str) -> TaskSet {
    preferring(&vec![&[location] as &[&str]; tasks])
}

const EXEC1: &str = "executor_host1_exec1";

fn finish_running(fixture: &mut Fixture, task: &TaskDescription) {
    fixture.status(task.task, TaskStatus::Running);
    fixture.finish(task);
}

// --- choosing among offers

#[test]
fn offers_are_shuffled_so_that_no_executor_is_always_first() {
    let mut fixture = Fixture::new();
    let mut on_first = 0;
    for stage in 0..1000 {
        fixture.submit(task_set(stage, 0, 1));
        let tasks = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]);
        assert_eq!(tasks.len(), 1);
        on_first += usize::from(tasks[0].executor.as_str() == "e0");
        fixture.finish(&tasks[0]);
    }
    assert!((1..1000).contains(&on_first), "{on_first}");
}

#[test]
fn a_task_needs_all_its_cores_on_one_executor() {
    let mut fixture = Fixture::new();
    fixture.submit(TaskSet {
        needs: needs(2),
        ..task_set(0, 0, 1)
    });
    assert_eq!(fixture.offer(&[("e0", "h0", 0), ("e1", "h1", 0)]).len(), 0);
    assert_eq!(fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]).len(), 0);
    let tasks = fixture.offer(&[("e0", "h0", 2), ("e1", "h1", 1)]);
    assert_eq!(executors_of(&tasks), ["e0"]);
    assert_eq!(tasks[0].cpus, 2);
}

#[test]
fn tasks_are_spread_over_the_offers_one_each_a_round() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 4));
    let tasks = fixture.offer(&[("e0", "h0", 4), ("e1", "h1", 4), ("e2", "h2", 1)]);
    let executors = executors_of(&tasks);
    assert_eq!(executors.len(), 4);
    for executor in ["e0", "e1", "e2"] {
        assert!(executors.contains(&executor));
    }
}

#[test]
fn launches_stand_with_the_offer_they_use() {
    let mut fixture = Fixture::new();
    fixture.submit(preferring(&[&["h0"], &["h1"], &["h1"]]));
    let launches = fixture.handle(TaskSchedulerEvent::Offers {
        offers: vec![
            offer("e0", "h0", 1),
            offer("none", "h9", 0),
            offer("e1", "h1", 2),
        ],
        all_free: true,
    });
    assert_eq!(
        launches
            .iter()
            .map(|tasks| executors_of(tasks))
            .collect::<Vec<_>>(),
        [vec!["e0"], vec![], vec!["e1", "e1"]]
    );
}

#[test]
fn each_task_is_launched_once() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 2));
    assert_eq!(fixture.offer(&[("e0", "h0", 9)]).len(), 2);
    assert_eq!(fixture.offer(&[("e0", "h0", 9)]).len(), 0);
}

// --- several attempts of a stage

#[test]
fn only_the_newest_attempt_of_a_stage_is_active() {
    let mut fixture = Fixture::new();
    for attempt in 0..3 {
        fixture.submit(task_set(0, attempt, 1));
        for older in 0..attempt {
            assert!(fixture.set(0, older).is_none_or(|set| set.zombie));
        }
        assert!(!fixture.set(0, attempt).expect("submitted").zombie);
    }
}

#[test]
fn an_older_attempt_with_running_tasks_stays_as_a_zombie_until_they_end() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 2));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.submit(task_set(0, 1, 2));
    assert!(fixture.set(0, 0).expect("its task runs").zombie);
    fixture.finish(&tasks[0]);
    assert_eq!(fixture.set(0, 0), None);
    assert_eq!(fixture.ends().len(), 1, "its success is told all the same");
}

#[test]
fn a_zombie_starts_no_tasks_and_a_new_attempt_does() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 10));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(tasks.len(), 1);
    fixture.status(tasks[0].task, TaskStatus::Failed(fetch_failed("e9", "h9")));
    assert_eq!(fixture.offer(&[("e0", "h0", 1)]).len(), 0);
    fixture.submit(task_set(0, 1, 10));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].stage_attempt, StageAttempt(1));
}

#[test]
fn a_zombie_with_room_offered_leaves_it_to_the_newer_attempt() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 10));
    let first = fixture.offer(&[("e0", "h0", 1)]);
    fixture.status(first[0].task, TaskStatus::Failed(fetch_failed("e9", "h9")));
    fixture.submit(task_set(0, 1, 10));
    let tasks = fixture.offer(&[("e0", "h0", 10)]);
    assert_eq!(tasks.len(), 10);
    assert!(
        tasks
            .iter()
            .all(|task| task.stage_attempt == StageAttempt(1))
    );
}

#[test]
fn a_partition_completed_by_an_older_attempt_is_not_run_again() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 1, 2));
    fixture.command(TaskCommand::PartitionCompleted {
        stage: StageId(0),
        partition: Partition(0),
    });
    let tasks = fixture.offer(&[("e0", "h0", 9)]);
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].partition, Partition(1));
    fixture.command(TaskCommand::PartitionCompleted {
        stage: StageId(0),
        partition: Partition(1),
    });
    let set = fixture.set(0, 1).expect("its task still runs");
    assert!(set.zombie);
    assert_eq!(set.successful, 2);
    assert_eq!(fixture.killed(), [], "running attempts are not killed");
    fixture.fail(&tasks[0]);
    assert_eq!(fixture.set(0, 1), None);
}

// --- exclusion while offering

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
        Some(Timestamp::ZERO + Duration::from_secs(15)),
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

// --- executors

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

// --- locality across offers

#[test]
fn a_level_is_tried_on_all_offers_before_a_farther_one() {
    for reversed in [false, true] {
        let mut fixture = Fixture::with(|config| {
            config.locality_wait = LocalityWait::all(Duration::ZERO);
        });
        fixture.offer(&[("exec1", "host1", 0)]);
        fixture.submit(all_preferring(1, EXEC1));
        let mut offers = vec![("exec1", "host1", 1), ("exec2", "host2", 1)];
        if reversed {
            offers.reverse();
        }
        let tasks = fixture.offer(&offers);
        assert_eq!(executors_of(&tasks), ["exec1"]);
        assert_eq!(tasks[0].locality, LocalityLevel::ProcessLocal);
    }
}

#[test]
fn with_no_wait_a_task_goes_anywhere_at_once() {
    let mut fixture = Fixture::with(|config| {
        config.locality_wait = LocalityWait::all(Duration::ZERO);
    });
    fixture.offer(&[("exec1", "host1", 0)]);
    fixture.submit(all_preferring(1, EXEC1));
    let set = fixture.set(0, 0).expect("submitted");
    assert!(set.levels.contains(&LocalityLevel::NodeLocal));
    let tasks = fixture.offer(&[("exec2", "host2", 1)]);
    assert_eq!(executors_of(&tasks), ["exec2"]);
    assert_eq!(tasks[0].locality, LocalityLevel::Any);
}

// --- the timer of delay scheduling

/// Ten tasks preferring exec1 on host1, after a first full offer that makes
/// exec1 known and launches one there.
fn delayed() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.offer(&[("exec1", "host1", 0)]);
    fixture.submit(all_preferring(10, EXEC1));
    fixture
}

#[test]
fn a_full_offer_without_rejects_resets_the_timer() {
    let mut fixture = delayed();
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 0);
}

#[test]
fn partial_offers_without_rejects_reset_the_timer() {
    let mut fixture = delayed();
    // Nothing is free: neither launches nor rejects.
    assert_eq!(fixture.offer(&[("exec1", "host1", 0)]).len(), 0);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 0);
}

#[test]
fn a_partial_offer_after_a_reject_does_not_reset_the_timer() {
    let mut fixture = delayed();
    assert_eq!(
        fixture
            .offer(&[("exec1", "host1", 1), ("exec2", "host1", 1)])
            .len(),
        1
    );
    fixture.advance(WAIT);
    // exec2 was rejected before: this launch does not reset the timer.
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 1);
}

#[test]
fn a_full_offer_with_a_reject_does_not_reset_the_timer() {
    let mut fixture = delayed();
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    fixture.advance(WAIT / 2);
    fixture.offer(&[("exec1", "host1", 1), ("exec2", "host1", 1)]);
    fixture.advance(WAIT / 2);
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 1);
}

#[test]
fn rejects_are_forgotten_after_a_full_offer_that_resets_the_timer() {
    let mut fixture = delayed();
    assert_eq!(
        fixture
            .offer(&[("exec1", "host1", 1), ("exec2", "host1", 1)])
            .len(),
        1
    );
    assert_eq!(fixture.offer(&[("exec1", "host1", 1)]).len(), 1);
    fixture.advance(WAIT);
    assert_eq!(fixture.offer_part("exec1", "host1", 1).len(), 1, "resets");
    assert_eq!(fixture.offer_part("exec2", "host1", 1).len(), 0);
}

#[test]
fn when_the_wait_is_over_farther_places_are_used() {
    let mut fixture = delayed();
    assert_eq!(fixture.offer(&[("exec2", "host2", 1)]).len(), 0);
    fixture.advance(WAIT);
    assert_eq!(
        fixture.offer(&[("exec2", "host2", 1)]).len(),
        0,
        "NODE_LOCAL by now"
    );
    fixture.advance(WAIT);
    let tasks = fixture.offer(&[("exec2", "host2", 1)]);
    assert_eq!(tasks[0].locality, LocalityLevel::Any);
}

#[test]
fn the_legacy_rule_resets_the_timer_at_every_launch() {
    let mut fixture = Fixture::with(|config| config.legacy_locality_reset = true);
    fixture.offer(&[("exec1", "host1", 0)]);
    fixture.submit(all_preferring(10, EXEC1));
    let both = [("exec1", "host1", 1), ("exec2", "host2", 1)];
    for _ in 0..5 {
        assert_eq!(executors_of(&fixture.offer(&both)), ["exec1"]);
        fixture.advance(WAIT);
    }
}

#[test]
fn when_a_locality_wait_ends_offers_are_asked_for() {
    let mut fixture = delayed();
    fixture.offer(&[("exec2", "host2", 1)]);
    assert_eq!(fixture.scheduler.next_deadline(), Some(fixture.now + WAIT));
    fixture.time_passed(WAIT);
    assert!(fixture.revived);
}

// --- barrier sets

#[test]
fn a_barrier_set_waits_until_all_its_tasks_have_a_slot() {
    let mut fixture = Fixture::new();
    fixture.submit(barrier(0, 3, needs(2)));
    assert_eq!(fixture.offer(&[("e0", "h0", 3), ("e1", "h1", 3)]).len(), 0);
    let tasks = fixture.offer(&[("e0", "h0", 3), ("e1", "h1", 3), ("e2", "h2", 3)]);
    assert_eq!(tasks.len(), 3);
}

#[test]
fn slots_of_a_barrier_set_are_limited_by_gpus_too() {
    let mut fixture = Fixture::new();
    fixture.submit(barrier(0, 3, gpus(1, 1)));
    let offers = |count: u32| {
        (0..count)
            .map(|i| offer_with_gpus(&format!("e{i}"), &format!("h{i}"), 3, 0..1))
            .collect()
    };
    assert_eq!(fixture.place(offers(2), true).len(), 0);
    assert_eq!(fixture.place(offers(3), true).len(), 3);
}

#[test]
fn a_barrier_set_of_another_profile_uses_its_executors_only() {
    let of_profile = |executor: &str, gpus: u32| WorkerOffer {
        profile: ResourceProfileId(1),
        ..offer_with_gpus(executor, executor, 2, 0..gpus)
    };
    let set = || TaskSet {
        needs: TaskNeeds {
            profile: ResourceProfileId(1),
            ..gpus(1, 1)
        },
        ..barrier(0, 3, needs(1))
    };
    let mut fixture = Fixture::new();
    fixture.submit(set());
    assert_eq!(
        fixture
            .place(vec![of_profile("e0", 2), of_profile("e1", 2)], true)
            .len(),
        3
    );
    let mut fixture = Fixture::new();
    fixture.submit(set());
    assert_eq!(
        fixture
            .place(vec![of_profile("e0", 1), of_profile("e1", 1)], true)
            .len(),
        0
    );
    assert_eq!(fixture.offer(&[("plain", "h", 9)]).len(), 0);
}

#[test]
fn barrier_tasks_know_each_others_addresses_by_partition() {
    let mut fixture = Fixture::new();
    fixture.submit(barrier(0, 2, needs(1)));
    let at = |executor: &str, address: &str| WorkerOffer {
        address: Some(address.into()),
        ..offer(executor, "h", 1)
    };
    let mut tasks = fixture.place(vec![at("e0", "h:1000"), at("e1", "h:1001")], true);
    tasks.sort_by_key(|task| task.partition);
    let expected: Vec<&str> = tasks
        .iter()
        .map(|task| match task.executor.as_str() {
            "e0" => "h:1000",
            _ => "h:1001",
        })
        .collect();
    for task in &tasks {
        let addresses = task.addresses.as_ref().expect("a barrier task");
        assert_eq!(
            addresses.iter().map(|it| &**it).collect::<Vec<_>>(),
            expected
        );
    }
}

#[test]
fn a_barrier_set_that_waits_for_locality_puts_everything_back() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("exec0", "host0", 0), ("exec1", "host1", 0)]);
    fixture.submit(TaskSet {
        barrier: true,
        ..preferring(&[&["executor_host0_exec0"], &["executor_host0_exec0"]])
    });
    fixture.submit(task_set(1, 0, 3));
    // One task finds its place, the other would have to wait: neither starts,
    // and the next set gets all of the room.
    let tasks = fixture.offer(&[("exec0", "host0", 1), ("exec1", "host1", 1)]);
    assert_eq!(tasks.len(), 2);
    assert!(tasks.iter().all(|task| task.stage == StageId(1)));
    assert_eq!(
        fixture.notices,
        [Notice::BarrierPostponed {
            stage: StageId(0),
            stage_attempt: StageAttempt(0),
            placed: 1,
            wanted: 2,
        }]
    );
    fixture.advance(WAIT * 2);
    let tasks = fixture.offer(&[("exec0", "host0", 1), ("exec1", "host1", 1)]);
    assert_eq!(tasks.len(), 2);
    assert!(tasks.iter().all(|task| task.stage == StageId(0)));
}

#[test]
fn resources_put_back_by_a_barrier_set_serve_the_next_one() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("exec0", "host0", 0)]);
    fixture.submit(TaskSet {
        barrier: true,
        needs: gpus(1, 1),
        ..preferring(&[&["host0"], &["host0"]])
    });
    fixture.submit(TaskSet {
        needs: gpus(1, 1),
        ..task_set(1, 0, 2)
    });
    let tasks = fixture.place(
        vec![
            offer_with_gpus("exec0", "host0", 1, 0..1),
            offer_with_gpus("exec1", "host1", 1, 0..1),
        ],
        true,
    );
    assert_eq!(tasks.len(), 2);
    for task in &tasks {
        assert_eq!(task.stage, StageId(1));
        assert_eq!(task.resources, [("gpu".into(), vec!["0".into()])]);
    }
}

#[test]
fn under_the_legacy_timer_a_barrier_set_does_not_wait_for_locality() {
    let mut fixture = Fixture::with(|config| config.legacy_locality_reset = true);
    fixture.offer(&[("exec0", "host0", 0)]);
    fixture.submit(TaskSet {
        barrier: true,
        ..preferring(&[&["executor_host0_exec0"], &["executor_host0_exec0"]])
    });
    let tasks = fixture.offer(&[("exec0", "host0", 1), ("exec1", "host1", 1)]);
    assert_eq!(tasks.len(), 2);
}

#[test]
fn a_barrier_task_waits_for_locality_and_then_falls_back() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("executor-0", "host1", 0)]);
    fixture.submit(TaskSet {
        barrier: true,
        ..preferring(&[&["executor_host1_executor-0"]])
    });
    assert_eq!(fixture.offer(&[("executor-1", "host1", 1)]).len(), 0);
    fixture.advance(Duration::from_secs(4));
    let tasks = fixture.offer(&[("executor-1", "host1", 1)]);
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].locality, LocalityLevel::NodeLocal);
}

#[test]
fn a_barrier_set_runs_whole_whatever_older_attempts_completed() {
    let mut fixture = Fixture::new();
    fixture.submit(barrier(0, 3, needs(1)));
    fixture.command(TaskCommand::PartitionCompleted {
        stage: StageId(0),
        partition: Partition(1),
    });
    assert_eq!(fixture.offer(&[("e0", "h0", 3)]).len(), 3);
}

#[test]
fn one_failed_task_makes_a_barrier_set_a_zombie() {
    let mut fixture = Fixture::new();
    fixture.submit(barrier(0, 3, needs(1)));
    let tasks = fixture.offer(&[("e0", "h0", 3)]);
    assert_eq!(tasks.len(), 3);
    fixture.status(
        tasks[0].task,
        TaskStatus::Killed {
            reason: "by hand".into(),
        },
    );
    let set = fixture.set(0, 0).expect("two run on");
    assert!(set.zombie);
    assert_eq!(fixture.offer(&[("e0", "h0", 3)]).len(), 0);
}

#[test]
fn one_lost_output_makes_a_barrier_set_a_zombie() {
    let mut fixture = Fixture::new();
    fixture.submit(shuffle_map(barrier(0, 2, needs(1))));
    let tasks = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]);
    let (lost, left) = (&tasks[0], &tasks[1]);
    fixture.finish_map(lost, "h");
    fixture.lose(lost.executor.as_str(), process_lost(false));
    assert!(
        fixture
            .ends()
            .contains(&(lost.task, &TaskEndReason::Resubmitted))
    );
    // Its task alone will never start: the stage is tried again as a whole.
    assert!(fixture.set(0, 0).expect("one runs on").zombie);
    assert_eq!(fixture.scheduler.waiting(), 0);
    fixture.finish_map(left, "h");
    assert_eq!(fixture.set(0, 0), None);
}

// --- cancelling

#[test]
fn cancelling_a_stage_kills_its_tasks_and_gives_its_sets_up() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 10));
    let tasks = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]);
    fixture.command(TaskCommand::CancelStage {
        stage: StageId(0),
        reason: "no longer wanted".into(),
    });
    let mut killed = fixture.killed();
    killed.sort_unstable();
    assert_eq!(killed, [TaskId(0), TaskId(1)]);
    assert!(fixture.set(0, 0).expect("its tasks run").zombie);
    assert!(
        fixture
            .failed(0)
            .expect("given up")
            .contains("Stage 0 cancelled")
    );
    for task in &tasks {
        fixture.status(
            task.task,
            TaskStatus::Killed {
                reason: "no longer wanted".into(),
            },
        );
    }
    assert_eq!(fixture.set(0, 0), None);
    assert_eq!(fixture.scheduler.running(), 0);
    assert_eq!(fixture.scheduler.waiting(), 0);
}

#[test]
fn killing_all_attempts_leaves_the_set_alive() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 10));
    let tasks = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]);
    fixture.command(TaskCommand::KillAllAttempts {
        stage: StageId(0),
        reason: "try again".into(),
    });
    assert_eq!(fixture.killed().len(), 2);
    for task in &tasks {
        fixture.status(
            task.task,
            TaskStatus::Killed {
                reason: "try again".into(),
            },
        );
    }
    let set = fixture.set(0, 0).expect("alive");
    assert!(!set.zombie);
    assert_eq!(set.running, 0);
    assert_eq!(set.waiting, 10);
    assert!(fixture.failed(0).is_none());
}

#[test]
fn one_attempt_can_be_killed_while_it_is_known() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    let kill = |task| TaskSchedulerEvent::KillAttempt {
        task,
        reason: "by hand".into(),
    };
    fixture.handle(kill(tasks[0].task));
    fixture.handle(kill(TaskId(99)));
    assert_eq!(fixture.killed(), [tasks[0].task]);
}

#[test]
fn a_broken_backend_fails_every_set() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 1));
    fixture.submit(task_set(1, 0, 1));
    fixture.handle(TaskSchedulerEvent::BackendFailed {
        message: "framework removed".into(),
    });
    assert_eq!(fixture.failed(0), Some("framework removed"));
    assert_eq!(fixture.failed(1), Some("framework removed"));
}

// --- custom resources and profiles

#[test]
fn gpus_are_a_requirement_and_handed_out_in_order() {
    let mut fixture = Fixture::new();
    fixture.submit(TaskSet {
        needs: gpus(1, 1),
        ..task_set(0, 0, 3)
    });
    assert_eq!(fixture.offer(&[("e0", "h0", 2)]).len(), 0);
    let tasks = fixture.place(vec![offer_with_gpus("e0", "h0", 2, 0..4)], true);
    let addresses: Vec<_> = tasks
        .iter()
        .map(|task| task.resources[0].1[0].to_string())
        .collect();
    assert_eq!(addresses, ["0", "1"]);
}

#[test]
fn each_set_uses_the_executors_of_its_profile() {
    let second = ResourceProfileId(1);
    let of_second = || WorkerOffer {
        profile: second,
        ..offer_with_gpus("e1", "h1", 6, 0..6)
    };
    let mut fixture = Fixture::new();
    fixture.submit(TaskSet {
        needs: gpus(1, 1),
        ..task_set(0, 0, 3)
    });
    fixture.submit(TaskSet {
        needs: TaskNeeds {
            profile: second,
            ..gpus(2, 2)
        },
        ..task_set(1, 0, 5)
    });
    let tasks = fixture.place(
        vec![offer_with_gpus("e0", "h0", 2, 0..4), of_second()],
        true,
    );
    let with = |tasks: &[TaskDescription], gpus: usize| {
        tasks
            .iter()
            .filter(|task| task.resources[0].1.len() == gpus)
            .count()
    };
    assert_eq!((tasks.len(), with(&tasks, 1), with(&tasks, 2)), (5, 2, 3));
    let tasks = fixture.place(vec![of_second()], true);
    assert_eq!((tasks.len(), with(&tasks, 2)), (2, 2));
}

// --- statuses

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
    let ready = TaskStatus::ResultReady { bytes: 5 << 20 };
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
    fixture.status(tasks[0].task, TaskStatus::ResultReady { bytes: 5 << 20 });
    fixture.status(tasks[0].task, TaskStatus::Failed(TaskEndReason::ResultLost));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    assert_eq!((tasks.len(), tasks[0].attempt), (1, 1));
}

// --- starvation

#[test]
fn waiting_tasks_that_get_no_offer_are_warned_about() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 3));
    let period = Duration::from_secs(15);
    assert_eq!(
        fixture.scheduler.next_deadline(),
        Some(fixture.now + period)
    );
    fixture.time_passed(period - Duration::from_millis(1));
    assert_eq!(fixture.notices, []);
    fixture.time_passed(Duration::from_millis(1));
    let [notice] = &fixture.notices[..] else {
        panic!("{:?}", fixture.notices);
    };
    assert!(notice.to_string().contains("3 tasks have waited 15 s"));
    assert!(notice.to_string().contains("no offer came"));
    fixture.time_passed(period);
    assert_eq!(fixture.notices.len(), 2, "again, each period");
}

#[test]
fn the_starvation_warning_says_why_offers_were_declined() {
    let mut fixture = Fixture::new();
    fixture.submit(TaskSet {
        needs: gpus(4, 1),
        ..task_set(0, 0, 1)
    });
    for _ in 0..3 {
        fixture.offer(&[("e0", "h0", 2), ("e1", "h1", 8)]);
    }
    fixture.time_passed(Duration::from_secs(15));
    let [
        Notice::Starving {
            waiting: 1,
            offers: 6,
            declined,
            ..
        },
    ] = &fixture.notices[..]
    else {
        panic!("{:?}", fixture.notices);
    };
    let reasons: Vec<_> = declined
        .iter()
        .map(|decline| (decline.reason.clone(), decline.offers))
        .collect();
    assert_eq!(
        reasons,
        [
            (DeclineReason::TooFewCores { needed: 4 }, 3),
            (
                DeclineReason::TooFewOf {
                    resource: "gpu".into(),
                    needed: 1
                },
                3
            ),
        ]
    );
    let text = fixture.notices[0].to_string();
    assert!(text.contains("2 cores of executor e0 on h0"), "{text}");
}

#[test]
fn the_warning_tells_waits_for_locality_and_barriers_apart() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("e0", "h0", 0)]);
    fixture.submit(preferring(&[&["h0"]]));
    fixture.offer(&[("e1", "h1", 1)]);
    let mut waits = Fixture::new();
    waits.submit(barrier(0, 2, needs(1)));
    waits.offer(&[("e1", "h1", 1)]);
    let reason = |fixture: &mut Fixture| {
        fixture.time_passed(Duration::from_secs(15));
        match fixture.notices.last() {
            Some(Notice::Starving { declined, .. }) => declined[0].reason.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        reason(&mut fixture),
        DeclineReason::WaitsForLocality {
            level: LocalityLevel::NodeLocal
        }
    );
    assert_eq!(
        reason(&mut waits),
        DeclineReason::BarrierNeedsMoreSlots { needed: 2 }
    );
}

#[test]
fn nobody_is_warned_while_something_runs_or_nothing_waits() {
    let mut fixture = Fixture::new();
    fixture.submit(task_set(0, 0, 2));
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.time_passed(Duration::from_secs(60));
    fixture.finish(&tasks[0]);
    let tasks = fixture.offer(&[("e0", "h0", 1)]);
    fixture.finish(&tasks[0]);
    fixture.time_passed(Duration::from_secs(60));
    assert_eq!(fixture.notices, []);
    assert_eq!(fixture.scheduler.next_deadline(), None);
}

#[test]
fn a_local_scheduler_never_warns() {
    let mut fixture = Fixture::with(|config| config.local = true);
    fixture.submit(task_set(0, 0, 1));
    assert_eq!(fixture.scheduler.next_deadline(), None);
}

// --- determinism

#[test]
fn equal_seeds_place_alike() {
    let place = |seed: u64| {
        let mut scheduler = TaskScheduler::new(TaskSchedulerConfig::default(), None, seed)
            .expect("the default configuration is sound");
        let set = task_set(0, 0, 5);
        let _ = scheduler.handle(
            Timestamp::ZERO,
            TaskSchedulerEvent::Command(TaskCommand::Submit(set)),
        );
        let offers = (0..20)
            .map(|i| offer(&format!("e{i}"), &format!("h{i}"), 1))
            .collect();
        scheduler
            .handle(
                Timestamp::ZERO,
                TaskSchedulerEvent::Offers {
                    offers,
                    all_free: true,
                },
            )
            .launches
    };
    assert_eq!(place(1), place(1));
    assert_ne!(place(1), place(2));
}
