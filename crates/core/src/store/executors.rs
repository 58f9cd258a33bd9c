//! Executors, and what they did. Pure.
//!
//! Responsible for their coming and going and their sums. An executor that attempts
//! name and nobody has introduced is none, as in Spark.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Store;
use super::attempts::{Ended, State};
use super::column::Name;
use super::log_events::{BlockManagerAdded, ExecutorAdded, ExecutorRemoved, NamedResource, Texts};
use super::measures::{Measure, Measures};

/// An executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executor {
    /// Its id.
    pub name: Name,
    /// Its host, and the port where it serves blocks if that is known.
    pub host_port: String,
    /// When it came.
    pub added: u64,
    /// When it went.
    pub removed: Option<u64>,
    /// Why.
    pub why: Option<String>,
    /// The cores that it has.
    pub cores: u32,
    /// How many tasks it takes at once.
    pub most_tasks: u32,
    /// Bytes of memory for what is kept.
    pub memory: u64,
    /// Where its logs are.
    pub logs: Texts,
    /// What else is known of it.
    pub attributes: Texts,
    /// The resources with names that it has, by these.
    pub resources: BTreeMap<String, NamedResource>,
    /// Which kind of executor it is.
    pub profile: u32,
    /// Attempts that run.
    pub active: u32,
    /// Attempts that began.
    pub total: u32,
    /// Attempts that ended. Some may have begun before the executor was introduced, and
    /// are in no other count of beginnings.
    pub ended: u32,
    /// Attempts that succeeded.
    pub completed: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Milliseconds that its attempts took.
    pub task_time: u64,
    /// The sums of what its attempts measured.
    pub sums: Measures,
}

impl Executor {
    fn new(name: Name, host_port: String, added: u64) -> Self {
        Self {
            name,
            host_port,
            added,
            removed: None,
            why: None,
            cores: 0,
            most_tasks: 0,
            memory: 0,
            logs: Texts::new(),
            attributes: Texts::new(),
            resources: BTreeMap::new(),
            profile: 0,
            active: 0,
            total: 0,
            ended: 0,
            completed: 0,
            failed: 0,
            task_time: 0,
            sums: Measures::default(),
        }
    }
}

/// All executors of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executors(BTreeMap<Name, Executor>);

impl Executors {
    /// Those that are there and those that were, in the order in which they were named.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Executor> {
        self.0.values()
    }

    /// The executor of a name.
    pub fn get(&self, name: Name) -> Option<&Executor> {
        self.0.get(&name)
    }

    pub(super) fn task_started(&mut self, name: Name) {
        if let Some(executor) = self.0.get_mut(&name) {
            executor.active += 1;
            executor.total += 1;
        }
    }

    pub(super) fn task_ended(&mut self, name: Name, took: u64, ended: &Ended) {
        let Some(executor) = self.0.get_mut(&name) else {
            return;
        };
        executor.active = executor.active.saturating_sub(1);
        executor.ended += 1;
        match ended.counted {
            State::Succeeded => executor.completed += 1,
            State::Failed => executor.failed += 1,
            State::Killed | State::Running => {}
        }
        executor.task_time = executor.task_time.saturating_add(took);
        if let Some(measures) = &ended.measures {
            executor.sums.add(measures);
        }
    }
}

impl Executor {
    /// Milliseconds of collecting garbage.
    pub const fn gc_time(&self) -> u64 {
        self.sums.get(Measure::GcTime)
    }
}

impl Store {
    pub(super) fn executor_added(&mut self, added: ExecutorAdded) {
        self.at(added.at);
        let name = self.names.of(&added.executor);
        let cpus = self
            .setting("spark.task.cpus")
            .and_then(|it| it.parse().ok());
        let cpus: u32 = cpus.filter(|it| *it > 0).unwrap_or(1);
        let info = added.info;
        let executors = &mut self.executors.0;
        let executor = executors
            .entry(name)
            .or_insert_with(|| Executor::new(name, info.host.clone(), added.at));
        (executor.removed, executor.why) = (None, None);
        executor.added = added.at;
        executor.cores = info.cores;
        executor.most_tasks = info.cores / cpus;
        executor.logs = info.logs;
        executor.attributes = info.attributes;
        executor.resources = info.resources;
        executor.profile = info.profile;
    }

    pub(super) fn executor_removed(&mut self, removed: ExecutorRemoved) {
        self.at(removed.at);
        let name = self.names.find(&removed.executor);
        let executor = name.and_then(|it| self.executors.0.get_mut(&it));
        if let Some(executor) = executor {
            executor.removed = Some(removed.at);
            executor.why = Some(removed.reason);
        }
    }

    pub(super) fn block_manager_added(&mut self, added: &BlockManagerAdded) {
        self.at(added.at);
        let name = self.names.of(&added.id.executor);
        let host_port = format!("{}:{}", added.id.host, added.id.port);
        let executors = &mut self.executors.0;
        let executor = executors
            .entry(name)
            .or_insert_with(|| Executor::new(name, host_port.clone(), added.at));
        executor.host_port = host_port;
        executor.memory = added.memory;
    }

    /// A setting of the application.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let environment = self.environment.as_ref()?;
        environment.settings.get(name).map(String::as_str)
    }
}
