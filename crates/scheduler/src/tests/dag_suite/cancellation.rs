//! Jobs that end before their time.

use super::*;

fn two_stage_job() -> (Harness, JobId) {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    (h, job)
}

fn cancelled_stages(h: &Harness) -> Vec<u32> {
    let cancelled = |command: &TaskCommand| match command {
        TaskCommand::CancelStage { stage, .. } => Some(stage.0),
        _ => None,
    };
    h.commands.iter().filter_map(cancelled).collect()
}

#[test]
fn a_cancelled_job_fails_and_its_running_stage_with_it() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    h.send(DagEvent::AllCancelled);
    assert_eq!(
        h.failure(job),
        format!("Job {job} cancelled as part of cancellation of all jobs")
    );
    assert_eq!(h.failed_stages(), [0]);
    assert_eq!(cancelled_stages(&h), [0]);
    h.assert_empty();
}

#[test]
fn cancelling_twice_is_cancelling_once() {
    let (mut h, job) = two_stage_job();
    for _ in 0..2 {
        h.send(DagEvent::AllCancelled);
    }
    assert!(!h.is_active(job));
    h.assert_empty();
}

#[test]
fn only_running_stages_are_cancelled() {
    let (mut h, _) = two_stage_job();
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.send(DagEvent::AllCancelled);
    assert_eq!(cancelled_stages(&h), [1]);
    assert_eq!(h.failed_stages(), [1]);
}

#[test]
fn cancelling_all_jobs_leaves_nothing() {
    let (mut h, job) = two_stage_job();
    let dataset = h.plan().datasets().last().expect("a dataset").0;
    let second = h.submit(dataset);
    h.send(DagEvent::AllCancelled);
    for job in [job, second] {
        assert_eq!(
            h.failure(job),
            format!("Job {job} cancelled as part of cancellation of all jobs")
        );
    }
    h.assert_empty();
}

#[test]
fn a_job_cancelled_while_its_stages_are_to_be_retried_stays_cancelled() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.send(DagEvent::AllCancelled);
    h.assert_empty();
    h.now = Timestamp::from_millis(1000);
    h.send(DagEvent::TimePassed);
    assert_eq!(h.sets.len(), 2);
}

#[test]
fn a_stage_that_another_job_needs_goes_on() {
    let mut plan = PlanBuilder::new();
    let map_side = plan.data(NewDataset::source("", 1));
    let shuffle = plan.hashed(map_side, 1);
    let (own, _) = plan.map_reduce(1, 1);
    let one = plan.data(NewDataset::shuffled("", [shuffle, own]));
    let two = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    let (first, second) = (h.submit(one), h.submit(two));
    h.fail_set(1, "no");
    assert_eq!(h.failure(first), "Job aborted due to stage failure: no");
    assert_eq!(cancelled_stages(&h), [1]);
    h.complete_maps(0, 1, &["hostA"]);
    h.complete_results(2);
    assert!(h.succeeded(second));
    h.assert_empty();
}
