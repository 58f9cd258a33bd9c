//! What people see of a task set.

use super::*;
use crate::running::{Copying, RunningStage};

fn seen(set: &ManagerFixture) -> RunningStage {
    set.manager.seen(set.now, 2, &set.cluster)
}

fn partitions(seen: &RunningStage) -> Vec<u32> {
    seen.longest.iter().map(|it| it.partition.0).collect()
}

#[test]
fn attempts_count_as_far_longer_from_the_longest_on_once_a_quarter_has_ended() {
    let mut set = Surroundings::default().manage(task_set(0, 0, 6));
    let first = launch_all(&mut set, &[("e0", "h0"), ("e1", "h1"), ("e2", "h2")]);
    set.now += seconds(4);
    set.succeed(first[0]);
    set.now += seconds(20);
    let early = seen(&set);
    assert_eq!((early.ended, early.running, early.waiting), (1, 2, 3));
    assert_eq!(early.far_longer, None, "one of six says too little");
    assert_eq!(early.ended_last, Some(Timestamp::from_millis(4000)));
    // 4 s and 8 s: what runs for more than 18 s is far longer.
    let next = launch_all(&mut set, &[("e0", "h0"), ("e3", "h3")]);
    set.now += seconds(8);
    set.succeed(next[0]);
    let late = seen(&set);
    assert_eq!(late.median, Some(seconds(6)));
    assert_eq!((late.far_longer, late.running), (Some(2), 3));
    assert_eq!(partitions(&late), [1, 2], "two of them are wanted");
    let longest = &late.longest[0];
    assert_eq!(
        (longest.executor.as_str(), longest.host.as_str()),
        ("e1", "h1")
    );
    assert_eq!((longest.since, longest.has_copy), (Timestamp::ZERO, false));
    set.now += seconds(11);
    assert_eq!(seen(&set).far_longer, Some(3));
    set.fail(first[1], failure());
    let after = seen(&set);
    assert_eq!(after.ended_last, Some(set.now), "a failure is an end, too");
    assert_eq!(partitions(&after), [2, 4]);
}

#[test]
fn an_attempt_whose_task_is_done_is_not_told_as_one_that_takes_long() {
    let mut set = Surroundings::default()
        .speculating(|speculation| speculation.quantile = 0.5)
        .manage(task_set(0, 0, 3));
    let tasks = launch_all(&mut set, &[("e0", "h0"), ("e1", "h1"), ("e2", "h2")]);
    set.now += seconds(1);
    set.succeed(tasks[0]);
    set.succeed(tasks[1]);
    set.now += seconds(30);
    assert!(set.mark_slow());
    let copy = set.offer("e1", "h1", Any).expect("a copy");
    let both = seen(&set);
    assert_eq!((both.far_longer, both.running), (Some(1), 2));
    assert!(both.longest.iter().all(|it| it.has_copy));
    set.succeed(copy);
    let late = seen(&set);
    assert_eq!((late.far_longer, late.running), (Some(0), 1));
    assert_eq!(partitions(&late), [0; 0]);
}

#[test]
fn how_long_it_will_take_follows_from_what_waits_and_runs() {
    let mut set = Surroundings::default().manage(task_set(0, 0, 9));
    for _ in 0..2 {
        let places = [("e0", "h0"), ("e1", "h1"), ("e2", "h2")];
        let tasks = launch_all(&mut set, &places);
        set.now += seconds(6);
        assert_eq!(
            seen(&set).left.is_some(),
            set.now > Timestamp::at(seconds(6))
        );
        for task in tasks {
            set.succeed(task);
        }
    }
    assert_eq!(seen(&set).left, None, "nothing runs");
    let _ = launch_all(&mut set, &[("e0", "h0")]);
    set.now += seconds(2);
    assert_eq!(seen(&set).left, Some(seconds(4 + 12)));
}

#[test]
fn copies_are_on_or_off_or_of_no_use() {
    let copying = |around: Surroundings| seen(&around.manage(task_set(0, 0, 1))).copying;
    assert_eq!(copying(Surroundings::default()), Copying::Off);
    assert_eq!(
        copying(Surroundings::default().speculating(|_| {})),
        Copying::On
    );
    let local = Surroundings::default().configure(|config| config.local = true);
    assert_eq!(copying(local), Copying::Never);
}
