//! Spark's `PoolSuite`.

use super::*;
use crate::conf::value::Choice;
use crate::ordering::SchedulingMode;
use crate::pool::{DEFAULT_POOL, PoolView};

fn pool(name: &str, mode: SchedulingMode, min_share: u32, weight: u32) -> PoolDefinition {
    PoolDefinition {
        mode,
        min_share,
        weight,
        ..PoolDefinition::new(name)
    }
}

fn in_pool(stage: u32, tasks: u32, pool: &str) -> TaskSet {
    TaskSet {
        job: JobId(stage),
        pool: Some(pool.into()),
        ..task_set(stage, 0, tasks)
    }
}

fn fair(pools: Option<&[PoolDefinition]>) -> Fixture {
    Fixture::with_pools(|config| config.mode = SchedulingMode::Fair, pools)
}

/// Offers one core at a time and tells which stages were launched.
fn stages_launched(fixture: &mut Fixture, launches: usize) -> Vec<u32> {
    (0..launches)
        .map(|_| {
            let tasks = fixture.offer(&[("e", "h", 1)]);
            assert_eq!(tasks.len(), 1);
            tasks[0].stage.0
        })
        .collect()
}

fn view(fixture: &Fixture, name: &str) -> PoolView {
    fixture
        .scheduler
        .snapshot()
        .pools
        .into_iter()
        .find(|pool| &*pool.name == name)
        .expect("the pool exists")
}

#[test]
fn fifo_serves_stages_one_after_another() {
    let mut fixture = Fixture::new();
    for stage in 0..3 {
        fixture.submit(task_set(stage, 0, 2));
    }
    assert_eq!(stages_launched(&mut fixture, 6), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn fifo_serves_earlier_jobs_before_earlier_stages() {
    let mut fixture = Fixture::new();
    for (stage, job) in [(0, 1), (1, 0), (2, 0)] {
        fixture.submit(TaskSet {
            job: JobId(job),
            ..task_set(stage, 0, 1)
        });
    }
    assert_eq!(stages_launched(&mut fixture, 3), [1, 2, 0]);
}

#[test]
fn fifo_serves_the_stages_of_a_job_by_number_whichever_came_first() {
    let mut fixture = Fixture::new();
    for stage in [2, 0, 1] {
        fixture.submit(task_set(stage, 0, 1));
    }
    assert_eq!(stages_launched(&mut fixture, 3), [0, 1, 2]);
}

#[test]
fn fair_pools_share_by_minimum_share_then_weight() {
    // Spark's "Fair Scheduler Test": pool1 (2, 1), pool2 (3, 1), both FIFO.
    let mut fixture = fair(Some(&[
        pool("1", SchedulingMode::Fifo, 2, 1),
        pool("2", SchedulingMode::Fifo, 3, 1),
    ]));
    for (stage, name) in [(0, "1"), (1, "1"), (2, "1"), (3, "2"), (4, "2")] {
        let tasks = if name == "1" { 3 } else { 4 };
        fixture.submit(in_pool(stage, tasks, name));
    }
    // Both needy: by ratio, ties by name; then by running for each weight.
    assert_eq!(
        stages_launched(&mut fixture, 10),
        [0, 3, 3, 0, 3, 0, 1, 3, 1, 4]
    );
}

#[test]
fn a_pool_has_its_minimum_share_before_others_get_more() {
    let mut fixture = fair(Some(&[
        pool("1", SchedulingMode::Fifo, 0, 100),
        pool("2", SchedulingMode::Fifo, 2, 1),
    ]));
    fixture.submit(in_pool(0, 2, "1"));
    fixture.submit(in_pool(1, 3, "2"));
    assert_eq!(stages_launched(&mut fixture, 5), [1, 1, 0, 0, 1]);
}

#[test]
fn a_pool_of_twice_the_weight_runs_twice_as_much() {
    let mut fixture = fair(Some(&[
        pool("1", SchedulingMode::Fifo, 0, 1),
        pool("2", SchedulingMode::Fifo, 0, 2),
    ]));
    fixture.submit(in_pool(0, 6, "1"));
    fixture.submit(in_pool(1, 6, "2"));
    assert_eq!(stages_launched(&mut fixture, 6), [0, 1, 1, 0, 1, 1]);
}

#[test]
fn nested_pools_are_ordered_each_by_its_own_mode() {
    let nested = |name: &str, share: u32, pools: Vec<PoolDefinition>| PoolDefinition {
        pools,
        ..pool(name, SchedulingMode::Fair, share, 1)
    };
    let mut fixture = fair(Some(&[
        nested(
            "0",
            3,
            vec![
                pool("00", SchedulingMode::Fifo, 2, 2),
                pool("01", SchedulingMode::Fifo, 1, 1),
            ],
        ),
        nested(
            "1",
            4,
            vec![
                pool("10", SchedulingMode::Fifo, 2, 2),
                pool("11", SchedulingMode::Fifo, 2, 1),
            ],
        ),
    ]));
    for (stage, name) in [(0, "0/00"), (1, "0/00"), (2, "0/01"), (3, "0/01")] {
        fixture.submit(in_pool(stage, 5, name));
    }
    for (stage, name) in [(4, "1/10"), (5, "1/10"), (6, "1/11"), (7, "1/11")] {
        fixture.submit(in_pool(stage, 5, name));
    }
    // Spark's "Nested Pool Test" asserts the first four.
    assert_eq!(stages_launched(&mut fixture, 4), [0, 4, 6, 2]);
    assert_eq!(view(&fixture, "0").running, 2);
    assert_eq!(view(&fixture, "1/11").running, 1);
}

#[test]
fn in_fifo_mode_the_pool_asked_for_is_ignored() {
    let mut fixture = Fixture::new();
    fixture.submit(in_pool(0, 1, "test"));
    fixture.submit(in_pool(1, 1, "test"));
    assert_eq!(fixture.scheduler.snapshot().pools.len(), 1);
    assert_eq!(view(&fixture, "").task_sets, 2);
    assert_eq!(fixture.notices, []);
}

#[test]
fn without_a_pool_fair_uses_the_default_pool() {
    let mut fixture = fair(Some(&[]));
    fixture.submit(task_set(0, 0, 1));
    fixture.submit(task_set(1, 0, 1));
    let default = view(&fixture, DEFAULT_POOL);
    assert_eq!(default.task_sets, 2);
    assert_eq!(
        (default.min_share, default.weight, default.mode),
        (0, 1, SchedulingMode::Fifo)
    );
}

#[test]
fn an_unknown_pool_is_made_with_defaults_and_a_notice() {
    let mut fixture = fair(Some(&[]));
    fixture.submit(in_pool(0, 1, "surprise"));
    let made = view(&fixture, "surprise");
    assert_eq!(
        (made.min_share, made.weight, made.mode, made.task_sets),
        (0, 1, SchedulingMode::Fifo, 1)
    );
    assert_eq!(
        fixture.notices,
        [Notice::PoolCreated {
            pool: "surprise".into()
        }]
    );
}

#[test]
fn the_mode_none_is_refused() {
    assert_eq!(SchedulingMode::from_word("NONE"), None);
}

#[test]
fn defined_pools_stand_beside_the_default_one() {
    let fixture = fair(Some(&[
        pool("pool1", SchedulingMode::Fifo, 3, 1),
        pool("pool2", SchedulingMode::Fair, 4, 2),
        pool("pool3", SchedulingMode::Fair, 2, 3),
    ]));
    let pools: Vec<_> = fixture
        .scheduler
        .snapshot()
        .pools
        .into_iter()
        .map(|pool| {
            (
                pool.name.to_string(),
                pool.min_share,
                pool.weight,
                pool.mode,
            )
        })
        .collect();
    assert_eq!(
        pools[1..],
        [
            ("pool1".into(), 3, 1, SchedulingMode::Fifo),
            ("pool2".into(), 4, 2, SchedulingMode::Fair),
            ("pool3".into(), 2, 3, SchedulingMode::Fair),
            ("default".into(), 0, 1, SchedulingMode::Fifo),
        ]
    );
}

#[test]
fn fair_without_a_file_shares_fairly_within_the_default_pool() {
    let mut fixture = fair(None);
    fixture.submit(task_set(0, 0, 2));
    fixture.submit(task_set(1, 0, 2));
    assert_eq!(stages_launched(&mut fixture, 4), [0, 1, 0, 1]);
}

#[test]
fn the_order_of_pools_is_frozen_while_a_round_lasts() {
    let mut fixture = fair(Some(&[
        pool("a", SchedulingMode::Fifo, 0, 1),
        pool("b", SchedulingMode::Fifo, 0, 1),
    ]));
    fixture.submit(in_pool(0, 4, "a"));
    fixture.submit(in_pool(1, 4, "b"));
    let tasks = fixture.offer(&[("e", "h", 4)]);
    assert_eq!(
        tasks.iter().map(|task| task.stage.0).collect::<Vec<_>>(),
        [0, 0, 0, 0]
    );
}

#[test]
fn fair_breaks_ties_between_sets_by_name() {
    let mut fixture = fair(None);
    // "TaskSet_10.0" stands before "TaskSet_2.0".
    fixture.submit(task_set(2, 0, 1));
    fixture.submit(task_set(10, 0, 1));
    assert_eq!(stages_launched(&mut fixture, 2), [10, 2]);
}

#[test]
fn running_counts_of_pools_go_back_when_attempts_end() {
    let mut fixture = fair(Some(&[pool("a", SchedulingMode::Fifo, 0, 1)]));
    fixture.submit(in_pool(0, 3, "a"));
    let tasks = fixture.offer(&[("e", "h", 3)]);
    assert_eq!(view(&fixture, "a").running, 3);
    fixture.finish(&tasks[0]);
    fixture.fail(&tasks[1]);
    assert_eq!(view(&fixture, "a").running, 1);
    assert_eq!(view(&fixture, "").running, 1);
    fixture.lose("e", process_lost(true));
    assert_eq!(view(&fixture, "").running, 0);
}
