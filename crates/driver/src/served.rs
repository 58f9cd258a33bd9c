//! Our own binary, served to agents that lack it.
//!
//! Responsible for a listener that anybody may ask, so for what strangers cost:
//! peers that have not asked stand at the [`gate`](mesquite_engine::rpc::gate) for
//! seconds, what is asked is short, few are sent the program at once and only so
//! many of them are of one address, each piece is read when the last one was
//! taken, and who takes them too slowly is given up. Those who have to wait for
//! their turn wait at the gate. The program itself is public, and the command
//! that fetches it knows its digest: plain HTTP says nothing and changes nothing.
//!
//! - `GET /mesquite`: the program
//!
//! It listens only while an executor is on its way that may have to fetch it:
//! [`Served::open`] before a launch is sent, [`Served::close`] once all that
//! were launched have come. Executors are launched at any time, and the port is
//! in their command, so the port stays ours meanwhile: a socket that does not
//! listen holds it.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::binary::Binary;
use crate::descriptors;
use crate::timer::AbortOnDrop;
use mesquite_engine::rpc::gate::{Admission, Gate, strangers};
use mesquite_engine::rpc::turns::{Turn, Turns};
use mesquite_system::ports::Ports;

/// The program is sent to so many at once: each has a piece of it in memory.
const DOWNLOADS: usize = 64;

/// And no more than such a part of what may be open.
const PART: usize = 8;

/// So many of them are of one address. An agent that starts more executors at
/// once has the others wait.
const DOWNLOADS_OF_ONE: usize = 16;

/// A peer has so long to say what it wants.
const HEAD: Duration = Duration::from_secs(10);

/// And no more bytes than this, in so many headers.
const HEAD_BYTES: usize = 8 * 1024;
const HEADERS: usize = 32;

/// Who takes fewer bytes in a second than this is given up, after a moment.
const SLOWEST: u64 = 128 * 1024;
const MOMENT: Duration = Duration::from_secs(15);

/// So many connections wait to be accepted.
const BACKLOG: u32 = 256;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// See the module.
pub(super) struct Served {
    binary: Binary,
    at: SocketAddr,
    /// Holds the port while nothing listens.
    _held: TcpSocket,
    open: Option<AbortOnDrop>,
}

impl Served {
    /// Serves it on one of these ports of an address. To be called within a
    /// runtime.
    ///
    /// # Errors
    /// They are in use.
    pub(super) fn start(binary: Binary, address: &str, ports: Ports) -> io::Result<Self> {
        let held = ports.listen(address, |at| {
            // Another driver of this user's would share it otherwise.
            drop(std::net::TcpListener::bind(at)?);
            bound(at)
        })?;
        let mut served = Self {
            binary,
            at: held.local_addr()?,
            _held: held,
            open: None,
        };
        served.open()?;
        Ok(served)
    }

    /// The port.
    pub(super) const fn port(&self) -> u16 {
        self.at.port()
    }

    /// Somebody may have to fetch it from now on.
    ///
    /// # Errors
    /// The system does not let it listen.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            let listener = bound(self.at)?.listen(BACKLOG)?;
            let serving = serve(listener, self.binary.clone());
            self.open = Some(AbortOnDrop::spawn(serving));
        }
        Ok(())
    }

    /// Nobody has to fetch it now. Whoever still does is a stranger.
    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

/// A socket at an address that other sockets of this user may have as well, and
/// nobody else.
fn bound(at: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match at {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseport(true)?;
    socket.bind(at)?;
    Ok(socket)
}

/// What all connections share.
struct Shared {
    binary: Binary,
    /// Who may be sent the program.
    turns: Turns,
}

async fn serve(listener: TcpListener, binary: Binary) {
    let gate = Gate::new(strangers());
    let shared = Arc::new(Shared {
        binary,
        turns: Turns::new(descriptors::share(DOWNLOADS, PART), DOWNLOADS_OF_ONE),
    });
    // Its connections end with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let place = gate.enter(from.ip()).await;
                    let shared = Arc::clone(&shared);
                    connections.spawn(speak(stream, from.ip(), place, shared));
                }
                // Out of file descriptors, most likely: some will come free.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Speaks to one peer, which may ask once.
async fn speak(stream: TcpStream, from: IpAddr, place: Admission, shared: Arc<Shared>) {
    let (begins, begun) = oneshot::channel();
    let begins = Mutex::new(Some(begins));
    let patience = patience(shared.binary.length());
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        let begins = begins.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { Ok::<_, Infallible>(answer(&request, from, &shared, begins).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = &mut connection => return told(ended),
        begun = place.spend(begun) => if begun.is_none() {
            // Others wanted its place.
            return;
        }
    }
    match timeout(patience, connection).await {
        Ok(ended) => told(ended),
        Err(_) => tracing::debug!(%from, "gave up a peer that takes the program too slowly"),
    }
}

fn told(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a download ended");
    }
}

/// How long a peer has for so many bytes.
fn patience(length: u64) -> Duration {
    MOMENT + Duration::from_secs(length / SLOWEST)
}

/// The answer. Who is sent the program leaves the gate by `begins`; whoever is
/// sent anything else stays there until it has gone.
async fn answer(
    request: &Request<Incoming>,
    from: IpAddr,
    shared: &Shared,
    begins: Option<oneshot::Sender<()>>,
) -> Response<Body> {
    let is_asked = request.uri().path() == "/mesquite"
        && matches!(*request.method(), Method::GET | Method::HEAD);
    let (Some(begins), true) = (begins, is_asked) else {
        return refusal(StatusCode::NOT_FOUND);
    };
    let Some(turn) = shared.turns.take(from).await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    };
    // Whoever had its place taken is gone.
    let _ = begins.send(());
    let mut response = Response::new(program(shared.binary.clone(), turn));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(shared.binary.length()));
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    response
}

/// The program, a piece at a time.
fn program(binary: Binary, turn: Turn) -> Body {
    let pieces = stream::try_unfold((binary, 0, turn), |(binary, at, turn)| async move {
        if at >= binary.length() {
            return Ok::<_, io::Error>(None);
        }
        let read = move || (binary.piece(at), binary);
        let read = tokio::task::spawn_blocking(read).await;
        let (piece, binary) = read.map_err(io::Error::other)?;
        let piece = Bytes::from(piece?);
        let next = at + piece.len() as u64;
        Ok(Some((Frame::data(piece), (binary, next, turn))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn refusal(status: StatusCode) -> Response<Body> {
    let nothing = Empty::new().map_err(|never: Infallible| match never {});
    let mut response = Response::new(nothing.boxed_unsync());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::hex::hex;

    fn served() -> Served {
        Served::start(Binary::own().expect("readable"), "0.0.0.0", Ports::ANY).expect("a port")
    }

    #[tokio::test]
    async fn two_drivers_never_share_a_port() {
        let binary = || Binary::own().expect("readable");
        let first = served();
        let again = Served::start(binary(), "0.0.0.0", Ports::one(first.port()));
        let why = again.err().expect("it is taken").to_string();
        assert!(
            why.contains(&format!("port {} is taken", first.port())),
            "{why}"
        );
    }

    async fn connect(served: &Served) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, served.port())).await
    }

    async fn ask(served: &Served, text: &str) -> TcpStream {
        let mut stream = connect(served).await.expect("it listens");
        stream.write_all(text.as_bytes()).await.expect("asked");
        stream
    }

    const GET: &str = "GET /mesquite HTTP/1.1\r\nhost: d\r\n\r\n";

    async fn first_line(mut stream: TcpStream) -> String {
        let mut text = [0; 12];
        stream.read_exact(&mut text).await.expect("an answer");
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn the_program_is_sent_whole_and_nothing_else_is() {
        let served = served();
        let mut answer = Vec::new();
        ask(&served, GET)
            .await
            .read_to_end(&mut answer)
            .await
            .expect("read");
        let head = answer.windows(4).position(|it| it == b"\r\n\r\n");
        let (head, body) = answer.split_at(head.expect("a head") + 4);
        let length = format!("content-length: {}\r\n", served.binary.length());
        assert!(String::from_utf8_lossy(head).contains(&length));
        let digest = ring::digest::digest(&ring::digest::SHA256, body);
        assert_eq!(hex(digest.as_ref()), served.binary.digest());
        for text in [
            "GET / HTTP/1.1\r\nhost: d\r\n\r\n",
            "POST /mesquite HTTP/1.1\r\nhost: d\r\ncontent-length: 0\r\n\r\n",
        ] {
            let answer = first_line(ask(&served, text).await).await;
            assert_eq!(answer, "HTTP/1.1 404");
        }
        let long = format!("GET /mesquite HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(9000));
        let answer = first_line(ask(&served, &long).await).await;
        assert_eq!(answer, "HTTP/1.1 431");
    }

    #[tokio::test]
    async fn peers_that_do_not_take_what_they_asked_for_keep_no_other_address_out() {
        let served = served();
        let mut slow = Vec::new();
        for _ in 0..4 * DOWNLOADS {
            slow.push(ask(&served, GET).await);
        }
        let socket = TcpSocket::new_v4().expect("a socket");
        let other = Ipv4Addr::new(127, 0, 0, 2);
        socket.bind((other, 0).into()).expect("loopback");
        let to = (Ipv4Addr::LOCALHOST, served.port()).into();
        let mut stream = socket.connect(to).await.expect("it listens");
        stream.write_all(GET.as_bytes()).await.expect("asked");
        assert_eq!(first_line(stream).await, "HTTP/1.1 200");
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_or_takes_too_little_is_given_up() {
        let served = served();
        for text in ["", GET] {
            tokio::time::pause();
            let mut stream = ask(&served, text).await;
            // The system's buffers are smaller than the program.
            tokio::time::sleep(patience(served.binary.length()) + HEAD).await;
            tokio::time::resume();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!((answer.len() as u64) < served.binary.length());
        }
    }

    #[tokio::test]
    async fn nothing_listens_while_nobody_needs_it_and_the_port_stays() {
        let mut served = served();
        let port = served.port();
        served.close();
        while connect(&served).await.is_ok() {
            tokio::task::yield_now().await;
        }
        // Nobody else can have it.
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
        assert!(taken.is_err());
        served.open().expect("its port");
        assert_eq!(first_line(ask(&served, GET).await).await, "HTTP/1.1 200");
    }
}
