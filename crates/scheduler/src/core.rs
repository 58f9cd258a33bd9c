//! The whole of scheduling behind one face.
//!
//! Responsible for joining the DAG scheduler and the task scheduler: what one
//! of them says is carried to the other until neither has anything to say, and
//! what is left is for the world outside. Pure: whoever owns it waits, and
//! carries out the actions.
//!
//! ```text
//!             Event                                  CoreActions
//!  shell ───────────▶ ┌──────────────────────────┐ ───────────▶ launches,
//!  backend            │ DagScheduler             │              requests,
//!                     │   │ commands   ▲ reports │              revive,
//!                     │   ▼            │         │              notices
//!                     │ TaskScheduler            │
//!                     └──────────────────────────┘
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use super::action::{Actions, BackendRequest, Notice};
use super::config::TaskSchedulerConfig;
use super::dag_scheduler::{
    DagAction, DagActions, DagEvent, DagNotice, DagScheduler, DagSchedulerConfig,
};
use super::event::TaskSchedulerEvent;
use super::pool::PoolDefinition;
use super::task::{TaskCommand, TaskDescription, TaskReport};
use super::task_scheduler::TaskScheduler;
use crate::clock::Timestamp;
use crate::plan::Plan;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// To jobs, and to what their tasks leave behind.
    Jobs(DagEvent),
    /// To executors and the attempts that they run. A
    /// [`Command`](TaskSchedulerEvent::Command) is for the DAG scheduler alone
    /// to give, and has no effect from outside.
    Executors(TaskSchedulerEvent),
    /// Time has passed; needed when a deadline comes and nothing else happens.
    TimePassed,
}

impl From<DagEvent> for Event {
    fn from(event: DagEvent) -> Self {
        Self::Jobs(event)
    }
}

impl From<TaskSchedulerEvent> for Event {
    fn from(event: TaskSchedulerEvent) -> Self {
        Self::Executors(event)
    }
}

/// What follows from an event.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "what is not carried out is lost"]
pub struct CoreActions {
    /// For the backend, after offers: the attempts to start, for each offer in
    /// the order in which they came.
    pub launches: Vec<Vec<TaskDescription>>,
    /// For the backend, in order.
    pub requests: Vec<BackendRequest>,
    /// For the backend, last: offer all that is free, tasks may fit there.
    pub revive: bool,
    /// Of jobs, stages and attempts, in the order of what happened: results
    /// and ends of jobs for whoever asked for them, all for whoever keeps a
    /// record.
    pub job_notices: Vec<DagNotice>,
    /// Of the cluster, for people and for whoever keeps a record.
    pub notices: Vec<Notice>,
}

/// What the task scheduler is to know of partitions that executors keep.
fn news_of_kept(event: &DagEvent) -> Option<TaskSchedulerEvent> {
    match event {
        DagEvent::PartitionCached {
            dataset,
            partition,
            executor,
            ..
        } => Some(TaskSchedulerEvent::PartitionKept {
            partition: (*dataset, *partition),
            executor: executor.clone(),
        }),
        DagEvent::PartitionDropped {
            dataset,
            partition,
            executor,
            ..
        } => Some(TaskSchedulerEvent::PartitionDropped {
            partition: (*dataset, *partition),
            executor: executor.clone(),
        }),
        DagEvent::JobSubmitted(_)
        | DagEvent::AllCancelled
        | DagEvent::Reported(_)
        | DagEvent::ExecutorDecommissioned { .. }
        | DagEvent::OutputsLost { .. }
        | DagEvent::CommitRequested { .. }
        | DagEvent::CapacityChanged(_)
        | DagEvent::LoopEnded { .. }
        | DagEvent::ShuffleReleased(_)
        | DagEvent::DatasetReleased(_)
        | DagEvent::TimePassed => None,
    }
}

/// What one half has said to the other and is still to be heard.
enum Message {
    Command(TaskCommand),
    Report(TaskReport),
}

/// Decides what runs where. See the module.
pub struct Core {
    dag: DagScheduler,
    tasks: TaskScheduler,
    /// Kept between events to save allocating it each time.
    messages: VecDeque<Message>,
    /// Events since the last look at what must always hold.
    unchecked: usize,
}

impl Core {
    /// A core for the jobs of one plan. `pools` is what the allocation file
    /// defines, `None` if there is none; `seed` decides the order in which
    /// equal offers are used.
    ///
    /// What both halves are told of the cluster is taken from `tasks`.
    pub fn new(
        plan: Arc<Plan>,
        dag: DagSchedulerConfig,
        tasks: TaskSchedulerConfig,
        pools: Option<&[PoolDefinition]>,
        seed: u64,
    ) -> Self {
        let dag = DagSchedulerConfig {
            outputs_outlive_executors: tasks.outputs_outlive_executors,
            dynamic_allocation: tasks.dynamic_allocation,
            ..dag
        };
        Self {
            dag: DagScheduler::new(plan, dag),
            tasks: TaskScheduler::new(tasks, pools, seed),
            messages: VecDeque::new(),
            unchecked: 0,
        }
    }

    /// Takes in one event and says what follows from it.
    ///
    /// What was due by `now` happens first, so a timer that fires late changes
    /// nothing about the order of things.
    pub fn handle(&mut self, now: Timestamp, event: impl Into<Event>) -> CoreActions {
        let mut actions = CoreActions::default();
        let event = event.into();
        let due = self.next_deadline().is_some_and(|due| due <= now);
        if due || event == Event::TimePassed {
            self.tell_tasks(now, TaskSchedulerEvent::TimePassed, &mut actions);
            self.tell_dag(now, DagEvent::TimePassed, &mut actions);
            self.deliver(now, &mut actions);
        }
        match event {
            Event::Jobs(event) => {
                if let Some(news) = news_of_kept(&event) {
                    self.tell_tasks(now, news, &mut actions);
                }
                self.tell_dag(now, event, &mut actions);
            }
            Event::Executors(TaskSchedulerEvent::Command(_)) | Event::TimePassed => {}
            Event::Executors(event) => {
                if let TaskSchedulerEvent::ExecutorDecommissioning { executor, host } = &event {
                    let news = DagEvent::ExecutorDecommissioned {
                        executor: executor.clone(),
                        host: host.clone(),
                    };
                    self.tell_dag(now, news, &mut actions);
                }
                self.tell_tasks(now, event, &mut actions);
            }
        }
        self.deliver(now, &mut actions);
        self.check_now_and_then();
        actions
    }

    /// When to call again with [`Event::TimePassed`] if nothing else happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let both = [self.dag.next_deadline(), self.tasks.next_deadline()];
        both.into_iter().flatten().min()
    }

    /// The upper half, to look at.
    pub fn dag(&self) -> &DagScheduler {
        &self.dag
    }

    /// The lower half, to look at.
    pub fn tasks(&self) -> &TaskScheduler {
        &self.tasks
    }

    /// Looks at every stage, as often as there are stages: each time, and the
    /// work of a job would grow with the square of them.
    fn check_now_and_then(&mut self) {
        self.unchecked += 1;
        if cfg!(debug_assertions) && self.unchecked >= self.dag.stage_count() {
            self.unchecked = 0;
            debug_assert_eq!(self.dag.broken_invariant(), None);
        }
    }

    /// Carries messages between the halves until both are silent.
    fn deliver(&mut self, now: Timestamp, actions: &mut CoreActions) {
        while let Some(message) = self.messages.pop_front() {
            match message {
                Message::Command(command) => {
                    self.tell_tasks(now, TaskSchedulerEvent::Command(command), actions);
                }
                Message::Report(report) => {
                    self.tell_dag(now, DagEvent::Reported(report), actions);
                }
            }
        }
    }

    fn tell_dag(&mut self, now: Timestamp, event: DagEvent, actions: &mut CoreActions) {
        let answer: DagActions = self.dag.handle(now, event);
        for action in answer {
            match action {
                DagAction::Command(command) => self.messages.push_back(Message::Command(command)),
                DagAction::Notice(notice) => actions.job_notices.push(notice),
            }
        }
    }

    fn tell_tasks(&mut self, now: Timestamp, event: TaskSchedulerEvent, actions: &mut CoreActions) {
        let Actions {
            launches,
            reports,
            requests,
            revive,
            notices,
        } = self.tasks.handle(now, event);
        if !launches.is_empty() {
            actions.launches = launches;
        }
        self.messages
            .extend(reports.into_iter().map(Message::Report));
        actions.requests.extend(requests);
        actions.revive |= revive;
        actions.notices.extend(notices);
    }
}
