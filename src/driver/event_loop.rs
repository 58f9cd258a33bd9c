//! The loop around the driver's decisions: wait, hand over, carry out.
//!
//! Responsible for time, connections and results on their way; it decides
//! nothing. One task runs it; threads, connections and timers only send it
//! [`Arrival`]s.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::core::effect::{Delivery, Effect};
use super::core::input::{ConnectionId, Input, Step};
use super::core::record::Record;
use super::core::replay::Replay;
use super::core::work::BlockPlace;
use super::core::{Driver, Over};
use super::journal::Journal;
use super::links::{Arrival, LinkTo};
use super::processes::ProcessRunner;
use super::report::{Listener, Progress};
use crate::clock::SystemClock;
use crate::ids::{JobId, TaskId};
use crate::mesos::call::Call;
use crate::mesos::client::{CallError, Client, Pending};
use crate::rpc::message::{FromDriver, from_driver};
use crate::storage::sink;
use crate::timer::sleep_until;

/// So many arrivals are taken at once at most, before room is offered again.
const BATCH: usize = 1024;

/// A master that is there answers the farewell at once; one that was just
/// replaced takes some seconds until it takes subscriptions.
const FAREWELL: Duration = Duration::from_secs(15);

/// How often a farewell is tried while there is no subscription.
const SUBSCRIBE_AGAIN: Duration = Duration::from_millis(100);

/// Fetches a result that an executor keeps.
pub(super) type FetchResult = Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>>;

/// Makes [`FetchResult`]s: from an executor's address, the attempt.
pub(super) type Fetcher = Arc<dyn Fn(&BlockPlace, TaskId) -> FetchResult + Send + Sync>;

/// Where executors come from, as far as the loop has to act.
pub(super) enum Source {
    /// Threads of this process.
    Threads,
    /// Processes of this machine.
    Processes(ProcessRunner),
    /// Mesos, with a client that has subscribed.
    Mesos(Client),
}

/// What the loop acts with.
pub(super) struct Shell {
    pub(super) clock: SystemClock,
    pub(super) source: Source,
    pub(super) fetcher: Fetcher,
    pub(super) arrivals: mpsc::UnboundedSender<Arrival>,
    /// Where steps are kept, if they are.
    pub(super) journal: Option<Journal>,
}

/// See the module.
pub(super) struct EventLoop<'a> {
    pub(super) driver: Driver,
    shell: Shell,
    listener: &'a mut dyn Listener,
    links: BTreeMap<ConnectionId, LinkTo>,
    /// The last acknowledgement on its way; those before it arrive first.
    acknowledged: Option<Pending>,
    interrupted: bool,
}

impl<'a> EventLoop<'a> {
    pub(super) const fn new(driver: Driver, shell: Shell, listener: &'a mut dyn Listener) -> Self {
        Self {
            driver,
            shell,
            listener,
            links: BTreeMap::new(),
            acknowledged: None,
            interrupted: false,
        }
    }

    /// Goes on where an earlier driver was; what is known at once. Results that
    /// it had printed are printed again: the command that succeeds prints all.
    pub(super) fn go_on(&mut self, replay: Replay) -> Vec<Input> {
        let steps = replay.steps;
        let note = format!("going on with the run of an earlier driver, after {steps} steps");
        self.listener.progress(Progress::Note(note));
        self.interrupted = replay.interrupted;
        for progress in replay.progress {
            self.listener.progress(progress);
        }
        let heard = |input: &Input| match input {
            Input::Delivered { job, .. } => !replay.undelivered.contains(job),
            _ => false,
        };
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
            }
            for arrival in arrived.drain(..) {
                match arrival {
                    Arrival::Connected(connection, link) => {
                        self.links.insert(connection, link);
                    }
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
        let unix_time = Duration::try_from_secs_f64(SystemClock::unix_seconds());
        let step = Step {
            at: self.shell.clock.now(),
            unix_time: unix_time.unwrap_or_default(),
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
                if let Source::Processes(processes) = &mut self.shell.source {
                    processes.start(&executor);
                }
            }
            Effect::KillProcess(executor) => {
                if let Source::Processes(processes) = &mut self.shell.source {
                    processes.kill(&executor);
                }
            }
            Effect::Fetch { task, place } => {
                let fetch = (self.shell.fetcher)(&place, task);
                let arrivals = self.shell.arrivals.clone();
                tokio::spawn(async move {
                    let result = fetch.await;
                    let _ = arrivals.send(Input::Fetched { task, result }.into());
                });
            }
            Effect::Deliver {
                job,
                dataset,
                delivery,
            } => return self.deliver(job, &dataset, delivery),
            Effect::AbortSave { to } => sink::abort_job(&to),
            Effect::Tell(progress) => self.listener.progress(progress),
        }
        None
    }

    fn call(&mut self, call: Call) {
        let Source::Mesos(client) = &self.shell.source else {
            return;
        };
        let acknowledges = matches!(call, Call::Acknowledge { .. });
        // Calls that a broken subscription loses are made good by
        // reconciliation; the master drops offers by itself.
        let pending = client.send(call);
        if acknowledges {
            self.acknowledged = Some(pending);
        }
    }

    /// Hands over the result of a job. Files may take a while.
    fn deliver(&mut self, job: JobId, dataset: &str, delivery: Delivery) -> Option<Input> {
        let printed = match delivery {
            Delivery::Count(records) => self.listener.counted(dataset, records),
            Delivery::Records(records) => {
                let mut records = records.iter();
                records.try_for_each(|lines| self.listener.collected(dataset, lines))
            }
            Delivery::Save {
                to,
                partitions,
                overwrite,
            } => {
                let arrivals = self.shell.arrivals.clone();
                tokio::task::spawn_blocking(move || {
                    let result = sink::commit_job(&to, partitions, overwrite);
                    let result = result.map_err(|error| error.to_string());
                    let _ = arrivals.send(Input::Delivered { job, result }.into());
                });
                return None;
            }
        };
        let result = printed.map_err(|error| format!("cannot write the result: {error}"));
        Some(Input::Delivered { job, result })
    }

    /// Ends all executors and waits until they are gone; an interruption ends the
    /// waiting.
    pub(super) async fn stop(&mut self, receiver: &mut mpsc::UnboundedReceiver<Arrival>) {
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
        // Nothing is left to go on with, whatever becomes of the farewell.
        self.forget();
        match &mut self.shell.source {
            Source::Threads => {}
            Source::Processes(processes) => processes.stop().await,
            // The framework is gone already: there is nobody to say goodbye for.
            Source::Mesos(_) if matches!(self.driver.over(), Some(Over::Removed(_))) => {}
            Source::Mesos(client) => tokio::select! {
                () = farewell(client, self.acknowledged.take()) => {}
                () = interrupted(receiver) => {
                    tracing::warn!("left without ending the framework");
                }
            },
        }
    }
}

/// Waits until the user wants an end.
async fn interrupted(receiver: &mut mpsc::UnboundedReceiver<Arrival>) {
    while let Some(arrival) = receiver.recv().await {
        if matches!(arrival, Arrival::Input(Input::Interrupted)) {
            return;
        }
    }
}

/// Leaves; the master ends all executors with the framework.
async fn farewell(client: &Client, acknowledged: Option<Pending>) {
    let farewell = async {
        if let Some(pending) = acknowledged {
            // Without a subscription the agents keep what they have to say.
            let _ = pending.await;
        }
        loop {
            match client.send(Call::Teardown).await {
                // Lost this moment: it is being sought again.
                Err(CallError::NotSubscribed) => tokio::time::sleep(SUBSCRIBE_AGAIN).await,
                told => return told,
            }
        }
    };
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "could not end the framework"),
        Err(_) => tracing::warn!("the master did not answer the farewell"),
    }
}
