//! Where executors connect.
//!
//! Responsible for turning connections into [`Arrival`]s: a peer that proves the
//! secret and registers is an executor, until its connection ends or it has been
//! silent for too long (executors send heartbeats).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::core::input::{ConnectionId, Input};
use super::links::{Arrival, LinkTo};
use crate::ids::ExecutorId;
use crate::rpc::connection::{ConnectionError, Incoming, accept};
use crate::rpc::frame::Secret;
use crate::rpc::message::{FromExecutor, from_executor::Message};

/// What all connections share.
pub(super) struct Server {
    pub(super) secret: Secret,
    /// A peer that is silent for so long is given up.
    pub(super) patience: Duration,
    pub(super) arrivals: mpsc::UnboundedSender<Arrival>,
    /// The number of the next connection.
    pub(super) next: Arc<AtomicU64>,
}

/// Accepts executors for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, server: Server) {
    let server = Arc::new(server);
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    if let Err(error) = server.speak(stream).await {
                        tracing::debug!(%from, %error, "a connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: some will come free.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Server {
    async fn speak(&self, stream: TcpStream) -> Result<(), ConnectionError> {
        let greeted = timeout(
            self.patience,
            accept::<FromExecutor, _>(stream, &self.secret),
        )
        .await;
        let (mut incoming, link) = greeted.map_err(|_| silent(self.patience))??;
        let Some(first) = self.next(&mut incoming).await? else {
            return Ok(());
        };
        let Some(Message::Register(register)) = &first.message else {
            return Ok(());
        };
        let executor = ExecutorId::from(register.executor.as_str());
        let connection = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        self.tell(Arrival::Connected(connection, LinkTo::Process(link)));
        let mut next = Some(first);
        let why = loop {
            match next {
                // That it came is all that it says.
                Some(message) if is_sign_of_life(&message) => {}
                Some(message) => self.tell(Arrival::Input(Input::Executor {
                    connection,
                    executor: executor.clone(),
                    message,
                })),
                None => break "its connection was closed".to_owned(),
            }
            next = match self.next(&mut incoming).await {
                Ok(next) => next,
                Err(error) => break format!("its connection broke: {error}"),
            };
        };
        self.tell(Arrival::Input(Input::Disconnected {
            connection,
            executor,
            why,
        }));
        Ok(())
    }

    fn tell(&self, arrival: Arrival) {
        // Without the loop the run is over.
        let _ = self.arrivals.send(arrival);
    }

    /// The next message, if one comes in time.
    async fn next(
        &self,
        incoming: &mut Incoming<FromExecutor>,
    ) -> Result<Option<FromExecutor>, ConnectionError> {
        let next = timeout(self.patience, incoming.next()).await;
        next.unwrap_or_else(|_| Err(silent(self.patience)))
    }
}

fn is_sign_of_life(message: &FromExecutor) -> bool {
    matches!(&message.message, Some(Message::Heartbeat(it)) if it.progress.is_empty())
}

fn silent(patience: Duration) -> ConnectionError {
    let text = format!("it has said nothing for {patience:?}");
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}
