//! A small world around the core, and the rules that it checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::{SchedulingMode, SpeculationConfig};
use crate::core::{Core, CoreActions, Event};
use crate::dag_scheduler::{DagEvent, DagNotice, DagSchedulerConfig, ExecutorCapacity};
use crate::ids::{DatasetId, ExecutorId, Host, JobId, Partition, ShuffleId, StageId, TaskId};
use crate::plan::{Determinism, NewDataset, Partitioner, Plan, PlanBuilder};
use crate::task::{
    ExecutorLossReason, MapStatus, StageKind, TaskDescription, TaskEndReason, TaskOutput,
};
use crate::{BackendRequest, TaskSchedulerConfig, TaskSchedulerEvent, TaskStatus, WorkerOffer};

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
                        status: TaskStatus::ended(TaskEndReason::Killed {
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
            world.end(task, TaskStatus::ended(reason));
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

    fn launch(&mut self, description: TaskDescription) {
        let task = description.task;
        let read = self.read(&description);
        let running = Running { description, read };
        let before = self.running.insert(task, running);
        assert!(before.is_none() && !self.over.contains(&task), "a used id");
    }

    /// Reads all map outputs that an attempt needs, as it starts.
    fn read(&self, description: &TaskDescription) -> Result<Read, TaskEndReason> {
        let dataset = match self.stages[&description.stage] {
            Makes::MapOutput(shuffle) => self.plan.shuffle(shuffle).map_side,
            Makes::Results(dataset) => dataset,
        };
        let held = |id| id == self.persisted && self.is_persisted_held();
        let mut read = Read::default();
        for shuffle in self.plan.pipeline_until(dataset, held).shuffles {
            let reduce = description.partition;
            let outputs = self.core.dag().map_outputs();
            let failed = |source, map, message: String| TaskEndReason::FetchFailed {
                source,
                shuffle,
                map,
                reduce,
                message: message.into(),
            };
            let blocks = outputs
                .blocks(shuffle, reduce)
                .map_err(|missing| failed(None, None, missing.to_string()))?;
            for from in blocks {
                for block in from.blocks {
                    let source = (from.executor.clone(), from.host.clone());
                    if !self.can_serve(&from.executor, &from.host) {
                        return Err(failed(Some(source), Some(block.map), "gone".into()));
                    }
                    read.blocks.push((shuffle, block.map, source.0, source.1));
                    add_sources(&mut read.sources, &self.sources[&block.task]);
                    if self.plan.shuffle(shuffle).determinism == Determinism::Indeterminate {
                        let made_by = read.sources.entry((shuffle, block.map)).or_default();
                        made_by.insert(block.task);
                    }
                }
            }
        }
        Ok(read)
    }

    fn can_serve(&self, executor: &ExecutorId, host: &Host) -> bool {
        let on_host = |other: &Executor| other.host == *host;
        self.executors.contains_key(executor)
            || (self.outputs_outlive_executors && self.executors.values().any(on_host))
    }

    fn succeed(&mut self, task: TaskId) {
        let running = &self.running[&task];
        let read = match &running.read {
            Ok(read) => read.sources.clone(),
            Err(reason) => {
                let reason = reason.clone();
                self.end(task, TaskStatus::ended(reason));
                return;
            }
        };
        let stage = running.description.stage;
        let output = match self.stages[&stage] {
            Makes::MapOutput(shuffle) => {
                let executor = running.description.executor.clone();
                let reducers = self.plan.shuffle(shuffle).partitioner.partitions;
                TaskOutput::Map(MapStatus {
                    host: self.executors[&executor].host.clone(),
                    executor,
                    task,
                    sizes: vec![7; reducers as usize].into(),
                })
            }
            Makes::Results(_) => {
                if !self.ask_to_commit(task) {
                    self.end(task, TaskStatus::ended(TaskEndReason::CommitDenied));
                    return;
                }
                TaskOutput::Result { bytes: 7 }
            }
        };
        self.sources.insert(task, read);
        self.end(
            task,
            TaskStatus::Ended {
                reason: TaskEndReason::Success(output),
                records: 1,
            },
        );
    }

    fn fail_to_fetch(&mut self, task: TaskId, pick: usize) {
        let running = &self.running[&task];
        let Ok(read) = &running.read else {
            self.succeed(task);
            return;
        };
        if read.blocks.is_empty() {
            return;
        }
        let (shuffle, map, executor, host) = &read.blocks[pick % read.blocks.len()];
        let reason = TaskEndReason::FetchFailed {
            source: Some((executor.clone(), host.clone())),
            shuffle: *shuffle,
            map: Some(*map),
            reduce: running.description.partition,
            message: "connection reset".into(),
        };
        self.end(task, TaskStatus::ended(reason));
    }

    fn report_killed(&mut self, task: TaskId) {
        let reason = "asked to".into();
        self.end(task, TaskStatus::ended(TaskEndReason::Killed { reason }));
    }

    /// An attempt is over: its room is free, and its status is reported.
    fn end(&mut self, task: TaskId, status: TaskStatus) {
        self.killed.remove(&task);
        let Some(running) = self.running.remove(&task) else {
            return;
        };
        let description = &running.description;
        let executor = self.executors.get_mut(&description.executor);
        executor.expect("it ran there").free += description.cpus;
        self.over.push(task);
        let key = (description.stage, description.partition);
        self.send(TaskSchedulerEvent::Status { task, status });
        // What was committed without counting may be committed over.
        let counts = |job: &Job| job.results.values().any(|counted| *counted == task);
        if self.committers.get(&key) == Some(&task) && !self.jobs.values().any(counts) {
            self.committers.remove(&key);
        }
        self.check_counts();
    }

    fn ask_to_commit(&mut self, task: TaskId) -> bool {
        let description = &self.running[&task].description;
        let (stage, partition) = (description.stage, description.partition);
        if !matches!(self.stages[&stage], Makes::Results(_)) {
            return false;
        }
        self.send(DagEvent::CommitRequested {
            stage,
            partition,
            task,
        });
        let notices = &self.record.last().expect("just recorded").job_notices;
        let granted = notices.contains(&DagNotice::CommitDecided {
            task,
            granted: true,
        });
        if granted {
            let holder = self.committers.insert((stage, partition), task);
            assert!(
                holder.is_none_or(|holder| holder == task),
                "{holder:?} and {task} may both commit partition {partition} of stage {stage}"
            );
        }
        granted
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
                message: "connection lost".into(),
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

    fn hear(&mut self, notice: &DagNotice) {
        match notice {
            DagNotice::JobAccepted { job } => assert_eq!(Some(*job), self.last_job),
            DagNotice::JobStarted { job, stages } => {
                if let (Some(dataset), Some(last)) = (self.jobs[job].dataset, stages.last()) {
                    self.stages.insert(*last, Makes::Results(dataset));
                }
            }
            DagNotice::StageSubmitted {
                stage,
                kind: StageKind::ShuffleMap(shuffle),
                ..
            } => {
                self.stages.insert(*stage, Makes::MapOutput(*shuffle));
            }
            DagNotice::ResultReady {
                job,
                partition,
                task,
            } => {
                let job = self.jobs.get_mut(job).expect("submitted");
                assert!(!job.ended, "a result after the end");
                let before = job.results.insert(*partition, *task);
                assert_eq!(before, None, "a second result of partition {partition}");
            }
            DagNotice::JobEnded { job, outcome } => {
                let job = self.jobs.get_mut(job).expect("submitted");
                assert!(!job.ended, "a second end");
                job.ended = true;
                if let (Ok(()), Some(dataset)) = (outcome, job.dataset) {
                    let wanted = self.plan.dataset(dataset).partitions() as usize;
                    assert_eq!(job.results.len(), wanted, "all results");
                    assert_unmixed(job, &self.sources);
                }
            }
            _ => {}
        }
    }

    fn check_counts(&self) {
        assert_eq!(self.core.tasks().running(), self.running.len() as u64);
        let snapshot = self.core.tasks().snapshot();
        let of_sets = snapshot.task_sets.iter();
        let by_set: u64 = of_sets.map(|set| u64::from(set.running)).sum();
        assert_eq!(by_set, self.running.len() as u64);
        for executor in &snapshot.executors {
            let there = |r: &&Running| r.description.executor == executor.executor;
            let count = self.running.values().filter(there).count();
            assert_eq!(executor.running as usize, count, "{}", executor.executor);
        }
    }
}

fn add_sources(sources: &mut Sources, more: &Sources) {
    for (output, made_by) in more {
        sources.entry(*output).or_default().extend(made_by);
    }
}

/// No result may be computed from two different outputs of the same
/// indeterminate map task, and no two results of a job from different ones.
fn assert_unmixed(job: &Job, sources: &BTreeMap<TaskId, Sources>) {
    let mut all = Sources::new();
    for task in job.results.values() {
        add_sources(&mut all, &sources[task]);
    }
    for ((shuffle, map), made_by) in all {
        assert!(
            made_by.len() == 1,
            "results come from outputs {made_by:?} of map partition {map} of shuffle {shuffle}"
        );
    }
}

/// A chain, an indeterminate stage with three readers, two of which are joined
/// again, a join with a persisted
/// dataset in between, and a barrier stage.
fn plan() -> (Arc<Plan>, Vec<DatasetId>, DatasetId) {
    let mut plan = PlanBuilder::new();
    let mut add = |new| plan.add(new).expect("a valid dataset");
    let source = add(NewDataset::source("chain", 3));
    let spread = add(NewDataset::source("indeterminate", 2).indeterminate());
    let left = add(NewDataset::source("left", 2));
    let right = add(NewDataset::source("right", 1));
    let together = add(NewDataset::source("together", 2).barrier());
    let shuffle = |plan: &mut PlanBuilder, dataset, partitions| {
        plan.shuffle(dataset, Partitioner::hash(partitions))
            .expect("a valid shuffle")
    };
    let read = |plan: &mut PlanBuilder, name: &str, shuffles: &[ShuffleId]| {
        plan.add(NewDataset::shuffled(name, shuffles))
            .expect("a valid dataset")
    };
    let one = shuffle(&mut plan, source, 3);
    let middle = read(&mut plan, "middle", &[one]);
    let two = shuffle(&mut plan, middle, 2);
    let chain = read(&mut plan, "end of chain", &[two]);

    let first = shuffle(&mut plan, spread, 2);
    let next = read(&mut plan, "next", &[first]);
    let second = shuffle(&mut plan, next, 3);
    let far = read(&mut plan, "far", &[second]);
    let near = read(&mut plan, "near", &[first]);
    let beside = read(&mut plan, "beside", &[first]);
    let third = shuffle(&mut plan, beside, 3);
    let diamond = read(&mut plan, "diamond", &[second, third]);

    let from_left = shuffle(&mut plan, left, 2);
    let from_right = shuffle(&mut plan, right, 2);
    let join = read(&mut plan, "join", &[from_left, from_right]);
    let kept = plan
        .add(NewDataset::derived("kept", join).persisted())
        .expect("a valid dataset");
    let last = shuffle(&mut plan, kept, 1);
    let joined = read(&mut plan, "joined", &[last]);

    let at_once = shuffle(&mut plan, together, 2);
    let after = read(&mut plan, "after", &[at_once]);
    let targets = vec![chain, far, near, diamond, joined, after, source];
    (Arc::new(plan.build()), targets, kept)
}
