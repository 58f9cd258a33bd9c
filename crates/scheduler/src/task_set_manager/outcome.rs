//! What the end of an attempt means for its task and its set.

use std::sync::Arc;
use std::time::Duration;

use super::kept::AttemptState;
use super::{Context, GivenUp, TaskSetManager};
use crate::action::{BackendRequest, Notice};
use crate::cluster::Cluster;
use crate::ids::{ExecutorId, Host, Partition};
use crate::plain::times;
use crate::task::{StageKind, TaskEndReason, TaskOutput};

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
    pub(crate) fn attempt_runs(&mut self, attempt: u32) {
        let state = &mut self.attempts[attempt as usize].state;
        if *state == AttemptState::Launching {
            *state = AttemptState::Running;
        }
    }

    /// The attempt has read so many records in so long.
    pub(crate) fn attempt_progresses(&mut self, attempt: u32, records: u64, ran: Duration) {
        self.attempt_runs(attempt);
        if let Some(speculation) = &mut self.speculation {
            speculation.progress(attempt, records, ran);
        }
    }

    /// The attempt is done and its result waits to be fetched. False if the
    /// set's results became too large: then the set is given up and the attempt
    /// over.
    pub(crate) fn result_ready(
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
    pub(crate) fn succeeded(
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
        context.actions.revive |= context.making.end(self.to_keep.of(index));
        self.running -= 1;
        self.durations.insert(ran);
        self.ended_last = Some(context.now);
        if let Some(speculation) = &mut self.speculation {
            speculation.succeeded(attempt, records);
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
    pub(crate) fn partition_completed(&mut self, partition: Partition) {
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
    pub(crate) fn failed(
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
        self.ended_last = Some(context.now);
        context.actions.revive |= context.making.end(self.to_keep.of(index));
        if let Some(speculation) = &mut self.speculation {
            speculation.ended(attempt);
        }
        self.change(index, |task| task.copies -= 1);
        self.rewatch(index);
        if self.barrier {
            self.zombie = true;
        }
        if let TaskEndReason::FetchFailed { source, .. } = &reason {
            self.fetch_failed(index, source.as_ref(), context);
        }

        let counts = reason.counts_as_failure();
        let permanent = matches!(
            reason,
            TaskEndReason::Failed {
                permanent: true,
                ..
            }
        );
        let told = reason.to_string();
        // A copy of a task that was left out meanwhile says nothing new.
        let is_late = self.left_out.contains(&index) && !self.attempts[attempt as usize].left_out;
        let why: Option<Arc<str>> = ((counts || permanent) && !is_late).then(|| {
            format!(
                "Lost {} ({} executor {}): {reason}",
                self.name_of(attempt),
                context.cluster.host_name(host),
                context.cluster.executor_id(executor),
            )
            .into()
        });
        let lost = matches!(reason, TaskEndReason::ExecutorLost { .. });
        let report = self.ended_report(attempt, context.cluster, reason);
        context.actions.reports.push(report);

        if let Some(why) = why {
            if permanent {
                let set = &format!("{why}; not retrying");
                self.give_up(index, GivenUp { task: &told, set }, context.actions);
            } else if !self.zombie {
                self.count_failure(attempt, (&told, &why), lost, context);
            }
        }
        if self.zombie {
            return;
        }
        if !self.tasks[index as usize].successful {
            self.list(index, context.cluster);
        }
    }

    /// The task is not to run again here: the stage before it must.
    fn fetch_failed(
        &mut self,
        index: u32,
        source: Option<&(ExecutorId, Host)>,
        context: &mut Context<'_>,
    ) {
        if !self.tasks[index as usize].successful {
            self.mark_successful(index);
        }
        self.zombie = true;
        let Some((executor, host)) = source else {
            return;
        };
        if let Some(health) = context.health.as_deref_mut() {
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

    /// Counts a failure against its executor, then against the task.
    fn count_failure(
        &mut self,
        attempt: u32,
        (told, why): (&str, &Arc<str>),
        lost: bool,
        context: &mut Context<'_>,
    ) {
        let index = self.attempts[attempt as usize].index;
        let executor = self.attempts[attempt as usize].executor;
        let host = self.attempts[attempt as usize].host;
        let suspected = lost && !self.attempts[attempt as usize].alone;
        if let Some(proven) = self.proven.as_mut().filter(|_| !suspected) {
            proven.task_failed(context.now, index, executor, host, Arc::clone(why));
        }
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
        if lost && !self.loss_counts(attempt, context.config) {
            return;
        }
        let failures = &mut self.tasks[index as usize].failures;
        *failures = failures.saturating_add(1);
        let limit = context.config.max_task_failures;
        if u32::from(*failures) >= limit {
            let reason = format!(
                "Task {index} in stage {}.{} failed {}, most recent failure: {why}; its \
                 attempts ran on {}",
                self.stage,
                self.attempt,
                times(limit.into()),
                self.places_of(index, context.cluster)
            );
            let why = GivenUp {
                task: told,
                set: &reason,
            };
            self.give_up(index, why, context.actions);
        }
    }
}

impl TaskSetManager {
    /// Where the attempts of a task ran, the first one first; of many only the last.
    pub(super) fn places_of(&self, index: u32, cluster: &Cluster) -> String {
        let attempts = self.attempts_of(index).take(PLACES_TOLD);
        let mut places: Vec<_> = attempts
            .map(|attempt| {
                let attempt = &self.attempts[attempt as usize];
                format!(
                    "{} (executor {})",
                    cluster.host_name(attempt.host),
                    cluster.executor_id(attempt.executor)
                )
            })
            .collect();
        places.reverse();
        places.dedup();
        if places.is_empty() {
            places.push("no executor yet".to_owned());
        }
        places.join(", ")
    }
}

/// Of the places of a task's attempts so many are told.
const PLACES_TOLD: usize = 8;

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
