//! What people see of a run.
//!
//! Responsible for bars on a terminal, lines elsewhere, results on stdout, and
//! the summary. stdout carries results only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::{SystemClock, Timestamp};
use crate::driver::report::{Listener, Progress, Report, Status};
use crate::ids::StageId;

/// Elsewhere than on a terminal, a stage tells so often how far it is.
const EVERY: Duration = Duration::from_secs(5);

/// Shows progress on stderr and results on stdout.
pub(super) struct Screen {
    told: bool,
    bars: Option<MultiProgress>,
    stages: BTreeMap<StageId, Stage>,
    clock: SystemClock,
}

struct Stage {
    name: String,
    tasks: u32,
    done: u32,
    failed: u32,
    bar: Option<ProgressBar>,
    told: Timestamp,
}

impl Screen {
    /// Shows nothing but warnings and results unless `told`; bars only on a
    /// terminal.
    pub(super) fn new(told: bool, terminal: bool) -> Self {
        let bars = (told && terminal)
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Self {
            told,
            bars,
            stages: BTreeMap::new(),
            clock: SystemClock::start(),
        }
    }

    /// Takes the bars away.
    pub(super) fn close(&mut self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
        self.stages.clear();
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(text);
            }
            None => {
                let _ = writeln!(io::stderr(), "{text}");
            }
        }
    }

    fn bar(&self, stage: StageId, name: &str, tasks: u32) -> Option<ProgressBar> {
        let bars = self.bars.as_ref()?;
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg}")
            .expect("the template is sound");
        let bar = ProgressBar::new(u64::from(tasks)).with_style(style);
        bar.set_prefix(format!("stage {stage} {name}"));
        Some(bars.add(bar))
    }
}

impl Listener for Screen {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::JobStarted {
                job,
                action,
                dataset,
            } => {
                if self.told {
                    self.line(&format!("job {job}: {action} of {dataset}"));
                }
            }
            Progress::StageStarted { stage, name, tasks } => {
                if self.told && self.bars.is_none() {
                    self.line(&format!("stage {stage} ({name}): {tasks} tasks"));
                }
                let bar = self.bar(stage, &name, tasks);
                let told = self.clock.now();
                let (done, failed) = (0, 0);
                let new = Stage {
                    name,
                    tasks,
                    done,
                    failed,
                    bar,
                    told,
                };
                self.stages.insert(stage, new);
            }
            Progress::TasksEnded {
                stage,
                succeeded,
                failed,
            } => {
                let now = self.clock.now();
                let Some(known) = self.stages.get_mut(&stage) else {
                    return;
                };
                known.done += succeeded;
                known.failed += failed;
                if let Some(bar) = &known.bar {
                    bar.set_position(u64::from(known.done));
                    if known.failed > 0 {
                        bar.set_message(format!("{} failed", known.failed));
                    }
                } else if self.told && now - known.told >= EVERY && known.done < known.tasks {
                    known.told = now;
                    let Stage {
                        name, done, tasks, ..
                    } = known;
                    let text = format!("stage {stage} ({name}): {done} of {tasks} tasks done");
                    self.line(&text);
                }
            }
            Progress::StageEnded { stage, failure } => {
                if let Some(known) = self.stages.remove(&stage) {
                    if let (Some(bar), Some(bars)) = (&known.bar, &self.bars) {
                        bars.remove(bar);
                    }
                    if let Some(why) = failure {
                        self.line(&format!("stage {stage} ({}) failed: {why}", known.name));
                    }
                }
            }
            Progress::Note(text) => {
                if self.told {
                    self.line(&text);
                }
            }
            Progress::Warning(text) => self.line(&format!("warning: {text}")),
        }
    }

    fn counted(&mut self, _: &str, records: u64) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{records}")?;
        stdout.flush()
    }

    fn collected(&mut self, _: &str, records: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(records)?;
        stdout.flush()
    }
}

/// What a run came to, as text.
pub(super) fn summary(report: &Report) -> String {
    let mut text = String::new();
    let word = |status| match status {
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    };
    // Writing to a string cannot fail.
    for job in &report.jobs {
        let id = job.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let _ = write!(
            text,
            "job {id}: {} of {} {}: {} stages, {} tasks, {} attempts",
            job.action,
            job.dataset,
            word(job.status),
            job.stages,
            job.tasks,
            job.attempts
        );
        if job.failed_attempts > 0 {
            let _ = write!(text, " ({} failed)", job.failed_attempts);
        }
        let _ = writeln!(text, ", {} records, {:.2} s", job.records, job.seconds);
    }
    let sum = |of: fn(&crate::driver::report::JobReport) -> u64| -> u64 {
        report.jobs.iter().map(of).sum()
    };
    let _ = write!(
        text,
        "{} {}: {} jobs, {} tasks, {} shuffled",
        report.name,
        word(report.status),
        report.jobs.len(),
        sum(|job| job.tasks),
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
    text
}

fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::report::{JobReport, Mode};

    #[test]
    fn the_summary_has_a_line_for_each_job_and_one_for_all() {
        let job = JobReport {
            id: Some(0),
            action: "save".into(),
            dataset: "counts".into(),
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
            jobs: vec![job],
        };
        assert_eq!(
            summary(&report),
            "job 0: save of counts failed: 2 stages, 9 tasks, 12 attempts (3 failed), 5 records, \
             1.50 s\nn failed: 1 jobs, 9 tasks, 3.0 MiB shuffled (100 B over the network), 2.00 s\n"
        );
    }
}
