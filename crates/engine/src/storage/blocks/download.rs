//! One request for some blocks of one executor.
//!
//! Responsible for getting each of them whole or saying why not: what breaks on
//! the way is asked for again, from the first block that is missing. Blocks for
//! which there is no memory go to a file without a name, also those that are
//! longer than was said: of many blocks only their average is known.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::{Method, StatusCode};

use super::http::{self, Http};
use super::locate::Locate;
use super::wire::{self, Head};
use crate::storage::shuffle::WantedBlock;
use crate::storage::sorter::unnamed_file;

/// How long to wait before each further try.
const WAITS: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(1000),
];

/// What is asked of whom.
pub(super) struct Question {
    /// The executor whose outputs they are.
    pub(super) store: String,
    /// Where they are served, as far as is known; empty if it is not.
    pub(super) address: String,
    pub(super) wanted: Vec<WantedBlock>,
    /// For what has no room in memory.
    pub(super) folder: PathBuf,
    /// So many bytes have room in memory.
    pub(super) in_memory: u64,
}

/// What has come of an answer.
#[derive(Default)]
struct Received {
    blocks: Vec<Block>,
    /// Bytes of them in memory.
    in_memory: u64,
    /// Where the others are, and how many bytes they have.
    file: Option<(Arc<File>, u64)>,
}

/// A block in a file.
struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What a block that went to a file takes of memory.
const OF_A_FILE: u64 = 256;

/// No more is reserved on a peer's word.
const MOST_AT_ONCE: u64 = 4 << 20;

/// A block that came, or why it did not.
pub(super) type Block = Result<Box<dyn Read + Send>, String>;

/// Why a try came to its end too early.
enum Broken {
    /// Trying again may help.
    OnTheWay(String),
    /// It cannot.
    Refused(String),
}

impl Question {
    /// Bytes of memory that the answer takes.
    pub(super) fn bytes(&self) -> usize {
        let each = self.wanted.iter().map(|block| match block.bytes {
            bytes if bytes > self.in_memory => OF_A_FILE,
            bytes => bytes,
        });
        usize::try_from(each.sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// The blocks in the order asked for, one for each. If they cannot be had
    /// `locate` may know where else they are.
    pub(super) async fn ask(mut self, http: &Http, locate: Option<&dyn Locate>) -> Vec<Block> {
        let mut received = Received::default();
        let mut waits = WAITS.into_iter();
        while received.blocks.len() < self.wanted.len() {
            let before = received.blocks.len();
            let tried = if self.address.is_empty() {
                Err(Broken::OnTheWay("nobody serves them".into()))
            } else {
                self.attempt(http, &mut received).await
            };
            let message = match tried {
                Ok(()) => break,
                Err(Broken::Refused(message)) => message,
                Err(Broken::OnTheWay(message)) => {
                    let moved = self.search(locate).await;
                    if received.blocks.len() > before || moved == Some(true) {
                        // It goes on; only standing still ends in giving up.
                        waits = WAITS.into_iter();
                    }
                    if moved.is_some()
                        && let Some(wait) = waits.next()
                    {
                        let address = &self.address;
                        tracing::debug!("asking {address} for blocks again: {message}");
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    message
                }
            };
            let message = format!("{}: {message}", self.address);
            received
                .blocks
                .resize_with(self.wanted.len(), || Err(message.clone()));
        }
        received.blocks
    }

    /// Whether the blocks are elsewhere now; `None` if they are lost.
    async fn search(&mut self, locate: Option<&dyn Locate>) -> Option<bool> {
        let Some(locate) = locate else {
            return Some(false);
        };
        // Without an answer the executor is about to end.
        let address = locate.locate(&self.store).await.ok().flatten()?;
        let moved = address != self.address;
        self.address = address;
        Some(moved)
    }

    async fn attempt(&self, http: &Http, received: &mut Received) -> Result<(), Broken> {
        let question = wire::question(&self.wanted[received.blocks.len()..]);
        let answered = http.ask(Method::POST, &self.address, "blocks", question);
        let mut answer = OnItsWay::of(answered.await.map_err(Broken::OnTheWay)?)?;
        while received.blocks.len() < self.wanted.len() {
            let mut head = [0; wire::HEAD];
            let mut filled = &mut head[..];
            answer
                .read(wire::HEAD as u64, |piece| filled.write_all(piece))
                .await?;
            let head = Head::read(head);
            if let Some(Head::Block(length)) = head {
                let wanted = self.wanted[received.blocks.len()];
                wanted.check(length).map_err(Broken::Refused)?;
            }
            let block = match head {
                Some(Head::Block(length))
                    if received.in_memory.saturating_add(length) > self.in_memory =>
                {
                    let (file, at) = match received.file.take() {
                        Some(file) => file,
                        None => {
                            let file = unnamed_file(&self.folder).map_err(|e| local(&e))?;
                            (Arc::new(file), 0)
                        }
                    };
                    let end = at.saturating_add(length);
                    received.file = Some((Arc::clone(&file), at));
                    answer.read_to_file(length, &file, at).await?;
                    received.file = Some((Arc::clone(&file), end));
                    Ok(Box::new(Section { file, at, end }) as Box<dyn Read + Send>)
                }
                Some(Head::Block(length)) => {
                    let bytes = answer.read_to_memory(length).await?;
                    received.in_memory += length;
                    Ok(Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>)
                }
                Some(Head::Refusal(length)) => {
                    let reason = answer.read_to_memory(length).await?;
                    Err(String::from_utf8_lossy(&reason).into_owned())
                }
                None => return Err(Broken::OnTheWay("its answer is malformed".into())),
            };
            received.blocks.push(block);
        }
        Ok(())
    }
}

fn local(error: &dyn std::fmt::Display) -> Broken {
    Broken::Refused(error.to_string())
}

/// An answer on its way.
struct OnItsWay {
    response: http::HttpReply,
    rest: Bytes,
}

impl OnItsWay {
    fn of(response: http::HttpReply) -> Result<Self, Broken> {
        let status = response.status;
        if status == StatusCode::OK {
            let rest = Bytes::new();
            return Ok(Self { response, rest });
        }
        let message = format!("it answered {status}");
        Err(if status.is_client_error() {
            Broken::Refused(message)
        } else {
            Broken::OnTheWay(message)
        })
    }

    /// Hands the next `length` bytes to `take`, piece by piece.
    async fn read(
        &mut self,
        mut length: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Broken> {
        while length > 0 {
            if self.rest.is_empty() {
                let next = self.response.piece().await;
                self.rest = next
                    .map_err(Broken::OnTheWay)?
                    .ok_or_else(|| Broken::OnTheWay("its answer is cut off".into()))?;
            }
            let most = usize::try_from(length).unwrap_or(usize::MAX);
            let count = self.rest.len().min(most);
            take(&self.rest[..count]).map_err(|e| local(&e))?;
            self.rest.advance(count);
            length -= count as u64;
        }
        Ok(())
    }

    async fn read_to_memory(&mut self, length: u64) -> Result<Vec<u8>, Broken> {
        let mut bytes = Vec::with_capacity(usize::try_from(length.min(MOST_AT_ONCE)).unwrap_or(0));
        self.read(length, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .await?;
        Ok(bytes)
    }

    async fn read_to_file(&mut self, length: u64, file: &File, at: u64) -> Result<(), Broken> {
        let mut at = at;
        self.read(length, |piece| {
            file.write_all_at(piece, at)?;
            at += piece.len() as u64;
            Ok(())
        })
        .await
    }
}
