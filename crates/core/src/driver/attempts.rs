//! Attempts, from where they are placed to what they bring. Pure.
//!
//! Responsible for what is known of each attempt while it runs: what it was asked for,
//! who wants to commit, what it measured, and its result until that counts. It says
//! what scheduling is to hear of their ends, and decides nothing about what follows.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use rustc_hash::FxHashMap;

use super::answer::{Errand, IsSaved};
use super::effect::Effect;
use super::fleet::COME_BACK;
use super::heard::Outcome;
use super::instruction::Instruction;
use super::outcome::status_of;
use super::queue::{Next, Queue};
use super::work::Works;
use crate::clock::Timestamp;
use crate::facts::{Fact, Metrics};
use crate::ids::{ExecutorId, Host, Partition, StageId, TaskId};
use mesquite_scheduler::dag_scheduler::{DagEvent, DagScheduler};
use mesquite_scheduler::event::AttemptStatus;
use mesquite_scheduler::map_outputs::MissingOutput;
use mesquite_scheduler::task::{TaskDescription, TaskEndReason, TaskOutput};
use mesquite_workload::message::Task;

/// So many bytes of tasks go into one message, but for a single task that has
/// more.
const LAUNCH: usize = 4 << 20;

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

impl Totals {
    fn add(&mut self, metrics: &Metrics) {
        let add = |to: &mut u64, some| *to = to.saturating_add(some);
        add(&mut self.shuffle_bytes_read, metrics.shuffle_bytes_read);
        add(
            &mut self.shuffle_bytes_fetched,
            metrics.shuffle_bytes_fetched,
        );
        add(&mut self.spilled_bytes, metrics.spilled_bytes);
    }
}

/// A result that its executor keeps, until it is fetched.
#[derive(Debug)]
struct Stored {
    executor: ExecutorId,
    bytes: u64,
    /// It is asked for again then.
    again: Option<Timestamp>,
    /// It could not be fetched once.
    failed: bool,
}

/// What an attempt was asked for is known from these.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) works: &'a Works,
    pub(super) dag: &'a DagScheduler,
}

/// See the module.
pub(super) struct Attempts {
    is_saved: IsSaved,
    /// The longest message to an executor, in bytes.
    longest_message: usize,
    totals: Totals,
    /// The stage and partition of each attempt that runs.
    places: FxHashMap<TaskId, (StageId, Partition)>,
    /// Results that the core has not decided about.
    results: FxHashMap<TaskId, (Bytes, Metrics)>,
    /// Who asks whether an attempt may commit.
    commits: BTreeMap<TaskId, ExecutorId>,
    /// The results that are still to be fetched.
    stored: BTreeMap<TaskId, Stored>,
    /// What attempts measured whose end is about to be told.
    measured: FxHashMap<TaskId, Metrics>,
}

impl Attempts {
    /// None yet.
    pub(super) fn new(is_saved: IsSaved, longest_message: usize) -> Self {
        Self {
            is_saved,
            longest_message,
            totals: Totals::default(),
            places: FxHashMap::default(),
            results: FxHashMap::default(),
            commits: BTreeMap::new(),
            stored: BTreeMap::new(),
            measured: FxHashMap::default(),
        }
    }

    /// What all of them did.
    pub(super) const fn totals(&self) -> Totals {
        self.totals
    }

    /// The stage and partition of an attempt that runs.
    pub(super) fn place(&self, task: TaskId) -> Option<(StageId, Partition)> {
        self.places.get(&task).copied()
    }

    /// What an attempt measured whose end is told.
    pub(super) fn take_measured(&mut self, task: TaskId) -> Option<Metrics> {
        self.measured.remove(&task)
    }

    /// The result of an attempt that counts.
    pub(super) fn take_result(&mut self, task: TaskId) -> Option<(Bytes, Metrics)> {
        self.results.remove(&task)
    }

    /// Whether an executor keeps a result that is still to be fetched.
    pub(super) fn keeps_result(&self, executor: &ExecutorId) -> bool {
        self.stored.values().any(|it| it.executor == *executor)
    }

    /// How many results are still to be fetched.
    #[cfg(test)]
    pub(super) fn to_fetch(&self) -> usize {
        self.stored.len()
    }

    /// When a result is to be asked for again, if ever.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.stored.values().filter_map(|it| it.again).min()
    }

    /// An attempt was placed.
    ///
    /// # Errors
    /// It cannot start: for want of an input, or because what there is to say of it does
    /// not fit into a message.
    pub(super) fn placed(
        &mut self,
        attempt: &TaskDescription,
        task: Result<Task, MissingOutput>,
    ) -> Result<Task, TaskEndReason> {
        let task = sendable(task, attempt, self.longest_message)?;
        let place = (attempt.stage, attempt.partition);
        self.places.insert(attempt.task, place);
        Ok(task)
    }

    /// What an attempt was asked for.
    fn asked<'a>(&'a self, task: TaskId, known: Known<'a>) -> Option<Errand<'a>> {
        let (stage, partition) = self.place(task)?;
        Some(Errand {
            plan: known.dag.plan(),
            work: known.works.stage(stage)?,
            partition,
            may_commit: known.dag.may_have_committed(stage, partition, task),
            is_saved: self.is_saved,
        })
    }

    /// An attempt has ended where it ran. Whether it succeeded, if it is known.
    pub(super) fn ended(
        &mut self,
        task: TaskId,
        (executor, host): (&ExecutorId, &Host),
        outcome: Outcome,
        known: Known<'_>,
        queue: &mut Queue,
    ) -> Option<bool> {
        self.commits.remove(&task);
        let metrics = outcome.metrics.unwrap_or_default();
        let asked = self.asked(task, known)?;
        let partition = asked.partition;
        let outcome = match asked.check(&outcome) {
            Ok(()) => outcome,
            Err(message) => Outcome::failed(message),
        };
        self.totals.add(&metrics);
        if outcome.metrics.is_some() {
            self.measured.insert(task, metrics);
        }
        let succeeded = outcome.end.is_success();
        for (dataset, partition) in outcome.kept.iter().copied() {
            queue.schedule(DagEvent::PartitionCached {
                dataset,
                partition,
                executor: executor.clone(),
                host: host.clone(),
            });
        }
        let (status, result) = status_of(outcome, task, partition, executor, host);
        let stored = match status {
            AttemptStatus::ResultReady { bytes } => Some(bytes),
            AttemptStatus::Running
            | AttemptStatus::Progress { .. }
            | AttemptStatus::Ended { .. } => None,
        };
        if let Some(result) = result {
            self.results.insert(task, (result, metrics));
        } else if let Some(bytes) = stored {
            self.results.insert(task, (Bytes::new(), metrics));
            let stored = Stored {
                executor: executor.clone(),
                bytes,
                again: None,
                failed: false,
            };
            self.stored.insert(task, stored);
        }
        queue.status(task, status);
        if stored.is_none() {
            queue.then(Next::Forget(task));
        }
        Some(succeeded)
    }

    /// All that followed from the end of an attempt has happened.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.results.remove(&task);
        self.stored.remove(&task);
        self.places.remove(&task);
    }

    /// An executor is gone: what it asked needs no answer.
    pub(super) fn executor_lost(&mut self, executor: &ExecutorId) {
        self.commits.retain(|_, asking| asking != executor);
    }

    /// Asks for a result that an executor keeps.
    pub(super) fn fetch(&self, task: TaskId, works: &Works, queue: &mut Queue) {
        if let Some(stored) = self.stored.get(&task) {
            let place = works.place(&stored.executor).cloned();
            let (place, bytes) = (place.unwrap_or_default(), stored.bytes);
            queue.effect(Effect::Fetch { task, place, bytes });
        }
    }

    /// Whether a result that could not be fetched is asked for once more, after as
    /// long as its executor has to come back. If that has ended, its loss is what
    /// ends the attempt, and it is not the attempt's failure.
    fn waits_to_fetch(
        &mut self,
        now: Timestamp,
        task: TaskId,
        is_there: impl FnOnce(&ExecutorId) -> bool,
    ) -> bool {
        match self.stored.get_mut(&task) {
            Some(stored) if !stored.failed && is_there(&stored.executor) => {
                stored.failed = true;
                stored.again = Some(now + COME_BACK);
                true
            }
            _ => false,
        }
    }

    /// Asks again for the results that could not be fetched, of executors that are there.
    /// `away_until` says of an executor until when it may come back, if it is away, and
    /// `None` if it is gone.
    pub(super) fn fetch_again(
        &mut self,
        now: Timestamp,
        away_until: impl Fn(&ExecutorId) -> Option<Option<Timestamp>>,
        works: &Works,
        queue: &mut Queue,
    ) {
        let due = |it: &Stored| it.again.is_some_and(|again| again <= now);
        let due = self.stored.iter().filter(|(_, it)| due(it));
        for task in due.map(|(task, _)| *task).collect::<Vec<_>>() {
            let Some(stored) = self.stored.get_mut(&task) else {
                continue;
            };
            match away_until(&stored.executor) {
                None => self.forget(task),
                Some(until) => {
                    stored.again = until;
                    if until.is_none() {
                        self.fetch(task, works, queue);
                    }
                }
            }
        }
    }

    /// A large result is here, or cannot be had.
    pub(super) fn fetched(
        &mut self,
        now: Timestamp,
        (task, result): (TaskId, Result<Bytes, String>),
        is_there: impl FnOnce(&ExecutorId) -> bool,
        known: Known<'_>,
        queue: &mut Queue,
    ) {
        if result.is_err() && self.waits_to_fetch(now, task, is_there) {
            return;
        }
        let announced = self.stored.get(&task).map(|it| it.bytes);
        let wrong = match (&result, self.asked(task, known), announced) {
            (Ok(bytes), Some(asked), Some(announced)) => {
                asked.check_fetched(announced, bytes).err()
            }
            _ => None,
        };
        let status = match (result, wrong) {
            (Ok(bytes), None) => {
                let records = self.results.get(&task).map_or(0, |(_, it)| it.records_read);
                let output = TaskOutput::Result {
                    bytes: bytes.len() as u64,
                };
                if let Some((stored, _)) = self.results.get_mut(&task) {
                    *stored = bytes;
                }
                AttemptStatus::Ended {
                    reason: TaskEndReason::Success(output),
                    records,
                }
            }
            (_, Some(message)) => AttemptStatus::ended(TaskEndReason::Failed {
                message: message.into(),
                permanent: false,
            }),
            (Err(message), None) => {
                let why = message;
                queue.fact(Fact::ResultLost { task, why });
                AttemptStatus::ended(TaskEndReason::ResultLost)
            }
        };
        queue.status(task, status);
        queue.then(Next::Forget(task));
    }

    /// An attempt asks whether it may put its output in place; `runs_there` if it runs on
    /// the executor that asks.
    pub(super) fn commit(
        &mut self,
        executor: &ExecutorId,
        (task, (stage, partition)): (TaskId, (StageId, Partition)),
        runs_there: bool,
        known: Known<'_>,
        queue: &mut Queue,
    ) {
        // A late question of an attempt that is over, or one about what is not its.
        let its = runs_there
            && self.places.get(&task) == Some(&(stage, partition))
            && self.asked(task, known).is_some_and(|asked| asked.saves());
        if !its {
            return queue.say(executor, decided(task, false));
        }
        self.commits.insert(task, executor.clone());
        queue.schedule(DagEvent::CommitRequested {
            stage,
            partition,
            task,
        });
    }

    /// It may, or may not.
    pub(super) fn commit_decided(&mut self, task: TaskId, granted: bool, queue: &mut Queue) {
        if let Some(executor) = self.commits.remove(&task) {
            queue.say(&executor, decided(task, granted));
        }
    }
}

const fn decided(task: TaskId, granted: bool) -> Instruction {
    Instruction::Commit { task, granted }
}

/// The task, if there is one and it can be sent; else why not.
fn sendable(
    task: Result<Task, MissingOutput>,
    attempt: &TaskDescription,
    longest: usize,
) -> Result<Task, TaskEndReason> {
    match task {
        // Threads of this process are sent nothing, so there is no limit.
        Ok(task) if longest == usize::MAX => Ok(task),
        Ok(task) => match task.encoded_len() {
            bytes if bytes <= longest => Ok(task),
            bytes => Err(TaskEndReason::Failed {
                message: format!(
                    "the task has {bytes} bytes, more than the longest message to an executor \
                     ({longest}, see spark.rpc.message.maxSize): where the blocks lie that it \
                     reads, and the bounds of a sort, grow with the number of partitions"
                )
                .into(),
                permanent: false,
            }),
        },
        Err(error) => Err(TaskEndReason::FetchFailed {
            source: None,
            shuffle: error.shuffle,
            map: None,
            reduce: attempt.partition,
            message: error.to_string().into(),
        }),
    }
}

/// Tasks in messages of a sensible length.
pub(super) fn in_messages(tasks: Vec<Task>) -> Vec<Instruction> {
    let mut messages: Vec<Vec<Task>> = Vec::new();
    let mut bytes = 0;
    for task in tasks {
        let length = task.encoded_len();
        match messages.last_mut() {
            Some(last) if bytes + length <= LAUNCH => Vec::push(last, task),
            _ => {
                messages.push(vec![task]);
                bytes = 0;
            }
        }
        bytes += length;
    }
    messages.into_iter().map(Instruction::Launch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesquite_workload::message::{MapWork, task::Work};

    fn task(bytes: usize) -> Task {
        Task {
            work: Some(Work::Map(MapWork {
                bounds: vec![vec![0; bytes].into()],
                ..MapWork::default()
            })),
            ..Task::default()
        }
    }

    #[test]
    fn tasks_are_sent_in_messages_of_a_sensible_length() {
        let tasks: Vec<_> = [1, 2, LAUNCH + 1, 3, LAUNCH / 2, LAUNCH / 2]
            .map(task)
            .into();
        let count = |order: &Instruction| match order {
            Instruction::Launch(tasks) => tasks.len(),
            _ => 0,
        };
        let counts: Vec<_> = in_messages(tasks).iter().map(count).collect();
        assert_eq!(counts, [2, 1, 2, 1]);
        assert!(in_messages(Vec::new()).is_empty());
    }
}
