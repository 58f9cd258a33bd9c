//! One connection after its handshake: messages in, messages out.
//!
//! Responsible for the two halves of a stream that the
//! [`guard`](super::guard) let through. Writing gathers what waits into few system
//! calls; nobody who sends ever waits.

use std::io;
use std::marker::PhantomData;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use prost::Message;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

use super::frame;
use super::guard::{GuardError, Stream};

/// So many bytes are gathered before they are written.
const WRITE_BATCH: usize = 256 * 1024;

/// So many bytes are read at once.
const READ_BATCH: usize = 64 * 1024;

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The network.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side is none of ours.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// It sent what is no message.
    #[error("the other side sent a damaged message: {0}")]
    Damaged(#[from] prost::DecodeError),
}

/// The receiving half.
pub struct Incoming<M> {
    frames: FramedRead<ReadHalf<Stream>, LengthDelimitedCodec>,
    message: PhantomData<M>,
}

impl<M: Message + Default> Incoming<M> {
    /// The next message; `None` when the other side has closed.
    ///
    /// # Errors
    /// The connection broke or carries nonsense; it is of no use any more.
    pub async fn next(&mut self) -> Result<Option<M>, ConnectionError> {
        match self.frames.next().await {
            None => Ok(None),
            Some(frame) => Ok(Some(frame::message(frame?)?)),
        }
    }
}

/// The sending half: a queue that is written as fast as the peer reads.
/// Dropping all clones closes the connection once all is written.
#[derive(Clone, Debug)]
pub struct Outgoing<M> {
    queue: mpsc::UnboundedSender<Queued>,
    message: PhantomData<fn(M)>,
}

/// What waits to be written.
enum Queued {
    /// The body of a frame.
    Body(Bytes),
    /// What is done when all before is written.
    Waiting(Box<dyn FnOnce() + Send>),
}

/// A sending half that keeps no connection open.
#[derive(Clone, Debug)]
pub struct Aside<M> {
    queue: mpsc::WeakUnboundedSender<Queued>,
    message: PhantomData<fn(M)>,
}

impl<M: Message> Aside<M> {
    /// The sending half, if whom it belongs to has not dropped it.
    pub fn outgoing(&self) -> Option<Outgoing<M>> {
        Some(Outgoing {
            queue: self.queue.upgrade()?,
            message: PhantomData,
        })
    }
}

impl<M: Message> Outgoing<M> {
    /// Sends a message, after all those sent before. A connection that is gone
    /// is noticed by its receiving half.
    ///
    /// Who sends sees to it that no message is longer than a frame. One that is
    /// would break the connection for all that it carries; it is dropped.
    pub fn send(&self, message: &M) {
        let body = frame::body(message);
        if body.len() > frame::MAX_FRAME {
            let bytes = body.len();
            tracing::error!(bytes, "a message is longer than a frame: it is not sent");
            return;
        }
        let _ = self.queue.send(Queued::Body(body));
    }

    /// Tells when all that was sent before is in the system's hands, and so arrives
    /// even if this process ends at once. On a connection that breaks the
    /// receiver is told nothing, and finds its sender gone.
    pub fn tell_when_written(&self, waiting: std::sync::mpsc::Sender<()>) {
        self.when_written(move || {
            // Whoever waited may have been stopped.
            let _ = waiting.send(());
        });
    }

    /// Calls `tell` when all that was sent before is in the system's hands; drops it if
    /// the connection breaks.
    pub fn when_written(&self, tell: impl FnOnce() + Send + 'static) {
        let _ = self.queue.send(Queued::Waiting(Box::new(tell)));
    }

    /// The same, for whoever must not keep the connection open.
    pub fn aside(&self) -> Aside<M> {
        Aside {
            queue: self.queue.downgrade(),
            message: PhantomData,
        }
    }
}

/// What is heard, and what is said.
pub type Halves<In, Out> = (Incoming<In>, Outgoing<Out>);

/// Both halves of a stream on which nothing was said yet.
pub fn halves<In, Out>(stream: Stream) -> Halves<In, Out> {
    let (read, write) = tokio::io::split(stream);
    let frames = FramedRead::with_capacity(read, frame::codec(frame::MAX_FRAME), READ_BATCH);
    let (queue, waiting) = mpsc::unbounded_channel();
    tokio::spawn(write_all(write, waiting));
    let incoming = Incoming {
        frames,
        message: PhantomData,
    };
    let outgoing = Outgoing {
        queue,
        message: PhantomData,
    };
    (incoming, outgoing)
}

async fn write_all(mut write: WriteHalf<Stream>, mut waiting: mpsc::UnboundedReceiver<Queued>) {
    let mut batch = BytesMut::with_capacity(WRITE_BATCH);
    let mut to_tell: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    while let Some(first) = waiting.recv().await {
        let mut next = Some(first);
        while let Some(queued) = next {
            match queued {
                Queued::Body(body) => {
                    let length = u32::try_from(body.len()).expect("no longer than a frame");
                    batch.put_u32(length);
                    batch.put_slice(&body);
                }
                Queued::Waiting(waiting) => to_tell.push(waiting),
            }
            next = (batch.len() < WRITE_BATCH)
                .then(|| waiting.try_recv().ok())
                .flatten();
        }
        let written = async {
            write.write_all(&batch).await?;
            // What is encrypted waits in a buffer until then.
            write.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "cannot write to a peer");
            return;
        }
        batch.clear();
        for tell in to_tell.drain(..) {
            tell();
        }
    }
    // The peer is told that no more comes. It may be gone.
    let _ = write.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::rpc::credential::Authority;
    use crate::rpc::guard::{Guard, Whom};
    use crate::rpc::message::{FromDriver, FromExecutor, from_driver, from_executor};

    async fn pair(
        encrypted: bool,
    ) -> (
        Halves<FromExecutor, FromDriver>,
        Halves<FromDriver, FromExecutor>,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let authority = Authority::of("s", encrypted).unwrap();
        let credential = authority.credential(&"e".into()).unwrap();
        let executor = Guard::of_executor("e", &credential).unwrap();
        let driver = Guard::of_driver(std::sync::Arc::new(authority)).unwrap();
        let accepting = async {
            let (stream, _) = listener.accept().await.unwrap();
            driver.accept(stream).await.unwrap().0
        };
        let (ours, theirs) = tokio::join!(accepting, executor.connect(&address, Whom::Driver));
        (halves(ours), halves(theirs.unwrap()))
    }

    #[tokio::test]
    async fn messages_pass_both_ways_in_order_until_one_side_closes() {
        for encrypted in [true, false] {
            messages_pass(encrypted).await;
        }
    }

    async fn messages_pass(encrypted: bool) {
        let (driver, executor) = pair(encrypted).await;
        let (mut from_executor, to_executor) = driver;
        let (mut from_driver, to_driver) = executor;
        for task in 0..1000 {
            to_executor.send(&FromDriver {
                message: Some(from_driver::Message::Kill(from_driver::Kill {
                    task,
                    reason: "x".repeat(task as usize),
                })),
            });
        }
        for wanted in 0..1000 {
            let Some(from_driver::Message::Kill(kill)) =
                from_driver.next().await.unwrap().unwrap().message
            else {
                panic!("another message");
            };
            assert_eq!((kill.task, kill.reason.len()), (wanted, wanted as usize));
        }
        let heartbeat = FromExecutor {
            message: Some(from_executor::Message::Heartbeat(
                from_executor::Heartbeat::default(),
            )),
        };
        to_driver.send(&heartbeat);
        let (written, was_written) = std::sync::mpsc::channel();
        to_driver.tell_when_written(written);
        drop(to_driver);
        assert_eq!(from_executor.next().await.unwrap(), Some(heartbeat));
        assert_eq!(was_written.recv(), Ok(()));
        drop(from_driver);
        assert!(matches!(from_executor.next().await, Ok(None)));
    }
}
