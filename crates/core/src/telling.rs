//! What people are told of a run while it lasts. Pure.
//!
//! Responsible for reading [facts](crate::facts) as people want them: the figures of
//! stages, which failures and losses are worth a line, and the texts of all lines. It
//! decides nothing about a run; who shows what it says is `report`'s `Listener`.

pub mod cluster;
mod slow;
pub mod stopping;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::facts::cluster::NothingRuns;
use crate::facts::{Fact, Happened, KeptFor};
use crate::ids::StageId;
use crate::report::Progress;
use mesquite_base::plain::short_span;
use mesquite_scheduler::action::{Notice, have};
use mesquite_scheduler::loss::ExecutorLossReason;
use mesquite_scheduler::task::TaskEndReason;

/// Of the causes for which attempts of a stage fail so many are told.
const FAILURES_TOLD: usize = 5;

/// Reads facts for people. See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Teller {
    /// Attempts that succeeded and that failed since it was told last.
    ended: BTreeMap<StageId, (u32, u32)>,
    /// The causes of failures that were told.
    failures: BTreeMap<StageId, BTreeSet<String>>,
    /// Refusals of launches that were told.
    refusals: BTreeSet<String>,
    /// What stages are called that run.
    names: BTreeMap<StageId, Arc<str>>,
}

impl Teller {
    /// What is to be told of what happened in a step, in order.
    pub fn read(&mut self, facts: &[Happened]) -> Vec<Progress> {
        let mut told = Vec::new();
        for Happened { fact, .. } in facts {
            self.fact(fact, &mut told);
        }
        self.figures(&mut told);
        told
    }

    fn fact(&mut self, fact: &Fact, told: &mut Vec<Progress>) {
        match fact {
            Fact::JobStarted {
                job,
                action,
                dataset,
                more_of: None,
                ..
            } => told.push(Progress::JobStarted {
                job: *job,
                action: action.clone(),
                dataset: dataset.clone(),
            }),
            // What becomes of a job is told at the end, with its result.
            Fact::JobStarted { .. } | Fact::JobEnded { .. } => {}
            Fact::StageStarted {
                stage, name, tasks, ..
            } => {
                self.names.insert(*stage, Arc::clone(name));
                told.push(Progress::StageStarted {
                    stage: *stage,
                    name: name.to_string(),
                    tasks: *tasks,
                });
            }
            Fact::StageEnded { stage, failure, .. } => {
                self.names.remove(stage);
                self.figures(told);
                told.push(Progress::StageEnded {
                    stage: *stage,
                    failure: failure.as_ref().map(ToString::to_string),
                });
            }
            Fact::TaskEnded { stage, reason, .. } => {
                let counts = self.ended.entry(*stage).or_default();
                counts.0 += u32::from(matches!(reason, TaskEndReason::Success(_)));
                counts.1 += u32::from(has_failed(reason));
                told.extend(self.failure(fact));
            }
            // On pages and in the log: nobody has to do anything about it.
            Fact::ExecutorKept { .. } => {}
            Fact::CommandSaid(said) => told.push(Progress::Said(said.clone())),
            Fact::Cluster(fact) => told.extend(self.cluster(fact)),
            Fact::TaskSlow { .. } | Fact::MoreTasksSlow { .. } | Fact::StageQuiet { .. } => {
                told.extend(self.slow(fact).map(Progress::Note));
            }
            other => told.extend(line(other)),
        }
    }

    /// Tells of a failed attempt; of those of a stage that fail for one cause only
    /// the first one, and of many causes only some.
    fn failure(&mut self, fact: &Fact) -> Option<Progress> {
        let Fact::TaskEnded {
            stage,
            stage_attempt,
            partition,
            attempt,
            executor,
            host,
            reason,
            ..
        } = fact
        else {
            return None;
        };
        if matches!(
            reason,
            TaskEndReason::Success(_) | TaskEndReason::Killed { .. }
        ) {
            return None;
        }
        let cause = reason.to_string();
        let told = self.failures.entry(*stage).or_default();
        if told.len() == FAILURES_TOLD || told.contains(&cause) {
            return None;
        }
        let rest = if told.len() + 1 == FAILURES_TOLD {
            format!("; more failures of stage {stage} are only counted")
        } else {
            String::new()
        };
        let text = format!(
            "task {partition} of stage {stage}.{stage_attempt}, attempt {attempt} on {host} \
             (executor {executor}): {cause}{rest}"
        );
        told.insert(cause);
        Some(Progress::Failed(text))
    }

    /// Tells how many attempts have ended.
    fn figures(&mut self, told: &mut Vec<Progress>) {
        for (stage, (succeeded, failed)) in std::mem::take(&mut self.ended) {
            told.push(Progress::TasksEnded {
                stage,
                succeeded,
                failed,
            });
        }
    }
}

/// What is worth a line as it is.
fn line(fact: &Fact) -> Option<Progress> {
    let note = |text: String| Some(Progress::Note(text));
    let warning = |text: String| Some(Progress::Warning(text));
    match fact {
        Fact::ExecutorCame {
            executor,
            host,
            cores,
            is_driver: false,
            ..
        } => {
            let with = with_cores(*cores);
            note(format!("executor {executor} on {host} registered{with}"))
        }
        Fact::ExecutorRefused { executor, why } => {
            let why = stopping::misfits(why);
            warning(format!("refused executor {executor}: {why}"))
        }
        Fact::ExecutorSentAway { executor, host } => note(format!(
            "executor {executor} is sent away: its host {host} is excluded after failures"
        )),
        Fact::ExecutorEnding {
            executor,
            host,
            why,
        } => note(format!(
            "executor {executor} on {host} ends after what it runs: {why}"
        )),
        Fact::ExecutorLetGo { .. } | Fact::ExecutorKept { .. } => idle(fact),
        Fact::ExecutorLost {
            executor,
            host,
            reason,
        } => {
            let why = loss_text(reason)?;
            warning(format!("executor {executor} on {host} is gone: {why}"))
        }
        Fact::JobWaits { reason, .. } => note(reason.to_string()),
        Fact::StagesAdded { job, stages } => note(format!(
            "what an earlier round had left is lost: job {job} has {} more to make it again",
            mesquite_base::plain::counted(stages.len() as u64, "stage")
        )),
        Fact::ResultLost { task, why } => {
            warning(format!("cannot fetch the result of task {task}: {why}"))
        }
        Fact::AttemptLost { task, why } => warning(format!("task {task} runs again: {why}")),
        Fact::ItemLeftOut { dataset, item } => note(format!(
            "item `{item}` of `{dataset}` failed and is left out"
        )),
        Fact::Noticed(notice @ Notice::Starving { .. }) => warning(notice.to_string()),
        Fact::Noticed(notice) => note(notice.to_string()),
        Fact::NoExecutors {
            waiting,
            since,
            why,
        } => warning(none_runs(*waiting, *since, why)),
        Fact::Subscribed { endpoint } => {
            note(format!("subscribed again with the master at {endpoint}"))
        }
        Fact::MasterLost { why } => warning(format!("lost the master; what runs goes on: {why}")),
        Fact::MasterUnreachable { why } => note(format!("cannot reach the master: {why}")),
        // Told otherwise, or of no interest while it lasts.
        Fact::ExecutorAdded { .. }
        | Fact::ExecutorCame { .. }
        | Fact::ExecutorRemoved { .. }
        | Fact::JobStarted { .. }
        | Fact::JobEnded { .. }
        | Fact::StageStarted { .. }
        | Fact::StageEnded { .. }
        | Fact::TaskStarted(_)
        | Fact::TaskEnded { .. }
        | Fact::TaskSlow { .. }
        | Fact::MoreTasksSlow { .. }
        | Fact::StageQuiet { .. }
        | Fact::Cluster(_)
        | Fact::CommandSaid(_) => None,
    }
}

/// That tasks wait, and why none runs.
fn none_runs(waiting: u64, since: Duration, why: &NothingRuns) -> String {
    format!(
        "{} waited {} s and none runs: {}",
        have(waiting),
        since.as_secs(),
        cluster::nothing_runs(why)
    )
}

/// What is told of an executor that has nothing to do.
fn idle(fact: &Fact) -> Option<Progress> {
    let text = match fact {
        Fact::ExecutorLetGo {
            executor,
            host,
            idle,
        } => format!(
            "executor {executor} on {host} ends: it had nothing to do for {}",
            short_span(*idle)
        ),
        Fact::ExecutorKept {
            executor,
            host,
            why,
        } => {
            let why = match why {
                KeptFor::Outputs => {
                    "its map outputs, which no other executor on its host can take over"
                }
                KeptFor::Partitions => "its persisted partitions",
            };
            format!("executor {executor} on {host} has nothing to do and is kept for {why}")
        }
        _ => return None,
    };
    Some(Progress::Note(text))
}

/// What an executor has, if that is known.
fn with_cores(cores: u32) -> String {
    match cores {
        0 => String::new(),
        cores => format!(" with {cores} cores"),
    }
}

/// Whether an attempt that ended so has failed. A copy that came second and an
/// attempt of a job that was cancelled did nothing wrong, and neither did one whose
/// output is lost: it had succeeded.
pub(crate) const fn has_failed(reason: &TaskEndReason) -> bool {
    match reason {
        TaskEndReason::Success(_)
        | TaskEndReason::Resubmitted
        | TaskEndReason::Killed { .. }
        | TaskEndReason::CommitDenied => false,
        TaskEndReason::FetchFailed { .. }
        | TaskEndReason::Failed { .. }
        | TaskEndReason::ResultLost
        | TaskEndReason::ExecutorLost { .. }
        | TaskEndReason::Unknown => true,
    }
}

/// Why an executor is gone, if people want to know.
fn loss_text(reason: &ExecutorLossReason) -> Option<String> {
    match reason {
        ExecutorLossReason::Killed => None,
        ExecutorLossReason::Exited { cause, .. }
        | ExecutorLossReason::ProcessLost { cause, .. } => Some(cause.to_string()),
        ExecutorLossReason::Decommissioned { why, .. } => Some(why.to_string()),
    }
}

#[cfg(test)]
mod tests;
