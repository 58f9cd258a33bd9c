//! Whose turn it is: the one place where the driver's machines meet. Pure.
//!
//! Responsible for handing each thing of the [`queue`](super::queue) to the machine that
//! it concerns, with what that has to know of others. What is decided is decided there,
//! or by scheduling; the order of things is the queue's.

use prost::Message as _;

use super::Driver;
use super::attempts::{Known, in_messages};
use super::fleet;
use super::heard::Outcome;
use super::instruction::{Instruction, Released};
use super::queue::Next;
use super::stores;
use crate::backend::manager::Input;
use crate::facts::cluster::NothingRuns;
use crate::facts::{AttemptFacts, Fact};
use crate::ids::{ExecutorId, TaskId};
use crate::telling::has_failed;
use mesquite_scheduler::action::{BackendRequest, Notice};
use mesquite_scheduler::dag_scheduler::{DagEvent, DagNotice};
use mesquite_scheduler::event::{AttemptStatus, TaskSchedulerEvent};
use mesquite_scheduler::loss::ExecutorLossReason;
use mesquite_scheduler::task::{TaskDescription, TaskEndReason, TaskReport};
use mesquite_scheduler::{CoreActions, Event};

impl Driver {
    /// Does all that is to be done, but for what the manager said.
    pub(super) fn settle(&mut self) {
        while let Some(next) = self.queue.take() {
            self.turn(next);
        }
    }

    /// Does all that is to be done, and what the manager said.
    pub(super) fn settle_all(&mut self) {
        self.settle();
        while let Some(action) = self.queue.take_managed() {
            self.managed(action);
            self.settle();
        }
    }

    fn turn(&mut self, next: Next) {
        let (now, queue) = (self.now, &mut self.queue);
        match next {
            Next::Scheduler(event) => {
                let actions = self.core.handle(now, event);
                self.scheduled(actions);
            }
            Next::Revive if self.fleet.is_fine() => queue.manage(Input::Revive),
            Next::Revive => {
                let (offers, all_free) = (self.fleet.room(), true);
                if !offers.is_empty() {
                    queue.schedule(TaskSchedulerEvent::Offers { offers, all_free });
                }
            }
            Next::Room(executor) => {
                if let Some(offer) = self.fleet.room_of(&executor) {
                    let (offers, all_free) = (vec![offer], false);
                    queue.schedule(TaskSchedulerEvent::Offers { offers, all_free });
                }
            }
            Next::Manager(input) => {
                let actions = self.manager.handle(now, self.unix_time, input);
                queue.managed(actions);
            }
            Next::SettleOffers => {
                if let Some(fine) = self.manager.fine_mut() {
                    queue.managed(fine.settle());
                }
            }
            Next::Came {
                executor,
                host,
                place,
            } => {
                let actions = self.stores.came(&executor, &host, &place);
                self.stores_say(actions);
                // It may take over what others are kept for.
                self.ask_of_idle_again();
            }
            Next::CameBack(executor) => {
                let actions = self.stores.came_back(&executor);
                self.stores_say(actions);
            }
            Next::Absent { executor, why } => {
                let ends_job = || self.core.tasks().would_give_up_for(&executor);
                let (whose, manager) = ((&executor, why), &*self.manager);
                self.fleet.absent(now, whose, ends_job, manager, queue);
            }
            Next::Lost { executor, reason } => self.lost(executor, reason),
            Next::LeftBehind {
                executor,
                host_gone,
            } => {
                let outputs = self.core.dag().map_outputs();
                let needed = |store: &ExecutorId| outputs.holds(store);
                let actions = self.stores.gone(now, &executor, host_gone, needed);
                self.stores_say(actions);
            }
            Next::Store(action) => self.store_says(action),
            Next::Ended {
                executor,
                task,
                outcome,
            } => self.ended(&executor, task, outcome),
            Next::Forget(task) => self.attempts.forget(task),
            Next::Round(after) => self.go_round(&after),
            Next::Bounded(shuffle, bounds) => self.works.set_bounds(shuffle, bounds),
            Next::Say(executor, order) => self.fleet.say(&executor, order, queue),
            Next::Effect(effect) => queue.effect(effect),
            Next::Fact(fact) => queue.fact(fact),
        }
    }

    // === what scheduling says ===

    fn scheduled(&mut self, actions: CoreActions) {
        let CoreActions {
            launches,
            requests,
            revive,
            job_notices,
            notices,
        } = actions;
        for notice in job_notices {
            self.job_notice(notice);
        }
        for notice in notices {
            self.notice(notice);
        }
        for request in requests {
            match request {
                BackendRequest::FetchResult { task } => {
                    self.attempts.fetch(task, &self.works, &mut self.queue);
                }
                BackendRequest::UnschedulableTaskSets(sets) => {
                    if let Some(allocation) = &mut self.allocation {
                        allocation.stuck(sets as u64);
                    }
                }
                other => self.fleet.request(other, &mut self.queue),
            }
        }
        if !launches.is_empty() {
            self.launch(launches);
        }
        if revive {
            self.queue.then(Next::Revive);
        }
    }

    /// Of jobs, stages and attempts.
    fn job_notice(&mut self, notice: DagNotice) {
        let (now, queue) = (self.now, &mut self.queue);
        match notice {
            DagNotice::JobAccepted { job } => self.jobs.accepted(now, job),
            DagNotice::MapOutputReady {
                job,
                bytes_by_reducer: bytes,
            } => {
                let is_empty = bytes.iter().all(|it| *it == 0);
                self.jobs.round_made(job, is_empty, queue);
            }
            DagNotice::StagesAdded { job, stages } => {
                self.jobs.stages_added(job, &stages, self.core.dag(), queue);
            }
            DagNotice::JobStarted { job, stages } => {
                self.jobs.started(job, &stages, self.core.dag(), queue);
            }
            DagNotice::JobWaitsForSlots { job, reason } => {
                queue.fact(Fact::JobWaits { job, reason });
            }
            DagNotice::ResultReady {
                job,
                partition,
                task,
            } => {
                if let Some(result) = self.attempts.take_result(task) {
                    self.jobs.result(job, partition, result);
                }
            }
            DagNotice::JobEnded { job, outcome } => self.jobs.ended(now, job, outcome, queue),
            DagNotice::StageSubmitted {
                stage,
                attempt,
                name,
                kind,
                tasks,
            } => {
                let (job, result) = self.jobs.stage_submitted(stage);
                self.works.submitted(stage, kind, job, result);
                queue.fact(Fact::StageStarted {
                    stage,
                    name,
                    attempt,
                    tasks,
                });
            }
            DagNotice::StageCompleted {
                stage,
                attempt,
                failure,
            } => {
                queue.fact(Fact::StageEnded {
                    stage,
                    attempt,
                    failure,
                });
                let work = self.works.stage(stage);
                if let Some(shuffle) = work.and_then(super::work::StageWork::shuffle)
                    && self.core.dag().map_outputs().is_complete(shuffle)
                {
                    self.jobs.made(shuffle);
                }
            }
            DagNotice::Task(report) => self.task_report(report),
            DagNotice::CommitDecided { task, granted } => {
                self.attempts.commit_decided(task, granted, queue);
            }
            DagNotice::OutputsLost { executor, .. } => {
                tracing::debug!(%executor, "map outputs count as lost");
            }
        }
    }

    fn task_report(&mut self, report: TaskReport) {
        match report {
            TaskReport::TaskStarted { stage, .. } => {
                if let Some(work) = self.works.stage(stage) {
                    self.jobs.attempt_started(work.job);
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
                task,
                ..
            } => {
                let succeeded = matches!(reason, TaskEndReason::Success(_));
                let failed = has_failed(&reason);
                let metrics = self.attempts.take_measured(task);
                self.queue.fact(Fact::TaskEnded {
                    task,
                    stage,
                    stage_attempt,
                    partition,
                    attempt,
                    executor,
                    host,
                    reason,
                    metrics,
                });
                if let Some(work) = self.works.stage(stage) {
                    self.jobs.attempt_ended(work.job, succeeded, failed);
                }
            }
            TaskReport::ExecutorLost {
                executor,
                host,
                reason,
            } => self.queue.fact(Fact::ExecutorLost {
                executor,
                host,
                reason,
            }),
            TaskReport::TaskSetFailed { .. } | TaskReport::ExecutorAdded { .. } => {}
        }
    }

    /// Of the cluster.
    fn notice(&mut self, notice: Notice) {
        let queue = &mut self.queue;
        match notice {
            // The core knows of the room it was given; where none is given, the
            // manager knows why.
            Notice::Starving { waiting, since, .. } if self.fleet.there().executors == 0 => {
                let why = self.manager.why_nothing_runs();
                queue.fact(Fact::NoExecutors {
                    waiting,
                    since,
                    why: why.unwrap_or(NothingRuns::NoneRegistered),
                });
            }
            Notice::TaskLeftOut {
                stage,
                partition,
                reason,
            } => {
                if let Some(work) = self.works.stage(stage) {
                    let whose = (work.dataset, partition);
                    self.jobs.leave_out(whose, &reason, queue);
                }
            }
            other => queue.fact(Fact::Noticed(other)),
        }
    }

    // === attempts ===

    /// Starts attempts where they were placed.
    fn launch(&mut self, launches: Vec<Vec<TaskDescription>>) {
        let started = self.starting(&launches);
        let (fleet, queue) = (&mut self.fleet, &mut self.queue);
        let (works, dag) = (&self.works, self.core.dag());
        let (attempts, jobs) = (&mut self.attempts, &mut self.jobs);
        let mut unsent = Vec::new();
        let mut task_of = |attempt: &TaskDescription| {
            let task = works.task(attempt, dag.map_outputs(), dag.cached_locations());
            match attempts.placed(attempt, task) {
                Ok(task) => {
                    jobs.attempt_placed(attempt);
                    Some(task)
                }
                Err(reason) => {
                    unsent.push((attempt.task, reason));
                    None
                }
            }
        };
        if let Some(fine) = self.manager.fine_mut() {
            let executors = launches.iter().flatten().map(|it| it.executor.clone());
            let executors = executors.collect();
            let encoded = |it: &TaskDescription| Some(task_of(it)?.encode_to_vec().into());
            let actions = fine.launch(launches, encoded);
            fleet.launched_on(executors, &*self.manager, queue);
            queue.managed(actions);
        } else {
            for (executor, placed) in fleet.placed(launches) {
                let tasks = placed.iter().filter_map(&mut task_of).collect();
                for launch in in_messages(tasks) {
                    fleet.say(&executor, launch, queue);
                }
            }
        }
        for started in started {
            queue.fact(Fact::TaskStarted(started));
        }
        for (task, reason) in unsent {
            fleet.unsent(task);
            queue.status(task, AttemptStatus::ended(reason));
        }
    }

    /// What is told of attempts that were placed, if somebody wants to know all.
    fn starting(&self, launches: &[Vec<TaskDescription>]) -> Vec<AttemptFacts> {
        if !self.queue.tells_all() {
            return Vec::new();
        }
        let all = launches.iter().flatten().filter_map(|placed| {
            let host = self.fleet.host_of_attempt(placed)?.clone();
            Some(AttemptFacts::of(placed, host))
        });
        all.collect()
    }

    /// An attempt begins, as its executor says.
    pub(super) fn began(&mut self, executor: &ExecutorId, task: TaskId) {
        if self.executor_of(task) == Some(executor) {
            self.manager.works(executor);
            self.queue.status(task, AttemptStatus::Running);
        }
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, executor: &ExecutorId, task: TaskId, outcome: Outcome) {
        let ran = outcome.metrics.unwrap_or_default().ran;
        let Some(host) = self.fleet.ended(executor, task, ran) else {
            return;
        };
        self.manager.works(executor);
        let (works, dag) = (&self.works, self.core.dag());
        let (known, queue) = (Known { works, dag }, &mut self.queue);
        let ended = self
            .attempts
            .ended(task, (executor, &host), outcome, known, queue);
        if let Some(succeeded) = ended
            && let Some((stage, partition)) = self.attempts.place(task)
            && let Some(work) = works.stage(stage)
        {
            let item = (work.dataset, partition);
            self.jobs.item_ended(task, item, succeeded);
        }
    }

    // === executors and what they store ===

    /// An executor is gone for good.
    fn lost(&mut self, executor: ExecutorId, reason: ExecutorLossReason) {
        self.fleet.lost(&executor, &reason, &mut self.queue);
        self.attempts.executor_lost(&executor);
        let host_gone = match &reason {
            ExecutorLossReason::ProcessLost { host, .. }
            | ExecutorLossReason::Decommissioned { host, .. } => host.is_some(),
            ExecutorLossReason::Exited { .. } | ExecutorLossReason::Killed => false,
        };
        self.queue.schedule(TaskSchedulerEvent::ExecutorLost {
            executor: executor.clone(),
            reason,
        });
        self.queue.then(Next::LeftBehind {
            executor,
            host_gone,
        });
    }

    /// What follows for stores is done in its order.
    pub(super) fn stores_say(&mut self, actions: Vec<stores::Action>) {
        for action in actions {
            self.queue.then(Next::Store(action));
        }
    }

    fn store_says(&mut self, action: stores::Action) {
        match action {
            stores::Action::TakeOver { by, store, folder } => {
                let executor = store;
                let order = Instruction::TakeOver { executor, folder };
                self.fleet.say(&by, order, &mut self.queue);
            }
            stores::Action::Moved { store, place } => self.works.set_place(store, place),
            stores::Action::HandedOver { executor, all } => self.handed_over(&executor, all),
            stores::Action::Located { to, store, address } => {
                let executor = store;
                let order = Instruction::Located { executor, address };
                self.fleet.say(&to, order, &mut self.queue);
            }
            stores::Action::Lost(executor) => {
                self.queue.schedule(DagEvent::OutputsLost { executor });
            }
        }
    }

    /// Lets go of what no job will read again.
    pub(super) fn release_unread(&mut self) {
        let Some(unread) = self.jobs.take_unread() else {
            return;
        };
        for shuffle in &unread.shuffles {
            self.queue.schedule(DagEvent::ShuffleReleased(*shuffle));
        }
        for dataset in &unread.datasets {
            self.queue.schedule(DagEvent::DatasetReleased(*dataset));
        }
        let released = Released {
            shuffles: unread.shuffles,
            datasets: unread.datasets,
            freed: Vec::new(),
        };
        self.fleet.released(&released, &mut self.queue);
        self.queue.manage(Input::Released);
        self.ask_of_idle_again();
    }

    /// A process of this machine that was an executor has ended.
    pub(super) fn process_ended(&mut self, executor: &ExecutorId, how: &str) {
        fleet::give_up(executor, how.into(), true, &*self.manager, &mut self.queue);
    }

    /// Offers the room of executors whose tasks have ended. Attempts that cannot be sent
    /// leave their room again, until they have failed too often.
    pub(super) fn offer_freed(&mut self) {
        while let Some(offers) = self.fleet.take_freed() {
            if !offers.is_empty() && self.core.tasks().waiting() > 0 {
                let all_free = false;
                let offers = TaskSchedulerEvent::Offers { offers, all_free };
                self.queue.schedule(offers);
                self.settle();
            }
        }
    }

    /// Asks for the jobs that are ready.
    pub(super) fn submit_ready(&mut self) {
        loop {
            let works = &self.works;
            let next = self.jobs.next(self.now, |it| works.missing_bounds(it));
            let Some(request) = next else { return };
            let event: Event = DagEvent::JobSubmitted(request).into();
            self.queue.schedule(event);
            self.settle();
        }
    }
}
