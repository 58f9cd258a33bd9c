//! Waiting for the deadlines of pure machines, and tasks that end with their
//! owner: what the clients share of the runtime.

use std::future::Future;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::clock::{SystemClock, Timestamp};

/// Waits for a deadline; for ever if there is none.
pub async fn sleep_until(clock: SystemClock, deadline: Option<Timestamp>) {
    match deadline {
        Some(deadline) => {
            tokio::time::sleep_until(Instant::from_std(clock.instant_of(deadline))).await;
        }
        None => std::future::pending().await,
    }
}

/// Ends a task when it is dropped.
pub struct AbortOnDrop(AbortHandle);

impl AbortOnDrop {
    /// Starts a task.
    pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future).abort_handle())
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
