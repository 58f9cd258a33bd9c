//! A small world around the core, and the rules that it checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::{SchedulingMode, SpeculationConfig};
use crate::core::{Core, CoreActions, Event};
use crate::dag_scheduler::{DagEvent, DagNotice, DagSchedulerConfig, ExecutorCapacity};
use crate::ids::{DatasetId, ExecutorId, Host, JobId, Partition, ShuffleId, StageId, TaskId};
use crate::loss::ExecutorLossReason;
use crate::plan::{Determinism, NewDataset, Partitioner, Plan, PlanBuilder};
use crate::task::{MapStatus, StageKind, TaskDescription, TaskEndReason, TaskOutput};
use crate::{AttemptStatus, BackendRequest, TaskSchedulerConfig, TaskSchedulerEvent, WorkerOffer};

mod attempts;
mod plan;
mod rules;

use self::plan::plan;
use self::rules::add_sources;

/// What happens next. Numbers pick among what there is at that moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Submit(u16),
    SubmitMapStage(u16),
    OfferAll,
    OfferOne(u16),
    Succeed(u16),
    Fail(u16),
    FailForGood(u16),
    FailToFetch(u16),
    ReportKilled(u16),
    ReportTwice(u16),
    LoseExecutor(u16),
    LoseHost(u16),
    Decommission(u16),
    AddExecutor(u16),
    CancelAll,
    AskToCommit(u16),
    Cache(u16),
    Wait(u16),
}

/// How the core is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Whether attempts get copies, and if so, whether eagerly.
    pub(super) speculation: Option<bool>,
    pub(super) fair: bool,
    pub(super) outputs_outlive_executors: bool,
    pub(super) seed: u64,
}

/// Which attempts at indeterminate map tasks something was computed from, by
/// shuffle and map partition. More than one is a mixture.
type Sources = BTreeMap<(ShuffleId, Partition), BTreeSet<TaskId>>;

struct Executor {
    host: Host,
    cores: u32,
    free: u32,
}

struct Running {
    description: TaskDescription,
    /// What it has read, or why it could not.
    read: Result<Read, TaskEndReason>,
}

#[derive(Default)]
struct Read {
    sources: Sources,
    /// Whom it read from: shuffle, map partition and executor.
    blocks: Vec<(ShuffleId, Partition, ExecutorId, Host)>,
}

#[derive(Clone, Copy)]
enum Makes {
    MapOutput(ShuffleId),
    Results(DatasetId),
}

struct Job {
    dataset: Option<DatasetId>,
    results: BTreeMap<Partition, TaskId>,
    ended: bool,
}

pub(super) struct World {
    core: Core,
    plan: Arc<Plan>,
    targets: Vec<DatasetId>,
    shuffles: Vec<ShuffleId>,
    persisted: DatasetId,
    now: Timestamp,
    executors: BTreeMap<ExecutorId, Executor>,
    next_executor: u32,
    running: BTreeMap<TaskId, Running>,
    over: Vec<TaskId>,
    killed: BTreeSet<TaskId>,
    /// What each finished attempt was computed from.
    sources: BTreeMap<TaskId, Sources>,
    stages: BTreeMap<StageId, Makes>,
    jobs: BTreeMap<JobId, Job>,
    last_job: Option<JobId>,
    committers: BTreeMap<(StageId, Partition), TaskId>,
    cached: BTreeSet<(Partition, ExecutorId)>,
    outputs_outlive_executors: bool,
    record: Vec<CoreActions>,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let (plan, targets, persisted) = plan();
        let shuffles = (0..9).map(ShuffleId).collect();
        let tasks = TaskSchedulerConfig {
            mode: match setting.fair {
                true => SchedulingMode::Fair,
                false => SchedulingMode::Fifo,
            },
            speculation: setting.speculation.map(|eager| match eager {
                false => SpeculationConfig::default(),
                // Copies of nearly everything, nearly at once.
                true => SpeculationConfig {
                    multiplier: 1.0,
                    quantile: 0.3,
                    min_task_runtime: Duration::ZERO,
                    ..SpeculationConfig::default()
                },
            }),
            outputs_outlive_executors: setting.outputs_outlive_executors,
            ..TaskSchedulerConfig::default()
        };
        let dag = DagSchedulerConfig::default();
        let core = Core::new(plan.clone(), dag, tasks, None, setting.seed);
        let mut world = Self {
            core,
            plan,
            targets,
            shuffles,
            persisted,
            now: Timestamp::ZERO,
            executors: BTreeMap::new(),
            next_executor: 0,
            running: BTreeMap::new(),
            over: Vec::new(),
            killed: BTreeSet::new(),
            sources: BTreeMap::new(),
            stages: BTreeMap::new(),
            jobs: BTreeMap::new(),
            last_job: None,
            committers: BTreeMap::new(),
            cached: BTreeSet::new(),
            outputs_outlive_executors: setting.outputs_outlive_executors,
            record: Vec::new(),
        };
        for _ in 0..3 {
            world.add_executor(world.next_executor);
        }
        world
    }

    pub(super) fn into_record(self) -> Vec<CoreActions> {
        self.record
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Submit(pick) => {
                let dataset = self.targets[pick as usize % self.targets.len()];
                let request = self.plan.result_job(dataset).expect("of this plan");
                self.submit(DagEvent::JobSubmitted(request), Some(dataset));
            }
            Step::SubmitMapStage(pick) => {
                let shuffle = self.shuffles[pick as usize % self.shuffles.len()];
                let request = self.plan.map_stage_job(shuffle).expect("of this plan");
                self.submit(DagEvent::JobSubmitted(request), None);
            }
            Step::OfferAll => self.offer_all(),
            Step::OfferOne(pick) => {
                if let Some(executor) = self.pick_executor(pick) {
                    self.offer(&[executor], false);
                }
            }
            Step::Succeed(pick) => self.on_task(pick, Self::succeed),
            Step::Fail(pick) => self.fail(pick, false),
            Step::FailForGood(pick) => self.fail(pick, true),
            Step::FailToFetch(pick) => self.on_task(pick, |world, task| {
                world.fail_to_fetch(task, usize::from(pick));
            }),
            Step::ReportKilled(pick) => {
                let asked: Vec<_> = self.killed.iter().copied().collect();
                if !asked.is_empty() {
                    self.report_killed(asked[pick as usize % asked.len()]);
                }
            }
            Step::ReportTwice(pick) => {
                if !self.over.is_empty() {
                    let task = self.over[pick as usize % self.over.len()];
                    self.send(TaskSchedulerEvent::Status {
                        task,
                        status: AttemptStatus::ended(TaskEndReason::Killed {
                            reason: "late".into(),
                        }),
                    });
                }
            }
            Step::LoseExecutor(pick) => {
                if let Some(executor) = self.pick_executor(pick) {
                    self.lose(&[executor], None);
                }
            }
            Step::LoseHost(pick) => {
                if let Some(executor) = self.pick_executor(pick) {
                    let host = self.executors[&executor].host.clone();
                    let on_host = |found: &Executor| found.host == host;
                    let lost: Vec<_> = self
                        .executors
                        .iter()
                        .filter(|(_, found)| on_host(found))
                        .map(|(id, _)| id.clone())
                        .collect();
                    self.lose(&lost, Some(&host));
                }
            }
            Step::Decommission(pick) => {
                if let Some(executor) = self.pick_executor(pick) {
                    let host = (pick % 2 == 0).then(|| self.executors[&executor].host.clone());
                    self.send(TaskSchedulerEvent::ExecutorDecommissioning { executor, host });
                }
            }
            Step::AddExecutor(pick) => self.add_executor(u32::from(pick)),
            Step::CancelAll => {
                self.send(DagEvent::AllCancelled);
            }
            Step::AskToCommit(pick) => self.on_task(pick, |world, task| {
                world.ask_to_commit(task);
            }),
            Step::Cache(pick) => self.cache(pick),
            Step::Wait(millis) => {
                self.now += Duration::from_millis(u64::from(millis));
                self.send(Event::TimePassed);
            }
        }
    }

    /// No more faults: all that was asked for must come to an end.
    pub(super) fn let_everything_go_well(&mut self) {
        for _ in 0..4 {
            self.add_executor(self.next_executor);
        }
        for _ in 0..400 {
            if self.core.dag().is_idle() && self.running.is_empty() {
                break;
            }
            self.offer_all();
            let tasks: Vec<_> = self.running.keys().copied().collect();
            for task in tasks {
                if self.killed.contains(&task) {
                    self.report_killed(task);
                } else if self.running.contains_key(&task) {
                    self.succeed(task);
                }
            }
            self.now += Duration::from_millis(100);
            if let Some(due) = self.core.next_deadline()
                && self.running.is_empty()
            {
                self.now = self.now.max(due);
            }
            self.send(Event::TimePassed);
        }
        let (dag, tasks) = (self.core.dag(), self.core.tasks().snapshot());
        assert!(dag.is_idle(), "never ended: {:#?} {tasks:#?}", dag.stages());
        assert_eq!(tasks.task_sets, []);
        assert_eq!(self.core.tasks().running(), 0);
        assert_eq!(self.core.tasks().waiting(), 0);
        assert!(self.jobs.values().all(|job| job.ended));
    }

    // --- what people do

    fn submit(&mut self, event: DagEvent, dataset: Option<DatasetId>) {
        // Known before its first notices come.
        let next = self.last_job.map_or(JobId(0), JobId::next);
        self.last_job = Some(next);
        let job = Job {
            dataset,
            results: BTreeMap::new(),
            ended: false,
        };
        self.jobs.insert(next, job);
        self.send(event);
    }

    // --- what executors do

    /// An attempt fails; `permanent` fails the jobs that need it.
    fn fail(&mut self, pick: u16, permanent: bool) {
        self.on_task(pick, |world, task| {
            let message = "bad luck".into();
            let reason = TaskEndReason::Failed { message, permanent };
            world.end(task, AttemptStatus::ended(reason));
        });
    }

    fn add_executor(&mut self, number: u32) {
        let id = ExecutorId::from(format!("executor-{}", self.next_executor));
        self.next_executor += 1;
        let executor = Executor {
            host: Host::from(format!("host-{}", number % 3)),
            cores: 2,
            free: 2,
        };
        self.executors.insert(id, executor);
        self.announce_capacity();
    }

    fn announce_capacity(&mut self) {
        let capacity = self.executors.values().map(|executor| ExecutorCapacity {
            cores: executor.cores,
            resources: Vec::new(),
        });
        let capacity = capacity.collect();
        self.send(DagEvent::CapacityChanged(capacity));
    }

    fn pick_executor(&self, pick: u16) -> Option<ExecutorId> {
        let count = self.executors.len().max(1);
        self.executors.keys().nth(pick as usize % count).cloned()
    }

    fn on_task(&mut self, pick: u16, act: impl FnOnce(&mut Self, TaskId)) {
        let count = self.running.len().max(1);
        if let Some(task) = self.running.keys().nth(pick as usize % count).copied() {
            act(self, task);
        }
    }

    fn offer_all(&mut self) {
        let all: Vec<_> = self.executors.keys().cloned().collect();
        self.offer(&all, true);
    }

    fn offer(&mut self, executors: &[ExecutorId], all_free: bool) {
        let offer = |id: &ExecutorId| {
            let executor = &self.executors[id];
            WorkerOffer::new(id.as_str(), executor.host.as_str(), executor.free)
        };
        let offers: Vec<_> = executors.iter().map(offer).collect();
        let launches = self.send(TaskSchedulerEvent::Offers { offers, all_free });
        for (offered, launched) in executors.iter().zip(launches) {
            for description in launched {
                assert_eq!(&description.executor, offered, "launched elsewhere");
                let executor = self.executors.get_mut(offered).expect("offered");
                executor.free = executor
                    .free
                    .checked_sub(description.cpus)
                    .expect("no more is launched than was offered");
                self.launch(description);
            }
        }
        self.check_counts();
    }

    fn cache(&mut self, pick: u16) {
        let Some(executor) = self.pick_executor(pick) else {
            return;
        };
        let host = self.executors[&executor].host.clone();
        let count = self.plan.dataset(self.persisted).partitions();
        let partition = Partition(u32::from(pick) / 7 % count);
        self.cached.insert((partition, executor.clone()));
        self.send(DagEvent::PartitionCached {
            dataset: self.persisted,
            partition,
            executor,
            host,
        });
    }

    fn is_persisted_held(&self) -> bool {
        let partitions: BTreeSet<_> = self.cached.iter().map(|(partition, _)| partition).collect();
        partitions.len() == self.plan.dataset(self.persisted).partitions() as usize
    }

    fn lose(&mut self, executors: &[ExecutorId], host: Option<&Host>) {
        for executor in executors {
            self.forget_executor(executor);
        }
        for executor in executors {
            let reason = ExecutorLossReason::ProcessLost {
                cause: "connection lost".into(),
                host: host.cloned(),
                caused_by_app: host.is_none(),
            };
            self.send(TaskSchedulerEvent::ExecutorLost {
                executor: executor.clone(),
                reason,
            });
        }
        self.announce_capacity();
        self.check_counts();
    }

    fn forget_executor(&mut self, executor: &ExecutorId) {
        self.executors.remove(executor);
        self.cached.retain(|(_, holder)| holder != executor);
        let there = |running: &Running| running.description.executor == *executor;
        let gone: Vec<_> = self
            .running
            .iter()
            .filter(|(_, running)| there(running))
            .map(|(task, _)| *task)
            .collect();
        for task in gone {
            let description = self.running.remove(&task).expect("found").description;
            self.killed.remove(&task);
            self.over.push(task);
            let key = (description.stage, description.partition);
            if self.committers.get(&key) == Some(&task) {
                self.committers.remove(&key);
            }
        }
    }

    // --- what the core answers

    fn send(&mut self, event: impl Into<Event>) -> Vec<Vec<TaskDescription>> {
        let actions = self.core.handle(self.now, event);
        for notice in &actions.job_notices {
            self.hear(notice);
        }
        for request in &actions.requests {
            if let BackendRequest::KillTask { task, .. } = request
                && self.running.contains_key(task)
            {
                self.killed.insert(*task);
            }
        }
        assert_eq!(self.core.dag().broken_invariant(), None);
        assert_eq!(self.core.dag().wrong_count(), None);
        let launches = actions.launches.clone();
        self.record.push(actions);
        launches
    }
}
