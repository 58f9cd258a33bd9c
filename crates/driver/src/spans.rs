//! What happens in a run, as spans of `tracing`: jobs, their stages, and attempts.
//!
//! Responsible for the log of whoever wants details (`-v`, `-vv`, `MESQUITE_LOG`): each
//! line names the attempt, stage and job that it is about. It reads facts, and nothing is
//! made of them where nobody listens. The span of a connection is the server's.

use std::collections::BTreeMap;

use tracing::{Level, Span};

use super::facts::{AttemptFacts, Fact, Happened};
use crate::ids::{JobId, StageId, TaskId};

/// Whether somebody wants to hear of each attempt.
pub(super) fn has_attempts() -> bool {
    tracing::enabled!(Level::TRACE)
}

/// The spans that are open. See the module.
#[derive(Debug, Default)]
pub(super) struct Spans {
    jobs: BTreeMap<JobId, Span>,
    /// The job for which a stage was made first.
    of_stage: BTreeMap<StageId, JobId>,
    stages: BTreeMap<StageId, Span>,
    attempts: BTreeMap<TaskId, Span>,
}

impl Spans {
    /// Opens and closes spans, as things begin and end.
    pub(super) fn read(&mut self, facts: &[Happened]) {
        if !tracing::enabled!(Level::DEBUG) {
            return;
        }
        for Happened { fact, .. } in facts {
            self.jobs_and_stages(fact);
            self.attempts(fact);
        }
    }

    fn jobs_and_stages(&mut self, fact: &Fact) {
        match fact {
            Fact::JobStarted {
                job,
                action,
                dataset,
                stages,
                ..
            } => {
                let span = tracing::debug_span!("job", %job, action, dataset);
                tracing::debug!(parent: &span, stages = stages.len(), "begins");
                for stage in stages {
                    self.of_stage.entry(stage.stage).or_insert(*job);
                }
                self.jobs.insert(*job, span);
            }
            Fact::JobEnded { job, status, error } => {
                if let Some(span) = self.jobs.remove(job) {
                    let error = error.as_deref();
                    tracing::debug!(parent: &span, ?status, error, "ended");
                }
            }
            Fact::StageStarted {
                stage,
                name,
                attempt,
                tasks,
            } => {
                let job = self.of_stage.get(stage).and_then(|it| self.jobs.get(it));
                let job = job.and_then(Span::id);
                let name = &**name;
                let span = tracing::debug_span!(parent: job, "stage", %stage, %attempt, name);
                tracing::debug!(parent: &span, tasks, "begins");
                self.stages.insert(*stage, span);
            }
            Fact::StageEnded { stage, failure, .. } => {
                if let Some(span) = self.stages.remove(stage) {
                    let failure = failure.as_deref();
                    tracing::debug!(parent: &span, failure, "ended");
                }
            }
            // A span has a beginning and an end; nothing else has both.
            _ => {}
        }
    }

    fn attempts(&mut self, fact: &Fact) {
        match fact {
            Fact::TaskStarted(AttemptFacts {
                task,
                stage,
                partition,
                attempt,
                executor,
                host,
                ..
            }) if has_attempts() => {
                let stage = self.stages.get(stage).and_then(Span::id);
                let span = tracing::trace_span!(
                    parent: stage, "attempt", %task, %partition, attempt, %executor, %host
                );
                tracing::trace!(parent: &span, "begins");
                self.attempts.insert(*task, span);
            }
            Fact::TaskEnded { task, reason, .. } => {
                if let Some(span) = self.attempts.remove(task) {
                    tracing::trace!(parent: &span, %reason, "ended");
                }
            }
            _ => {}
        }
    }
}
