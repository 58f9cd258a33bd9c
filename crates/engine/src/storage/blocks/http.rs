//! Requests to block servers.
//!
//! Responsible for HTTP over connections that the [`guard`](crate::rpc::guard)
//! let through, kept for the next request; and for patience: a peer that sends
//! nothing for too long has failed. What is asked is the client's business.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::timeout;
use tower_service::Service;

use crate::rpc::guard::{Guard, GuardError, Stream, Whom};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a peer may send nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Asks the executors of a run. Cheap to clone; clones share connections.
#[derive(Clone)]
pub(super) struct Http(Client<Connector, Full<Bytes>>);

/// An answer: its status, and then its body piece by piece.
pub(super) struct HttpReply {
    pub(super) status: StatusCode,
    body: Incoming,
}

impl Http {
    /// To be called within a runtime.
    pub(super) fn new(guard: Guard) -> Self {
        let client = Client::builder(TokioExecutor::new())
            // Less than the server waits, so that no request meets its end.
            .pool_idle_timeout(super::server::SILENCE / 2)
            .pool_timer(TokioTimer::new())
            .build(Connector(guard));
        Self(client)
    }

    /// Asks the server at `address`; why not, for people, if there is no answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        address: &str,
        path: &str,
        question: Vec<u8>,
    ) -> Result<HttpReply, String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}/{path}"))
            .body(Full::new(Bytes::from(question)))
            .map_err(|error| error.to_string())?;
        let response = timeout(SILENCE, self.0.request(request)).await;
        let response = response.map_err(|_| silent())?;
        let (head, body) = response.map_err(|error| cause(&error))?.into_parts();
        Ok(HttpReply {
            status: head.status,
            body,
        })
    }
}

impl HttpReply {
    /// The next piece; `None` at the end; why not, for people, if it broke off.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            let frame = timeout(SILENCE, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| silent())? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| cause(&error))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }
}

fn silent() -> String {
    "no answer in time".to_owned()
}

/// What a request failed of, without the layers around it.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Makes connections that are proved on both sides.
#[derive(Clone)]
struct Connector(Guard);

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, GuardError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = GuardError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GuardError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Connecting {
        let guard = self.0.clone();
        Box::pin(async move {
            let address = to.authority().map_or("", |it| it.as_str());
            let made = timeout(CONNECT, guard.connect(address, Whom::AnExecutor)).await;
            made.unwrap_or(Err(GuardError::Silent)).map(TokioIo::new)
        })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
