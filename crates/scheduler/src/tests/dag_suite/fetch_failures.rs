//! Map outputs that cannot be read.

use super::*;

/// Two maps, two reducers, the maps done on hostA and hostB.
fn maps_done() -> (Harness, ShuffleId, JobId) {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    (h, shuffle, job)
}

#[test]
fn one_lost_output_reruns_one_map_task_and_the_unfinished_reducer() {
    let (mut h, shuffle, job) = maps_done();
    h.end(1, 0, result());
    h.end(1, 1, fetch_failed("hostA", shuffle, 0, 1));
    assert_eq!(h.missing(shuffle), [0]);
    assert_eq!(h.sets.len(), 2, "failed stages are gathered first");
    h.resubmit_failed();
    assert_eq!(h.set(2), (0, 1, vec![0]));
    h.complete_maps(2, 2, &["hostA"]);
    assert_eq!(h.set(3), (1, 1, vec![1]));
    h.complete_results(3);
    assert!(h.succeeded(job));
    assert_eq!(h.result_partitions(job), [0, 1]);
    h.assert_empty();
}

#[test]
fn outputs_of_the_executor_are_lost_once_for_all_failures_of_an_epoch() {
    let (mut h, shuffle, _) = maps_done();
    let lost = |h: &Harness| h.count(|n| matches!(n, DagNotice::OutputsLost { .. }));
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    assert_eq!(lost(&h), 1);
    h.end(1, 1, fetch_failed("hostA", shuffle, 0, 1));
    assert_eq!(lost(&h), 1);
    h.resubmit_failed();
    h.complete_maps(2, 2, &["hostA"]);
    h.end(3, 0, fetch_failed("hostA", shuffle, 0, 0));
    assert_eq!(lost(&h), 2);
}

#[test]
fn failed_stages_are_gathered_for_200_ms() {
    let (mut h, shuffle, _) = maps_done();
    h.now = Timestamp::from_millis(5000);
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    assert_eq!(h.dag.next_deadline(), Some(Timestamp::from_millis(5200)));
    h.now = Timestamp::from_millis(5199);
    h.end(1, 1, fetch_failed("hostB", shuffle, 1, 1));
    assert_eq!(h.sets.len(), 2);
    h.now = Timestamp::from_millis(5200);
    h.send(DagEvent::TimePassed);
    assert_eq!(h.set(2), (0, 1, vec![0, 1]));
    assert_eq!(h.dag.next_deadline(), None);
}

#[test]
fn many_fetch_failures_in_one_attempt_count_as_one() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(8, 8);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 8, &["hostA"; 8]);
    for index in 0..8 {
        h.end(1, index, fetch_failed("hostA", shuffle, 0, 0));
        assert!(h.is_active(job));
    }
    h.resubmit_failed();
    h.complete_maps(2, 8, &["hostA"; 8]);
    h.complete_results(3);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_stage_that_fails_in_four_attempts_in_a_row_is_given_up() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    for round in 0..4 {
        let maps = h.sets.len() - 1;
        assert_eq!((h.set(maps).0, h.set(maps).1), (0, round));
        let count = h.sets[maps].tasks.len();
        h.complete_maps(maps, 2, &vec!["hostA"; count]);
        let reducers = h.sets.len() - 1;
        assert_eq!((h.set(reducers).0, h.set(reducers).1), (1, round));
        h.end(reducers, 0, fetch_failed("hostA", shuffle, 0, 0));
        if round < 3 {
            assert!(h.is_active(job), "after {round}");
            h.resubmit_failed();
        }
    }
    let failure = h.failure(job);
    assert!(
        failure.contains("ResultStage 1 () has failed the maximum allowable number of times: 4"),
        "{failure}"
    );
    h.assert_empty();
}

#[test]
fn failures_of_different_stages_are_not_added_up() {
    // Two chained shuffles; two failures in stage 1, then two in stage 2.
    let mut plan = PlanBuilder::new();
    let (one, middle) = plan.map_reduce(2, 2);
    let two = plan.hashed(middle, 2);
    let last = plan.data(NewDataset::shuffled("", [two]));
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    let current = |h: &Harness| h.sets.len() - 1;
    let run_maps = |h: &mut Harness| {
        let set = current(h);
        let count = h.sets[set].tasks.len();
        h.complete_maps(set, 2, &vec!["hostA"; count]);
    };
    for _ in 0..2 {
        run_maps(&mut h);
        let set = current(&h);
        assert_eq!(h.set(set).0, 1);
        h.end(set, 0, fetch_failed("hostA", one, 0, 0));
        h.resubmit_failed();
    }
    run_maps(&mut h);
    for _ in 0..2 {
        run_maps(&mut h);
        let set = current(&h);
        assert_eq!(h.set(set).0, 2);
        h.end(set, 0, fetch_failed("hostA", two, 0, 0));
        h.resubmit_failed();
        run_maps(&mut h);
    }
    run_maps(&mut h);
    let set = current(&h);
    h.complete_results(set);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_success_between_failures_starts_the_count_anew() {
    let mut plan = PlanBuilder::new();
    let (one, middle) = plan.map_reduce(1, 1);
    let two = plan.hashed(middle, 1);
    let last = plan.data(NewDataset::shuffled("", [two]));
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    h.complete_maps(0, 1, &["hostA"]);
    for _ in 0..2 {
        // Stage 1 fails three times, which is not yet too often, and succeeds.
        for _ in 0..3 {
            let set = h.sets.len() - 1;
            assert_eq!(h.set(set).0, 1);
            h.end(set, 0, fetch_failed("hostA", one, 0, 0));
            h.resubmit_failed();
            h.complete_maps(h.sets.len() - 1, 1, &["hostA"]);
        }
        h.complete_maps(h.sets.len() - 1, 1, &["hostB"]);
        let set = h.sets.len() - 1;
        assert_eq!(h.set(set).0, 2);
        h.end(set, 0, fetch_failed("hostB", two, 0, 0));
        h.resubmit_failed();
    }
    assert!(h.is_active(job));
    h.complete_maps(h.sets.len() - 1, 1, &["hostB"]);
    h.complete_results(h.sets.len() - 1);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn only_the_first_fetch_failure_ends_an_attempt() {
    let (mut h, shuffle, _) = maps_done();
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.end(1, 1, fetch_failed("hostA", shuffle, 0, 1));
    assert_eq!(h.failed_stages(), [1]);
}

#[test]
fn a_failure_while_the_maps_are_rerun_starts_them_no_second_time() {
    let (mut h, shuffle, job) = maps_done();
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(2), (0, 1, vec![0]));
    h.end(1, 1, fetch_failed("hostA", shuffle, 0, 1));
    h.resubmit_failed();
    let of_maps = h.attempts().iter().filter(|(stage, _)| *stage == 0).count();
    assert_eq!(of_maps, 2);
    h.complete_maps(2, 2, &["hostC"]);
    assert_eq!(h.set(3), (1, 1, vec![0, 1]));
    h.complete_results(3);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_fetch_failure_of_an_earlier_attempt_is_ignored() {
    let (mut h, shuffle, job) = maps_done();
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    h.complete_maps(2, 2, &["hostA"]);
    assert_eq!(h.set(3), (1, 1, vec![0, 1]));
    h.end(1, 1, fetch_failed("hostB", shuffle, 1, 1));
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
    assert_eq!(h.dag.next_deadline(), None);
    h.complete_results(3);
    assert!(h.succeeded(job));
}

#[test]
fn a_failure_names_an_output_that_has_moved_since() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    // It says map output 1 was at hostA; it is at hostB.
    h.end(1, 0, fetch_failed("hostA", shuffle, 1, 0));
    assert_eq!(h.missing(shuffle), [0], "hostA's goes, hostB's stays");
}

#[test]
fn a_reader_that_missed_the_location_itself_takes_no_output_away() {
    let (mut h, shuffle, job) = maps_done();
    h.end(1, 0, metadata_fetch_failed(shuffle, 0));
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
    h.resubmit_failed();
    // The map stage is complete: its new attempt has nothing to do.
    assert_eq!(h.set(2), (1, 1, vec![0, 1]));
    h.complete_results(2);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_failure_deep_in_a_chain_reruns_the_lost_task_of_every_stage() {
    let mut plan = PlanBuilder::new();
    let (_, middle) = plan.map_reduce(2, 2);
    let two = plan.hashed(middle, 1);
    let last = plan.data(NewDataset::shuffled("", [two]));
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete_maps(1, 1, &["hostA", "hostC"]);
    h.end(2, 0, fetch_failed("hostA", two, 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(3), (0, 1, vec![0]));
    h.complete_maps(3, 2, &["hostA"]);
    assert_eq!(h.set(4), (1, 1, vec![0]));
    h.complete_maps(4, 1, &["hostA"]);
    assert_eq!(h.set(5), (2, 1, vec![0]));
    h.complete_results(5);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_cached_dataset_spares_the_stages_before_it() {
    let mut plan = PlanBuilder::new();
    let (_, middle) = plan.map_reduce(2, 2);
    let cached = plan.data(NewDataset::derived("", middle).persisted());
    let two = plan.hashed(cached, 1);
    let last = plan.data(NewDataset::shuffled("", [two]));
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    h.cache(cached, 0, "hostD");
    h.cache(cached, 1, "hostC");
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.complete_maps(1, 1, &["hostA", "hostB"]);
    h.end(2, 0, fetch_failed("hostA", two, 0, 0));
    h.resubmit_failed();
    assert_eq!(h.set(3), (1, 1, vec![0]));
    assert_eq!(h.locations(3), [["hostD"]]);
    h.complete_maps(3, 1, &["hostD"]);
    h.complete_results(4);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn late_outputs_may_leave_a_new_attempt_nothing_to_do() {
    let mut plan = PlanBuilder::new();
    let (one, middle) = plan.map_reduce(2, 2);
    let two = plan.hashed(middle, 1);
    let last = plan.data(NewDataset::shuffled("", [two]));
    let mut h = Harness::new(plan);
    let job = h.submit(last);
    h.complete_maps(0, 2, &["hostA", "hostA"]);
    // One task of stage 1 fails; the other is still running.
    h.end(1, 0, fetch_failed("hostA", one, 0, 0));
    h.resubmit_failed();
    h.complete_maps(2, 2, &["hostB", "hostB"]);
    assert_eq!(h.set(3), (1, 1, vec![0, 1]));
    // The new attempt makes partition 0, the old one partition 1.
    h.end(3, 0, map_output("hostC", 1));
    assert_eq!(h.sets.len(), 4);
    h.end(1, 1, map_output("hostD", 1));
    assert_eq!(h.set(4), (2, 0, vec![0]));
    h.complete_results(4);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_failed_job_does_not_disturb_the_next() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let (other, other_reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    let mut run = |dataset, shuffle, failures| {
        let job = h.submit(dataset);
        for _ in 0..failures {
            h.complete_maps(h.sets.len() - 1, 1, &["hostA"]);
            h.end(h.sets.len() - 1, 0, fetch_failed("hostA", shuffle, 0, 0));
            if h.is_active(job) {
                h.resubmit_failed();
            }
        }
        if h.is_active(job) {
            h.complete_maps(h.sets.len() - 1, 1, &["hostA"]);
            h.complete_results(h.sets.len() - 1);
        }
        h.assert_empty();
        h.succeeded(job)
    };
    assert!(!run(reduce, shuffle, 4));
    assert!(!run(other_reduce, other, 4));
    assert!(run(reduce, shuffle, 1));
}

#[test]
fn failures_owed_to_decommissioning_may_be_left_out_of_the_count() {
    for (ignored, expected) in [(true, true), (false, false)] {
        let mut plan = PlanBuilder::new();
        let (shuffle, reduce) = plan.map_reduce(1, 1);
        let config = DagSchedulerConfig {
            ignore_decommission_fetch_failure: ignored,
            ..DagSchedulerConfig::default()
        };
        let mut h = Harness::with_config(plan, config);
        let job = h.submit(reduce);
        h.send(DagEvent::ExecutorDecommissioned {
            executor: executor_on("hostA"),
            host: None,
        });
        for _ in 0..4 {
            h.complete_maps(h.sets.len() - 1, 1, &["hostA"]);
            h.end(h.sets.len() - 1, 0, fetch_failed("hostA", shuffle, 0, 0));
            if h.is_active(job) {
                h.resubmit_failed();
            }
        }
        assert_eq!(h.is_active(job), expected);
    }
}

#[test]
fn all_outputs_of_the_host_go_where_that_is_asked_for() {
    // Two executors on one host; a shuffle service answers for both.
    for (on_host, lost) in [(true, vec![0, 1]), (false, vec![0])] {
        let mut plan = PlanBuilder::new();
        let (shuffle, reduce) = plan.map_reduce(3, 1);
        let config = DagSchedulerConfig {
            outputs_outlive_executors: true,
            unregister_output_on_host: on_host,
            ..DagSchedulerConfig::default()
        };
        let mut h = Harness::with_config(plan, config);
        h.submit(reduce);
        let on = |executor: &str, host: &str| {
            TaskEndReason::Success(TaskOutput::Map(MapStatus {
                executor: executor.into(),
                host: host.into(),
                task: TaskId(0),
                sizes: [2].into(),
            }))
        };
        h.complete(
            0,
            [
                on("hostA-exec", "hostA"),
                on("e2", "hostA"),
                on("e3", "hostB"),
            ],
        );
        h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
        assert_eq!(h.missing(shuffle), lost);
    }
}

#[test]
fn a_decommissioned_host_takes_all_its_outputs_along_where_that_is_asked_for() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 1);
    let config = DagSchedulerConfig {
        unregister_output_on_host: true,
        ..DagSchedulerConfig::default()
    };
    let mut h = Harness::with_config(plan, config);
    h.submit(reduce);
    let second = TaskEndReason::Success(TaskOutput::Map(MapStatus {
        executor: "second".into(),
        host: "hostA".into(),
        task: TaskId(0),
        sizes: [2].into(),
    }));
    h.complete(0, [map_output("hostA", 1), second]);
    h.send(DagEvent::ExecutorDecommissioned {
        executor: executor_on("hostA"),
        host: Some("hostA".into()),
    });
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    assert_eq!(h.missing(shuffle), [0, 1]);
}

#[test]
fn a_stage_may_be_limited_in_all_its_attempts_together() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let config = DagSchedulerConfig {
        max_consecutive_stage_attempts: 2,
        max_stage_attempts: 2,
        ignore_decommission_fetch_failure: true,
        ..DagSchedulerConfig::default()
    };
    let mut h = Harness::with_config(plan, config);
    h.send(DagEvent::ExecutorDecommissioned {
        executor: executor_on("hostA"),
        host: None,
    });
    let job = h.submit(reduce);
    for _ in 0..2 {
        h.complete_maps(h.sets.len() - 1, 1, &["hostA"]);
        h.end(h.sets.len() - 1, 0, fetch_failed("hostA", shuffle, 0, 0));
        h.resubmit_failed();
    }
    let failure = h.failure(job);
    assert!(failure.contains("has been tried 2 times"), "{failure}");
    h.assert_empty();
}
