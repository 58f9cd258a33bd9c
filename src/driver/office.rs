//! Where executors find the driver, and what they are told there.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::event_loop::Fetcher;
use super::links::Arrival;
use super::run::RunError;
use super::server::{Server, serve};
use crate::conf::properties::mesos::NETWORK_TIMEOUT;
use crate::conf::properties::storage::{MAX_DIRECT_RESULT_SIZE, STORAGE_MEMORY, TASK_MEMORY};
use crate::conf::property::Property;
use crate::conf::{ByteSize, Conf};
use crate::executor::worker::setting;
use crate::plan::application::Application;
use crate::rpc::frame::Secret;
use crate::rpc::message::from_driver;
use crate::storage::blocks::BlockClient;
use crate::timer::AbortOnDrop;

/// Where executors find the driver, and by what they know each other.
pub(super) struct Office {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secret: String,
    /// The number of the next connection.
    pub(super) next: Arc<AtomicU64>,
    blocks: BlockClient,
    _serving: AbortOnDrop,
}

impl Office {
    /// Listens on a port of `host`; on a free one if it is 0.
    pub(super) async fn open(
        (host, port): (&str, u16),
        secret: &str,
        conf: &Conf,
        arrivals: &mpsc::UnboundedSender<Arrival>,
    ) -> Result<Self, RunError> {
        let listener = listen(host, port).await?;
        let port = listener.local_addr().map_err(RunError::System)?.port();
        let next = Arc::new(AtomicU64::new(1));
        let server = Server {
            secret: Secret::new(secret),
            patience: conf.get(&NETWORK_TIMEOUT),
            arrivals: arrivals.clone(),
            next: Arc::clone(&next),
        };
        let serving = serve(listener, server);
        let blocks = BlockClient::new(secret, tokio::runtime::Handle::current())
            .map_err(|error| RunError::System(std::io::Error::other(error)))?;
        Ok(Self {
            host: host.to_owned(),
            port,
            secret: secret.to_owned(),
            next,
            blocks,
            _serving: AbortOnDrop::spawn(serving),
        })
    }

    /// Where executors connect.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Fetches results that executors keep.
    pub(super) fn fetcher(&self) -> Fetcher {
        let blocks = self.blocks.clone();
        Arc::new(move |place, task| {
            let (blocks, address) = (blocks.clone(), place.address.clone());
            Box::pin(async move {
                let result = blocks.result(&address, task, u64::MAX).await;
                result.map(Into::into).map_err(|error| error.to_string())
            })
        })
    }
}

/// Listens; on a free port if it is 0.
pub(super) async fn listen(host: &str, port: u16) -> Result<TcpListener, RunError> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let what = format!("cannot listen on {host}:{port}: {error}");
        RunError::System(std::io::Error::new(error.kind(), what))
    })
}

/// What executors are told when they register.
pub(super) fn welcome(
    app_id: &str,
    application: &Application,
    conf: &Conf,
) -> Result<from_driver::Registered, RunError> {
    let program = serde_json::to_vec(&*application.program)
        .map_err(|error| RunError::System(error.into()))?;
    let bytes = |property: &Property<ByteSize>| conf.get(property).whole_bytes().to_string();
    let settings = [
        (setting::TASK_MEMORY, bytes(&TASK_MEMORY)),
        (setting::STORAGE_MEMORY, bytes(&STORAGE_MEMORY)),
        (setting::MAX_DIRECT_RESULT, bytes(&MAX_DIRECT_RESULT_SIZE)),
    ];
    Ok(from_driver::Registered {
        program: program.into(),
        app_id: app_id.to_owned(),
        conf: settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    })
}
