//! The stages, slow tasks and failures of a run, as text. Pure.
//!
//! Responsible for which of them are worth a line at the end of a run, and for how they
//! look. The figures are the driver's; `summary` says where they stand.

use std::fmt::Write as _;
use std::time::Duration;

use super::table::{Column, Side, table};
use crate::cli::paint::shortened;
use crate::driver::report::{FailureCause, RunSeconds, SlowTask, StageReport, Sums};
use crate::plain::{bytes, counted, short_span};

/// So many stages have a row, those that took longest.
const STAGES: usize = 10;

/// So many causes of failures.
const CAUSES: usize = 5;

/// So many stages of a cause are named.
const NAMED: usize = 3;

/// Stages that took less together are over before anybody asks where the time went.
const WORTH_SECONDS: f64 = 1.0;

/// What is worth knowing of them; often nothing.
pub(super) fn sums(sums: &Sums, width: usize) -> String {
    let mut text = String::new();
    let tasks: u64 = sums.stages.iter().map(|it| it.tasks).sum();
    let seconds: f64 = sums.stages.iter().map(|it| it.seconds).sum();
    if tasks > 1 && seconds >= WORTH_SECONDS {
        text.push_str(&stages(&sums.stages, width));
    }
    if !sums.slowest_tasks.is_empty() {
        text.push_str("far slower than other tasks of their stage:\n");
        text.push_str(&slowest(&sums.slowest_tasks, width));
    }
    // A single cause was told when it happened, and is the run's own if that failed.
    if sums.failures_by_cause.len() > 1 {
        let failed: u64 = sums.failures_by_cause.iter().map(|it| it.attempts).sum();
        let _ = writeln!(text, "{failed} attempts failed:");
        text.push_str(&causes(&sums.failures_by_cause, width));
    }
    text
}

fn stages(stages: &[StageReport], width: usize) -> String {
    let mut slowest: Vec<_> = stages.iter().collect();
    slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let rest = slowest.split_off(slowest.len().min(STAGES));
    let column = |head, of: &dyn Fn(&StageReport) -> String| {
        Column::new(head, Side::Right, slowest.iter().map(|it| of(it)))
    };
    let ran = |of: fn(RunSeconds) -> f32| {
        move |it: &StageReport| it.run_seconds.map_or_else(none, |it| time(of(it).into()))
    };
    let mut columns = vec![
        column("stage", &|it| it.id.to_string()),
        Column::new("name", Side::Left, slowest.iter().map(|it| it.name.clone())).gives(),
        column("tasks", &|it| it.tasks.to_string()),
        column("time", &|it| time(it.seconds)),
        column("median", &ran(|it| it.median)).may_go(3),
        column("95 %", &ran(|it| it.p95)).may_go(6),
        column("max", &ran(|it| it.max)).may_go(1),
    ];
    // A column of nothing but zeros says nothing.
    let mut measure = |head, may_go, of: fn(&StageReport) -> u64, say: fn(u64) -> String| {
        if slowest.iter().any(|it| of(it) > 0) {
            let say = |it: &StageReport| Some(of(it)).filter(|it| *it > 0).map_or_else(none, say);
            columns.push(column(head, &say).may_go(may_go));
        }
    };
    measure("shuffle out", 4, |it| it.shuffle_bytes_written, bytes);
    measure("shuffle in", 5, |it| it.shuffle_bytes_read, bytes);
    measure("spilled", 2, |it| it.spilled_bytes, bytes);
    let failed = |it: &StageReport| it.failed_attempts;
    measure("failed", 1, failed, |it| it.to_string());
    let mut text = table(columns, width);
    if !rest.is_empty() {
        let seconds = rest.iter().map(|it| it.seconds).sum();
        let more = counted(rest.len() as u64, "more stage");
        let line = format!("and {more}, {} in all", time(seconds));
        let _ = writeln!(text, "{}", shortened(&line, width));
    }
    text
}

fn slowest(tasks: &[SlowTask], width: usize) -> String {
    let column = |head, of: &dyn Fn(&SlowTask) -> String| {
        Column::new(head, Side::Right, tasks.iter().map(of))
    };
    let texts = |head, of: fn(&SlowTask) -> &str| {
        Column::new(head, Side::Left, tasks.iter().map(|it| of(it).to_owned())).gives()
    };
    let columns = vec![
        column("stage", &|it| it.stage.to_string()),
        texts("name", |it| &it.name).may_go(3),
        column("partition", &|it| it.partition.to_string()),
        column("attempt", &|it| it.attempt.to_string()).may_go(2),
        texts("host", |it| &it.host).may_go(1),
        column("time", &|it| time(it.seconds.into())),
        column("median", &|it| time(it.median_seconds.into())),
    ];
    table(columns, width)
}

fn causes(causes: &[FailureCause], width: usize) -> String {
    let told = &causes[..causes.len().min(CAUSES)];
    let numbers = told.iter().map(|it| it.attempts.to_string());
    let columns = vec![
        Column::new("attempts", Side::Right, numbers),
        Column::new(
            "stages",
            Side::Left,
            told.iter().map(|it| named(&it.stages)),
        )
        .may_go(1),
        Column::new("cause", Side::Left, told.iter().map(|it| it.cause.clone())).keeps_end(),
    ];
    let mut text = table(columns, width);
    let rest = &causes[told.len()..];
    if !rest.is_empty() {
        let attempts = rest.iter().map(|it| it.attempts).sum();
        let more = counted(rest.len() as u64, "more cause");
        let line = format!("and {more}, of {}", counted(attempts, "attempt"));
        let _ = writeln!(text, "{}", shortened(&line, width));
    }
    text
}

/// The numbers of stages, if they are not many.
fn named(stages: &[u32]) -> String {
    let named: Vec<_> = stages.iter().take(NAMED).map(u32::to_string).collect();
    let named = named.join(", ");
    match stages.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn time(seconds: f64) -> String {
    short_span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn none() -> String {
    "-".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(id: u32, name: &str, seconds: f64) -> StageReport {
        StageReport {
            id,
            name: name.into(),
            attempts: 1,
            tasks: 40,
            failed_attempts: 0,
            seconds,
            run_seconds: Some(RunSeconds {
                median: 0.012,
                p95: 1.25,
                max: 75.0,
            }),
            shuffle_bytes_written: 0,
            shuffle_bytes_read: 0,
            spilled_bytes: 0,
        }
    }

    fn example() -> Sums {
        let words = StageReport {
            shuffle_bytes_written: 3 << 29,
            spilled_bytes: 5000,
            failed_attempts: 2,
            ..stage(0, "words of all the pages that were read", 12.0)
        };
        let counts = StageReport {
            shuffle_bytes_read: 3 << 29,
            tasks: 8,
            ..stage(1, "counts", 90.0)
        };
        Sums {
            stages: vec![words, counts],
            slowest_tasks: vec![SlowTask {
                stage: 1,
                name: "counts".into(),
                partition: 17,
                attempt: 1,
                host: "worker-7.example.com".into(),
                seconds: 75.0,
                median_seconds: 0.012,
            }],
            failures_by_cause: vec![
                FailureCause {
                    cause:
                        "command \"./parse\" failed: exit code 3; its stderr ends with: no such \
                            word"
                            .into(),
                    attempts: 2,
                    stages: vec![0],
                },
                FailureCause {
                    cause: "its executor was lost".into(),
                    attempts: 1,
                    stages: vec![1],
                },
            ],
        }
    }

    fn at(width: usize) -> String {
        let text = sums(&example(), width);
        let longest = text.lines().map(|it| it.chars().count()).max();
        assert!(longest.is_some_and(|it| it <= width), "{width}: {text}");
        text
    }

    #[test]
    fn what_a_run_came_to_fits_the_terminal() {
        assert_eq!(
            at(200),
            "\
stage  name                                   tasks        time  median   95 %         max  shuffle out  shuffle in  spilled  failed
    1  counts                                     8  1 min 30 s   12 ms  1.2 s  1 min 15 s            -     1.5 GiB        -       -
    0  words of all the pages that were read     40        12 s   12 ms  1.2 s  1 min 15 s      1.5 GiB           -  4.9 KiB       2
far slower than other tasks of their stage:
stage  name    partition  attempt  host                        time  median
    1  counts         17        1  worker-7.example.com  1 min 15 s   12 ms
3 attempts failed:
attempts  stages  cause
       2  0       command \"./parse\" failed: exit code 3; its stderr ends with: no such word
       1  1       its executor was lost
"
        );
        assert_eq!(
            at(80),
            "\
stage  name               tasks        time  median         max  spilled  failed
    1  counts                 8  1 min 30 s   12 ms  1 min 15 s        -       -
    0  words of all the…     40        12 s   12 ms  1 min 15 s  4.9 KiB       2
far slower than other tasks of their stage:
stage  name    partition  attempt  host                        time  median
    1  counts         17        1  worker-7.example.com  1 min 15 s   12 ms
3 attempts failed:
attempts  stages  cause
       2  0       command \"./parse\" fa…ode 3; its stderr ends with: no such word
       1  1       its executor was lost
"
        );
        assert_eq!(
            at(60),
            "\
stage  name            tasks        time         max  failed
    1  counts              8  1 min 30 s  1 min 15 s       -
    0  words of all …     40        12 s  1 min 15 s       2
far slower than other tasks of their stage:
stage  partition  attempt  host                 time  median
    1         17        1  worker-7.exa…  1 min 15 s   12 ms
3 attempts failed:
attempts  stages  cause
       2  0       command \"./par…err ends with: no such word
       1  1       its executor was lost
"
        );
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let short = Sums {
            stages: vec![stage(0, "a", 0.3), stage(1, "b", 0.3)],
            ..Sums::default()
        };
        assert_eq!(sums(&short, 80), "");
        let one = StageReport {
            tasks: 1,
            ..stage(0, "a", 9.0)
        };
        let mut one = Sums {
            stages: vec![one],
            ..Sums::default()
        };
        one.failures_by_cause = example().failures_by_cause;
        one.failures_by_cause.truncate(1);
        assert_eq!(sums(&one, 80), "", "one task, and one cause");
        let plain = Sums {
            stages: vec![stage(0, "a", 9.0)],
            ..Sums::default()
        };
        let text = sums(&plain, 80);
        let head = "stage  name  tasks   time  median   95 %         max";
        assert_eq!(text.lines().next(), Some(head));
    }

    #[test]
    fn of_many_only_some_are_told_and_the_others_counted() {
        let mut many = example();
        many.stages = (0..13).map(|id| stage(id, "a", id.into())).collect();
        let cause = |attempts| FailureCause {
            cause: format!("cause {attempts}"),
            attempts,
            stages: (0..5).collect(),
        };
        many.failures_by_cause = (1..=7).rev().map(cause).collect();
        let text = sums(&many, 80);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("   12  a "), "{text}");
        assert!(lines[10].starts_with("    3  a "), "{text}");
        assert_eq!(lines[11], "and 3 more stages, 3.0 s in all");
        let rest = [
            "28 attempts failed:",
            "attempts  stages              cause",
            "       7  0, 1, 2 and 2 more  cause 7",
        ];
        assert_eq!(lines[15..18], rest);
        assert_eq!(lines.last(), Some(&"and 2 more causes, of 3 attempts"));
    }
}
