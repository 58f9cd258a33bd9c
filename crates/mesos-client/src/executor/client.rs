//! An executor's connection to its agent.
//!
//! Responsible for carrying out what [`super::session`] decides: the stream,
//! the calls in their order, timers. One task owns the state machine; the
//! connection and the calls only send it messages.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxBuildHasher;
use tokio::sync::mpsc;

use super::environment::ExecutorEnvironment;
use super::session::{Action, Dial, ExecutorSession, Input, Notice, SessionPolicy};
use super::trust;
use super::wire::{Caller, decode_event};
use crate::clock::SystemClock;
use crate::codec::Codec;
use crate::endpoint::Scheme;
use crate::http::{Authentication, Http, HttpConfig, HttpError};
use crate::ids::MesosTaskId;
use crate::lane::{Address, Asker, CallError, Lane};
use crate::listen::{Heard, listen};
use crate::task::TaskStatus;
use crate::timer::{AbortOnDrop, sleep_until};
use crate::tls::Tls;

/// The agent is on the same host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// An agent that is busy recovering answers 503; one that says nothing is stuck.
const CALL_TIMEOUT: Duration = Duration::from_secs(75);
/// So many messages of the connection wait for the state machine at most.
const INPUTS: usize = 64;
/// So many statuses are on their way to the agent at once at most.
const LANES: usize = 4;

/// Sends statuses. Dropping it ends the session.
#[derive(Debug)]
pub struct ExecutorClient {
    statuses: mpsc::UnboundedSender<TaskStatus>,
}

impl ExecutorClient {
    /// Starts to subscribe with the agent of that host name. What happens arrives
    /// at the receiver.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn start(
        environment: &ExecutorEnvironment,
        host: &str,
        clock: SystemClock,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Notice>), HttpError> {
        // In a container with a file system of its own it may not be there.
        let socket = environment
            .domain_socket
            .clone()
            .filter(|path| path.exists());
        let mut endpoint = environment.endpoint.clone();
        let tls = match &environment.tls {
            // Agents speak no TLS on a socket of their own host.
            Some(_) if socket.is_some() => {
                endpoint.scheme = Scheme::Http;
                Tls::unused()
            }
            Some(tls) => trust::load(tls, host)?,
            None => Tls::unused(),
        };
        let http = Http::new(HttpConfig {
            codec: Codec::Protobuf,
            authentication: match &environment.token {
                Some(token) => Authentication::Bearer(token.clone().into()),
                None => Authentication::None,
            },
            tls,
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            unix_socket: socket,
        })?;
        let policy = SessionPolicy {
            recovery_timeout: environment.recovery_timeout,
            backoff: environment.subscription_backoff,
        };
        let (statuses, outgoing) = mpsc::unbounded_channel();
        let (notices, receiver) = mpsc::unbounded_channel();
        let (inputs, inbox) = mpsc::channel(INPUTS);
        let shell = Shell {
            session: ExecutorSession::new(clock.now(), policy, fastrand::u64(..)),
            caller: Caller {
                framework: environment.framework.clone(),
                executor: environment.executor.clone(),
            },
            url: endpoint.url(&environment.path),
            http: Arc::new(http),
            clock,
            inputs,
            notices,
            stream: None,
            lanes: Vec::new(),
        };
        tokio::spawn(shell.run(outgoing, inbox));
        Ok((Self { statuses }, receiver))
    }

    /// Sends a status until the agent has it; [`Notice::Settled`] then names its
    /// uuid. The order of a task's statuses is kept.
    pub fn send(&self, status: TaskStatus) {
        // Without the shell there is no session, and the owner has been told.
        let _ = self.statuses.send(status);
    }
}

struct Shell {
    session: ExecutorSession,
    caller: Caller,
    url: String,
    http: Arc<Http>,
    clock: SystemClock,
    inputs: mpsc::Sender<Input>,
    notices: mpsc::UnboundedSender<Notice>,
    stream: Option<AbortOnDrop>,
    /// Statuses of one task go by one lane, which keeps their order; those of
    /// many tasks need not wait for each other.
    lanes: Vec<Lane>,
}

impl Shell {
    async fn run(
        mut self,
        mut outgoing: mpsc::UnboundedReceiver<TaskStatus>,
        mut inbox: mpsc::Receiver<Input>,
    ) {
        loop {
            let deadline = self.session.next_deadline();
            let input = tokio::select! {
                Some(input) = inbox.recv() => input,
                status = outgoing.recv() => match status {
                    Some(status) => Input::Status(status),
                    None => return,
                },
                () = sleep_until(self.clock, deadline) => Input::Tick,
            };
            self.handle(input);
        }
    }

    fn handle(&mut self, input: Input) {
        for action in self.session.handle(self.clock.now(), input) {
            match action {
                Action::Connect(dial, tasks, statuses) => {
                    let body = self.caller.subscribe(self.http.codec(), &tasks, &statuses);
                    self.connect(dial, body);
                }
                Action::Disconnect => {
                    self.stream = None;
                    self.lanes.clear();
                }
                Action::OpenCalls(dial) => self.open_calls(dial),
                Action::Send(status) => self.send(&status),
                // Nobody listens any more: the loop ends by itself.
                Action::Deliver(notice) => drop(self.notices.send(notice)),
            }
        }
    }

    fn connect(&mut self, dial: Dial, body: Bytes) {
        let http = Arc::clone(&self.http);
        let url = self.url.clone();
        let inputs = self.inputs.clone();
        let input = move |heard| match heard {
            Heard::Answered(answer) => Input::Answered(dial, answer),
            Heard::Event(event) => Input::Arrived(dial, event),
            Heard::Broken(why) => Input::Broken(dial, why),
            Heard::NoTls(why) => Input::NoTls(dial, why),
        };
        self.stream = Some(AbortOnDrop::spawn(async move {
            listen(&http, &url, body, decode_event, input, &inputs).await;
        }));
    }

    fn open_calls(&mut self, dial: Dial) {
        let open = |_| {
            let inputs = self.inputs.clone();
            let address = Address {
                url: self.url.clone(),
                stream_id: None,
            };
            Lane::open(Arc::clone(&self.http), address, async move |why| {
                let _ = inputs.send(Input::Broken(dial, why)).await;
            })
        };
        self.lanes = (0..LANES).map(open).collect();
    }

    /// The lane of a task.
    fn lane(&self, task: &MesosTaskId) -> Option<&Lane> {
        let hash = FxBuildHasher.hash_one(task);
        self.lanes
            .get(usize::try_from(hash >> 32).unwrap_or(0) % LANES)
    }

    fn send(&self, status: &TaskStatus) {
        let (Some(lane), Some(uuid)) = (self.lane(&status.task), status.uuid) else {
            return;
        };
        let (asker, pending) = Asker::new("UPDATE");
        lane.send(self.caller.update(self.http.codec(), status), asker);
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            if let Err(CallError::Refused(refusal)) = pending.await {
                tracing::error!(%refusal, "the agent refused a status");
                let _ = inputs.send(Input::StatusRefused(uuid)).await;
            }
        });
    }
}
