//! Stages that several jobs use, at once or one after the other.

use super::*;
use crate::plan::JobProperties;

/// One shuffle, read by two datasets.
fn shared_shuffle(maps: u32, reducers: u32) -> (Harness, ShuffleId, [DatasetId; 2]) {
    let mut plan = PlanBuilder::new();
    let map_side = plan.data(NewDataset::source("", maps));
    let shuffle = plan.hashed(map_side, reducers);
    let read = [0, 1].map(|_| plan.data(NewDataset::shuffled("", [shuffle])));
    (Harness::new(plan), shuffle, read)
}

#[test]
fn two_jobs_at_once_share_the_stage_that_both_need() {
    let (mut h, _, [one, two]) = shared_shuffle(1, 1);
    let jobs = [h.submit(one), h.submit(two)];
    assert_eq!(h.attempts(), [(0, 0)]);
    let stage = h.dag.find_stage(StageId(0)).expect("a stage");
    assert_eq!(stage.jobs, jobs);
    h.complete_maps(0, 1, &["hostA"]);
    assert_eq!(h.attempts(), [(0, 0), (1, 0), (2, 0)]);
    h.complete_results(1);
    h.complete_results(2);
    assert!(jobs.iter().all(|job| h.succeeded(*job)));
    h.assert_empty();
}

#[test]
fn a_later_job_skips_the_stage_whose_output_exists() {
    let (mut h, shuffle, [one, two]) = shared_shuffle(2, 2);
    h.submit(one);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete_results(1);
    h.assert_empty();
    assert!(h.dag.map_outputs().is_complete(shuffle));
    let job = h.submit(two);
    assert_eq!(h.attempts(), [(0, 0), (1, 0), (3, 0)]);
    h.complete_results(2);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_skipped_stage_that_must_run_after_all_shows_as_a_retry() {
    let (mut h, shuffle, [one, two]) = shared_shuffle(2, 2);
    h.submit(one);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete_results(1);
    let job = h.submit(two);
    assert_eq!(h.set(2), (3, 0, vec![0, 1]));
    h.end(2, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(3), (2, 1, vec![0]));
    h.complete_maps(3, 2, &["hostA"]);
    assert_eq!(h.set(4), (3, 1, vec![0, 1]));
    h.complete_results(4);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn outputs_of_a_released_shuffle_are_forgotten_unless_a_job_needs_them() {
    let (mut h, shuffle, [one, two]) = shared_shuffle(1, 1);
    h.submit(one);
    h.complete_maps(0, 1, &["hostA"]);
    h.send(DagEvent::ShuffleReleased(shuffle));
    assert!(h.dag.map_outputs().is_complete(shuffle));
    h.complete_results(1);
    h.send(DagEvent::ShuffleReleased(shuffle));
    assert!(!h.dag.map_outputs().contains_shuffle(shuffle));
    h.submit(two);
    assert_eq!(h.set(2), (2, 0, vec![0]));
}

/// Two jobs over one shuffle in different pools.
fn two_jobs_in_pools() -> (Harness, ShuffleId, [JobId; 2]) {
    let (mut h, shuffle, datasets) = shared_shuffle(2, 2);
    let first = submit_to(&mut h, datasets[0], "first");
    let second = submit_to(&mut h, datasets[1], "second");
    assert_eq!(h.sets[0].pool.as_deref(), Some("first"));
    assert_eq!(h.sets[0].job, first);
    (h, shuffle, [first, second])
}

fn submit_to(h: &mut Harness, dataset: DatasetId, pool: &str) -> JobId {
    let properties = JobProperties {
        pool: Some(pool.into()),
    };
    let request = h.plan().result_job(dataset).expect("a valid job");
    h.submit_request(request.with_properties(properties))
}

/// Two jobs over one shuffle in different pools. The first, which needs another
/// shuffle too, fails for that once the shared stage has begun.
fn first_job_failed() -> (Harness, ShuffleId, JobId) {
    let mut plan = PlanBuilder::new();
    let (shuffle, two) = plan.map_reduce(2, 2);
    let (own, _) = plan.map_reduce(1, 2);
    let one = plan.data(NewDataset::shuffled("", [shuffle, own]));
    let mut h = Harness::new(plan);
    let first = submit_to(&mut h, one, "first");
    let second = submit_to(&mut h, two, "second");
    h.fail_set(1, "no");
    assert_eq!(h.failure(first), "Job aborted due to stage failure: no");
    assert!(h.is_active(second));
    (h, shuffle, second)
}

#[test]
fn a_stage_that_two_jobs_need_runs_in_the_name_of_the_older() {
    let (mut h, shuffle, [first, _]) = two_jobs_in_pools();
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(3), (0, 1, vec![0]));
    assert_eq!(h.sets[3].pool.as_deref(), Some("first"));
    assert_eq!(h.sets[3].job, first);
}

#[test]
fn a_stage_used_by_two_jobs_goes_on_when_the_first_fails() {
    let (mut h, _, second) = first_job_failed();
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    assert_eq!(h.sets[2].pool.as_deref(), Some("second"));
    assert_eq!(h.sets[2].job, second);
    h.complete_results(2);
    assert!(h.succeeded(second));
    h.assert_empty();
}

#[test]
fn a_retried_stage_carries_the_properties_of_the_job_that_is_left() {
    let (mut h, shuffle, second) = first_job_failed();
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.end(2, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(3), (0, 1, vec![0]));
    h.complete_maps(3, 2, &["hostA"]);
    h.complete_results(4);
    for set in &h.sets[2..] {
        assert_eq!(set.pool.as_deref(), Some("second"));
        assert_eq!(set.job, second);
    }
    assert!(h.succeeded(second));
    h.assert_empty();
}

#[test]
fn an_aborted_stage_fails_every_job_that_still_needs_it() {
    let (mut h, _, [one, two]) = shared_shuffle(1, 1);
    let jobs = [h.submit(one), h.submit(two)];
    h.fail_set(0, "no");
    for job in jobs {
        assert_eq!(h.failure(job), "Job aborted due to stage failure: no");
    }
    h.assert_empty();
}

#[test]
fn an_aborted_stage_whose_output_is_complete_fails_nobody() {
    let (mut h, _, [one, _]) = shared_shuffle(1, 1);
    let job = h.submit(one);
    h.complete_maps(0, 1, &["hostA"]);
    h.fail_set(0, "late");
    assert!(h.is_active(job));
    h.complete_results(1);
    assert!(h.succeeded(job));
}

#[test]
fn a_stage_runs_in_the_name_of_the_oldest_job_that_needs_it() {
    let (mut h, _, [one, two]) = shared_shuffle(2, 1);
    let first = h.submit(one);
    h.submit(two);
    let old = h.dag.map_outputs().epoch();
    h.lose_executor("hostA");
    h.end_with_epoch(0, 0, map_output("hostA", 1), old);
    h.end_with_epoch(0, 1, map_output("hostB", 1), old);
    assert_eq!(h.set(1), (0, 1, vec![0]));
    assert_eq!(h.sets[1].job, first);
}
