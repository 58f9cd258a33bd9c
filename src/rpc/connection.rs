//! One connection after its handshake: messages in, messages out.
//!
//! Responsible for the handshake of both sides and for the two halves. Writing
//! gathers what waits into few system calls; nobody who sends ever waits.

use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use prost::Message;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::{Framed, FramedRead, LengthDelimitedCodec};

use super::frame::{self, Nonce, Secret, Side};

/// A peer that does not prove itself within this is no peer.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// So many bytes are gathered before they are written.
const WRITE_BATCH: usize = 256 * 1024;

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The network.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side does not know the secret, or is something else.
    #[error("the other side does not know the application's secret")]
    NotProved,
    /// It did not say in time who it is.
    #[error("the other side did not prove itself within {} s", HANDSHAKE.as_secs())]
    Silent,
    /// It sent what is no message.
    #[error("the other side sent a damaged message: {0}")]
    Damaged(#[from] prost::DecodeError),
}

/// The receiving half.
pub struct Incoming<M> {
    frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
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
            Some(frame) => Ok(Some(M::decode(frame?)?)),
        }
    }
}

/// The sending half: a queue that is written as fast as the peer reads.
/// Dropping all clones closes the connection once all is written.
#[derive(Clone, Debug)]
pub struct Outgoing<M> {
    queue: mpsc::UnboundedSender<Bytes>,
    message: PhantomData<fn(M)>,
}

impl<M: Message> Outgoing<M> {
    /// Sends a message, after all those sent before. A connection that is gone
    /// is noticed by its receiving half.
    pub fn send(&self, message: &M) {
        let _ = self.queue.send(frame::body(message));
    }
}

fn nonce() -> Nonce {
    let mut nonce = Nonce::default();
    SystemRandom::new()
        .fill(&mut nonce)
        .expect("the system has random numbers");
    nonce
}

/// Proves the secret to an executor that connected, and has it prove itself.
///
/// # Errors
/// The peer is none of ours.
pub async fn accept<In: Message + Default, Out: Message>(
    stream: TcpStream,
    secret: &Secret,
) -> Result<(Incoming<In>, Outgoing<Out>), ConnectionError> {
    within(async {
        let mut greeting = Framed::new(stream, frame::codec(frame::MAX_GREETING));
        let challenge = nonce();
        greeting.send(Bytes::copy_from_slice(&challenge)).await?;
        let answer = receive(&mut greeting).await?;
        let other =
            frame::check_answer(secret, &challenge, &answer).ok_or(ConnectionError::NotProved)?;
        let proof = secret.proof(Side::Driver, other, &challenge);
        greeting.send(Bytes::from(proof)).await?;
        split(greeting)
    })
    .await
}

/// Connects to the driver and proves the secret to it.
///
/// # Errors
/// The driver cannot be reached, or is not ours.
pub async fn connect<In: Message + Default, Out: Message>(
    address: &str,
    secret: &Secret,
) -> Result<(Incoming<In>, Outgoing<Out>), ConnectionError> {
    within(async {
        let stream = TcpStream::connect(address).await?;
        let mut greeting = Framed::new(stream, frame::codec(frame::MAX_GREETING));
        let challenge = receive(&mut greeting).await?;
        let own = nonce();
        greeting
            .send(Bytes::from(frame::answer(secret, &challenge, &own)))
            .await?;
        let proof = receive(&mut greeting).await?;
        if !secret.is_proved(Side::Driver, &own, &challenge, &proof) {
            return Err(ConnectionError::NotProved);
        }
        split(greeting)
    })
    .await
}

async fn within<T>(
    handshake: impl Future<Output = Result<T, ConnectionError>>,
) -> Result<T, ConnectionError> {
    tokio::time::timeout(HANDSHAKE, handshake)
        .await
        .unwrap_or(Err(ConnectionError::Silent))
}

async fn receive(
    greeting: &mut Framed<TcpStream, LengthDelimitedCodec>,
) -> Result<Bytes, ConnectionError> {
    match greeting.next().await {
        Some(frame) => Ok(frame?.freeze()),
        None => Err(ConnectionError::NotProved),
    }
}

type Halves<In, Out> = (Incoming<In>, Outgoing<Out>);

fn split<In, Out>(
    greeting: Framed<TcpStream, LengthDelimitedCodec>,
) -> Result<Halves<In, Out>, ConnectionError> {
    let parts = greeting.into_parts();
    parts.io.set_nodelay(true)?;
    let (read, write) = parts.io.into_split();
    let mut frames = FramedRead::with_capacity(read, frame::codec(frame::MAX_FRAME), 64 * 1024);
    // What the peer sent right behind its proof.
    frames.read_buffer_mut().unsplit(parts.read_buf);
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
    Ok((incoming, outgoing))
}

async fn write_all(mut write: OwnedWriteHalf, mut waiting: mpsc::UnboundedReceiver<Bytes>) {
    let mut batch = BytesMut::with_capacity(WRITE_BATCH);
    while let Some(first) = waiting.recv().await {
        let mut next = Some(first);
        while let Some(body) = next {
            let length = u32::try_from(body.len()).expect("a frame is shorter than 4 GiB");
            batch.put_u32(length);
            batch.put_slice(&body);
            next = (batch.len() < WRITE_BATCH)
                .then(|| waiting.try_recv().ok())
                .flatten();
        }
        if let Err(error) = write.write_all(&batch).await {
            tracing::debug!(%error, "cannot write to a peer");
            return;
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::rpc::message::{FromDriver, FromExecutor, from_driver, from_executor};

    async fn pair(
        ours: &'static str,
        theirs: &'static str,
    ) -> (
        Result<Halves<FromExecutor, FromDriver>, ConnectionError>,
        Result<Halves<FromDriver, FromExecutor>, ConnectionError>,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepting = async {
            let (stream, _) = listener.accept().await.unwrap();
            accept(stream, &Secret::new(ours)).await
        };
        let theirs = Secret::new(theirs);
        tokio::join!(accepting, connect(&address, &theirs))
    }

    #[tokio::test]
    async fn messages_pass_both_ways_in_order_until_one_side_closes() {
        let (driver, executor) = pair("s", "s").await;
        let (mut from_executor, to_executor) = driver.unwrap();
        let (mut from_driver, to_driver) = executor.unwrap();
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
        drop(to_driver);
        assert_eq!(from_executor.next().await.unwrap(), Some(heartbeat));
        drop(from_driver);
        assert!(matches!(from_executor.next().await, Ok(None)));
    }

    #[tokio::test]
    async fn a_peer_with_another_secret_is_refused() {
        let (driver, executor) = pair("s", "t").await;
        assert!(matches!(driver, Err(ConnectionError::NotProved)));
        assert!(executor.is_err());
    }
}
