//! The loop that owns the scheduling core.
//!
//! Responsible for feeding the core with what happened and carrying out what it
//! says, one thing after the other. One task runs it; threads, connections and
//! timers only send it [`Input`]s.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;

use super::board::{Board, Purpose, count_in};
use super::cluster::{Cluster, Happened, Over};
use super::input::{CommitAnswer, Input};
use super::outcome::status_of;
use super::report::{JobReport, Listener, Progress, Status};
use super::work::Works;
use crate::backend::Revived;
use crate::clock::SystemClock;

use crate::ids::{ExecutorId, JobId, Partition, ShuffleId, StageId, TaskId};
use crate::plan::JobProperties;
use crate::plan::application::{ActionKind, Application};
use crate::rpc::message::{Metrics, Outcome};
use crate::scheduler::action::{BackendRequest, Notice};
use crate::scheduler::dag_scheduler::{DagEvent, DagNotice};
use crate::scheduler::event::{TaskSchedulerEvent, TaskStatus};
use crate::scheduler::job::JobError;
use crate::scheduler::task::{
    ExecutorLossReason, TaskDescription, TaskEndReason, TaskOutput, TaskReport,
};
use crate::scheduler::{Core, CoreActions, Event};
use crate::storage::order::bounds_of_sample;
use crate::storage::sink;
use crate::timer::sleep_until;

/// So many inputs are taken at once at most, before room is offered again.
const BATCH: usize = 1024;

/// Of the failed attempts of a stage so many are told one by one.
const FAILURES_TOLD: u32 = 5;

/// What all tasks did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) shuffle_bytes_read: u64,
    pub(super) shuffle_bytes_fetched: u64,
    pub(super) spilled_bytes: u64,
}

/// See the module.
pub(super) struct EventLoop<'a> {
    pub(super) clock: SystemClock,
    pub(super) core: Core,
    pub(super) cluster: Cluster,
    pub(super) works: Works,
    pub(super) board: Board,
    pub(super) application: Arc<Application>,
    pub(super) listener: &'a mut dyn Listener,
    pub(super) totals: Totals,
    pub(super) inputs: mpsc::UnboundedSender<Input>,
    /// The partition of each attempt that runs.
    attempts: FxHashMap<TaskId, Partition>,
    /// Results that the core has not decided about.
    results: FxHashMap<TaskId, (Bytes, Metrics)>,
    commits: BTreeMap<TaskId, CommitAnswer>,
    /// Executors with new room.
    freed: BTreeSet<ExecutorId>,
    /// Jobs whose files are being put in place.
    saving: BTreeSet<JobId>,
    progress: BTreeMap<StageId, (u32, u32)>,
    failures_told: BTreeMap<StageId, u32>,
    interrupted: bool,
    /// Cores of one task.
    task_cpus: u32,
}

impl<'a> EventLoop<'a> {
    pub(super) fn new(
        clock: SystemClock,
        core: Core,
        cluster: Cluster,
        application: Arc<Application>,
        listener: &'a mut dyn Listener,
        inputs: mpsc::UnboundedSender<Input>,
        task_cpus: u32,
    ) -> Self {
        Self {
            clock,
            core,
            cluster,
            works: Works::new(
                Arc::clone(&application.plan),
                Arc::clone(&application.program),
            ),
            board: Board::new(Arc::clone(&application)),
            application,
            listener,
            totals: Totals::default(),
            inputs,
            attempts: FxHashMap::default(),
            results: FxHashMap::default(),
            commits: BTreeMap::new(),
            freed: BTreeSet::new(),
            saving: BTreeSet::new(),
            progress: BTreeMap::new(),
            failures_told: BTreeMap::new(),
            interrupted: false,
            task_cpus,
        }
    }

    /// Runs until every job has ended. An interruption ends it in good order, a
    /// second one at once.
    pub(super) async fn run(&mut self, mut receiver: mpsc::UnboundedReceiver<Input>) {
        let mut inputs = Vec::with_capacity(BATCH);
        self.cluster.start(self.clock.now(), &mut self.works);
        self.submit_ready();
        self.tell_wanted();
        while !self.board.is_done() {
            let due = self.core.next_deadline();
            let due = due.into_iter().chain(self.cluster.next_deadline()).min();
            tokio::select! {
                _ = receiver.recv_many(&mut inputs, BATCH) => {}
                () = sleep_until(self.clock, due) => inputs.push(Input::TimePassed),
            }
            for input in inputs.drain(..) {
                if !self.take(input) {
                    return;
                }
            }
            self.offer_room();
            self.submit_ready();
            self.tell_progress();
            self.tell_wanted();
            if self.cluster.over().is_some() && !self.interrupted {
                self.interrupted = true;
                self.fail_all();
            }
        }
    }

    /// Tells where executors come from how many could be used.
    fn tell_wanted(&mut self) {
        let tasks = self.core.tasks();
        let wanted = (tasks.waiting() + tasks.running()) * u64::from(self.task_cpus);
        let waiting = tasks.waiting();
        let happened = self.cluster.wanted(self.clock.now(), waiting, wanted);
        self.tell_cluster_notes();
        self.happened(happened);
    }

    /// No executor can come again: what is not done never will be.
    fn fail_all(&mut self) {
        let why: Arc<str> = match self.cluster.over() {
            Some(Over::Removed(why) | Over::Dying(why)) => why.as_str().into(),
            None => return,
        };
        self.board.give_up_rest(&why);
        self.feed(TaskSchedulerEvent::BackendFailed { message: why });
    }

    /// What all tasks did, and what came of all jobs.
    pub(super) fn into_results(self) -> (Totals, Vec<JobReport>) {
        (self.totals, self.board.reports())
    }

    /// Takes in one input; false if the loop is to end at once.
    fn take(&mut self, input: Input) -> bool {
        match input {
            Input::Ended {
                executor,
                task,
                outcome,
            } => self.ended(&executor, task, outcome),
            Input::Commit {
                task,
                stage,
                partition,
                answer,
            } => {
                self.commits.insert(task, answer);
                self.feed(DagEvent::CommitRequested {
                    stage,
                    partition,
                    task,
                });
            }
            Input::Fetched { task, result } => self.fetched(task, result),
            Input::Saved { job, result } => self.saved(job, result),
            Input::Progress { task, records } => self.feed(TaskSchedulerEvent::Status {
                task,
                status: TaskStatus::Progress { records },
            }),
            Input::Interrupted if self.interrupted => return false,
            Input::Interrupted => {
                self.interrupted = true;
                self.board.give_up_rest("interrupted");
                self.feed(DagEvent::AllCancelled);
            }
            Input::TimePassed => {
                self.feed(Event::TimePassed);
                let happened = self.cluster.time_passed(self.clock.now());
                self.happened(happened);
            }
            Input::Cluster(input) => {
                let now = self.clock.now();
                let happened = self.cluster.handle(now, *input, &mut self.works);
                self.tell_cluster_notes();
                self.happened(happened);
            }
        }
        true
    }

    /// Lets what happened to executors take effect, in order.
    fn happened(&mut self, happened: Vec<Happened>) {
        for one in happened {
            match one {
                Happened::Event(event) => self.feed(event),
                Happened::Ended {
                    executor,
                    task,
                    outcome,
                } => self.ended(&executor, task, outcome),
                Happened::Call(call) => self.cluster.call(call),
                Happened::Idle(executor) => {
                    let dag = self.core.dag();
                    let needed = dag.map_outputs().holds(&executor)
                        || dag.cached_locations().holds(&executor);
                    if !needed {
                        let gone = self.cluster.let_go(self.clock.now(), executor);
                        self.happened(gone);
                    }
                }
            }
        }
    }

    fn feed_all(&mut self, events: Vec<Event>) {
        for event in events {
            self.feed(event);
        }
    }

    /// Feeds the core and carries out what it says.
    fn feed(&mut self, event: impl Into<Event>) {
        let mut events = vec![event.into()];
        while let Some(event) = events.pop() {
            let actions = self.core.handle(self.clock.now(), event);
            self.carry_out(actions, &mut events);
            self.cluster.settle();
        }
    }

    fn carry_out(&mut self, actions: CoreActions, events: &mut Vec<Event>) {
        let CoreActions {
            launches,
            requests,
            revive,
            job_notices,
            notices,
        } = actions;
        for notice in job_notices {
            self.job_notice(notice, events);
        }
        for notice in notices {
            self.notice(&notice);
        }
        for request in requests {
            self.request(request);
        }
        if !launches.is_empty() {
            self.launch(launches, events);
        }
        if revive {
            match self.cluster.revive(self.clock.now()) {
                Revived::Offers(offers) if !offers.is_empty() => {
                    events.push(Event::Executors(TaskSchedulerEvent::Offers {
                        offers,
                        all_free: true,
                    }));
                }
                Revived::Offers(_) | Revived::Asked(_) => {}
            }
        }
    }

    fn launch(&mut self, launches: Vec<Vec<TaskDescription>>, events: &mut Vec<Event>) {
        let now = self.clock.now();
        let (works, core) = (&self.works, &self.core);
        let mut missing = Vec::new();
        let attempts = &mut self.attempts;
        let happened = self.cluster.launch(now, launches, |description| {
            let outputs = core.dag().map_outputs();
            let kept = core.dag().cached_locations();
            match works.task(description, outputs, kept) {
                Ok(task) => {
                    attempts.insert(description.task, description.partition);
                    Some(task)
                }
                Err(error) => {
                    missing.push((description.task, description.partition, error));
                    None
                }
            }
        });
        for one in happened {
            if let Happened::Event(event) = one {
                events.push(event);
            }
        }
        for (task, reduce, error) in missing {
            self.cluster.never_started(task);
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

    /// Offers the room of executors whose tasks have ended.
    fn offer_room(&mut self) {
        if self.freed.is_empty() || self.core.tasks().waiting() == 0 {
            self.freed.clear();
            return;
        }
        let freed = std::mem::take(&mut self.freed);
        let offers: Vec<_> = freed
            .iter()
            .filter_map(|executor| self.cluster.offer_of(executor))
            .collect();
        if !offers.is_empty() {
            self.feed(TaskSchedulerEvent::Offers {
                offers,
                all_free: false,
            });
        }
    }

    fn ended(&mut self, executor: &ExecutorId, task: TaskId, outcome: Outcome) {
        let metrics = outcome.metrics.unwrap_or_default();
        let ran = Duration::from_micros(metrics.run_micros);
        let Some(host) = self.cluster.ended(task, executor, ran) else {
            return;
        };
        self.freed.insert(executor.clone());
        self.totals.shuffle_bytes_read += metrics.shuffle_bytes_read;
        self.totals.shuffle_bytes_fetched += metrics.shuffle_bytes_fetched;
        self.totals.spilled_bytes += metrics.spilled_bytes;
        self.commits.remove(&task);
        for kept in &outcome.kept {
            self.feed(DagEvent::PartitionCached {
                dataset: crate::ids::DatasetId(kept.dataset),
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

    fn fetched(&mut self, task: TaskId, result: Result<Bytes, String>) {
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
                self.listener.progress(Progress::Warning(format!(
                    "cannot fetch the result of task {task}: {message}"
                )));
                TaskStatus::Failed(TaskEndReason::ResultLost)
            }
        };
        self.feed(TaskSchedulerEvent::Status { task, status });
        self.forget(task);
    }

    fn request(&mut self, request: BackendRequest) {
        let wanted = self.cluster.request(self.clock.now(), request);
        for (task, fetch) in wanted {
            let inputs = self.inputs.clone();
            tokio::spawn(async move {
                let result = fetch.await;
                let _ = inputs.send(Input::Fetched { task, result });
            });
        }
    }

    // --- what is told

    fn job_notice(&mut self, notice: DagNotice, events: &mut Vec<Event>) {
        match notice {
            // The answer to a submission, which reads it itself.
            DagNotice::JobAccepted { .. } | DagNotice::MapOutputReady { .. } => {}
            DagNotice::JobStarted { job, stages } => self.board.started(job, &stages),
            DagNotice::JobWaitsForSlots { reason, .. } => self.note(reason.to_string()),
            DagNotice::ResultReady {
                job,
                partition,
                task,
            } => {
                if let Some((bytes, metrics)) = self.results.remove(&task) {
                    self.board.result(job, partition, bytes, &metrics);
                }
            }
            DagNotice::JobEnded { job, outcome } => self.job_ended(job, outcome, events),
            DagNotice::StageSubmitted {
                stage,
                name,
                kind,
                tasks,
                ..
            } => {
                let job = self.board.job_of_stage(stage).unwrap_or_default();
                let result = self.board.job_mut(job).map(|entry| {
                    entry.report.stages += 1;
                    (entry.dataset, entry.result.clone())
                });
                self.works.submitted(stage, kind, job, result);
                self.listener.progress(Progress::StageStarted {
                    stage,
                    name: name.to_string(),
                    tasks,
                });
            }
            DagNotice::StageCompleted { stage, failure, .. } => {
                self.tell_progress();
                self.listener.progress(Progress::StageEnded {
                    stage,
                    failure: failure.map(|it| it.to_string()),
                });
            }
            DagNotice::Task(report) => self.task_report(report),
            DagNotice::CommitDecided { task, granted } => {
                if let Some(answer) = self.commits.remove(&task) {
                    self.cluster.answer_commit(task, answer, granted);
                }
            }
            DagNotice::OutputsLost { executor, .. } => {
                tracing::debug!(%executor, "map outputs count as lost");
            }
        }
    }

    fn task_report(&mut self, report: TaskReport) {
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
                    self.listener.progress(Progress::Warning(format!(
                        "executor {executor} on {host} is gone: {why}"
                    )));
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
            Ordering::Less => self.listener.progress(Progress::Warning(text())),
            Ordering::Equal => {
                let rest = format!(
                    "{}; more failures of stage {stage} are only counted",
                    text()
                );
                self.listener.progress(Progress::Warning(rest));
            }
            Ordering::Greater => {}
        }
    }

    fn entry_of(&mut self, stage: StageId) -> Option<&mut super::board::Entry> {
        let job = self.works.stage(stage)?.job;
        self.board.job_mut(job)
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            // The core knows of the room it was given; where none is given, the
            // cluster knows why.
            Notice::Starving { waiting, since, .. } => {
                let text = match self.cluster.why_nothing_runs() {
                    Some(why) => format!(
                        "{waiting} tasks have waited {} s and none runs: {why}",
                        since.as_secs()
                    ),
                    None => notice.to_string(),
                };
                self.listener.progress(Progress::Warning(text));
            }
            _ => self.note(notice.to_string()),
        }
    }

    fn note(&mut self, text: String) {
        self.listener.progress(Progress::Note(text));
    }

    fn tell_cluster_notes(&mut self) {
        for note in self.cluster.take_notes() {
            self.listener.progress(note);
        }
    }

    fn tell_progress(&mut self) {
        for (stage, (succeeded, failed)) in std::mem::take(&mut self.progress) {
            self.listener.progress(Progress::TasksEnded {
                stage,
                succeeded,
                failed,
            });
        }
    }

    // --- jobs

    /// Submits the jobs that are ready.
    fn submit_ready(&mut self) {
        loop {
            let works = &self.works;
            let next = self.board.next(|dataset| works.missing_bounds(dataset));
            let Some(purpose) = next else { return };
            self.submit(purpose);
        }
    }

    fn submit(&mut self, purpose: Purpose) {
        let dataset = self.board.dataset_of(purpose);
        let action = self.board.action_of(purpose);
        let request = self
            .application
            .plan
            .result_job(dataset)
            .expect("actions are of datasets of the plan")
            .with_properties(JobProperties {
                pool: action.pool.clone(),
                ..JobProperties::default()
            });
        let now = self.clock.now();
        let actions = self.core.handle(now, DagEvent::JobSubmitted(request));
        if let Some(DagNotice::JobAccepted { job }) = actions.job_notices.first() {
            self.board.accepted(now, *job, purpose);
            if let Some(entry) = self.board.job(*job) {
                self.listener.progress(Progress::JobStarted {
                    job: *job,
                    action: entry.report.action.clone(),
                    dataset: entry.report.dataset.clone(),
                });
            }
        }
        let mut events = Vec::new();
        self.carry_out(actions, &mut events);
        self.feed_all(events);
    }

    fn job_ended(&mut self, job: JobId, outcome: Result<(), JobError>, _: &mut Vec<Event>) {
        let Some(entry) = self.board.job(job) else {
            return;
        };
        let purpose = entry.purpose;
        if let Err(error) = outcome {
            let status = match error {
                JobError::Cancelled { .. } | JobError::Stopped { .. } => Status::Cancelled,
                _ => Status::Failed,
            };
            if let Purpose::Action(index) = purpose
                && let ActionKind::Save { to, .. } = &self.application.actions[index].kind
            {
                sink::abort_job(to);
            }
            return self.close_job(job, status, Some(error.to_string()));
        }
        match purpose {
            Purpose::Sample(shuffle) => self.sampled(job, shuffle),
            Purpose::Action(index) => self.deliver(job, index),
        }
    }

    fn close_job(&mut self, job: JobId, status: Status, error: Option<String>) {
        self.board.ended(self.clock.now(), job, status, error);
    }

    fn sampled(&mut self, job: JobId, shuffle: ShuffleId) {
        let Some(entry) = self.board.job_mut(job) else {
            return;
        };
        let samples = std::mem::take(&mut entry.results);
        let exchange = self.application.program.exchange(shuffle);
        let bounds = bounds_of_sample(exchange.order, exchange.partitions, samples.values());
        self.works.set_bounds(shuffle, bounds);
        self.close_job(job, Status::Succeeded, None);
    }

    /// Hands a finished job's result to whoever asked for it.
    fn deliver(&mut self, job: JobId, index: usize) {
        let application = Arc::clone(&self.application);
        let Some(entry) = self.board.job_mut(job) else {
            return;
        };
        let results = std::mem::take(&mut entry.results);
        let dataset = entry.report.dataset.clone();
        let delivered = match &application.actions[index].kind {
            ActionKind::Count => {
                let records = results.values().map(|bytes| count_in(bytes)).sum();
                self.listener.counted(&dataset, records)
            }
            ActionKind::Collect { limit } => {
                let mut left = limit.unwrap_or(u64::MAX);
                let mut records = 0;
                let delivered = results.values().try_for_each(|bytes| {
                    let (some, count) = first_lines(bytes, left);
                    left -= count;
                    records += count;
                    self.listener.collected(&dataset, some)
                });
                if let Some(entry) = self.board.job_mut(job) {
                    entry.report.records = records;
                }
                delivered
            }
            ActionKind::Save { to, overwrite, .. } => {
                let partitions = application.plan.dataset(application.actions[index].dataset);
                return self.save(job, to.clone(), partitions.partitions(), *overwrite);
            }
        };
        match delivered {
            Ok(()) => self.close_job(job, Status::Succeeded, None),
            Err(error) => {
                let error = format!("cannot write the result: {error}");
                self.close_job(job, Status::Failed, Some(error));
            }
        }
    }

    /// Puts saved files in place, which may take a while.
    fn save(&mut self, job: JobId, to: String, partitions: u32, overwrite: bool) {
        self.saving.insert(job);
        let inputs = self.inputs.clone();
        tokio::task::spawn_blocking(move || {
            let result =
                sink::commit_job(&to, partitions, overwrite).map_err(|error| error.to_string());
            let _ = inputs.send(Input::Saved { job, result });
        });
    }

    fn saved(&mut self, job: JobId, result: Result<(), String>) {
        self.saving.remove(&job);
        match result {
            Ok(()) => self.close_job(job, Status::Succeeded, None),
            Err(error) => self.close_job(job, Status::Failed, Some(error)),
        }
    }
}

/// The first `limit` lines and how many there are.
fn first_lines(bytes: &[u8], limit: u64) -> (&[u8], u64) {
    let mut count = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        if count == limit {
            break;
        }
        count += 1;
        if count == limit {
            return (&bytes[..=end], count);
        }
    }
    if limit == 0 { (&[], 0) } else { (bytes, count) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_as_many_lines_as_wanted_are_handed_on() {
        assert_eq!(first_lines(b"a\nb\nc\n", 2), (&b"a\nb\n"[..], 2));
        assert_eq!(first_lines(b"a\nb\n", 9), (&b"a\nb\n"[..], 2));
        assert_eq!(first_lines(b"a\n", 0), (&b""[..], 0));
        assert_eq!(first_lines(b"", 3), (&b""[..], 0));
    }
}
