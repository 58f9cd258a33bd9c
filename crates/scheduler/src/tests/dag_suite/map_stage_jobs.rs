//! Jobs that want map output only.

use super::*;

#[test]
fn a_map_stage_job_ends_when_all_outputs_are_there_and_spares_later_jobs_the_work() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 1);
    let mut h = Harness::new(plan);
    let job = h.submit_map_stage(shuffle);
    h.end(0, 0, map_output("hostA", 1));
    assert!(h.is_active(job));
    h.end(0, 1, map_output("hostB", 1));
    assert!(h.succeeded(job));
    let ready = DagNotice::MapOutputReady {
        job,
        bytes_by_reducer: [4].into(),
    };
    assert!(h.notices.contains(&ready));
    h.assert_empty();

    let reduce = h.submit(reduce);
    assert_eq!(h.set(1), (2, 0, vec![0]));
    h.complete_results(1);
    assert!(h.succeeded(reduce));
    h.assert_empty();

    let again = h.submit_map_stage(shuffle);
    assert_eq!(h.sets.len(), 2);
    assert!(h.succeeded(again));
    h.assert_empty();
}

#[test]
fn a_map_stage_job_and_a_reduce_job_at_once_use_the_same_stage() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 1);
    let mut h = Harness::new(plan);
    let maps = h.submit_map_stage(shuffle);
    let reduce = h.submit(reduce);
    assert_eq!(h.attempts(), [(0, 0)]);
    h.complete_maps(0, 1, &["hostA", "hostB"]);
    assert!(h.succeeded(maps));
    assert!(h.is_active(reduce));
    assert_eq!(h.set(1), (1, 0, vec![0]));
    h.complete_results(1);
    assert!(h.succeeded(reduce));
    h.assert_empty();
}

#[test]
fn a_fetch_failure_after_a_map_stage_job_reruns_one_task_of_each() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    h.submit_map_stage(shuffle);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    let job = h.submit(reduce);
    h.end(1, 0, result());
    h.end(1, 1, fetch_failed("hostA", shuffle, 0, 1));
    h.resubmit_failed();
    assert_eq!(h.set(2).2, [0]);
    h.complete_maps(2, 2, &["hostA"]);
    assert_eq!(h.set(3).2, [1]);
    h.complete_results(3);
    assert!(h.succeeded(job));
    let sets = h.sets.len();
    let again = h.submit_map_stage(shuffle);
    assert!(h.succeeded(again));
    let reduce = h.submit(reduce);
    assert_eq!(h.sets.len(), sets + 1);
    h.complete_results(sets);
    assert!(h.succeeded(reduce));
    h.assert_empty();
}

#[test]
fn a_map_stage_job_runs_the_stages_before_its_own() {
    let mut plan = PlanBuilder::new();
    let (_, middle) = plan.map_reduce(1, 2);
    let shuffle = plan.hashed(middle, 1);
    let mut h = Harness::new(plan);
    let job = h.submit_map_stage(shuffle);
    h.complete_maps(0, 2, &["hostA"]);
    assert_eq!(h.set(1), (1, 0, vec![0, 1]));
    h.complete_maps(1, 1, &["hostA", "hostB"]);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn an_executor_lost_before_the_last_output_delays_a_map_stage_job() {
    let mut plan = PlanBuilder::new();
    let (shuffle, _) = plan.map_reduce(3, 1);
    let mut h = Harness::new(plan);
    let job = h.submit_map_stage(shuffle);
    let old = h.dag.map_outputs().epoch();
    h.end(0, 0, map_output("hostA", 1));
    h.lose_executor("hostA");
    // Launched before the loss, so its word is worth nothing.
    h.end_with_epoch(0, 1, map_output("hostA", 1), old);
    h.end(0, 2, map_output("hostB", 1));
    assert!(h.is_active(job));
    assert_eq!(h.set(1), (0, 1, vec![0, 1]));
    h.complete_maps(1, 1, &["hostB", "hostB"]);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn two_map_stage_jobs_on_one_shuffle_end_together() {
    let mut plan = PlanBuilder::new();
    let (shuffle, _) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    let jobs = [h.submit_map_stage(shuffle), h.submit_map_stage(shuffle)];
    assert_eq!(h.sets.len(), 1);
    h.complete_maps(0, 1, &["hostA"]);
    assert!(jobs.iter().all(|job| h.succeeded(*job)));
    h.assert_empty();
}

#[test]
fn a_cancelled_map_stage_job_is_not_finished_later() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    let job = h.submit_map_stage(shuffle);
    h.send(DagEvent::AllCancelled);
    let other = h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    h.complete_maps(1, 1, &["hostA"]);
    assert_eq!(
        h.failure(job),
        "Job 0 cancelled as part of cancellation of all jobs"
    );
    h.complete_results(2);
    assert!(h.succeeded(other));
    h.assert_empty();
}
