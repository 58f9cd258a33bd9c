//! The way to each executor that has registered. Pure.
//!
//! Responsible for which connection an executor speaks on, for how long one that is away
//! may come back, and for what it was told to kill, should it not have heard it. The fleet
//! alone uses it.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::driver::input::ConnectionId;
use crate::ids::{ExecutorId, Host, TaskId};
use mesquite_scheduler::loss::LossCause;

/// An attempt that is to be killed, and why, for people.
type Killing = (TaskId, String);

#[derive(Debug)]
struct Link {
    /// Unset while it is away.
    connection: Option<ConnectionId>,
    instance: String,
    host: Host,
    /// It is given up then.
    away_until: Option<Timestamp>,
    /// Why it is away.
    why: LossCause,
    /// Its source is given time to say why it ended.
    heard_out: bool,
    killing: BTreeSet<Killing>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<ExecutorId, Link>);

impl Links {
    /// An executor has come, as this run of its program.
    pub(super) fn came(
        &mut self,
        executor: &ExecutorId,
        connection: ConnectionId,
        instance: String,
        host: Host,
    ) {
        let link = Link {
            connection: Some(connection),
            instance,
            host,
            away_until: None,
            why: LossCause::Disconnected,
            heard_out: false,
            killing: BTreeSet::new(),
        };
        self.0.insert(executor.clone(), link);
    }

    /// An executor is back. The connection that it had, if that was not known to be gone,
    /// and what it may not have heard that it is to kill.
    pub(super) fn came_back(
        &mut self,
        executor: &ExecutorId,
        connection: ConnectionId,
    ) -> (Option<ConnectionId>, Vec<Killing>) {
        let Some(link) = self.0.get_mut(executor) else {
            return (None, Vec::new());
        };
        let before = link.connection.replace(connection);
        link.away_until = None;
        link.heard_out = false;
        let killing = link.killing.iter().cloned().collect();
        (before.filter(|it| *it != connection), killing)
    }

    /// An executor is away, and is given up if it is not back until then.
    pub(super) fn away(&mut self, executor: &ExecutorId, until: Timestamp, why: LossCause) {
        if let Some(link) = self.0.get_mut(executor) {
            link.connection = None;
            link.away_until = Some(until);
            link.why = why;
        }
    }

    /// Whether an executor is given until then to be told why it ended: once.
    pub(super) fn hear_out(&mut self, executor: &ExecutorId, until: Timestamp) -> bool {
        match self.0.get_mut(executor) {
            Some(link) if !link.heard_out => {
                link.heard_out = true;
                link.away_until = Some(until);
                true
            }
            _ => false,
        }
    }

    /// An executor is gone; the connection that it had.
    pub(super) fn remove(&mut self, executor: &ExecutorId) -> Option<ConnectionId> {
        self.0.remove(executor)?.connection
    }

    /// An attempt is to be killed.
    pub(super) fn kill(&mut self, executor: &ExecutorId, task: TaskId, reason: &str) {
        if let Some(link) = self.0.get_mut(executor) {
            link.killing.insert((task, reason.to_owned()));
        }
    }

    /// An attempt is over: it need not be killed any more.
    pub(super) fn killed(&mut self, executor: &ExecutorId, task: TaskId) {
        if let Some(link) = self.0.get_mut(executor) {
            link.killing.retain(|(killing, _)| *killing != task);
        }
    }

    /// Which run of its program an executor is, if it is known.
    pub(super) fn instance(&self, executor: &ExecutorId) -> Option<&str> {
        self.0.get(executor).map(|it| it.instance.as_str())
    }

    /// The host of an executor that is known.
    pub(super) fn host(&self, executor: &ExecutorId) -> Option<&Host> {
        self.0.get(executor).map(|it| &it.host)
    }

    /// The connection of an executor that is there.
    pub(super) fn connection(&self, executor: &ExecutorId) -> Option<ConnectionId> {
        self.0.get(executor)?.connection
    }

    /// Until when an executor that is away may come back; `None` of one that is unknown.
    pub(super) fn away_until(&self, executor: &ExecutorId) -> Option<Option<Timestamp>> {
        self.0.get(executor).map(|it| it.away_until)
    }

    /// All that are known.
    pub(super) fn executors(&self) -> impl Iterator<Item = (&ExecutorId, &Host)> {
        self.0.iter().map(|(executor, link)| (executor, &link.host))
    }

    /// All that are there.
    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.0.values().filter_map(|it| it.connection)
    }

    /// Those that were to be back by now, each with why it is away.
    pub(super) fn absent(&self, now: Timestamp) -> Vec<(ExecutorId, LossCause)> {
        let late = |it: &Link| it.away_until.is_some_and(|until| until <= now);
        let absent = self.0.iter().filter(|(_, link)| late(link));
        absent
            .map(|(executor, link)| (executor.clone(), link.why.clone()))
            .collect()
    }

    /// When somebody is absent, if ever.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|it| it.away_until).min()
    }
}
