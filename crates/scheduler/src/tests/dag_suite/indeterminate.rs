//! Stages whose output may come out differently when they run again.

use super::*;

/// Three chained stages, the first indeterminate, two tasks each; then results.
fn chain() -> (Harness, Vec<ShuffleId>, JobId) {
    let mut plan = PlanBuilder::new();
    let mut last = plan.data(NewDataset::source("", 2).indeterminate());
    let mut shuffles = Vec::new();
    for _ in 0..3 {
        let shuffle = plan.hashed(last, 2);
        last = plan.data(NewDataset::shuffled("", [shuffle]));
        shuffles.push(shuffle);
    }
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    for set in 0..3 {
        h.complete_maps(set, 2, &["hostA", "hostB"]);
    }
    (h, shuffles, job)
}

#[test]
fn what_was_computed_from_an_indeterminate_stage_is_computed_again_with_it() {
    let (mut h, shuffles, job) = chain();
    assert_eq!(h.set(3), (3, 0, vec![0, 1]));
    h.end(3, 0, fetch_failed("hostB", shuffles[2], 1, 0));
    h.resubmit_failed();
    for stage in 0..3 {
        let set = 4 + stage;
        let id = u32::try_from(stage).expect("few");
        assert_eq!(h.set(set), (id, 1, vec![0, 1]));
        h.complete_maps(set, 2, &["hostA", "hostC"]);
    }
    assert_eq!(h.set(7), (3, 1, vec![0, 1]));
    h.complete_results(7);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn results_that_were_used_cannot_be_rolled_back() {
    let (mut h, shuffles, job) = chain();
    h.end(3, 0, result());
    h.end(3, 1, fetch_failed("hostB", shuffles[2], 1, 1));
    let failure = h.failure(job);
    assert!(failure.contains("cannot be rolled back"), "{failure}");
    h.assert_empty();
}

#[test]
fn results_of_determinate_stages_need_no_rolling_back() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.end(1, 0, result());
    h.end(1, 1, fetch_failed("hostB", shuffle, 1, 1));
    assert!(h.is_active(job));
}

#[test]
fn a_late_output_of_an_earlier_indeterminate_attempt_is_ignored() {
    let (mut h, shuffles, _) = chain();
    h.end(3, 0, fetch_failed("hostB", shuffles[2], 1, 0));
    h.resubmit_failed();
    assert_eq!(h.set(4), (0, 1, vec![0, 1]));
    h.end(0, 0, map_output("hostC", 2));
    assert_eq!(h.missing(shuffles[0]), [0, 1]);
    let told = |c: &TaskCommand| matches!(c, TaskCommand::PartitionCompleted { .. });
    assert!(!h.commands.iter().any(told));
}

#[test]
fn a_late_result_from_input_that_is_being_made_anew_does_not_count() {
    let (mut h, shuffles, job) = chain();
    h.end(3, 0, fetch_failed("hostB", shuffles[2], 1, 0));
    // Before and after the stage is tried again.
    h.end(3, 1, result());
    h.resubmit_failed();
    h.end(3, 1, result());
    assert_eq!(h.result_partitions(job), Vec::<u32>::new());
}

#[test]
fn another_job_that_reads_the_same_indeterminate_stage_begins_anew() {
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 2).indeterminate());
    let shuffle = plan.hashed(source, 2);
    let one = plan.data(NewDataset::shuffled("", [shuffle]));
    let two = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    let jobs = [h.submit(one), h.submit(two)];
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    assert_eq!(h.attempts(), [(0, 0), (1, 0), (2, 0)]);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    h.complete_maps(3, 2, &["hostA", "hostB"]);
    assert_eq!(h.attempts()[4..], [(1, 1), (2, 1)]);
    let killed: Vec<_> = h
        .commands
        .iter()
        .filter_map(|command| match command {
            TaskCommand::KillAllAttempts { stage, .. } => Some(stage.0),
            _ => None,
        })
        .collect();
    assert_eq!(killed, [1, 2], "their old attempts read what is gone");
    h.complete_results(4);
    h.complete_results(5);
    assert!(jobs.iter().all(|job| h.succeeded(*job)));
    h.assert_empty();
}

#[test]
fn an_incomplete_indeterminate_stage_starts_from_nothing() {
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 2).indeterminate());
    let shuffle = plan.hashed(source, 2);
    let one = plan.data(NewDataset::shuffled("", [shuffle]));
    let two = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    h.submit(one);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete_results(1);
    h.lose_executor("hostA");
    assert_eq!(h.missing(shuffle), [0]);
    h.submit(two);
    assert_eq!(h.set(2), (2, 0, vec![0, 1]));
}

#[test]
fn datasets_from_different_runs_of_an_indeterminate_stage_are_not_joined() {
    // Two stages read the first; the result joins them.
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 2).indeterminate());
    let first = plan.hashed(source, 1);
    let sides = [0, 1].map(|_| {
        let side = plan.data(NewDataset::shuffled("", [first]));
        plan.hashed(side, 1)
    });
    let join = plan.data(NewDataset::shuffled("", sides));
    let mut h = Harness::new(plan);
    let job = h.submit(join);
    h.complete_maps(0, 1, &["hostA", "hostA"]);
    h.complete_maps(1, 1, &["hostA"]);
    h.complete_maps(2, 1, &["hostB"]);
    assert_eq!(h.set(3), (3, 0, vec![0]));
    // With hostA go the first stage and one side; the other side is complete,
    // but descends from outputs that are being made again.
    h.end(3, 0, fetch_failed("hostA", sides[0], 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(4), (0, 1, vec![0, 1]));
    h.complete_maps(4, 1, &["hostC", "hostC"]);
    assert_eq!(h.set(5), (1, 1, vec![0]));
    h.complete_maps(5, 1, &["hostC"]);
    assert_eq!(h.set(6), (2, 1, vec![0]));
    h.complete_maps(6, 1, &["hostC"]);
    assert_eq!(h.set(7), (3, 1, vec![0]));
    h.complete_results(7);
    assert!(h.succeeded(job));
    h.assert_empty();
}

/// Two jobs read an indeterminate stage; the first has begun to.
fn reader_is_running() -> (Harness, JobId, DatasetId) {
    let mut plan = PlanBuilder::new();
    let source = plan.data(NewDataset::source("", 2).indeterminate());
    let shuffle = plan.hashed(source, 2);
    let one = plan.data(NewDataset::shuffled("", [shuffle]));
    let two = plan.data(NewDataset::shuffled("", [shuffle]));
    let mut h = Harness::new(plan);
    let job = h.submit(one);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    (h, job, two)
}

#[test]
fn a_running_reader_begins_anew_when_another_job_has_its_input_made_again() {
    let (mut h, job, two) = reader_is_running();
    h.lose_executor("hostA");
    let second = h.submit(two);
    assert_eq!(h.set(2), (0, 1, vec![0, 1]));
    let cancelled = TaskCommand::CancelStage {
        stage: StageId(1),
        reason: "its input is being made anew".into(),
    };
    assert!(h.commands.contains(&cancelled));
    // The task scheduler confirms; that is no failure of the job.
    h.fail_set(1, "Stage 1 cancelled");
    h.resubmit_failed();
    h.complete_maps(2, 2, &["hostC", "hostC"]);
    for set in 3..5 {
        h.complete_results(set);
    }
    assert!(h.succeeded(job) && h.succeeded(second));
    h.assert_empty();
}

#[test]
fn a_running_reader_with_results_fails_when_its_input_is_made_again() {
    let (mut h, job, two) = reader_is_running();
    h.end(1, 0, result());
    h.lose_executor("hostA");
    let second = h.submit(two);
    assert!(h.failure(job).contains("cannot be rolled back"));
    h.complete_maps(2, 2, &["hostC", "hostC"]);
    h.complete_results(3);
    assert!(h.succeeded(second));
    h.assert_empty();
}
