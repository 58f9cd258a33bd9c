//! Executors and hosts that are lost.

use super::*;

fn resubmitted() -> TaskEndReason {
    TaskEndReason::Resubmitted
}

#[test]
fn a_success_that_is_older_than_the_loss_of_its_executor_is_bogus() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    let old = h.dag.map_outputs().epoch();
    h.lose_executor("hostA");
    let new = h.dag.map_outputs().epoch();
    assert!(new > old);
    h.end_with_epoch(0, 0, map_output("hostA", 2), old);
    assert_eq!(h.missing(shuffle), [0, 1], "it cannot have its output");
    h.end_with_epoch(0, 1, map_output("hostB", 2), old);
    // The attempt had nothing else to wait for, so it is tried again.
    assert_eq!(h.set(1), (0, 1, vec![0]));
    h.end_with_epoch(1, 0, map_output("hostA", 2), new);
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
    assert_eq!(h.set(2), (1, 0, vec![0, 1]));
    h.complete_results(2);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn map_tasks_whose_outputs_were_lost_run_again_in_the_same_attempt() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(3, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.end(0, 0, map_output("hostA", 1));
    h.end(0, 1, map_output("hostA", 1));
    h.lose_executor("hostA");
    h.end(0, 0, resubmitted());
    h.end(0, 1, resubmitted());
    assert_eq!(h.missing(shuffle), [0, 1, 2]);
    h.end(0, 2, map_output("hostB", 1));
    assert_eq!(h.sets.len(), 1, "the attempt goes on");
    h.end(0, 0, map_output("hostC", 1));
    h.end(0, 1, map_output("hostC", 1));
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
    assert_eq!(h.set(1), (1, 0, vec![0]));
}

#[test]
fn outputs_are_lost_once_in_an_epoch() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA", "hostB"]);
    let epoch = h.sets[1].epoch;
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    h.resubmit_failed();
    // Made again in the same place, after the executor was found faulty.
    let now = h.dag.map_outputs().epoch();
    h.end_with_epoch(2, 0, map_output("hostA", 1), now);
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
    // A failure that was made under the old epoch is old news.
    h.end_with_epoch(3, 0, fetch_failed("hostA", shuffle, 1, 0), epoch);
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
}

#[test]
fn a_lost_executor_keeps_its_outputs_if_someone_else_can_serve_them() {
    for (service, lost) in [(true, vec![]), (false, vec![0])] {
        let mut plan = PlanBuilder::new();
        let (shuffle, reduce) = plan.map_reduce(2, 1);
        let config = DagSchedulerConfig {
            outputs_outlive_executors: service,
            ..DagSchedulerConfig::default()
        };
        let mut h = Harness::with_config(plan, config);
        h.submit(reduce);
        h.complete_maps(0, 1, &["hostA", "hostB"]);
        h.lose_executor("hostA");
        assert_eq!(h.missing(shuffle), lost, "service: {service}");
    }
}

#[test]
fn a_lost_host_takes_the_outputs_of_all_its_executors_along() {
    for service in [true, false] {
        let mut plan = PlanBuilder::new();
        let (shuffle, reduce) = plan.map_reduce(3, 1);
        let config = DagSchedulerConfig {
            outputs_outlive_executors: service,
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
        h.complete(0, [map_output("hostA", 1), second, map_output("hostB", 1)]);
        h.lose_host("hostA");
        assert_eq!(h.missing(shuffle), [0, 1]);
    }
}

#[test]
fn with_a_shuffle_service_the_outputs_go_with_the_first_fetch_failure() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(3, 1);
    let config = DagSchedulerConfig {
        outputs_outlive_executors: true,
        ..DagSchedulerConfig::default()
    };
    let mut h = Harness::with_config(plan, config);
    h.submit(reduce);
    h.complete_maps(0, 1, &["hostA", "hostA", "hostB"]);
    h.lose_executor("hostA");
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
    h.end(1, 0, fetch_failed("hostA", shuffle, 0, 0));
    assert_eq!(h.missing(shuffle), [0, 1]);
}

#[test]
fn a_running_reduce_stage_is_left_alone_until_it_misses_something() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(2, 2);
    let mut h = Harness::new(plan);
    let job = h.submit(reduce);
    h.complete_maps(0, 2, &["hostA", "hostB"]);
    h.lose_executor("hostA");
    assert_eq!(h.missing(shuffle), [0]);
    assert_eq!(h.dag.next_deadline(), None);
    h.complete_results(1);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn a_stage_whose_output_was_lost_while_its_child_waited_runs_again() {
    let mut plan = PlanBuilder::new();
    let a = plan.data(NewDataset::source("", 2));
    let b = plan.data(NewDataset::source("", 1));
    let (s_a, s_b) = (plan.hashed(a, 1), plan.hashed(b, 1));
    let join = plan.data(NewDataset::shuffled("", [s_a, s_b]));
    let mut h = Harness::new(plan);
    let job = h.submit(join);
    h.complete_maps(0, 1, &["hostA", "hostB"]);
    h.lose_executor("hostA");
    h.complete_maps(1, 1, &["hostB"]);
    assert_eq!(h.set(2), (0, 1, vec![0]));
    h.complete_maps(2, 1, &["hostB"]);
    h.complete_results(3);
    assert!(h.succeeded(job));
    h.assert_empty();
}

#[test]
fn an_executor_that_comes_back_is_trusted_again() {
    let mut plan = PlanBuilder::new();
    let (shuffle, reduce) = plan.map_reduce(1, 1);
    let mut h = Harness::new(plan);
    h.submit(reduce);
    h.lose_executor("hostA");
    h.send(DagEvent::Reported(TaskReport::ExecutorAdded {
        executor: executor_on("hostA"),
        host: "hostA".into(),
    }));
    h.end_with_epoch(0, 0, map_output("hostA", 1), 0);
    assert_eq!(h.missing(shuffle), Vec::<u32>::new());
}
