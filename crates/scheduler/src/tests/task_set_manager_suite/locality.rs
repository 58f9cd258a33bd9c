//! Spark's `TaskSetManagerSuite`: locality.

use super::*;

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
fn a_level_whose_tasks_all_run_stays_when_another_executor_is_lost() {
    let all = [("execA", "host1"), ("execB", "host2"), ("execC", "host3")];
    let mut set = Surroundings::executors(&all).manage(preferring(&[
        &["executor_host1_execA"],
        &["host2"],
        &[],
    ]));
    let levels = [ProcessLocal, NodeLocal, NoPref, Any];
    assert_eq!(set.levels(), levels);
    let first = set.offer("execA", "host1", ProcessLocal).expect("its task");
    set.lose_executor("execC", &process_lost(false));
    assert_eq!(set.levels(), levels);
    // So the task that fails is waited for where it wants to be.
    set.fail(first, failure());
    assert_eq!(set.index("execB", "host2", ProcessLocal), None);
    assert_eq!(set.index("execA", "host1", ProcessLocal), Some(0));
    // Without preference there is no place that could come back.
    assert_eq!(set.index("execA", "host1", NoPref), Some(2));
    set.lose_executor("execB", &process_lost(false));
    assert_eq!(set.levels(), [ProcessLocal, NodeLocal, Any]);
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
