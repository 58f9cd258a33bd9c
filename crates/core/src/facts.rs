//! What happens in a run: one typed, timed stream. Pure.
//!
//! Responsible for the words. The driver's core makes facts where things happen and hands
//! them over with each step; readers make of them what people and programs see: what is
//! [told](crate::telling) while a run lasts, and the [event log](crate::event_log). Facts
//! are data: texts for people are their readers' business. What cluster managers tell has
//! words of its own: [`cluster`].

pub mod cluster;
pub mod misfit;

use std::sync::Arc;
use std::time::Duration;

use self::cluster::{ClusterFact, NothingRuns};
use self::misfit::Misfit;
use crate::backend::mesos::named::Addresses;
use crate::ids::{
    AgentId, DatasetId, ExecutorId, Host, JobId, Partition, StageAttempt, StageId, TaskId,
    TaskIndex,
};
use crate::offers::AgentAddress;
use crate::report::{Said, Status};
use mesquite_mesos::endpoint::{Endpoint, Scheme};
use mesquite_scheduler::action::Notice;
use mesquite_scheduler::job::JobError;
use mesquite_scheduler::locality::LocalityLevel;
use mesquite_scheduler::loss::{ExecutorLossReason, WhyEnd};
use mesquite_scheduler::running::RunningAttempt;
use mesquite_scheduler::task::{TaskDescription, TaskEndReason};

/// A fact, and when it came to be, as the time since the Unix epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// When.
    pub at: Duration,
    /// What.
    pub fact: Fact,
}

/// A stage as its job is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFacts {
    /// The stage.
    pub stage: StageId,
    /// The name of its last dataset.
    pub name: Arc<str>,
    /// That dataset.
    pub dataset: DatasetId,
    /// The tasks of a complete attempt.
    pub tasks: u32,
    /// The stages whose outputs it reads.
    pub parents: Vec<StageId>,
}

/// An agent of Mesos, and where it tells of what ran on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPlace {
    /// The agent.
    pub id: AgentId,
    /// Where it listens, `http://HOST:PORT`, as far as its offers say.
    pub url: Option<Arc<str>>,
}

impl AgentPlace {
    /// An agent, by its offers. It is named as the master's page names it: by its host name,
    /// which people reach also where addresses are the cluster's own.
    pub fn of(id: &AgentId, host: &Host, address: Option<&AgentAddress>) -> Self {
        let url = address.map(|it| {
            let scheme = if it.tls { Scheme::Https } else { Scheme::Http };
            let (host, port) = (host.as_str().to_owned(), it.port);
            Endpoint { scheme, host, port }.to_string().into()
        });
        let id = id.clone();
        Self { id, url }
    }
}

/// What an attempt measured, as its executor says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Records that it read: of inputs, or of map outputs.
    pub records_read: u64,
    /// Bytes of inputs.
    pub bytes_read: u64,
    /// Records that it spread, or that are its result.
    pub records_written: u64,
    /// Bytes that it saved.
    pub bytes_written: u64,
    /// Bytes of map outputs, as stored.
    pub shuffle_bytes_read: u64,
    /// Those of them that came over the network.
    pub shuffle_bytes_fetched: u64,
    /// Bytes of its own map output, as stored.
    pub shuffle_bytes_written: u64,
    /// Bytes that did not fit into memory.
    pub spilled_bytes: u64,
    /// How long it ran.
    pub ran: Duration,
    /// Processor time of that, of commands and their descendants too.
    pub cpu: Duration,
    /// The most bytes that it held of its executor's memory, and that its commands had
    /// resident.
    pub peak_memory: u64,
    /// How long it waited for map outputs of other hosts.
    pub fetch_wait: Duration,
}

/// An attempt at a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFacts {
    /// The attempt.
    pub task: TaskId,
    /// Its stage.
    pub stage: StageId,
    /// The stage's attempt.
    pub stage_attempt: StageAttempt,
    /// The place in the task set.
    pub index: TaskIndex,
    /// The partition.
    pub partition: Partition,
    /// How many attempts of the index came before it.
    pub attempt: u32,
    /// Where it runs.
    pub executor: ExecutorId,
    /// The executor's host.
    pub host: Host,
    /// How near its input it was placed.
    pub locality: LocalityLevel,
    /// Whether it is a copy of one that takes too long.
    pub speculative: bool,
}

impl AttemptFacts {
    /// Of an attempt that is placed on a host.
    pub fn of(placed: &TaskDescription, host: Host) -> Self {
        Self {
            task: placed.task,
            stage: placed.stage,
            stage_attempt: placed.stage_attempt,
            index: placed.index,
            partition: placed.partition,
            attempt: placed.attempt,
            executor: placed.executor.clone(),
            host,
            locality: placed.locality,
            speculative: placed.speculative,
        }
    }
}

/// What may help with tasks that take long, and is not in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// An end after a time.
    pub timeout: bool,
    /// Copies of slow attempts.
    pub copies: bool,
}

/// What an executor without a task is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptFor {
    /// Map outputs that somebody may still read, which no other executor on its host
    /// can take over.
    Outputs,
    /// Persisted partitions.
    Partitions,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// An executor is one of this run's: since it has come, or, in fine mode, since its
    /// first attempts were launched with it. No attempt on it is told of before.
    ExecutorAdded {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// How many tasks of one core it takes at once; in fine mode unknown, and 0.
        cores: u32,
        /// Its agent, on Mesos.
        agent: Option<AgentPlace>,
        /// The addresses of resources with names that it holds for its tasks.
        resources: Addresses,
    },
    /// An executor has come: its process has connected to the driver.
    ExecutorCame {
        /// The executor, which was told to be one of this run's.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// How many tasks of one core it takes at once; in fine mode unknown, and 0.
        cores: u32,
        /// Whether it is the driver's own threads, and nobody else comes.
        is_driver: bool,
        /// Where it serves what it has, `host:port`; empty if it does not.
        address: String,
    },
    /// An executor introduced itself as what it cannot be.
    ExecutorRefused {
        /// Who it has proved to be.
        executor: ExecutorId,
        /// What cannot be.
        why: Misfit,
    },
    /// An executor came to a host that is excluded, and was sent away.
    ExecutorSentAway {
        /// The executor.
        executor: ExecutorId,
        /// The host.
        host: Host,
    },
    /// An executor gets nothing more to do, and ends after what it runs.
    ExecutorEnding {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// Why.
        why: WhyEnd,
    },
    /// An executor has had nothing to do for long, and nobody needs what it holds: it goes.
    ExecutorLetGo {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// For how long it had nothing to do.
        idle: Duration,
    },
    /// An executor has nothing to do for long, and has to stay.
    ExecutorKept {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// For what.
        why: KeptFor,
    },
    /// Scheduling counts on an executor no more; in fine mode on one too that had room
    /// and did not come.
    ExecutorLost {
        /// The executor.
        executor: ExecutorId,
        /// Its host.
        host: Host,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// An executor is gone that was one of this run's; in fine mode it may never have come.
    ExecutorRemoved {
        /// The executor.
        executor: ExecutorId,
        /// Why.
        reason: ExecutorLossReason,
    },
    /// A job was taken in.
    JobStarted {
        /// The job.
        job: JobId,
        /// What it does: `count`, `collect`, `save`, `sample`.
        action: String,
        /// The dataset that was asked for.
        dataset: String,
        /// The job of whose result it makes more, if that had too few records.
        more_of: Option<JobId>,
        /// Its stages in ascending order; those whose output is there are skipped. None
        /// of a job that is over as it begins.
        stages: Vec<StageFacts>,
    },
    /// Outputs of a round were lost, and a job needs stages that it did not have before.
    StagesAdded {
        /// The job.
        job: JobId,
        /// The stages.
        stages: Vec<StageFacts>,
    },
    /// A job is over.
    JobEnded {
        /// The job.
        job: JobId,
        /// How.
        status: Status,
        /// Why it failed.
        error: Option<String>,
    },
    /// A job waits for the cluster to grow.
    JobWaits {
        /// The job.
        job: JobId,
        /// What for.
        reason: JobError,
    },
    /// An attempt at a stage begins.
    StageStarted {
        /// The stage.
        stage: StageId,
        /// The name of its last dataset.
        name: Arc<str>,
        /// The attempt.
        attempt: StageAttempt,
        /// Its tasks: those that are missing.
        tasks: u32,
    },
    /// An attempt at a stage is over.
    StageEnded {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: StageAttempt,
        /// Why it failed, if it did.
        failure: Option<Arc<str>>,
    },
    /// An attempt at a task was placed. Told only if all is wanted.
    TaskStarted(AttemptFacts),
    /// It ended.
    TaskEnded {
        /// The attempt.
        task: TaskId,
        /// Its stage.
        stage: StageId,
        /// The stage's attempt.
        stage_attempt: StageAttempt,
        /// The partition.
        partition: Partition,
        /// How many attempts of the task came before it.
        attempt: u32,
        /// Where it ran.
        executor: ExecutorId,
        /// The executor's host.
        host: Host,
        /// How.
        reason: TaskEndReason,
        /// What it measured, as far as its executor told: also of one that failed.
        metrics: Option<Metrics>,
    },
    /// The result of an attempt cannot be fetched from its executor.
    ResultLost {
        /// The attempt.
        task: TaskId,
        /// Why, for people.
        why: String,
    },
    /// Nobody knows of an attempt any more: its task runs again.
    AttemptLost {
        /// The attempt.
        task: TaskId,
        /// What is known, for people.
        why: String,
    },
    /// An item could not be done, and is left out.
    ItemLeftOut {
        /// The dataset whose item it is.
        dataset: String,
        /// The item.
        item: String,
    },
    /// A command says something.
    CommandSaid(Said),
    /// Scheduling wants something known of the cluster.
    Noticed(Notice),
    /// Tasks wait, and there is no executor that could run them.
    NoExecutors {
        /// Tasks that wait.
        waiting: u64,
        /// For how long nothing has run.
        since: Duration,
        /// Why there is none.
        why: NothingRuns,
    },
    /// An attempt has run far longer than those of its stage that ended.
    TaskSlow {
        /// The attempt.
        attempt: RunningAttempt,
        /// For how long.
        ran: Duration,
        /// How long those that ended took in the middle.
        median: Duration,
        /// How many these are.
        ended: u32,
        /// Whether that was told before.
        again: bool,
        /// What may help.
        advice: Advice,
    },
    /// So have others of the stage, too many to tell of each.
    MoreTasksSlow {
        /// The stage.
        stage: StageId,
        /// How many.
        attempts: u32,
    },
    /// No task of a stage ends.
    StageQuiet {
        /// For how long none did.
        quiet: Duration,
        /// Attempts that run.
        running: u32,
        /// The one that has run longest.
        longest: RunningAttempt,
        /// For how long.
        ran: Duration,
        /// What may help.
        advice: Advice,
    },
    /// There is another subscription with a master of Mesos.
    Subscribed {
        /// Which.
        endpoint: String,
    },
    /// The connection to the master is gone.
    MasterLost {
        /// Why, for people.
        why: String,
    },
    /// There is no way to a master.
    MasterUnreachable {
        /// Why, for people.
        why: String,
    },
    /// What the cluster manager tells.
    Cluster(ClusterFact),
}
