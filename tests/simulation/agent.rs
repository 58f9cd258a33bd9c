//! An agent: it starts executors, hands tasks to them, and keeps statuses until
//! they are acknowledged, over its own restarts too.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mesquite::clock::Timestamp;
use mesquite::ids::{ExecutorId, FrameworkId, MesosTaskId};
use mesquite::mesos::executor::event::{ExecutorEvent, LaunchedTask};
use mesquite::mesos::task::{ExecutorInfo, TaskInfo, TaskState, TaskStatus};
use uuid::Uuid;

use crate::master::{Held, agent_id};
use crate::network::{Channel, Message};

/// A status without an acknowledgement is sent again after this, and after twice
/// as long each time.
const AGAIN: Duration = Duration::from_secs(10);

/// After its restart an agent gives its executors so long to come back.
pub const COME_BACK: Duration = Duration::from_secs(2);

/// What an agent tells its master when it registers.
#[derive(Clone, Debug)]
pub struct AgentReport {
    pub framework: Option<FrameworkId>,
    pub total: Held,
    pub tasks: Vec<(MesosTaskId, ExecutorId, TaskState, Held)>,
    pub executors: Vec<(ExecutorId, Held)>,
}

/// What the agent wants done.
pub enum Out {
    ToMaster(Message),
    ToExecutor(Channel, ExecutorEvent),
    /// Start a process for this executor.
    Start(ExecutorInfo),
    /// Kill the process of an executor.
    Kill(ExecutorId),
}

struct Task {
    info: TaskInfo,
    state: TaskState,
    /// Whether its executor was given it.
    sent: bool,
}

struct Executor {
    info: ExecutorInfo,
    channel: Option<Channel>,
    tasks: BTreeMap<MesosTaskId, Task>,
}

/// The statuses of one task that are not acknowledged, in order.
struct Stream {
    waiting: VecDeque<TaskStatus>,
    again_at: Timestamp,
    pause: Duration,
}

/// See the module.
pub struct Agent {
    number: usize,
    total: Held,
    framework: Option<FrameworkId>,
    executors: BTreeMap<ExecutorId, Executor>,
    updates: BTreeMap<MesosTaskId, Stream>,
    pub registered: bool,
    random: fastrand::Rng,
}

impl Agent {
    pub fn new(number: usize, total: Held, seed: u64) -> Self {
        Self {
            number,
            total,
            framework: None,
            executors: BTreeMap::new(),
            updates: BTreeMap::new(),
            registered: false,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub fn report(&self) -> AgentReport {
        if self.framework.is_none() {
            // What is left of a framework that was removed is about to go.
            return AgentReport {
                framework: None,
                total: self.total,
                tasks: Vec::new(),
                executors: Vec::new(),
            };
        }
        let tasks = self.executors.iter().flat_map(|(executor, entry)| {
            entry.tasks.iter().map(|(id, task)| {
                let held = Held::of(&task.info.resources);
                (id.clone(), executor.clone(), task.state, held)
            })
        });
        let executors = self.executors.iter();
        AgentReport {
            framework: self.framework.clone(),
            total: self.total,
            tasks: tasks.collect(),
            executors: executors
                .map(|(id, it)| (id.clone(), Held::of(&it.info.resources)))
                .collect(),
        }
    }

    pub fn has_executors(&self) -> bool {
        !self.executors.is_empty()
    }

    pub fn knows(&self, executor: &ExecutorId) -> bool {
        self.executors.contains_key(executor)
    }

    /// The executors that have not come back after a restart.
    pub fn absent(&self) -> Vec<ExecutorId> {
        let absent = self.executors.iter().filter(|(_, it)| it.channel.is_none());
        absent.map(|(id, _)| id.clone()).collect()
    }

    /// Another machine stands in its place: nothing is kept.
    pub fn is_replaced(&mut self) {
        let seed = self.random.u64(..);
        *self = Self::new(self.number, self.total, seed);
    }

    /// The process was started again: connections are gone, what was kept is not.
    pub fn restarted(&mut self) {
        self.registered = false;
        for executor in self.executors.values_mut() {
            executor.channel = None;
        }
    }

    /// The master knows the agent: what it may not have heard is said again.
    pub fn registered(&mut self, now: Timestamp) -> Vec<Out> {
        self.registered = true;
        let mut out = Vec::new();
        for stream in self.updates.values_mut() {
            stream.again_at = now + AGAIN;
            stream.pause = AGAIN;
            let first = stream.waiting.front().cloned();
            out.extend(first.map(|it| Out::ToMaster(Message::AgentUpdate(it))));
        }
        out
    }

    pub fn run(&mut self, now: Timestamp, framework: &FrameworkId, info: TaskInfo) -> Vec<Out> {
        self.framework = Some(framework.clone());
        let mut out = Vec::new();
        let wanted = info.executor.clone().expect("an executor of our own");
        let id = wanted.executor.clone();
        let executor = self.executors.entry(id).or_insert_with(|| {
            out.push(Out::Start(wanted.clone()));
            Executor {
                info: wanted,
                channel: None,
                tasks: BTreeMap::new(),
            }
        });
        let task = Task {
            state: TaskState::Staging,
            sent: executor.channel.is_some(),
            info,
        };
        if let Some(channel) = executor.channel {
            let launch = ExecutorEvent::Launch(vec![launched(&task.info)]);
            out.push(Out::ToExecutor(channel, launch));
        }
        executor.tasks.insert(task.info.task.clone(), task);
        let _ = now;
        out
    }

    pub fn kill(&mut self, now: Timestamp, id: &MesosTaskId) -> Vec<Out> {
        for executor in self.executors.values_mut() {
            let Some(task) = executor.tasks.get(id) else {
                continue;
            };
            if let Some(channel) = executor.channel.filter(|_| task.sent) {
                let kill = ExecutorEvent::Kill {
                    task: id.clone(),
                    grace_period: None,
                };
                return vec![Out::ToExecutor(channel, kill)];
            }
            // Its executor never had it.
            let info = executor.tasks.remove(id).expect("there").info;
            let executor = info.executor.map(|it| it.executor);
            return self.told(now, self.status(id, TaskState::Killed, executor));
        }
        Vec::new()
    }

    fn status(
        &self,
        id: &MesosTaskId,
        state: TaskState,
        executor: Option<ExecutorId>,
    ) -> TaskStatus {
        TaskStatus {
            agent: Some(agent_id(self.number)),
            executor,
            ..TaskStatus::new(id.clone(), state)
        }
    }

    pub fn shut_down(&mut self, executor: &ExecutorId) -> Vec<Out> {
        match self.executors.get(executor) {
            Some(it) => match it.channel {
                Some(channel) => vec![Out::ToExecutor(channel, ExecutorEvent::Shutdown)],
                None => vec![Out::Kill(executor.clone())],
            },
            None => Vec::new(),
        }
    }

    pub fn shut_down_all(&mut self) -> Vec<Out> {
        self.updates.clear();
        self.framework = None;
        let all: Vec<_> = self.executors.keys().cloned().collect();
        all.iter().flat_map(|it| self.shut_down(it)).collect()
    }

    /// An executor subscribes, with what it may not have told.
    pub fn executor_subscribes(
        &mut self,
        now: Timestamp,
        id: &ExecutorId,
        channel: Channel,
        tasks: &[LaunchedTask],
        statuses: Vec<TaskStatus>,
    ) -> Vec<Out> {
        let Some(executor) = self.executors.get_mut(id) else {
            return vec![Out::ToExecutor(channel, ExecutorEvent::Shutdown)];
        };
        executor.channel = Some(channel);
        let mut out = vec![Out::ToExecutor(channel, ExecutorEvent::Subscribed)];
        for update in statuses {
            out.extend(self.executor_update(now, id, update));
        }
        let executor = self.executors.get_mut(id).expect("there");
        let mut dropped = Vec::new();
        for (id, task) in &mut executor.tasks {
            if !task.sent {
                task.sent = true;
                let launch = ExecutorEvent::Launch(vec![launched(&task.info)]);
                out.push(Out::ToExecutor(channel, launch));
            } else if task.state == TaskState::Staging && tasks.iter().all(|it| it.task != *id) {
                dropped.push(id.clone());
            }
        }
        for task in dropped {
            self.executors
                .get_mut(id)
                .expect("there")
                .tasks
                .remove(&task);
            let status = self.status(&task, TaskState::Dropped, Some(id.clone()));
            out.extend(self.told(now, status));
        }
        out
    }

    pub fn executor_disconnected(&mut self, id: &ExecutorId, channel: Channel) {
        if let Some(executor) = self.executors.get_mut(id)
            && executor.channel == Some(channel)
        {
            executor.channel = None;
        }
    }

    /// An executor tells a status: it is kept, and acknowledged to it.
    pub fn executor_update(
        &mut self,
        now: Timestamp,
        id: &ExecutorId,
        update: TaskStatus,
    ) -> Vec<Out> {
        let mut out = Vec::new();
        let Some(executor) = self.executors.get_mut(id) else {
            return out;
        };
        if let (Some(channel), Some(uuid)) = (executor.channel, update.uuid) {
            let task = update.task.clone();
            out.push(Out::ToExecutor(
                channel,
                ExecutorEvent::Acknowledged { task, uuid },
            ));
        }
        let known = self.updates.get(&update.task);
        if known.is_some_and(|it| it.waiting.iter().any(|it| it.uuid == update.uuid)) {
            return out;
        }
        match executor.tasks.get_mut(&update.task) {
            Some(_) if update.state.is_terminal() => {
                executor.tasks.remove(&update.task);
            }
            Some(task) => task.state = update.state,
            // It has ended already.
            None => return out,
        }
        let update = TaskStatus {
            agent: Some(agent_id(self.number)),
            executor: Some(id.clone()),
            ..update
        };
        out.extend(self.told(now, update));
        out
    }

    /// Keeps a status until it is acknowledged; it is sent when those before it
    /// are.
    fn told(&mut self, now: Timestamp, mut update: TaskStatus) -> Vec<Out> {
        if self.framework.is_none() {
            // It was removed: nobody wants to know.
            return Vec::new();
        }
        if update.uuid.is_none() {
            let bits = self.random.u128(..);
            update.uuid = Some(uuid::Builder::from_random_bytes(bits.to_ne_bytes()).into_uuid());
        }
        let stream = self
            .updates
            .entry(update.task.clone())
            .or_insert_with(|| Stream {
                waiting: VecDeque::new(),
                again_at: now + AGAIN,
                pause: AGAIN,
            });
        stream.waiting.push_back(update.clone());
        if stream.waiting.len() == 1 {
            stream.again_at = now + AGAIN;
            stream.pause = AGAIN;
            return vec![Out::ToMaster(Message::AgentUpdate(update))];
        }
        Vec::new()
    }

    pub fn acknowledged(&mut self, now: Timestamp, task: &MesosTaskId, uuid: Uuid) -> Vec<Out> {
        let Some(stream) = self.updates.get_mut(task) else {
            return Vec::new();
        };
        if stream.waiting.front().and_then(|it| it.uuid) != Some(uuid) {
            return Vec::new();
        }
        stream.waiting.pop_front();
        stream.again_at = now + AGAIN;
        stream.pause = AGAIN;
        match stream.waiting.front() {
            Some(next) => vec![Out::ToMaster(Message::AgentUpdate(next.clone()))],
            None => {
                self.updates.remove(task);
                Vec::new()
            }
        }
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.updates.values().map(|it| it.again_at).min()
    }

    /// Sends again what waits for its acknowledgement.
    pub fn time_passed(&mut self, now: Timestamp) -> Vec<Out> {
        let mut out = Vec::new();
        for stream in self.updates.values_mut().filter(|it| it.again_at <= now) {
            stream.pause = (stream.pause * 2).min(Duration::from_secs(600));
            stream.again_at = now + stream.pause;
            let first = stream.waiting.front().cloned();
            out.extend(first.map(|it| Out::ToMaster(Message::AgentUpdate(it))));
        }
        out
    }

    /// The process of an executor has ended.
    pub fn executor_exited(&mut self, now: Timestamp, id: &ExecutorId) -> Vec<Out> {
        let Some(executor) = self.executors.remove(id) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for task in executor.tasks.into_keys() {
            let mut failed = self.status(&task, TaskState::Failed, Some(id.clone()));
            failed.message = "Executor terminated".into();
            failed.reason = Some("REASON_EXECUTOR_TERMINATED".into());
            out.extend(self.told(now, failed));
        }
        out.push(Out::ToMaster(Message::AgentExited(id.clone())));
        out
    }
}

fn launched(info: &TaskInfo) -> LaunchedTask {
    LaunchedTask::new(info.task.clone(), &info.name, info.data.clone())
}
