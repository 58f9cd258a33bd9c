//! Asking other executors for what they have.
//!
//! Responsible for asking for many blocks with few requests, a few of them at
//! once, and giving the blocks out in order; and for the bridge between the
//! threads of tasks, which block, and the network, which does not.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use hyper::{Method, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::download::{Block, Question};
use super::http::{Http, HttpReply};
use super::locate::Locate;
use super::spool::{Feed, Spool, spool};
use super::wire;
use crate::clock::SystemClock;
use crate::ids::{DatasetId, Partition, TaskId};
use crate::rpc::guard::Guard;
use crate::rpc::message::shuffle_input;
use crate::storage::shuffle::{Fetch, FetchBlocks, WantedBlock};
use crate::task::memory::Held;
use crate::task::{AttemptName, Metrics, TaskContext, WakerGuard};
use crate::timer::AbortOnDrop;

/// A request asks for about so many bytes, or one block if it is larger.
const REQUEST: u64 = 4 << 20;

/// So many requests are under way at once, for one reader and one executor.
const AT_ONCE: usize = 4;

/// No request is made smaller for want of memory.
const LEAST_REQUEST: u64 = 256 * 1024;

/// What is fetched from one executor has one of so many parts of a task's share.
const FETCHING: usize = 8;

/// Why something other than a block cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
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

/// Cheap to clone.
#[derive(Clone)]
pub struct BlockClient(Arc<Inner>);

struct Inner {
    http: Http,
    runtime: Handle,
    locate: Option<Arc<dyn Locate>>,
}

impl BlockClient {
    /// A client that proves itself by `guard` and works on `runtime`.
    pub fn new(guard: Guard, runtime: Handle) -> Self {
        let entered = runtime.enter();
        let http = Http::new(guard);
        drop(entered);
        Self(Arc::new(Inner {
            http,
            runtime,
            locate: None,
        }))
    }

    /// The same, which asks where blocks are that it cannot reach.
    #[must_use]
    pub fn asking(self, locate: Arc<dyn Locate>) -> Self {
        Self(Arc::new(Inner {
            http: self.0.http.clone(),
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
        self.whole(address, &format!("result/{task}"), most).await
    }

    /// What an attempt wrote to stderr; of at most `most` bytes.
    ///
    /// # Errors
    /// It cannot be had, or is longer; [`BlockError::Missing`] if it wrote nothing.
    pub async fn log(
        &self,
        address: &str,
        name: &AttemptName,
        most: u64,
    ) -> Result<Vec<u8>, BlockError> {
        let path = format!("log/{}", name.path());
        self.whole(address, &path, most).await
    }

    async fn whole(&self, address: &str, path: &str, most: u64) -> Result<Vec<u8>, BlockError> {
        let mut answer = self.0.get(address, path).await?;
        let mut whole = Vec::new();
        while let Some(piece) = answer
            .piece()
            .await
            .map_err(|error| BlockError::Peer(address.to_owned(), error))?
        {
            if (whole.len() + piece.len()) as u64 > most {
                return Err(BlockError::TooLong(address.to_owned()));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// The bytes of a persisted partition of another executor, as they come: they
    /// are taken at once, and wait in a file for a task that is slower. Reading
    /// blocks, and fails if it cannot be had whole.
    pub fn persisted(
        &self,
        address: &str,
        dataset: DatasetId,
        partition: Partition,
        context: &TaskContext,
    ) -> impl Read + Send + use<> {
        let (feed, spool) = spool(&context.spill_folder);
        let client = Arc::clone(&self.0);
        let address = address.to_owned();
        let path = format!("persisted/{dataset}/{partition}");
        let (stop, guard) = stopped_with(context);
        let _entered = self.0.runtime.enter();
        let fetching = AbortOnDrop::spawn(async move {
            tokio::select! {
                biased;
                () = told(stop) => {}
                ended = client.stream(&address, &path, &feed) => feed.end(ended),
            }
        });
        Incoming {
            spool,
            _fetching: fetching,
            _guard: guard,
        }
    }
}

impl Inner {
    async fn get(&self, address: &str, path: &str) -> Result<HttpReply, BlockError> {
        let peer = |message| BlockError::Peer(address.to_owned(), message);
        let answer = self.http.ask(Method::GET, address, path, Vec::new()).await;
        let answer = answer.map_err(peer)?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::NOT_FOUND => Err(BlockError::Missing(address.to_owned())),
            other => Err(peer(format!("it answered {other}"))),
        }
    }

    async fn stream(&self, address: &str, path: &str, feed: &Feed) -> Result<(), String> {
        let answer = self.get(address, path).await;
        let mut answer = answer.map_err(|error| error.to_string())?;
        let failed = |error| format!("{address}: {error}");
        while let Some(piece) = answer.piece().await.map_err(failed)? {
            feed.push(piece)?;
        }
        Ok(())
    }
}

/// A stream that a blocking thread reads.
struct Incoming {
    spool: Spool,
    _fetching: AbortOnDrop,
    _guard: WakerGuard,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.spool.read(buffer)
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
        // What is on its way and not read yet has a part of the task's share.
        let memory = context.memory.part(FETCHING);
        let most = (memory.bytes() / AT_ONCE) as u64;
        let most = most.clamp(LEAST_REQUEST, REQUEST);
        let questions = requests(wanted, most)
            .into_iter()
            .map(|wanted| Question {
                store: source.executor.clone(),
                address: source.address.clone(),
                wanted,
                folder: context.spill_folder.clone(),
                in_memory: most,
            })
            .collect();
        let (stop, guard) = stopped_with(context);
        let mut fetching = Fetching {
            client: Arc::clone(&self.0),
            questions,
            asked: VecDeque::new(),
            ready: Vec::new().into_iter(),
            held: memory.hold(),
            on_the_way: 0,
            reading: 0,
            clock: SystemClock::start(),
            metrics: Arc::clone(&context.metrics),
            stop,
            _guard: guard,
        };
        fetching.ask();
        Box::new(fetching)
    }
}

/// Cuts what is wanted into requests.
fn requests(wanted: Vec<WantedBlock>, most: u64) -> Vec<Vec<WantedBlock>> {
    let mut requests: Vec<Vec<WantedBlock>> = Vec::new();
    let mut bytes = 0_u64;
    for block in wanted {
        bytes = bytes.saturating_add(block.bytes);
        match requests.last_mut() {
            Some(last) if bytes <= most && last.len() < wire::MOST_BLOCKS => last.push(block),
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
    asked: VecDeque<(oneshot::Receiver<Vec<Block>>, AbortOnDrop, usize)>,
    ready: std::vec::IntoIter<Block>,
    /// For what was asked and not read yet.
    held: Held,
    on_the_way: usize,
    /// Bytes of the answer that is read.
    reading: usize,
    /// Measures how long the task waits.
    clock: SystemClock,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
    _guard: WakerGuard,
}

impl Fetching {
    fn ask(&mut self) {
        let _entered = self.client.runtime.enter();
        while self.asked.len() < AT_ONCE
            && let Some(question) = self.questions.front()
        {
            let bytes = question.bytes();
            // One is always asked for.
            if !self.held.want(self.on_the_way + bytes) && !self.asked.is_empty() {
                return;
            }
            let Some(question) = self.questions.pop_front() else {
                return;
            };
            self.on_the_way += bytes;
            let (answer, answered) = oneshot::channel();
            let (client, stop) = (Arc::clone(&self.client), self.stop.clone());
            let asking = AbortOnDrop::spawn(async move {
                tokio::select! {
                    biased;
                    () = told(stop) => {}
                    // Whoever asked may be gone.
                    blocks = question.ask(&client.http, client.locate.as_deref()) => {
                        let _ = answer.send(blocks);
                    }
                }
            });
            self.asked.push_back((answered, asking, bytes));
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
            // The answer before this one was read.
            self.on_the_way -= std::mem::take(&mut self.reading);
            self.held.shrink_to(self.on_the_way);
            self.ask();
            let (answered, _asking, bytes) = self.asked.pop_front()?;
            self.reading = bytes;
            let since = self.clock.now();
            let answered = answered.blocking_recv();
            let waited = self.clock.now() - since;
            let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            Metrics::add(&self.metrics.fetch_wait_micros, micros);
            match answered {
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
            limits: (bytes, bytes),
        };
        let wanted: Vec<_> = [1, 2, REQUEST, 2 * REQUEST, REQUEST / 2, REQUEST / 2, 1]
            .into_iter()
            .zip(0..)
            .map(|(bytes, map)| block(map, bytes))
            .collect();
        let requests = requests(wanted.clone(), REQUEST);
        let lengths: Vec<_> = requests.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, 1, 1, 2, 1]);
        assert_eq!(requests.concat(), wanted);
    }
}
