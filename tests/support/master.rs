//! A master on loopback that does as a test says, to the byte.
//!
//! It reads requests and hands them to the test, which answers them or does not:
//! a request that is dropped stays unanswered and its connection open. What the
//! test answers is written in its order without being waited for. When the
//! [`Master`] is dropped its listener and all connections are closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::endpoint::Endpoint;
use mesquite::mesos::proto::scheduler::{self, call};
use mesquite::mesos::recordio;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::events;

/// Longer than anything here takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Master {
    endpoint: Endpoint,
    requests: mpsc::UnboundedReceiver<Request>,
    connections: Arc<AtomicUsize>,
    _listening: JoinSet<()>,
}

impl Master {
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// A master that speaks TLS; whoever is not let in sends no request.
    pub async fn with_tls(tls: TlsAcceptor) -> Self {
        Self::listen(Some(tls)).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connected = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let number = accepted.fetch_add(1, Ordering::Relaxed) + 1;
                connected.spawn(serve(socket, tls.clone(), number, sender.clone()));
            }
        });
        Self {
            endpoint: format!("{scheme}://{address}")
                .parse()
                .expect("an endpoint"),
            requests,
            connections,
            _listening: listening,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// `host:port`.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.endpoint.host, self.endpoint.port)
    }

    /// How many connections there have been so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The next request, on whatever connection.
    pub async fn next(&mut self) -> Request {
        timeout(PATIENCE, self.requests.recv())
            .await
            .expect("a request comes in time")
            .expect("the master runs")
    }

    /// The next request, which is a SUBSCRIBE.
    pub async fn subscribe(&mut self) -> Request {
        let request = self.next().await;
        assert_eq!(request.name(), "SUBSCRIBE");
        request
    }

    /// Whether a request has come that was not taken with [`Self::next`].
    pub fn has_request(&self) -> bool {
        !self.requests.is_empty()
    }
}

async fn serve(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    number: usize,
    to: mpsc::UnboundedSender<Request>,
) {
    socket.set_nodelay(true).expect("an open socket");
    match tls {
        None => speak(socket, number, to).await,
        Some(tls) => {
            if let Ok(socket) = tls.accept(socket).await {
                speak(socket, number, to).await;
            }
        }
    }
}

async fn speak(
    socket: impl AsyncRead + AsyncWrite + Send,
    number: usize,
    to: mpsc::UnboundedSender<Request>,
) {
    let (reader, writer) = tokio::io::split(socket);
    let (writes, queue) = mpsc::unbounded_channel();
    let (alive, client) = watch::channel(());
    let connection = Connection {
        number,
        writes,
        client,
    };
    tokio::join!(write(writer, queue), async move {
        let mut reader = BufReader::new(reader);
        while let Some((head, body)) = read_request(&mut reader).await {
            let request = Request::new(connection.clone(), head, body);
            // The test may want no more of them.
            let _ = to.send(request);
        }
        drop(alive);
    });
}

/// Writes what the test wants written; an empty piece closes the connection. A
/// client that has gone does not hear it, which is nothing to a master.
async fn write(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        let written = match &bytes[..] {
            [] => writer.shutdown().await,
            bytes => writer.write_all(bytes).await,
        };
        if written.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

/// The lines of the head and the bytes of the body; `None` when the client has
/// closed the connection.
async fn read_request(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length = header(&head, "content-length").map_or(0, |it| it.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[derive(Clone)]
struct Connection {
    number: usize,
    writes: mpsc::UnboundedSender<Vec<u8>>,
    /// Its sender is gone when the client has closed the connection.
    client: watch::Receiver<()>,
}

impl Connection {
    fn write(&self, bytes: &[u8]) {
        let _ = self.writes.send(bytes.to_vec());
    }

    fn close(&self) {
        self.write(&[]);
    }

    async fn left(&self) {
        let mut client = self.client.clone();
        let left = async { while client.changed().await.is_ok() {} };
        timeout(PATIENCE, left)
            .await
            .expect("the client closes the connection in time");
    }
}

pub struct Request {
    head: Vec<String>,
    pub call: scheduler::Call,
    connection: Connection,
}

impl Request {
    fn new(connection: Connection, head: Vec<String>, body: Vec<u8>) -> Self {
        let codec = codec(header(&head, "content-type"));
        let call = codec.decode(Bytes::from(body)).expect("a call");
        Self {
            head,
            call,
            connection,
        }
    }

    /// Such as `POST /api/v1/scheduler HTTP/1.1`.
    pub fn line(&self) -> &str {
        &self.head[0]
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Which connection it came on, counted from one.
    pub fn connection(&self) -> usize {
        self.connection.number
    }

    /// The type of the call.
    pub fn name(&self) -> &'static str {
        call::Type::try_from(self.call.r#type.unwrap_or_default())
            .unwrap_or(call::Type::Unknown)
            .as_str_name()
    }

    pub fn framework_id(&self) -> Option<&str> {
        self.call.framework_id.as_ref().map(|id| id.value.as_str())
    }

    /// Writes these bytes, whatever they are.
    pub fn write(&self, bytes: &[u8]) {
        self.connection.write(bytes);
    }

    /// Closes the connection.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Waits until the client has closed the connection.
    pub async fn left(&self) {
        self.connection.left().await;
    }

    pub fn answer(&self, code: u16, body: &str) {
        self.answer_with(code, &[], body);
    }

    /// Answers with these headers too, each `Name: value`.
    pub fn answer_with(&self, code: u16, headers: &[&str], body: &str) {
        let mut answer = format!("HTTP/1.1 {code} -\r\nContent-Length: {}\r\n", body.len());
        for header in headers {
            answer.push_str(header);
            answer.push_str("\r\n");
        }
        answer.push_str("\r\n");
        answer.push_str(body);
        self.write(answer.as_bytes());
    }

    pub fn redirect(&self, location: &str) {
        self.answer_with(307, &[&format!("Location: {location}")], "");
    }

    /// Answers with the head of an event stream, and nothing more yet. The
    /// stream's id is `stream-` and the connection's number.
    pub fn stream(&self) -> Stream {
        let codec = codec(self.header("accept"));
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: stream-{}\r\n\r\n",
            codec.media_type(),
            self.connection()
        );
        self.write(head.as_bytes());
        Stream {
            connection: self.connection.clone(),
            codec,
        }
    }

    /// Grants the subscription to the framework of that id.
    pub fn grant(&self, framework: &str) -> Stream {
        let stream = self.stream();
        stream.send(&events::subscribed(framework));
        stream
    }
}

/// Of the two, the one of that media type, spelled exactly so.
fn codec(media_type: Option<&str>) -> Codec {
    [Codec::Protobuf, Codec::Json]
        .into_iter()
        .find(|codec| Some(codec.media_type()) == media_type)
        .unwrap_or_else(|| panic!("Mesos answers {media_type:?} with 415"))
}

/// A subscription's stream of events.
pub struct Stream {
    connection: Connection,
    codec: Codec,
}

impl Stream {
    /// The record of an event, framed.
    pub fn record(&self, event: &scheduler::Event) -> Vec<u8> {
        recordio::encode(&self.codec.encode(event))
    }

    /// Sends an event in a chunk of its own.
    pub fn send(&self, event: &scheduler::Event) {
        self.send_bytes(&self.record(event));
    }

    /// Sends these bytes as one chunk.
    pub fn send_bytes(&self, bytes: &[u8]) {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.connection.write(&chunk);
    }

    /// Ends the stream in good order.
    pub fn end(&self) {
        self.connection.write(b"0\r\n\r\n");
    }

    /// Breaks the connection.
    pub fn cut(&self) {
        self.connection.close();
    }

    /// Waits until the client has closed the connection.
    pub async fn left(&self) {
        self.connection.left().await;
    }
}
