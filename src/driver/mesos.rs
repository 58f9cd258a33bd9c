//! Executors from Mesos, in coarse mode: the shell around
//! [`MesosCoarse`].
//!
//! Responsible for carrying out what the backend says: calls to the master, and
//! the farewell at the end.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use super::cluster::{Over, Provider, Told};
use super::report::Progress;
use crate::backend::mesos_coarse::{Action, Input, MesosCoarse};
use crate::clock::{SystemClock, Timestamp};
use crate::ids::{ExecutorId, Host};
use crate::mesos::call::Call;
use crate::mesos::client::Client;
use crate::mesos::subscription::Notice;

/// A master that is there answers the farewell at once.
const FAREWELL: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct MesosExecutors {
    backend: MesosCoarse,
    client: Client,
}

impl MesosExecutors {
    /// With a client that has subscribed.
    pub(super) const fn new(backend: MesosCoarse, client: Client) -> Self {
        Self { backend, client }
    }

    fn handle(&mut self, now: Timestamp, input: Input) -> Told {
        let unix_time = Duration::try_from_secs_f64(SystemClock::unix_seconds());
        let mut told = Told::default();
        for action in self
            .backend
            .handle(now, unix_time.unwrap_or_default(), input)
        {
            match action {
                // Calls that a broken subscription loses are made good by
                // reconciliation; the master drops offers by itself.
                Action::Call(call) => drop(self.client.send(call)),
                Action::Lost { executor, reason } => told.lost.push((executor, reason)),
                Action::Note(text) => told.notes.push(Progress::Note(text)),
            }
        }
        told
    }
}

impl Provider for MesosExecutors {
    fn start(&mut self, now: Timestamp) -> Told {
        self.handle(now, Input::Subscribed)
    }

    fn registered(&mut self, now: Timestamp, executor: &ExecutorId) -> Told {
        self.handle(now, Input::Registered(executor.clone()))
    }

    fn disconnected(&mut self, now: Timestamp, executor: &ExecutorId) -> Told {
        self.handle(now, Input::ConnectionLost(executor.clone()))
    }

    fn wanted(&mut self, now: Timestamp, cores: u64) -> Told {
        self.handle(now, Input::Wanted(cores))
    }

    fn exclude(&mut self, now: Timestamp, hosts: Vec<Host>) -> Told {
        self.handle(now, Input::ExcludeHosts(hosts))
    }

    fn end(&mut self, now: Timestamp, executor: &ExecutorId) -> Told {
        self.handle(now, Input::End(executor.clone()))
    }

    fn heard(&mut self, now: Timestamp, notice: Notice) -> Told {
        let note = |text| Told {
            notes: vec![Progress::Note(text)],
            ..Told::default()
        };
        match notice {
            Notice::Subscribed { endpoint, .. } => {
                let mut told = self.handle(now, Input::Subscribed);
                let text = format!("subscribed again with the master at {endpoint}");
                told.notes.push(Progress::Note(text));
                told
            }
            Notice::Event(event) => self.handle(now, Input::Event(event)),
            Notice::Disconnected { why } => {
                let mut told = self.handle(now, Input::Disconnected);
                let text = format!("lost the master; executors go on: {why}");
                told.notes.push(Progress::Warning(text));
                told
            }
            Notice::Failing { why } => note(format!("cannot reach the master: {why}")),
            Notice::Ended(end) => Told {
                over: Some(Over::Removed(end.to_string())),
                ..Told::default()
            },
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.backend.next_deadline()
    }

    fn time_passed(&mut self, now: Timestamp) -> Told {
        self.handle(now, Input::Tick)
    }

    fn why_nothing_runs(&self) -> Option<String> {
        self.backend.why_nothing_runs()
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // It ends all executors with the framework.
            match timeout(FAREWELL, self.client.send(Call::Teardown)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "could not end the framework"),
                Err(_) => tracing::warn!("the master did not answer the farewell"),
            }
        })
    }
}
