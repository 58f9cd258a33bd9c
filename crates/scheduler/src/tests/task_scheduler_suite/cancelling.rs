//! Spark's `TaskSchedulerImplSuite`: cancelling.

use super::*;

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
            AttemptStatus::ended(TaskEndReason::Killed {
                reason: "no longer wanted".into(),
            }),
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
            AttemptStatus::ended(TaskEndReason::Killed {
                reason: "try again".into(),
            }),
        );
    }
    let set = fixture.set(0, 0).expect("alive");
    assert!(!set.zombie);
    assert_eq!(set.running, 0);
    assert_eq!(set.waiting, 10);
    assert!(fixture.failed(0).is_none());
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
