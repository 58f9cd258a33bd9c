//! Who may ask, and how.
//!
//! Responsible for connections: how many there are, how long they last, how much they
//! may say, and for the head of every answer. Whoever asks has proved nothing, so all of
//! that is limited. What is answered is the business of whoever is served.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::body::{Body, whole};
use crate::login::Login;

/// A peer has so long to say what it wants, the next time as well.
const HEAD: Duration = Duration::from_secs(15);

/// And no more bytes than this, in so many headers.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;

/// No connection lasts longer, however slowly its peer reads.
const LONGEST: Duration = Duration::from_secs(600);

/// The kind of pages.
pub const HTML: &str = "text/html; charset=utf-8";

/// The kind of what programs ask for.
pub const JSON: &str = "application/json";

/// An answer, its kind and what it says.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Its kind, such as `text/html; charset=utf-8`.
    pub kind: &'static str,
    /// More of its head.
    pub more: Vec<(HeaderName, String)>,
    /// What it says.
    pub body: Body,
}

/// Plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";

impl Answer {
    /// One that went well.
    pub const fn ok(kind: &'static str, body: Body) -> Self {
        Self {
            status: StatusCode::OK,
            kind,
            more: Vec::new(),
            body,
        }
    }

    /// A refusal, in a few words.
    pub fn refusal(status: StatusCode, words: impl Into<String>) -> Self {
        Self {
            status,
            kind: TEXT,
            more: Vec::new(),
            body: whole(words.into() + "\n"),
        }
    }

    /// There is no such thing.
    pub fn not_found(words: impl Into<String>) -> Self {
        Self::refusal(StatusCode::NOT_FOUND, words)
    }

    /// With a line more in its head.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: String) -> Self {
        self.more.push((name, value));
        self
    }
}

/// What is asked: a path and a query.
pub struct PageRequest {
    /// The path, as it was sent.
    pub path: String,
    /// The query; empty if there is none.
    pub query: String,
    /// The number of what came last, if a stream is gone on with.
    pub last: Option<u64>,
}

/// Something that answers.
pub trait Serves: Send + Sync + 'static {
    /// Who has to log in for that, if not everybody is answered.
    fn login(&self) -> Option<&Login> {
        None
    }

    /// The answer.
    fn answer(self: Arc<Self>, asked: PageRequest) -> impl Future<Output = Answer> + Send;
}

/// Serves for as long as it is polled. So many connections there are at once; for another
/// one the oldest is given up.
pub async fn serve(listener: TcpListener, serves: Arc<impl Serves>, most: usize) {
    let is_loopback = listener.local_addr().is_ok_and(|it| it.ip().is_loopback());
    // All end with the server.
    let mut connections = JoinSet::new();
    let mut oldest: std::collections::VecDeque<AbortHandle> = std::collections::VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    if connections.len() >= most {
                        oldest.retain(|it| !it.is_finished());
                        if let Some(oldest) = oldest.pop_front() {
                            oldest.abort();
                        }
                    }
                    let serves = Arc::clone(&serves);
                    oldest.push_back(connections.spawn(speak(stream, from, is_loopback, serves)));
                }
                // Out of file descriptors, most likely: some will come free.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => oldest.retain(|it| !it.is_finished()),
        }
    }
}

async fn speak(stream: TcpStream, from: SocketAddr, is_loopback: bool, serves: Arc<impl Serves>) {
    let service = service_fn(|request: Request<Incoming>| {
        let serves = Arc::clone(&serves);
        async move {
            let refusal = refused(&request, is_loopback);
            let answer = match refusal.or_else(|| unknown(&request, serves.login())) {
                Some(refusal) => refusal,
                None => {
                    let asked = PageRequest {
                        path: request.uri().path().to_owned(),
                        query: request.uri().query().unwrap_or_default().to_owned(),
                        last: last(&request),
                    };
                    serves.answer(asked).await
                }
            };
            Ok::<_, Infallible>(response(answer))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(LONGEST, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%from, %error, "a connection ended"),
        Err(_) => tracing::debug!(%from, "gave up a connection that lasted too long"),
    }
}

fn last(request: &Request<Incoming>) -> Option<u64> {
    let header = request.headers().get("last-event-id")?;
    header.to_str().ok()?.parse().ok()
}

fn refused(request: &Request<Incoming>, is_loopback: bool) -> Option<Answer> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let words = "this can be read, and nothing else";
        let refusal = Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, words);
        return Some(refusal.with(ALLOW, "GET, HEAD".to_owned()));
    }
    let host = request.headers().get(HOST).map(HeaderValue::to_str);
    let is_ours = matches!(host, Some(Ok(host)) if is_of_this_machine(host));
    (is_loopback && !is_ours).then(|| {
        // A page from elsewhere whose name is made to lead here must not read along.
        let words = "ask for localhost: this is for users of this machine";
        Answer::refusal(StatusCode::FORBIDDEN, words)
    })
}

/// What whoever has not logged in is told.
fn unknown(request: &Request<Incoming>, login: Option<&Login>) -> Option<Answer> {
    let is_known = login.is_none_or(|it| it.admits(request.headers()));
    (!is_known).then(|| {
        let words = "a password is needed to see this";
        let asks = "Basic realm=\"mesquite\", charset=\"UTF-8\"";
        Answer::refusal(StatusCode::UNAUTHORIZED, words).with(WWW_AUTHENTICATE, asks.to_owned())
    })
}

/// Whether a `Host` names this machine as nobody else can.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Nothing is fetched from elsewhere, no script runs, nobody shows us in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in answer.more {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_this_machine_is_an_address_or_localhost() {
        for host in [
            "localhost",
            "LOCALHOST:18080",
            "127.0.0.1:1",
            "[::1]:80",
            "10.0.0.7",
        ] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil:1",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
