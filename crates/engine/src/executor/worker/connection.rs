//! The way to the driver.

use std::pin::Pin;

use crate::rpc::connection::{ConnectionError, Incoming, Outgoing};
use crate::rpc::message::{FromDriver, FromExecutor};

pub(super) type Link = (Incoming<FromDriver>, Outgoing<FromExecutor>);

/// The way to the driver.
pub(super) enum Connection {
    None,
    Making(Pin<Box<dyn Future<Output = Result<Link, ConnectionError>> + Send>>),
    Made(Box<Link>),
}

/// What became of the way to the driver.
pub(super) enum FromConnection {
    Made(Result<Link, ConnectionError>),
    Heard(Result<Option<FromDriver>, ConnectionError>),
}

impl Connection {
    /// Waits for the next thing to happen to it; for ever if there is none.
    pub(super) async fn next(&mut self) -> FromConnection {
        match self {
            Self::None => std::future::pending().await,
            Self::Making(making) => FromConnection::Made(making.await),
            Self::Made(link) => FromConnection::Heard(link.0.next().await),
        }
    }
}
