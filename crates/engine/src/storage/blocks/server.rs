//! What is asked of an executor by its peers.
//!
//! Responsible for the block server: what may be asked, and how many may ask at
//! once. A peer that does not take what it asked for loses its connection, and with
//! it what it kept others waiting for (`paced`). Who may ask is the [`guard`](crate::rpc::guard)'s business: it lets
//! processes of the run through, and nobody else.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /blocks` | many blocks of map outputs (`wire`) |
//! | `GET /result/TASK` | the large result of a task |
//! | `GET /persisted/DATASET/PARTITION` | a persisted partition |
//! | `GET /log/STAGE/ATTEMPT/PARTITION/ATTEMPT` | what an attempt wrote to stderr |

use std::convert::Infallible;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::paced::Paced;
use super::{pump, result_file, wire};
use crate::descriptors;
use crate::ids::{DatasetId, Partition, TaskId};
use crate::rpc::gate::{Admission, Gate, strangers};
use crate::rpc::guard::Guard;
use crate::rpc::turns::Turns;
use crate::storage::block::{PartOf, Reader};
use crate::storage::logs::Logs;
use crate::storage::private;
use crate::task::{AttemptName, Seal};
use crate::timer::AbortOnDrop;

/// No more connections at once, nor more than a fourth of what may be open: more
/// wait to be accepted.
const CONNECTIONS: usize = 1024;
const PART: usize = 4;

/// So many answers with blocks are under way at once: each has buffers, which are
/// in nobody's budget. A peer takes what it has asked for at once, so the others
/// do not wait for long.
const ANSWERS: usize = 32;

/// And so many of them to one address.
const ANSWERS_TO_ONE: usize = 16;

/// So many results and persisted partitions are on their way at once: each has a
/// thread, of which there are 512.
const STREAMS: usize = 256;
const STREAMS_TO_ONE: usize = 128;

/// How long a peer may be silent between two requests, and take for one.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Has the partitions of persisted datasets.
pub trait Persisted: Send + Sync + 'static {
    /// The bytes of a partition; `None` if it is not kept here. May block.
    ///
    /// # Errors
    /// It is kept, but cannot be read.
    fn open(
        &self,
        dataset: DatasetId,
        partition: Partition,
    ) -> io::Result<Option<Box<dyn Read + Send>>>;
}

/// Where nothing is persisted.
pub struct NothingPersisted;

impl Persisted for NothingPersisted {
    fn open(&self, _: DatasetId, _: Partition) -> io::Result<Option<Box<dyn Read + Send>>> {
        Ok(None)
    }
}

/// What is served.
pub struct Serves {
    /// Where map outputs and results lie.
    pub folder: PathBuf,
    /// Persisted partitions.
    pub persisted: Arc<dyn Persisted>,
    /// What attempts wrote to stderr.
    pub logs: Logs,
}

/// Serves until it is dropped.
pub struct BlockServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: AbortOnDrop,
}

struct Shared {
    folders: RwLock<Vec<PathBuf>>,
    persisted: Arc<dyn Persisted>,
    logs: Logs,
    /// What results in files are sealed with.
    seal: Seal,
    answers: Turns,
    streams: Turns,
}

impl BlockServer {
    /// Serves that to those whom `guard` lets through. To be called
    /// within a runtime.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(
        listener: TcpListener,
        guard: Guard,
        serves: Serves,
        seal: &Seal,
    ) -> io::Result<Self> {
        let Serves {
            folder,
            persisted,
            logs,
        } = serves;
        let shared = Arc::new(Shared {
            folders: RwLock::new(vec![folder]),
            persisted,
            logs,
            seal: seal.clone(),
            answers: Turns::new(ANSWERS, ANSWERS_TO_ONE),
            streams: Turns::new(STREAMS, STREAMS_TO_ONE),
        });
        Ok(Self {
            address: listener.local_addr()?,
            _accepting: AbortOnDrop::spawn(accept(listener, guard, Arc::clone(&shared))),
            shared,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves what is in another folder as well: what an executor that died on
    /// this host left behind.
    pub fn also_serve(&self, folder: PathBuf) {
        let mut folders = self
            .shared
            .folders
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
}

async fn accept(listener: TcpListener, guard: Guard, shared: Arc<Shared>) {
    let gate = Gate::new(strangers());
    let most = descriptors::share(CONNECTIONS, PART);
    // Its connections end with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= most {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let place = gate.enter(from.ip()).await;
                    let guard = guard.clone();
                    let shared = Arc::clone(&shared);
                    connections.spawn(serve(stream, from.ip(), place, guard, shared));
                }
                Err(error) => {
                    // Too many open files, mostly: some will be closed.
                    tracing::warn!("cannot accept a connection for blocks: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(
    stream: TcpStream,
    from: IpAddr,
    place: Admission,
    guard: Guard,
    shared: Arc<Shared>,
) {
    let stream = match place.spend(guard.accept(stream)).await {
        Some(Ok((stream, _))) => stream,
        Some(Err(error)) => return tracing::debug!("refused a connection for blocks: {error}"),
        // Others wanted its place.
        None => return,
    };
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request, from).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(Paced::new(stream)), service)
        .await;
    if let Err(error) = served {
        tracing::debug!("a connection for blocks ended: {error}");
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Response<pump::Body> {
        let path = request.uri().path().to_owned();
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match (request.method(), &parts[..]) {
            (&Method::POST, ["blocks"]) => self.blocks(request.into_body(), from).await,
            (&Method::GET, ["result", task]) => match task.parse() {
                Ok(task) => self.result(TaskId(task), from).await,
                Err(_) => refusal(StatusCode::BAD_REQUEST, "a task is a number"),
            },
            (&Method::GET, ["persisted", dataset, partition]) => {
                match (dataset.parse(), partition.parse()) {
                    (Ok(dataset), Ok(partition)) => {
                        self.persisted(DatasetId(dataset), Partition(partition), from)
                            .await
                    }
                    _ => refusal(
                        StatusCode::BAD_REQUEST,
                        "datasets and partitions are numbers",
                    ),
                }
            }
            (&Method::GET, ["log", stage, stage_attempt, partition, attempt]) => {
                match AttemptName::read([stage, stage_attempt, partition, attempt]) {
                    Some(name) => self.log(name, from).await,
                    None => refusal(StatusCode::BAD_REQUEST, "an attempt is four numbers"),
                }
            }
            _ => refusal(StatusCode::NOT_FOUND, "no such thing is served"),
        }
    }

    async fn log(&self, name: AttemptName, from: IpAddr) -> Response<pump::Body> {
        let logs = self.logs.clone();
        self.opened(from, move || {
            let file = logs.open(&name)?;
            Ok(file.map(|it| Box::new(it) as Box<dyn Read + Send>))
        })
        .await
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.folders
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn blocks(&self, body: Incoming, from: IpAddr) -> Response<pump::Body> {
        let body = Limited::new(body, wire::MOST_QUESTION).collect();
        let question = match timeout(SILENCE, body).await {
            Ok(Ok(question)) => question.to_bytes(),
            Ok(Err(_)) => {
                return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the question is too long");
            }
            Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the question is too slow"),
        };
        match wire::read_question(&question) {
            Some(wanted) => match self.answers.take(from).await {
                Some(turn) => Response::new(pump::blocks(self.folders(), wanted, turn)),
                None => refusal(StatusCode::SERVICE_UNAVAILABLE, "the executor is stopping"),
            },
            None => refusal(StatusCode::BAD_REQUEST, "the question is malformed"),
        }
    }

    async fn result(&self, task: TaskId, from: IpAddr) -> Response<pump::Body> {
        let (folders, seal) = (self.folders(), self.seal.clone());
        self.opened(from, move || {
            let paths = folders.iter().map(|folder| result_file(folder, task));
            for path in paths {
                match private::open(&path) {
                    Ok(file) => {
                        let reader = Reader::new(file, PartOf::Result(task), &seal);
                        return Ok(Some(Box::new(reader) as Box<dyn Read + Send>));
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        })
        .await
    }

    async fn persisted(
        &self,
        dataset: DatasetId,
        partition: Partition,
        from: IpAddr,
    ) -> Response<pump::Body> {
        let persisted = Arc::clone(&self.persisted);
        self.opened(from, move || persisted.open(dataset, partition))
            .await
    }

    /// Opens where blocking is allowed, and serves what was opened.
    async fn opened(
        &self,
        from: IpAddr,
        open: impl FnOnce() -> io::Result<Option<Box<dyn Read + Send>>> + Send + 'static,
    ) -> Response<pump::Body> {
        let Some(turn) = self.streams.take(from).await else {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "the executor is stopping");
        };
        match tokio::task::spawn_blocking(open).await {
            Ok(Ok(Some(from))) => Response::new(pump::stream_of(from, turn)),
            Ok(Ok(None)) => refusal(StatusCode::NOT_FOUND, "it is not here"),
            Ok(Err(error)) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            Err(_) => refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the executor is stopping",
            ),
        }
    }
}

fn refusal(status: StatusCode, reason: &str) -> Response<pump::Body> {
    let body = Full::new(Bytes::copy_from_slice(reason.as_bytes()))
        .map_err(|never: Infallible| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
