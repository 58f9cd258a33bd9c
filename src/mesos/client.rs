//! A framework's connection to its master: events in, calls out.
//!
//! Responsible for carrying out what [`super::subscription`] decides: one
//! connection for the stream, another for calls in their order, timers, and the
//! watch on ZooKeeper. It decides nothing itself and keeps no offers or tasks.
//!
//! Everything runs in one task that owns the state machine. The connection, the
//! calls and the detector are tasks of their own that only send it messages, so
//! that a slow owner never keeps the stream from being read.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::answer::{CallAnswer, SubscribeAnswer, of_call, of_subscribe};
use super::call::{Call, FrameworkInfo};
use super::endpoint::Endpoint;
use super::http::{Http, HttpConfig, HttpError};
use super::subscription::{Action, Attempt, Input, Notice, Session, Subscription};
use super::wire::{decode_event, encode_call};
use super::zookeeper::{Detected, Group, detect};
use crate::backoff::BackoffPolicy;
use crate::clock::SystemClock;
use crate::ids::FrameworkId;

/// The path of the scheduler API.
const PATH: &str = "/api/v1/scheduler";

/// So many messages of the connection wait for the state machine at most; then
/// the connection waits, which takes microseconds.
const INPUTS: usize = 64;

/// Where the leading master is to be found.
#[derive(Clone, Debug)]
pub enum Masters {
    /// Among these, by asking and by following redirects.
    Listed(Vec<Endpoint>),
    /// In ZooKeeper.
    ZooKeeper(Group),
}

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Who subscribes; with an id to go on as an earlier framework.
    pub framework: FrameworkInfo,
    /// Where the master is.
    pub masters: Masters,
    /// How to speak to it.
    pub http: HttpConfig,
    /// How long a master may take to grant a subscription.
    pub answer_within: Duration,
    /// The pauses between attempts.
    pub backoff: BackoffPolicy,
}

/// A call that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no subscription, or it ended before the call was answered.
    #[error("not sent: there is no subscription with a master")]
    NotSubscribed,
    /// The master refused it.
    #[error("the master refused the call: {0}")]
    Refused(String),
}

/// The answer to a call. May be dropped by who does not care; a call that fails
/// is then logged.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<(), CallError>>);

impl Future for Pending {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(CallError::NotSubscribed)))
    }
}

struct Queued {
    call: Call,
    answer: oneshot::Sender<Result<(), CallError>>,
}

impl Queued {
    fn answer(self, result: Result<(), CallError>) {
        if let Err(Err(error)) = self.answer.send(result) {
            tracing::warn!(call = self.call.name(), %error, "a call failed");
        }
    }
}

/// Sends calls. Dropping it ends the subscription, without a teardown.
#[derive(Debug)]
pub struct Client {
    calls: mpsc::UnboundedSender<Queued>,
}

impl Client {
    /// Starts to subscribe. What happens arrives at the receiver, which is
    /// never full: the master's stream is read promptly whatever the owner does.
    ///
    /// # Errors
    /// The settings make no HTTP client.
    pub fn start(
        config: ClientConfig,
        clock: SystemClock,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Notice>), HttpError> {
        let http = Arc::new(Http::new(config.http.clone())?);
        let (calls, queue) = mpsc::unbounded_channel();
        let (notices, receiver) = mpsc::unbounded_channel();
        let (inputs, inbox) = mpsc::channel(INPUTS);
        let subscription = Subscription::new(
            config.framework.id.clone(),
            config.backoff,
            seed(),
            config.answer_within,
        );
        let shell = Shell {
            subscription,
            framework: config.framework,
            http,
            clock,
            inputs,
            notices,
            stream: None,
            lane: None,
        };
        tokio::spawn(shell.run(config.masters, queue, inbox));
        Ok((Self { calls }, receiver))
    }

    /// Sends a call, after all those sent before it. The order is that of
    /// calling this; the result may be awaited at any time or not at all.
    pub fn send(&self, call: Call) -> Pending {
        let (answer, pending) = oneshot::channel();
        // If the shell is gone the sender is dropped, which says the same.
        let _ = self.calls.send(Queued { call, answer });
        Pending(pending)
    }
}

/// Jitter is to differ between processes; nothing else is random here.
fn seed() -> u64 {
    fastrand::Rng::new().u64(..)
}

/// The calls of one session. When it is dropped the call that is under way is
/// still answered (TEARDOWN is, after the stream that it ends), and those behind
/// it are not sent.
struct Lane {
    queue: mpsc::UnboundedSender<Queued>,
    _open: oneshot::Sender<std::convert::Infallible>,
}

/// Ends a task when it is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl AbortOnDrop {
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future).abort_handle())
    }
}

struct Shell {
    subscription: Subscription,
    framework: FrameworkInfo,
    http: Arc<Http>,
    clock: SystemClock,
    inputs: mpsc::Sender<Input>,
    notices: mpsc::UnboundedSender<Notice>,
    stream: Option<AbortOnDrop>,
    lane: Option<Lane>,
}

impl Shell {
    async fn run(
        mut self,
        masters: Masters,
        mut queue: mpsc::UnboundedReceiver<Queued>,
        mut inbox: mpsc::Receiver<Input>,
    ) {
        let _detector = match masters {
            Masters::Listed(endpoints) => {
                self.handle(Input::LeaderKnown(endpoints));
                None
            }
            Masters::ZooKeeper(group) => {
                Some(AbortOnDrop::spawn(detect_into(group, self.inputs.clone())))
            }
        };
        // Ends when the owner of the client drops it, or with the subscription.
        while !self.notices.is_closed() {
            let deadline = self
                .subscription
                .next_deadline()
                .map(|deadline| Instant::from_std(self.clock.instant_of(deadline)));
            tokio::select! {
                Some(input) = inbox.recv() => self.handle(input),
                queued = queue.recv() => match queued {
                    Some(queued) => self.enqueue(queued),
                    None => return self.handle(Input::Stop),
                },
                () = sleep_until(deadline) => self.handle(Input::Tick),
            }
        }
    }

    fn handle(&mut self, input: Input) {
        for action in self.subscription.handle(self.clock.now(), input) {
            match action {
                Action::Connect(attempt, endpoint, framework) => {
                    self.connect(attempt, &endpoint, framework.as_ref());
                }
                Action::Disconnect => self.stream = None,
                Action::OpenCalls(session) => self.lane = Some(self.open_lane(session)),
                Action::CloseCalls => self.lane = None,
                // Nobody listens any more: the loop ends by itself.
                Action::Deliver(notice) => drop(self.notices.send(notice)),
            }
        }
    }

    fn connect(&mut self, attempt: Attempt, endpoint: &Endpoint, id: Option<&FrameworkId>) {
        let framework = FrameworkInfo {
            id: id.cloned(),
            ..self.framework.clone()
        };
        let subscribe = Call::Subscribe {
            framework,
            suppressed: Vec::new(),
        };
        let body = encode_call(self.http.codec(), &subscribe, id);
        let http = Arc::clone(&self.http);
        let url = endpoint.url(PATH);
        let inputs = self.inputs.clone();
        self.stream = Some(AbortOnDrop::spawn(async move {
            let why = subscribe_and_read(&http, &url, body, attempt, &inputs).await;
            if let Err(why) = why {
                // Without the shell nobody wants to know.
                let _ = inputs.send(Input::Broken(attempt, why)).await;
            }
        }));
    }

    fn enqueue(&mut self, queued: Queued) {
        match &self.lane {
            Some(lane) => {
                if let Err(mpsc::error::SendError(queued)) = lane.queue.send(queued) {
                    queued.answer(Err(CallError::NotSubscribed));
                }
            }
            None => queued.answer(Err(CallError::NotSubscribed)),
        }
    }

    fn open_lane(&self, session: Session) -> Lane {
        let (queue, calls) = mpsc::unbounded_channel();
        let (open, closed) = oneshot::channel();
        let http = Arc::clone(&self.http);
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let attempt = session.attempt;
            if let Some(why) = work_off(&http, &session, calls, closed).await {
                let _ = inputs.send(Input::CallsRefused(attempt, why)).await;
            }
        });
        Lane { queue, _open: open }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn detect_into(group: Group, inputs: mpsc::Sender<Input>) {
    let (sender, mut changes) = mpsc::channel(1);
    let _detector = AbortOnDrop::spawn(detect(group, sender));
    while let Some(detected) = changes.recv().await {
        let input = match detected {
            Detected::Leader(endpoint) => Input::LeaderKnown(vec![endpoint]),
            Detected::Nobody(why) => Input::LeaderUnknown(why),
        };
        if inputs.send(input).await.is_err() {
            return;
        }
    }
}

/// Reads a subscription until it breaks, which is its error. It ends well if
/// there is no stream, which its answer says, or nobody to read it.
async fn subscribe_and_read(
    http: &Http,
    url: &str,
    body: Bytes,
    attempt: Attempt,
    inputs: &mpsc::Sender<Input>,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (answer, mut stream) = http.subscribe(url, body).await.map_err(|it| text(&it))?;
    let meaning = of_subscribe(&answer, http.codec().media_type());
    let is_stream = matches!(meaning, SubscribeAnswer::Stream { .. });
    let answered = inputs.send(Input::Answered(attempt, meaning)).await;
    if !is_stream || answered.is_err() {
        return Ok(());
    }
    loop {
        let record = stream.next_record().await.map_err(|it| text(&it))?;
        let event = decode_event(http.codec(), record).map_err(|it| text(&it))?;
        if inputs.send(Input::Arrived(attempt, event)).await.is_err() {
            return Ok(());
        }
    }
}

/// Sends calls one after the other, for the master keeps their order only then,
/// until the session is closed. Says why if a call finds it to be over.
async fn work_off(
    http: &Http,
    session: &Session,
    mut calls: mpsc::UnboundedReceiver<Queued>,
    mut closed: oneshot::Receiver<std::convert::Infallible>,
) -> Option<String> {
    let url = session.endpoint.url(PATH);
    loop {
        let queued = tokio::select! {
            biased;
            _ = &mut closed => return None,
            queued = calls.recv() => queued?,
        };
        let body = encode_call(http.codec(), &queued.call, Some(&session.framework));
        let answer = http.call(&url, session.stream_id.as_deref(), body).await;
        match answer.map(|answer| of_call(&answer)) {
            Ok(CallAnswer::Taken) => queued.answer(Ok(())),
            Ok(CallAnswer::Refused { why }) => queued.answer(Err(CallError::Refused(why))),
            Ok(CallAnswer::NotSubscribed { why }) => {
                queued.answer(Err(CallError::NotSubscribed));
                return Some(why);
            }
            Err(error) => {
                queued.answer(Err(CallError::NotSubscribed));
                return Some(error.to_string());
            }
        }
    }
}
