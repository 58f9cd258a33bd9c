//! Spark's `TaskSchedulerImplSuite`: choosing among offers.

use super::*;

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
