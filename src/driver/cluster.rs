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

use super::input::CommitAnswer;
use super::report::Progress;
use super::work::{BlockPlace, Works};
use crate::backend::executors::{Action, Executors, NewExecutor};
use crate::backend::{Revived, SchedulerBackend};
use crate::clock::Timestamp;
use crate::executor::pool::TaskPool;
use crate::ids::{DatasetId, ExecutorId, Host, Partition, TaskId};
use crate::rpc::connection::Outgoing;
use crate::rpc::message::{
    FromDriver, Task, from_driver, from_driver::Message, from_executor::Dropped,
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

/// Starts executors where there are none yet.
pub trait Provider: Send {
    /// The run begins.
    fn start(&mut self, now: Timestamp);

    /// An executor is gone that was wanted; what is to be told of it.
    fn lost(&mut self, now: Timestamp, executor: &ExecutorId) -> Vec<Progress>;

    /// An executor is to end.
    fn end(&mut self, executor: &ExecutorId);

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
}

/// See the module.
pub struct Cluster {
    executors: Executors,
    transport: Transport,
    fetcher: Fetcher,
    places: BTreeMap<ExecutorId, BlockPlace>,
    notes: Vec<Progress>,
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
        if let Transport::Links { provider, .. } = &mut self.transport {
            provider.start(now);
        }
    }

    /// When [`time_passed`](Self::time_passed) is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// A deadline may have come.
    pub fn time_passed(&mut self, _: Timestamp) -> Vec<Event> {
        Vec::new()
    }

    /// Takes in what happened; what the core is to hear.
    pub fn handle(&mut self, now: Timestamp, input: ClusterInput, works: &mut Works) -> Vec<Event> {
        match input {
            ClusterInput::Registered { register, link } => self.registered(register, link, works),
            ClusterInput::Disconnected { executor, why } => self.lost(now, &executor, &why),
            ClusterInput::ProcessEnded { executor, how } => self.lost(now, &executor, &how),
            ClusterInput::Dropped { executor, dropped } => {
                let Some(host) = self.executors.host_of(&executor).cloned() else {
                    return Vec::new();
                };
                vec![Event::Jobs(DagEvent::PartitionDropped {
                    dataset: DatasetId(dropped.dataset),
                    partition: Partition(dropped.partition),
                    executor,
                    host,
                })]
            }
        }
    }

    fn registered(
        &mut self,
        register: Register,
        link: Outgoing<FromDriver>,
        works: &mut Works,
    ) -> Vec<Event> {
        let executor = ExecutorId::from(register.executor);
        let Transport::Links { links, welcome, .. } = &mut self.transport else {
            return Vec::new();
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
        if !self.executors.add(new) {
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
        self.notes.push(Progress::Note(format!(
            "executor {executor} on {} registered with {} cores",
            register.host, register.cores
        )));
        self.executors
            .offer_of(&executor)
            .map(|offer| {
                Event::Executors(TaskSchedulerEvent::Offers {
                    offers: vec![offer],
                    all_free: false,
                })
            })
            .into_iter()
            .collect()
    }

    fn lost(&mut self, now: Timestamp, executor: &ExecutorId, why: &str) -> Vec<Event> {
        let Transport::Links {
            links, provider, ..
        } = &mut self.transport
        else {
            return Vec::new();
        };
        links.remove(executor);
        let registered = self.executors.remove(executor);
        self.notes.extend(provider.lost(now, executor));
        if !registered {
            return Vec::new();
        }
        vec![Event::Executors(TaskSchedulerEvent::ExecutorLost {
            executor: executor.clone(),
            reason: ExecutorLossReason::ProcessLost {
                message: why.into(),
                host: None,
                caused_by_app: true,
            },
        })]
    }

    /// What people are to be told since the last time.
    pub fn take_notes(&mut self) -> Vec<Progress> {
        std::mem::take(&mut self.notes)
    }

    /// What is known of why nothing runs, beyond what the core knows.
    pub fn why_nothing_runs(&self) -> Option<String> {
        (self.executors.cores() == 0).then(|| "no executor has registered".to_owned())
    }

    /// All that is free.
    pub fn revive(&mut self, now: Timestamp) -> Revived<Action> {
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
    ) {
        for action in self.executors.launch(now, launches) {
            let Action::Launch { executor, tasks } = action else {
                continue;
            };
            let tasks: Vec<Task> = tasks.iter().filter_map(&mut make).collect();
            match &self.transport {
                Transport::Threads { pool, .. } => pool.submit(tasks),
                Transport::Links { links, .. } => {
                    if let Some(link) = links.get(&executor) {
                        link.send(&message(Message::Launch(from_driver::Launch { tasks })));
                    }
                }
            }
        }
    }

    /// An attempt that was placed could not be started.
    pub fn never_started(&mut self, task: TaskId) {
        self.executors.ended(task, Duration::ZERO);
    }

    /// An attempt has ended: the host that it ran on, if it is known and had
    /// not ended before.
    pub fn ended(&mut self, task: TaskId, executor: &ExecutorId, ran: Duration) -> Option<Host> {
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
        for action in self.executors.request(now, request) {
            match action {
                Action::Kill {
                    executor,
                    task,
                    reason,
                } => match &self.transport {
                    Transport::Threads { pool, .. } => pool.kill(task.0, &reason),
                    Transport::Links { links, .. } => {
                        if let Some(link) = links.get(&executor) {
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
                    if let Transport::Links {
                        links, provider, ..
                    } = &mut self.transport
                    {
                        if let Some(link) = links.get(&executor) {
                            link.send(&message(Message::Stop(from_driver::Stop {
                                reason: "the driver wants it ended".into(),
                            })));
                        }
                        provider.end(&executor);
                    }
                }
                Action::ExcludeHosts(_) | Action::Launch { .. } => {}
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
            (CommitAnswer::Executor(executor), Transport::Links { links, .. }) => {
                if let Some(link) = links.get(&executor) {
                    link.send(&message(Message::Commit(from_driver::CommitDecision {
                        task: task.0,
                        granted,
                    })));
                }
            }
            (CommitAnswer::Executor(_), Transport::Threads { .. }) => {}
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
        }
    }
}
