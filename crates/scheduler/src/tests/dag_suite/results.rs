//! Results: each counted once, and what remains is stopped.

use super::*;

#[test]
fn a_second_success_of_a_partition_does_not_count() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 2));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    let first = h.end(0, 0, result());
    h.end(0, 0, result());
    assert!(h.is_active(job));
    h.end(0, 1, result());
    assert!(h.succeeded(job));
    assert_eq!(h.results[&job][&0], first);
}

#[test]
fn attempts_left_over_when_a_job_succeeds_are_killed() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let mut h = Harness::new(plan);
    h.submit(data);
    h.complete_results(0);
    let kill = TaskCommand::KillAllAttempts {
        stage: StageId(0),
        reason: "Stage finished".into(),
    };
    assert_eq!(h.commands, [kill]);
}

#[test]
fn the_last_result_is_made_known_before_the_end_of_the_job() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    h.complete_results(0);
    let place = |wanted: &dyn Fn(&DagNotice) -> bool| h.notices.iter().position(wanted);
    let ready = place(&|n| matches!(n, DagNotice::ResultReady { .. }));
    let ended = place(&|n| matches!(n, DagNotice::JobEnded { .. }));
    assert!(ready < ended);
    assert_eq!(ended, Some(h.notices.len() - 1));
    assert!(h.succeeded(job));
}

#[test]
fn a_late_result_of_an_earlier_attempt_counts() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    h.complete_maps(2, 2, &["hostA"]);
    assert_eq!(h.set(3), (1, 1, vec![0, 1]));
    // Partition 1 of the first attempt had been running all along.
    let late = h.end(1, 1, result());
    let told = TaskCommand::PartitionCompleted {
        stage: StageId(1),
        partition: Partition(1),
    };
    assert!(h.commands.contains(&told));
    assert_eq!(h.results[&job][&1], late);
    h.end(3, 0, result());
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_late_result_while_the_stage_is_about_to_be_retried_can_end_the_job() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 2, &["hostA"]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.end(1, 1, result());
    assert!(h.is_active(job));
    // A copy of the failed task, started earlier, could read its input.
    h.end(1, 0, result());
    assert!(h.succeeded(job));
    h.assert_empty();
}
