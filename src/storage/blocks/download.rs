//! One request for some blocks of one executor.
//!
//! Responsible for getting each of them whole or saying why not: what breaks on
//! the way is asked for again, from the first block that is missing. A block
//! that is large goes to a file without a name.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Response, StatusCode};

use super::client::Locate;
use super::wire::{self, Head};
use crate::storage::shuffle::WantedBlock;
use crate::storage::sorter::unnamed_file;

/// Larger blocks are kept in files until they are read.
const IN_MEMORY: u64 = 4 << 20;

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
    /// For large blocks.
    pub(super) folder: PathBuf,
}

/// A block that came, or why it did not.
pub(super) type Received = Result<Box<dyn Read + Send>, String>;

/// Why a try came to its end too early.
enum Broken {
    /// Trying again may help.
    OnTheWay(String),
    /// It cannot.
    Refused(String),
}

impl Question {
    /// The blocks in the order asked for, one for each. If they cannot be had
    /// `locate` may know where else they are.
    pub(super) async fn ask(
        mut self,
        http: &Client,
        authorization: &str,
        locate: Option<&dyn Locate>,
    ) -> Vec<Received> {
        let mut received = Vec::with_capacity(self.wanted.len());
        let mut waits = WAITS.into_iter();
        while received.len() < self.wanted.len() {
            let before = received.len();
            let tried = if self.address.is_empty() {
                Err(Broken::OnTheWay("nobody serves them".into()))
            } else {
                self.attempt(http, authorization, &mut received).await
            };
            let message = match tried {
                Ok(()) => break,
                Err(Broken::Refused(message)) => message,
                Err(Broken::OnTheWay(message)) => {
                    let moved = self.search(locate).await;
                    if received.len() > before || moved == Some(true) {
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
            received.resize_with(self.wanted.len(), || Err(message.clone()));
        }
        received
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

    async fn attempt(
        &self,
        http: &Client,
        authorization: &str,
        received: &mut Vec<Received>,
    ) -> Result<(), Broken> {
        let response = http
            .post(format!("http://{}/blocks", self.address))
            .header(AUTHORIZATION, authorization)
            .body(wire::question(&self.wanted[received.len()..]))
            .send()
            .await
            .map_err(|error| Broken::OnTheWay(cause(&error)))?;
        let mut answer = Answer::of(response).await?;
        while received.len() < self.wanted.len() {
            let mut head = [0; wire::HEAD];
            let mut filled = &mut head[..];
            answer
                .read(wire::HEAD as u64, |piece| filled.write_all(piece))
                .await?;
            let block = match Head::read(head) {
                Some(Head::Block(length)) if length > IN_MEMORY => {
                    let file = unnamed_file(&self.folder).map_err(|e| local(&e))?;
                    Ok(answer.read_to_file(length, file).await?)
                }
                Some(Head::Block(length)) => {
                    let bytes = answer.read_to_memory(length).await?;
                    Ok(Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>)
                }
                Some(Head::Refusal(length)) => {
                    let reason = answer.read_to_memory(length).await?;
                    Err(String::from_utf8_lossy(&reason).into_owned())
                }
                None => return Err(Broken::OnTheWay("its answer is malformed".into())),
            };
            received.push(block);
        }
        Ok(())
    }
}

fn local(error: &dyn std::fmt::Display) -> Broken {
    Broken::Refused(error.to_string())
}

/// What a request failed of, without the URL: whoever asked names it.
pub(super) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// An answer on its way.
struct Answer {
    response: Response,
    rest: Bytes,
}

impl Answer {
    async fn of(response: Response) -> Result<Self, Broken> {
        let status = response.status();
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
                let next = self.response.chunk().await;
                self.rest = next
                    .map_err(|error| Broken::OnTheWay(cause(&error)))?
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
        let mut bytes = Vec::new();
        self.read(length, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .await?;
        Ok(bytes)
    }

    async fn read_to_file(
        &mut self,
        length: u64,
        mut file: File,
    ) -> Result<Box<dyn Read + Send>, Broken> {
        self.read(length, |piece| file.write_all(piece)).await?;
        file.rewind().map_err(|e| local(&e))?;
        Ok(Box::new(io::BufReader::with_capacity(64 * 1024, file)))
    }
}
