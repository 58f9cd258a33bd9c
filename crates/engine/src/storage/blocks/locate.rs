//! Where map outputs are served, for whoever asks.

use tokio::sync::oneshot;

/// Knows where the outputs of executors are served, which may change.
pub trait Locate: Send + Sync {
    /// The block server that has the outputs of an executor; `None` if they are
    /// lost. The answer may take as long as it takes to have them served again.
    fn locate(&self, store: &str) -> oneshot::Receiver<Option<String>>;
}
