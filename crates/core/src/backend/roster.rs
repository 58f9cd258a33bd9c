//! The executors that are there, and the room on each. Pure.
//!
//! Responsible for what `local`, `local-cluster` and coarse mode share: executors
//! come and go, tasks are sent to them in batches, and room is offered as tasks
//! end. Where executors come from is not known here: threads of this process,
//! processes of this machine, or Mesos.
//!
//! An executor whose tasks are short is offered a few more than it has cores,
//! so that none of its cores waits for the way to the driver and back: as many
//! as it works off in a few milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::mesos::named::Addresses;
use crate::ids::{ExecutorId, Host, TaskId};
use mesquite_scheduler::action::{BackendRequest, ExecutorEnd};
use mesquite_scheduler::loss::WhyEnd;
use mesquite_scheduler::stock::{Held, Stock, stock_of};
use mesquite_scheduler::task::TaskDescription;
use mesquite_scheduler::worker_offer::WorkerOffer;

/// Tasks for so long are sent ahead.
const AHEAD: Duration = Duration::from_millis(10);

/// No more tasks are sent ahead for each core, however short they are.
const MOST_AHEAD: u32 = 64;

/// How much the newest task counts in an executor's average.
const NEWEST: f64 = 0.2;

/// What there is to know of an executor when it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExecutor {
    /// Its id.
    pub executor: ExecutorId,
    /// Its host.
    pub host: Host,
    /// Its cores.
    pub cores: u32,
    /// Addresses of its named resources.
    pub resources: Addresses,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these to the executor.
    Launch {
        /// The executor.
        executor: ExecutorId,
        /// The attempts, in order.
        tasks: Vec<TaskDescription>,
    },
    /// Tell the executor to stop an attempt.
    Kill {
        /// The executor.
        executor: ExecutorId,
        /// The attempt.
        task: TaskId,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// End an executor.
    End {
        /// The executor.
        executor: ExecutorId,
        /// How.
        end: ExecutorEnd,
        /// Why.
        why: WhyEnd,
    },
    /// Start no executor on these hosts.
    ExcludeHosts(Vec<Host>),
}

#[derive(Debug)]
struct Executor {
    new: NewExecutor,
    /// What is free of its resources with names.
    free: Vec<Stock>,
    used: u32,
    /// Set while it takes nothing new.
    ending: bool,
    /// Set while nothing reaches it.
    away: bool,
    /// The average of how long its tasks ran, in seconds.
    pace: Option<f64>,
}

impl Executor {
    fn room(&self) -> u32 {
        if self.ending || self.away {
            return 0;
        }
        (self.new.cores + self.ahead()).saturating_sub(self.used)
    }

    fn ahead(&self) -> u32 {
        // An address can only be used by one task at a time.
        let Some(pace) = self.pace.filter(|_| self.new.resources.is_empty()) else {
            return 0;
        };
        let each = AHEAD.as_secs_f64() / pace.max(1e-9);
        // Saturates.
        (each as u32).min(MOST_AHEAD) * self.new.cores
    }

    fn offer(&self) -> WorkerOffer {
        WorkerOffer {
            resources: self.free.clone(),
            ..WorkerOffer::new(
                self.new.executor.clone(),
                self.new.host.clone(),
                self.room(),
            )
        }
    }
}

#[derive(Debug)]
struct RoomTaken {
    executor: ExecutorId,
    cpus: u32,
    resources: Vec<Held>,
}

/// The executors. See the module.
#[derive(Debug, Default)]
pub struct Roster {
    executors: BTreeMap<ExecutorId, Executor>,
    attempts: FxHashMap<TaskId, RoomTaken>,
    cores: u64,
    /// Those that have begun to have something to do, or have nothing to do any more.
    turned: BTreeSet<ExecutorId>,
}

impl Roster {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An executor has come. False if it is there already.
    pub fn add(&mut self, new: NewExecutor) -> bool {
        if self.executors.contains_key(&new.executor) {
            return false;
        }
        let executor = Executor {
            free: new
                .resources
                .iter()
                .map(|(name, addresses)| Stock::new(Arc::clone(name), addresses.iter().cloned()))
                .collect(),
            used: 0,
            ending: false,
            away: false,
            pace: None,
            new,
        };
        self.cores += u64::from(executor.new.cores);
        self.turned.insert(executor.new.executor.clone());
        self.executors
            .insert(executor.new.executor.clone(), executor);
        true
    }

    /// An executor is gone. False if it was not there.
    pub fn remove(&mut self, executor: &ExecutorId) -> bool {
        self.attempts
            .retain(|_, attempt| attempt.executor != *executor);
        let removed = self.executors.remove(executor);
        if let Some(removed) = &removed {
            self.cores -= u64::from(removed.new.cores);
            self.turned.insert(executor.clone());
        }
        removed.is_some()
    }

    /// Nothing reaches an executor for now, or something does again: while it is
    /// away it has no room.
    pub fn set_away(&mut self, executor: &ExecutorId, away: bool) {
        if let Some(executor) = self.executors.get_mut(executor) {
            executor.away = away;
        }
    }

    /// An executor gets nothing more to do, or may have something again.
    pub fn set_ending(&mut self, executor: &ExecutorId, ending: bool) {
        if let Some(executor) = self.executors.get_mut(executor) {
            executor.ending = ending;
        }
    }

    /// Whether an executor has nothing to do; none of one that is gone.
    pub fn is_idle(&self, executor: &ExecutorId) -> Option<bool> {
        self.executors.get(executor).map(|it| it.used == 0)
    }

    /// The cores of an executor; none has one that is gone.
    pub fn cores_of(&self, executor: &ExecutorId) -> u32 {
        self.executors.get(executor).map_or(0, |it| it.new.cores)
    }

    /// Those of which it may have changed, since this was asked last, whether they have
    /// anything to do.
    pub fn take_turned(&mut self) -> BTreeSet<ExecutorId> {
        std::mem::take(&mut self.turned)
    }

    /// The attempts that an executor has, in no order.
    pub fn attempts_on<'a>(
        &'a self,
        executor: &'a ExecutorId,
    ) -> impl Iterator<Item = TaskId> + 'a {
        let attempts = self.attempts.iter();
        attempts
            .filter(move |(_, attempt)| attempt.executor == *executor)
            .map(|(task, _)| *task)
    }

    /// An attempt has ended after `ran`. Returns where it ran, if it is one of
    /// ours and had not ended before.
    pub fn ended(&mut self, task: TaskId, ran: Duration) -> Option<ExecutorId> {
        let attempt = self.attempts.remove(&task)?;
        let executor = self.executors.get_mut(&attempt.executor)?;
        executor.used = executor.used.saturating_sub(attempt.cpus);
        if executor.used == 0 {
            self.turned.insert(attempt.executor.clone());
        }
        for held in &attempt.resources {
            if let Some(stock) = stock_of(&mut executor.free, held) {
                stock.give_back(held);
            }
        }
        let ran = ran.as_secs_f64();
        let pace = executor.pace.unwrap_or(ran);
        executor.pace = Some(pace + NEWEST * (ran - pace));
        Some(attempt.executor)
    }

    /// What an executor has room for, if anything.
    pub fn offer_of(&self, executor: &ExecutorId) -> Option<WorkerOffer> {
        let executor = self.executors.get(executor)?;
        (executor.room() > 0).then(|| executor.offer())
    }

    /// Where an attempt runs.
    pub fn executor_of(&self, task: TaskId) -> Option<&ExecutorId> {
        self.attempts.get(&task).map(|attempt| &attempt.executor)
    }

    /// The host of an executor.
    pub fn host_of(&self, executor: &ExecutorId) -> Option<&Host> {
        self.executors.get(executor).map(|it| &it.new.host)
    }

    /// All executors and how many attempts each has.
    pub fn iter(&self) -> impl Iterator<Item = (&NewExecutor, u32)> {
        self.executors.values().map(|it| (&it.new, it.used))
    }

    /// Cores of all executors.
    pub const fn cores(&self) -> u64 {
        self.cores
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.executors.len() as u64
    }

    fn end(&mut self, executor: &ExecutorId, end: ExecutorEnd, why: WhyEnd) -> Vec<Action> {
        let Some(found) = self.executors.get_mut(executor) else {
            return Vec::new();
        };
        found.ending = true;
        vec![Action::End {
            executor: executor.clone(),
            end,
            why,
        }]
    }

    /// Starts attempts, each in the room that it was placed on: what follows from
    /// offers, as it is.
    pub fn launch(&mut self, launches: Vec<Vec<TaskDescription>>) -> Vec<Action> {
        let mut actions = Vec::new();
        for tasks in launches {
            let Some(first) = tasks.first() else { continue };
            let executor = first.executor.clone();
            let Some(found) = self.executors.get_mut(&executor) else {
                // Gone between offer and answer: its loss is told by its own event.
                continue;
            };
            if found.used == 0 {
                self.turned.insert(executor.clone());
            }
            for task in &tasks {
                found.used += task.cpus;
                for held in &task.resources {
                    if let Some(stock) = stock_of(&mut found.free, held) {
                        stock.hold(held);
                    }
                }
                let attempt = RoomTaken {
                    executor: executor.clone(),
                    cpus: task.cpus,
                    resources: task.resources.clone(),
                };
                self.attempts.insert(task.task, attempt);
            }
            actions.push(Action::Launch { executor, tasks });
        }
        actions
    }

    /// Does what the task scheduler asks for.
    pub fn request(&mut self, request: BackendRequest) -> Vec<Action> {
        match request {
            BackendRequest::KillTask {
                task,
                executor,
                reason,
            } => vec![Action::Kill {
                executor,
                task,
                reason,
            }],
            BackendRequest::ExcludeHosts(hosts) => vec![Action::ExcludeHosts(hosts)],
            BackendRequest::EndExecutor { executor, end, why } => self.end(&executor, end, why),
            BackendRequest::EndExecutorsOnHost { host, end, why } => {
                let there: Vec<_> = self
                    .executors
                    .values()
                    .filter(|executor| executor.new.host == host)
                    .map(|executor| executor.new.executor.clone())
                    .collect();
                there
                    .iter()
                    .flat_map(|executor| self.end(executor, end, why))
                    .collect()
            }
            // Results are fetched by whoever knows where attempts ran; how many
            // executors are wanted is the allocation's.
            BackendRequest::FetchResult { .. } | BackendRequest::UnschedulableTaskSets(_) => {
                Vec::new()
            }
        }
    }

    /// All room that there is, for tasks that wait.
    pub fn free(&self) -> Vec<WorkerOffer> {
        let executors = self.executors.values();
        let free = executors.filter(|executor| executor.room() > 0);
        free.map(Executor::offer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Partition, StageAttempt, StageId, TaskIndex};
    use mesquite_scheduler::locality::LocalityLevel;
    use mesquite_workload::plan::Amount;

    fn executors(cores: u32) -> Roster {
        let mut executors = Roster::new();
        assert!(executors.add(NewExecutor {
            executor: "e".into(),
            host: "h".into(),
            cores,
            resources: vec![],
        }));
        executors
    }

    fn task(id: u64) -> TaskDescription {
        TaskDescription {
            task: TaskId(id),
            stage: StageId(0),
            stage_attempt: StageAttempt(0),
            index: TaskIndex(0),
            partition: Partition(0),
            attempt: 0,
            executor: "e".into(),
            locality: LocalityLevel::Any,
            speculative: false,
            left_out: false,
            addresses: None,
            cpus: 1,
            resources: vec![],
            epoch: 0,
        }
    }

    fn room(executors: &Roster) -> u32 {
        executors
            .offer_of(&"e".into())
            .map_or(0, |offer| offer.cores)
    }

    #[test]
    fn room_goes_with_an_attempt_and_comes_back_once() {
        let mut executors = executors(2);
        let launched = executors.launch(vec![vec![task(1), task(2)]]);
        assert!(matches!(&launched[..], [Action::Launch { tasks, .. }] if tasks.len() == 2));
        assert_eq!(room(&executors), 0);
        let long = Duration::from_secs(5);
        assert!(executors.ended(TaskId(1), long).is_some());
        assert!(executors.ended(TaskId(1), long).is_none());
        assert_eq!(room(&executors), 1);
    }

    #[test]
    fn short_tasks_are_sent_ahead_and_long_ones_are_not() {
        let mut executors = executors(2);
        let _ = executors.launch(vec![vec![task(1), task(2)]]);
        executors.ended(TaskId(1), Duration::from_millis(1));
        assert_eq!(room(&executors), 2 + 2 * 10 - 1);
        for id in 3..60 {
            let _ = executors.launch(vec![vec![task(id)]]);
            executors.ended(TaskId(id), Duration::from_secs(1));
        }
        assert_eq!(room(&executors), 1);
    }

    #[test]
    fn addresses_go_with_attempts_and_come_back_with_their_ends() {
        let mut executors = Roster::new();
        executors.add(NewExecutor {
            executor: "e".into(),
            host: "h".into(),
            cores: 4,
            resources: vec![("fpga".into(), vec!["a".into(), "b".into()])],
        });
        let free = |executors: &Roster, amount| {
            let offer = executors.offer_of(&"e".into()).expect("cores are free");
            offer.resources[0].tasks(amount)
        };
        let half = Amount::Shared(2);
        let holding = |id, address: &str, parts| TaskDescription {
            resources: vec![Held {
                name: "fpga".into(),
                addresses: vec![address.into()],
                parts,
            }],
            ..task(id)
        };
        let tasks = vec![
            holding(1, "a", half.parts()),
            holding(2, "a", half.parts()),
            holding(3, "b", half.parts()),
        ];
        let _ = executors.launch(vec![tasks]);
        assert_eq!((free(&executors, half), free(&executors, 1.into())), (1, 0));
        executors.ended(TaskId(3), Duration::from_secs(1));
        executors.ended(TaskId(1), Duration::from_secs(1));
        assert_eq!((free(&executors, half), free(&executors, 1.into())), (3, 1));
    }

    #[test]
    fn an_executor_that_is_to_end_is_not_offered() {
        let mut executors = executors(2);
        let request = BackendRequest::EndExecutor {
            executor: "e".into(),
            end: ExecutorEnd::Decommission,
            why: WhyEnd::Excluded,
        };
        assert_eq!(executors.request(request).len(), 1);
        assert_eq!(room(&executors), 0);
        assert!(executors.remove(&"e".into()));
        assert!(!executors.remove(&"e".into()));
        let lost = executors.launch(vec![vec![task(1)]]);
        assert_eq!(lost, []);
    }
}
