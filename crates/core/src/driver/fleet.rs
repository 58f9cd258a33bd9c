//! The executors of a run: who is connected, who comes back, who is lost, and what
//! room they have. Pure.
//!
//! Responsible for the link to each executor and for the attempts that it has. A
//! connection that breaks is not the end of its executor: it has a moment to come
//! back with what it runs. One whose process is known to be dead, or that does not come
//! back, is lost; what it left on its host may still be served there (see
//! [`stores`](super::stores)). In fine mode attempts and room are the cluster manager's,
//! and the hosts of executors are all that is known here of them.

mod coming;
mod draining;
mod idle;
mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::coming::send_away;
use self::draining::Drain;
use self::links::Links;
use super::allocation::There;
use super::effect::Effect;
use super::input::ConnectionId;
use super::instruction::{Instruction, Released, Welcome, WhyStop};
use super::queue::{Next, Queue};
use crate::backend::ending::Cause;
use crate::backend::manager::{ClusterManager, Input, Launched};
use crate::backend::roster::{Action, Roster};
use crate::clock::Timestamp;
use crate::facts::Fact;
use crate::ids::{ExecutorId, Host, TaskId};
use crate::wire::message;
use mesquite_scheduler::action::{BackendRequest, ExecutorEnd};
use mesquite_scheduler::loss::{ExecutorLossReason, LossCause, WhyEnd};
use mesquite_scheduler::task::TaskDescription;
use mesquite_scheduler::worker_offer::WorkerOffer;

/// An executor that lives comes back at once when its connection breaks: this
/// is many times a connection's round trip, and little to wait for the dead.
pub(super) const COME_BACK: Duration = Duration::from_millis(300);

/// An agent says why an executor ended when it has cleaned up after it, which takes
/// seconds where it destroys cgroups. The others' tasks do not wait for that; a job
/// is not failed before, for it may have been the cluster's doing, and people want to
/// know.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// After another driver process took over, executors come back within their
/// longest pause between attempts, and some more for a slow machine.
const FIND_AGAIN: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Fleet {
    /// Whether tasks are the cluster manager's, and room for them comes as offers.
    is_fine: bool,
    links: Links,
    /// Those that were told to be of this run, and not to be gone.
    added: BTreeSet<ExecutorId>,
    /// Executors with slots; in fine mode none.
    executors: Roster,
    /// Executors with new room.
    freed: BTreeSet<ExecutorId>,
    /// Executors that end once they have nothing to do.
    draining: BTreeMap<ExecutorId, Drain>,
    /// Hosts on which no executor is wanted, since too much failed there.
    excluded: BTreeSet<Host>,
    /// In fine mode, the hosts of all executors there were: a status may come late.
    hosts: BTreeMap<ExecutorId, Host>,
    /// What each executor is told first.
    welcome: Welcome,
}

impl Fleet {
    /// No executor yet; each is told `welcome` first.
    pub(super) fn new(is_fine: bool, welcome: Welcome) -> Self {
        Self {
            is_fine,
            links: Links::default(),
            added: BTreeSet::new(),
            executors: Roster::new(),
            freed: BTreeSet::new(),
            draining: BTreeMap::new(),
            excluded: BTreeSet::new(),
            hosts: BTreeMap::new(),
            welcome,
        }
    }

    /// Whether tasks are the cluster manager's, and room for them comes as offers.
    pub(super) const fn is_fine(&self) -> bool {
        self.is_fine
    }

    /// Whether an executor has come, and is not given up.
    pub(super) fn is_registered(&self, executor: &ExecutorId) -> bool {
        self.links.host(executor).is_some()
    }

    /// The host of an executor that has come, and is not given up.
    pub(super) fn host_of(&self, executor: &ExecutorId) -> Option<&Host> {
        self.links.host(executor)
    }

    /// The host of an attempt's executor.
    pub(super) fn host_of_attempt(&self, placed: &TaskDescription) -> Option<&Host> {
        let executor = &placed.executor;
        let host = self.hosts.get(executor);
        host.or_else(|| self.executors.host_of(executor))
    }

    /// Where an attempt runs, as far as is known.
    pub(super) fn executor_of<'a>(
        &'a self,
        task: TaskId,
        manager: &'a dyn ClusterManager,
    ) -> Option<&'a ExecutorId> {
        match manager.fine() {
            Some(fine) => fine.executor_of(task),
            None => self.executors.executor_of(task),
        }
    }

    /// The executors with slots that are there.
    pub(super) fn there(&self) -> There {
        There {
            executors: self.executors.count(),
            cores: self.executors.cores(),
        }
    }

    /// Until when an executor that is away may come back; `None` of one that is unknown.
    pub(super) fn away_until(&self, executor: &ExecutorId) -> Option<Option<Timestamp>> {
        self.links.away_until(executor)
    }

    /// When an executor is to be given up, if ever.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.links.next_deadline()
    }

    // === what is said to executors ===

    /// Whether this is the connection on which an executor speaks.
    pub(super) fn is_current(&self, executor: &ExecutorId, connection: ConnectionId) -> bool {
        self.links.connection(executor) == Some(connection)
    }

    /// Says something to an executor, if it is connected.
    pub(super) fn say(&self, executor: &ExecutorId, order: Instruction, queue: &mut Queue) {
        if let Some(connection) = self.links.connection(executor) {
            queue.effect(say_on(connection, order));
        }
    }

    /// Executors may let go of this, those that come later too: they may take over what
    /// another one has left.
    pub(super) fn released(&mut self, released: &Released, queue: &mut Queue) {
        let all = &mut self.welcome.released;
        all.shuffles.extend(&released.shuffles);
        all.datasets.extend(&released.datasets);
        for connection in self.links.connections() {
            let order = Instruction::Released(released.clone());
            queue.effect(say_on(connection, order));
        }
    }

    /// An attempt is to be stopped.
    fn kill(&mut self, executor: &ExecutorId, task: TaskId, reason: &str, queue: &mut Queue) {
        self.links.kill(executor, task, reason);
        let reason = reason.into();
        self.say(executor, Instruction::Kill { task, reason }, queue);
    }

    /// Closes the connection of an executor that is to end.
    pub(super) fn hang_up(&self, executor: &ExecutorId, queue: &mut Queue) {
        if let Some(connection) = self.links.connection(executor) {
            send_away(connection, WhyStop::Idle, queue);
        }
    }

    // === room and attempts ===

    /// Room for tasks came as offers.
    pub(super) fn offered(&mut self, offers: &[WorkerOffer]) {
        for offer in offers {
            self.hosts
                .insert(offer.executor.clone(), offer.host.clone());
        }
    }

    /// All room that there is.
    pub(super) fn room(&self) -> Vec<WorkerOffer> {
        self.executors.free()
    }

    /// What an executor has room for, if anything.
    pub(super) fn room_of(&self, executor: &ExecutorId) -> Option<WorkerOffer> {
        self.executors.offer_of(executor)
    }

    /// The room of the executors that have new room, since this was asked last; `None`
    /// if there are none.
    pub(super) fn take_freed(&mut self) -> Option<Vec<WorkerOffer>> {
        let freed = std::mem::take(&mut self.freed);
        let offers = freed.iter().filter_map(|it| self.executors.offer_of(it));
        (!freed.is_empty()).then(|| offers.collect())
    }

    /// Attempts were placed: those that go to executors that are there.
    pub(super) fn placed(
        &mut self,
        launches: Vec<Vec<TaskDescription>>,
    ) -> impl Iterator<Item = (ExecutorId, Vec<TaskDescription>)> + use<> {
        let launched = self.executors.launch(launches).into_iter();
        launched.filter_map(|action| match action {
            Action::Launch { executor, tasks } => Some((executor, tasks)),
            Action::Kill { .. } | Action::End { .. } | Action::ExcludeHosts(_) => None,
        })
    }

    /// An attempt was placed and cannot be sent.
    pub(super) fn unsent(&mut self, task: TaskId) {
        let executor = self.executors.executor_of(task).cloned();
        self.freed.extend(executor);
        self.executors.ended(task, Duration::ZERO);
    }

    /// An attempt has ended after so long. The host on which it ran, if it is known and
    /// had not ended before.
    pub(super) fn ended(
        &mut self,
        executor: &ExecutorId,
        task: TaskId,
        ran: Duration,
    ) -> Option<Host> {
        let host = if self.is_fine {
            self.hosts.get(executor)?.clone()
        } else {
            // A late word of an executor that it does not run on any more.
            if self.executors.executor_of(task)? != executor {
                return None;
            }
            self.executors.ended(task, ran);
            self.executors.host_of(executor)?.clone()
        };
        self.freed.insert(executor.clone());
        self.links.killed(executor, task);
        Some(host)
    }

    // === what scheduling wants of executors ===

    /// Does what the core asks for; results are not fetched here.
    pub(super) fn request(&mut self, request: BackendRequest, queue: &mut Queue) {
        if self.is_fine {
            return self.request_in_fine_mode(request, queue);
        }
        for action in self.executors.request(request) {
            match action {
                Action::Kill {
                    executor,
                    task,
                    reason,
                } => self.kill(&executor, task, &reason, queue),
                Action::End { executor, end, why } => self.end(executor, end, why, queue),
                Action::ExcludeHosts(hosts) => self.exclude(hosts, queue),
                Action::Launch { .. } => {}
            }
        }
    }

    fn request_in_fine_mode(&mut self, request: BackendRequest, queue: &mut Queue) {
        match request {
            BackendRequest::KillTask { task, .. } => queue.manage(Input::Kill(task)),
            BackendRequest::ExcludeHosts(hosts) => self.exclude(hosts, queue),
            BackendRequest::EndExecutor { executor, end, why } => {
                self.end(executor, end, why, queue);
            }
            BackendRequest::EndExecutorsOnHost { host, end, why } => {
                let all = self.links.executors();
                let there = all.filter(|(_, its)| **its == host);
                let there: Vec<_> = there.map(|(executor, _)| executor.clone()).collect();
                for executor in there {
                    self.end(executor, end, why, queue);
                }
            }
            BackendRequest::FetchResult { .. } | BackendRequest::UnschedulableTaskSets(_) => {}
        }
    }

    /// No executor is wanted on these hosts.
    fn exclude(&mut self, hosts: Vec<Host>, queue: &mut Queue) {
        self.excluded = hosts.iter().cloned().collect();
        queue.manage(Input::ExcludeHosts(hosts));
    }

    /// The core wants an executor ended.
    fn end(&mut self, executor: ExecutorId, end: ExecutorEnd, why: WhyEnd, queue: &mut Queue) {
        match end {
            ExecutorEnd::Kill => {
                if !self.is_fine {
                    // Its loss is told when its connection ends.
                    self.say(&executor, Instruction::Stop(WhyStop::Unwanted), queue);
                }
                queue.manage(Input::End(executor));
            }
            ExecutorEnd::Decommission => {
                self.let_finish(executor, Drain { why, host: None }, queue);
            }
        }
    }

    // === executors that come and go ===

    /// In fine mode an executor is launched with its first attempts, and is of this run
    /// before it comes. Some of these were launched on now; others are known already, or
    /// the room on them was gone.
    pub(super) fn launched_on(
        &mut self,
        executors: BTreeSet<ExecutorId>,
        manager: &dyn ClusterManager,
        queue: &mut Queue,
    ) {
        for executor in executors {
            if let Some(launched) = manager.launched(&executor) {
                self.add(&executor, launched, 0, queue);
            }
        }
    }

    /// Tells that an executor is of this run, once.
    fn add(&mut self, executor: &ExecutorId, launched: Launched, cores: u32, queue: &mut Queue) {
        if self.added.insert(executor.clone()) {
            queue.fact(Fact::ExecutorAdded {
                executor: executor.clone(),
                host: launched.host,
                cores,
                agent: launched.agent,
                resources: launched.resources,
            });
        }
    }

    /// A connection is gone. If it was not in order its executor may come back.
    pub(super) fn disconnected(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        executor: &ExecutorId,
        why: &str,
    ) {
        if self.is_current(executor, connection) {
            self.links.away(executor, now + COME_BACK, why.into());
            self.executors.set_away(executor, true);
        }
    }

    /// Another process goes on with the run: all connections are gone.
    pub(super) fn recovered(&mut self, now: Timestamp, queue: &mut Queue) {
        let all: Vec<_> = self.links.executors().map(|it| it.0.clone()).collect();
        for executor in all {
            let why = LossCause::NewDriver;
            self.links.away(&executor, now + FIND_AGAIN, why);
            self.executors.set_away(&executor, true);
        }
        queue.manage(Input::Disconnected);
    }

    /// Gives up the executors that did not come back in time.
    pub(super) fn give_up_absent(&self, now: Timestamp, queue: &mut Queue) {
        for (executor, why) in self.links.absent(now) {
            queue.then(Next::Absent { executor, why });
        }
    }

    /// An executor did not come back. It is not given up yet if there is more to be said
    /// of its end, and its end would be that of a job, which `ends_job` knows.
    pub(super) fn absent(
        &mut self,
        now: Timestamp,
        (executor, why): (&ExecutorId, LossCause),
        ends_job: impl FnOnce() -> bool,
        manager: &dyn ClusterManager,
        queue: &mut Queue,
    ) {
        let silent = manager.tells_ends() && manager.last_words(executor).is_none();
        if silent && ends_job() && self.links.hear_out(executor, now + LAST_WORDS) {
            return;
        }
        give_up(executor, why, false, manager, queue);
    }

    /// An executor is gone for good.
    pub(super) fn lost(
        &mut self,
        executor: &ExecutorId,
        reason: &ExecutorLossReason,
        queue: &mut Queue,
    ) {
        if let Some(connection) = self.links.remove(executor) {
            send_away(connection, WhyStop::GivenUp, queue);
        }
        self.executors.remove(executor);
        self.draining.remove(executor);
        if self.added.remove(executor) {
            queue.fact(Fact::ExecutorRemoved {
                executor: executor.clone(),
                reason: reason.clone(),
            });
        }
    }
}

/// An executor is gone as far as this driver can tell; `exited` if it is known
/// how its process ended.
pub(super) fn give_up(
    executor: &ExecutorId,
    what: LossCause,
    exited: bool,
    manager: &dyn ClusterManager,
    queue: &mut Queue,
) {
    let reason = if manager.was_to_end(executor) {
        ExecutorLossReason::Killed
    } else {
        // Without a word of whoever knows it may be what it ran.
        let cause = manager.last_words(executor).unwrap_or(Cause {
            what,
            by_tasks: true,
            exited,
        });
        cause.loss()
    };
    queue.then(Next::Lost {
        executor: executor.clone(),
        reason,
    });
    queue.manage(Input::GivenUp(executor.clone()));
}

fn say_on(connection: ConnectionId, order: Instruction) -> Effect {
    Effect::Send(connection, message(order))
}
