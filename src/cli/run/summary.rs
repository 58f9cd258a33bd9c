//! What a run came to, as text. Pure.
//!
//! Responsible for the lines that stand at its end. `cli::run` prints them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::sums::sums;
use crate::driver::report::{JobReport, LOOK, Report, Status};
use crate::plain::{bytes, counted};

/// What a run came to, as text.
/// `width` characters are a row where they are shown.
pub(super) fn summary(report: &Report, width: usize) -> String {
    let mut text = String::new();
    let word = |status| match status {
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    };
    // Writing to a string cannot fail.
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for job in &report.jobs {
        if let Some(looped) = round_of(job) {
            if told.insert(looped) {
                let _ = writeln!(text, "{}", rounds(report, looped));
            }
            continue;
        }
        let Some(id) = job.id else {
            let JobReport {
                action, dataset, ..
            } = job;
            let named = named(job);
            let _ = writeln!(text, "{action} of {dataset}{named} was not begun");
            continue;
        };
        let _ = write!(
            text,
            "job {id}: {} of {}{} {}: {}, {}, {}",
            job.action,
            job.dataset,
            named(job),
            word(job.status),
            counted(job.stages.into(), "stage"),
            counted(job.tasks, "task"),
            counted(job.attempts, "attempt")
        );
        if job.failed_attempts > 0 {
            let _ = write!(text, " ({} failed)", job.failed_attempts);
        }
        let records = counted(job.records, "record");
        let _ = writeln!(text, ", {records}, {:.2} s", job.seconds);
    }
    left_out(report, &mut text);
    text.push_str(&sums(&report.sums, width));
    let sum = |of: fn(&crate::driver::report::JobReport) -> u64| -> u64 {
        report.jobs.iter().map(of).sum()
    };
    let _ = write!(
        text,
        "{} {}: {}, {}, {} shuffled",
        report.name,
        word(report.status),
        counted(report.jobs.len() as u64, "job"),
        counted(sum(|job| job.tasks), "task"),
        bytes(report.shuffle_bytes_read)
    );
    if report.shuffle_bytes_fetched > 0 {
        let _ = write!(
            text,
            " ({} over the network)",
            bytes(report.shuffle_bytes_fetched)
        );
    }
    if report.spilled_bytes > 0 {
        let _ = write!(text, ", {} spilled", bytes(report.spilled_bytes));
    }
    let _ = writeln!(text, ", {:.2} s", report.seconds);
    if let Some(path) = &report.event_log {
        let folder = Path::new(path).parent().unwrap_or(Path::new("."));
        let folder = folder.display();
        let _ = writeln!(
            text,
            "event log {path}; `mesquite history {folder}` shows it"
        );
    }
    text
}

/// The items of array jobs that failed and were left out.
fn left_out(report: &Report, text: &mut String) {
    for left_out in report.left_out.iter().filter(|it| !it.items.is_empty()) {
        let (failed, of) = (left_out.items.len(), left_out.of);
        let _ = writeln!(text, "{}: {failed} of {of} items failed:", left_out.dataset);
        for item in &left_out.items {
            let _ = writeln!(text, "  {}: {}", item.item, first_line(&item.error));
        }
    }
}

/// The dataset of whose rounds a job was one that went well.
fn round_of(job: &JobReport) -> Option<&str> {
    let went_well = job.status == Status::Succeeded;
    job.round_of.as_deref().filter(|_| went_well)
}

/// A line for all rounds of a dataset: there may be a thousand of them.
fn rounds(report: &Report, looped: &str) -> String {
    let jobs = report.jobs.iter();
    let jobs: Vec<_> = jobs.filter(|it| round_of(it) == Some(looped)).collect();
    let rounds = jobs.iter().filter(|it| it.action != LOOK).count();
    let sum = |of: fn(&JobReport) -> u64| jobs.iter().map(|it| of(it)).sum();
    let seconds: f64 = jobs.iter().map(|it| it.seconds).sum();
    format!(
        "{looped}: {} in {}: {}, {}, {}, {seconds:.2} s",
        counted(rounds as u64, "round"),
        counted(jobs.len() as u64, "job"),
        counted(sum(|it| it.stages.into()), "stage"),
        counted(sum(|it| it.tasks), "task"),
        counted(sum(|it| it.attempts), "attempt"),
    )
}

/// The rest is in the folder of the failed items, and was told when it happened.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The name that people gave an action, in brackets.
fn named(job: &JobReport) -> String {
    let name = job.name.as_ref();
    name.map(|it| format!(" ({it})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::report::{Mode, Sums};

    #[test]
    fn the_summary_has_a_line_for_each_job_and_one_for_all() {
        let job = JobReport {
            id: Some(0),
            action: "save".into(),
            dataset: "counts".into(),
            name: Some("n".into()),
            round_of: None,
            status: Status::Failed,
            stages: 2,
            tasks: 9,
            attempts: 12,
            failed_attempts: 3,
            records: 5,
            submitted_seconds: 0.0,
            seconds: 1.5,
            error: Some("no".into()),
        };
        let round = |action: &str, seconds| {
            Some(JobReport {
                action: action.into(),
                round_of: Some("ranks".into()),
                status: Status::Succeeded,
                seconds,
                ..job.clone()
            })
        };
        let report = Report {
            app_id: "a".into(),
            name: "n".into(),
            master: "local[2]".into(),
            mode: Mode::Local,
            status: Status::Failed,
            seconds: 2.0,
            registered_seconds: 0.0,
            shuffle_bytes_read: 3 << 20,
            shuffle_bytes_fetched: 100,
            spilled_bytes: 0,
            jobs: [
                job.clone(),
                JobReport {
                    id: None,
                    ..job.clone()
                },
            ]
            .into_iter()
            .chain(round("round 1", 2.0))
            .chain(round(LOOK, 0.5))
            .collect(),
            sums: Sums::default(),
            event_log: Some("/log/a".into()),
            left_out: vec![],
        };
        assert_eq!(
            summary(&report, 80),
            "job 0: save of counts (n) failed: 2 stages, 9 tasks, 12 attempts (3 failed), 5 records, \
             1.50 s\nsave of counts (n) was not begun\n\
             ranks: 1 round in 2 jobs: 4 stages, 18 tasks, 24 attempts, 2.50 s\n\
             n failed: 4 jobs, 36 tasks, 3.0 MiB shuffled (100 B over the network), 2.00 s\n\
             event log /log/a; `mesquite history /log` shows it\n"
        );
    }
}
