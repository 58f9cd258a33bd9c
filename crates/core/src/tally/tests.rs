//! What is made of facts at the end of a run.

use super::*;
use crate::ids::{ExecutorId, ShuffleId, StageAttempt, TaskId};
use mesquite_scheduler::task::TaskOutput;

fn started(stage: u32, at: u64) -> Happened {
    let fact = Fact::StageStarted {
        stage: StageId(stage),
        name: format!("d{stage}").into(),
        attempt: StageAttempt(0),
        tasks: 3,
    };
    let at = Duration::from_secs(at);
    Happened { at, fact }
}

fn over(stage: u32, at: u64) -> Happened {
    let fact = Fact::StageEnded {
        stage: StageId(stage),
        attempt: StageAttempt(0),
        failure: None,
    };
    let at = Duration::from_secs(at);
    Happened { at, fact }
}

fn ended(stage: u32, partition: u32, reason: TaskEndReason, metrics: Option<Metrics>) -> Happened {
    let fact = Fact::TaskEnded {
        task: TaskId(partition.into()),
        stage: StageId(stage),
        stage_attempt: StageAttempt(0),
        partition: Partition(partition),
        attempt: 1,
        executor: "e".into(),
        host: "h".into(),
        reason,
        metrics,
    };
    let at = Duration::ZERO;
    Happened { at, fact }
}

fn ran(millis: u64) -> Option<Metrics> {
    Some(Metrics {
        ran: Duration::from_millis(millis),
        shuffle_bytes_written: 10,
        shuffle_bytes_read: 20,
        spilled_bytes: 30,
        ..Metrics::default()
    })
}

const SUCCESS: TaskEndReason = TaskEndReason::Success(TaskOutput::Result { bytes: 0 });

fn failed(message: &str) -> TaskEndReason {
    TaskEndReason::Failed {
        message: message.into(),
        permanent: false,
    }
}

fn sums(facts: &[Happened]) -> Sums {
    let mut tally = Tally::default();
    // As it comes, in steps.
    for step in facts.chunks(2) {
        tally.read(step);
    }
    tally.into_sums()
}

#[test]
fn a_stage_is_told_with_all_attempts_at_it() {
    let mut facts = vec![started(4, 10)];
    facts.extend((0..100).map(|it| ended(4, it, SUCCESS, ran(u64::from(it)))));
    facts.push(ended(4, 7, failed("no"), ran(9000)));
    facts.push(over(4, 12));
    // Its outputs were lost, and it runs again; the run ends before it does.
    facts.extend([started(4, 20), started(5, 25)]);
    let sums = sums(&facts);
    let stage = &sums.stages[0];
    assert_eq!((stage.id, &*stage.name, stage.attempts), (4, "d4", 2));
    assert_eq!((stage.tasks, stage.failed_attempts), (100, 1));
    assert_eq!(stage.seconds, 2.0 + 5.0);
    let quantiles = RunSeconds {
        median: 0.050,
        p95: 0.095,
        max: 0.099,
    };
    assert_eq!(
        stage.run_seconds,
        Some(quantiles),
        "of those that succeeded"
    );
    let bytes = (
        stage.shuffle_bytes_written,
        stage.shuffle_bytes_read,
        stage.spilled_bytes,
    );
    assert_eq!(bytes, (1010, 2020, 3030), "of failed ones too");
    assert_eq!(sums.stages[1].run_seconds, None);
}

#[test]
fn the_slowest_tasks_are_those_far_above_the_median_of_their_stage() {
    let mut facts = vec![started(1, 0), started(2, 0), started(3, 0)];
    // Of stage 1 six are slow, of stage 2 one; tasks of stage 3 take long, all of them.
    for partition in 0..20 {
        let long = if partition % 3 == 0 && partition < 18 {
            10_000 + 1000 * u64::from(partition)
        } else {
            100
        };
        facts.push(ended(1, partition, SUCCESS, ran(long)));
        let long = if partition == 9 { 22_500 } else { 5000 };
        facts.push(ended(2, partition, SUCCESS, ran(long)));
        facts.push(ended(3, partition, SUCCESS, ran(60_000)));
    }
    let slowest = sums(&facts).slowest_tasks;
    let found: Vec<_> = slowest
        .iter()
        .map(|it| (it.stage, it.partition, it.seconds, it.median_seconds))
        .collect();
    let expected = [
        (1, 15, 25.0, 0.1),
        (2, 9, 22.5, 5.0),
        (1, 12, 22.0, 0.1),
        (1, 9, 19.0, 0.1),
        (1, 6, 16.0, 0.1),
    ];
    assert_eq!(found, expected);
    assert_eq!((slowest[0].attempt, &*slowest[0].host), (1, "h"));
}

#[test]
fn many_times_nothing_is_not_slow() {
    let mut facts = vec![started(1, 0)];
    facts.extend((0..9).map(|it| ended(1, it, SUCCESS, ran(1))));
    facts.push(ended(1, 9, SUCCESS, ran(1000)));
    assert_eq!(sums(&facts).slowest_tasks, []);
}

#[test]
fn failures_are_counted_by_what_they_have_in_common() {
    let fetch = |reduce| TaskEndReason::FetchFailed {
        source: Some((ExecutorId::from("3"), Host::from("h3"))),
        shuffle: ShuffleId(1),
        map: Some(Partition(reduce)),
        reduce: Partition(reduce),
        message: "gone".into(),
    };
    let killed = TaskEndReason::Killed {
        reason: "a copy was faster".into(),
    };
    let sums = sums(&[
        ended(1, 0, failed("exit code 1\nof 0"), None),
        ended(1, 1, killed, None),
        ended(2, 2, fetch(2), None),
        ended(2, 3, fetch(3), None),
        ended(2, 4, failed("exit code 1\nof 4"), None),
        ended(2, 5, failed("exit code 2"), None),
        ended(1, 5, fetch(5), None),
    ]);
    let causes = sums.failures_by_cause.iter();
    let causes: Vec<_> = causes
        .map(|it| (&*it.cause, it.attempts, &it.stages[..]))
        .collect();
    let fetch = "fetch of map outputs failed, from executor 3 on h3";
    let expected: [(_, _, &[_]); 3] = [
        (fetch, 3, &[1, 2]),
        ("exit code 1", 2, &[1, 2]),
        ("exit code 2", 1, &[2]),
    ];
    assert_eq!(causes, expected);
}

#[test]
fn a_cause_for_each_item_does_not_fill_the_memory() {
    let many = 3 * CAUSES as u32;
    let facts: Vec<_> = (0..many)
        .map(|it| ended(1, it, failed(&format!("no item {it}")), None))
        .collect();
    let causes = sums(&facts).failures_by_cause;
    assert_eq!(causes.len(), CAUSES + 1);
    assert_eq!(causes[0].cause, "other causes");
    assert_eq!(
        causes.iter().map(|it| it.attempts).sum::<u64>(),
        u64::from(many)
    );
}
