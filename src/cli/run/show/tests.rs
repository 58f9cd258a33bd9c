//! What people see of a run, line by line and row by row.

use super::*;
use crate::ids::{Partition, StageAttempt};
use crate::scheduler::running::Copying;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn started(stage: u32, name: &str, tasks: u32) -> Progress {
    Progress::StageStarted {
        stage: StageId(stage),
        name: name.into(),
        tasks,
    }
}

/// An attempt has run for so many seconds.
fn runs(since: u64) -> Progress {
    let attempt = RunningAttempt {
        stage: StageId(0),
        stage_attempt: StageAttempt(0),
        partition: Partition(7),
        attempt: 1,
        executor: "e".into(),
        host: "h1".into(),
        since: at(1000),
        has_copy: false,
    };
    Progress::Running(Running {
        // The clock of the run is another one.
        at: at(since + 1000),
        attempts: 2,
        longest: vec![attempt.clone()],
        stages: vec![stage(None, vec![attempt])],
        ..Running::default()
    })
}

fn ended(succeeded: u32, failed: u32) -> Progress {
    Progress::TasksEnded {
        stage: StageId(0),
        succeeded,
        failed,
    }
}

#[test]
fn rows_fit_every_width_and_height() {
    let mut show = Show::new(Wanted::Progress, at(0));
    for stage in 0..30 {
        let name = format!("a rather long name of a dataset, {stage}");
        let lines = show.progress(at(0), started(stage, &name, 1_000_000), true);
        assert_eq!(lines, [""; 0]);
    }
    let _ = show.progress(at(0), ended(500_000, 3), true);
    let _ = show.progress(at(0), runs(0), true);
    for width in 2..220 {
        for height in [2, 3, 24, 60] {
            let rows = show.rows(at(4000), (height, width));
            assert!(
                rows.len() < height && !rows.is_empty(),
                "{height}: {rows:?}"
            );
            for row in rows {
                assert!(row.length() < width, "{width}: {row:?}");
            }
        }
    }
    let rows = show.rows(at(75), (60, 80));
    let rows: Vec<_> = rows.iter().map(|row| row.written(false)).collect();
    assert_eq!(
        rows[0],
        "stage 0 a rather long nam… [######-------] 500000/1000000  3 failed  1 min 15 s"
    );
    assert_eq!(
        rows[1],
        "  longest: partition 7 of a rather long name of a dataset, 0, attempt 1, on h1…"
    );
}

#[test]
fn elsewhere_it_is_said_more_and_more_rarely_what_runs_and_where() {
    let mut show = Show::new(Wanted::Progress, at(0));
    let lines = show.progress(at(0), started(0, "words", 40), false);
    assert_eq!(lines, ["stage 0 (words): 40 tasks"]);
    let _ = show.progress(at(0), ended(12, 1), false);
    let _ = show.progress(at(0), runs(0), false);
    let said: Vec<_> = (0..3600)
        .filter_map(|second| show.now_and_then(at(second)).map(|line| (second, line)))
        .collect();
    let when: Vec<_> = said.iter().map(|(second, _)| *second).collect();
    assert_eq!(when[..8], [5, 15, 35, 75, 155, 315, 615, 915]);
    assert_eq!(
        said[2].1,
        "stage 0 (words): 12 of 40 tasks done, 1 failed; 2 attempts run, the longest: \
         partition 7 of words, attempt 1, on h1 for 35 s"
    );
}

#[test]
fn an_attempt_of_a_stage_that_has_ended_since_it_was_told_of_is_none() {
    let mut show = Show::new(Wanted::Progress, at(0));
    let _ = show.progress(at(0), started(0, "words", 40), false);
    let _ = show.progress(at(0), runs(0), false);
    let end = Progress::StageEnded {
        stage: StageId(0),
        failure: None,
    };
    let _ = show.progress(at(0), end, false);
    let _ = show.progress(at(0), started(1, "counts", 8), false);
    let said = show.now_and_then(at(5));
    assert_eq!(
        said.as_deref(),
        Some("stage 1 (counts): 0 of 8 tasks done; 2 attempts run")
    );
}

fn says(lines: &[&str], more: u64) -> Progress {
    Progress::Said(Said {
        stage: StageId(0),
        partition: Partition(3),
        dataset: "words".into(),
        lines: lines.iter().map(ToString::to_string).collect(),
        more,
        ..Said::default()
    })
}

#[test]
fn what_commands_say_is_shown_with_whose_it_is_until_it_is_too_much() {
    let mut show = Show::new(Wanted::Progress, at(0));
    assert_eq!(show.progress(at(0), says(&["early"], 0), true), [""; 0]);
    let _ = show.progress(at(0), started(0, "words", 40), true);
    let said = show.progress(at(0), says(&["a", "b"], 0), true);
    let whose = "pipe of `words` (stage 0, partition 3)";
    assert_eq!(said, [format!("{whose}: a"), format!("{whose}: b")]);
    let much = vec!["x"; 50];
    let said = show.progress(at(0), says(&much, 11_990), true);
    assert_eq!(said.len() as u64, LINES_SHOWN - 2 + 1);
    assert!(said[38].contains("only counted"), "{}", said[38]);
    assert_eq!(show.progress(at(0), says(&["x"], 0), true), [""; 0]);
    let end = Progress::StageEnded {
        stage: StageId(0),
        failure: None,
    };
    assert_eq!(
        show.progress(at(0), end, true),
        ["stage 0 (words): 12003 more lines of its commands' stderr not shown"]
    );
}

#[test]
fn who_wants_quiet_hears_what_is_wrong_and_who_wants_errors_nothing() {
    for (wanted, hears) in [(Wanted::Warnings, true), (Wanted::Errors, false)] {
        let mut show = Show::new(wanted, at(0));
        let none = [""; 0];
        assert_eq!(show.progress(at(0), started(0, "words", 4), false), none);
        assert_eq!(
            show.progress(at(0), Progress::Note("n".into()), false),
            none
        );
        assert_eq!(show.progress(at(0), says(&["a"], 99), false), none);
        assert_eq!(show.now_and_then(at(1000)), None);
        assert_eq!(show.rows(at(0), (24, 80)), []);
        let mut warnings = show.progress(at(0), Progress::Warning("w".into()), false);
        for _ in 0..9 {
            let wrong = Progress::Said(Said {
                warning: Some("held".into()),
                dataset: "words".into(),
                ..Said::default()
            });
            warnings.extend(show.progress(at(0), wrong, false));
        }
        let held = "warning: pipe of `words` (stage 0, partition 0): held";
        let all = ["warning: w", held, held];
        assert_eq!(warnings, if hears { &all[..] } else { &[] });
    }
}

/// Stage 0 runs, and will take so many seconds.
fn paces(left: Option<u64>) -> Progress {
    Progress::Running(Running {
        at: at(5000),
        attempts: 4,
        waiting: 24,
        stages: vec![stage(left, Vec::new())],
        ..Running::default()
    })
}

fn stage(left: Option<u64>, longest: Vec<RunningAttempt>) -> RunningStage {
    RunningStage {
        stage: StageId(0),
        attempt: StageAttempt(0),
        running: 4,
        waiting: 24,
        ended: 12,
        median: None,
        ended_last: None,
        left: left.map(Duration::from_secs),
        longest,
        far_longer: None,
        copying: Copying::Off,
    }
}

#[test]
fn what_is_left_is_shown_as_it_is_told_and_goes_down_until_it_is_told_again() {
    let mut show = Show::new(Wanted::Progress, at(0));
    let _ = show.progress(at(0), started(0, "words", 40), true);
    let row = |show: &Show, now| show.rows(at(now), (24, 120))[0].written(false);
    assert_eq!(
        row(&show, 5),
        "stage 0 words [------------------------------] 0/40  5 s",
        "what runs was not told yet"
    );
    let _ = show.progress(at(10), ended(12, 0), true);
    let _ = show.progress(at(10), paces(Some(30)), true);
    let bar = "stage 0 words [#########---------------------] 12/40  4 run, 24 wait";
    assert_eq!(row(&show, 10), format!("{bar}  10 s, ~30 s left"));
    assert_eq!(row(&show, 30), format!("{bar}  30 s, ~10 s left"));
    assert_eq!(row(&show, 41), format!("{bar}  41 s"), "it takes longer");
    let _ = show.progress(at(42), paces(None), true);
    assert_eq!(row(&show, 42), format!("{bar}  42 s"));
}

#[test]
fn elsewhere_a_line_says_what_is_left_too() {
    let mut show = Show::new(Wanted::Progress, at(0));
    let _ = show.progress(at(0), started(0, "words", 40), false);
    let _ = show.progress(at(1), ended(12, 0), false);
    let _ = show.progress(at(5), paces(Some(130)), false);
    assert_eq!(
        show.now_and_then(at(5)).as_deref(),
        Some("stage 0 (words): 12 of 40 tasks done, ~2 min left; 4 attempts run")
    );
}
