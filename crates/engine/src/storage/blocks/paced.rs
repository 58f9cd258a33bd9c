//! Peers that take what they asked for too slowly.
//!
//! Responsible for the time that an answer may wait for its reader. Whoever asks takes
//! what comes at once, into memory or a file, whatever its task does meanwhile: a
//! peer that does not is stuck, or wants to keep others waiting.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Who does not take so many bytes within so long, while there are as many, is given
/// up. That is as long as a client waits for a server that sends nothing.
pub(super) const LEAST: usize = 256 * 1024;
pub(super) const WITHIN: Duration = Duration::from_secs(30);

/// A stream whose writing fails when the other side reads too slowly.
pub(super) struct Paced<S> {
    stream: S,
    /// Since writing had to wait.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Bytes that were taken since then.
    taken: usize,
}

impl<S> Paced<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: None,
            taken: 0,
        }
    }

    fn moved(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken >= LEAST {
            self.all_taken();
        }
    }

    fn all_taken(&mut self) {
        self.waiting = None;
        self.taken = 0;
    }

    /// The other side is waited for: an error once that has been too long.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(WITHIN)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes what it asked for too slowly",
        ))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(Ok(count)) => {
                self.moved(count);
                Poll::Ready(Ok(count))
            }
            Poll::Pending => self.wait(context).map(Err),
            failed => failed,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Ok(())) => {
                self.all_taken();
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.wait(context).map(Err),
            failed => failed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.wait(context).map(Err),
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (ours, _theirs) = duplex(1000);
        let mut ours = Paced::new(ours);
        let error = ours.write_all(&[0; 2000]).await.expect_err("too slow");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// Takes some bytes, again and again, with a pause before each time.
    async fn taken(bytes: usize, pause: Duration) -> io::Result<()> {
        let (ours, mut theirs) = duplex(1000);
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; bytes];
            loop {
                tokio::time::sleep(pause).await;
                if theirs.read_exact(&mut buffer).await.is_err() {
                    return;
                }
            }
        });
        let mut ours = Paced::new(ours);
        let written = ours.write_all(&vec![0; 8 * LEAST]).await;
        drop(ours);
        reading.await.expect("no panic");
        written
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_little_is_given_up_and_who_takes_enough_is_not() {
        let pause = WITHIN * 3 / 4;
        assert!(taken(LEAST, pause).await.is_ok());
        assert!(taken(LEAST / 2, pause).await.is_err());
    }
}
