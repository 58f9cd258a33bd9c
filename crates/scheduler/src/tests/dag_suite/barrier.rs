//! Barrier stages.

use super::*;
use crate::dag_scheduler::ExecutorCapacity;

fn capacity(h: &mut Harness, cores: &[u32]) {
    let executor = |cores: &u32| ExecutorCapacity {
        cores: *cores,
        resources: Vec::new(),
    };
    let all = cores.iter().map(executor).collect();
    h.send(DagEvent::CapacityChanged(all));
}

/// Two barrier maps, two reducers, room for all.
fn barrier_maps() -> (Harness, ShuffleId, JobId) {
    let mut plan = PlanBuilder::new();
    let map_side = plan.data(NewDataset::source("", 2).barrier());
    let shuffle = plan.hashed(map_side, 2);
    let reduce = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    capacity(&mut h, &[2, 2]);
    let job = h.submit(reduce);
    assert!(h.sets[0].barrier);
    (h, shuffle, job)
}

fn submissions_of(h: &Harness, stage: u32) -> usize {
    h.attempts().iter().filter(|(id, _)| *id == stage).count()
}

#[test]
fn one_unreadable_output_makes_all_barrier_maps_run_again() {
    let (mut h, shuffle, job) = barrier_maps();
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    assert!(!h.sets[1].barrier);
    h.end(1, 0, result());
    h.end(1, 1, fetch_failed("hostA", shuffle, 0, 1));
    assert_eq!(h.missing(shuffle), [0, 1]);
    h.resubmit_failed();
    assert_eq!(h.set(2), (0, 1, vec![0, 1]));
    h.complete_maps(2, 2, &["hostA", "hostB"]);
    assert_eq!(h.set(3), (1, 1, vec![1]));
    h.complete_results(3);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn one_killed_barrier_task_fails_the_stage_and_all_run_again() {
    let (mut h, shuffle, job) = barrier_maps();
    h.end(0, 0, map_output("hostA", 2));
    h.end(0, 1, killed());
    assert_eq!(h.failed_stages(), [0]);
    assert_eq!(h.missing(shuffle), [0, 1]);
    let kill = |c: &TaskCommand| matches!(c, TaskCommand::KillAllAttempts { .. });
    assert!(h.commands.iter().any(kill));
    h.resubmit_failed();
    assert_eq!(h.set(1), (0, 1, vec![0, 1]));
    h.complete_maps(1, 2, &["hostA", "hostB"]);
    assert_eq!(h.set(2), (1, 0, vec![0, 1]));
    h.complete_results(2);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_failed_barrier_result_task_fails_the_job() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 2).barrier());
    let mut h = Harness::new(plan);
    capacity(&mut h, &[2]);
    let job = h.submit(data);
    h.end(0, 0, result());
    h.end(0, 1, failed("exit 1"));
    let failure = h.failure(job);
    assert!(
        failure.starts_with(
            "Job aborted due to stage failure: Could not recover from a failed barrier ResultStage."
        ),
        "{failure}"
    );
    h.assert_empty();
}

#[test]
fn a_fetch_failure_in_a_barrier_result_stage_fails_the_job() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 2);
    let together = plan.data(NewDataset::derived("", reduce).barrier());
    let mut h = Harness::new(plan);
    capacity(&mut h, &[2]);
    let job = h.submit(together);
    h.complete_maps(0, 2, &["hostA"]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    assert!(h.failure(job).contains("barrier ResultStage"));
    h.assert_empty();
}

#[test]
fn two_failures_of_one_barrier_attempt_cause_one_retry() {
    let (mut h, _, _) = barrier_maps();
    h.end(0, 0, failed("first"));
    h.end(0, 1, failed("second"));
    h.resubmit_failed();
    assert_eq!(submissions_of(&h, 0), 2);
    assert_eq!(h.dag.next_deadline(), None);
}

#[test]
fn a_failure_of_an_earlier_barrier_attempt_causes_no_retry() {
    let (mut h, _, job) = barrier_maps();
    h.end(0, 0, failed("first"));
    h.resubmit_failed();
    h.end(0, 1, failed("late"));
    assert_eq!(h.dag.next_deadline(), None);
    assert_eq!(submissions_of(&h, 0), 2);
    h.complete_maps(1, 2, &["hostA", "hostB"]);
    h.complete_results(2);
    assert!(h.succeeded(job));
}

#[test]
fn a_late_success_of_a_failed_barrier_attempt_is_worth_nothing() {
    let (mut h, shuffle, _) = barrier_maps();
    h.end(0, 0, failed("first"));
    h.end(0, 1, map_output("hostB", 2));
    assert_eq!(h.missing(shuffle), [0, 1]);
    h.resubmit_failed();
    assert_eq!(h.set(1), (0, 1, vec![0, 1]));
    h.end(0, 1, map_output("hostB", 2));
    assert_eq!(h.missing(shuffle), [0, 1]);
}

#[test]
fn a_barrier_stage_is_given_up_after_four_failed_attempts() {
    let (mut h, _, job) = barrier_maps();
    for round in 0..4 {
        assert!(h.is_active(job));
        h.end(round, 0, failed("again"));
        if round < 3 {
            h.resubmit_failed();
        }
    }
    assert!(
        h.failure(job)
            .contains("has failed the maximum allowable number of times: 4")
    );
    h.assert_empty();
}

#[test]
fn a_barrier_job_waits_for_slots_and_fails_after_forty_more_checks() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("wide", 5).barrier());
    let mut h = Harness::new(plan);
    capacity(&mut h, &[2, 2]);
    let job = h.submit(data);
    let mut checks = 1;
    while h.is_active(job) {
        let due = h.dag.next_deadline().expect("a next check");
        assert_eq!(due - h.now, Duration::from_secs(15));
        h.now = due;
        h.send(DagEvent::TimePassed);
        checks += 1;
    }
    assert_eq!(checks, 41);
    let failure = h.failure(job);
    assert!(
        failure.contains("needs 5 slots at once, but the cluster has 4"),
        "{failure}"
    );
    h.assert_empty();
}

#[test]
fn a_barrier_job_starts_when_the_cluster_has_grown() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("wide", 5).barrier());
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    assert!(h.sets.is_empty());
    capacity(&mut h, &[3, 2]);
    h.now = Timestamp::from_millis(15_000);
    h.send(DagEvent::TimePassed);
    assert_eq!(h.sets.len(), 1);
    h.complete_results(0);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_barrier_job_that_waits_can_be_cancelled() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("wide", 5).barrier());
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    h.send(DagEvent::AllCancelled);
    assert!(!h.is_active(job));
    h.assert_empty();
}

#[test]
fn barrier_stages_and_dynamic_allocation_exclude_each_other() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1).barrier());
    let config = DagSchedulerConfig {
        dynamic_allocation: true,
        ..DagSchedulerConfig::default()
    };
    let mut h = Harness::with_config(plan, config);
    let job = h.submit(data);
    assert!(h.failure(job).contains("dynamic allocation"));
}

#[test]
fn a_barrier_stage_must_compute_one_barrier_dataset_completely() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 2).barrier());
    let other = plan.data(NewDataset::source("", 2));
    let union = plan.data(NewDataset::union("", [data, other]));
    let twice = plan.data(NewDataset::derived("", data).barrier());
    let mut h = Harness::new(plan);
    capacity(&mut h, &[8]);
    let in_part = h.plan().partial_result_job(data, [Partition(0)]);
    let refused = [
        h.submit(union),
        h.submit(twice),
        h.submit_request(in_part.expect("a valid job")),
    ];
    for job in refused {
        assert!(h.failure(job).contains("must compute all partitions"));
    }
    h.assert_empty();
}
