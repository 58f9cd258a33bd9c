//! Answers that are written while they are sent.
//!
//! Responsible for a large answer taking no more memory than a small one: what writes it
//! stands on a thread of its own and waits for whoever reads.

use std::io::{self, Write};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// What every answer has.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A piece has about so many bytes.
const PIECE: usize = 64 * 1024;

/// So many pieces wait for whoever reads.
const WAITING: usize = 4;

/// An answer that is there already.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    let whole = Full::new(bytes.into());
    whole.map_err(|never| match never {}).boxed_unsync()
}

/// An answer that is written as it is read. To be called within a runtime.
pub fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Body {
    let (pieces, read) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces {
            pieces,
            buffer: Vec::with_capacity(PIECE),
        };
        let written = write(&mut pieces).and_then(|()| pieces.flush());
        if let Err(error) = written {
            // Whoever reads must not take a part for the whole. If nobody reads any
            // more, nobody has to know.
            let _ = pieces.pieces.blocking_send(Err(error));
        }
    });
    let pieces = stream::unfold(read, |mut read| async move {
        let piece: io::Result<Bytes> = read.recv().await?;
        Some((piece.map(Frame::data), read))
    });
    StreamBody::new(pieces).boxed_unsync()
}

struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let sent = self.pieces.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_that_was_written_is_read_and_an_error_is_no_end() {
        let text = "0123456789".repeat(50_000);
        let expected = text.clone();
        let body = written(move |out| out.write_all(text.as_bytes()));
        let read = body.collect().await.expect("no error").to_bytes();
        assert_eq!(read, expected.as_bytes());
        let body = written(|out| {
            out.write_all(b"a part")?;
            Err(io::Error::other("gone"))
        });
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn what_nobody_reads_is_not_written_for_ever() {
        let (ended, mut end) = mpsc::channel::<()>(1);
        let body = written(move |out| {
            let _ended = ended;
            loop {
                out.write_all(&[0; 4096])?;
            }
        });
        drop(body);
        assert_eq!(end.recv().await, None);
    }
}
