//! The executors of a run, wherever they are.
//!
//! Responsible for getting tasks to executors and for knowing them: threads of
//! this process, or processes that connected. It carries out what the backend
//! says and tells the core, through the loop, what happened to executors.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fine::FineTasks;
use super::input::CommitAnswer;
use super::report::Progress;
use super::work::{BlockPlace, Works};
use crate::backend::executors::{Action, Executors, NewExecutor};
use crate::backend::mesos_fine::Input as FineInput;
use crate::backend::{Revived, SchedulerBackend};
use crate::clock::Timestamp;
use crate::executor::pool::TaskPool;
use crate::ids::{DatasetId, ExecutorId, Host, Partition, TaskId};
use crate::mesos::call::Call;
use crate::mesos::subscription::Notice;
use crate::rpc::connection::Outgoing;
use crate::rpc::message::{
    FromDriver, Outcome, Task, from_driver, from_driver::Message, from_executor::Dropped,
    from_executor::Register,
};
use crate::scheduler::Event;
use crate::scheduler::action::BackendRequest;
use crate::scheduler::dag_scheduler::DagEvent;
use crate::scheduler::event::TaskSchedulerEvent;
use crate::scheduler::task::{ExecutorLossReason, TaskDescription};
use crate::scheduler::worker_offer::WorkerOffer;

/// Something that happened to executors.
#[derive(Debug)]
pub enum ClusterInput {
    /// An executor has connected and proved itself.
    Registered {
        /// Who it is.
        register: Register,
        /// Speaks to it.
        link: Outgoing<FromDriver>,
    },
    /// Its connection is gone.
    Disconnected {
        /// The executor.
        executor: ExecutorId,
        /// Why, for people.
        why: String,
    },
    /// It keeps a persisted partition no longer.
    Dropped {
        /// The executor.
        executor: ExecutorId,
        /// Which.
        dropped: Dropped,
    },
    /// Mesos said something.
    Mesos(Notice),
    /// A process of this machine that was an executor has ended.
    ProcessEnded {
        /// The executor.
        executor: ExecutorId,
        /// How, for people.
        how: String,
    },
}

/// Fetches a result that an executor keeps.
pub type FetchResult = Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>>;

/// Makes [`FetchResult`]s: from an executor's address, the attempt.
pub type Fetcher = Arc<dyn Fn(&BlockPlace, TaskId) -> FetchResult + Send + Sync>;

/// What a provider says.
#[derive(Debug, Default)]
pub struct Told {
    /// Executors that are gone, and why.
    pub lost: Vec<(ExecutorId, ExecutorLossReason)>,
    /// For people.
    pub notes: Vec<Progress>,
    /// Set when no executor can ever come again.
    pub over: Option<Over>,
}

/// Why there can be no more executors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The framework is no more.
    Removed(String),
    /// Executors die faster than it makes sense to start them.
    Dying(String),
}

/// Where executors come from.
pub trait Provider: Send {
    /// The run begins.
    fn start(&mut self, now: Timestamp) -> Told;

    /// An executor has connected.
    fn registered(&mut self, _: Timestamp, _: &ExecutorId) -> Told {
        Told::default()
    }

    /// The connection of an executor is gone.
    fn disconnected(&mut self, now: Timestamp, executor: &ExecutorId) -> Told;

    /// So many cores could be used.
    fn wanted(&mut self, _: Timestamp, _: u64) -> Told {
        Told::default()
    }

    /// No executor is wanted on these hosts.
    fn exclude(&mut self, _: Timestamp, _: Vec<Host>) -> Told {
        Told::default()
    }

    /// An executor is to end.
    fn end(&mut self, now: Timestamp, executor: &ExecutorId) -> Told;

    /// Mesos said something.
    fn heard(&mut self, _: Timestamp, _: Notice) -> Told {
        Told::default()
    }

    /// When [`time_passed`](Self::time_passed) is due, if ever.
    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// A deadline may have come.
    fn time_passed(&mut self, _: Timestamp) -> Told {
        Told::default()
    }

    /// Why no executor has come, if it knows.
    fn why_nothing_runs(&self) -> Option<String> {
        None
    }

    /// Ends all and waits until they are gone.
    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// How tasks reach executors.
pub enum Transport {
    /// They are run here.
    Threads {
        /// By these threads.
        pool: TaskPool,
        /// Under this executor's name.
        executor: ExecutorId,
    },
    /// By connections.
    Links {
        /// The executors that are connected.
        links: BTreeMap<ExecutorId, Outgoing<FromDriver>>,
        /// What each is told first.
        welcome: from_driver::Registered,
        /// Where executors come from.
        provider: Box<dyn Provider>,
    },
    /// By Mesos, each as a Mesos task; connections carry the rest.
    Fine {
        /// The executors that are connected.
        links: BTreeMap<ExecutorId, Outgoing<FromDriver>>,
        /// What each is told first.
        welcome: from_driver::Registered,
        /// The tasks of Mesos.
        tasks: Box<FineTasks>,
    },
}

impl Transport {
    fn links(&mut self) -> Option<&mut BTreeMap<ExecutorId, Outgoing<FromDriver>>> {
        match self {
            Self::Links { links, .. } | Self::Fine { links, .. } => Some(links),
            Self::Threads { .. } => None,
        }
    }

    fn link(&self, executor: &ExecutorId) -> Option<&Outgoing<FromDriver>> {
        match self {
            Self::Links { links, .. } | Self::Fine { links, .. } => links.get(executor),
            Self::Threads { .. } => None,
        }
    }
}

/// What follows from something that happened to executors, in order.
#[derive(Debug)]
pub enum Happened {
    /// The core is to hear of it.
    Event(Event),
    /// An attempt ended.
    Ended {
        /// Where it ran.
        executor: ExecutorId,
        /// The attempt.
        task: TaskId,
        /// How.
        outcome: Outcome,
    },
    /// Mesos is to be told, now that what came before took effect.
    Call(Call),
    /// An executor has had no task for long, and may go if nobody needs what it
    /// holds.
    Idle(ExecutorId),
}

impl From<Event> for Happened {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

/// See the module.
pub struct Cluster {
    executors: Executors,
    transport: Transport,
    fetcher: Fetcher,
    places: BTreeMap<ExecutorId, BlockPlace>,
    notes: Vec<Progress>,
    over: Option<Over>,
    /// What was told last of what is wanted.
    wanted: (u64, u64),
}

fn message(message: Message) -> FromDriver {
    FromDriver {
        message: Some(message),
    }
}

impl Cluster {
    /// Without executors, but for one if tasks run here: `local` has its cores.
    pub fn new(transport: Transport, fetcher: Fetcher, local: Option<NewExecutor>) -> Self {
        let mut executors = Executors::new();
        if let Some(local) = local {
            executors.add(local);
        }
        Self {
            executors,
            transport,
            fetcher,
            places: BTreeMap::new(),
            notes: Vec::new(),
            over: None,
            wanted: (0, 0),
        }
    }

    /// Where the blocks of tasks that run here are.
    pub fn set_place(&mut self, place: BlockPlace) {
        if let Transport::Threads { executor, .. } = &self.transport {
            self.places.insert(executor.clone(), place);
        }
    }

    /// The run begins.
    pub fn start(&mut self, now: Timestamp, works: &mut Works) {
        for (executor, place) in &self.places {
            works.set_place(executor.clone(), place.clone());
        }
        let told = match &mut self.transport {
            Transport::Links { provider, .. } => provider.start(now),
            Transport::Fine { tasks, .. } => {
                let _ = tasks.handle(now, FineInput::Subscribed);
                return;
            }
            Transport::Threads { .. } => return,
        };
        // Nobody is there yet to be lost.
        let _ = self.take(told);
    }

    /// Takes in what the provider says; what the core is to hear.
    fn take(&mut self, told: Told) -> Vec<Happened> {
        self.notes.extend(told.notes);
        if told.over.is_some() {
            self.over = told.over;
        }
        let lost = told.lost.into_iter();
        lost.filter_map(|(executor, reason)| self.remove(&executor, reason))
            .collect()
    }

    /// An executor is gone: the news of it, if it was there.
    fn remove(&mut self, executor: &ExecutorId, reason: ExecutorLossReason) -> Option<Happened> {
        if let Some(links) = self.transport.links() {
            links.remove(executor);
        }
        self.executors
            .remove(executor)
            .then(|| lost_event(executor.clone(), reason))
    }

    /// Asks the provider something.
    fn tell(&mut self, tell: impl FnOnce(&mut dyn Provider) -> Told) -> Vec<Happened> {
        let told = match &mut self.transport {
            Transport::Links { provider, .. } => tell(&mut **provider),
            Transport::Threads { .. } | Transport::Fine { .. } => return Vec::new(),
        };
        self.take(told)
    }

    /// Tells the tasks of Mesos something, in fine mode.
    fn tell_fine(&mut self, now: Timestamp, input: FineInput) -> Vec<Happened> {
        match &mut self.transport {
            Transport::Fine { tasks, .. } => tasks.handle(now, input),
            Transport::Threads { .. } | Transport::Links { .. } => Vec::new(),
        }
    }

    /// So many tasks wait, and so many cores could be used by tasks that run or
    /// wait.
    pub fn wanted(&mut self, now: Timestamp, waiting: u64, cores: u64) -> Vec<Happened> {
        if std::mem::replace(&mut self.wanted, (waiting, cores)) == (waiting, cores) {
            return Vec::new();
        }
        let mut happened = self.tell(|provider| provider.wanted(now, cores));
        happened.extend(self.tell_fine(now, FineInput::Waiting(waiting)));
        happened
    }

    /// The core has answered an offer: what is left of it is declined.
    pub fn settle(&mut self) {
        if let Transport::Fine { tasks, .. } = &mut self.transport {
            tasks.settle();
        }
    }

    /// Ends an executor that is idle and not needed.
    pub fn let_go(&mut self, now: Timestamp, executor: ExecutorId) -> Vec<Happened> {
        if let Some(links) = self.transport.links() {
            links.remove(&executor);
        }
        self.tell_fine(now, FineInput::LetGo(executor))
    }

    /// Tells Mesos something.
    pub fn call(&mut self, call: Call) {
        if let Transport::Fine { tasks, .. } = &mut self.transport {
            tasks.call(call);
        }
    }

    /// Why no executor can ever come again, if so.
    pub fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// When [`time_passed`](Self::time_passed) is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.transport {
            Transport::Links { provider, .. } => provider.next_deadline(),
            Transport::Fine { tasks, .. } => tasks.next_deadline(),
            Transport::Threads { .. } => None,
        }
    }

    /// A deadline may have come.
    pub fn time_passed(&mut self, now: Timestamp) -> Vec<Happened> {
        let mut happened = self.tell(|provider| provider.time_passed(now));
        happened.extend(self.tell_fine(now, FineInput::Tick));
        happened
    }

    /// Takes in what happened; what the core is to hear.
    pub fn handle(
        &mut self,
        now: Timestamp,
        input: ClusterInput,
        works: &mut Works,
    ) -> Vec<Happened> {
        match input {
            ClusterInput::Registered { register, link } => {
                self.registered(now, register, link, works)
            }
            ClusterInput::Disconnected { executor, why }
            | ClusterInput::ProcessEnded {
                executor, how: why, ..
            } => self.lost(now, &executor, &why),
            ClusterInput::Mesos(notice) => match &mut self.transport {
                Transport::Fine { tasks, .. } => {
                    let (happened, told) = tasks.heard(now, notice);
                    self.take(told);
                    happened
                }
                _ => self.tell(|provider| provider.heard(now, notice)),
            },
            ClusterInput::Dropped { executor, dropped } => {
                let Some(host) = self.executors.host_of(&executor).cloned() else {
                    return Vec::new();
                };
                let event = Event::Jobs(DagEvent::PartitionDropped {
                    dataset: DatasetId(dropped.dataset),
                    partition: Partition(dropped.partition),
                    executor,
                    host,
                });
                vec![event.into()]
            }
        }
    }

    fn registered(
        &mut self,
        now: Timestamp,
        register: Register,
        link: Outgoing<FromDriver>,
        works: &mut Works,
    ) -> Vec<Happened> {
        let executor = ExecutorId::from(register.executor);
        let (links, welcome, slots) = match &mut self.transport {
            Transport::Links { links, welcome, .. } => (links, welcome, true),
            Transport::Fine { links, welcome, .. } => (links, welcome, false),
            Transport::Threads { .. } => return Vec::new(),
        };
        let new = NewExecutor {
            executor: executor.clone(),
            host: register.host.as_str().into(),
            cores: register.cores,
            resources: register
                .resources
                .into_iter()
                .map(|it| {
                    (
                        it.name.into(),
                        it.addresses.into_iter().map(Into::into).collect(),
                    )
                })
                .collect(),
        };
        if links.contains_key(&executor) || (slots && !self.executors.add(new)) {
            link.send(&message(Message::Stop(from_driver::Stop {
                reason: "an executor of this name is registered already".into(),
            })));
            return Vec::new();
        }
        link.send(&message(Message::Registered(welcome.clone())));
        links.insert(executor.clone(), link);
        let place = BlockPlace {
            address: register.block_address,
            folder: register.folder,
        };
        self.places.insert(executor.clone(), place.clone());
        works.set_place(executor.clone(), place);
        let text = if slots {
            format!(
                "executor {executor} on {} registered with {} cores",
                register.host, register.cores
            )
        } else {
            format!("executor {executor} on {} registered", register.host)
        };
        self.notes.push(Progress::Note(text));
        let mut events = self.tell(|provider| provider.registered(now, &executor));
        events.extend(self.tell_fine(now, FineInput::Registered(executor.clone())));
        events.extend(self.executors.offer_of(&executor).map(|offer| {
            Happened::Event(Event::Executors(TaskSchedulerEvent::Offers {
                offers: vec![offer],
                all_free: false,
            }))
        }));
        events
    }

    fn lost(&mut self, now: Timestamp, executor: &ExecutorId, why: &str) -> Vec<Happened> {
        let reason = ExecutorLossReason::ProcessLost {
            message: why.into(),
            host: None,
            caused_by_app: true,
        };
        let mut events: Vec<_> = self.remove(executor, reason).into_iter().collect();
        events.extend(self.tell(|provider| provider.disconnected(now, executor)));
        events.extend(self.tell_fine(now, FineInput::ConnectionLost(executor.clone())));
        events
    }

    /// What people are to be told since the last time.
    pub fn take_notes(&mut self) -> Vec<Progress> {
        std::mem::take(&mut self.notes)
    }

    /// What is known of why nothing runs, beyond what the core knows.
    pub fn why_nothing_runs(&self) -> Option<String> {
        if self.executors.cores() > 0 {
            return None;
        }
        let known = match &self.transport {
            Transport::Links { provider, .. } => provider.why_nothing_runs(),
            Transport::Fine { tasks, .. } => tasks.why_nothing_runs(),
            Transport::Threads { .. } => None,
        };
        Some(known.unwrap_or_else(|| "no executor has registered".to_owned()))
    }

    /// All that is free.
    pub fn revive(&mut self, now: Timestamp) -> Revived<Action> {
        if let Transport::Fine { tasks, .. } = &mut self.transport {
            tasks.revive(now);
            return Revived::Asked(Vec::new());
        }
        self.executors.revive(now)
    }

    /// What an executor has room for.
    pub fn offer_of(&self, executor: &ExecutorId) -> Option<WorkerOffer> {
        self.executors.offer_of(executor)
    }

    /// Starts attempts; `make` gives the task of each, or none if it cannot
    /// start.
    pub fn launch(
        &mut self,
        now: Timestamp,
        launches: Vec<Vec<TaskDescription>>,
        mut make: impl FnMut(&TaskDescription) -> Option<Task>,
    ) -> Vec<Happened> {
        if let Transport::Fine { tasks, .. } = &mut self.transport {
            return tasks.launch(launches, make);
        }
        for action in self.executors.launch(now, launches) {
            let Action::Launch { executor, tasks } = action else {
                continue;
            };
            let tasks: Vec<Task> = tasks.iter().filter_map(&mut make).collect();
            match &self.transport {
                Transport::Threads { pool, .. } => pool.submit(tasks),
                transport => {
                    if let Some(link) = transport.link(&executor) {
                        link.send(&message(Message::Launch(from_driver::Launch { tasks })));
                    }
                }
            }
        }
        Vec::new()
    }

    /// An attempt that was placed could not be started.
    pub fn never_started(&mut self, task: TaskId) {
        self.executors.ended(task, Duration::ZERO);
    }

    /// An attempt has ended: the host that it ran on, if it is known and had
    /// not ended before.
    pub fn ended(&mut self, task: TaskId, executor: &ExecutorId, ran: Duration) -> Option<Host> {
        if let Transport::Fine { tasks, .. } = &self.transport {
            return tasks.host_of(executor);
        }
        let ran_on = self.executors.ended(task, ran)?;
        (ran_on == *executor)
            .then(|| self.executors.host_of(executor).cloned())
            .flatten()
    }

    /// Does what the core asks for; the results that are to be fetched.
    pub fn request(
        &mut self,
        now: Timestamp,
        request: BackendRequest,
    ) -> Vec<(TaskId, FetchResult)> {
        let mut fetches = Vec::new();
        if let Transport::Fine { tasks, .. } = &mut self.transport {
            match request {
                BackendRequest::KillTask { task, .. } => {
                    let _ = tasks.handle(now, FineInput::Kill(task));
                }
                BackendRequest::FetchResult { task } => {
                    let executor = tasks.ran_on(task);
                    let place = executor.and_then(|it| self.places.get(&it)).cloned();
                    fetches.push((task, (self.fetcher)(&place.unwrap_or_default(), task)));
                }
                BackendRequest::ExcludeHosts(hosts) => {
                    let _ = tasks.handle(now, FineInput::ExcludeHosts(hosts));
                }
                BackendRequest::EndExecutor { executor, .. } => {
                    let _ = tasks.handle(now, FineInput::ConnectionLost(executor));
                }
                BackendRequest::EndExecutorsOnHost { .. }
                | BackendRequest::UnschedulableTaskSets(_) => {}
            }
            return fetches;
        }
        for action in self.executors.request(now, request) {
            match action {
                Action::Kill {
                    executor,
                    task,
                    reason,
                } => match &self.transport {
                    Transport::Threads { pool, .. } => pool.kill(task.0, &reason),
                    transport => {
                        if let Some(link) = transport.link(&executor) {
                            link.send(&message(Message::Kill(from_driver::Kill {
                                task: task.0,
                                reason: reason.to_string(),
                            })));
                        }
                    }
                },
                Action::Fetch { executor, task } => {
                    let place = self.places.get(&executor).cloned().unwrap_or_default();
                    fetches.push((task, (self.fetcher)(&place, task)));
                }
                Action::End { executor, .. } => {
                    if let Some(link) = self.transport.link(&executor) {
                        link.send(&message(Message::Stop(from_driver::Stop {
                            reason: "the driver wants it ended".into(),
                        })));
                    }
                    // Its loss is told when its connection ends.
                    self.tell(|provider| provider.end(now, &executor));
                }
                Action::ExcludeHosts(hosts) => {
                    self.tell(|provider| provider.exclude(now, hosts));
                }
                Action::Launch { .. } => {}
            }
        }
        fetches
    }

    /// Tells an attempt whether it may commit.
    pub fn answer_commit(&mut self, task: TaskId, answer: CommitAnswer, granted: bool) {
        match (answer, &self.transport) {
            (CommitAnswer::Thread(answer), _) => {
                // A task that was stopped meanwhile does not listen.
                let _ = answer.send(granted);
            }
            (CommitAnswer::Executor(executor), transport) => {
                if let Some(link) = transport.link(&executor) {
                    link.send(&message(Message::Commit(from_driver::CommitDecision {
                        task: task.0,
                        granted,
                    })));
                }
            }
        }
    }

    /// Ends all executors and waits until they are gone.
    pub async fn stop(&mut self) {
        match &mut self.transport {
            Transport::Threads { pool, .. } => {
                pool.close();
                pool.wait();
            }
            Transport::Links {
                links, provider, ..
            } => {
                for link in links.values() {
                    link.send(&message(Message::Stop(from_driver::Stop {
                        reason: "the application is over".into(),
                    })));
                }
                links.clear();
                provider.stop().await;
            }
            Transport::Fine { links, tasks, .. } => {
                for link in links.values() {
                    link.send(&message(Message::Stop(from_driver::Stop {
                        reason: "the application is over".into(),
                    })));
                }
                links.clear();
                tasks.stop().await;
            }
        }
    }
}

/// The news that an executor is gone.
pub(super) fn lost_event(executor: ExecutorId, reason: ExecutorLossReason) -> Happened {
    Happened::Event(Event::Executors(TaskSchedulerEvent::ExecutorLost {
        executor,
        reason,
    }))
}
