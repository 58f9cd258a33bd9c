//! Jobs and the stages they are cut into.

use super::*;
use crate::plan::{Dependency, JobProperties};
use crate::stage::StagePhase;
use crate::task::StageKind;

#[test]
fn a_trivial_job_ends_with_its_result_and_leaves_nothing_behind() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    assert_eq!(h.set(0), (0, 0, vec![0]));
    let task = h.end(0, 0, result());
    assert!(h.succeeded(job));
    assert_eq!(h.results[&job][&0], task);
    h.assert_empty();
}

#[test]
fn a_narrow_dependency_stays_in_the_stage() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let derived = plan.data(NewDataset::derived("", data));
    let mut h = Harness::new(plan);
    let job = h.submit(derived);
    assert_eq!(h.dag.stages().len(), 1);
    h.complete_results(0);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_parent_stage_runs_first_and_has_the_lower_id() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    assert_eq!(h.attempts(), [(0, 0)]);
    assert_eq!(h.sets[0].kind, StageKind::ShuffleMap(shuffle));
    let waiting = h.dag.find_stage(StageId(1)).expect("a stage");
    assert_eq!(waiting.phase, StagePhase::Waiting);
    h.complete_maps(0, 1, &["hostA"]);
    assert_eq!(h.attempts(), [(0, 0), (1, 0)]);
    assert_eq!(h.sets[1].kind, StageKind::Result);
    h.complete_results(1);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_trivial_shuffle_registers_its_outputs_before_the_reducers_run() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 1);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 1, &["hostA", "hostB"]);
    let blocks = h.dag.map_outputs().blocks(shuffle, Partition(0));
    let executors: Vec<_> = blocks
        .expect("complete")
        .into_iter()
        .map(|from| from.executor)
        .collect();
    assert_eq!(executors, [executor_on("hostA"), executor_on("hostB")]);
    h.complete_results(1);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn reducers_run_under_a_newer_epoch_than_the_maps_they_read() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    // By that their executors notice that they know too little.
    assert_eq!((h.sets[0].epoch, h.sets[1].epoch), (0, 1));
}

#[test]
fn a_job_over_no_partitions_succeeds_at_once() {
    let mut plan = PlanBuilder::new();
    let empty = plan.data(NewDataset::source("", 0));
    let some = plan.data(NewDataset::source("", 2));
    let mut h = Harness::new(plan);
    let all = h.submit(empty);
    let none = h.plan().partial_result_job(some, []).expect("a valid job");
    let none = h.submit_request(none);
    for job in [all, none] {
        assert!(h.succeeded(job));
        let started = DagNotice::JobStarted {
            job,
            stages: Vec::new(),
        };
        assert!(h.notices.contains(&started));
    }
    assert_eq!(h.attempts(), []);
    h.assert_empty();
}

#[test]
fn a_shuffle_of_an_empty_dataset_needs_no_map_task() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(0, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    assert_eq!(h.set(0), (1, 0, vec![0, 1]));
    h.complete_results(0);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_job_over_some_partitions_runs_only_those_in_the_order_given() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 5));
    let mut h = Harness::new(plan);
    let wanted = [Partition(3), Partition(1)];
    let request = h.plan().partial_result_job(data, wanted);
    let job = h.submit_request(request.expect("a valid job"));
    assert_eq!(h.set(0), (0, 0, vec![3, 1]));
    h.complete_results(0);
    assert!(h.succeeded(job));
    assert_eq!(h.result_partitions(job), [1, 3]);
    h.assert_empty();
}

#[test]
fn a_parent_that_executors_hold_completely_needs_no_map_stage() {
    let mut plan = PlanBuilder::new();
    let (_, b) = plan.map_reduce(1, 1);
    let c = plan.data(NewDataset::derived("", b).persisted());
    let d = plan.data(NewDataset::derived("", c));
    let mut h = Harness::new(plan);
    h.cache(c, 0, "hostA");
    let job = h.submit(d);
    assert_eq!(h.attempts(), [(1, 0)]);
    h.complete_results(0);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_parent_that_is_held_only_in_part_still_needs_its_map_stage() {
    let mut plan = PlanBuilder::new();
    let (_, b) = plan.map_reduce(1, 2);
    let c = plan.data(NewDataset::derived("", b).persisted());
    let mut h = Harness::new(plan);
    h.cache(c, 1, "hostA");
    h.submit(c);
    assert_eq!(h.attempts(), [(0, 0)]);
}

#[test]
fn only_direct_shuffle_parents_are_parents_of_a_stage() {
    // A ~> E, and B ~> C ~> D ~> E with C, D narrow to nothing else.
    let mut plan = PlanBuilder::new();
    let a = plan.data(NewDataset::source("a", 1));
    let b = plan.data(NewDataset::source("b", 1));
    let from_b = plan.hashed(b, 1);
    let c = plan.data(NewDataset::shuffled("c", [from_b]));
    let from_c = plan.hashed(c, 1);
    let d = plan.data(NewDataset::shuffled("d", [from_c]));
    let from_a = plan.hashed(a, 1);
    let e = NewDataset::with_dependencies(
        "e",
        1,
        [Dependency::Shuffle(from_a), Dependency::one_to_one(d)],
    );
    let e = plan.data(e);
    let mut h = Harness::new(plan);
    h.submit(e);
    let stage_of = |shuffle| h.dag.stage_of_shuffle(shuffle).expect("a stage").0;
    let (of_a, of_b, of_c) = (stage_of(from_a), stage_of(from_b), stage_of(from_c));
    let last = h.dag.stages().last().expect("a stage").id.0;
    assert!(h.parents(of_a).is_empty());
    assert!(h.parents(of_b).is_empty());
    assert_eq!(h.parents(of_c), [of_b]);
    let mut of_last = h.parents(last);
    of_last.sort_unstable();
    let mut expected = [of_a, of_c];
    expected.sort_unstable();
    assert_eq!(of_last, expected);
}

#[test]
fn parents_of_a_stage_may_be_ancestors_of_each_other() {
    let mut plan = PlanBuilder::new();
    let a = plan.data(NewDataset::source("a", 1));
    let s_a = plan.hashed(a, 1);
    let b = plan.data(NewDataset::shuffled("b", [s_a]));
    let s_b = plan.hashed(b, 1);
    let c = plan.data(NewDataset::shuffled("c", [s_a, s_b]));
    let s_c = plan.hashed(c, 1);
    let d = plan.data(NewDataset::shuffled("d", [s_c]));
    let mut h = Harness::new(plan);
    let job = h.submit(d);
    assert_eq!(h.parents(1), [0]);
    assert_eq!(h.parents(2), [0, 1]);
    assert_eq!(h.parents(3), [2]);
    for set in 0..3 {
        h.complete_maps(set, 1, &["hostA"]);
    }
    h.complete_results(3);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_stage_waits_for_all_of_its_parents() {
    let mut plan = PlanBuilder::new();
    let a = plan.data(NewDataset::source("a", 1));
    let b = plan.data(NewDataset::source("b", 1));
    let (s_a, s_b) = (plan.hashed(a, 2), plan.hashed(b, 2));
    let join = plan.data(NewDataset::shuffled("join", [s_a, s_b]));
    let mut h = Harness::new(plan);
    let job = h.submit(join);
    assert_eq!(h.attempts(), [(0, 0), (1, 0)]);
    h.complete_maps(1, 2, &["hostA"]);
    assert_eq!(h.sets.len(), 2);
    h.complete_maps(0, 2, &["hostB"]);
    assert_eq!(h.attempts(), [(0, 0), (1, 0), (2, 0)]);
    h.complete_results(2);
    assert!(h.succeeded(job));
}

#[test]
fn a_lineage_of_a_thousand_shuffles_is_no_trouble() {
    let mut plan = PlanBuilder::new();
    let mut last = plan.data(NewDataset::source("", 1));
    for _ in 0..1000 {
        let shuffle = plan.hashed(last, 1);
        last = plan.data(NewDataset::shuffled("", [shuffle]));
    }
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    for set in 0..1000 {
        h.complete_maps(set, 1, &["hostA"]);
    }
    h.complete_results(1000);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_task_set_carries_the_properties_of_its_job() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    let properties = JobProperties {
        pool: Some("fast".into()),
    };
    let request = h.plan().result_job(reduce).expect("a valid job");
    let job = h.submit_request(request.with_properties(properties));
    h.complete_maps(0, 1, &["hostA"]);
    for set in &h.sets {
        assert_eq!(set.pool.as_deref(), Some("fast"));
        assert_eq!(set.job, job);
    }
}

#[test]
fn a_failed_task_set_fails_the_job_with_its_reason() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    h.fail_set(0, "some failure");
    assert_eq!(
        h.failure(job),
        "Job aborted due to stage failure: some failure"
    );
    assert_eq!(h.failed_stages(), [0]);
    h.assert_empty();
}

#[test]
fn a_failed_map_stage_fails_the_job_and_only_that_stage_is_reported() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.fail_set(0, "Exception failure in map stage");
    assert_eq!(
        h.failure(job),
        "Job aborted due to stage failure: Exception failure in map stage"
    );
    assert_eq!(h.failed_stages(), [0]);
    h.assert_empty();
}

#[test]
fn failures_that_the_task_set_manager_handles_change_nothing() {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    let mut h = Harness::new(plan);
    let job = h.submit(data);
    let lost = TaskEndReason::ExecutorLost {
        caused_by_app: true,
        reason: Arc::new(ExecutorLossReason::Killed),
    };
    let reasons = [
        failed("exit 1"),
        killed(),
        lost,
        TaskEndReason::ResultLost,
        TaskEndReason::CommitDenied,
        TaskEndReason::Unknown,
    ];
    for reason in reasons {
        h.end(0, 0, reason);
    }
    assert!(h.is_active(job));
    assert_eq!(h.sets.len(), 1);
    h.complete_results(0);
    assert!(h.succeeded(job));
}

#[test]
fn ends_of_tasks_are_made_known_even_after_their_stage_is_over() {
    let mut plan = PlanBuilder::new();
    let (_, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete_results(1);
    assert!(h.succeeded(job));
    let ends =
        |h: &Harness| h.count(|n| matches!(n, DagNotice::Task(TaskReport::TaskEnded { .. })));
    assert_eq!(ends(&h), 4);
    h.end(1, 0, result());
    h.end(1, 1, TaskEndReason::Unknown);
    assert_eq!(ends(&h), 6);
    assert_eq!(h.result_partitions(job), [0, 1]);
}

#[test]
fn what_is_unknown_or_late_is_ignored() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 1, &["hostA"]);
    h.complete_results(1);
    h.fail_set(0, "late");
    h.fail_set(1, "late");
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.send(DagEvent::AllCancelled);
    h.send(DagEvent::TimePassed);
    assert!(h.succeeded(job));
    h.assert_empty();
}
