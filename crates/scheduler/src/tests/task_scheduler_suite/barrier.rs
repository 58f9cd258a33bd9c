//! Spark's `TaskSchedulerImplSuite`: barrier sets.

use super::*;

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
    assert_eq!(
        fixture
            .offer(&[("exec0", "host0", 1), ("exec1", "host1", 1)])
            .len(),
        1,
        "what was left of the next set"
    );
    assert_eq!(fixture.notices.len(), 1, "told again after a minute only");
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
        assert_eq!(task.resources[0].addresses, ["0".into()]);
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
        AttemptStatus::ended(TaskEndReason::Killed {
            reason: "by hand".into(),
        }),
    );
    let set = fixture.set(0, 0).expect("two run on");
    assert!(set.zombie);
    assert_eq!(fixture.offer(&[("e0", "h0", 3)]).len(), 0);
}

#[test]
fn a_lost_output_makes_a_barrier_set_a_zombie() {
    let mut fixture = Fixture::new();
    fixture.submit(shuffle_map(barrier(0, 2, needs(1))));
    let tasks = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 1)]);
    let (lost, left) = (&tasks[0], &tasks[1]);
    fixture.finish_map(lost, "h");
    fixture.lose(lost.executor.as_str(), process_lost(true));
    assert_eq!(
        fixture.ends().last(),
        Some(&(lost.task, &TaskEndReason::Resubmitted))
    );
    // Its task alone will never start: the stage is tried again as a whole.
    assert!(fixture.set(0, 0).expect("the other runs on").zombie);
    assert_eq!(fixture.scheduler.waiting(), 0);
    fixture.finish_map(left, "h");
    assert_eq!(fixture.set(0, 0), None);
}
