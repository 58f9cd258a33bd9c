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
    pub(super) address: String,
    pub(super) secret: String,
    blocks: BlockClient,
    _serving: AbortOnDrop,
}

impl Office {
    /// Listens on a free port of `host`.
    pub(super) async fn open(
        host: &str,
        conf: &Conf,
        arrivals: &mpsc::UnboundedSender<Arrival>,
    ) -> Result<Self, RunError> {
        let listener = TcpListener::bind((host, 0))
            .await
            .map_err(RunError::System)?;
        let port = listener.local_addr().map_err(RunError::System)?.port();
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let server = Server {
            secret: Secret::new(&secret),
            patience: conf.get(&NETWORK_TIMEOUT),
            arrivals: arrivals.clone(),
            next: AtomicU64::new(1),
        };
        let serving = serve(listener, server);
        let blocks = BlockClient::new(&secret, tokio::runtime::Handle::current())
            .map_err(|error| RunError::System(std::io::Error::other(error)))?;
        Ok(Self {
            address: format!("{host}:{port}"),
            secret,
            blocks,
            _serving: AbortOnDrop::spawn(serving),
        })
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
