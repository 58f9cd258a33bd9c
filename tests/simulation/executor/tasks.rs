//! Tasks of a simulated executor: they read, compute, commit and end.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use mesquite::executor::mesos_tasks;
use mesquite::executor::session as talk;
use mesquite::ids::DatasetId;
use mesquite::ids::Partition;
use mesquite::ids::ShuffleId;
use mesquite::mesos::task::TaskState;
use mesquite::rpc::message::Failure;
use mesquite::rpc::message::FetchFailure;
use mesquite::rpc::message::Metrics;
use mesquite::rpc::message::Outcome;
use mesquite::rpc::message::Success;
use mesquite::rpc::message::Task;
use mesquite::rpc::message::from_executor::CommitRequest;
use mesquite::rpc::message::outcome::Denied;
use mesquite::rpc::message::outcome::End;
use mesquite::rpc::message::result_work;
use mesquite::rpc::message::shuffle_input;
use mesquite::rpc::message::success::MapOutput;
use mesquite::rpc::message::success::Output;
use mesquite::rpc::message::task::Work;
use prost::Message as _;

use super::{RECORDS_PER_SECOND, Reading, Running, TRIES, index_of};
use crate::jobs::Poison;
use crate::network::Machine;
use crate::work::OutputFile;
use crate::work::block;
use crate::work::value_of;
use crate::world::Happening;
use crate::world::World;

/// A task that was tried so often is answered as it should be.
const MOST_WRONG: u32 = 20;

impl World {
    pub(super) fn take_tasks(&mut self, index: usize, tasks: Vec<Task>) {
        self.executors[index].waiting.extend(tasks);
        self.start_tasks(index);
    }

    pub(super) fn start_tasks(&mut self, index: usize) {
        let since = self.now;
        loop {
            let executor = &mut self.executors[index];
            if !executor.began || executor.running.len() >= executor.cores {
                return;
            }
            let Some(task) = executor.waiting.pop_front() else {
                return;
            };
            let to_read = task.inputs.iter().flat_map(|input| {
                let sources = input.sources.iter().cloned();
                sources.map(|source| Reading {
                    shuffle: input.shuffle,
                    reduce: input.reduce,
                    source,
                    tries: 0,
                })
            });
            let id = task.id;
            let running = Running {
                to_read: to_read.collect(),
                task,
                since,
                tick: 0,
                read: BTreeMap::new(),
                computed: false,
                committing: false,
            };
            // As the worker does: what may end this process at once is told first.
            let at_once = executor.fine
                || running.task.attempt > 0
                || self.poison.is_some_and(|it| is_poison(it, &running.task));
            executor.running.insert(id, running);
            self.tell_session(index, talk::Input::Began { task: id, at_once });
            self.tick_after(index, id, Duration::from_micros(200));
        }
    }

    pub(super) fn tick_after(&mut self, index: usize, task: u64, pause: Duration) {
        if let Some(running) = self.executors[index].running.get_mut(&task) {
            running.tick += 1;
            let tick = running.tick;
            self.at(self.now + pause, Happening::TaskTick { index, task, tick });
        }
    }

    /// A task goes on.
    pub fn task_ticks(&mut self, index: usize, task: u64, tick: u32) {
        let Some(running) = self.executors[index].running.get(&task) else {
            return;
        };
        if running.tick != tick {
            return;
        }
        if let Some(reading) = running.to_read.front() {
            let (shuffle, reduce) = (reading.shuffle, reading.reduce);
            let source = reading.source.clone();
            match self.read(index, shuffle, Partition(reduce), &source) {
                Read::Sum(sum) => {
                    let running = self.executors[index].running.get_mut(&task).expect("there");
                    running.to_read.pop_front();
                    let read = running.read.entry((shuffle, reduce)).or_default();
                    *read = read.wrapping_add(sum);
                    self.tick_after(index, task, Duration::from_micros(500));
                }
                Read::Missing(map) => self.fetch_failed(index, task, shuffle, &source, Some(map)),
                Read::Unreachable => {
                    let searching = &mut self.executors[index].searching;
                    searching
                        .entry(source.executor.clone())
                        .or_default()
                        .push(task);
                    let store = source.executor;
                    self.tell_session(index, talk::Input::AskWhere { store });
                    self.executor_settles(index);
                }
            }
        } else if running.computed {
            self.complete(index, task);
        } else {
            let stragglers = self.setting.stragglers;
            let mut millis = 1
                << self
                    .random
                    .u32(self.setting.shortest_task..self.setting.longest_task);
            if self.random.f64() < stragglers {
                millis *= 30;
            }
            let running = self.executors[index].running.get_mut(&task).expect("there");
            running.computed = true;
            if self.setting.slow == Some(running.task.partition) {
                if running.task.attempt > 0 {
                    self.copied_at.get_or_insert(self.now);
                }
                millis *= 30;
            }
            self.tick_after(index, task, Duration::from_millis(millis));
        }
    }

    pub(super) fn fetch_failed(
        &mut self,
        index: usize,
        task: u64,
        shuffle: u32,
        source: &shuffle_input::Source,
        map: Option<u32>,
    ) {
        self.count("fetch failures");
        let failure = FetchFailure {
            executor: source.executor.clone(),
            host: source.host.clone(),
            shuffle,
            map,
            message: "it cannot be read".into(),
        };
        self.end_task(index, task, End::FetchFailed(failure));
    }

    /// Reads the blocks of one source, on this host's disk or at another executor.
    fn read(
        &self,
        index: usize,
        shuffle: u32,
        reduce: Partition,
        source: &shuffle_input::Source,
    ) -> Read {
        let own = self.executors[index].agent;
        let (agent, folders) =
            if source.host == format!("host-{own}") && self.disks.is_there(own, &source.folder) {
                (own, vec![source.folder.clone()])
            } else {
                let found = index_of(&source.address);
                let server = found.and_then(|it| Some((it, self.executors.get(it)?)));
                let Some((at, server)) = server.filter(|(_, it)| it.alive && it.began) else {
                    return Read::Unreachable;
                };
                let (here, there) = (Machine::Agent(own), Machine::Agent(server.agent));
                if self.network.is_cut(here, there) || self.is_isolated(index, at) {
                    return Read::Unreachable;
                }
                let folders = server.adopted.iter().chain([&server.folder]);
                (server.agent, folders.cloned().collect())
            };
        let mut sum = 0_u64;
        for wanted in &source.blocks {
            let file = OutputFile {
                shuffle,
                map: wanted.map,
                task: wanted.task,
            };
            let mut found = folders.iter();
            match found.find_map(|folder| self.disks.read(agent, folder, file)) {
                Some(value) => sum = sum.wrapping_add(block(value, shuffle, reduce.0)),
                None => return Read::Missing(wanted.map),
            }
        }
        Read::Sum(sum)
    }

    /// The driver says where a store is.
    pub(super) fn found(&mut self, index: usize, store: &str, address: Option<&str>) {
        let waiting = self.executors[index].searching.remove(store);
        for task in waiting.unwrap_or_default() {
            let Some(running) = self.executors[index].running.get_mut(&task) else {
                continue;
            };
            let Some(reading) = running.to_read.front_mut() else {
                continue;
            };
            let shuffle = reading.shuffle;
            let source = reading.source.clone();
            let Some(address) = address else {
                let map = source.blocks.first().map(|it| it.map);
                self.fetch_failed(index, task, shuffle, &source, map);
                continue;
            };
            if address == source.address {
                reading.tries += 1;
            } else {
                reading.tries = 0;
                address.clone_into(&mut reading.source.address);
            }
            match TRIES.get(reading.tries) {
                Some(pause) => self.tick_after(index, task, Duration::from_millis(*pause)),
                None => {
                    let map = source.blocks.first().map(|it| it.map);
                    self.fetch_failed(index, task, shuffle, &source, map);
                }
            }
        }
    }

    /// A task has read and computed.
    pub(super) fn complete(&mut self, index: usize, id: u64) {
        let fails = self.random.f64() < self.setting.task_failures;
        let executor = &self.executors[index];
        let (agent, folder) = (executor.agent, executor.folder.clone());
        let running = &executor.running[&id];
        let task = running.task.clone();
        if running.committing {
            return;
        }
        if self.poison.is_some_and(|it| is_poison(it, &task)) {
            self.count("executors ended by their task");
            return self.executor_exits(index, false);
        }
        if fails && task.attempt < 2 {
            self.count("failed tasks");
            let failure = Failure {
                message: "it failed".into(),
                permanent: false,
            };
            return self.end_task(index, id, End::Failed(failure));
        }
        let wrong = executor.wrong_until > self.now && task.attempt < MOST_WRONG;
        if wrong && self.random.bool() {
            self.count("wrong answers");
            return self.answer_wrongly(index, &task);
        }
        let running = &self.executors[index].running[&id];
        let partition = Partition(task.partition);
        let read = |shuffle, reduce| running.has_read(shuffle, reduce);
        let program = &self.application.program;
        let value = value_of(program, DatasetId(task.dataset), partition, &read);
        match task.work.clone().expect("something to do") {
            Work::Map(map) => {
                let file = OutputFile {
                    shuffle: map.shuffle,
                    map: task.partition,
                    task: id,
                };
                self.disks.write(agent, &folder, file, value);
                self.remove_released(index);
                let reducers = self.application.plan.shuffle(ShuffleId(map.shuffle));
                let sizes = vec![100; reducers.partitioner.partitions as usize];
                self.succeed(index, id, Output::Map(MapOutput { sizes }));
            }
            Work::Result(work) => match work.action.expect("an action") {
                result_work::Action::Count(_) => {
                    let bytes = Bytes::copy_from_slice(&value.to_le_bytes());
                    self.succeed(index, id, Output::Result(bytes));
                }
                result_work::Action::Collect(_) => {
                    let line = Bytes::from(format!("{}:{value}\n", task.partition));
                    if self.random.bool() {
                        self.succeed(index, id, Output::Result(line));
                    } else {
                        let length = line.len() as u64;
                        self.executors[index].results.insert(id, line);
                        self.succeed(index, id, Output::Stored(length));
                    }
                }
                result_work::Action::Sample(_) => {
                    self.succeed(index, id, Output::Result(Bytes::new()));
                }
                result_work::Action::Save(_) => {
                    let running = self.executors[index].running.get_mut(&id).expect("there");
                    running.committing = true;
                    let request = CommitRequest {
                        task: id,
                        stage: task.stage,
                        partition: task.partition,
                    };
                    self.tell_session(index, talk::Input::AskCommit(request));
                    self.executor_settles(index);
                }
            },
        }
    }

    /// Another answer than was asked for. What it should have made is not there.
    fn answer_wrongly(&mut self, index: usize, task: &Task) {
        let count = || Output::Result(Bytes::copy_from_slice(&7_u64.to_le_bytes()));
        let map = |blocks| {
            let sizes = vec![100; blocks];
            Output::Map(MapOutput { sizes })
        };
        let output = match &task.work {
            Some(Work::Map(work)) => {
                let shuffle = self.application.plan.shuffle(ShuffleId(work.shuffle));
                let blocks = shuffle.partitioner.partitions as usize;
                match self.random.u32(0..4) {
                    0 => count(),
                    1 => Output::Stored(7),
                    2 => map(blocks + 1),
                    _ => map(blocks - 1),
                }
            }
            Some(Work::Result(work)) => match (&work.action, self.random.u32(0..4)) {
                (_, 0) => map(1),
                (_, 1) => Output::Result(Bytes::from_static(b"abc")),
                (Some(result_work::Action::Collect(_)), 2) => {
                    let line = Bytes::from_static(b"cut off\n");
                    let announced = line.len() as u64 + 1;
                    self.executors[index].results.insert(task.id, line);
                    Output::Stored(announced)
                }
                // It was not let commit.
                (Some(result_work::Action::Save(_)), _) => Output::Result(Bytes::new()),
                _ => {
                    let failure = FetchFailure {
                        shuffle: 1000,
                        ..FetchFailure::default()
                    };
                    return self.end_task(index, task.id, End::FetchFailed(failure));
                }
            },
            None => return,
        };
        self.succeed(index, task.id, output);
    }

    /// The driver says whether a task may commit.
    pub(super) fn decided(&mut self, index: usize, id: u64, granted: bool) {
        let Some(running) = self.executors[index].running.get(&id) else {
            return;
        };
        let task = running.task.clone();
        if !granted {
            return self.end_task(index, id, End::CommitDenied(Denied {}));
        }
        let read = |shuffle, reduce| running.has_read(shuffle, reduce);
        let program = &self.application.program;
        let dataset = DatasetId(task.dataset);
        let value = value_of(program, dataset, Partition(task.partition), &read);
        if let Some(Work::Result(work)) = &task.work
            && let Some(result_work::Action::Save(save)) = &work.action
        {
            self.saved.commit(&save.to, task.partition, value);
        }
        self.succeed(index, id, Output::Result(Bytes::new()));
    }

    pub(super) fn succeed(&mut self, index: usize, task: u64, output: Output) {
        let success = Success {
            output: Some(output),
        };
        self.count("finished tasks");
        self.end_task(index, task, End::Success(success));
    }

    pub(super) fn kill_task(&mut self, index: usize, task: u64) {
        let since = self.now;
        let executor = &mut self.executors[index];
        if let Some(at) = executor.waiting.iter().position(|it| it.id == task) {
            let task = executor.waiting.remove(at).expect("there");
            let id = task.id;
            let running = Running {
                task,
                since,
                tick: 0,
                to_read: VecDeque::new(),
                read: BTreeMap::new(),
                computed: false,
                committing: false,
            };
            executor.running.insert(id, running);
        }
        if self.executors[index].running.contains_key(&task) {
            self.end_task(index, task, End::Killed("killed".into()));
        }
    }

    /// A task has ended: whoever sent it is told.
    pub(super) fn end_task(&mut self, index: usize, id: u64, end: End) {
        let now = self.now;
        let executor = &mut self.executors[index];
        let Some(ended) = executor.running.remove(&id) else {
            return;
        };
        let state = match &end {
            End::Success(_) => TaskState::Finished,
            End::Killed(_) => TaskState::Killed,
            _ => TaskState::Failed,
        };
        let metrics = Metrics {
            records_read: RECORDS_PER_SECOND * (now - ended.since).as_secs(),
            ..Metrics::default()
        };
        let outcome = Outcome {
            end: Some(end),
            metrics: Some(metrics),
            ..Outcome::default()
        };
        if executor.fine {
            if let Some(task) = executor.names.remove(&id) {
                let ended = mesos_tasks::Input::Ended {
                    task,
                    state,
                    message: String::new(),
                    data: outcome.encode_to_vec().into(),
                };
                self.tell_core(index, ended);
            }
            self.tell_session(index, talk::Input::Over { task: id });
        } else {
            self.tell_session(index, talk::Input::Ended(vec![(id, outcome)]));
        }
        if self.executors[index].alive {
            self.start_tasks(index);
            self.executor_settles(index);
        }
    }
}

/// Whether a task ends its executor. The stage that makes the dataset is the one whose
/// pipeline ends with it.
impl Running {
    /// The number of all blocks of a partition of a shuffle.
    fn has_read(&self, shuffle: ShuffleId, reduce: Partition) -> u64 {
        let place = (shuffle.0, reduce.0);
        self.read.get(&place).copied().unwrap_or_else(|| {
            // A shuffle without a block for this reducer.
            let mut told = self.task.inputs.iter().map(|it| (it.shuffle, it.reduce));
            assert!(told.any(|it| it == place));
            0
        })
    }
}

fn is_poison(poison: Poison, task: &Task) -> bool {
    task.dataset == poison.dataset.0 && task.partition == poison.partition.0
}

/// What came of reading a source.
enum Read {
    /// All blocks, added up.
    Sum(u64),
    /// The output of this map partition is not there, or damaged.
    Missing(u32),
    /// Its server does not answer.
    Unreachable,
}
