//! Ways to run, each of which is a cluster manager: what gives executors, or room for
//! tasks. Pure.
//!
//! Responsible for the words between the driver's decisions, which use whatever manager
//! a master URL asks for, and the managers: [`Threads`](super::threads::Threads),
//! [`Processes`](super::processes::Processes), and Mesos in both
//! [modes](super::mesos). Which task runs where is decided by the task scheduler.
//!
//! Fine mode alone is known here by its type, and so knows this file and is known to it: what it
//! launches passes through the task scheduler in the middle of a step, which no other way to run
//! has to say a word for.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ending::Cause;
use super::mesos::fine::MesosFine;
use super::mesos::named::Addresses;
use crate::clock::Timestamp;
use crate::facts::AgentPlace;
use crate::facts::cluster::{ClusterFact, NoHope, NothingRuns};
use crate::ids::{ExecutorId, Host, TaskId};
use mesquite_mesos::call::Call;
use mesquite_mesos::event::Event;
use mesquite_mesos::refused::{CallRefusal, Refused};
use mesquite_scheduler::loss::ExecutorLossReason;
use mesquite_scheduler::worker_offer::WorkerOffer;

/// What can happen. What a manager has no use for it lets pass.
#[derive(Debug)]
pub enum Input {
    /// The run begins; of Mesos there is a subscription.
    Started,
    /// The master granted another subscription; offers of an earlier one are void.
    Subscribed,
    /// There is none.
    Disconnected,
    /// The master said something.
    Event(Event),
    /// The master refused a call.
    Refused(Refused, CallRefusal),
    /// What the tasks of the run could use.
    Wanted {
        /// Tasks that wait.
        waiting: u64,
        /// Cores of those that wait and those that run.
        cores: u64,
        /// No fewer executors are wanted, and no more.
        executors: RangeInclusive<u64>,
    },
    /// Tasks wait that may find room.
    Revive,
    /// An executor connected to the driver.
    Registered(ExecutorId),
    /// An executor is given up: its connection is gone, or its process.
    GivenUp(ExecutorId),
    /// An executor is to end.
    End(ExecutorId),
    /// An idle executor holds nothing that anybody needs.
    LetGo(ExecutorId),
    /// An attempt that is a task of the manager is to be stopped.
    Kill(TaskId),
    /// No executor is to be started on these hosts, and no others than these are shunned.
    ExcludeHosts(Vec<Host>),
    /// Executors hold less that somebody needs.
    Released,
    /// Time has passed.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Send this to the master.
    Call(Call),
    /// Start a process of this machine as an executor.
    StartProcess(ExecutorId),
    /// End one, if it lives.
    KillProcess(ExecutorId),
    /// Offer this to the task scheduler; then [`MesosFine::launch`] with what it
    /// says, and [`MesosFine::settle`] in any case.
    Offer(Vec<WorkerOffer>),
    /// An attempt ended, with what its executor said of it.
    Ended {
        /// Where it ran.
        executor: ExecutorId,
        /// The attempt.
        task: TaskId,
        /// An encoded outcome; empty if the executor said nothing.
        outcome: Bytes,
        /// What Mesos said.
        message: String,
    },
    /// Nobody knows of an attempt any more.
    TaskLost {
        /// The attempt.
        task: TaskId,
        /// What is known, for people.
        message: String,
    },
    /// An attempt never began, since the master refused its launch, which is told by
    /// [`ClusterFact::LaunchRefused`].
    NotLaunched {
        /// The attempt.
        task: TaskId,
        /// What the master answered.
        reason: String,
    },
    /// An executor is gone.
    ExecutorLost {
        /// The executor.
        executor: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// An executor has had no task for long: [`Input::LetGo`] if it holds nothing
    /// that anybody needs.
    Idle(ExecutorId),
    /// The agent of an executor is to be freed: it gets nothing more to do, and
    /// ends when it has nothing to do any more. May be repeated.
    Drain(ExecutorId),
    /// Hosts stand in these racks, whatever was said before.
    Racks(Vec<(Host, Arc<str>)>),
    /// There will be no executor any more, for this reason.
    Hopeless(NoHope),
    /// Somebody wants to know this.
    Told(ClusterFact),
}

/// What an executor was launched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Where.
    pub host: Host,
    /// For as many tasks of one core; `None` where that is said elsewhere: by the
    /// threads themselves, or by offers.
    pub cores: Option<u32>,
    /// The agent that runs it, on Mesos.
    pub agent: Option<AgentPlace>,
    /// The addresses of resources with names that it holds for its tasks.
    pub resources: Addresses,
}

/// What gives executors. See the module.
pub trait ClusterManager: Send {
    /// Takes in what happened and says what to do. `unix_time` is for what is planned
    /// by the calendar.
    #[must_use = "actions are to be carried out"]
    fn handle(&mut self, now: Timestamp, unix_time: Duration, input: Input) -> Vec<Action>;

    /// An executor has begun a task, or ended one: said so often that it is no input.
    fn works(&mut self, _executor: &ExecutorId) {}

    /// When [`Input::Tick`] is due, if ever.
    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// What an executor was launched with, if it is not given up.
    fn launched(&self, executor: &ExecutorId) -> Option<Launched>;

    /// Whether executors were launched that have not registered.
    fn awaits_executors(&self) -> bool {
        false
    }

    /// Whether an executor ends because the driver wanted it.
    fn was_to_end(&self, _executor: &ExecutorId) -> bool {
        false
    }

    /// Whether it tells how executors ended, if not at once.
    fn tells_ends(&self) -> bool {
        false
    }

    /// Why an executor ended, if the manager has said so, maybe not all.
    fn last_words(&self, _executor: &ExecutorId) -> Option<Cause> {
        None
    }

    /// Whether there are hosts to choose from, so that an executor on an excluded one is
    /// of no use.
    fn has_other_hosts(&self) -> bool {
        false
    }

    /// Whether executors come and go, so that people are told of each.
    fn has_comers(&self) -> bool {
        true
    }

    /// Why nothing runs, if it knows.
    fn why_nothing_runs(&self) -> Option<NothingRuns> {
        None
    }

    /// Fine mode, where tasks are tasks of Mesos and offers the room for them.
    fn fine(&self) -> Option<&MesosFine> {
        None
    }

    /// The same, to launch tasks.
    fn fine_mut(&mut self) -> Option<&mut MesosFine> {
        None
    }
}
