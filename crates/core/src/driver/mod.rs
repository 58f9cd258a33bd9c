//! The driver's decisions, all of them. Pure.
//!
//! Responsible for joining what decides: the scheduling [`Core`], the cluster manager
//! that executors come from, and a few machines that each have their own state, which
//! nothing else writes. Steps go in, effects come out, in order; the shell
//! (`driver::event_loop`) waits, and carries them out. The same steps lead to
//! the same state and the same effects.
//!
//! | machine | has |
//! | --- | --- |
//! | `fleet` | executors: their links, what they run, their room; who comes, ends and is lost |
//! | `stores` | outputs that outlive their executor |
//! | `attempts` | attempts that run: what they were asked, who may commit, their results |
//! | `jobs`, with `board`, `readers`, `rounds`, `waves` and `left_out` | which jobs there are, and what becomes of their results |
//! | `allocation` | how many executors are wanted, and since when each has nothing to do |
//! | `work` | what the tasks of each stage do, and where the blocks lie that they read |
//!
//! They do not know each other. What one of them wants of another it says to the
//! `queue`, which has the order of all things; `turns` and `manager` hand each thing to
//! whom it concerns. The words: `input`, `heard`, `order` and `effect`; `record` and `replay`, which write
//! them down and take them again; `answer` and `outcome`, what an attempt's end means.

pub mod allocation;
pub mod answer;
mod attempts;
pub mod board;
pub mod effect;
mod fleet;
pub mod heard;
mod idle;
pub mod input;
pub mod instruction;
mod jobs;
mod left_out;
mod manager;
pub mod outcome;
pub mod purpose;
mod queue;
mod readers;
pub mod record;
pub mod replay;
mod rounds;
pub mod stores;
#[cfg(test)]
mod tests;
mod turns;
mod waves;
pub mod work;

use std::sync::Arc;
use std::time::Duration;

use self::allocation::{Allocation, AllocationConfig, Wanted};
use self::answer::IsSaved;
use self::attempts::{Attempts, Known};
use self::effect::Effect;
use self::fleet::Fleet;
use self::heard::{Far, Heard, Outcome};
use self::input::{Input, Step};
use self::instruction::{Instruction, Welcome};
use self::jobs::Jobs;
use self::queue::Queue;
use self::record::Record;
use self::stores::Stores;
use self::work::Works;
use crate::backend::manager::{ClusterManager, Input as Told};
use crate::clock::Timestamp;
use crate::facts::Fact;
use crate::ids::{ExecutorId, Partition, StageId, TaskId};
use crate::plan::application::Application;
use crate::report::{JobReport, LeftOutReport, Running, Sums};
use crate::watch::Watch;
use mesquite_scheduler::dag_scheduler::DagEvent;
use mesquite_scheduler::event::{AttemptStatus, TaskSchedulerEvent};
use mesquite_scheduler::{Core, Event};

pub use self::attempts::Totals;

/// So many of the attempts that have run longest are named.
const LONGEST_TOLD: usize = 3;

/// Why there can be no more executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The framework is no more.
    Removed(String),
    /// Executors die faster than it makes sense to start them, or no launch of
    /// one is taken.
    Dying(String),
}

/// What came of a run.
#[derive(Debug)]
pub struct Results {
    /// What all tasks did.
    pub totals: Totals,
    /// What came of all jobs.
    pub jobs: Vec<JobReport>,
    /// What was left out.
    pub left_out: Vec<LeftOutReport>,
    /// What stages, slow tasks and failures came to.
    pub sums: Sums,
}

/// What a driver is made of.
pub struct DriverParts {
    /// The scheduling core.
    pub core: Core,
    /// What is to be run.
    pub application: Arc<Application>,
    /// Where executors come from.
    pub manager: Box<dyn ClusterManager>,
    /// What each executor is told first.
    pub welcome: Welcome,
    /// Cores of one task.
    pub task_cpus: u32,
    /// So many tasks at once have room on what an executor holds of resources with names, if
    /// that limits them.
    pub named: Option<u32>,
    /// How executors come and go; none if they stay.
    pub allocation: Option<AllocationConfig>,
    /// Whether another driver may have to go on with the run.
    pub keeps: bool,
    /// Whether somebody wants to know all that happens, and not only what people are told.
    pub tells_all: bool,
    /// The longest message to an executor, in bytes.
    pub longest_message: usize,
    /// Knows what attempts say of partitions that they saved.
    pub is_saved: IsSaved,
}

/// See the module.
pub struct Driver {
    core: Core,
    manager: Box<dyn ClusterManager>,
    fleet: Fleet,
    stores: Stores,
    works: Works,
    attempts: Attempts,
    jobs: Jobs,
    queue: Queue,
    task_cpus: u32,
    named: Option<u32>,
    keeps: bool,
    /// How executors come and go.
    allocation: Option<Allocation>,
    /// What was told last of what is wanted, with the tasks that wait.
    wanted: Option<(u64, Wanted)>,
    over: Option<Over>,
    /// Whether it is being ended since it is over.
    ending: bool,
    now: Timestamp,
    unix_time: Duration,
}

impl Driver {
    /// Has done nothing yet; [`Input::Started`] begins.
    pub fn new(parts: DriverParts) -> Self {
        let DriverParts {
            core,
            application,
            manager,
            welcome,
            task_cpus,
            named,
            allocation,
            keeps,
            tells_all,
            longest_message,
            is_saved,
        } = parts;
        let (plan, program) = (&application.plan, &application.program);
        Self {
            core,
            fleet: Fleet::new(manager.fine().is_some(), welcome),
            manager,
            stores: Stores::default(),
            works: Works::new(Arc::clone(plan), Arc::clone(program)),
            attempts: Attempts::new(is_saved, longest_message),
            jobs: Jobs::new(application),
            queue: Queue::new(tells_all),
            task_cpus,
            named,
            keeps,
            allocation: allocation.map(Allocation::new),
            wanted: None,
            over: None,
            ending: false,
            now: Timestamp::ZERO,
            unix_time: Duration::ZERO,
        }
    }

    /// Takes in what happened and says what to do.
    #[must_use = "what is not carried out is lost"]
    pub fn handle(&mut self, step: Step) -> Vec<Effect> {
        self.now = step.at;
        self.unix_time = step.unix_time;
        self.queue.begin(step.unix_time);
        let kept = self.keeps.then(|| Box::new(step.clone()));
        for input in step.inputs {
            self.take(input);
            self.settle_all();
        }
        self.end_step();
        let mut effects = self.queue.end();
        if let Some(step) = kept {
            // Whether all facts are wanted may differ from driver to driver.
            let counted = |it: &&Effect| !matches!(it, Effect::Facts(_));
            let count = effects.iter().filter(counted).count() as u64;
            effects.insert(0, Effect::Keep(Box::new(Record::Step(step, count))));
        }
        effects
    }

    /// What follows once from all that was taken in.
    fn end_step(&mut self) {
        self.fleet.end_drained(&*self.manager, &mut self.queue);
        self.settle_all();
        self.offer_freed();
        self.submit_ready();
        self.settle_all();
        self.release_unread();
        self.settle();
        self.tell_wanted();
        self.settle_all();
        self.let_idle_go();
        self.settle_all();
        if let Some(over) = &self.over
            && !self.ending
        {
            // No executor can come again: what is not done never will be.
            self.ending = true;
            let (Over::Removed(why) | Over::Dying(why)) = over;
            self.jobs.give_up_rest(why);
            let message = why.as_str().into();
            let failed = TaskSchedulerEvent::BackendFailed { message };
            self.queue.schedule(failed);
            self.settle_all();
        }
        // People hear of the end of a stage before its result is printed.
        self.queue.hand_on_facts();
        self.jobs.print_next(self.now, &mut self.queue);
        self.settle();
    }

    /// Whether all facts are handed on, and not only what people are told.
    pub const fn tells_all(&self) -> bool {
        self.queue.tells_all()
    }

    /// When a step with [`Input::TimePassed`] is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let core = self.core.next_deadline().into_iter();
        core.chain(self.manager.next_deadline())
            .chain(self.fleet.next_deadline())
            .chain(self.attempts.next_deadline())
            .chain(self.stores.next_deadline())
            .chain(
                self.allocation
                    .as_ref()
                    .and_then(|it| it.next_deadline(self.now)),
            )
            .min()
    }

    /// Whether every action has ended.
    pub fn is_done(&self) -> bool {
        self.jobs.is_done()
    }

    /// Why no executor can ever come again, if so.
    pub const fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Whether an attempt runs, as far as is known.
    pub fn runs(&self, task: TaskId) -> bool {
        self.executor_of(task).is_some()
    }

    /// What runs at this moment.
    pub fn running(&self, now: Timestamp) -> Running {
        self.core
            .tasks()
            .seen(now, Watch::NAMED_OF_STAGE, LONGEST_TOLD)
    }

    /// Whether a task of a stage is ended that takes too long to compute a partition.
    pub fn has_timeout(&self, stage: StageId, partition: Partition) -> bool {
        self.works.has_timeout(stage, partition)
    }

    /// Whether an executor has come, and is not given up.
    pub fn is_registered(&self, executor: &ExecutorId) -> bool {
        self.fleet.is_registered(executor)
    }

    /// Whether executors were launched that have not come, and are not given up.
    pub fn awaits_executors(&self) -> bool {
        self.manager.awaits_executors()
    }

    /// Where an attempt runs, as far as is known.
    fn executor_of(&self, task: TaskId) -> Option<&ExecutorId> {
        self.fleet.executor_of(task, &*self.manager)
    }

    /// What came of the run.
    pub fn into_results(self) -> Results {
        let (jobs, left_out) = self.jobs.into_reports();
        Results {
            totals: self.attempts.totals(),
            jobs,
            left_out,
            sums: self.queue.into_sums(),
        }
    }

    fn take(&mut self, input: Input) {
        let (now, queue) = (self.now, &mut self.queue);
        match input {
            Input::Started => queue.manage(Told::Started),
            Input::Recovered => self.fleet.recovered(now, queue),
            Input::Executor {
                connection,
                executor,
                message,
            } => self.heard(connection, &executor, message),
            Input::Disconnected {
                connection,
                executor,
                why,
            } => self.fleet.disconnected(now, connection, &executor, &why),
            Input::Mesos(notice) => self.heard_of_mesos(notice),
            Input::Refused { call, refusal } => queue.manage(Told::Refused(call, refusal)),
            Input::ProcessEnded { executor, how } => self.process_ended(&executor, &how),
            Input::Fetched { task, result } => {
                let (works, dag) = (&self.works, self.core.dag());
                let is_there = |it: &ExecutorId| self.fleet.is_registered(it);
                let (fetched, known) = ((task, result), Known { works, dag });
                self.attempts.fetched(now, fetched, is_there, known, queue);
            }
            Input::Delivered { job, result } => self.jobs.delivered(now, job, result, queue),
            Input::Interrupted => {
                self.ending = true;
                self.jobs.give_up_rest("interrupted");
                queue.schedule(DagEvent::AllCancelled);
            }
            Input::TimePassed => self.time_passed(),
        }
    }

    fn time_passed(&mut self) {
        self.queue.schedule(Event::TimePassed);
        self.queue.manage(Told::Tick);
        self.settle();
        self.fleet.give_up_absent(self.now, &mut self.queue);
        self.settle();
        let away_until = |it: &ExecutorId| self.fleet.away_until(it);
        let (works, queue) = (&self.works, &mut self.queue);
        self.attempts
            .fetch_again(self.now, away_until, works, queue);
        let actions = self.stores.time_passed(self.now);
        self.stores_say(actions);
    }

    /// What an executor says.
    fn heard(&mut self, connection: input::ConnectionId, executor: &ExecutorId, words: Heard) {
        let (fleet, queue) = (&mut self.fleet, &mut self.queue);
        if let Heard::Registered(it) = words {
            return fleet.registered(connection, executor, it, &*self.manager, queue);
        }
        // The last words of a connection that was given up.
        if !fleet.is_current(executor, connection) {
            return;
        }
        match words {
            Heard::Registered(_) => {}
            Heard::Statuses { statuses, number } => self.statuses(executor, statuses, number),
            Heard::MayCommit {
                task,
                stage,
                partition,
            } => {
                let its = (stage, partition);
                let runs_there = self.executor_of(task) == Some(executor);
                let (works, dag) = (&self.works, self.core.dag());
                let (known, queue) = (Known { works, dag }, &mut self.queue);
                self.attempts
                    .commit(executor, (task, its), runs_there, known, queue);
            }
            Heard::Progress(all) => self.progress(executor, all),
            // A persisted partition had to make room.
            Heard::Dropped { dataset, partition } => {
                if let Some(host) = fleet.host_of(executor).cloned() {
                    let executor = executor.clone();
                    queue.schedule(DagEvent::PartitionDropped {
                        dataset,
                        partition,
                        executor,
                        host,
                    });
                }
            }
            Heard::TookOver { store, result } => {
                let result = result.as_ref().copied().map_err(String::as_str);
                let actions = self.stores.took_over(executor, &store, result);
                self.stores_say(actions);
            }
            Heard::Said(said) => queue.fact(Fact::CommandSaid(said)),
            Heard::Locate(store) => {
                let answer = self.stores.locate(executor.clone(), &store);
                self.stores_say(answer.into_iter().collect());
            }
        }
    }

    /// Attempts have begun and ended, one after the other.
    fn statuses(
        &mut self,
        executor: &ExecutorId,
        statuses: Vec<(TaskId, Option<Outcome>)>,
        number: u64,
    ) {
        for (task, outcome) in statuses {
            match outcome {
                // In fine mode Mesos tells how its tasks end.
                Some(_) if self.fleet.is_fine() => {}
                Some(outcome) => self.ended(executor, task, outcome),
                None => self.began(executor, task),
            }
            self.settle();
        }
        if number > 0 {
            let order = Instruction::Acknowledge { number };
            self.fleet.say(executor, order, &mut self.queue);
        }
    }

    /// How far running attempts are.
    fn progress(&mut self, executor: &ExecutorId, all: Vec<Far>) {
        for Far { task, records, ran } in all {
            if self.executor_of(task) == Some(executor) {
                self.queue
                    .status(task, AttemptStatus::Progress { records, ran });
                self.settle();
            }
        }
    }
}
