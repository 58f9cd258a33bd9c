//! The driver's decisions, all of them. Pure.
//!
//! Responsible for joining what decides: the scheduling [`Core`], the backend
//! that executors come from, the executors that are connected, and the jobs of
//! the application. Steps go in, effects come out, in order; the shell
//! (`driver::event_loop`) waits, and carries them out. The same steps lead to
//! the same state and the same effects.
//!
//! | file | what |
//! | --- | --- |
//! | `input`, `effect` | the words |
//! | `record`, `replay` | the words, written down, and taken again |
//! | `fleet`, `processes` | where executors come from |
//! | `executors` | who is connected, who comes back, who is lost |
//! | `draining` | executors whose agents are wanted back |
//! | `stores` | outputs that outlive their executor |
//! | `attempts` | from a placement to a task, and from its end to a result |
//! | `jobs`, `board` | which jobs there are, and what becomes of their results |
//! | `telling` | what people are told |
//! | `work`, `outcome` | what tasks are sent, and what their end means |

mod attempts;
pub mod board;
mod draining;
pub mod effect;
mod executors;
pub mod fleet;
pub mod input;
mod jobs;
pub mod outcome;
pub mod processes;
pub mod record;
pub mod replay;
pub mod stores;
mod telling;
pub mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use self::board::Board;
use self::effect::Effect;
use self::executors::Link;
use self::fleet::Fleet;
use self::input::{Input, Step};
use self::record::Record;
use self::stores::Stores;
use self::work::Works;
use super::report::{JobReport, Progress};
use crate::backend::executors::Executors;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host, Partition, StageId, TaskId};
use crate::plan::application::Application;
use crate::rpc::message::{Metrics, from_driver, from_executor};
use crate::scheduler::dag_scheduler::DagEvent;
use crate::scheduler::event::TaskSchedulerEvent;
use crate::scheduler::{Core, CoreActions, Event};

/// What all tasks did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of map output that reducers read.
    pub shuffle_bytes_read: u64,
    /// Those of them that came over the network.
    pub shuffle_bytes_fetched: u64,
    /// Bytes that did not fit into the memory of tasks.
    pub spilled_bytes: u64,
}

/// Why there can be no more executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The framework is no more.
    Removed(String),
    /// Executors die faster than it makes sense to start them.
    Dying(String),
}

/// What a driver is made of.
pub struct DriverParts {
    /// The scheduling core.
    pub core: Core,
    /// What is to be run.
    pub application: Arc<Application>,
    /// Where executors come from.
    pub fleet: Fleet,
    /// What each executor is told first.
    pub welcome: from_driver::Registered,
    /// Cores of one task.
    pub task_cpus: u32,
    /// Whether another driver may have to go on with the run.
    pub keeps: bool,
}

/// See the module.
pub struct Driver {
    core: Core,
    application: Arc<Application>,
    fleet: Fleet,
    /// Executors with slots; in fine mode Mesos's offers are the room.
    executors: Executors,
    links: BTreeMap<ExecutorId, Link>,
    stores: Stores,
    works: Works,
    board: Board,
    welcome: from_driver::Registered,
    task_cpus: u32,
    keeps: bool,
    totals: Totals,
    /// The partition of each attempt that runs.
    attempts: FxHashMap<TaskId, Partition>,
    /// Results that the core has not decided about.
    results: FxHashMap<TaskId, (Bytes, Metrics)>,
    /// Who asks whether an attempt may commit.
    commits: BTreeMap<TaskId, ExecutorId>,
    /// Executors with new room.
    freed: BTreeSet<ExecutorId>,
    /// Executors whose agents are to be freed.
    draining: BTreeSet<ExecutorId>,
    /// In fine mode, the hosts of all executors there were: a status may come late.
    hosts: BTreeMap<ExecutorId, Host>,
    /// Where attempts ran whose results are still to be fetched.
    ran_on: BTreeMap<TaskId, ExecutorId>,
    /// What was told last of what is wanted.
    wanted: (u64, u64),
    progress: BTreeMap<StageId, (u32, u32)>,
    failures_told: BTreeMap<StageId, u32>,
    over: Option<Over>,
    ending: bool,
    now: Timestamp,
    unix_time: Duration,
    effects: Vec<Effect>,
}

impl Driver {
    /// Has done nothing yet; [`Input::Started`] begins.
    pub fn new(parts: DriverParts) -> Self {
        let application = parts.application;
        Self {
            core: parts.core,
            fleet: parts.fleet,
            executors: Executors::new(),
            links: BTreeMap::new(),
            stores: Stores::default(),
            works: Works::new(
                Arc::clone(&application.plan),
                Arc::clone(&application.program),
            ),
            board: Board::new(Arc::clone(&application)),
            application,
            welcome: parts.welcome,
            task_cpus: parts.task_cpus,
            keeps: parts.keeps,
            totals: Totals::default(),
            attempts: FxHashMap::default(),
            results: FxHashMap::default(),
            commits: BTreeMap::new(),
            freed: BTreeSet::new(),
            draining: BTreeSet::new(),
            hosts: BTreeMap::new(),
            ran_on: BTreeMap::new(),
            wanted: (0, 0),
            progress: BTreeMap::new(),
            failures_told: BTreeMap::new(),
            over: None,
            ending: false,
            now: Timestamp::ZERO,
            unix_time: Duration::ZERO,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened and says what to do.
    #[must_use = "what is not carried out is lost"]
    pub fn handle(&mut self, step: Step) -> Vec<Effect> {
        self.now = step.at;
        self.unix_time = step.unix_time;
        let kept = self.keeps.then(|| Box::new(step.clone()));
        for input in step.inputs {
            self.take(input);
        }
        self.end_drained();
        self.offer_room();
        self.submit_ready();
        self.tell_progress();
        self.tell_wanted();
        if self.over.is_some() && !self.ending {
            self.ending = true;
            self.fail_all();
        }
        let mut effects = std::mem::take(&mut self.effects);
        if let Some(step) = kept {
            let count = effects.len() as u64;
            effects.insert(0, Effect::Keep(Box::new(Record::Step(step, count))));
        }
        effects
    }

    /// When a step with [`Input::TimePassed`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let core = self.core.next_deadline().into_iter();
        core.chain(self.fleet.next_deadline())
            .chain(self.links.values().filter_map(|it| it.away_until))
            .chain(self.stores.next_deadline())
            .min()
    }

    /// Whether every action has ended.
    pub fn is_done(&self) -> bool {
        self.board.is_done()
    }

    /// Why no executor can ever come again, if so.
    pub const fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Whether an attempt runs, as far as is known.
    pub fn runs(&self, task: TaskId) -> bool {
        match &self.fleet {
            Fleet::Fine(backend) => backend.executor_of(task).is_some(),
            _ => self.executors.executor_of(task).is_some(),
        }
    }

    /// What all tasks did, and what came of all jobs.
    pub fn into_results(self) -> (Totals, Vec<JobReport>) {
        (self.totals, self.board.reports())
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Started => self.start(),
            Input::Recovered => self.recovered(),
            Input::Executor {
                connection,
                executor,
                message,
            } => {
                if let Some(message) = message.message {
                    self.heard(connection, &executor, message);
                }
            }
            Input::Disconnected {
                connection,
                executor,
                why,
            } => self.disconnected(connection, &executor, &why),
            Input::Mesos(notice) => self.heard_of_mesos(notice),
            Input::ProcessEnded { executor, how } => self.given_up(&executor, &how),
            Input::Fetched { task, result } => self.fetched(task, result),
            Input::Delivered { job, result } => self.delivered(job, result),
            Input::Interrupted => {
                self.ending = true;
                self.board.give_up_rest("interrupted");
                self.feed(DagEvent::AllCancelled);
            }
            Input::TimePassed => {
                self.feed(Event::TimePassed);
                self.fleet_time_passed();
                self.give_up_absent();
                let actions = self.stores.time_passed(self.now);
                self.stores_changed(actions);
            }
        }
    }

    /// What an executor says.
    fn heard(
        &mut self,
        connection: input::ConnectionId,
        executor: &ExecutorId,
        message: from_executor::Message,
    ) {
        use from_executor::Message;
        if let Message::Register(register) = message {
            return self.registered(connection, register);
        }
        // The last words of a connection that was given up.
        if !self.is_current(executor, connection) {
            return;
        }
        match message {
            Message::Register(_) => {}
            Message::Statuses(batch) => {
                for status in batch.statuses {
                    if let Some(outcome) = status.outcome {
                        self.ended(executor, TaskId(status.task), outcome);
                    }
                }
                if batch.number > 0 {
                    let number = batch.number;
                    let acknowledge = from_driver::Acknowledge { number };
                    let message = from_driver::Message::Acknowledge(acknowledge);
                    self.say(executor, message);
                }
            }
            Message::Commit(request) => self.commit(executor, request),
            Message::Heartbeat(heartbeat) => self.heartbeat(&heartbeat),
            Message::Dropped(dropped) => self.dropped(executor, dropped),
            Message::TookOver(answer) => {
                let result = match answer.error.as_str() {
                    "" => Ok(()),
                    error => Err(error),
                };
                let store = ExecutorId::from(answer.executor.as_str());
                let actions = self.stores.took_over(executor, &store, result);
                self.stores_changed(actions);
            }
            Message::Locate(question) => {
                let store = ExecutorId::from(question.executor);
                let answer = self.stores.locate(executor.clone(), &store);
                self.stores_changed(answer.into_iter().collect());
            }
        }
    }

    /// Feeds the core and does what it says.
    fn feed(&mut self, event: impl Into<Event>) {
        let mut events = vec![event.into()];
        while let Some(event) = events.pop() {
            let actions = self.core.handle(self.now, event);
            self.carry_out(actions, &mut events);
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
            self.job_notice(notice);
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
            let offers = self.revive();
            if !offers.is_empty() {
                events.push(Event::Executors(TaskSchedulerEvent::Offers {
                    offers,
                    all_free: true,
                }));
            }
        }
    }

    /// No executor can come again: what is not done never will be.
    fn fail_all(&mut self) {
        let why: Arc<str> = match &self.over {
            Some(Over::Removed(why) | Over::Dying(why)) => why.as_str().into(),
            None => return,
        };
        self.board.give_up_rest(&why);
        self.feed(TaskSchedulerEvent::BackendFailed { message: why });
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn tell(&mut self, progress: Progress) {
        self.effect(Effect::Tell(progress));
    }

    fn note(&mut self, text: impl Into<String>) {
        self.tell(Progress::Note(text.into()));
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.tell(Progress::Warning(text.into()));
    }
}
