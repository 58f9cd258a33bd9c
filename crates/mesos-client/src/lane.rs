//! Calls of one subscription, one after the other.
//!
//! Responsible for their order: a peer handles the calls of one connection in
//! the order it got them, so the next is sent when the last was answered. Used
//! by the framework's and the executor's client, which encode the calls.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::http::Http;
use super::refused::CallRefusal;
use super::response::{CallAnswer, of_call};

/// A call that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no subscription, or it ended before the call was answered.
    #[error("not sent: there is no subscription")]
    NotSubscribed,
    /// The peer refused it.
    #[error("the call was refused: {0}")]
    Refused(CallRefusal),
}

/// The answer to a call. May be dropped by who does not care; a call that fails
/// is then logged.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<(), CallError>>);

impl Future for Pending {
    type Output = Result<(), CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(CallError::NotSubscribed)))
    }
}

/// Whoever waits, or does not, for the answer to a call.
#[derive(Debug)]
pub(super) struct Asker {
    name: &'static str,
    answer: oneshot::Sender<Result<(), CallError>>,
}

impl Asker {
    /// An asker with a call of that name, and what it waits on.
    pub(super) fn new(name: &'static str) -> (Self, Pending) {
        let (answer, pending) = oneshot::channel();
        (Self { name, answer }, Pending(pending))
    }

    /// Answers it.
    pub(super) fn answer(self, result: Result<(), CallError>) {
        match self.answer.send(result) {
            // Calls of a subscription end with it, and its end is told.
            Err(Err(error @ CallError::NotSubscribed)) => {
                tracing::debug!(call = self.name, %error, "a call failed");
            }
            Err(Err(error)) => tracing::warn!(call = self.name, %error, "a call failed"),
            Err(Ok(())) | Ok(()) => {}
        }
    }
}

/// Where the calls of a subscription go.
#[derive(Debug)]
pub(super) struct Address {
    /// The URL of the API.
    pub(super) url: String,
    /// The subscription's stream id, if the API has one.
    pub(super) stream_id: Option<String>,
}

/// A queue of encoded calls, and the task that works it off. When it is dropped
/// the call that is under way is still answered (TEARDOWN is, after the stream
/// that it ends), and those behind it are not sent.
#[derive(Debug)]
pub(super) struct Lane {
    queue: mpsc::UnboundedSender<(Bytes, Asker)>,
    _open: oneshot::Sender<Infallible>,
}

impl Lane {
    /// Opens a lane. `lost` is told if a call finds the subscription gone.
    pub(super) fn open<F>(
        http: Arc<Http>,
        address: Address,
        lost: impl FnOnce(String) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (queue, calls) = mpsc::unbounded_channel();
        let (open, closed) = oneshot::channel();
        tokio::spawn(async move {
            if let Some(why) = work_off(&http, &address, calls, closed).await {
                lost(why).await;
            }
        });
        Self { queue, _open: open }
    }

    /// Sends a call after all those before it.
    pub(super) fn send(&self, body: Bytes, asker: Asker) {
        if let Err(mpsc::error::SendError((_, asker))) = self.queue.send((body, asker)) {
            asker.answer(Err(CallError::NotSubscribed));
        }
    }
}

/// Sends calls until the lane is closed, or one finds the subscription gone and
/// says why.
async fn work_off(
    http: &Http,
    address: &Address,
    mut calls: mpsc::UnboundedReceiver<(Bytes, Asker)>,
    mut closed: oneshot::Receiver<Infallible>,
) -> Option<String> {
    loop {
        let (body, asker) = tokio::select! {
            biased;
            _ = &mut closed => return None,
            call = calls.recv() => call?,
        };
        let answer = http
            .call(&address.url, address.stream_id.as_deref(), body)
            .await;
        let lost = match answer.map(|answer| of_call(&answer)) {
            Ok(CallAnswer::Taken) => {
                asker.answer(Ok(()));
                continue;
            }
            Ok(CallAnswer::Refused(refusal)) => {
                asker.answer(Err(CallError::Refused(refusal)));
                continue;
            }
            Ok(CallAnswer::NotSubscribed { why }) => why,
            Err(error) => error.to_string(),
        };
        asker.answer(Err(CallError::NotSubscribed));
        return Some(lost);
    }
}
