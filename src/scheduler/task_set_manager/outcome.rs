//! What the end of an attempt means for its task and its set.

use std::sync::Arc;

use super::records::AttemptState;
use super::{Context, TaskSetManager};
use crate::ids::Partition;
use crate::scheduler::action::{BackendRequest, Notice};
use crate::scheduler::task::{StageKind, TaskEndReason, TaskOutput};

impl TaskEndReason {
    /// Whether such an end counts towards the failures that a task may have.
    /// What others did to it does not (Spark's `countTowardsTaskFailures`).
    fn counts_as_failure(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::ResultLost | Self::Unknown => true,
            Self::ExecutorLost { caused_by_app, .. } => *caused_by_app,
            Self::Success(_)
            | Self::Resubmitted
            | Self::FetchFailed { .. }
            | Self::Killed { .. }
            | Self::CommitDenied => false,
        }
    }
}

impl TaskSetManager {
    /// The executor started the attempt.
    pub(in crate::scheduler) fn attempt_runs(&mut self, attempt: u32) {
        let state = &mut self.attempts[attempt as usize].state;
        if *state == AttemptState::Launching {
            *state = AttemptState::Running;
        }
    }

    /// The attempt has read so many records by now.
    pub(in crate::scheduler) fn attempt_progresses(&mut self, attempt: u32, records: u64) {
        self.attempt_runs(attempt);
        if let Some(speculation) = &mut self.speculation {
            speculation.progress(attempt, records);
        }
    }

    /// The attempt is done and its result waits to be fetched. False if the
    /// set's results became too large: then the set is given up and the attempt
    /// over.
    pub(in crate::scheduler) fn result_ready(
        &mut self,
        attempt: u32,
        bytes: u64,
        context: &mut Context<'_>,
    ) -> bool {
        if !self.take_result(attempt, bytes, context) {
            return false;
        }
        let entry = &mut self.attempts[attempt as usize];
        entry.state = AttemptState::Fetching;
        context
            .actions
            .requests
            .push(BackendRequest::FetchResult { task: entry.task });
        true
    }

    /// Counts a result. False, and all is over, if that makes too much. What
    /// map tasks send is small and exempt.
    fn take_result(&mut self, attempt: u32, bytes: u64, context: &mut Context<'_>) -> bool {
        let entry = &mut self.attempts[attempt as usize];
        if entry.result_counted || matches!(self.kind, StageKind::ShuffleMap(_)) {
            return true;
        }
        entry.result_counted = true;
        self.results += 1;
        self.result_bytes += bytes;
        let limit = context.config.max_result_bytes;
        if limit == 0 || self.result_bytes <= limit {
            return true;
        }
        let reason = format!(
            "Total size of serialized results of {} tasks ({}) is bigger than \
             spark.driver.maxResultSize ({}): raise it, or save the results instead of \
             collecting them",
            self.results,
            Mebibytes(self.result_bytes),
            Mebibytes(limit)
        );
        self.abort(&reason, context.actions);
        let killed = TaskEndReason::Killed {
            reason: "the results of its stage are too large".into(),
        };
        self.failed(attempt, killed, context);
        false
    }

    /// The attempt succeeded.
    pub(in crate::scheduler) fn succeeded(
        &mut self,
        attempt: u32,
        output: TaskOutput,
        records: u64,
        context: &mut Context<'_>,
    ) {
        let entry = &self.attempts[attempt as usize];
        if !entry.is_running() {
            return;
        }
        let index = entry.index;
        if let TaskOutput::Result { bytes } = output
            && !self.take_result(attempt, bytes, context)
        {
            return;
        }
        if self.tasks[index as usize].successful && self.attempts[attempt as usize].killed_by_other
        {
            if let TaskOutput::Result { bytes } = output {
                self.results -= 1;
                self.result_bytes -= bytes.min(self.result_bytes);
            }
            let killed = TaskEndReason::Killed {
                reason: "done, but another attempt had succeeded before".into(),
            };
            self.failed(attempt, killed, context);
            return;
        }

        let entry = &mut self.attempts[attempt as usize];
        entry.state = AttemptState::Succeeded;
        let ran = context.now - entry.launched;
        self.running -= 1;
        if let Some(speculation) = &mut self.speculation {
            speculation.succeeded(attempt, ran, records);
        }
        // Counted before the others are looked at, so that a task whose output
        // is lost later waits again once nothing runs.
        self.change(index, |task| task.copies -= 1);
        self.kill_others(index, context);
        if !self.tasks[index as usize].successful {
            self.mark_successful(index);
            self.tasks[index as usize].failures = 0;
            if self.is_complete() {
                self.zombie = true;
            }
        } else {
            self.rewatch(index);
        }
        let report = self.ended_report(attempt, context.cluster, TaskEndReason::Success(output));
        context.actions.reports.push(report);
    }

    /// Asks for the other running attempts of a task to be killed.
    fn kill_others(&mut self, index: u32, context: &mut Context<'_>) {
        let running: Vec<u32> = self
            .attempts_of(index)
            .filter(|attempt| self.attempts[*attempt as usize].is_running())
            .collect();
        for attempt in running {
            let entry = &mut self.attempts[attempt as usize];
            entry.killed_by_other = true;
            context.actions.requests.push(BackendRequest::KillTask {
                task: entry.task,
                executor: context.cluster.executor_id(entry.executor).clone(),
                reason: "another attempt succeeded".into(),
            });
        }
    }

    /// The partition was computed by an older attempt of the stage. An attempt
    /// that runs here runs on. A barrier set does not care: its tasks need each
    /// other, so they run together or not at all.
    pub(in crate::scheduler) fn partition_completed(&mut self, partition: Partition) {
        if self.barrier {
            return;
        }
        let Some(index) = self.find(partition) else {
            return;
        };
        if self.zombie || self.tasks[index as usize].successful {
            return;
        }
        self.mark_successful(index);
        self.tasks[index as usize].failures = 0;
        if self.is_complete() {
            self.zombie = true;
        }
    }

    fn find(&self, partition: Partition) -> Option<u32> {
        match &self.index_of {
            Some(index_of) => index_of.get(&partition).copied(),
            None => self
                .tasks
                .binary_search_by_key(&partition, |task| task.partition)
                .ok()
                .map(|index| index as u32),
        }
    }

    /// The attempt ended without success.
    pub(in crate::scheduler) fn failed(
        &mut self,
        attempt: u32,
        reason: TaskEndReason,
        context: &mut Context<'_>,
    ) {
        let entry = &mut self.attempts[attempt as usize];
        if !entry.is_running() {
            return;
        }
        entry.state = AttemptState::Ended;
        let (index, executor, host) = (entry.index, entry.executor, entry.host);
        self.running -= 1;
        if let Some(speculation) = &mut self.speculation {
            speculation.ended(attempt);
        }
        self.change(index, |task| task.copies -= 1);
        self.rewatch(index);
        if self.barrier {
            self.zombie = true;
        }
        if let TaskEndReason::FetchFailed { source, .. } = &reason {
            // The task is not to run again here: the stage before it must.
            if !self.tasks[index as usize].successful {
                self.mark_successful(index);
            }
            self.zombie = true;
            if let (Some((executor, host)), Some(health)) = (source, context.health.as_deref_mut())
            {
                let host = context.cluster.host(host);
                let executor = context.cluster.executor(executor, host);
                health.fetch_failed(
                    context.now,
                    executor,
                    host,
                    context.cluster,
                    context.actions,
                );
            }
        }

        let counts = reason.counts_as_failure();
        let permanent = matches!(
            reason,
            TaskEndReason::Failed {
                permanent: true,
                ..
            }
        );
        let why: Option<Arc<str>> = (counts || permanent).then(|| {
            format!(
                "Lost {} ({} executor {}): {reason}",
                self.name_of(attempt),
                context.cluster.host_name(host),
                context.cluster.executor_id(executor),
            )
            .into()
        });
        let report = self.ended_report(attempt, context.cluster, reason);
        context.actions.reports.push(report);

        if let Some(why) = why {
            if permanent {
                self.abort(&format!("{why}; not retrying"), context.actions);
                return;
            }
            if !self.zombie {
                self.count_failure(index, attempt, &why, context);
            }
        }
        if self.zombie {
            return;
        }
        if !self.tasks[index as usize].successful {
            self.list(index, context.cluster);
        }
    }

    /// Counts a failure against its executor, then against the task.
    fn count_failure(
        &mut self,
        index: u32,
        attempt: u32,
        why: &Arc<str>,
        context: &mut Context<'_>,
    ) {
        let executor = self.attempts[attempt as usize].executor;
        let host = self.attempts[attempt as usize].host;
        if let Some(exclusions) = &mut self.exclusions {
            let new = exclusions.task_failed(context.now, index, executor, host, Arc::clone(why));
            if let Some(failures) = new.executor {
                context
                    .actions
                    .notices
                    .push(Notice::ExecutorExcludedForStage {
                        executor: context.cluster.executor_id(executor).clone(),
                        stage: self.stage,
                        stage_attempt: self.attempt,
                        failures,
                    });
            }
            if let Some(executors) = new.host {
                context.actions.notices.push(Notice::HostExcludedForStage {
                    host: context.cluster.host_name(host).clone(),
                    stage: self.stage,
                    stage_attempt: self.attempt,
                    executors,
                });
            }
        }
        let failures = &mut self.tasks[index as usize].failures;
        *failures = failures.saturating_add(1);
        let limit = context.config.max_task_failures;
        if u32::from(*failures) >= limit {
            let reason = format!(
                "Task {index} in stage {}.{} failed {limit} times, most recent failure: {why}",
                self.stage, self.attempt
            );
            self.abort(&reason, context.actions);
        }
    }
}

/// Bytes, as Spark writes them: in the largest unit that leaves two or more.
struct Mebibytes(u64);

impl std::fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        for (unit, bits) in UNITS {
            if self.0 >= 2 << bits {
                return write!(f, "{:.1} {unit}", self.0 as f64 / (1u64 << bits) as f64);
            }
        }
        write!(f, "{} B", self.0)
    }
}
