//! Spark's `TaskSetManagerSuite`.

use super::LocalityLevel::{Any, NoPref, NodeLocal, ProcessLocal, RackLocal};
use super::*;
use crate::scheduler::config::LocalityWait;

const ONE_EXECUTOR: &[(&str, &str)] = &[("exec1", "host1")];

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn launch_all(fixture: &mut ManagerFixture, places: &[(&str, &str)]) -> Vec<Started> {
    places
        .iter()
        .map(|(executor, host)| {
            fixture
                .offer(executor, host, Any)
                .expect("a task for each place")
        })
        .collect()
}

// --- success

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

// --- locality

#[test]
fn a_preference_for_an_executor_that_is_not_alive_does_not_delay_its_host() {
    let mut set = Surroundings::executors(&[("execA", "host1"), ("execC", "host2")])
        .manage(preferring(&[&["executor_host1_execB"]]));
    assert_eq!(set.levels(), [NodeLocal, Any]);
    assert_eq!(set.offer("execC", "host2", Any), None);
    assert_eq!(
        set.offer("execA", "host1", Any).map(|it| it.level),
        Some(NodeLocal)
    );
}

#[test]
fn each_level_offers_its_tasks() {
    let mut set =
        Surroundings::executors(&[("exec1", "host1"), ("exec2", "host2"), ("exec3", "host2")])
            .manage(preferring(&[
                &["executor_host1_exec1"],
                &["executor_host2_exec3"],
                &[],
            ]));
    assert_eq!(set.index("exec1", "host1", ProcessLocal), Some(0));
    assert_eq!(set.index("exec3", "host2", ProcessLocal), Some(1));
    assert_eq!(set.index("exec3", "host2", NodeLocal), None);
    assert_eq!(set.index("exec3", "host2", NoPref), Some(2));
}

#[test]
fn a_lost_host_is_waited_for_no_longer_than_the_waits() {
    let mut set =
        Surroundings::executors(&[("exec1", "host1"), ("exec2", "host2"), ("exec3", "host3")])
            .manage(preferring(&[&["host1"], &["host2"], &["host3"]]));
    assert_eq!(set.index("exec1", "host1", Any), Some(0));
    assert_eq!(set.index("exec1", "host1", Any), None);
    set.lose_executor("exec2", &process_lost(true));
    assert_eq!(set.index("exec1", "host1", Any), None);
    set.now += WAIT * 2;
    assert_eq!(set.index("exec1", "host1", Any), Some(1));
    assert_eq!(set.index("exec1", "host1", Any), Some(2));
    assert_eq!(set.index("exec1", "host1", Any), None);
}

#[test]
fn delay_scheduling_with_several_preferred_hosts() {
    // Spark's "delay scheduling with fallback".
    let mut set =
        Surroundings::executors(&[("exec1", "host1"), ("exec2", "host2"), ("exec3", "host3")])
            .manage(preferring(&[
                &["host1"],
                &["host2"],
                &["host3"],
                &["host2"],
                &["host1"],
            ]));
    assert_eq!(set.index("exec1", "host1", Any), Some(0));
    assert_eq!(set.index("exec1", "host1", Any), Some(4));
    assert_eq!(set.index("exec1", "host1", Any), None);
    set.now += WAIT / 2;
    assert_eq!(set.index("exec2", "host2", Any), Some(1));
    assert_eq!(set.index("exec2", "host2", Any), Some(3));
    assert_eq!(set.index("exec2", "host2", Any), None);
    set.now += WAIT;
    assert_eq!(set.index("exec2", "host2", Any), Some(2));
}

#[test]
fn levels_follow_the_executors_as_they_come_and_go() {
    let mut set = Surroundings::default()
        .racks(&[("host2", "rack2")])
        .manage(preferring(&[
            &["executor_host1_execA"],
            &["executor_host1_execB"],
            &["executor_host2_execC"],
            &[],
        ]));
    assert_eq!(set.levels(), [NoPref, Any]);
    set.add_executor("execD", "host1");
    assert_eq!(set.levels(), [NodeLocal, NoPref, Any]);
    set.add_executor("execC", "host2");
    assert_eq!(
        set.levels(),
        [ProcessLocal, NodeLocal, NoPref, RackLocal, Any]
    );
    set.lose_executor("execC", &process_lost(true));
    assert_eq!(set.levels(), [NodeLocal, NoPref, Any]);
    set.lose_executor("execD", &process_lost(true));
    assert_eq!(set.levels(), [NoPref, Any]);
}

#[test]
fn a_decommissioned_host_gives_no_levels() {
    let mut set =
        Surroundings::executors(&[("exec0", "host0"), ("exec1", "host0")]).manage(preferring(&[
            &["executor_host0_exec0"],
            &["executor_host0_exec1"],
        ]));
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, Any]);
    set.decommission("exec0", true);
    set.decommission("exec1", true);
    assert_eq!(set.levels(), [Any]);
}

#[test]
fn a_decommissioned_executor_leaves_its_host_to_the_others() {
    let mut set = Surroundings::executors(&[("exec0", "host0"), ("exec1", "host0")])
        .manage(preferring(&[&["executor_host0_exec0"]]));
    set.decommission("exec0", false);
    assert_eq!(set.levels(), [NodeLocal, Any]);
}

#[test]
fn the_rack_is_tried_before_anywhere() {
    let mut set =
        Surroundings::executors(&[("execA", "host1"), ("execB", "host2"), ("execC", "host3")])
            .racks(&[("host1", "rack1"), ("host2", "rack1"), ("host3", "rack2")])
            .manage(preferring(&[
                &["executor_host1_execA"],
                &["executor_host1_execA"],
            ]));
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, RackLocal, Any]);
    set.now += WAIT * 3;
    assert_eq!(set.index("execC", "host3", RackLocal), None);
    assert_eq!(set.index("execC", "host3", Any), Some(0));
    assert_eq!(set.index("execB", "host2", RackLocal), Some(1));
}

#[test]
fn tasks_run_in_the_racks_of_their_hosts() {
    // Spark's "SPARK-27038 Verify the rack resolving time has been reduced":
    // 100 hosts in 20 racks, of which only others stand in the same racks.
    let hosts: Vec<String> = (0..120).map(|i| format!("host{i}")).collect();
    let mut fixture = Fixture::with(|config| {
        config.locality_wait = LocalityWait {
            rack: Duration::from_millis(1),
            ..LocalityWait::all(Duration::ZERO)
        };
    });
    let racks: Vec<_> = (0..120)
        .map(|i| (hosts[i].as_str(), format!("rack{}", i % 20)))
        .collect();
    let racks: Vec<_> = racks.iter().map(|(h, r)| (*h, r.as_str())).collect();
    fixture.racks(&racks);
    let others: Vec<_> = (100..120).map(|i| hosts[i].as_str()).collect();
    let idle: Vec<_> = others.iter().map(|host| (*host, *host, 0)).collect();
    fixture.offer(&idle);
    let locations: Vec<[&str; 1]> = (0..100).map(|i| [hosts[i].as_str()]).collect();
    let locations: Vec<&[&str]> = locations.iter().map(|it| &it[..]).collect();
    fixture.submit(preferring(&locations));
    assert_eq!(fixture.offer(&[("elsewhere", "nowhere", 5)]).len(), 0);
    for host in others {
        let tasks = fixture.offer(&[(host, host, 9)]);
        assert_eq!(tasks.len(), 5, "{host}");
        assert!(tasks.iter().all(|task| task.locality == RackLocal));
    }
}

#[test]
fn only_node_local_and_free_tasks_launch_without_delay() {
    let mut set = Surroundings::executors(&[("execA", "host1"), ("execB", "host2")])
        .manage(preferring(&[&["host1"], &["host2"], &[]]));
    assert_eq!(set.index("execA", "host1", NodeLocal), Some(0));
    assert_eq!(set.index("execA", "host1", NodeLocal), None);
    assert_eq!(set.index("execB", "host2", NodeLocal), Some(1));
    assert_eq!(set.index("execA", "host1", NodeLocal), None);
    assert_eq!(set.index("execA", "host1", NoPref), Some(2));
}

#[test]
fn cached_tasks_launch_before_node_local_ones_and_neither_is_delayed() {
    let mut set =
        Surroundings::executors(&[("execA", "host1"), ("execB", "host2")]).manage(preferring(&[
            &["host1"],
            &["host2"],
            &["executor_host1_execA"],
            &["executor_host2_execB"],
        ]));
    assert_eq!(set.index("execA", "host1", NodeLocal), Some(2));
    assert_eq!(set.index("execB", "host2", NodeLocal), Some(3));
    assert_eq!(set.index("execA", "host1", NodeLocal), Some(0));
    assert_eq!(set.index("execB", "host2", NodeLocal), Some(1));
    assert_eq!(set.index("execB", "host2", NodeLocal), None);
}

#[test]
fn cached_and_free_tasks_launch_without_delay() {
    let mut set =
        Surroundings::executors(&[("execA", "host1"), ("execB", "host2")]).manage(preferring(&[
            &[],
            &["executor_host1_execA"],
            &["executor_host2_execB"],
        ]));
    assert_eq!(set.index("execA", "host1", ProcessLocal), Some(1));
    assert_eq!(set.index("execA", "host1", ProcessLocal), None);
    assert_eq!(set.index("execB", "host2", ProcessLocal), Some(2));
    assert_eq!(set.index("execA", "host1", NodeLocal), None);
    assert_eq!(set.index("execA", "host1", NoPref), Some(0));
    assert_eq!(set.index("execA", "host1", Any), None);
}

#[test]
fn levels_that_change_under_the_present_one_are_no_trouble() {
    let mut set = Surroundings::default().manage(preferring(&[
        &[],
        &["executor_host1_execA"],
        &["executor_host2_execB"],
    ]));
    set.add_executor("execA", "host1");
    set.add_executor("execB.2", "host2");
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, NoPref, Any]);
    set.now += WAIT * 4;
    set.choose("execB.2", "host2", Any);
    set.lose_executor("execA", &process_lost(true));
    set.lose_executor("execB.2", &process_lost(true));
    set.add_executor("execC", "host3");
    set.now += WAIT * 4;
    assert!(set.index("execC", "host3", Any).is_some());
}

#[test]
fn a_host_cache_counts_for_the_executors_alive_on_it() {
    let mut set =
        Surroundings::executors(&[("execA", "host1"), ("execB", "host2"), ("execC", "host3")])
            .manage(preferring(&[&["host1"], &["host2"], &["hdfs_cache_host3"]]));
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, Any]);
    set.lose_executor("execA", &process_lost(true));
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, Any]);
    set.lose_executor("execB", &process_lost(true));
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, Any]);
    set.lose_executor("execC", &process_lost(true));
    assert_eq!(set.levels(), [Any]);
}

#[test]
fn an_offer_without_preference_does_not_touch_the_delay() {
    let mut set = Surroundings::executors(&[("execA", "host1")]).manage(preferring(&[
        &["executor_host1_execA"],
        &["host1"],
        &[],
    ]));
    // At NO_PREF, node-local tasks launch though the level is PROCESS_LOCAL.
    assert_eq!(set.index("execA", "host1", NodeLocal), Some(0));
    assert_eq!(set.manager.delay().level(), ProcessLocal);
    assert_eq!(set.index("execA", "host1", NoPref), Some(1));
    assert_eq!(set.index("execA", "host1", NoPref), Some(2));
    assert_eq!(set.manager.delay().level(), ProcessLocal);
}

#[test]
fn only_an_offer_for_anywhere_is_rejected_and_only_while_tasks_wait() {
    let mut set = Surroundings::executors(&[("execA", "host1")]).manage(preferring(&[&["host1"]]));
    assert_eq!(set.choose("execB", "host2", NodeLocal), Choice::Nothing);
    assert_eq!(set.choose("execB", "host2", Any), Choice::Rejected);
    set.offer("execA", "host1", Any).expect("launched");
    assert_eq!(set.choose("execB", "host2", Any), Choice::Nothing);
    set.manager.make_zombie();
    assert_eq!(set.choose("execB", "host2", Any), Choice::Nothing);
}

#[test]
fn a_new_executor_brings_a_nearer_level_back() {
    let mut set = Surroundings::executors(&[("execA", "host1")])
        .manage(preferring(&[&["host1"], &["executor_host2_execB"]]));
    assert_eq!(set.levels(), [NodeLocal, Any]);
    set.now += WAIT;
    set.choose("execC", "host3", NodeLocal);
    assert_eq!(set.manager.delay().level(), Any);
    set.add_executor("execB", "host2");
    assert_eq!(set.manager.delay().level(), ProcessLocal);
}

#[test]
fn a_rack_learnt_later_makes_the_rack_a_level() {
    let mut fixture = Fixture::new();
    fixture.offer(&[("execB", "host2", 0)]);
    fixture.submit(preferring(&[&["host1"], &["host1"]]));
    assert_eq!(fixture.set(0, 0).expect("submitted").levels, [Any]);
    fixture.racks(&[("host1", "rack1"), ("host2", "rack1")]);
    assert_eq!(
        fixture.set(0, 0).expect("submitted").levels,
        [RackLocal, Any]
    );
    let tasks = fixture.offer(&[("execB", "host2", 2)]);
    assert_eq!(tasks.len(), 2);
    assert!(tasks.iter().all(|task| task.locality == RackLocal));
}

// --- failures

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
        message: "gone".into(),
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
        TaskStatus::Failed(fetch_failed("exec9", "host9")),
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
        TaskStatus::Failed(fetch_failed("exec1", "host1")),
    );
    let snapshot = fixture.scheduler.snapshot();
    assert_eq!(snapshot.excluded_hosts, []);
    assert_eq!(snapshot.excluded_executors[0].0.as_str(), "exec1");
}

// --- executors lost

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
            message: "maintenance".into(),
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
        code: 1,
        caused_by_app,
        message: "exit".into(),
    };
    let decommissioned = ExecutorLossReason::Decommissioned {
        host: None,
        message: "maintenance".into(),
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
    let mut set = Surroundings::executors(ONE_EXECUTOR)
        .configure(|config| config.max_task_failures = 1)
        .manage(task_set(0, 0, 1));
    set.offer("exec1", "host1", Any).expect("launched");
    set.lose_executor("exec1", &process_lost(true));
    assert_eq!(set.failed_reason(), None);
}

// --- size of results

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
    fixture.status(tasks[0].task, TaskStatus::ResultReady { bytes: 2 << 20 });
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
    fixture.status(tasks[0].task, TaskStatus::ResultReady { bytes: 2 << 20 });
    let output = result(2 << 20);
    fixture.status(tasks[0].task, TaskStatus::Finished { output, records: 0 });
    assert!(fixture.failed(0).is_none());
}

// --- speculation

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
        Some(Timestamp::ZERO + seconds(15)),
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
