//! An executor process: the real decisions of an executor, and tasks that take
//! their time and read each other's outputs.

mod tasks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use mesquite::clock::Timestamp;
use mesquite::executor::mesos_tasks::{self, ExecutorCore, Timing};
use mesquite::executor::session::{self as talk, Session};
use mesquite::executor::worker::variable;
use mesquite::ids::{ExecutorId, MesosTaskId};
use mesquite::mesos::executor::session::{
    self as agent_talk, Dial, ExecutorSession, SessionPolicy,
};
use mesquite::mesos::task::{ExecutorInfo, TaskState};
use mesquite::rpc::message::from_executor::{self, Heartbeat, Progress, Register, TookOver};
use mesquite::rpc::message::{FromExecutor, Task, shuffle_input};
use prost::Message as _;

use crate::network::{Channel, Message, Node};
use crate::world::{Happening, World};

/// When the work is over the last status is not waited for longer.
const LEAVE_WITHIN: Duration = Duration::from_millis(500);

/// How long a reader waits before it tries the same server again.
const TRIES: [u64; 3] = [50, 250, 1000];

/// So many records tasks read while they run.
const RECORDS_PER_SECOND: u64 = 100;

/// One source that a task has to read.
struct Reading {
    shuffle: u32,
    reduce: u32,
    source: shuffle_input::Source,
    tries: usize,
}

struct Running {
    task: Task,
    since: Timestamp,
    /// Old ticks do not count.
    tick: u32,
    to_read: VecDeque<Reading>,
    /// By shuffle and partition.
    read: BTreeMap<(u32, u32), u64>,
    computed: bool,
    committing: bool,
}

/// See the module.
pub struct ExecutorProcess {
    pub id: ExecutorId,
    pub agent: usize,
    pub alive: bool,
    pub folder: String,
    fine: bool,
    cores: usize,
    core: ExecutorCore,
    agent_session: ExecutorSession,
    session: Session,
    agent_dial: Option<Dial>,
    agent_channel: Option<Channel>,
    driver_channel: Option<Channel>,
    began: bool,
    running: BTreeMap<u64, Running>,
    waiting: VecDeque<Task>,
    names: BTreeMap<u64, MesosTaskId>,
    coarse_task: Option<MesosTaskId>,
    adopted: Vec<String>,
    /// The shuffles that no task will read again.
    released: BTreeSet<u32>,
    /// Tasks that wait to hear where a store is.
    searching: BTreeMap<String, Vec<u64>>,
    results: BTreeMap<u64, Bytes>,
    leave_by: Option<Timestamp>,
    woken_at: Option<Timestamp>,
    /// Until then it does not always answer what it was asked.
    pub wrong_until: Timestamp,
}

/// Where the block server of an executor listens, on whichever host.
fn port(index: usize) -> u32 {
    u32::try_from(index + 1).expect("few")
}

/// Whose block server others find there.
pub fn index_of(address: &str) -> Option<usize> {
    let (_, port) = address.rsplit_once(':')?;
    port.parse::<usize>().ok()?.checked_sub(1)
}

impl ExecutorProcess {
    pub fn new(
        now: Timestamp,
        index: usize,
        agent: usize,
        info: &ExecutorInfo,
        patience: Duration,
        seed: u64,
    ) -> Self {
        let text = |name: &str| {
            let mut all = info.command.environment.iter();
            all.find(|it| it.name == name).map(|it| it.value.clone())
        };
        let cores: Option<u32> = text(variable::CORES).map(|it| it.parse().expect("cores"));
        let fine = cores.is_none();
        let folder = format!("/{}", info.executor);
        let register = Register {
            executor: text(variable::EXECUTOR).expect("its name"),
            cores: cores.unwrap_or(64),
            port: port(index),
            folder: folder.clone(),
            instance: index.to_string(),
            ..Register::default()
        };
        let timing = Timing {
            shutdown_grace_period: Duration::from_secs(5),
            announce_after: if fine {
                Duration::from_secs(1)
            } else {
                Duration::ZERO
            },
        };
        let policy = SessionPolicy {
            recovery_timeout: Some(Duration::from_secs(900)),
            backoff: Duration::from_secs(2),
        };
        Self {
            id: info.executor.clone(),
            agent,
            alive: true,
            folder,
            fine,
            cores: cores.unwrap_or(64) as usize,
            core: ExecutorCore::new(timing, seed),
            agent_session: ExecutorSession::new(now, policy, seed),
            session: Session::new(now, register, patience, seed),
            agent_dial: None,
            agent_channel: None,
            driver_channel: None,
            began: false,
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            names: BTreeMap::new(),
            coarse_task: None,
            adopted: Vec::new(),
            released: BTreeSet::new(),
            searching: BTreeMap::new(),
            results: BTreeMap::new(),
            leave_by: None,
            woken_at: None,
            wrong_until: Timestamp::ZERO,
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let own = [
            self.core.next_deadline(),
            self.agent_session.next_deadline(),
            self.session
                .next_deadline()
                .filter(|_| self.leave_by.is_none()),
            self.leave_by,
        ];
        own.into_iter().flatten().min()
    }

    /// The result of a task that is kept to be fetched.
    pub fn result(&self, task: u64) -> Option<Bytes> {
        self.results.get(&task).cloned()
    }

    /// How far its tasks are: all read as fast.
    fn progress(&self, now: Timestamp) -> Vec<Progress> {
        let running = self.running.values();
        let progress = running.map(|it| {
            let ran = now - it.since;
            Progress {
                task: it.task.id,
                records: RECORDS_PER_SECOND * ran.as_secs(),
                run_micros: u64::try_from(ran.as_micros()).expect("short"),
            }
        });
        progress.collect()
    }

    /// Whether a folder is its own, or was taken over by it.
    fn has(&self, folder: &str) -> bool {
        self.folder == folder || self.adopted.iter().any(|it| it == folder)
    }

    /// Whether it runs anything.
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty() || !self.waiting.is_empty()
    }
}

impl World {
    /// A moment has come that an executor waits for.
    pub fn executor_wakes(&mut self, index: usize) {
        let now = self.now;
        let executor = &mut self.executors[index];
        executor.woken_at = None;
        if executor.leave_by.is_some_and(|at| at <= now) {
            return self.executor_exits(index, true);
        }
        self.tell_agent_session(index, agent_talk::Input::Tick);
        self.tell_core(index, mesos_tasks::Input::Tick);
        if self.executors[index].alive && self.executors[index].leave_by.is_none() {
            self.tell_session(index, talk::Input::Tick);
        }
        self.executor_settles(index);
    }

    /// Has it woken when its time comes.
    pub fn executor_settles(&mut self, index: usize) {
        let executor = &mut self.executors[index];
        if !executor.alive {
            return;
        }
        if let Some(due) = executor.next_deadline()
            && executor.woken_at.is_none_or(|at| due < at)
        {
            executor.woken_at = Some(due);
            self.at(due, Happening::Wake(Node::Executor(index), 0));
        }
    }

    pub fn executor_hears(&mut self, index: usize, channel: Channel, message: Message) {
        let executor = &self.executors[index];
        match message {
            Message::ExecutorEvent(event) if executor.agent_channel == Some(channel) => {
                if let Some(dial) = executor.agent_dial {
                    let input = agent_talk::Input::Arrived(dial, event);
                    self.tell_agent_session(index, input);
                }
            }
            Message::Answer(answer) if executor.agent_channel == Some(channel) => {
                if let Some(dial) = executor.agent_dial {
                    let input = agent_talk::Input::Answered(dial, answer);
                    self.tell_agent_session(index, input);
                }
            }
            Message::FromDriver(message) if executor.driver_channel == Some(channel) => {
                self.tell_session(index, talk::Input::Heard(message));
            }
            _ => {}
        }
        self.executor_settles(index);
    }

    pub fn executor_connected(&mut self, index: usize, channel: Option<Channel>) {
        if self.executors[index].leave_by.is_some() {
            return;
        }
        self.executors[index].driver_channel = channel;
        let input = match channel {
            Some(_) => talk::Input::Connected,
            None => talk::Input::NotConnected {
                why: "refused".into(),
            },
        };
        self.tell_session(index, input);
        self.executor_settles(index);
    }

    pub fn executor_agent_connected(&mut self, index: usize, channel: Option<Channel>) {
        let executor = &mut self.executors[index];
        executor.agent_channel = channel;
        if channel.is_none()
            && let Some(dial) = executor.agent_dial
        {
            let broken = agent_talk::Input::Broken(dial, "refused".into());
            self.tell_agent_session(index, broken);
        }
        self.executor_settles(index);
    }

    pub fn executor_loses(&mut self, index: usize, channel: Channel) {
        let executor = &mut self.executors[index];
        let why = || "broken".to_owned();
        if executor.driver_channel == Some(channel) {
            executor.driver_channel = None;
            self.tell_session(index, talk::Input::Broken { why: why() });
        } else if executor.agent_channel == Some(channel) {
            executor.agent_channel = None;
            if let Some(dial) = executor.agent_dial {
                self.tell_agent_session(index, agent_talk::Input::Broken(dial, why()));
            }
        }
        self.executor_settles(index);
    }

    fn tell_agent_session(&mut self, index: usize, input: agent_talk::Input) {
        if !self.executors[index].alive {
            return;
        }
        let actions = self.executors[index].agent_session.handle(self.now, input);
        for action in actions {
            let agent = Node::Agent(self.executors[index].agent);
            match action {
                agent_talk::Action::Connect(dial, tasks, statuses) => {
                    self.executors[index].agent_dial = Some(dial);
                    let first = Message::ExecutorSubscribe(tasks, statuses);
                    self.connect(Node::Executor(index), agent, Some(first));
                }
                agent_talk::Action::Disconnect => {
                    if let Some(channel) = self.executors[index].agent_channel.take() {
                        self.hang_up(channel, Node::Executor(index));
                    }
                }
                agent_talk::Action::OpenCalls(_) => {}
                agent_talk::Action::Send(status) => {
                    if let Some(channel) = self.executors[index].agent_channel {
                        self.say(channel, 1, Message::ExecutorUpdate(status));
                    }
                }
                agent_talk::Action::Deliver(notice) => {
                    let input = match notice {
                        agent_talk::Notice::Launch(tasks) => mesos_tasks::Input::Launch(tasks),
                        agent_talk::Notice::Kill { task, .. } => mesos_tasks::Input::Kill(task),
                        agent_talk::Notice::Settled(uuid) => mesos_tasks::Input::Settled(uuid),
                        agent_talk::Notice::Shutdown => mesos_tasks::Input::Shutdown,
                        agent_talk::Notice::Ended { .. } | agent_talk::Notice::NoTls { .. } => {
                            mesos_tasks::Input::AgentLost
                        }
                        agent_talk::Notice::Subscribed
                        | agent_talk::Notice::Disconnected { .. }
                        | agent_talk::Notice::Message(_) => continue,
                    };
                    self.tell_core(index, input);
                }
            }
        }
    }

    fn tell_core(&mut self, index: usize, input: mesos_tasks::Input) {
        if !self.executors[index].alive {
            return;
        }
        let actions = self.executors[index].core.handle(self.now, input);
        for action in actions {
            match action {
                mesos_tasks::Action::Start { task, data } => self.begin(index, task, &data),
                mesos_tasks::Action::Stop(task) => self.stop(index, &task),
                mesos_tasks::Action::Send(status) => {
                    self.tell_agent_session(index, agent_talk::Input::Status(status));
                }
                mesos_tasks::Action::End => return self.executor_exits(index, true),
            }
        }
    }

    fn begin(&mut self, index: usize, id: MesosTaskId, data: &Bytes) {
        let executor = &mut self.executors[index];
        if !executor.fine {
            executor.coarse_task = Some(id);
            return;
        }
        let task = Task::decode(data.clone()).expect("a task of ours");
        executor.names.insert(task.id, id);
        self.take_tasks(index, vec![task]);
    }

    fn stop(&mut self, index: usize, id: &MesosTaskId) {
        let executor = &self.executors[index];
        if !executor.fine {
            return self.work_ended(index, TaskState::Finished);
        }
        let named = executor.names.iter().find(|(_, name)| *name == id);
        if let Some(task) = named.map(|(task, _)| *task) {
            self.kill_task(index, task);
        }
    }

    /// The work for the driver is over.
    fn work_ended(&mut self, index: usize, state: TaskState) {
        let executor = &mut self.executors[index];
        if executor.leave_by.is_some() {
            return;
        }
        executor.leave_by = Some(self.now + LEAVE_WITHIN);
        executor.running.clear();
        executor.waiting.clear();
        if let Some(channel) = executor.driver_channel.take() {
            self.hang_up(channel, Node::Executor(index));
        }
        if let Some(task) = self.executors[index].coarse_task.take() {
            let ended = mesos_tasks::Input::Ended {
                task,
                state,
                message: String::new(),
                data: Bytes::new(),
            };
            self.tell_core(index, ended);
        }
        self.tell_core(index, mesos_tasks::Input::Shutdown);
    }

    fn tell_session(&mut self, index: usize, input: talk::Input) {
        let executor = &mut self.executors[index];
        if !executor.alive || executor.leave_by.is_some() {
            return;
        }
        let actions = executor.session.handle(self.now, input);
        self.check_released(index);
        for action in actions {
            match action {
                talk::Action::Connect => self.connect(Node::Executor(index), Node::Driver, None),
                talk::Action::Say(message) => {
                    if let Some(channel) = self.executors[index].driver_channel {
                        self.say(channel, 1, Message::FromExecutor(message));
                    }
                }
                talk::Action::Beat => {
                    let progress = self.executors[index].progress(self.now);
                    let heartbeat = from_executor::Message::Heartbeat(Heartbeat { progress });
                    if let Some(channel) = self.executors[index].driver_channel {
                        let message = Message::FromExecutor(FromExecutor {
                            message: Some(heartbeat),
                        });
                        self.say(channel, 1, message);
                    }
                }
                talk::Action::Begin(_) => {
                    self.executors[index].began = true;
                    self.start_tasks(index);
                }
                talk::Action::Run(tasks) => self.take_tasks(index, tasks),
                talk::Action::Kill { task, .. } => self.kill_task(index, task),
                talk::Action::Decide { task, granted } => self.decided(index, task, granted),
                talk::Action::Found { store, address } => {
                    self.found(index, &store, address.as_deref());
                }
                talk::Action::TakeOver { store, folder } => {
                    let agent = self.executors[index].agent;
                    let error = if self.disks.is_there(agent, &folder) {
                        self.executors[index].adopted.push(folder);
                        self.remove_released(index);
                        String::new()
                    } else {
                        "it is not there".to_owned()
                    };
                    let executor = store;
                    self.tell_session(index, talk::Input::TookOver(TookOver { executor, error }));
                }
                talk::Action::Release(released) => {
                    self.executors[index].released.extend(released.shuffles);
                    self.remove_released(index);
                    self.remove_freed(index, &released.freed);
                }
                talk::Action::End(end) => {
                    let state = match end {
                        talk::End::Stopped(_) => TaskState::Finished,
                        talk::End::Refused(_) | talk::End::Alone { .. } => TaskState::Failed,
                    };
                    return self.work_ended(index, state);
                }
            }
        }
    }

    /// Outputs that no task will read again go.
    /// What is not needed now goes, and may be made again.
    fn remove_freed(&mut self, index: usize, freed: &[u32]) {
        let executor = &self.executors[index];
        for folder in executor.adopted.iter().chain([&executor.folder]) {
            let gone = |shuffle| freed.contains(&shuffle);
            let removed = self.disks.remove_where(executor.agent, folder, gone);
            *self.counts.entry("freed outputs").or_default() += removed;
        }
    }

    fn remove_released(&mut self, index: usize) {
        let executor = &self.executors[index];
        for folder in executor.adopted.iter().chain([&executor.folder]) {
            let released = |shuffle| executor.released.contains(&shuffle);
            let removed = self.disks.remove_where(executor.agent, folder, released);
            *self.counts.entry("released outputs").or_default() += removed;
        }
    }

    /// An executor that is in touch with its driver has nothing of what it was
    /// told to let go.
    fn check_released(&self, index: usize) {
        let executor = &self.executors[index];
        for folder in executor.adopted.iter().chain([&executor.folder]) {
            for file in self.disks.files(executor.agent, folder) {
                assert!(
                    !executor.released.contains(&file.shuffle),
                    "{} still has {file:?} in {folder}",
                    executor.id
                );
            }
        }
    }

    /// The process ends, in good order or not.
    pub fn executor_exits(&mut self, index: usize, in_order: bool) {
        let executor = &mut self.executors[index];
        if !executor.alive {
            return;
        }
        executor.alive = false;
        let (agent, folder) = (executor.agent, executor.folder.clone());
        if in_order {
            let mut folders = std::mem::take(&mut executor.adopted);
            folders.push(folder);
            for folder in folders {
                // The last of its owners takes it away.
                let mut others = self.executors.iter().filter(|it| it.alive);
                if !others.any(|it| it.agent == agent && it.has(&folder)) {
                    self.disks.remove(agent, &folder);
                }
            }
        }
        for channel in self.network.channels_of(Node::Executor(index)) {
            self.dies_after_all(channel, Node::Executor(index));
        }
        let reaped = self.now + Duration::from_millis(self.random.u64(20..1000));
        self.at(reaped, Happening::Reaped(index));
    }
}
