//! HTTP to masters and agents: one request, or one streaming response.
//!
//! Responsible for headers, TLS, time limits and for keeping ordinary calls on
//! one connection of their own. What an answer means is [`super::answer`]'s
//! business; redirects and retries are its callers'.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};

use super::answer::{Answer, SubscribeAnswer, of_subscribe};
use super::codec::Codec;
use super::recordio::{Decoder, RecordIoError};

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
    /// Certificates (PEM) of the authorities to trust instead of the machine's.
    pub authorities: Option<Vec<u8>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the answer to a call may take.
    pub call_timeout: Duration,
    /// Connect to this Unix socket, whatever host the URL names.
    pub unix_socket: Option<PathBuf>,
}

/// The `Authorization` header.
#[derive(Clone)]
pub enum Authentication {
    /// None.
    None,
    /// A framework's principal and secret.
    Basic {
        /// The principal.
        principal: String,
        /// The secret.
        secret: String,
    },
    /// An executor's token.
    Bearer(String),
}

impl std::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(<redacted>)",
            Self::Bearer(_) => "Bearer(<redacted>)",
        })
    }
}

/// A request or a stream that broke. Its text is the cause alone, such as
/// "connection refused"; whoever knows the peer names it.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The settings make no client.
    #[error("{0}")]
    Settings(String),
    /// The peer cannot be reached, or the connection broke.
    #[error("{0}")]
    Transport(String),
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
        Self::Transport(cause.to_string())
    }
}

/// Speaks to peers of one kind.
#[derive(Debug)]
pub struct Http {
    streams: reqwest::Client,
    calls: reqwest::Client,
    config: HttpConfig,
}

/// Connections kept for calls: as many as go on at the same time.
const IDLE_CONNECTIONS: usize = 4;

impl Http {
    /// Prepares to speak; connects to nobody yet.
    ///
    /// # Errors
    /// The authorities are no certificates.
    pub fn new(config: HttpConfig) -> Result<Self, HttpError> {
        // Of several users in one process the first to come installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || -> Result<reqwest::ClientBuilder, HttpError> {
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("mesquite/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .http1_only()
                .no_proxy()
                .tcp_nodelay(true)
                .connect_timeout(config.connect_timeout);
            if let Some(pem) = &config.authorities {
                let certificates = reqwest::Certificate::from_pem_bundle(pem)
                    .ok()
                    .filter(|certificates| !certificates.is_empty())
                    .ok_or_else(|| HttpError::Settings("no certificate in the CA file".into()))?;
                builder = builder.tls_certs_only(certificates);
            }
            if let Some(path) = &config.unix_socket {
                builder = builder.unix_socket(path.clone());
            }
            Ok(builder)
        };
        Ok(Self {
            // A stream is never used again after its end.
            streams: builder()?.pool_max_idle_per_host(0).build()?,
            // Callers that care for order await each answer.
            calls: builder()?
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .timeout(config.call_timeout)
                .build()?,
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
        let response = self.request(&self.streams, url, body).send().await?;
        let mut answer = answer_of(&response);
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
    ) -> Result<Answer, HttpError> {
        let mut request = self.request(&self.calls, url, body);
        if let Some(stream_id) = stream_id {
            request = request.header(STREAM_ID, stream_id);
        }
        let response = request.send().await?;
        let mut answer = answer_of(&response);
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
        let response = self.authenticated(self.calls.get(url)).send().await?;
        match response.status().as_u16() {
            200 => Ok(response.bytes().await?),
            code => Err(HttpError::Transport(format!("status {code}"))),
        }
    }

    fn request(&self, client: &reqwest::Client, url: &str, body: Bytes) -> reqwest::RequestBuilder {
        let media_type = self.config.codec.media_type();
        let request = client
            .post(url)
            .header(CONTENT_TYPE, media_type)
            .header(ACCEPT, media_type)
            .body(body);
        self.authenticated(request)
    }

    fn authenticated(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.config.authentication {
            Authentication::None => request,
            Authentication::Basic { principal, secret } => {
                request.basic_auth(principal, Some(secret))
            }
            Authentication::Bearer(token) => request.bearer_auth(token),
        }
    }
}

fn answer_of(response: &reqwest::Response) -> Answer {
    let header = |headers: &HeaderMap, name: HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned)
    };
    let headers = response.headers();
    Answer {
        code: response.status().as_u16(),
        content_type: header(headers, CONTENT_TYPE),
        location: header(headers, LOCATION),
        stream_id: header(headers, STREAM_ID),
        body: String::new(),
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
