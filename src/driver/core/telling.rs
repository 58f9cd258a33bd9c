//! What people are told of a run while it lasts. Pure.
//!
//! Responsible for the figures of jobs and stages, and for which failures and
//! losses are worth a line.

use std::cmp::Ordering;

use super::Driver;
use super::board::Entry;
use crate::driver::report::Progress;
use crate::ids::StageId;
use crate::scheduler::action::Notice;
use crate::scheduler::task::{ExecutorLossReason, TaskEndReason, TaskReport};

/// Of the failed attempts of a stage so many are told one by one.
const FAILURES_TOLD: u32 = 5;

impl Driver {
    pub(super) fn task_report(&mut self, report: TaskReport) {
        match report {
            TaskReport::TaskStarted { stage, .. } => {
                if let Some(entry) = self.entry_of(stage) {
                    entry.report.attempts += 1;
                }
            }
            TaskReport::TaskEnded {
                stage,
                stage_attempt,
                partition,
                attempt,
                executor,
                host,
                reason,
                ..
            } => {
                let succeeded = matches!(reason, TaskEndReason::Success(_));
                let counts = self.progress.entry(stage).or_default();
                if succeeded {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                }
                if let Some(entry) = self.entry_of(stage) {
                    if succeeded {
                        entry.report.tasks += 1;
                    } else {
                        entry.report.failed_attempts += 1;
                    }
                }
                if !succeeded && !matches!(reason, TaskEndReason::Killed { .. }) {
                    self.tell_failure(stage, || {
                        format!(
                            "task {partition} of stage {stage}.{stage_attempt}, attempt {attempt} \
                             on {host} (executor {executor}): {reason}"
                        )
                    });
                }
            }
            TaskReport::ExecutorLost {
                executor,
                host,
                reason,
            } => {
                if let Some(why) = loss_text(&reason) {
                    self.warn(format!("executor {executor} on {host} is gone: {why}"));
                }
            }
            TaskReport::TaskSetFailed { .. } | TaskReport::ExecutorAdded { .. } => {}
        }
    }

    /// Tells of a failed attempt; of many of a stage only the first ones.
    fn tell_failure(&mut self, stage: StageId, text: impl FnOnce() -> String) {
        let told = self.failures_told.entry(stage).or_default();
        *told += 1;
        match (*told).cmp(&FAILURES_TOLD) {
            Ordering::Less => self.warn(text()),
            Ordering::Equal => {
                let rest = format!(
                    "{}; more failures of stage {stage} are only counted",
                    text()
                );
                self.warn(rest);
            }
            Ordering::Greater => {}
        }
    }

    fn entry_of(&mut self, stage: StageId) -> Option<&mut Entry> {
        let job = self.works.stage(stage)?.job;
        self.board.job_mut(job)
    }

    pub(super) fn notice(&mut self, notice: &Notice) {
        match notice {
            // The core knows of the room it was given; where none is given, the
            // fleet knows why.
            Notice::Starving { waiting, since, .. } if self.executors.cores() == 0 => {
                let why = self.fleet.why_nothing_runs();
                let why = why.unwrap_or_else(|| "no executor has registered".to_owned());
                self.warn(format!(
                    "{waiting} tasks have waited {} s and none runs: {why}",
                    since.as_secs()
                ));
            }
            Notice::Starving { .. } => self.warn(notice.to_string()),
            _ => self.note(notice.to_string()),
        }
    }

    pub(super) fn tell_progress(&mut self) {
        for (stage, (succeeded, failed)) in std::mem::take(&mut self.progress) {
            self.tell(Progress::TasksEnded {
                stage,
                succeeded,
                failed,
            });
        }
    }
}

/// Why an executor is gone, if people want to know.
fn loss_text(reason: &ExecutorLossReason) -> Option<String> {
    match reason {
        ExecutorLossReason::Exited { code, message, .. } => {
            Some(format!("exit code {code}: {message}"))
        }
        ExecutorLossReason::Killed => None,
        ExecutorLossReason::ProcessLost { message, .. }
        | ExecutorLossReason::Decommissioned { message, .. } => Some(message.to_string()),
    }
}
