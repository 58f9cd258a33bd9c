//! Asking other executors for what they have.
//!
//! Responsible for asking for many blocks with few requests, a few of them at
//! once, and giving the blocks out in order; and for the bridge between the
//! threads of tasks, which block, and the network, which does not.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::download::{Question, Received, cause};
use super::token::Token;
use super::wire;
use crate::ids::{DatasetId, Partition, TaskId};
use crate::rpc::frame::Secret;
use crate::rpc::message::shuffle_input;
use crate::storage::shuffle::{Fetch, FetchBlocks, WantedBlock};
use crate::task::{TaskContext, WakerGuard};
use crate::timer::AbortOnDrop;

/// A request asks for about so many bytes, or one block if it is larger.
const REQUEST: u64 = 4 << 20;

/// So many requests are under way at once, for one reader and one executor.
const AT_ONCE: usize = 4;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a peer may send nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Why something other than a block cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// No client can be made.
    #[error("cannot prepare to fetch blocks: {0}")]
    Settings(String),
    /// The peer does not have it.
    #[error("{0} does not have it")]
    Missing(String),
    /// It is longer than it may be.
    #[error("what {0} sends is too long")]
    TooLong(String),
    /// The peer cannot be reached, or does not answer as it should.
    #[error("{0}: {1}")]
    Peer(String, String),
}

/// Knows where the outputs of executors are served, which may change.
pub trait Locate: Send + Sync {
    /// The block server that has the outputs of an executor; `None` if they are
    /// lost. The answer may take as long as it takes to have them served again.
    fn locate(&self, store: &str) -> oneshot::Receiver<Option<String>>;
}

/// Cheap to clone.
#[derive(Clone)]
pub struct BlockClient(Arc<Inner>);

struct Inner {
    http: Client,
    authorization: String,
    runtime: Handle,
    locate: Option<Arc<dyn Locate>>,
}

impl BlockClient {
    /// A client that proves `secret` and works on `runtime`.
    ///
    /// # Errors
    /// The system lacks something that HTTP needs.
    pub fn new(secret: &str, runtime: Handle) -> Result<Self, BlockError> {
        // Of several users in one process the first to come installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("mesquite/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // Less than the server waits, so that no request meets its end.
            .pool_idle_timeout(super::server::SILENCE / 2)
            .build()
            .map_err(|error| BlockError::Settings(cause(&error)))?;
        Ok(Self(Arc::new(Inner {
            http,
            authorization: Token::new(&Secret::new(secret)).header(),
            runtime,
            locate: None,
        })))
    }

    /// The same, which asks where blocks are that it cannot reach.
    #[must_use]
    pub fn asking(self, locate: Arc<dyn Locate>) -> Self {
        Self(Arc::new(Inner {
            http: self.0.http.clone(),
            authorization: self.0.authorization.clone(),
            runtime: self.0.runtime.clone(),
            locate: Some(locate),
        }))
    }

    /// The large result of a task, of at most `most` bytes.
    ///
    /// # Errors
    /// It cannot be had, or is longer.
    pub async fn result(
        &self,
        address: &str,
        task: TaskId,
        most: u64,
    ) -> Result<Vec<u8>, BlockError> {
        let mut response = self.0.get(address, &format!("result/{task}")).await?;
        let mut result = Vec::new();
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|error| BlockError::Peer(address.to_owned(), cause(&error)))?
        {
            if (result.len() + piece.len()) as u64 > most {
                return Err(BlockError::TooLong(address.to_owned()));
            }
            result.extend_from_slice(&piece);
        }
        Ok(result)
    }

    /// The bytes of a persisted partition of another executor, as they come.
    /// Reading blocks, and fails if it cannot be had whole.
    pub fn persisted(
        &self,
        address: &str,
        dataset: DatasetId,
        partition: Partition,
        context: &TaskContext,
    ) -> impl Read + Send + use<> {
        let (pieces, received) = mpsc::channel(4);
        let client = Arc::clone(&self.0);
        let address = address.to_owned();
        let path = format!("persisted/{dataset}/{partition}");
        let (stop, guard) = stopped_with(context);
        let _entered = self.0.runtime.enter();
        let fetching = AbortOnDrop::spawn(async move {
            tokio::select! {
                biased;
                () = told(stop) => {}
                () = client.stream(address, path, pieces) => {}
            }
        });
        Incoming {
            pieces: received,
            piece: Bytes::new(),
            ended: false,
            _fetching: fetching,
            _guard: guard,
        }
    }
}

impl Inner {
    async fn get(&self, address: &str, path: &str) -> Result<reqwest::Response, BlockError> {
        let peer = |message| BlockError::Peer(address.to_owned(), message);
        let response = self
            .http
            .get(format!("http://{address}/{path}"))
            .header(AUTHORIZATION, &self.authorization)
            .send()
            .await
            .map_err(|error| peer(cause(&error)))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => Err(BlockError::Missing(address.to_owned())),
            other => Err(peer(format!("it answered {other}"))),
        }
    }

    async fn stream(&self, address: String, path: String, pieces: mpsc::Sender<Piece>) {
        let mut response = match self.get(&address, &path).await {
            Ok(response) => response,
            Err(error) => {
                // Whoever reads may be gone.
                let _ = pieces.send(Err(error.to_string())).await;
                return;
            }
        };
        loop {
            let piece = response.chunk().await;
            let piece = piece.map_err(|error| format!("{address}: {}", cause(&error)));
            let is_last = !matches!(piece, Ok(Some(_)));
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// Bytes; none at the end; or why there are no more.
type Piece = Result<Option<Bytes>, String>;

/// A stream that a blocking thread reads.
struct Incoming {
    pieces: mpsc::Receiver<Piece>,
    piece: Bytes,
    ended: bool,
    _fetching: AbortOnDrop,
    _guard: WakerGuard,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(Some(piece))) => self.piece = piece,
                Some(Ok(None)) => self.ended = true,
                Some(Err(message)) => return Err(io::Error::other(message)),
                None => return Err(io::Error::other("fetching was stopped")),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// What is told when the task is to stop.
fn stopped_with(context: &TaskContext) -> (watch::Receiver<bool>, WakerGuard) {
    let (tell, stop) = watch::channel(false);
    let guard = context.cancel.on_cancel(move || {
        // Nobody may listen any more.
        let _ = tell.send(true);
    });
    (stop, guard)
}

/// Returns when the task is to stop, or nobody could say so any more.
async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl FetchBlocks for BlockClient {
    fn fetch(
        &self,
        source: &shuffle_input::Source,
        wanted: Vec<WantedBlock>,
        context: &TaskContext,
    ) -> Box<dyn Iterator<Item = Fetch> + Send> {
        let questions = requests(wanted)
            .into_iter()
            .map(|wanted| Question {
                store: source.executor.clone(),
                address: source.address.clone(),
                wanted,
                folder: context.spill_folder.clone(),
            })
            .collect();
        let (stop, guard) = stopped_with(context);
        let mut fetching = Fetching {
            client: Arc::clone(&self.0),
            questions,
            asked: VecDeque::new(),
            ready: Vec::new().into_iter(),
            stop,
            _guard: guard,
        };
        fetching.ask();
        Box::new(fetching)
    }
}

/// Cuts what is wanted into requests.
fn requests(wanted: Vec<WantedBlock>) -> Vec<Vec<WantedBlock>> {
    let mut requests: Vec<Vec<WantedBlock>> = Vec::new();
    let mut bytes = 0_u64;
    for block in wanted {
        bytes = bytes.saturating_add(block.bytes);
        match requests.last_mut() {
            Some(last) if bytes <= REQUEST && last.len() < wire::MOST_BLOCKS => last.push(block),
            _ => {
                bytes = block.bytes;
                requests.push(vec![block]);
            }
        }
    }
    requests
}

/// The blocks of one executor.
struct Fetching {
    client: Arc<Inner>,
    questions: VecDeque<Question>,
    asked: VecDeque<(oneshot::Receiver<Vec<Received>>, AbortOnDrop)>,
    ready: std::vec::IntoIter<Received>,
    stop: watch::Receiver<bool>,
    _guard: WakerGuard,
}

impl Fetching {
    fn ask(&mut self) {
        let _entered = self.client.runtime.enter();
        while self.asked.len() < AT_ONCE
            && let Some(question) = self.questions.pop_front()
        {
            let (answer, answered) = oneshot::channel();
            let (client, stop) = (Arc::clone(&self.client), self.stop.clone());
            let asking = AbortOnDrop::spawn(async move {
                tokio::select! {
                    biased;
                    () = told(stop) => {}
                    // Whoever asked may be gone.
                    blocks = question.ask(&client.http, &client.authorization, client.locate.as_deref()) => {
                        let _ = answer.send(blocks);
                    }
                }
            });
            self.asked.push_back((answered, asking));
        }
    }
}

impl Iterator for Fetching {
    type Item = Fetch;

    fn next(&mut self) -> Option<Fetch> {
        loop {
            if let Some(block) = self.ready.next() {
                return Some(block);
            }
            self.ask();
            let (answered, _asking) = self.asked.pop_front()?;
            match answered.blocking_recv() {
                Ok(blocks) => self.ready = blocks.into_iter(),
                Err(_) => return Some(Err("fetching was stopped".to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShuffleId;
    use crate::storage::shuffle::files::OutputId;

    #[test]
    fn requests_are_of_limited_size_and_leave_nothing_out() {
        let block = |map, bytes| WantedBlock {
            output: OutputId {
                shuffle: ShuffleId(0),
                map: Partition(map),
                task: TaskId(0),
            },
            reduce: Partition(0),
            bytes,
        };
        let wanted: Vec<_> = [1, 2, REQUEST, 2 * REQUEST, REQUEST / 2, REQUEST / 2, 1]
            .into_iter()
            .zip(0..)
            .map(|(bytes, map)| block(map, bytes))
            .collect();
        let requests = requests(wanted.clone());
        let lengths: Vec<_> = requests.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1, 1, 2, 1]);
        assert_eq!(requests.concat(), wanted);
    }
}
