//! One run of an application, from its settings to its report.
//!
//! Responsible for putting a run together: the core with its settings, the
//! executors that the master URL asks for, and their end in any case. How it comes
//! by executors is in one file for each way: `local`, `local_cluster`, `mesos`.

mod local;
mod local_cluster;
mod mesos;
mod way;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use super::error::RunError;

use super::around::add_settings;
use super::core::input::Input;
use super::core::replay::{Replay, replay};
use super::core::{Driver, Over, record};
use super::event_log::{self, LogWriter};
use super::event_loop::{EventLoop, Shell};
use super::farewell::tell_again;
use super::feed;
use super::given::Given;
use super::journal::{Earlier, Journal};
use super::links::Arrival;
use super::listener::Listener;
use super::memory;
use super::office::program_of;
use super::pages::{self, Pages};
use super::recovery::{EndedRun, Identity};
use super::report::{Progress, Report};
use super::saves::outputs;
use super::settled::{About, Settled, report, settle};
use super::shelf::Shelf;
use super::spans;
use crate::clock::Timestamp;
use crate::conf::Conf;
use crate::conf::master_url::MasterUrl;
use crate::conf::properties::application::MASTER;
use crate::plan::application::Application;
use mesquite_core::backend::manager::ClusterManager;
use mesquite_core::backend::processes::Processes;
use mesquite_core::event_log::AboutRun;
use mesquite_engine::executor::functions::{Functions, Refused};
use mesquite_mesos_client::client::ClientConfig;
use mesquite_scheduler::pool::PoolDefinition;
use mesquite_status::live::AttemptLogs;

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// What came of it.
    pub report: Report,
    journal: Option<Journal>,
}

impl Finished {
    /// All of it has been told to whoever asked: the same command begins a new
    /// run from now on. Dropped without this, a run that is kept is told again.
    pub fn told(self) {
        if let Some(journal) = self.journal {
            journal.remove();
        }
    }
}

/// What is run: an application, and the functions that it names, for tasks that run
/// in the driver's own process. Executors have them from their own program.
pub struct Work {
    /// What there is to do.
    pub application: Application,
    /// The user's own functions.
    pub functions: Arc<dyn Functions>,
}

impl Work {
    fn into_parts(self) -> (Application, Arc<dyn Functions>) {
        (self.application, self.functions)
    }
}

/// An application without functions of its own.
impl From<Application> for Work {
    fn from(application: Application) -> Self {
        Self {
            application,
            functions: Arc::new(Refused::without_functions()),
        }
    }
}

/// Runs an application to its end; `pools` are those that are defined. `interrupts` gives
/// an item each time the user wants an end: the first one ends it in good order, the
/// second at once.
///
/// # Errors
/// It cannot begin. What goes wrong later is in the report.
pub async fn run(
    work: impl Into<Work>,
    pools: Option<&[PoolDefinition]>,
    conf: &Conf,
    mesos: Option<ClientConfig>,
    listener: &mut dyn Listener,
    interrupts: mpsc::UnboundedReceiver<()>,
) -> Result<Finished, RunError> {
    let processes = |executors, cores| -> Box<dyn ClusterManager> {
        Box::new(Processes::new(executors, cores))
    };
    run_by(
        &processes,
        (work.into(), pools, conf),
        mesos,
        listener,
        interrupts,
    )
    .await
}

/// Makes a manager of one's own: for so many executors as the master URL asks for, with so
/// many cores each.
pub type MakeManager<'a> = &'a (dyn Fn(u32, u32) -> Box<dyn ClusterManager> + Sync);

/// As [`run`], with executors that are processes of this machine, started and ended as a
/// manager of one's own says. The master is `local-cluster[N,cores,MiB]`: how large an
/// executor is, and the number that the manager is made with.
///
/// # Errors
/// Those of [`run`], and [`RunError::OwnManager`] with another master.
pub async fn run_with(
    manager: MakeManager<'_>,
    work: impl Into<Work>,
    pools: Option<&[PoolDefinition]>,
    conf: &Conf,
    listener: &mut dyn Listener,
    interrupts: mpsc::UnboundedReceiver<()>,
) -> Result<Finished, RunError> {
    let master = conf.get(&MASTER);
    if !matches!(master, MasterUrl::LocalCluster { .. }) {
        return Err(RunError::OwnManager(master));
    }
    let wanted = (work.into(), pools, conf);
    run_by(manager, wanted, None, listener, interrupts).await
}

async fn run_by(
    processes: MakeManager<'_>,
    (work, pools, conf): (Work, Option<&[PoolDefinition]>, &Conf),
    mut mesos: Option<ClientConfig>,
    listener: &mut dyn Listener,
    mut interrupts: mpsc::UnboundedReceiver<()>,
) -> Result<Finished, RunError> {
    let (application, functions) = work.into_parts();
    event_log::check(conf)?;
    let (application, shelf) = shelved(application, conf).await?;
    let tells_all = tells_all(conf, listener);
    let (mut identity, settled) = settle(application, pools, conf, tells_all)?;
    let application = Arc::clone(&settled.application);
    let clock = identity.clock();
    let began = clock.now();
    if let Some(ended) = identity.take_ended() {
        let mesos = mesos.ok_or(RunError::NoMesos)?;
        return only_told(settled, identity, (ended, mesos), listener, interrupts).await;
    }
    let outputs = outputs(&application, &identity)?;
    let pages = pages_of(conf, mesos.as_mut(), listener);
    // It outlives the loop: a client that nobody listens to gives up.
    let (arrivals, mut receiver) = mpsc::unbounded_channel();
    let master = conf.get(&MASTER);
    let program = program_of(&application, conf, &master)?;
    let memory = memory::asked(conf, &master)?;
    let given = Given::new(conf, &arrivals, &shelf, &application.plan);
    let way = match master {
        MasterUrl::Local { threads, .. } => {
            local::way(threads, (&application, functions), memory, given)?
        }
        MasterUrl::LocalCluster {
            executors, cores, ..
        } => {
            let (cores, secret) = (cores.get(), &identity.run.secret);
            let manager = processes(executors.get(), cores);
            local_cluster::way(manager, cores, secret, given)?
        }
        MasterUrl::Mesos(_) => {
            let client = mesos.ok_or(RunError::NoMesos)?;
            mesos::way(
                client,
                given,
                &mut identity,
                (clock, began),
                &mut interrupts,
                listener,
            )
            .await?
        }
    };
    let of = (&*way.app_id, identity.attempt());
    let about = feed::about(conf, of, identity.began(), way.master);
    let pages = begun(pages, (&application, &about), way.logs, listener);
    let event_log = log_of(&application, conf, &about, &identity, listener);
    let watching = watch(interrupts, arrivals.clone());
    let keeps = identity.journal.is_some();
    let (app_id, mode) = (way.app_id, way.mode);
    let mut driver = settled.driver(&app_id, (program, memory), (way.manager, mode), keeps);
    let resumed = resume(&mut driver, identity.earlier)?;
    let shell = Shell {
        clock,
        source: way.source,
        fetcher: way.fetcher,
        arrivals,
        journal: identity.journal,
        outputs,
        event_log,
        pages,
    };
    let mut running = EventLoop::new(driver, shell, listener);
    let first = first_told(&mut running, resumed, way.connections, way.subscribed);
    running.run(first, &mut receiver).await;
    running.end_readers();
    let ended = ended_at(clock.now(), way.registered_seconds);
    let finished = finish(running, receiver, ended, About::of(conf, app_id, mode)).await;
    watching.abort();
    drop(way.held);
    finished
}

/// The run is over, and its driver died before it had told all of it.
async fn only_told(
    settled: Settled<'_>,
    identity: Identity,
    (ended, mesos): (EndedRun, ClientConfig),
    listener: &mut dyn Listener,
    mut interrupts: mpsc::UnboundedReceiver<()>,
) -> Result<Finished, RunError> {
    let told = tell_again(settled, &identity, ended, mesos, listener, &mut interrupts);
    Ok(Finished {
        report: told.await?,
        journal: identity.journal,
    })
}

/// Adds what the settings have for all commands, and reads the files that come along.
async fn shelved(
    mut application: Application,
    conf: &Conf,
) -> Result<(Application, Shelf), RunError> {
    add_settings(&mut application, conf)?;
    let reading = move || {
        let shelf = Shelf::fill(&mut application)?;
        Ok((application, shelf))
    };
    let read = tokio::task::spawn_blocking(reading).await;
    read.map_err(|error| RunError::System(std::io::Error::other(error)))?
}

/// Whether somebody reads all that happens.
fn tells_all(conf: &Conf, listener: &dyn Listener) -> bool {
    event_log::is_wanted(conf)
        || pages::is_wanted(conf)
        || spans::has_attempts()
        || listener.wants_facts()
}

/// The pages of a run that begins.
fn begun(
    pages: Option<Pages>,
    (application, about): (&Application, &AboutRun),
    logs: Arc<dyn AttemptLogs>,
    listener: &mut dyn Listener,
) -> Option<Pages> {
    let mut pages = pages?;
    if let Err(error) = pages.begin(Arc::clone(&application.plan), about, logs) {
        let why = format!("the pages show nothing of the run: {error}");
        listener.progress(Progress::Warning(why));
    }
    Some(pages)
}

/// The pages, if they are wanted and can be had. People are told where they are, and so is
/// the master, unless it is told of another page.
fn pages_of(
    conf: &Conf,
    mesos: Option<&mut ClientConfig>,
    listener: &mut dyn Listener,
) -> Option<Pages> {
    if !pages::is_wanted(conf) {
        return None;
    }
    match Pages::open(conf) {
        Ok(pages) => {
            let host = nix::unistd::gethostname().ok();
            let host = host.and_then(|it| it.into_string().ok());
            let url = pages.url(conf, host.as_deref().unwrap_or("localhost"));
            listener.progress(Progress::Note(format!("pages at {url}")));
            if let Some(warning) = pages.warning() {
                listener.progress(Progress::Warning(warning));
            }
            if let Some(mesos) = mesos {
                mesos.framework.webui_url.get_or_insert(url);
            }
            Some(pages)
        }
        Err(why) => {
            listener.progress(Progress::Warning(why));
            None
        }
    }
}

/// The event log, if one is wanted and can be had: that it cannot is known too late to
/// refuse the run.
fn log_of(
    application: &Application,
    conf: &Conf,
    about: &AboutRun,
    identity: &Identity,
    listener: &mut dyn Listener,
) -> Option<LogWriter> {
    let goes_on = identity.earlier.is_some();
    LogWriter::open(application, conf, about, goes_on).unwrap_or_else(|error| {
        let why = format!("{error}; the run goes on without an event log");
        listener.progress(Progress::Warning(why));
        None
    })
}

/// What a driver is told first: that the run begins, or goes on from an earlier one's steps.
fn first_told(
    running: &mut EventLoop<'_>,
    resumed: Option<Replay>,
    connections: Option<Arc<AtomicU64>>,
    subscribed: Option<Input>,
) -> Vec<Input> {
    let Some(resumed) = resumed else {
        return vec![Input::Started];
    };
    if let Some(connections) = connections {
        connections.fetch_max(resumed.next_connection.0, Ordering::Relaxed);
    }
    let mut inputs = vec![Input::Recovered];
    inputs.extend(subscribed);
    inputs.extend(running.go_on(resumed));
    inputs
}

const fn ended_at(now: Timestamp, registered_seconds: f64) -> record::Ended {
    record::Ended {
        seconds: now.since_start().as_secs_f64(),
        registered_seconds,
    }
}

/// Ends the executors, and says what came of the run.
async fn finish(
    mut running: EventLoop<'_>,
    mut receiver: mpsc::UnboundedReceiver<Arrival>,
    ended: record::Ended,
    about: About,
) -> Result<Finished, RunError> {
    let journal = running.stop(ended, &mut receiver).await;
    if let Some(Over::Removed(why)) = running.driver.over() {
        let why = why.clone();
        if let Some(journal) = journal {
            journal.remove();
        }
        return Err(RunError::Removed(why));
    }
    let event_log = running.written.take();
    let report = Report {
        event_log,
        ..report(running.driver, about, ended)
    };
    Ok(Finished { report, journal })
}

/// Hands on that the user wants an end.
fn watch(
    mut interrupts: mpsc::UnboundedReceiver<()>,
    arrivals: mpsc::UnboundedSender<Arrival>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while interrupts.recv().await.is_some() {
            let _ = arrivals.send(Input::Interrupted.into());
        }
    })
}

/// Takes the steps of an earlier driver, if there was one.
fn resume(driver: &mut Driver, earlier: Option<Earlier>) -> Result<Option<Replay>, RunError> {
    let Some(earlier) = earlier.filter(|it| !it.steps.is_empty()) else {
        return Ok(None);
    };
    match replay(driver, earlier.steps) {
        Ok(replayed) => Ok(Some(replayed)),
        Err(error) => Err(RunError::Recovery(error.to_string())),
    }
}
