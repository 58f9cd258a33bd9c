//! Spark's `TaskSchedulerImplSuite`: custom resources and profiles.

use super::*;
use crate::plan::Amount;

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
        .map(|task| task.resources[0].addresses[0].to_string())
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
            .filter(|task| task.resources[0].addresses.len() == gpus)
            .count()
    };
    assert_eq!((tasks.len(), with(&tasks, 1), with(&tasks, 2)), (5, 2, 3));
    let tasks = fixture.place(vec![of_second()], true);
    assert_eq!((tasks.len(), with(&tasks, 2)), (2, 2));
}

#[test]
fn tasks_that_need_a_part_share_an_address() {
    let mut fixture = Fixture::new();
    fixture.submit(TaskSet {
        needs: TaskNeeds {
            resources: vec![("gpu".into(), Amount::Shared(3))],
            ..needs(1)
        },
        ..task_set(0, 0, 9)
    });
    let tasks = fixture.place(vec![offer_with_gpus("e0", "h0", 8, 0..2)], true);
    let addresses: String = tasks
        .iter()
        .map(|task| &*task.resources[0].addresses[0])
        .collect();
    assert_eq!(addresses, "000111");
}
