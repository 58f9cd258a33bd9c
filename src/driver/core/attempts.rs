//! Attempts, from where they are placed to what they bring. Pure.
//!
//! Responsible for sending attempts to their executors, for what the core wants
//! of them, and for their ends: statuses for the core, results for the board.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use super::Driver;
use super::effect::Effect;
use super::fleet::Fleet;
use super::outcome::status_of;
use crate::backend::executors::Action;
use crate::backend::{Revived, SchedulerBackend, mesos_fine};
use crate::ids::{DatasetId, ExecutorId, Host, Partition, StageId, TaskId};
use crate::rpc::message::{
    Outcome, Task, from_driver, from_driver::Message, from_executor::CommitRequest,
    from_executor::Heartbeat,
};
use crate::scheduler::Event;
use crate::scheduler::action::BackendRequest;
use crate::scheduler::dag_scheduler::DagEvent;
use crate::scheduler::event::{TaskSchedulerEvent, TaskStatus};
use crate::scheduler::map_outputs::MissingOutput;
use crate::scheduler::task::{TaskDescription, TaskEndReason, TaskOutput};
use crate::scheduler::worker_offer::WorkerOffer;

/// Attempts that cannot start for want of an input.
type Missing = Vec<(TaskId, Partition, MissingOutput)>;

impl Driver {
    /// Tasks wait that may find room: what room there is, if it is known here.
    pub(super) fn revive(&mut self) -> Vec<WorkerOffer> {
        if let Fleet::Fine(backend) = &mut self.fleet {
            let mut actions = Vec::new();
            backend.revive(self.now, &mut actions);
            self.fine_says(actions);
            return Vec::new();
        }
        match self.executors.revive(self.now) {
            Revived::Offers(offers) => offers,
            Revived::Asked(_) => Vec::new(),
        }
    }

    /// Offers the room of executors whose tasks have ended.
    pub(super) fn offer_room(&mut self) {
        let freed = std::mem::take(&mut self.freed);
        if freed.is_empty() || self.core.tasks().waiting() == 0 {
            return;
        }
        let offers: Vec<_> = freed
            .iter()
            .filter_map(|executor| self.executors.offer_of(executor))
            .collect();
        if !offers.is_empty() {
            self.feed(TaskSchedulerEvent::Offers {
                offers,
                all_free: false,
            });
        }
    }

    /// Starts attempts where they were placed.
    pub(super) fn launch(&mut self, launches: Vec<Vec<TaskDescription>>, events: &mut Vec<Event>) {
        let mut missing = Missing::new();
        if let Fleet::Fine(backend) = &mut self.fleet {
            let (works, core, attempts) = (&self.works, &self.core, &mut self.attempts);
            let encoded = |attempt: &TaskDescription| {
                let outputs = core.dag().map_outputs();
                match works.task(attempt, outputs, core.dag().cached_locations()) {
                    Ok(task) => {
                        attempts.insert(attempt.task, attempt.partition);
                        Some(task.encode_to_vec().into())
                    }
                    Err(error) => {
                        missing.push((attempt.task, attempt.partition, error));
                        None
                    }
                }
            };
            let actions = backend.launch(launches, encoded);
            self.fine_says(actions);
        } else {
            for action in self.executors.launch(self.now, launches) {
                if let Action::Launch { executor, tasks } = action {
                    let tasks = tasks
                        .iter()
                        .filter_map(|attempt| self.task_of(attempt, &mut missing))
                        .collect();
                    let launch = from_driver::Launch { tasks };
                    self.say(&executor, Message::Launch(launch));
                }
            }
        }
        for (task, reduce, error) in missing {
            self.executors.ended(task, Duration::ZERO);
            events.push(Event::Executors(TaskSchedulerEvent::Status {
                task,
                status: TaskStatus::Failed(TaskEndReason::FetchFailed {
                    source: None,
                    shuffle: error.shuffle,
                    map: None,
                    reduce,
                    message: error.to_string().into(),
                }),
            }));
        }
    }

    fn task_of(&mut self, attempt: &TaskDescription, missing: &mut Missing) -> Option<Task> {
        let dag = self.core.dag();
        match self
            .works
            .task(attempt, dag.map_outputs(), dag.cached_locations())
        {
            Ok(task) => {
                self.attempts.insert(attempt.task, attempt.partition);
                Some(task)
            }
            Err(error) => {
                missing.push((attempt.task, attempt.partition, error));
                None
            }
        }
    }

    /// Does what the core asks for.
    pub(super) fn request(&mut self, request: BackendRequest) {
        if let BackendRequest::FetchResult { task } = request {
            if let Some(executor) = self.ran_on.remove(&task) {
                let place = self.works.place(&executor).cloned().unwrap_or_default();
                self.effect(Effect::Fetch { task, place });
            }
            return;
        }
        if self.fleet.is_fine() {
            return self.request_in_fine_mode(request);
        }
        for action in self.executors.request(self.now, request) {
            match action {
                Action::Kill {
                    executor,
                    task,
                    reason,
                } => self.kill(&executor, task, &reason),
                Action::End { executor, .. } => {
                    let stop = from_driver::Stop {
                        reason: "the driver wants it ended".into(),
                    };
                    // Its loss is told when its connection ends.
                    self.say(&executor, Message::Stop(stop));
                    self.fleet_ends(&executor);
                }
                Action::ExcludeHosts(hosts) => self.exclude(hosts),
                Action::Launch { .. } => {}
            }
        }
    }

    fn request_in_fine_mode(&mut self, request: BackendRequest) {
        match request {
            BackendRequest::KillTask { task, .. } => {
                self.tell_fine(mesos_fine::Input::Kill(task));
            }
            BackendRequest::ExcludeHosts(hosts) => self.exclude(hosts),
            BackendRequest::EndExecutor { executor, .. } => self.fleet_ends(&executor),
            BackendRequest::FetchResult { .. }
            | BackendRequest::EndExecutorsOnHost { .. }
            | BackendRequest::UnschedulableTaskSets(_) => {}
        }
    }

    /// The host on which an attempt ran, if it is known and had not ended before.
    fn freed_by(&mut self, executor: &ExecutorId, task: TaskId, ran: Duration) -> Option<Host> {
        if self.fleet.is_fine() {
            return self.hosts.get(executor).cloned();
        }
        // A late word of an executor that it does not run on any more.
        if self.executors.executor_of(task)? != executor {
            return None;
        }
        self.executors.ended(task, ran);
        self.executors.host_of(executor).cloned()
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, executor: &ExecutorId, task: TaskId, outcome: Outcome) {
        let metrics = outcome.metrics.unwrap_or_default();
        let ran = Duration::from_micros(metrics.run_micros);
        let Some(host) = self.freed_by(executor, task, ran) else {
            return;
        };
        self.freed.insert(executor.clone());
        self.killed(executor, task);
        self.totals.shuffle_bytes_read += metrics.shuffle_bytes_read;
        self.totals.shuffle_bytes_fetched += metrics.shuffle_bytes_fetched;
        self.totals.spilled_bytes += metrics.spilled_bytes;
        self.commits.remove(&task);
        for kept in &outcome.kept {
            self.feed(DagEvent::PartitionCached {
                dataset: DatasetId(kept.dataset),
                partition: Partition(kept.partition),
                executor: executor.clone(),
                host: host.clone(),
            });
        }
        let Some(partition) = self.attempts.get(&task).copied() else {
            return;
        };
        let (status, result) = status_of(outcome, task, partition, executor, &host);
        let stored = matches!(status, TaskStatus::ResultReady { .. });
        if let Some(result) = result {
            self.results.insert(task, (result, metrics));
        } else if stored {
            self.results.insert(task, (Bytes::new(), metrics));
            self.ran_on.insert(task, executor.clone());
        }
        self.feed(TaskSchedulerEvent::Status { task, status });
        if !stored {
            self.forget(task);
        }
    }

    fn forget(&mut self, task: TaskId) {
        self.results.remove(&task);
        self.attempts.remove(&task);
    }

    /// A large result is here, or cannot be had.
    pub(super) fn fetched(&mut self, task: TaskId, result: Result<Bytes, String>) {
        let status = match result {
            Ok(bytes) => {
                let records = self.results.get(&task).map_or(0, |(_, it)| it.records_read);
                let output = TaskOutput::Result {
                    bytes: bytes.len() as u64,
                };
                if let Some((stored, _)) = self.results.get_mut(&task) {
                    *stored = bytes;
                }
                TaskStatus::Finished { output, records }
            }
            Err(message) => {
                self.warn(format!("cannot fetch the result of task {task}: {message}"));
                TaskStatus::Failed(TaskEndReason::ResultLost)
            }
        };
        self.feed(TaskSchedulerEvent::Status { task, status });
        self.forget(task);
    }

    /// An attempt asks whether it may put its output in place.
    pub(super) fn commit(&mut self, executor: &ExecutorId, request: CommitRequest) {
        let task = TaskId(request.task);
        self.commits.insert(task, executor.clone());
        self.feed(DagEvent::CommitRequested {
            stage: StageId(request.stage),
            partition: Partition(request.partition),
            task,
        });
    }

    /// It may, or may not.
    pub(super) fn answer_commit(&mut self, task: TaskId, granted: bool) {
        if let Some(executor) = self.commits.remove(&task) {
            let decision = from_driver::CommitDecision {
                task: task.0,
                granted,
            };
            self.say(&executor, Message::Commit(decision));
        }
    }

    /// How far running attempts are.
    pub(super) fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        for progress in &heartbeat.progress {
            let records = progress.records;
            self.feed(TaskSchedulerEvent::Status {
                task: TaskId(progress.task),
                status: TaskStatus::Progress { records },
            });
        }
    }
}
