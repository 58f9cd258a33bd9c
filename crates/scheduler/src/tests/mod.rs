//! Spark's own scheduler suites, case by case, in their grouping.
//!
//! `docs/scheduling-cases.md` says which case is which test. Here is what they
//! share: a task scheduler, or one task set manager, with a clock that the test
//! moves.

mod core_sequences;
mod dag_suite;
mod health_suite;
mod pool_suite;
mod sequences;
mod snapshot;
mod task_scheduler_suite;
mod task_set_manager_suite;

use std::sync::Arc;
use std::time::Duration;

use self::snapshot::TaskSetView;
use super::action::{Actions, BackendRequest, Notice};
use super::cluster::{Cluster, Decommission, ExecutorIx};
use super::config::{ExclusionConfig, SpeculationConfig, TaskSchedulerConfig};
use super::event::{AttemptStatus, TaskSchedulerEvent};
use super::health::HealthTracker;
use super::locality::LocalityLevel;
use super::loss::ExecutorLossReason;
use super::making::Making;
use super::pool::PoolDefinition;
use super::stock::Stock;
use super::task::{
    MapStatus, StageKind, TaskCommand, TaskDescription, TaskEndReason, TaskOutput, TaskReport,
    TaskSet, TaskSpec,
};
use super::task_scheduler::TaskScheduler;
use super::task_set_manager::{Choice, Context, Spot, TaskSetManager};
use super::worker_offer::WorkerOffer;
use crate::clock::Timestamp;
use crate::ids::{
    ExecutorId, JobId, Partition, ResourceProfileId, ShuffleId, StageAttempt, StageId, TaskId,
};
use crate::plan::TaskNeeds;

/// Spark's default locality wait.
pub(super) const WAIT: Duration = Duration::from_secs(3);

// --- task sets

/// A result stage's task set; job 0, default pool, one core a task.
pub(super) fn task_set(stage: u32, attempt: u32, tasks: u32) -> TaskSet {
    TaskSet {
        stage: StageId(stage),
        attempt: StageAttempt(attempt),
        kind: StageKind::Result,
        job: JobId(0),
        pool: None,
        barrier: false,
        skips: false,
        needs: needs(1),
        epoch: 0,
        tasks: (0..tasks).map(|index| spec(index, &[])).collect(),
    }
}

/// A task set of stage 0 with these preferred locations.
pub(super) fn preferring(locations: &[&[&str]]) -> TaskSet {
    TaskSet {
        tasks: (0..)
            .zip(locations)
            .map(|(index, locations)| spec(index, locations))
            .collect(),
        ..task_set(0, 0, 0)
    }
}

pub(super) fn shuffle_map(set: TaskSet) -> TaskSet {
    TaskSet {
        kind: StageKind::ShuffleMap(ShuffleId(0)),
        ..set
    }
}

pub(super) fn spec(partition: u32, locations: &[&str]) -> TaskSpec {
    TaskSpec {
        partition: Partition(partition),
        locations: locations
            .iter()
            .map(|text| text.parse().expect("a well-formed location"))
            .collect(),
        to_keep: Box::default(),
    }
}

pub(super) fn needs(cpus: u32) -> TaskNeeds {
    TaskNeeds {
        profile: ResourceProfileId(0),
        cpus,
        resources: Vec::new(),
    }
}

pub(super) fn gpus(cpus: u32, amount: u32) -> TaskNeeds {
    TaskNeeds {
        resources: vec![("gpu".into(), amount.into())],
        ..needs(cpus)
    }
}

// --- reasons and outputs

pub(super) fn failure() -> TaskEndReason {
    TaskEndReason::Failed {
        message: "some failure".into(),
        permanent: false,
    }
}

pub(super) fn result(bytes: u64) -> TaskOutput {
    TaskOutput::Result { bytes }
}

pub(super) fn fetch_failed(executor: &str, host: &str) -> TaskEndReason {
    TaskEndReason::FetchFailed {
        source: Some((executor.into(), host.into())),
        shuffle: ShuffleId(0),
        map: Some(Partition(0)),
        reduce: Partition(0),
        message: "gone".into(),
    }
}

pub(super) fn process_lost(caused_by_app: bool) -> ExecutorLossReason {
    ExecutorLossReason::ProcessLost {
        cause: "connection broke".into(),
        host: None,
        caused_by_app,
    }
}

// --- offers

pub(super) fn offer(executor: &str, host: &str, cores: u32) -> WorkerOffer {
    WorkerOffer::new(executor, host, cores)
}

pub(super) fn offer_with_gpus(
    executor: &str,
    host: &str,
    cores: u32,
    gpus: std::ops::Range<u32>,
) -> WorkerOffer {
    WorkerOffer {
        resources: vec![Stock::new("gpu", gpus.map(|i| i.to_string()))],
        ..offer(executor, host, cores)
    }
}

// --- a task scheduler

/// A task scheduler, the time, and all it said so far.
pub(super) struct Fixture {
    pub(super) scheduler: TaskScheduler,
    pub(super) now: Timestamp,
    pub(super) reports: Vec<TaskReport>,
    pub(super) requests: Vec<BackendRequest>,
    pub(super) notices: Vec<Notice>,
    /// Whether the last event asked for offers.
    pub(super) revived: bool,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(configure: impl FnOnce(&mut TaskSchedulerConfig)) -> Self {
        Self::with_pools(configure, None)
    }

    pub(super) fn with_pools(
        configure: impl FnOnce(&mut TaskSchedulerConfig),
        pools: Option<&[PoolDefinition]>,
    ) -> Self {
        let mut config = TaskSchedulerConfig::default();
        configure(&mut config);
        Self {
            scheduler: TaskScheduler::new(config, pools, 7),
            now: Timestamp::ZERO,
            reports: Vec::new(),
            requests: Vec::new(),
            notices: Vec::new(),
            revived: false,
        }
    }

    pub(super) fn excluding() -> Self {
        Self::with(|config| config.exclusion = Some(ExclusionConfig::default()))
    }

    pub(super) fn handle(&mut self, event: TaskSchedulerEvent) -> Vec<Vec<TaskDescription>> {
        let actions: Actions = self.scheduler.handle(self.now, event);
        self.reports.extend(actions.reports);
        self.requests.extend(actions.requests);
        self.notices.extend(actions.notices);
        self.revived = actions.revive;
        actions.launches
    }

    fn tell(&mut self, event: TaskSchedulerEvent) {
        let launches = self.handle(event);
        assert!(launches.is_empty(), "only offers lead to launches");
    }

    pub(super) fn submit(&mut self, set: TaskSet) {
        self.tell(TaskSchedulerEvent::Command(TaskCommand::Submit(set)));
    }

    pub(super) fn command(&mut self, command: TaskCommand) {
        self.tell(TaskSchedulerEvent::Command(command));
    }

    /// Offers all that is free, or a part; gives all that was launched.
    pub(super) fn place(
        &mut self,
        offers: Vec<WorkerOffer>,
        all_free: bool,
    ) -> Vec<TaskDescription> {
        self.handle(TaskSchedulerEvent::Offers { offers, all_free })
            .into_iter()
            .flatten()
            .collect()
    }

    pub(super) fn offer(&mut self, offers: &[(&str, &str, u32)]) -> Vec<TaskDescription> {
        let offers = offers
            .iter()
            .map(|(executor, host, cores)| offer(executor, host, *cores))
            .collect();
        self.place(offers, true)
    }

    pub(super) fn offer_part(
        &mut self,
        executor: &str,
        host: &str,
        cores: u32,
    ) -> Vec<TaskDescription> {
        self.place(vec![offer(executor, host, cores)], false)
    }

    pub(super) fn advance(&mut self, duration: Duration) {
        self.now += duration;
    }

    pub(super) fn time_passed(&mut self, duration: Duration) {
        self.advance(duration);
        self.tell(TaskSchedulerEvent::TimePassed);
    }

    pub(super) fn status(&mut self, task: TaskId, status: AttemptStatus) {
        self.tell(TaskSchedulerEvent::Status { task, status });
    }

    pub(super) fn finish(&mut self, task: &TaskDescription) {
        let output = TaskOutput::Result { bytes: 10 };
        self.status(
            task.task,
            AttemptStatus::ended(TaskEndReason::Success(output)),
        );
    }

    pub(super) fn finish_map(&mut self, task: &TaskDescription, host: &str) {
        let output = TaskOutput::Map(MapStatus {
            executor: task.executor.clone(),
            host: host.into(),
            task: task.task,
            sizes: Arc::from([1]),
        });
        self.status(
            task.task,
            AttemptStatus::ended(TaskEndReason::Success(output)),
        );
    }

    pub(super) fn fail(&mut self, task: &TaskDescription) {
        self.status(task.task, AttemptStatus::ended(failure()));
    }

    pub(super) fn lose(&mut self, executor: &str, reason: ExecutorLossReason) {
        self.tell(TaskSchedulerEvent::ExecutorLost {
            executor: executor.into(),
            reason,
        });
    }

    pub(super) fn decommission(&mut self, executor: &str, host: Option<&str>) {
        self.tell(TaskSchedulerEvent::ExecutorDecommissioning {
            executor: executor.into(),
            host: host.map(Into::into),
        });
    }

    pub(super) fn racks(&mut self, racks: &[(&str, &str)]) {
        let racks = racks
            .iter()
            .map(|(host, rack)| ((*host).into(), (*rack).into()))
            .collect();
        self.tell(TaskSchedulerEvent::RacksKnown(racks));
    }

    /// A task set that is still in the table.
    pub(super) fn set(&self, stage: u32, attempt: u32) -> Option<TaskSetView> {
        self.scheduler
            .snapshot()
            .task_sets
            .into_iter()
            .find(|set| set.stage == StageId(stage) && set.attempt == StageAttempt(attempt))
    }

    /// Why a task set was given up, if it was.
    pub(super) fn failed(&self, stage: u32) -> Option<&str> {
        self.reports.iter().find_map(|report| match report {
            TaskReport::TaskSetFailed {
                stage: failed,
                reason,
                ..
            } if *failed == StageId(stage) => Some(&**reason),
            _ => None,
        })
    }

    /// How the attempts ended, as reported.
    pub(super) fn ends(&self) -> Vec<(TaskId, &TaskEndReason)> {
        self.reports
            .iter()
            .filter_map(|report| match report {
                TaskReport::TaskEnded { task, reason, .. } => Some((*task, reason)),
                _ => None,
            })
            .collect()
    }

    /// Attempts that were asked to be killed.
    pub(super) fn killed(&self) -> Vec<TaskId> {
        self.requests
            .iter()
            .filter_map(|request| match request {
                BackendRequest::KillTask { task, .. } => Some(*task),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn executors_of(tasks: &[TaskDescription]) -> Vec<&str> {
    let mut executors: Vec<_> = tasks.iter().map(|task| task.executor.as_str()).collect();
    executors.sort_unstable();
    executors
}

// --- one task set manager

/// A task set manager with its surroundings, offered one place at a time.
pub(super) struct ManagerFixture {
    pub(super) now: Timestamp,
    pub(super) config: TaskSchedulerConfig,
    pub(super) cluster: Cluster,
    pub(super) health: Option<HealthTracker>,
    pub(super) manager: TaskSetManager,
    pub(super) actions: Actions,
    next_task: TaskId,
}

/// What a task set manager started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) index: u32,
    pub(super) level: LocalityLevel,
    pub(super) speculative: bool,
    pub(super) task: TaskId,
    /// The attempt's place in the manager.
    pub(super) attempt: u32,
}

/// The tests' way to set the surroundings of a task set manager up.
#[derive(Default)]
pub(super) struct Surroundings {
    pub(super) config: TaskSchedulerConfig,
    executors: Vec<(&'static str, &'static str)>,
    racks: Vec<(&'static str, &'static str)>,
}

impl Surroundings {
    pub(super) fn executors(executors: &[(&'static str, &'static str)]) -> Self {
        Self {
            executors: executors.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn racks(mut self, racks: &[(&'static str, &'static str)]) -> Self {
        self.racks = racks.to_vec();
        self
    }

    pub(super) fn configure(mut self, configure: impl FnOnce(&mut TaskSchedulerConfig)) -> Self {
        configure(&mut self.config);
        self
    }

    pub(super) fn speculating(self, configure: impl FnOnce(&mut SpeculationConfig)) -> Self {
        self.configure(|config| {
            let mut speculation = SpeculationConfig {
                min_task_runtime: Duration::ZERO,
                ..SpeculationConfig::default()
            };
            configure(&mut speculation);
            config.speculation = Some(speculation);
        })
    }

    pub(super) fn manage(self, set: TaskSet) -> ManagerFixture {
        let mut cluster = Cluster::new(0);
        for (host, rack) in &self.racks {
            let host = cluster.host(&(*host).into());
            cluster.set_rack(host, &(*rack).into());
        }
        for (executor, host) in &self.executors {
            add_executor(&mut cluster, executor, host);
        }
        let manager = TaskSetManager::new(Timestamp::ZERO, set, &self.config, &mut cluster);
        ManagerFixture {
            now: Timestamp::ZERO,
            health: self
                .config
                .exclusion
                .clone()
                .map(|it| HealthTracker::new(it, self.config.outputs_outlive_executors)),
            config: self.config,
            cluster,
            manager,
            actions: Actions::default(),
            next_task: TaskId(0),
        }
    }
}

fn add_executor(cluster: &mut Cluster, executor: &str, host: &str) {
    let host = cluster.host(&host.into());
    let executor = cluster.executor(&executor.into(), host);
    cluster.register(executor, host);
}

impl ManagerFixture {
    fn executor(&self, executor: &str) -> ExecutorIx {
        self.cluster
            .find_executor(&ExecutorId::from(executor))
            .expect("a known executor")
    }

    fn spot(&mut self, executor: &str, host: &str) -> Spot {
        let host = self.cluster.host(&host.into());
        Spot {
            executor: self.cluster.executor(&executor.into(), host),
            host,
            rack: self.cluster.rack_of(host),
        }
    }

    pub(super) fn choose(&mut self, executor: &str, host: &str, max: LocalityLevel) -> Choice {
        let spot = self.spot(executor, host);
        let legacy = self.config.legacy_locality_reset;
        self.manager
            .choose(self.now, spot, max, legacy, &Making::default())
    }

    /// Offers room for one task and launches what is chosen.
    pub(super) fn offer(
        &mut self,
        executor: &str,
        host: &str,
        max: LocalityLevel,
    ) -> Option<Started> {
        let Choice::Task {
            index,
            level,
            speculative,
        } = self.choose(executor, host, max)
        else {
            return None;
        };
        let task = self.next_task;
        self.next_task = task.next();
        let spot = self.spot(executor, host);
        let attempt = self.manager.launch(self.now, task, index, spot);
        Some(Started {
            index,
            level,
            speculative,
            task,
            attempt,
        })
    }

    /// The index of the task launched, if one was.
    pub(super) fn index(&mut self, executor: &str, host: &str, max: LocalityLevel) -> Option<u32> {
        self.offer(executor, host, max).map(|started| started.index)
    }

    pub(super) fn with_context<T>(
        &mut self,
        happen: impl FnOnce(&mut TaskSetManager, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            now: self.now,
            config: &self.config,
            cluster: &mut self.cluster,
            health: self.health.as_mut(),
            actions: &mut self.actions,
            making: &mut Making::default(),
        };
        happen(&mut self.manager, &mut context)
    }

    pub(super) fn succeed(&mut self, started: Started) {
        self.succeed_with(started, 10);
    }

    pub(super) fn succeed_with(&mut self, started: Started, bytes: u64) {
        self.with_context(|manager, context| {
            manager.succeeded(started.attempt, result(bytes), 0, context);
        });
    }

    pub(super) fn fail(&mut self, started: Started, reason: TaskEndReason) {
        self.with_context(|manager, context| manager.failed(started.attempt, reason, context));
    }

    pub(super) fn add_executor(&mut self, executor: &str, host: &str) {
        add_executor(&mut self.cluster, executor, host);
        self.manager.recompute_levels(&self.cluster);
    }

    pub(super) fn lose_executor(&mut self, executor: &str, reason: &ExecutorLossReason) {
        let executor = self.executor(executor);
        let suspects = self.cluster.running(executor);
        self.cluster.remove(executor);
        self.with_context(|manager, context| {
            manager.executor_lost(executor, reason, suspects, context);
        });
    }

    pub(super) fn decommission(&mut self, executor: &str, whole_host: bool) {
        let executor = self.executor(executor);
        let since = self.now;
        self.cluster
            .decommission(executor, Decommission { since, whole_host });
        self.manager.recompute_levels(&self.cluster);
    }

    pub(super) fn mark_slow(&mut self) -> bool {
        self.manager.mark_slow(self.now, &self.cluster)
    }

    pub(super) fn levels(&self) -> Vec<LocalityLevel> {
        self.manager.delay().levels().iter().collect()
    }

    /// Why the set was given up, if it was.
    pub(super) fn failed_reason(&self) -> Option<&str> {
        self.actions.reports.iter().find_map(|report| match report {
            TaskReport::TaskSetFailed { reason, .. } => Some(&**reason),
            _ => None,
        })
    }

    pub(super) fn reasons(&self) -> Vec<&TaskEndReason> {
        self.actions
            .reports
            .iter()
            .filter_map(|report| match report {
                TaskReport::TaskEnded { reason, .. } => Some(reason),
                _ => None,
            })
            .collect()
    }
}
