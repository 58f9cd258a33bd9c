//! Files on their way to executors.
//!
//! Responsible for what they cost this process: few pieces are in memory at once, however
//! many executors ask, and the next one of an executor is read when it has taken the last.
//! What they have in them is known to the [`shelf`](super::shelf).

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::shelf::Shelf;
use crate::timer::AbortOnDrop;
use mesquite_engine::rpc::connection::{Aside, Outgoing};
use mesquite_workload::message::from_executor::Want;
use mesquite_workload::message::{FromDriver, from_driver};

/// So many pieces are in memory at once.
const AT_ONCE: usize = 32;

/// An executor asks for no more at once: each of its threads fetches one file.
const ASKED: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Bringing {
    shelf: Shelf,
    turns: Arc<Semaphore>,
}

/// Brings files to one executor, as long as its connection lasts.
pub(super) struct ToOne {
    wants: mpsc::Sender<Want>,
    _bringing: AbortOnDrop,
}

impl Bringing {
    pub(super) fn new(shelf: &Shelf) -> Self {
        Self {
            shelf: shelf.clone(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Brings files by a connection, which is closed all the same.
    pub(super) fn to(&self, link: Aside<FromDriver>) -> ToOne {
        let (wants, wanted) = mpsc::channel(ASKED);
        let bringing = bring(self.shelf.clone(), Arc::clone(&self.turns), link, wanted);
        ToOne {
            wants,
            _bringing: AbortOnDrop::spawn(bringing),
        }
    }
}

impl ToOne {
    /// An executor wants a piece of a file.
    pub(super) fn want(&self, want: Want) {
        if self.wants.try_send(want).is_err() {
            tracing::warn!("an executor asks for more pieces of files than it has threads");
        }
    }
}

async fn bring(
    shelf: Shelf,
    turns: Arc<Semaphore>,
    link: Aside<FromDriver>,
    mut wanted: mpsc::Receiver<Want>,
) {
    while let Some(want) = wanted.recv().await {
        // It is never closed.
        let Ok(_turn) = turns.acquire().await else {
            return;
        };
        let (shelf, Want { digest, at }) = (shelf.clone(), want);
        let reading = move || (shelf.piece(&digest, at), digest);
        let Ok((read, digest)) = tokio::task::spawn_blocking(reading).await else {
            return;
        };
        let (bytes, error) = match read {
            Ok(bytes) => (bytes, String::new()),
            Err(error) => (Vec::new().into(), error),
        };
        let piece = from_driver::Piece {
            digest,
            at,
            bytes,
            error,
        };
        let Some(sent) = link.outgoing().map(|it| send(&it, piece)) else {
            return;
        };
        if sent.await.is_err() {
            return;
        }
    }
}

/// Sends a piece; tells when the system has it.
fn send(link: &Outgoing<FromDriver>, piece: from_driver::Piece) -> oneshot::Receiver<()> {
    link.send(&FromDriver {
        message: Some(from_driver::Message::Piece(piece)),
    });
    let (tell, told) = oneshot::channel();
    link.when_written(move || {
        // Whose connection has ended does not listen.
        let _ = tell.send(());
    });
    told
}
