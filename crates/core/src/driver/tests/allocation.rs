//! Executors come and go by what there is to do: time by hand.

use proptest::prelude::*;

use super::*;
use crate::conf::Layer;

fn config() -> AllocationConfig {
    AllocationConfig {
        least: 0,
        most: u32::MAX,
        initial: 0,
        backlog: Duration::from_secs(1),
        sustained: Duration::from_secs(2),
        ratio: 1.0,
        idle: Duration::from_secs(10),
        idle_with_partitions: None,
        idle_with_outputs: None,
        cores: Some(2),
        task_cpus: 1,
        named: None,
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1000 * seconds)
}

fn load(waiting: u64, running: u64) -> Load {
    let cores = waiting + running;
    Load {
        waiting,
        running,
        cores,
    }
}

fn there(executors: u64) -> There {
    There {
        executors,
        cores: 2 * executors,
    }
}

fn most(allocation: &mut Allocation, now: u64, waiting: u64, has: u64) -> u64 {
    allocation
        .wanted(at(now), load(waiting, 0), there(has))
        .most
}

#[test]
fn tasks_of_more_cores_and_with_resources_want_as_many_executors_as_hold_them() {
    let wanted = |named, waiting, cores| {
        let config = AllocationConfig { named, ..config() };
        let mut allocation = Allocation::new(config);
        let load = Load {
            waiting,
            running: 0,
            cores,
        };
        let last = (0..20).map(|now| allocation.wanted(at(now), load, there(0)));
        let last = last.last().expect("asked");
        (last.most, last.cores)
    };
    assert_eq!(wanted(None, 6, 6), (3, 6));
    assert_eq!(wanted(None, 6, 12), (6, 12));
    // Each executor has two cores, and something that one task takes.
    assert_eq!(wanted(Some(1), 6, 6), (6, 12));
    assert_eq!(wanted(Some(2), 6, 6), (3, 6));
}

#[test]
fn executors_are_asked_for_by_the_ramp_up_to_what_tasks_can_use() {
    let mut allocation = Allocation::new(config());
    let wanted: Vec<_> = (0..9)
        .map(|now| most(&mut allocation, now, 19, 0))
        .collect();
    assert_eq!(wanted, [0, 1, 1, 3, 3, 7, 7, 10, 10]);
    // Fewer at once, and then from the beginning.
    assert_eq!(most(&mut allocation, 20, 4, 10), 2);
    assert_eq!(most(&mut allocation, 21, 0, 10), 0);
    let wanted: Vec<_> = (30..34)
        .map(|now| most(&mut allocation, now, 19, 0))
        .collect();
    assert_eq!(wanted, [0, 1, 1, 3]);
}

#[test]
fn without_a_time_to_wait_all_are_asked_for_at_once() {
    let mut allocation = Allocation::new(AllocationConfig {
        backlog: Duration::ZERO,
        sustained: Duration::ZERO,
        ..config()
    });
    assert_eq!(most(&mut allocation, 0, 1_000_001, 0), 500_001);
    assert_eq!(allocation.next_deadline(at(0)), None);
}

#[test]
fn bounds_hold_and_those_of_the_start_are_wanted_until_something_begins() {
    let mut allocation = Allocation::new(AllocationConfig {
        least: 2,
        most: 4,
        initial: 3,
        backlog: Duration::ZERO,
        sustained: Duration::ZERO,
        ..config()
    });
    let start = allocation.wanted(at(0), load(0, 0), there(0));
    assert_eq!((start.least, start.most), (3, 3));
    let begun = allocation.wanted(at(1), load(100, 0), there(3));
    assert_eq!((begun.least, begun.most, begun.cores), (2, 4, 100));
    let tail = allocation.wanted(at(2), load(0, 1), there(4));
    assert_eq!((tail.least, tail.most, tail.cores), (2, 2, 1));
}

#[test]
fn fewer_are_asked_for_with_a_ratio_and_more_for_tasks_that_can_run_on_none() {
    let mut allocation = Allocation::new(AllocationConfig {
        ratio: 0.5,
        backlog: Duration::ZERO,
        sustained: Duration::ZERO,
        ..config()
    });
    let wanted = allocation.wanted(at(0), load(9, 0), there(0));
    assert_eq!((wanted.cores, wanted.most), (5, 3));
    allocation.stuck(1);
    let wanted = allocation.wanted(at(1), load(1, 0), there(3));
    assert_eq!((wanted.cores, wanted.most), (8, 4));
}

fn next(allocation: &Allocation, now: u64, has: u64) -> Option<(ExecutorId, Duration)> {
    allocation.next_to_go(at(now), there(has), |_| 2)
}

#[test]
fn who_has_had_nothing_to_do_for_long_may_go_unless_it_is_needed() {
    let mut allocation = Allocation::new(config());
    allocation.idles(at(1), "a".into());
    allocation.idles(at(2), "b".into());
    allocation.idles(at(5), "a".into());
    assert_eq!(allocation.next_deadline(at(2)), Some(at(11)));
    assert_eq!(next(&allocation, 10, 2), None);
    let ten = Duration::from_secs(10);
    assert_eq!(next(&allocation, 11, 2), Some(("a".into(), ten)));
    // It has something that somebody needs.
    let why = Some(KeptFor::Outputs);
    assert!(allocation.stays(at(11), &"a".into(), None, why));
    assert!(!allocation.stays(at(11), &"a".into(), None, why));
    assert_eq!(next(&allocation, 11, 2), None);
    assert_eq!(next(&allocation, 12, 2), Some(("b".into(), ten)));
    allocation.works(&"b".into());
    assert_eq!(next(&allocation, 12, 2), None);
    assert_eq!(allocation.next_deadline(at(12)), None);
    allocation.ask_again();
    assert_eq!(next(&allocation, 12, 2).map(|it| it.0), Some("a".into()));
    // For so long, and no longer.
    let long = Some(Duration::from_secs(30));
    assert!(!allocation.stays(at(12), &"a".into(), long, None));
    assert_eq!(allocation.next_deadline(at(12)), Some(at(31)));
    assert_eq!(next(&allocation, 30, 2), None);
    assert_eq!(next(&allocation, 31, 2).map(|it| it.0), Some("a".into()));
}

#[test]
fn nobody_goes_whose_cores_tasks_can_use_and_no_fewer_are_left_than_wanted() {
    let mut allocation = Allocation::new(AllocationConfig {
        least: 1,
        cores: None,
        backlog: Duration::ZERO,
        sustained: Duration::ZERO,
        ..config()
    });
    for executor in ["a", "b", "c"] {
        allocation.idles(at(0), executor.into());
    }
    for (waiting, running, has, goes) in [
        (0, 1, 3, true),
        (0, 5, 3, false),
        (3, 0, 3, true),
        (5, 0, 3, false),
        (0, 0, 2, true),
        (0, 0, 1, false),
    ] {
        let _ = allocation.wanted(at(20), load(waiting, running), there(has));
        let found = next(&allocation, 20, has).is_some();
        assert_eq!(found, goes, "{waiting} {running} {has}");
    }
}

#[test]
fn the_settings_say_all_of_it() {
    let of = |settings: &[(&str, &str)]| {
        let master = [("spark.master", "mesos://m:5050")];
        let all = master.iter().chain(settings);
        let conf = all.fold(Conf::builder(), |builder, (name, value)| {
            builder.set(Layer::ConfOption, *name, *value)
        });
        AllocationConfig::of(&conf.build().expect("sound settings"))
    };
    let unset = of(&[]).expect("it is on");
    assert_eq!(unset.idle, IDLE);
    assert_eq!(
        (unset.backlog, unset.least, unset.initial),
        (Duration::ZERO, 0, 0)
    );
    let set = of(&[
        ("spark.dynamicAllocation.initialExecutors", "2"),
        ("spark.executor.instances", "3"),
        ("spark.dynamicAllocation.schedulerBacklogTimeout", "1s"),
        ("spark.dynamicAllocation.shuffleTracking.timeout", "5000"),
    ])
    .expect("it is on");
    assert_eq!(set.initial, 3);
    assert_eq!(set.sustained, Duration::from_secs(1));
    assert_eq!(set.idle_with_outputs, Some(Duration::from_secs(5)));
    assert_eq!(of(&[("spark.mesos.coarse", "false")]), None);
    assert_eq!(of(&[("spark.dynamicAllocation.enabled", "false")]), None);
    assert_eq!(of(&[("spark.master", "local-cluster[2,1,512]")]), None);
}

proptest! {
    /// Whatever happens, the target is within its bounds, enough for what runs and waits once
    /// time has passed, and nobody goes whose cores are needed.
    #[test]
    fn what_is_wanted_is_within_bounds_and_enough_in_the_end(
        loads in prop::collection::vec((0u64..50, 0u64..20, 0u64..4), 1..40),
        least in 0u32..3,
        most in 3u32..12,
    ) {
        let mut allocation = Allocation::new(AllocationConfig { least, most, ..config() });
        allocation.idles(at(0), "a".into());
        let (mut now, mut has) = (0, 0);
        for (waiting, running, seconds) in loads {
            now += seconds;
            let load = load(waiting, running.min(2 * has));
            let wanted = allocation.wanted(at(now), load, there(has));
            let bounds = u64::from(least)..=u64::from(most);
            prop_assert!(bounds.contains(&wanted.most) || allocation.begins);
            has = wanted.most.max(wanted.least);
            if next(&allocation, now, has).is_some() {
                prop_assert!(2 * (has - 1) >= load.waiting + load.running);
            }
        }
        let waiting = load(17, 0);
        for later in 0..60 {
            has = allocation.wanted(at(now + later), waiting, there(has)).most;
        }
        prop_assert_eq!(has, 9.min(u64::from(most)));
    }
}
