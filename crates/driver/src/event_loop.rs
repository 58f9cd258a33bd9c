//! The loop around the driver's decisions: wait, hand over, carry out.
//!
//! Responsible for time, connections and results on their way; it decides
//! nothing. One task runs it; threads, connections and timers only send it
//! [`Arrival`]s.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::core::effect::{Delivery, Effect};
use super::core::input::{ConnectionId, Input, Step};
use super::core::record::{Ended, Record};
use super::core::replay::Replay;
use super::core::{Driver, Over};
use super::delivery::{Fetcher, print};
use super::event_log::LogWriter;
use super::farewell::farewell;
use super::feed;
use super::journal::Journal;
use super::links::{Arrival, LinkTo};
use super::listener::Listener;
use super::office::Badges;
use super::pages::Pages;
use super::processes::ProcessRunner;
use super::report::Progress;
use super::served::Served;
use super::spans::Spans;
use super::telling::Teller;
use super::watch::Watch;
use crate::clock::SystemClock;
use crate::ids::JobId;
use crate::timer::sleep_until;
use mesquite_core::facts::Happened;
use mesquite_engine::storage::sink::{Commit, Outputs};
use mesquite_mesos_client::call::Call;
use mesquite_mesos_client::client::{CallError, Client, Pending};
use mesquite_mesos_client::refused::Refused;
use mesquite_workload::message::{FromDriver, from_driver};

/// So many arrivals are taken at once at most, before room is offered again.
const BATCH: usize = 1024;

/// So often it is told what runs: oftener than somebody reads it, so that no line is
/// made of what was so long ago. Nothing is decided then, so no step is made.
const LOOK: Duration = Duration::from_secs(1);

/// Where executors come from, as far as the loop has to act.
pub(super) enum ExecutorSource {
    /// Threads of this process.
    Threads,
    /// Processes of this machine.
    Processes(ProcessRunner),
    /// Mesos.
    Mesos(Mesos),
}

/// What there is of Mesos.
pub(super) struct Mesos {
    /// It has subscribed.
    pub(super) client: Client,
    /// What executors are launched with.
    pub(super) badges: Badges,
    /// Our program, if agents may have to fetch it from here.
    pub(super) served: Option<Served>,
}

/// What the loop acts with.
pub(super) struct Shell {
    pub(super) clock: SystemClock,
    pub(super) source: ExecutorSource,
    pub(super) fetcher: Fetcher,
    pub(super) arrivals: mpsc::UnboundedSender<Arrival>,
    /// Where steps are kept, if they are.
    pub(super) journal: Option<Journal>,
    /// Where saves go.
    pub(super) outputs: Arc<Outputs>,
    /// Where what happens is written, if it is.
    pub(super) event_log: Option<LogWriter>,
    /// Where it can be looked at, if it can.
    pub(super) pages: Option<Pages>,
}

/// See the module.
pub(super) struct EventLoop<'a> {
    pub(super) driver: Driver,
    shell: Shell,
    listener: &'a mut dyn Listener,
    /// Makes of what happens what the listener is told.
    teller: Teller,
    /// Knows who runs for too long.
    watch: Watch,
    spans: Spans,
    links: BTreeMap<ConnectionId, LinkTo>,
    /// The last acknowledgement on its way; those before it arrive first.
    acknowledged: Option<Pending>,
    interrupted: bool,
    /// The event log, once all of it is written.
    pub(super) written: Option<String>,
}

impl<'a> EventLoop<'a> {
    pub(super) fn new(driver: Driver, shell: Shell, listener: &'a mut dyn Listener) -> Self {
        Self {
            driver,
            shell,
            listener,
            teller: Teller::default(),
            watch: Watch::default(),
            spans: Spans::default(),
            links: BTreeMap::new(),
            acknowledged: None,
            interrupted: false,
            written: None,
        }
    }

    /// Goes on where an earlier driver was; what is known at once. Results that
    /// it had printed are printed again: the command that succeeds prints all.
    pub(super) fn go_on(&mut self, replay: Replay) -> Vec<Input> {
        let steps = replay.steps;
        let note = format!("going on with the run of an earlier driver, after {steps} steps");
        self.listener.progress(Progress::Note(note));
        self.interrupted = replay.interrupted;
        self.teller = replay.teller;
        self.log(replay.facts);
        for progress in replay.progress {
            self.listener.progress(progress);
        }
        let heard = |input: &Input| matches!(input, Input::Delivered { job, .. } if !replay.undelivered.contains(job));
        let effects = replay.printed.into_iter().chain(replay.unanswered);
        effects
            .filter_map(|effect| self.carry_out(effect))
            .filter(|input| !heard(input))
            .collect()
    }

    /// Runs until every job has ended, beginning with `inputs`. An interruption
    /// ends it in good order, a second one at once.
    pub(super) async fn run(
        &mut self,
        mut inputs: Vec<Input>,
        receiver: &mut mpsc::UnboundedReceiver<Arrival>,
    ) {
        let mut arrived = Vec::with_capacity(BATCH);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // What follows at once from the effects is the next step.
            while !inputs.is_empty() {
                inputs = self.step(inputs);
            }
            if self.driver.is_done() {
                return;
            }
            let due = self.driver.next_deadline();
            tokio::select! {
                _ = receiver.recv_many(&mut arrived, BATCH) => {}
                () = sleep_until(self.shell.clock, due) => inputs.push(Input::TimePassed),
                _ = looks.tick() => {
                    self.look();
                    self.stop_serving();
                }
            }
            for arrival in arrived.drain(..) {
                match arrival {
                    Arrival::Connected(connection, link) => {
                        self.links.insert(connection, link);
                    }
                    Arrival::Tell(progress) => self.listener.progress(progress),
                    Arrival::Input(Input::Interrupted) if self.interrupted => return,
                    Arrival::Input(input) => {
                        self.interrupted |= input == Input::Interrupted;
                        if let Input::Disconnected { connection, .. } = &input {
                            self.links.remove(connection);
                        }
                        inputs.push(input);
                    }
                }
            }
        }
    }

    /// Hands a step to the driver and does what it says; what follows at once.
    fn step(&mut self, inputs: Vec<Input>) -> Vec<Input> {
        let step = Step {
            at: self.shell.clock.now(),
            unix_time: unix_time(),
            inputs,
        };
        let effects = self.driver.handle(step);
        effects
            .into_iter()
            .filter_map(|effect| self.carry_out(effect))
            .collect()
    }

    /// Writes a step down.
    fn keep(&mut self, record: &Record) {
        let Some(journal) = &mut self.shell.journal else {
            return;
        };
        if let Err(error) = journal.write(record) {
            // A journal with a gap is worse than none.
            let warning = format!("{error}: the run goes on, but not if this driver dies");
            self.listener.progress(Progress::Warning(warning));
            self.forget();
        }
    }

    /// Nobody is to go on with the run.
    fn forget(&mut self) {
        if let Some(journal) = self.shell.journal.take() {
            journal.remove();
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Keep(record) => self.keep(&record),
            Effect::Send(connection, message) => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.send(message);
                }
            }
            Effect::Close(connection) => drop(self.links.remove(&connection)),
            Effect::Call(call) => self.call(call),
            Effect::StartProcess(executor) => {
                if let ExecutorSource::Processes(processes) = &mut self.shell.source {
                    processes.start(&executor);
                }
            }
            Effect::KillProcess(executor) => {
                if let ExecutorSource::Processes(processes) = &mut self.shell.source {
                    processes.kill(&executor);
                }
            }
            Effect::Fetch { task, place, bytes } => {
                let fetch = (self.shell.fetcher)(&place, task, bytes);
                let arrivals = self.shell.arrivals.clone();
                tokio::spawn(async move {
                    let result = fetch.await;
                    let _ = arrivals.send(Input::Fetched { task, result }.into());
                });
            }
            Effect::Deliver {
                job,
                action,
                delivery,
            } => return self.deliver(job, action, delivery),
            Effect::AbortSave { to } => self.shell.outputs.abort(&to),
            Effect::Facts(facts) => self.happened(facts),
        }
        None
    }

    /// Tells what runs at this moment, and what of it is worth a word.
    fn look(&mut self) {
        let driver = &self.driver;
        let running = driver.running(self.shell.clock.now());
        let has_timeout = |stage, partition| driver.has_timeout(stage, partition);
        let facts = self.watch.look(&running, has_timeout);
        if !facts.is_empty() {
            let at = unix_time();
            let happened = facts.into_iter().map(|fact| Happened { at, fact });
            self.happened(happened.collect());
        }
        self.listener.progress(Progress::Running(running));
    }

    /// Tells whoever wants to know.
    fn happened(&mut self, facts: Vec<Happened>) {
        for progress in self.teller.read(&facts) {
            self.listener.progress(progress);
        }
        self.spans.read(&facts);
        self.log(facts);
    }

    /// Hands on what happened.
    fn log(&mut self, facts: Vec<Happened>) {
        if self.listener.wants_facts() {
            self.listener.happened(&facts);
        }
        let facts = Arc::new(facts);
        if let Some(pages) = &mut self.shell.pages {
            pages.add(&facts);
        }
        if let Some(log) = &self.shell.event_log
            && log.add(&facts).is_err()
        {
            self.end_log(feed::now());
        }
    }

    /// All has happened: readers take in what is left. The run ends for all of them at the
    /// same time.
    pub(super) fn end_readers(&mut self) {
        let at = feed::now();
        if let Some(pages) = &mut self.shell.pages {
            pages.end(at);
        }
        self.end_log(at);
        // In an object store there is no room for a hidden file beside it.
        let here = self.written.as_deref().filter(|it| !it.contains("://"));
        if let (Some(pages), Some(log)) = (&self.shell.pages, here) {
            pages.keep(Path::new(log));
        }
    }

    /// Nothing more is to be written down.
    fn end_log(&mut self, at: Duration) {
        match self.shell.event_log.take().map(|it| it.end(at)) {
            Some(Ok(path)) => self.written = Some(path),
            Some(Err(why)) => self.listener.progress(Progress::Warning(why)),
            None => {}
        }
    }

    fn call(&mut self, mut call: Call) {
        let driver = &self.driver;
        let ExecutorSource::Mesos(Mesos {
            client,
            badges,
            served,
        }) = &mut self.shell.source
        else {
            return;
        };
        if let (Call::Accept { launch, .. }, Some(served)) = (&call, served)
            && !launch.is_empty()
            && let Err(error) = served.open()
        {
            let warning = format!("agents cannot fetch the program from here: {error}");
            self.listener.progress(Progress::Warning(warning));
        }
        if let Err(error) = badges.attach(&mut call, |it| driver.is_registered(it)) {
            // An executor that gets nothing to prove itself with fails its task in words.
            tracing::error!(%error, "cannot launch");
        }
        let acknowledges = matches!(call, Call::Acknowledge { .. });
        let refused = Refused::of(&call);
        // Calls that a broken subscription loses are made good by
        // reconciliation; the master drops offers by itself.
        let pending = client.send(call);
        if acknowledges {
            self.acknowledged = Some(pending);
        } else if let Some(call) = refused {
            let arrivals = self.shell.arrivals.clone();
            tokio::spawn(async move {
                if let Err(CallError::Refused(refusal)) = pending.await {
                    // Without the loop nobody wants to know.
                    let _ = arrivals.send(Input::Refused { call, refusal }.into());
                }
            });
        }
    }

    /// Nobody is served the program while no executor is on its way.
    fn stop_serving(&mut self) {
        if let ExecutorSource::Mesos(Mesos {
            served: Some(served),
            ..
        }) = &mut self.shell.source
            && !self.driver.awaits_executors()
        {
            served.close();
        }
    }

    /// Hands over the result of a job. Files may take a while.
    fn deliver(&mut self, job: JobId, action: usize, delivery: Delivery) -> Option<Input> {
        if let Delivery::Save {
            to,
            partitions,
            results,
            without,
            complete,
        } = delivery
        {
            let arrivals = self.shell.arrivals.clone();
            let outputs = Arc::clone(&self.shell.outputs);
            tokio::task::spawn_blocking(move || {
                let result = outputs.commit(
                    &to,
                    &Commit {
                        partitions,
                        results: &results,
                        without: &without,
                        complete,
                    },
                );
                let result = result.map_err(|error| error.to_string());
                let _ = arrivals.send(Input::Delivered { job, result }.into());
            });
            return None;
        }
        let result = print(self.listener, action, &delivery);
        Some(Input::Delivered { job, result })
    }

    /// Ends all executors and waits until they are gone; an interruption ends the
    /// waiting. Should the driver die meanwhile, another one finds that the run
    /// had `ended`. Gives back what was kept, to be removed when all is told.
    pub(super) async fn stop(
        &mut self,
        ended: Ended,
        receiver: &mut mpsc::UnboundedReceiver<Arrival>,
    ) -> Option<Journal> {
        let mut links = std::mem::take(&mut self.links);
        for link in links.values_mut() {
            link.send(FromDriver {
                message: Some(from_driver::Message::Stop(from_driver::Stop {
                    reason: "the application is over".into(),
                })),
            });
            if let LinkTo::Threads(threads) = link {
                threads.stop();
            }
        }
        drop(links);
        if self.driver.is_done() {
            self.keep(&Record::Ended(ended));
        } else {
            // Given up in the middle: nobody is to go on with it.
            self.forget();
        }
        match &mut self.shell.source {
            ExecutorSource::Threads => {}
            ExecutorSource::Processes(processes) => processes.stop().await,
            // The framework is gone already: there is nobody to say goodbye for.
            ExecutorSource::Mesos(_) if matches!(self.driver.over(), Some(Over::Removed(_))) => {}
            ExecutorSource::Mesos(mesos) => {
                mesos.served = None;
                tokio::select! {
                    () = farewell(&mesos.client, self.acknowledged.take()) => {}
                    () = interrupted(receiver) => {
                        tracing::warn!("left without ending the framework");
                    }
                }
            }
        }
        self.shell.journal.take()
    }
}

/// The time since the Unix epoch.
fn unix_time() -> Duration {
    Duration::try_from_secs_f64(SystemClock::unix_seconds()).unwrap_or_default()
}

/// Waits until the user wants an end.
async fn interrupted(receiver: &mut mpsc::UnboundedReceiver<Arrival>) {
    while let Some(arrival) = receiver.recv().await {
        if matches!(arrival, Arrival::Input(Input::Interrupted)) {
            return;
        }
    }
}
