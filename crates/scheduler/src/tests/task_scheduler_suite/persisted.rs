//! Not Spark's: task sets that are made from one persisted dataset.

use super::*;
use crate::ids::DatasetId;

const DATASET: DatasetId = DatasetId(4);

fn made_from_it(stage: u32, tasks: u32) -> TaskSet {
    TaskSet {
        tasks: (0..tasks)
            .map(|index| TaskSpec {
                to_keep: [(DATASET, Partition(index))].into(),
                ..spec(index, &[])
            })
            .collect(),
        ..task_set(stage, 0, 0)
    }
}

fn places(tasks: &[TaskDescription]) -> Vec<(u32, u32)> {
    let mut places: Vec<_> = tasks
        .iter()
        .map(|task| (task.stage.0, task.partition.0))
        .collect();
    places.sort_unstable();
    places
}

impl Fixture {
    fn keeps(&mut self, task: &TaskDescription) {
        self.tell(TaskSchedulerEvent::PartitionKept {
            partition: (DATASET, task.partition),
            executor: task.executor.clone(),
        });
    }
}

#[test]
fn a_partition_is_made_by_one_task_and_read_by_the_others_where_it_is() {
    let mut fixture = Fixture::new();
    fixture.submit(made_from_it(0, 2));
    fixture.submit(made_from_it(1, 3));
    let first = fixture.offer(&[("e0", "h0", 1), ("e1", "h1", 3)]);
    assert_eq!(
        places(&first),
        [(0, 0), (0, 1), (1, 2)],
        "each makes another one"
    );
    assert_eq!(fixture.offer(&[("e0", "h0", 9)]).len(), 0);
    let mut revived = false;
    for task in &first[..2] {
        fixture.keeps(task);
        fixture.finish(task);
        revived |= fixture.revived;
    }
    assert!(revived, "what was held back can go on");
    for task in &first[..2] {
        let there = fixture.offer_part(task.executor.as_str(), "h0", 1);
        assert_eq!(places(&there), [(1, task.partition.0)]);
        assert_eq!(there[0].locality, LocalityLevel::ProcessLocal);
    }
}

#[test]
fn what_is_kept_already_is_not_waited_for() {
    let mut fixture = Fixture::new();
    fixture.submit(made_from_it(0, 1));
    fixture.submit(made_from_it(1, 1));
    fixture.submit(made_from_it(2, 1));
    let first = fixture.offer(&[("e0", "h0", 1)]);
    fixture.keeps(&first[0]);
    let both = fixture.offer(&[("e0", "h0", 2)]);
    assert_eq!(places(&both), [(1, 0), (2, 0)]);
}

#[test]
fn when_nothing_was_kept_the_next_one_makes_it() {
    for lost in [false, true] {
        let mut fixture = Fixture::new();
        fixture.submit(made_from_it(0, 1));
        fixture.submit(made_from_it(1, 1));
        let first = fixture.offer(&[("e0", "h0", 2)]);
        assert_eq!(places(&first), [(0, 0)]);
        if lost {
            fixture.keeps(&first[0]);
            fixture.lose("e0", process_lost(false));
        } else {
            fixture.fail(&first[0]);
        }
        assert!(fixture.revived);
        let second = fixture.offer(&[("e1", "h1", 2)]);
        assert_eq!(places(&second), [(0, 0)], "{lost}");
        fixture.finish(&second[0]);
        assert!(fixture.revived);
        let third = fixture.offer(&[("e1", "h1", 2)]);
        assert_eq!(places(&third), [(1, 0)]);
        fixture.finish(&third[0]);
        assert!(fixture.scheduler.making.is_idle());
    }
}

#[test]
fn a_set_that_is_given_up_holds_nobody_back_once_its_attempts_have_ended() {
    let mut fixture = Fixture::new();
    fixture.submit(made_from_it(0, 1));
    let first = fixture.offer(&[("e0", "h0", 1)]);
    fixture.submit(made_from_it(1, 1));
    assert_eq!(fixture.offer(&[("e0", "h0", 1)]).len(), 0);
    fixture.command(TaskCommand::CancelStage {
        stage: StageId(0),
        reason: "".into(),
    });
    let reason = "cancelled".into();
    fixture.status(
        first[0].task,
        AttemptStatus::ended(TaskEndReason::Killed { reason }),
    );
    assert!(fixture.revived);
    assert_eq!(places(&fixture.offer(&[("e0", "h0", 1)])), [(1, 0)]);
}
