//! A framework's connection to its master: events in, calls out.
//!
//! Responsible for carrying out what [`super::subscription`] decides: one
//! connection for the stream, others for calls in their order, timers, and the
//! watch on ZooKeeper. It decides nothing itself and keeps no offers or tasks.
//!
//! Everything runs in one task that owns the state machine. The connection, the
//! calls and the detector are tasks of their own that only send it messages, so
//! that a slow owner never keeps the stream from being read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::call::{Call, FrameworkInfo};
use super::endpoint::Endpoint;
use super::http::{Authentication, Http, HttpConfig, HttpError};
use super::lane::{Address, Asker, Lane};
pub use super::lane::{CallError, Pending};
use super::listen::{Heard, listen};
use super::subscription::{Action, Dial, Input, Notice, Session, Subscription};
use super::wire::{decode_event, encode_call};
use super::zookeeper::{Detected, Group, detect};
use crate::backoff::BackoffPolicy;
use crate::clock::SystemClock;
use crate::ids::FrameworkId;
use crate::timer::{AbortOnDrop, sleep_until};

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

/// Sends calls. Dropping it ends the subscription, without a teardown.
#[derive(Debug)]
pub struct Client {
    calls: mpsc::UnboundedSender<(Call, Asker)>,
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
        let framework = config.framework.id.clone().unwrap_or_else(fresh_id);
        let subscription =
            Subscription::new(framework, config.backoff, seed(), config.answer_within);
        let shell = Shell {
            subscription,
            framework: config.framework,
            authentication: config.http.authentication,
            told_in_clear: false,
            http,
            clock,
            inputs,
            notices,
            stream: None,
            session: None,
        };
        tokio::spawn(shell.run(config.masters, queue, inbox));
        Ok((Self { calls }, receiver))
    }

    /// Sends a call, after all those sent before it. The order is that of
    /// calling this; the result may be awaited at any time or not at all.
    pub fn send(&self, call: Call) -> Pending {
        let (asker, pending) = Asker::new(call.name());
        // If the shell is gone the asker is dropped, which says the same.
        let _ = self.calls.send((call, asker));
        pending
    }
}

/// An id for a framework that has none.
///
/// Masters give out ids, but take those of frameworks that they do not know: it
/// is how a framework survives the loss of all masters. With an id from the
/// start a SUBSCRIBE can be repeated safely. Without one each repetition makes a
/// new framework, and if the answer was lost (a master that hung was seen to do
/// this) the old one stays, connected as the master believes, and keeps the
/// cluster's offers from everybody.
fn fresh_id() -> FrameworkId {
    format!("mesquite-{}", uuid::Uuid::new_v4()).into()
}

/// Jitter is to differ between processes; nothing else is random here.
fn seed() -> u64 {
    fastrand::Rng::new().u64(..)
}

/// The ways to the master of one subscription.
struct Calls {
    session: Session,
    /// What must arrive in order.
    lane: Lane,
    /// Acknowledgements: nothing depends on when they arrive, and what does
    /// need not wait for so many.
    acknowledgements: Lane,
}

struct Shell {
    subscription: Subscription,
    framework: FrameworkInfo,
    authentication: Authentication,
    /// Whether it was said that others can read it.
    told_in_clear: bool,
    http: Arc<Http>,
    clock: SystemClock,
    inputs: mpsc::Sender<Input>,
    notices: mpsc::UnboundedSender<Notice>,
    stream: Option<AbortOnDrop>,
    session: Option<Calls>,
}

impl Shell {
    async fn run(
        mut self,
        masters: Masters,
        mut queue: mpsc::UnboundedReceiver<(Call, Asker)>,
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
            let deadline = self.subscription.next_deadline();
            tokio::select! {
                Some(input) = inbox.recv() => self.handle(input),
                queued = queue.recv() => match queued {
                    Some((call, asker)) => self.send(&call, asker),
                    None => return self.handle(Input::Stop),
                },
                () = sleep_until(self.clock, deadline) => self.handle(Input::Tick),
            }
        }
    }

    fn handle(&mut self, input: Input) {
        for action in self.subscription.handle(self.clock.now(), input) {
            match action {
                Action::Connect(dial, endpoint, framework) => {
                    self.connect(dial, &endpoint, &framework);
                }
                Action::Disconnect => self.stream = None,
                Action::OpenCalls(session) => self.open_calls(session),
                Action::CloseCalls => self.session = None,
                // Nobody listens any more: the loop ends by itself.
                Action::Deliver(notice) => drop(self.notices.send(notice)),
            }
        }
    }

    fn connect(&mut self, dial: Dial, endpoint: &Endpoint, id: &FrameworkId) {
        if !self.told_in_clear
            && let Some(warning) = self.authentication.in_clear(endpoint)
        {
            tracing::warn!("{warning}");
            self.told_in_clear = true;
        }
        let framework = FrameworkInfo {
            id: Some(id.clone()),
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
        let input = move |heard| match heard {
            Heard::Answered(answer) => Input::Answered(dial, answer),
            Heard::Event(event) => Input::Arrived(dial, event),
            Heard::Broken(why) | Heard::NoTls(why) => Input::Broken(dial, why),
        };
        self.stream = Some(AbortOnDrop::spawn(async move {
            listen(&http, &url, body, decode_event, input, &inputs).await;
        }));
    }

    fn send(&self, call: &Call, asker: Asker) {
        match &self.session {
            Some(calls) => {
                let body = encode_call(self.http.codec(), call, &calls.session.framework);
                match call {
                    Call::Acknowledge { .. } => calls.acknowledgements.send(body, asker),
                    _ => calls.lane.send(body, asker),
                }
            }
            None => asker.answer(Err(CallError::NotSubscribed)),
        }
    }

    fn open_calls(&mut self, session: Session) {
        let dial = session.dial;
        let open = || {
            let address = Address {
                url: session.endpoint.url(PATH),
                stream_id: session.stream_id.clone(),
            };
            let inputs = self.inputs.clone();
            Lane::open(Arc::clone(&self.http), address, async move |why| {
                // Without the shell nobody wants to know.
                let _ = inputs.send(Input::CallsRefused(dial, why)).await;
            })
        };
        self.session = Some(Calls {
            lane: open(),
            acknowledgements: open(),
            session,
        });
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
