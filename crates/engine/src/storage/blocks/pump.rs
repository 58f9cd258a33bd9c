//! Files and streams as the bodies of answers.
//!
//! Responsible for reading on a thread that may block, a piece at a time and
//! never far ahead of the peer: what is served may be larger than memory.

use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::wire::{Head, MOST_REASON};
use crate::ids::Partition;
use crate::rpc::turns::Turn;
use crate::storage::shuffle::files::OutputId;
use crate::storage::shuffle::open_block;

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// So many bytes are read at once.
const PIECE: usize = 64 * 1024;

/// So many pieces wait for the peer at most.
const AHEAD: usize = 1;

/// The receiving end is gone: the peer does not want the rest.
struct Gone;

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// All that `from` has, during one turn.
pub(super) fn stream_of(from: Box<dyn Read + Send>, turn: Turn) -> Body {
    pumped(move |pieces| {
        let _turn = turn;
        // That the peer is gone is no error of ours.
        let _ = copy(from, pieces);
    })
}

/// The answer to a question: each block, looked for in all folders. The turn is
/// over when all is on its way, or the peer is gone.
pub(super) fn blocks(
    folders: Vec<PathBuf>,
    wanted: Vec<(OutputId, Partition)>,
    turn: Turn,
) -> Body {
    pumped(move |pieces| {
        let _turn = turn;
        for (output, reduce) in wanted {
            if block(&folders, output, reduce, pieces).is_err() {
                return;
            }
        }
    })
}

fn block(
    folders: &[PathBuf],
    output: OutputId,
    reduce: Partition,
    pieces: &Pieces,
) -> Result<(), Gone> {
    let send = |bytes: Vec<u8>| {
        pieces
            .blocking_send(Ok(Bytes::from(bytes)))
            .map_err(|_| Gone)
    };
    let folder = folders.iter().find(|folder| output.index(folder).exists());
    let opened = match folder {
        Some(folder) => open_block(folder, output, reduce).map_err(|error| error.to_string()),
        None => Err("its executor does not have it".to_owned()),
    };
    match opened {
        Ok((length, from)) => {
            send(Head::Block(length).bytes().to_vec())?;
            copy(from, pieces)
        }
        Err(mut reason) => {
            while reason.len() as u64 > MOST_REASON {
                reason.pop();
            }
            let head = Head::Refusal(reason.len() as u64).bytes();
            send([&head, reason.as_bytes()].concat())
        }
    }
}

/// Sends all of `from`; an error ends the answer, so that the peer sees that it
/// is not whole.
fn copy(mut from: impl Read, pieces: &Pieces) -> Result<(), Gone> {
    loop {
        let mut piece = vec![0; PIECE];
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                piece.truncate(count);
                Ok(Bytes::from(piece))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        pieces.blocking_send(read).map_err(|_| Gone)?;
        if failed {
            return Err(Gone);
        }
    }
}

fn pumped(read: impl FnOnce(&Pieces) + Send + 'static) -> Body {
    let (pieces, received) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || read(&pieces));
    let frames = stream::unfold(received, |mut received| async move {
        let piece: io::Result<Bytes> = received.recv().await?;
        Some((piece.map(Frame::data), received))
    });
    StreamBody::new(frames).boxed_unsync()
}
