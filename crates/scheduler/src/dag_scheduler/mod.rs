//! Jobs become stages, and stages become task sets (Spark's `DAGScheduler`).
//!
//! Responsible for cutting lineage into stages at its shuffles, running the
//! stages whose input is missing first, finding where tasks would like to run,
//! and putting right what fetch failures and lost executors destroy. It hands
//! task sets to the task scheduler and hears from it how attempts ended; which
//! executor runs what, and how often a task may fail, is not its business.
//!
//! One face: [`handle`](DagScheduler::handle) takes an event and gives the
//! actions that follow; [`next_deadline`](DagScheduler::next_deadline) says
//! when it wants to be called even if nothing happens.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `creation` | which stages a job has |
//! | `needs` | what the tasks of a stage need |
//! | `barrier` | whether a barrier stage can run at all, and what its failures mean |
//! | `submission` | which stage runs now, with which tasks |
//! | `preferences` | where a task would like to run |
//! | `completion` | what the end of an attempt means |
//! | `fetch_failure` | what an unreadable map output means |
//! | `rollback` | what must be undone when an indeterminate stage runs again |
//! | `generations` | which output of an indeterminate stage was read |
//! | `losses` | what is lost with an executor |
//! | `cancellation` | how jobs end before their time |

mod action;
mod barrier;
mod cancellation;
mod completion;
mod config;
mod creation;
mod dag_event;
mod fetch_failure;
mod generations;
#[cfg(test)]
mod inspect;
mod invariants;
mod losses;
mod needs;
mod preferences;
mod rollback;
mod submission;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use action::{DagAction, DagActions, DagNotice};
pub use config::DagSchedulerConfig;
pub use dag_event::{DagEvent, ExecutorCapacity};
pub use views::StageView;

use self::barrier::SlotWait;
use self::generations::Generations;
use self::losses::ExecutorEpochs;

use super::cached_locations::CachedLocations;
use super::commits::Commits;

use super::job::Job;
use super::map_outputs::MapOutputs;
use super::stage::Stage;
use super::task::{TaskCommand, TaskReport};
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, JobId, ResourceProfileId, ShuffleId, StageId};
use crate::plan::Plan;
use crate::plan::TaskNeeds;

/// Turns jobs into task sets. One owner calls it; it never waits.
#[derive(Debug)]
pub struct DagScheduler {
    plan: Arc<Plan>,
    config: DagSchedulerConfig,
    now: Timestamp,
    next_job: JobId,
    next_stage: StageId,
    /// Active jobs.
    jobs: BTreeMap<JobId, Job>,
    /// Stages of active jobs.
    stages: BTreeMap<StageId, Stage>,
    /// The stage of `stages` that makes each shuffle.
    map_stages: BTreeMap<ShuffleId, StageId>,
    /// Stages of `stages` in phase `Waiting`.
    waiting: BTreeSet<StageId>,
    /// Failed stages that are gathered until `resubmit_at`.
    failed: BTreeSet<StageId>,
    resubmit_at: Option<Timestamp>,
    /// Barrier jobs that the cluster is too small for.
    slot_waits: BTreeMap<JobId, SlotWait>,
    capacity: Vec<ExecutorCapacity>,
    default_needs: Arc<TaskNeeds>,
    /// Needs of stages whose datasets say different things.
    mixed_needs: Vec<Arc<TaskNeeds>>,
    next_profile: ResourceProfileId,
    executor_epochs: ExecutorEpochs,
    generations: Generations,
    /// Executors about to go, with the host if all of it goes.
    decommissioned: BTreeMap<ExecutorId, Option<Host>>,
    outputs: MapOutputs,
    cached: CachedLocations,
    commits: Commits,
    actions: DagActions,
}

impl DagScheduler {
    /// A scheduler for the jobs of one plan.
    pub fn new(plan: Arc<Plan>, config: DagSchedulerConfig) -> Self {
        let default_needs = Arc::new(config.task_needs.clone());
        let mut scheduler = Self {
            plan,
            config,
            now: Timestamp::ZERO,
            next_job: JobId::default(),
            next_stage: StageId::default(),
            jobs: BTreeMap::new(),
            stages: BTreeMap::new(),
            map_stages: BTreeMap::new(),
            waiting: BTreeSet::new(),
            failed: BTreeSet::new(),
            resubmit_at: None,
            slot_waits: BTreeMap::new(),
            capacity: Vec::new(),
            default_needs,
            mixed_needs: Vec::new(),
            next_profile: ResourceProfileId::default(),
            executor_epochs: ExecutorEpochs::default(),
            generations: Generations::default(),
            decommissioned: BTreeMap::new(),
            outputs: MapOutputs::new(),
            cached: CachedLocations::new(),
            commits: Commits::new(),
            actions: DagActions::default(),
        };
        scheduler.next_profile = scheduler.first_free_profile();
        scheduler
    }

    /// Takes in one event and says what follows from it.
    ///
    /// What was due by `now` happens first.
    pub fn handle(&mut self, now: Timestamp, event: DagEvent) -> DagActions {
        self.now = now;
        self.run_what_is_due();
        self.apply(event);
        std::mem::take(&mut self.actions)
    }

    /// When to call again with [`DagEvent::TimePassed`] if nothing else
    /// happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let checks = self.slot_waits.values().map(|wait| wait.next_check);
        checks.chain(self.resubmit_at).min()
    }

    fn apply(&mut self, event: DagEvent) {
        match event {
            DagEvent::JobSubmitted(request) => self.submit_job(request),
            DagEvent::AllCancelled => self.cancel_all(),
            DagEvent::Reported(report) => self.take_report(report),
            DagEvent::OutputsLost { executor } => self.outputs_lost(&executor),
            DagEvent::ExecutorDecommissioned { executor, host } => {
                self.decommissioned.insert(executor, host);
            }
            DagEvent::PartitionCached {
                dataset,
                partition,
                executor,
                host,
            } => self.cached.add(dataset, partition, &executor, &host),
            DagEvent::PartitionDropped {
                dataset,
                partition,
                executor,
                host,
            } => self.cached.remove(dataset, partition, &executor, &host),
            DagEvent::CommitRequested {
                stage,
                partition,
                task,
            } => {
                let granted = self.commits.may_commit(stage, partition, task);
                self.notice(DagNotice::CommitDecided { task, granted });
            }
            DagEvent::CapacityChanged(capacity) => self.capacity = capacity,
            DagEvent::LoopEnded { result, from, to } => {
                self.plan = Arc::new(self.plan.reading(result, from, to));
            }
            DagEvent::ShuffleReleased(shuffle) => {
                // An active job may still read it: then it stays.
                if !self.map_stages.contains_key(&shuffle) {
                    self.outputs.unregister_shuffle(shuffle);
                    self.generations.forget(shuffle);
                }
            }
            DagEvent::DatasetReleased(dataset) => self.cached.release(dataset),
            DagEvent::TimePassed => {}
        }
    }

    fn take_report(&mut self, report: TaskReport) {
        match report {
            TaskReport::TaskStarted { .. } => self.notice(DagNotice::Task(report)),
            TaskReport::TaskEnded { .. } => self.task_ended(&report),
            TaskReport::TaskSetFailed {
                stage,
                stage_attempt,
                reason,
            } => self.task_set_failed(stage, stage_attempt, &reason),
            TaskReport::ExecutorAdded { executor, .. } => self.executor_added(&executor),
            TaskReport::ExecutorLost {
                executor, reason, ..
            } => self.executor_lost(&executor, reason),
        }
    }

    fn run_what_is_due(&mut self) {
        if self.resubmit_at.is_some_and(|due| due <= self.now) {
            self.resubmit_failed_stages();
        }
        self.check_slots_again();
    }

    fn notice(&mut self, notice: DagNotice) {
        self.actions.notice(notice);
    }

    fn command(&mut self, command: TaskCommand) {
        self.actions.command(command);
    }

    fn stage(&self, id: StageId) -> &Stage {
        self.stages.get(&id).expect("the stage is registered")
    }

    fn stage_mut(&mut self, id: StageId) -> &mut Stage {
        self.stages.get_mut(&id).expect("the stage is registered")
    }
}
