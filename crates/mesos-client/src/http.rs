//! HTTP to masters and agents: one request, or one streaming response.
//!
//! Responsible for headers, time limits, for sending once more what was refused
//! for a secret that was renewed meanwhile, and for keeping ordinary calls on
//! one connection of their own. What an answer means is [`super::response`]'s
//! business; redirects and retries are its callers'.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};

pub use super::authentication::{Authentication, Kept};
use super::authentication::{Credential, KeptError};
use super::codec::Codec;
use super::recordio::{Decoder, RecordIoError};
use super::response::{Response, SubscribeAnswer, of_subscribe};
use super::tls::{self, Tls};

const STREAM_ID: HeaderName = HeaderName::from_static("mesos-stream-id");

/// So much of an error's body is read.
const MAX_BODY: usize = 8 * 1024;

/// How to speak to the peer.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The encoding of messages.
    pub codec: Codec,
    /// Who we are.
    pub authentication: Authentication,
    /// How `https` is spoken.
    pub tls: Tls,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the answer to a call may take.
    pub call_timeout: Duration,
    /// Connect to this Unix socket, whatever host the URL names.
    pub unix_socket: Option<PathBuf>,
}

/// A request or a stream that broke. Its text is the cause alone, such as
/// "connection refused"; whoever knows the peer names it.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The settings make no client.
    #[error("{0}")]
    Settings(String),
    /// There is nothing to prove ourselves by.
    #[error(transparent)]
    Authentication(#[from] KeptError),
    /// The peer cannot be reached, or the connection broke.
    #[error("{0}")]
    Transport(String),
    /// The peer was reached, and no TLS came about: it speaks none, or one side does
    /// not believe the other.
    #[error("{0}")]
    Tls(String),
    /// The peer's bytes are no event stream.
    #[error(transparent)]
    RecordIo(#[from] RecordIoError),
    /// The peer closed the stream, between two records.
    #[error("it closed the event stream")]
    Closed,
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            return Self::Transport("no answer in time".into());
        }
        // The outer errors only repeat the URL; the innermost says what failed.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let of_system: Option<&io::Error> = cause.downcast_ref();
        if let Some(of_tls) = of_system.and_then(tls::within) {
            return Self::Tls(tls::explained(of_tls));
        }
        if let Some(why) = of_system.and_then(tls::cut_off)
            && error.is_connect()
        {
            return Self::Tls(why);
        }
        Self::Transport(cause.to_string())
    }
}

/// Speaks to peers of one kind.
#[derive(Debug)]
pub struct Http {
    streams: reqwest::Client,
    calls: reqwest::Client,
    credential: Credential,
    config: HttpConfig,
}

/// No answer that is taken whole is longer, so that no peer fills the memory: the agents of
/// a master take some kilobytes each.
const LONGEST_ANSWER: usize = 256 << 20;

/// Connections kept for calls: as many as go on at the same time.
const IDLE_CONNECTIONS: usize = 4;

impl Http {
    /// Prepares to speak; connects to nobody yet.
    ///
    /// # Errors
    /// There is nothing to prove ourselves by.
    pub fn new(config: HttpConfig) -> Result<Self, HttpError> {
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("mesquite/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .http1_only()
                .no_proxy()
                .tcp_nodelay(true)
                .connect_timeout(config.connect_timeout)
                .tls_backend_preconfigured(config.tls.config());
            match &config.unix_socket {
                Some(path) => builder.unix_socket(path.clone()),
                None => builder,
            }
        };
        let failed = |error: reqwest::Error| HttpError::Settings(error.to_string());
        // A stream is never used again after its end.
        let streams = builder().pool_max_idle_per_host(0).build();
        // Callers that care for order await each answer.
        let calls = builder()
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .timeout(config.call_timeout)
            .build();
        Ok(Self {
            streams: streams.map_err(failed)?,
            calls: calls.map_err(failed)?,
            credential: Credential::new(config.authentication.clone())?,
            config,
        })
    }

    /// The encoding of messages.
    pub const fn codec(&self) -> Codec {
        self.config.codec
    }

    /// Sends SUBSCRIBE. The events can only be read if the answer is a stream.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn subscribe(
        &self,
        url: &str,
        body: Bytes,
    ) -> Result<(SubscribeAnswer, EventStream), HttpError> {
        // Between two subscriptions there was time to renew it.
        self.credential.read_again().await;
        let response = self
            .send(|| self.request(&self.streams, url, &body))
            .await?;
        let mut answer = self.answer_of(&response);
        let mut stream = EventStream {
            response,
            decoder: Decoder::default(),
        };
        if answer.code != 200 {
            // Bodies of streams have no time limit; one that explains has.
            let body = tokio::time::timeout(self.config.call_timeout, stream.read_body()).await;
            answer.body = body.unwrap_or_default();
        }
        let meaning = of_subscribe(&answer, self.config.codec.media_type());
        Ok((meaning, stream))
    }

    /// Sends any other call.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn call(
        &self,
        url: &str,
        stream_id: Option<&str>,
        body: Bytes,
    ) -> Result<Response, HttpError> {
        let request = || {
            let request = self.request(&self.calls, url, &body);
            match stream_id {
                Some(stream_id) => request.header(STREAM_ID, stream_id),
                None => request,
            }
        };
        let response = self.send(request).await?;
        let mut answer = self.answer_of(&response);
        let mut stream = EventStream {
            response,
            decoder: Decoder::default(),
        };
        answer.body = stream.read_body().await;
        Ok(answer)
    }

    /// The body of a GET.
    ///
    /// # Errors
    /// There was no answer, or one that is not 200.
    pub async fn get(&self, url: &str) -> Result<Bytes, HttpError> {
        match self.ask(url).await? {
            (200, body) => Ok(body),
            (code, _) => Err(HttpError::Transport(format!("status {code}"))),
        }
    }

    /// The status and the body of a GET.
    ///
    /// # Errors
    /// There was no answer, or one without end.
    pub async fn ask(&self, url: &str) -> Result<(u16, Bytes), HttpError> {
        let mut response = self.send(|| self.calls.get(url)).await?;
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST_ANSWER {
                let most = LONGEST_ANSWER >> 20;
                let why = format!("an answer of more than {most} MiB");
                return Err(HttpError::Transport(why));
            }
        }
        Ok((response.status().as_u16(), body.freeze()))
    }

    fn request(
        &self,
        client: &reqwest::Client,
        url: &str,
        body: &Bytes,
    ) -> reqwest::RequestBuilder {
        let media_type = self.config.codec.media_type();
        client
            .post(url)
            .header(CONTENT_TYPE, media_type)
            .header(ACCEPT, media_type)
            .body(body.clone())
    }

    /// Sends a request; once more if it was refused for a secret that has been
    /// renewed. A peer that answers 401 has done nothing with it.
    async fn send(
        &self,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let send = |header: Option<&HeaderValue>| {
            let request = request();
            let request = match header {
                Some(header) => request.header(AUTHORIZATION, header),
                None => request,
            };
            request.send()
        };
        let sent = self.credential.header();
        let response = send(sent.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        self.credential.read_again().await;
        let renewed = self.credential.header();
        if renewed == sent {
            return Ok(response);
        }
        send(renewed.as_ref()).await
    }

    fn answer_of(&self, response: &reqwest::Response) -> Response {
        let header = |headers: &HeaderMap, name: HeaderName| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(ToOwned::to_owned)
        };
        let headers = response.headers();
        Response {
            code: response.status().as_u16(),
            content_type: header(headers, CONTENT_TYPE),
            location: header(headers, LOCATION),
            stream_id: header(headers, STREAM_ID),
            sent: self.credential.what(),
            body: String::new(),
        }
    }
}

/// The events of a subscription, as records.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    decoder: Decoder,
}

impl EventStream {
    /// The next record.
    ///
    /// # Errors
    /// The stream ended or broke, or is no RecordIO.
    pub async fn next_record(&mut self) -> Result<Bytes, HttpError> {
        loop {
            if let Some(record) = self.decoder.next_record()? {
                return Ok(record);
            }
            match self.response.chunk().await? {
                Some(chunk) => self.decoder.push(&chunk),
                None => {
                    self.decoder.finish()?;
                    return Err(HttpError::Closed);
                }
            }
        }
    }

    /// The start of a body that is no stream, for people.
    async fn read_body(&mut self) -> String {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = self.response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= MAX_BODY {
                break;
            }
        }
        body.truncate(MAX_BODY);
        String::from_utf8_lossy(&body).into_owned()
    }
}
