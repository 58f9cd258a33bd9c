//! Where executors come from. Pure.
//!
//! Responsible for telling each kind of source what it has to know, and for
//! turning what it says into effects and news for the core, in its order.

use super::effect::Effect;
use super::processes::{Processes, Then, too_many_deaths};
use super::{Driver, Over};
use crate::backend::mesos_coarse::{self, MesosCoarse};
use crate::backend::mesos_fine::{self, MesosFine};
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host};
use crate::mesos::subscription::Notice;
use crate::scheduler::event::{TaskSchedulerEvent, TaskStatus};

/// See the module.
pub enum Fleet {
    /// Threads of the driver's own process, which are there from the start.
    Threads,
    /// Processes of this machine.
    Processes(Processes),
    /// Mesos, in coarse mode.
    Coarse(Box<MesosCoarse>),
    /// Mesos, in fine mode.
    Fine(Box<MesosFine>),
}

impl Fleet {
    /// When its time has come, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Threads | Self::Processes(_) => None,
            Self::Coarse(backend) => backend.next_deadline(),
            Self::Fine(backend) => backend.next_deadline(),
        }
    }

    /// Whether an executor of this name was started and is not given up.
    pub fn expects(&self, executor: &ExecutorId) -> bool {
        match self {
            Self::Threads => true,
            Self::Processes(processes) => processes.expects(executor),
            Self::Coarse(backend) => backend.expects(executor),
            Self::Fine(backend) => backend.host_of(executor).is_some(),
        }
    }

    /// Whether tasks are Mesos tasks, and offers the room for them.
    pub const fn is_fine(&self) -> bool {
        matches!(self, Self::Fine(_))
    }

    /// Why nothing runs, if it knows.
    pub fn why_nothing_runs(&self) -> Option<String> {
        match self {
            Self::Threads | Self::Processes(_) => None,
            Self::Coarse(backend) => backend.why_nothing_runs(),
            Self::Fine(backend) => backend.why_nothing_runs(),
        }
    }
}

impl Driver {
    /// The run begins.
    pub(super) fn start(&mut self) {
        if let Fleet::Processes(processes) = &mut self.fleet {
            for executor in processes.start() {
                self.effect(Effect::StartProcess(executor));
            }
        }
        self.tell_coarse(mesos_coarse::Input::Subscribed);
        self.tell_fine(mesos_fine::Input::Subscribed);
    }

    /// Tells coarse mode something, if that is the mode.
    pub(super) fn tell_coarse(&mut self, input: mesos_coarse::Input) {
        let Fleet::Coarse(backend) = &mut self.fleet else {
            return;
        };
        for action in backend.handle(self.now, self.unix_time, input) {
            match action {
                mesos_coarse::Action::Call(call) => self.effect(Effect::Call(call)),
                mesos_coarse::Action::Lost { executor, reason } => {
                    self.executor_lost(&executor, reason);
                }
                mesos_coarse::Action::Drain(executor) => self.drain(executor),
                mesos_coarse::Action::Note(text) => self.note(text),
            }
        }
    }

    /// Tells fine mode something, if that is the mode.
    pub(super) fn tell_fine(&mut self, input: mesos_fine::Input) {
        let Fleet::Fine(backend) = &mut self.fleet else {
            return;
        };
        let actions = backend.handle(self.now, self.unix_time, input);
        self.fine_says(actions);
    }

    pub(super) fn fine_says(&mut self, actions: Vec<mesos_fine::Action>) {
        for action in actions {
            match action {
                mesos_fine::Action::Call(call) => self.effect(Effect::Call(call)),
                mesos_fine::Action::Offer(offers) => {
                    for offer in &offers {
                        self.hosts
                            .insert(offer.executor.clone(), offer.host.clone());
                    }
                    self.feed(TaskSchedulerEvent::Offers {
                        offers,
                        all_free: true,
                    });
                    self.settle();
                }
                mesos_fine::Action::Ended {
                    executor,
                    task,
                    outcome,
                    message,
                } => {
                    let outcome = super::outcome::outcome_of(&outcome, message);
                    self.ended(&executor, task, outcome);
                }
                mesos_fine::Action::Lost { task, message } => {
                    self.warn(format!("task {task} runs again: {message}"));
                    // Not its fault, and not its executor's end.
                    let reason = message.into();
                    let status = TaskStatus::Killed { reason };
                    self.feed(TaskSchedulerEvent::Status { task, status });
                }
                mesos_fine::Action::ExecutorLost { executor, reason } => {
                    self.executor_lost(&executor, reason);
                }
                mesos_fine::Action::Idle(executor) => {
                    if !self.is_needed(&executor) {
                        self.hang_up(&executor);
                        self.tell_fine(mesos_fine::Input::LetGo(executor));
                    }
                }
                mesos_fine::Action::Drain(executor) => self.drain(executor),
                mesos_fine::Action::Note(text) => self.note(text),
            }
        }
    }

    /// The core has answered an offer: what is left of it is declined.
    fn settle(&mut self) {
        if let Fleet::Fine(backend) = &mut self.fleet {
            let actions = backend.settle();
            self.fine_says(actions);
        }
    }

    /// Tells where executors come from how many could be used.
    pub(super) fn tell_wanted(&mut self) {
        let tasks = self.core.tasks();
        let waiting = tasks.waiting();
        let cores = (waiting + tasks.running()) * u64::from(self.task_cpus);
        if std::mem::replace(&mut self.wanted, (waiting, cores)) != (waiting, cores) {
            self.tell_coarse(mesos_coarse::Input::Wanted(cores));
            self.tell_fine(mesos_fine::Input::Waiting(waiting));
        }
    }

    /// No executor is wanted on these hosts.
    pub(super) fn exclude(&mut self, hosts: Vec<Host>) {
        match &self.fleet {
            Fleet::Coarse(_) => self.tell_coarse(mesos_coarse::Input::ExcludeHosts(hosts)),
            Fleet::Fine(_) => self.tell_fine(mesos_fine::Input::ExcludeHosts(hosts)),
            Fleet::Threads | Fleet::Processes(_) => {}
        }
    }

    /// An executor has connected.
    pub(super) fn fleet_registered(&mut self, executor: &ExecutorId) {
        self.tell_coarse(mesos_coarse::Input::Registered(executor.clone()));
        self.tell_fine(mesos_fine::Input::Registered(executor.clone()));
    }

    /// An executor is given up: it is ended where it comes from, and replaced.
    pub(super) fn fleet_gives_up(&mut self, executor: &ExecutorId) {
        if let Fleet::Processes(processes) = &mut self.fleet {
            match processes.ended(executor) {
                Then::Nothing => {}
                Then::Start(next) => {
                    // Only its connection may be gone.
                    self.effect(Effect::KillProcess(executor.clone()));
                    self.effect(Effect::StartProcess(next));
                }
                Then::NoMore { last } => {
                    self.effect(Effect::KillProcess(executor.clone()));
                    self.warn(too_many_deaths());
                    if last {
                        self.over = Some(Over::Dying(too_many_deaths()));
                    }
                }
            }
        }
        self.tell_coarse(mesos_coarse::Input::ConnectionLost(executor.clone()));
        self.tell_fine(mesos_fine::Input::ConnectionLost(executor.clone()));
    }

    /// An executor is to end because the core wants it.
    pub(super) fn fleet_ends(&mut self, executor: &ExecutorId) {
        match &self.fleet {
            Fleet::Threads => {}
            // Its replacement follows when its process has ended.
            Fleet::Processes(_) => self.effect(Effect::KillProcess(executor.clone())),
            Fleet::Coarse(_) => self.tell_coarse(mesos_coarse::Input::End(executor.clone())),
            Fleet::Fine(_) => {
                self.tell_fine(mesos_fine::Input::ConnectionLost(executor.clone()));
            }
        }
    }

    /// Mesos said something.
    pub(super) fn heard_of_mesos(&mut self, notice: Notice) {
        match notice {
            Notice::Subscribed { endpoint, .. } => {
                self.tell_coarse(mesos_coarse::Input::Subscribed);
                self.tell_fine(mesos_fine::Input::Subscribed);
                self.note(format!("subscribed again with the master at {endpoint}"));
            }
            Notice::Event(event) => match &self.fleet {
                Fleet::Coarse(_) => self.tell_coarse(mesos_coarse::Input::Event(event)),
                Fleet::Fine(_) => self.tell_fine(mesos_fine::Input::Event(event)),
                Fleet::Threads | Fleet::Processes(_) => {}
            },
            Notice::Disconnected { why } => {
                self.tell_coarse(mesos_coarse::Input::Disconnected);
                self.tell_fine(mesos_fine::Input::Disconnected);
                self.warn(format!("lost the master; what runs goes on: {why}"));
            }
            Notice::Failing { why } => self.note(format!("cannot reach the master: {why}")),
            Notice::Ended(end) => self.over = Some(Over::Removed(end.to_string())),
        }
    }

    pub(super) fn fleet_time_passed(&mut self) {
        self.tell_coarse(mesos_coarse::Input::Tick);
        self.tell_fine(mesos_fine::Input::Tick);
    }

    /// Another process goes on with the run: the subscription is its own.
    pub(super) fn fleet_recovered(&mut self) {
        self.tell_coarse(mesos_coarse::Input::Disconnected);
        self.tell_fine(mesos_fine::Input::Disconnected);
    }
}
