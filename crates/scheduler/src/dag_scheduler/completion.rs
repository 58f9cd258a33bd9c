//! What the end of an attempt means for its stage and job.
//!
//! Responsible for counting each partition once, whichever attempt made it,
//! for completing stages, and for sending each kind of failure to the rules it
//! has. Whether a failed task is tried again within its task set is for the
//! task scheduler to say.

use std::sync::Arc;

use super::DagScheduler;
use crate::dag_scheduler::DagNotice;
use crate::ids::{ExecutorId, Host, JobId, Partition, ShuffleId, StageAttempt, StageId, TaskId};
use crate::job::JobGoal;
use crate::stage::StageGoal;
use crate::task::{MapStatus, TaskCommand, TaskEndReason, TaskOutput, TaskReport};

/// The end of an attempt, as far as the rules look at it.
pub(super) struct Ended<'a> {
    pub(super) stage: StageId,
    pub(super) attempt: StageAttempt,
    pub(super) partition: Partition,
    pub(super) task: TaskId,
    pub(super) epoch: u64,
    pub(super) reason: &'a TaskEndReason,
}

/// What a task says it could not read.
pub(super) struct FetchFailure<'a> {
    pub(super) source: Option<&'a (ExecutorId, Host)>,
    pub(super) shuffle: ShuffleId,
    pub(super) map: Option<Partition>,
    pub(super) message: &'a Arc<str>,
}

impl DagScheduler {
    pub(super) fn task_ended(&mut self, report: &TaskReport) {
        self.notice(DagNotice::Task(report.clone()));
        let TaskReport::TaskEnded {
            stage,
            stage_attempt,
            partition,
            task,
            epoch,
            ref reason,
            ..
        } = *report
        else {
            return;
        };
        let ended = Ended {
            stage,
            attempt: stage_attempt,
            partition,
            task,
            epoch,
            reason,
        };
        match reason {
            TaskEndReason::Success(_) | TaskEndReason::CommitDenied => {}
            TaskEndReason::Resubmitted
            | TaskEndReason::FetchFailed { .. }
            | TaskEndReason::Failed { .. }
            | TaskEndReason::Killed { .. }
            | TaskEndReason::ResultLost
            | TaskEndReason::ExecutorLost { .. }
            | TaskEndReason::Unknown => self.commits.attempt_failed(stage, partition, task),
        }
        let Some(found) = self.stages.get(&stage) else {
            return;
        };
        if partition.0 >= self.plan.dataset(found.dataset).partitions() {
            return;
        }
        let barrier = found.barrier;
        match reason {
            TaskEndReason::Success(output) => self.task_succeeded(&ended, output),
            TaskEndReason::FetchFailed {
                source,
                shuffle,
                map,
                message,
                ..
            } => self.fetch_failed(
                &ended,
                &FetchFailure {
                    source: source.as_ref(),
                    shuffle: *shuffle,
                    map: *map,
                    message,
                },
            ),
            TaskEndReason::Resubmitted => {
                self.output_lost(&ended);
                if barrier {
                    self.barrier_task_failed(&ended);
                }
            }
            _ if barrier => self.barrier_task_failed(&ended),
            // The task set manager tries again, or gives up and says so.
            TaskEndReason::Failed { .. }
            | TaskEndReason::Killed { .. }
            | TaskEndReason::CommitDenied
            | TaskEndReason::ResultLost
            | TaskEndReason::ExecutorLost { .. }
            | TaskEndReason::Unknown => {}
        }
    }

    fn task_succeeded(&mut self, ended: &Ended<'_>, output: &TaskOutput) {
        let stage = self.stage(ended.stage);
        let latest = stage.is_latest(ended.attempt);
        let outdated = stage.rolled_back.is_some_and(|last| ended.attempt <= last);
        // Some attempts are of no use to any other: what they read may have
        // changed since, or their tasks only count together.
        let useless = outdated
            || (!latest && (stage.indeterminate || stage.barrier))
            || (stage.barrier && !stage.is_running());
        if useless {
            // What it committed does not count: another attempt must be able
            // to commit in its place.
            self.commits
                .attempt_failed(ended.stage, ended.partition, ended.task);
            return;
        }
        if !latest {
            self.command(TaskCommand::PartitionCompleted {
                stage: ended.stage,
                partition: ended.partition,
            });
        }
        match (&self.stage(ended.stage).goal, output) {
            (StageGoal::Result { job }, _) => self.result_arrived(*job, ended),
            (StageGoal::ShuffleMap { .. }, TaskOutput::Map(status)) => {
                self.map_output_arrived(ended, status);
            }
            // Not what was asked for; counting it would lose data.
            (StageGoal::ShuffleMap { .. }, TaskOutput::Result { .. }) => {}
        }
    }

    fn result_arrived(&mut self, id: JobId, ended: &Ended<'_>) {
        let job = self.jobs.get_mut(&id).expect("a result stage has its job");
        let JobGoal::Results { finished, wanted } = &mut job.goal else {
            return;
        };
        if !finished.insert(ended.partition) {
            return;
        }
        let done = finished.len() == *wanted;
        self.notice(DagNotice::ResultReady {
            job: id,
            partition: ended.partition,
            task: ended.task,
        });
        if !done {
            return;
        }
        if self.stage(ended.stage).is_running() {
            self.mark_stage_finished(ended.stage, None, false);
        }
        self.release_stages(id, &format!("Job {id} is finished.").into());
        self.command(TaskCommand::KillAllAttempts {
            stage: ended.stage,
            reason: "Stage finished".into(),
        });
        let outcome = Ok(());
        self.notice(DagNotice::JobEnded { job: id, outcome });
    }

    fn map_output_arrived(&mut self, ended: &Ended<'_>, status: &MapStatus) {
        let bogus = self
            .executor_epochs
            .failed_since(&status.executor, ended.epoch);
        let stage = self.stage_mut(ended.stage);
        let StageGoal::ShuffleMap {
            shuffle, pending, ..
        } = &mut stage.goal
        else {
            return;
        };
        pending.remove(ended.partition);
        let (shuffle, all_in) = (*shuffle, pending.is_empty());
        let running = stage.is_running();
        // An attempt that was launched before its executor failed says where
        // its output was, not where it is.
        if !bogus {
            self.outputs
                .register_output(shuffle, ended.partition, status);
        }
        if running && all_in {
            self.map_stage_ended(ended.stage);
        }
    }

    fn map_stage_ended(&mut self, id: StageId) {
        self.mark_stage_finished(id, None, false);
        self.outputs.increment_epoch();
        if self.is_available(id) {
            self.finish_map_stage_jobs(id);
            self.submit_waiting_children(id);
        } else {
            // Outputs were lost while others were being made.
            self.submit_stage(id);
        }
    }

    /// Ends the map-stage jobs of a stage whose output is complete.
    pub(super) fn finish_map_stage_jobs(&mut self, id: StageId) {
        let stage = self.stage_mut(id);
        let StageGoal::ShuffleMap { shuffle, jobs, .. } = &mut stage.goal else {
            return;
        };
        let (shuffle, jobs) = (*shuffle, std::mem::take(jobs));
        if jobs.is_empty() {
            return;
        }
        let bytes_by_reducer = self.outputs.bytes_by_reducer(shuffle);
        for job in jobs {
            self.notice(DagNotice::MapOutputReady {
                job,
                bytes_by_reducer: bytes_by_reducer.clone(),
            });
            self.release_stages(job, &format!("Job {job} is finished.").into());
            let outcome = Ok(());
            self.notice(DagNotice::JobEnded { job, outcome });
        }
    }

    /// A map output that had been made is lost, and its task is to run again
    /// within the same attempt.
    fn output_lost(&mut self, ended: &Ended<'_>) {
        if let StageGoal::ShuffleMap { pending, .. } = &mut self.stage_mut(ended.stage).goal {
            pending.insert(ended.partition);
        }
    }
}
