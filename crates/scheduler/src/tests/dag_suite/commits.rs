//! Commit arbitration over the life of a stage.

use super::*;

impl Harness {
    fn may_commit(&mut self, stage: u32, partition: u32, task: TaskId) -> bool {
        self.send(DagEvent::CommitRequested {
            stage: StageId(stage),
            partition: Partition(partition),
            task,
        });
        match self.notices.last() {
            Some(DagNotice::CommitDecided { task: to, granted }) if *to == task => *granted,
            other => panic!("a request is answered, not {other:?}"),
        }
    }
}

fn running_job(partitions: u32) -> (Harness, JobId) {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", partitions));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    (h, job)
}

#[test]
fn one_attempt_may_commit_a_partition_however_many_ask() {
    let (mut h, _) = running_job(2);
    assert!(h.may_commit(0, 0, TaskId(100)));
    assert!(!h.may_commit(0, 0, TaskId(101)));
    assert!(h.may_commit(0, 1, TaskId(101)));
}

#[test]
fn a_committer_that_fails_makes_way_and_a_denied_one_does_not() {
    let (mut h, _) = running_job(1);
    let committer = TaskId(h.next_task);
    assert!(h.may_commit(0, 0, committer));
    h.end(0, 0, failed("died while committing"));
    let denied = TaskId(h.next_task);
    assert!(!h.may_commit(0, 0, committer), "it failed");
    assert!(h.may_commit(0, 0, TaskId(100)));
    assert!(!h.may_commit(0, 0, denied));
    h.end(0, 0, TaskEndReason::CommitDenied);
    assert!(!h.may_commit(0, 0, TaskId(101)));
}

#[test]
fn nothing_is_committed_for_a_job_that_is_over() {
    let (mut h, _) = running_job(1);
    h.send(DagEvent::AllCancelled);
    assert!(!h.may_commit(0, 0, TaskId(100)));
}

#[test]
fn a_right_to_commit_outlives_the_attempt_at_the_stage() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 2);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 2, &["hostA"]);
    let committer = TaskId(100);
    assert!(h.may_commit(1, 1, committer));
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    h.complete_maps(2, 2, &["hostA"]);
    assert_eq!(h.set(3), (1, 1, vec![0, 1]));
    assert!(!h.may_commit(1, 1, TaskId(101)));
    assert!(h.may_commit(1, 1, committer));
}

#[test]
fn a_commit_that_does_not_count_can_be_committed_over() {
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 1).indeterminate());
    let shuffle = plan.hashed(source, 2);
    let reduce = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 2, &["hostA"]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    let committer = TaskId(h.next_task);
    assert!(h.may_commit(1, 1, committer));
    h.end(1, 1, result());
    assert!(h.may_commit(1, 1, TaskId(100)));
}
