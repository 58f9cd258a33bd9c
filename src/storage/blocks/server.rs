//! What is asked of an executor by its peers.
//!
//! Responsible for the block server: who may ask, what may be asked, and how
//! many may ask at once.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /blocks` | many blocks of map outputs (`wire`) |
//! | `GET /result/TASK` | the large result of a task |
//! | `GET /persisted/DATASET/PARTITION` | a persisted partition |

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::token::Token;
use super::{pump, result_file, wire};
use crate::ids::{DatasetId, Partition, TaskId};
use crate::rpc::frame::Secret;
use crate::timer::AbortOnDrop;

/// No more connections at once: more wait to be accepted.
const CONNECTIONS: usize = 1024;

/// How long a peer may be silent between two requests.
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

/// Serves until it is dropped.
pub struct BlockServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: AbortOnDrop,
}

struct Shared {
    folders: RwLock<Vec<PathBuf>>,
    token: Token,
    persisted: Arc<dyn Persisted>,
}

impl BlockServer {
    /// Serves what is in `folder` to those who know the secret. To be called
    /// within a runtime.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(
        listener: TcpListener,
        folder: PathBuf,
        secret: &str,
        persisted: Arc<dyn Persisted>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            folders: RwLock::new(vec![folder]),
            token: Token::new(&Secret::new(secret)),
            persisted,
        });
        Ok(Self {
            address: listener.local_addr()?,
            _accepting: AbortOnDrop::spawn(accept(listener, Arc::clone(&shared))),
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

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Its connections end with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
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

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Only slower without it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!("a connection for blocks ended: {error}");
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<pump::Body> {
        let proof = request.headers().get(AUTHORIZATION);
        if !self.token.is_proved(proof.map(HeaderValue::as_bytes)) {
            return refusal(StatusCode::UNAUTHORIZED, "not authorized");
        }
        let path = request.uri().path().to_owned();
        let mut parts = path.trim_start_matches('/').split('/');
        let names = (parts.next(), parts.next(), parts.next(), parts.next());
        match (request.method(), names) {
            (&Method::POST, (Some("blocks"), None, ..)) => self.blocks(request.into_body()).await,
            (&Method::GET, (Some("result"), Some(task), None, _)) => match task.parse() {
                Ok(task) => self.result(TaskId(task)).await,
                Err(_) => refusal(StatusCode::BAD_REQUEST, "a task is a number"),
            },
            (&Method::GET, (Some("persisted"), Some(dataset), Some(partition), None)) => {
                match (dataset.parse(), partition.parse()) {
                    (Ok(dataset), Ok(partition)) => {
                        self.persisted(DatasetId(dataset), Partition(partition))
                            .await
                    }
                    _ => refusal(
                        StatusCode::BAD_REQUEST,
                        "datasets and partitions are numbers",
                    ),
                }
            }
            _ => refusal(StatusCode::NOT_FOUND, "no such thing is served"),
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.folders
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn blocks(&self, body: Incoming) -> Response<pump::Body> {
        let Ok(question) = Limited::new(body, wire::MOST_QUESTION).collect().await else {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the question is too long");
        };
        match wire::read_question(&question.to_bytes()) {
            Some(wanted) => Response::new(pump::blocks(self.folders(), wanted)),
            None => refusal(StatusCode::BAD_REQUEST, "the question is malformed"),
        }
    }

    async fn result(&self, task: TaskId) -> Response<pump::Body> {
        let folders = self.folders();
        opened(move || {
            let paths = folders.iter().map(|folder| result_file(folder, task));
            for path in paths {
                match File::open(path) {
                    Ok(file) => return Ok(Some(Box::new(file) as Box<dyn Read + Send>)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        })
        .await
    }

    async fn persisted(&self, dataset: DatasetId, partition: Partition) -> Response<pump::Body> {
        let persisted = Arc::clone(&self.persisted);
        opened(move || persisted.open(dataset, partition)).await
    }
}

/// Opens where blocking is allowed, and serves what was opened.
async fn opened(
    open: impl FnOnce() -> io::Result<Option<Box<dyn Read + Send>>> + Send + 'static,
) -> Response<pump::Body> {
    match tokio::task::spawn_blocking(open).await {
        Ok(Ok(Some(from))) => Response::new(pump::stream_of(from)),
        Ok(Ok(None)) => refusal(StatusCode::NOT_FOUND, "it is not here"),
        Ok(Err(error)) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(_) => refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the executor is stopping",
        ),
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
