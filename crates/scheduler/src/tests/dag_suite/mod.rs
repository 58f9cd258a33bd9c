//! The DAG scheduler against a task scheduler that only records.
//!
//! Grouped by theme; [`Harness`] plays the task scheduler and the job's owner,
//! and checks the invariants after every event.

mod barrier;
mod cancellation;
mod commits;
mod executor_loss;
mod fetch_failures;
mod indeterminate;
mod jobs;
mod map_stage_jobs;
mod needs;
mod preferences;
mod results;
mod rounds;
mod shared_stages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::dag_scheduler::DagEvent;
use crate::dag_scheduler::{DagAction, DagNotice};
use crate::dag_scheduler::{DagScheduler, DagSchedulerConfig};
use crate::ids::{
    DatasetId, ExecutorId, Host, JobId, Partition, ShuffleId, StageId, TaskId, TaskIndex,
};
use crate::job::JobError;
use crate::loss::ExecutorLossReason;
use crate::plan::{JobRequest, NewDataset, Partitioner, Plan, PlanBuilder};
use crate::task::{
    MapStatus, TaskCommand, TaskEndReason, TaskLocation, TaskOutput, TaskReport, TaskSet,
};

/// Adds to a plan that is known to be right.
trait Build {
    fn data(&mut self, new: NewDataset) -> DatasetId;
    fn hashed(&mut self, map_side: DatasetId, partitions: u32) -> ShuffleId;
    /// `partitions` partitions, shuffled, read by a dataset of `reducers`.
    fn map_reduce(&mut self, partitions: u32, reducers: u32) -> (ShuffleId, DatasetId);
}

impl Build for PlanBuilder {
    fn data(&mut self, new: NewDataset) -> DatasetId {
        self.add(new).expect("a valid dataset")
    }

    fn hashed(&mut self, map_side: DatasetId, partitions: u32) -> ShuffleId {
        self.shuffle(map_side, Partitioner::hash(partitions))
            .expect("a valid shuffle")
    }

    fn map_reduce(&mut self, partitions: u32, reducers: u32) -> (ShuffleId, DatasetId) {
        let map_side = self.data(NewDataset::source("", partitions));
        let shuffle = self.hashed(map_side, reducers);
        (shuffle, self.data(NewDataset::shuffled("", [shuffle])))
    }
}

/// A DAG scheduler whose task scheduler only records.
struct Harness {
    dag: DagScheduler,
    now: Timestamp,
    next_task: u64,
    /// What was submitted, in order.
    sets: Vec<TaskSet>,
    /// What was commanded otherwise, in order.
    commands: Vec<TaskCommand>,
    notices: Vec<DagNotice>,
    /// Attempts whose result counted, by job and partition.
    results: BTreeMap<JobId, BTreeMap<u32, TaskId>>,
    outcomes: BTreeMap<JobId, Result<(), JobError>>,
}

impl Harness {
    fn new(builder: PlanBuilder) -> Self {
        Self::with_config(builder, DagSchedulerConfig::default())
    }

    fn with_config(builder: PlanBuilder, config: DagSchedulerConfig) -> Self {
        Self {
            dag: DagScheduler::new(Arc::new(builder.build()), config),
            now: Timestamp::ZERO,
            next_task: 0,
            sets: Vec::new(),
            commands: Vec::new(),
            notices: Vec::new(),
            results: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    fn plan(&self) -> &Plan {
        self.dag.plan()
    }

    fn send(&mut self, event: DagEvent) {
        for action in self.dag.handle(self.now, event) {
            match action {
                DagAction::Command(TaskCommand::Submit(set)) => self.sets.push(set),
                DagAction::Command(command) => self.commands.push(command),
                DagAction::Notice(notice) => self.take_notice(notice),
            }
        }
        assert_eq!(self.dag.broken_invariant(), None);
        assert_eq!(self.dag.wrong_count(), None);
    }

    fn take_notice(&mut self, notice: DagNotice) {
        match &notice {
            DagNotice::ResultReady {
                job,
                partition,
                task,
            } => {
                let results = self.results.entry(*job).or_default();
                let before = results.insert(partition.0, *task);
                assert_eq!(before, None, "partition {partition} of job {job} twice");
            }
            DagNotice::JobEnded { job, outcome } => {
                let before = self.outcomes.insert(*job, outcome.clone());
                assert_eq!(before, None, "job {job} ended twice");
            }
            _ => {}
        }
        self.notices.push(notice);
    }

    fn submit_request(&mut self, request: JobRequest) -> JobId {
        let before = self.notices.len();
        self.send(DagEvent::JobSubmitted(request));
        match self.notices[before] {
            DagNotice::JobAccepted { job } => job,
            ref other => panic!("a job begins with its acceptance, not {other:?}"),
        }
    }

    fn submit(&mut self, dataset: DatasetId) -> JobId {
        let request = self.plan().result_job(dataset).expect("a valid job");
        self.submit_request(request)
    }

    fn submit_map_stage(&mut self, shuffle: ShuffleId) -> JobId {
        let request = self.plan().map_stage_job(shuffle).expect("a valid job");
        self.submit_request(request)
    }

    fn new_task(&mut self) -> TaskId {
        let task = TaskId(self.next_task);
        self.next_task += 1;
        task
    }

    /// Ends an attempt of the task at `index` of the `set`th task set.
    fn end(&mut self, set: usize, index: usize, reason: TaskEndReason) -> TaskId {
        self.end_with_epoch(set, index, reason, self.sets[set].epoch)
    }

    fn end_with_epoch(
        &mut self,
        set: usize,
        index: usize,
        reason: TaskEndReason,
        epoch: u64,
    ) -> TaskId {
        let task = self.new_task();
        let set = &self.sets[set];
        let report = TaskReport::TaskEnded {
            stage: set.stage,
            stage_attempt: set.attempt,
            index: TaskIndex(u32::try_from(index).expect("few tasks")),
            partition: set.tasks[index].partition,
            task,
            attempt: 0,
            executor: executor_on("hostA"),
            host: "hostA".into(),
            epoch,
            reason,
        };
        self.send(DagEvent::Reported(report));
        task
    }

    /// Ends the first tasks of a set, one for each reason.
    fn complete(&mut self, set: usize, reasons: impl IntoIterator<Item = TaskEndReason>) {
        for (index, reason) in reasons.into_iter().enumerate() {
            self.end(set, index, reason);
        }
    }

    /// Makes the map outputs of a set, task by task on these hosts.
    fn complete_maps(&mut self, set: usize, reducers: usize, hosts: &[&str]) {
        assert_eq!(self.sets[set].tasks.len(), hosts.len(), "a host for each");
        self.complete(set, hosts.iter().map(|host| map_output(host, reducers)));
    }

    /// Makes the results of all tasks of a set.
    fn complete_results(&mut self, set: usize) {
        for index in 0..self.sets[set].tasks.len() {
            self.end(set, index, result());
        }
    }

    fn fail_set(&mut self, set: usize, reason: &str) {
        self.send(DagEvent::Reported(TaskReport::TaskSetFailed {
            stage: self.sets[set].stage,
            stage_attempt: self.sets[set].attempt,
            reason: reason.into(),
        }));
    }

    fn lose_executor(&mut self, host: &str) {
        self.lose(host, ExecutorLossReason::Killed);
    }

    /// Loses all of a host: its executor and whatever else keeps files there.
    fn lose_host(&mut self, host: &str) {
        let reason = ExecutorLossReason::ProcessLost {
            cause: "agent lost".into(),
            host: Some(host.into()),
            caused_by_app: false,
        };
        self.lose(host, reason);
    }

    fn lose(&mut self, host: &str, reason: ExecutorLossReason) {
        self.send(DagEvent::Reported(TaskReport::ExecutorLost {
            executor: executor_on(host),
            host: host.into(),
            reason,
        }));
    }

    fn cache(&mut self, dataset: DatasetId, partition: u32, host: &str) {
        self.send(DagEvent::PartitionCached {
            dataset,
            partition: Partition(partition),
            executor: executor_on(host),
            host: host.into(),
        });
    }

    /// Lets the time pass in which failed stages are gathered.
    fn resubmit_failed(&mut self) {
        let due = self.dag.next_deadline().expect("something failed");
        assert!(due - self.now <= Duration::from_millis(200));
        self.now = due;
        self.send(DagEvent::TimePassed);
    }

    /// Stage, attempt and partitions of the `set`th task set.
    fn set(&self, set: usize) -> (u32, u32, Vec<u32>) {
        let set = &self.sets[set];
        (set.stage.0, set.attempt.0, partitions(set))
    }

    /// Stage and attempt of every task set so far.
    fn attempts(&self) -> Vec<(u32, u32)> {
        let ids = |set: &TaskSet| (set.stage.0, set.attempt.0);
        self.sets.iter().map(ids).collect()
    }

    fn locations(&self, set: usize) -> Vec<Vec<String>> {
        let hosts = |locations: &[TaskLocation]| {
            locations
                .iter()
                .map(|location| location.host().to_string())
                .collect()
        };
        let tasks = self.sets[set].tasks.iter();
        tasks.map(|task| hosts(&task.locations)).collect()
    }

    fn parents(&self, stage: u32) -> Vec<u32> {
        let view = self.dag.find_stage(StageId(stage)).expect("a known stage");
        view.parents.iter().map(|id| id.0).collect()
    }

    fn missing(&self, shuffle: ShuffleId) -> Vec<u32> {
        let missing = self.dag.map_outputs().missing(shuffle);
        missing.map(|partition| partition.0).collect()
    }

    fn result_partitions(&self, job: JobId) -> Vec<u32> {
        self.results
            .get(&job)
            .map(|results| results.keys().copied().collect())
            .unwrap_or_default()
    }

    fn failure(&self, job: JobId) -> String {
        match &self.outcomes[&job] {
            Ok(()) => panic!("job {job} succeeded"),
            Err(error) => error.to_string(),
        }
    }

    fn succeeded(&self, job: JobId) -> bool {
        self.outcomes.get(&job) == Some(&Ok(()))
    }

    fn is_active(&self, job: JobId) -> bool {
        !self.outcomes.contains_key(&job)
    }

    /// Stages of which an attempt was reported failed, in order.
    fn failed_stages(&self) -> Vec<u32> {
        let failed = |notice: &DagNotice| match notice {
            DagNotice::StageCompleted {
                stage,
                failure: Some(_),
                ..
            } => Some(stage.0),
            _ => None,
        };
        self.notices.iter().filter_map(failed).collect()
    }

    fn count(&self, matches: impl Fn(&DagNotice) -> bool) -> usize {
        self.notices.iter().filter(|notice| matches(notice)).count()
    }

    fn assert_empty(&self) {
        assert!(self.dag.is_idle(), "jobs are left: {:?}", self.dag.jobs());
        assert_eq!(self.dag.stages(), []);
        assert_eq!(self.dag.next_deadline(), None);
    }
}

fn partitions(set: &TaskSet) -> Vec<u32> {
    set.tasks.iter().map(|task| task.partition.0).collect()
}

fn executor_on(host: &str) -> ExecutorId {
    ExecutorId::from(format!("{host}-exec"))
}

fn map_output(host: &str, reducers: usize) -> TaskEndReason {
    map_output_of(host, &vec![2; reducers])
}

fn map_output_of(host: &str, sizes: &[u64]) -> TaskEndReason {
    TaskEndReason::Success(TaskOutput::Map(MapStatus {
        executor: executor_on(host),
        host: Host::from(host),
        task: TaskId(0),
        sizes: sizes.into(),
    }))
}

fn result() -> TaskEndReason {
    TaskEndReason::Success(TaskOutput::Result { bytes: 8 })
}

fn fetch_failed(host: &str, shuffle: ShuffleId, map: u32, reduce: u32) -> TaskEndReason {
    TaskEndReason::FetchFailed {
        source: Some((executor_on(host), host.into())),
        shuffle,
        map: Some(Partition(map)),
        reduce: Partition(reduce),
        message: "ignored".into(),
    }
}

fn metadata_fetch_failed(shuffle: ShuffleId, reduce: u32) -> TaskEndReason {
    TaskEndReason::FetchFailed {
        source: None,
        shuffle,
        map: None,
        reduce: Partition(reduce),
        message: "ignored".into(),
    }
}

fn failed(message: &str) -> TaskEndReason {
    TaskEndReason::Failed {
        message: message.into(),
        permanent: false,
    }
}

fn killed() -> TaskEndReason {
    TaskEndReason::Killed {
        reason: "test".into(),
    }
}
