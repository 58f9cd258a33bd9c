//! The executors of a run: who is connected, who comes back, who is lost. Pure.
//!
//! Responsible for the link to each executor. A connection that breaks is not
//! the end of its executor: it has a moment to come back with what it runs. One
//! whose process is known to be dead, or that does not come back, is lost; what
//! it left on its host may still be served there (see [`stores`]).

use std::collections::BTreeSet;
use std::time::Duration;

use super::Driver;
use super::effect::Effect;
use super::fleet::Fleet;
use super::input::ConnectionId;
use super::stores;
use super::work::BlockPlace;
use crate::backend::executors::NewExecutor;
use crate::clock::Timestamp;
use crate::ids::{DatasetId, ExecutorId, Host, Partition, TaskId};
use crate::rpc::message::{
    FromDriver, Outcome, from_driver,
    from_driver::Message,
    from_executor::{Dropped, Register},
    outcome::End,
};
use crate::scheduler::dag_scheduler::DagEvent;
use crate::scheduler::event::TaskSchedulerEvent;
use crate::scheduler::task::ExecutorLossReason;

/// An executor that lives comes back at once when its connection breaks: this
/// is many times a connection's round trip, and little to wait for the dead.
const COME_BACK: Duration = Duration::from_millis(300);

/// After another driver process took over, executors come back within their
/// longest pause between attempts ,
/// and some more for a slow machine.
const FIND_AGAIN: Duration = Duration::from_secs(20);

/// The way to an executor that has registered.
#[derive(Debug)]
pub(super) struct Link {
    /// Unset while it is away.
    connection: Option<ConnectionId>,
    instance: String,
    host: Host,
    /// It is given up then.
    pub(super) away_until: Option<Timestamp>,
    /// Why it is away, for people.
    why: String,
    /// What it was told to kill, in case that it did not hear it.
    killing: BTreeSet<(TaskId, String)>,
}

impl Link {
    pub(super) const fn host(&self) -> &Host {
        &self.host
    }
}

impl Driver {
    /// Whether this is the connection on which an executor speaks.
    pub(super) fn is_current(&self, executor: &ExecutorId, connection: ConnectionId) -> bool {
        let link = self.links.get(executor);
        link.is_some_and(|it| it.connection == Some(connection))
    }

    /// Says something to an executor, if it is connected.
    pub(super) fn say(&mut self, executor: &ExecutorId, message: Message) {
        if let Some(connection) = self.links.get(executor).and_then(|it| it.connection) {
            self.effect(Effect::Send(connection, said(message)));
        }
    }

    /// An executor introduces itself.
    pub(super) fn registered(&mut self, connection: ConnectionId, register: Register) {
        let executor = ExecutorId::from(register.executor.as_str());
        match self.links.get(&executor) {
            Some(link) if link.instance == register.instance => {
                return self.came_back(connection, &register);
            }
            Some(_) => {
                return self
                    .send_away(connection, "an executor of this name is registered already");
            }
            None => {}
        }
        if !self.fleet.expects(&executor) {
            return self.send_away(
                connection,
                "the driver does not expect it, or has given it up",
            );
        }
        let host = Host::from(register.host.as_str());
        let is_fine = self.fleet.is_fine();
        if !is_fine {
            self.executors.add(new_executor(&register));
        }
        let link = Link {
            connection: Some(connection),
            instance: register.instance,
            host: host.clone(),
            away_until: None,
            why: String::new(),
            killing: BTreeSet::new(),
        };
        self.links.insert(executor.clone(), link);
        let welcome = Message::Registered(self.welcome.clone());
        self.effect(Effect::Send(connection, said(welcome)));
        // Of an earlier driver process, if this one did not get to know of it.
        self.kill_all(&executor, &register.tasks);
        let cores = register.cores;
        match self.fleet {
            Fleet::Threads => {}
            Fleet::Fine(_) => self.note(format!("executor {executor} on {host} registered")),
            Fleet::Processes(_) | Fleet::Coarse(_) => self.note(format!(
                "executor {executor} on {host} registered with {cores} cores"
            )),
        }
        let place = BlockPlace {
            address: register.block_address,
            folder: register.folder,
        };
        let actions = self.stores.came(&executor, &host, &place);
        self.stores_changed(actions);
        self.fleet_registered(&executor);
        self.offer(&executor);
    }

    fn offer(&mut self, executor: &ExecutorId) {
        if let Some(offer) = self.executors.offer_of(executor) {
            self.feed(TaskSchedulerEvent::Offers {
                offers: vec![offer],
                all_free: false,
            });
        }
    }

    fn send_away(&mut self, connection: ConnectionId, reason: &str) {
        let stop = from_driver::Stop {
            reason: reason.into(),
        };
        self.effect(Effect::Send(connection, said(Message::Stop(stop))));
        self.effect(Effect::Close(connection));
    }

    /// An executor that was away is back, with what it still runs.
    fn came_back(&mut self, connection: ConnectionId, register: &Register) {
        let executor = ExecutorId::from(register.executor.as_str());
        let Some(link) = self.links.get_mut(&executor) else {
            return;
        };
        let before = link.connection.replace(connection);
        link.away_until = None;
        let killing: Vec<_> = link.killing.iter().cloned().collect();
        if let Some(before) = before.filter(|it| *it != connection) {
            self.effect(Effect::Close(before));
        }
        let welcome = Message::Registered(self.welcome.clone());
        self.effect(Effect::Send(connection, said(welcome)));
        self.executors.set_away(&executor, false);
        let has: BTreeSet<TaskId> = register.tasks.iter().copied().map(TaskId).collect();
        for (task, reason) in killing.into_iter().filter(|(task, _)| has.contains(task)) {
            let kill = from_driver::Kill {
                task: task.0,
                reason,
            };
            self.say(&executor, Message::Kill(kill));
        }
        if !self.fleet.is_fine() {
            let known: BTreeSet<TaskId> = self.executors.attempts_on(&executor).collect();
            let unknown: Vec<u64> = has.difference(&known).map(|it| it.0).collect();
            // Its end may be on its way: then it is over already.
            self.kill_all(&executor, &unknown);
            for task in known.difference(&has) {
                let outcome = Outcome {
                    end: Some(End::Killed("its launch did not reach the executor".into())),
                    ..Outcome::default()
                };
                self.ended(&executor, *task, outcome);
            }
        }
        let actions = self.stores.came_back(&executor);
        self.stores_changed(actions);
        self.offer(&executor);
    }

    fn kill_all(&mut self, executor: &ExecutorId, tasks: &[u64]) {
        for task in tasks {
            let kill = from_driver::Kill {
                task: *task,
                reason: "the driver does not know it".into(),
            };
            self.say(executor, Message::Kill(kill));
        }
    }

    /// An attempt is to be stopped.
    pub(super) fn kill(&mut self, executor: &ExecutorId, task: TaskId, reason: &str) {
        if let Some(link) = self.links.get_mut(executor) {
            link.killing.insert((task, reason.to_owned()));
        }
        let kill = from_driver::Kill {
            task: task.0,
            reason: reason.into(),
        };
        self.say(executor, Message::Kill(kill));
    }

    /// An attempt is over: it need not be killed any more.
    pub(super) fn killed(&mut self, executor: &ExecutorId, task: TaskId) {
        if let Some(link) = self.links.get_mut(executor) {
            link.killing.retain(|(killing, _)| *killing != task);
        }
    }

    /// A connection is gone. If it was not in order its executor may come back.
    pub(super) fn disconnected(
        &mut self,
        connection: ConnectionId,
        executor: &ExecutorId,
        why: &str,
    ) {
        if !self.is_current(executor, connection) {
            return;
        }
        self.away(executor, COME_BACK, why);
    }

    fn away(&mut self, executor: &ExecutorId, patience: Duration, why: &str) {
        if let Some(link) = self.links.get_mut(executor) {
            link.connection = None;
            link.away_until = Some(self.now + patience);
            why.clone_into(&mut link.why);
        }
        self.executors.set_away(executor, true);
    }

    /// Another process goes on with the run.
    pub(super) fn recovered(&mut self) {
        let all: Vec<_> = self.links.keys().cloned().collect();
        for executor in all {
            self.away(&executor, FIND_AGAIN, "it did not find the new driver");
        }
        self.fleet_recovered();
    }

    /// Gives up the executors that did not come back in time.
    pub(super) fn give_up_absent(&mut self) {
        let late = |until: Option<Timestamp>| until.is_some_and(|until| until <= self.now);
        let absent: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| late(link.away_until))
            .map(|(executor, link)| (executor.clone(), link.why.clone()))
            .collect();
        for (executor, why) in absent {
            self.given_up(&executor, &why);
        }
    }

    /// An executor is gone as far as this driver can tell.
    pub(super) fn given_up(&mut self, executor: &ExecutorId, why: &str) {
        let reason = ExecutorLossReason::ProcessLost {
            message: why.into(),
            host: None,
            caused_by_app: true,
        };
        self.executor_lost(executor, reason);
        self.fleet_gives_up(executor);
    }

    /// Closes the connection of an executor that is to end.
    pub(super) fn hang_up(&mut self, executor: &ExecutorId) {
        if let Some(connection) = self.links.get(executor).and_then(|it| it.connection) {
            self.send_away(connection, "it has nothing to do");
        }
    }

    /// An executor is gone for good.
    pub(super) fn executor_lost(&mut self, executor: &ExecutorId, reason: ExecutorLossReason) {
        let link = self.links.remove(executor);
        if let Some(connection) = link.as_ref().and_then(|it| it.connection) {
            self.send_away(connection, "the driver has given it up");
        }
        self.executors.remove(executor);
        self.draining.remove(executor);
        self.commits.retain(|_, asking| asking != executor);
        let host_gone = match &reason {
            ExecutorLossReason::ProcessLost { host, .. }
            | ExecutorLossReason::Decommissioned { host, .. } => host.is_some(),
            ExecutorLossReason::Exited { .. } | ExecutorLossReason::Killed => false,
        };
        self.feed(TaskSchedulerEvent::ExecutorLost {
            executor: executor.clone(),
            reason,
        });
        let outputs = self.core.dag().map_outputs();
        let needed = |store: &ExecutorId| outputs.holds(store);
        let actions = self.stores.gone(self.now, executor, host_gone, needed);
        self.stores_changed(actions);
    }

    /// Carries out what follows for outputs.
    pub(super) fn stores_changed(&mut self, actions: Vec<stores::Action>) {
        for action in actions {
            match action {
                stores::Action::TakeOver { by, store, folder } => {
                    let take_over = from_driver::TakeOver {
                        executor: store.as_str().to_owned(),
                        folder,
                    };
                    self.say(&by, Message::TakeOver(take_over));
                }
                stores::Action::Moved { store, place } => self.works.set_place(store, place),
                stores::Action::Located { to, store, address } => {
                    let located = from_driver::Located {
                        executor: store.as_str().to_owned(),
                        address: address.unwrap_or_default(),
                    };
                    self.say(&to, Message::Located(located));
                }
                stores::Action::Lost(store) => {
                    self.feed(DagEvent::OutputsLost { executor: store });
                }
            }
        }
    }

    /// Whether an executor has something that somebody may still want.
    pub(super) fn is_needed(&self, executor: &ExecutorId) -> bool {
        let dag = self.core.dag();
        let outputs = dag.map_outputs();
        let mut stores = self.stores.served_by(executor);
        stores.any(|store| outputs.holds(store)) || dag.cached_locations().holds(executor)
    }

    /// A persisted partition had to make room.
    pub(super) fn dropped(&mut self, executor: &ExecutorId, dropped: Dropped) {
        let Some(host) = self.links.get(executor).map(|it| it.host.clone()) else {
            return;
        };
        self.feed(DagEvent::PartitionDropped {
            dataset: DatasetId(dropped.dataset),
            partition: Partition(dropped.partition),
            executor: executor.clone(),
            host,
        });
    }
}

fn said(message: Message) -> FromDriver {
    FromDriver {
        message: Some(message),
    }
}

fn new_executor(register: &Register) -> NewExecutor {
    let resources = register.resources.iter().map(|it| {
        let addresses = it.addresses.iter().map(|it| it.as_str().into());
        (it.name.as_str().into(), addresses.collect())
    });
    NewExecutor {
        executor: register.executor.as_str().into(),
        host: register.host.as_str().into(),
        cores: register.cores,
        resources: resources.collect(),
    }
}
