//! Spark's `TaskSchedulerImplSuite`: several attempts of a stage.

use super::*;

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
    fixture.status(
        tasks[0].task,
        AttemptStatus::ended(fetch_failed("e9", "h9")),
    );
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
    fixture.status(
        first[0].task,
        AttemptStatus::ended(fetch_failed("e9", "h9")),
    );
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
