//! How many executors are wanted, and which of them may go. Pure.
//!
//! Responsible for dynamic allocation: executors are asked for as tasks wait for them, by
//! Spark's ramp (one, two, four more...), and one that has had nothing to do for its time may
//! go. Time, load and names come in. Whether an executor holds something that somebody still
//! needs is known elsewhere: whoever asks here for the next one to go says if it has to stay.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::conf::Conf;
use crate::conf::properties::allocation::{
    ALLOCATION_RATIO, BACKLOG_TIMEOUT, CACHED_IDLE_TIMEOUT, EXECUTOR_INSTANCES, IDLE_TIMEOUT,
    INITIAL_EXECUTORS, MAX_EXECUTORS, MIN_EXECUTORS, SHUFFLE_TRACKING_TIMEOUT,
    SUSTAINED_BACKLOG_TIMEOUT, is_dynamic,
};
use crate::conf::properties::executor::EXECUTOR_CORES;
use crate::conf::properties::resources::{of_executor, of_task};
use crate::conf::properties::scheduler::TASK_CPUS;
use crate::facts::KeptFor;
use crate::ids::ExecutorId;

/// An executor in coarse mode may go after so long, unless it is said otherwise. A
/// replacement takes a tenth of a second, so that a stage that follows within this time costs
/// nothing, and one that comes later a tenth of what it waited at most; whoever waits for
/// the cores waits no longer than a second.
const IDLE: Duration = Duration::from_secs(1);

/// How executors come and go.
#[derive(Clone, Debug, PartialEq)]
pub struct AllocationConfig {
    /// The fewest executors.
    pub least: u32,
    /// The most.
    pub most: u32,
    /// Those at the start.
    pub initial: u32,
    /// Tasks wait for so long before the first executor is asked for.
    pub backlog: Duration,
    /// And for so long before each more.
    pub sustained: Duration,
    /// Room is wanted for this part of the tasks.
    pub ratio: f64,
    /// An executor without a task may go after so long.
    pub idle: Duration,
    /// And after so long although it has persisted partitions.
    pub idle_with_partitions: Option<Duration>,
    /// And after so long although it has outputs that somebody may read.
    pub idle_with_outputs: Option<Duration>,
    /// The cores of an executor, if they are fixed.
    pub cores: Option<u32>,
    /// The cores of a task.
    pub task_cpus: u32,
    /// So many tasks at once have room on what an executor holds of resources with names, if
    /// that limits them.
    pub named: Option<u32>,
}

impl AllocationConfig {
    /// What the settings say; none if executors stay.
    pub fn of(conf: &Conf) -> Option<Self> {
        let least = conf.get(&MIN_EXECUTORS);
        let initial = conf.get(&INITIAL_EXECUTORS).max(least);
        is_dynamic(conf).then(|| Self {
            least,
            most: conf.get(&MAX_EXECUTORS).unwrap_or(u32::MAX),
            initial: initial.max(conf.get(&EXECUTOR_INSTANCES).unwrap_or(0)),
            backlog: conf.get(&BACKLOG_TIMEOUT),
            sustained: conf.get(&SUSTAINED_BACKLOG_TIMEOUT),
            ratio: conf.get(&ALLOCATION_RATIO),
            idle: conf.get(&IDLE_TIMEOUT).unwrap_or(IDLE),
            idle_with_partitions: conf.get(&CACHED_IDLE_TIMEOUT),
            idle_with_outputs: conf.get(&SHUFFLE_TRACKING_TIMEOUT),
            cores: conf.get(&EXECUTOR_CORES),
            task_cpus: conf.get(&TASK_CPUS),
            named: tasks_at_once(conf),
        })
    }
}

/// How many tasks at once have room on what an executor holds of resources with names; none
/// if tasks need none of them.
pub fn tasks_at_once(conf: &Conf) -> Option<u32> {
    let holds = of_executor(conf);
    let tasks = of_task(conf).into_iter();
    let tasks = tasks.map(|(name, amount)| amount.tasks_on(*holds.get(&name).unwrap_or(&0)));
    tasks.min()
}

/// What there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Tasks that wait.
    pub waiting: u64,
    /// Tasks that run.
    pub running: u64,
    /// Cores of all of these.
    pub cores: u64,
}

/// The executors that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct There {
    /// How many.
    pub executors: u64,
    /// Cores of all of them.
    pub cores: u64,
}

/// What is wanted of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Cores that tasks can use.
    pub cores: u64,
    /// No fewer executors, whatever tasks can use.
    pub least: u64,
    /// No more executors, whatever tasks can use.
    pub most: u64,
}

#[derive(Debug)]
struct Idle {
    since: Timestamp,
    stays: Stays,
    /// What it was said last to stay for.
    kept_for: Option<KeptFor>,
}

/// Whether an executor that could go has to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stays {
    /// Nobody has said so.
    No,
    /// It has, until this time, or until it is asked about again.
    Until(Option<Timestamp>),
}

/// See the module.
#[derive(Debug)]
pub struct Allocation {
    config: AllocationConfig,
    /// So many executors are wanted.
    target: u64,
    /// So many more are asked for next.
    more: u64,
    /// When, if tasks wait.
    more_at: Option<Timestamp>,
    /// Whether nothing has begun, so that there are to be those of the start.
    begins: bool,
    /// Sets of tasks that can run on none of the executors that are there.
    stuck: u64,
    /// Cores that tasks can use.
    cores: u64,
    idle: BTreeMap<ExecutorId, Idle>,
}

impl Allocation {
    /// No executor is there yet.
    pub fn new(config: AllocationConfig) -> Self {
        Self {
            target: config.initial.into(),
            config,
            more: 1,
            more_at: None,
            begins: true,
            stuck: 0,
            cores: 0,
            idle: BTreeMap::new(),
        }
    }

    /// How executors come and go.
    pub const fn config(&self) -> &AllocationConfig {
        &self.config
    }

    /// So many sets of tasks can run on none of the executors that are there.
    pub const fn stuck(&mut self, sets: u64) {
        self.stuck = sets;
    }

    /// An executor has nothing to do.
    pub fn idles(&mut self, now: Timestamp, executor: ExecutorId) {
        let idle = Idle {
            since: now,
            stays: Stays::No,
            kept_for: None,
        };
        self.idle.entry(executor).or_insert(idle);
    }

    /// An executor has something to do, or is gone.
    pub fn works(&mut self, executor: &ExecutorId) {
        self.idle.remove(executor);
    }

    /// What is wanted now.
    pub fn wanted(&mut self, now: Timestamp, load: Load, there: There) -> Wanted {
        let tasks = load.waiting + load.running;
        self.begins &= tasks == 0;
        let part = |count: u64| (count as f64 * self.config.ratio).ceil() as u64;
        let cpus = u64::from(self.config.task_cpus);
        let of_one = match self.config.cores {
            Some(cores) => cores.into(),
            None => there.cores / there.executors.max(1),
        };
        let slots = slots(of_one, cpus, self.config.named);
        let (tasks, cores) = (part(tasks), part(load.cores));
        self.cores = cores_for((tasks, cores), of_one, cpus, self.config.named);
        let mut needed = tasks.div_ceil(slots);
        if of_one > 0 {
            // Some need more than others.
            needed = needed.max(cores.div_ceil(of_one));
        }
        if self.stuck > 0 {
            let others = part(self.stuck).div_ceil(slots);
            needed = needed.max(there.executors + others);
            self.cores = self.cores.max(there.cores + others * of_one.max(cpus));
        }
        if !self.begins {
            self.step(now, needed, load.waiting > 0, there.executors);
        }
        let least = if self.begins {
            self.config.initial
        } else {
            self.config.least
        };
        Wanted {
            cores: self.cores,
            least: least.into(),
            most: self.target,
        }
    }

    /// Goes towards what is needed: down at once, and up by the ramp.
    fn step(&mut self, now: Timestamp, needed: u64, waits: bool, there: u64) {
        let (least, most) = (u64::from(self.config.least), u64::from(self.config.most));
        self.target = self.target.clamp(least, most);
        if !waits {
            self.more_at = None;
            self.more = 1;
        }
        if needed < self.target {
            self.target = needed.clamp(least, most);
            self.more = 1;
        }
        if !waits {
            // What runs was placed on what there is.
            self.target = self.target.max(needed.min(there)).clamp(least, most);
            return;
        }
        let mut at = self.more_at.unwrap_or(now + self.config.backlog);
        while at <= now && self.target < needed.clamp(least, most) {
            let grown = (self.target + self.more).min(needed).clamp(least, most);
            self.more = if grown == self.target + self.more {
                self.more.saturating_mul(2)
            } else {
                1
            };
            self.target = grown;
            at = now + self.config.sustained;
        }
        self.more_at = Some(at.max(now));
    }

    /// The executor that may go next, if any, and for how long it has had nothing to do.
    /// Whoever asks has it go, or says that it [stays](Self::stays). `cores_of` knows
    /// the cores of each.
    pub fn next_to_go(
        &self,
        now: Timestamp,
        there: There,
        cores_of: impl Fn(&ExecutorId) -> u64,
    ) -> Option<(ExecutorId, Duration)> {
        if there.executors <= self.target.max(self.config.least.into()) {
            return None;
        }
        let due = self.idle.iter().filter(|(executor, idle)| {
            let due = match idle.stays {
                Stays::No => idle.since + self.config.idle <= now,
                Stays::Until(until) => until.is_some_and(|it| it <= now),
            };
            due && there.cores.saturating_sub(cores_of(executor)) >= self.cores
        });
        let first = due.min_by_key(|(_, idle)| idle.since);
        first.map(|(executor, idle)| (executor.clone(), now - idle.since))
    }

    /// An executor that could go has to stay: until it has had nothing to do for so long,
    /// if that is said, or until [`ask_again`](Self::ask_again). Whether what it is kept for
    /// is news.
    pub fn stays(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        for_long: Option<Duration>,
        why: Option<KeptFor>,
    ) -> bool {
        let Some(idle) = self.idle.get_mut(executor) else {
            return false;
        };
        let until = for_long.map(|it| idle.since + it).filter(|at| *at > now);
        idle.stays = Stays::Until(until);
        why.is_some() && std::mem::replace(&mut idle.kept_for, why) != why
    }

    /// What speaks for executors that have to stay may have changed.
    pub fn ask_again(&mut self) {
        for idle in self.idle.values_mut() {
            idle.stays = Stays::No;
        }
    }

    /// What spoke for an executor that has to stay does so no more.
    pub fn ask_again_of(&mut self, executor: &ExecutorId) {
        if let Some(idle) = self.idle.get_mut(executor) {
            idle.stays = Stays::No;
        }
    }

    /// When something changes by itself, if ever.
    pub fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let idle = self.idle.values().filter_map(|idle| match idle.stays {
            Stays::No => Some(idle.since + self.config.idle),
            Stays::Until(until) => until,
        });
        // What is due and did not happen waits for something else.
        idle.chain(self.more_at).filter(|at| *at > now).min()
    }
}

/// How many tasks an executor of so many cores runs at once, where its resources with names
/// have room for `named`.
fn slots(of_one: u64, cpus: u64, named: Option<u32>) -> u64 {
    let by_cores = of_one / cpus;
    named.map_or(by_cores, |it| by_cores.min(it.into())).max(1)
}

/// The cores that so many tasks of so many cores in all could use, with those that stay free
/// beside them for want of something else.
pub(super) fn cores_for(
    (tasks, cores): (u64, u64),
    of_one: u64,
    cpus: u64,
    named: Option<u32>,
) -> u64 {
    if named.is_some_and(|it| u64::from(it) < of_one / cpus) {
        cores.max(tasks.div_ceil(slots(of_one, cpus, named)) * of_one)
    } else {
        cores
    }
}

#[cfg(test)]
#[path = "tests/allocation.rs"]
mod tests;
