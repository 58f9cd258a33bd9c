//! Where executors connect.
//!
//! Responsible for turning connections into [`Arrival`]s: a peer that proves to be
//! an executor and registers as that one is it, until its connection ends or it has
//! been silent for too long (executors send heartbeats). It registers once on a
//! connection, and the name of its folder is the driver's: see [`Folders`].

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use super::bringing::Bringing;
use super::core::input::{ConnectionId, Input};
use super::links::{Arrival, LinkTo};
use super::wire;
use crate::ids::ExecutorId;
use mesquite_engine::rpc::connection::{ConnectionError, Incoming, halves};
use mesquite_engine::rpc::credential::Authority;
use mesquite_engine::rpc::gate::{Admission, Gate, strangers};
use mesquite_engine::rpc::guard::Guard;
use mesquite_workload::message::{FromExecutor, from_executor::Message};

/// No path of a folder is longer: the system takes none.
const LONGEST_FOLDER: usize = 4096;

/// What all connections share.
pub(super) struct Server {
    pub(super) guard: Guard,
    pub(super) folders: Folders,
    /// A peer that is silent for so long is given up.
    pub(super) patience: Duration,
    pub(super) arrivals: mpsc::UnboundedSender<Arrival>,
    /// Gives them files.
    pub(super) bringing: Bringing,
    /// The number of the next connection.
    pub(super) next: Arc<AtomicU64>,
}

/// Accepts executors for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, server: Server) {
    let server = Arc::new(server);
    let gate = Gate::new(strangers());
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let server = Arc::clone(&server);
                let place = gate.enter(from.ip()).await;
                let span = tracing::debug_span!("connection", %from, executor = Empty);
                let speak = async move {
                    if let Err(error) = server.speak(stream, place).await {
                        tracing::debug!(%error, "a connection ended");
                    }
                };
                tokio::spawn(speak.instrument(span));
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
    async fn speak(&self, stream: TcpStream, place: Admission) -> Result<(), ConnectionError> {
        let Some(proved) = place.spend(self.guard.accept(stream)).await else {
            // Others wanted its place.
            return Ok(());
        };
        let (stream, proved) = proved?;
        let (mut incoming, link) = halves::<FromExecutor, _>(stream);
        let Some(mut first) = self.next(&mut incoming).await? else {
            return Ok(());
        };
        let Some(Message::Register(register)) = &mut first.message else {
            return Ok(());
        };
        let executor = ExecutorId::from(register.executor.as_str());
        if !proved.is(&executor) {
            tracing::warn!(%executor, "refused an executor that said it was another one");
            return Ok(());
        }
        let Some(folder) = self.folders.of(&executor, &register.folder) else {
            let said = &register.folder;
            tracing::warn!(%executor, ?said, "refused an executor: that is no folder of one");
            return Ok(());
        };
        register.folder = folder;
        let connection = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        Span::current().record("executor", display(&executor));
        tracing::debug!("an executor connected");
        let to_bring = self.bringing.to(link.aside());
        self.tell(Arrival::Connected(connection, LinkTo::Process(link)));
        let mut next = Some(first);
        let mut registered = false;
        let why = loop {
            match next {
                // That it came is all that it says.
                Some(message) if is_sign_of_life(&message) => {}
                Some(FromExecutor {
                    message: Some(Message::Want(want)),
                }) => to_bring.want(want),
                Some(message) if registered && is_register(&message) => {
                    tracing::warn!(%executor, "gave up an executor that registered twice");
                    break "it registered twice on one connection".to_owned();
                }
                Some(message) => {
                    if let Some(message) = wire::heard(message) {
                        self.tell(Arrival::Input(Input::Executor {
                            connection,
                            executor: executor.clone(),
                            message,
                        }));
                    }
                }
                None => break "its connection was closed".to_owned(),
            }
            registered = true;
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

/// Where the folders of executors are. An executor of Mesos knows that alone: its
/// agent has given it a sandbox. What the folder is called there it does not say:
/// so whatever it names as the folder around its own, nothing is read, taken over
/// or removed there but what has the name that the driver gave it.
pub(super) struct Folders {
    pub(super) authority: Arc<Authority>,
    /// The folder around them, where the driver has chosen it.
    pub(super) within: Option<PathBuf>,
}

impl Folders {
    /// The folder of an executor that says it is in `said`; `None` if it can be in
    /// none of that name.
    fn of(&self, executor: &ExecutorId, said: &str) -> Option<String> {
        let within = match &self.within {
            Some(within) => within,
            None => Path::new(said),
        };
        let parts = || within.components();
        let plain = parts().all(|it| matches!(it, Component::RootDir | Component::Normal(_)));
        let fits = within.is_absolute() && said.len() <= LONGEST_FOLDER && !said.contains('\0');
        (plain && fits).then(|| {
            let path = within.join(self.authority.folder(executor));
            path.to_string_lossy().into_owned()
        })
    }
}

fn is_register(message: &FromExecutor) -> bool {
    matches!(&message.message, Some(Message::Register(_)))
}

fn is_sign_of_life(message: &FromExecutor) -> bool {
    matches!(&message.message, Some(Message::Heartbeat(it)) if it.progress.is_empty())
}

fn silent(patience: Duration) -> ConnectionError {
    let text = format!("it has said nothing for {patience:?}");
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_says_where_its_folder_is_and_not_which_one() {
        let authority = Arc::new(Authority::of("s", true).expect("made"));
        let executor = ExecutorId::from("e");
        let name = authority.folder(&executor);
        let folders = |within: Option<&str>| Folders {
            authority: Arc::clone(&authority),
            within: within.map(Into::into),
        };
        let said = folders(None);
        let of = |said: &Folders, text: &str| said.of(&executor, text);
        assert_eq!(of(&said, "/sandbox"), Some(format!("/sandbox/{name}")));
        for strange in ["", "sandbox", "./a", "/a/../home", "/a\0b", "/.."] {
            assert_eq!(of(&said, strange), None, "{strange:?}");
        }
        assert_eq!(of(&said, &"/x".repeat(3000)), None);
        let chosen = folders(Some("/scratch"));
        assert_eq!(of(&chosen, "/home"), Some(format!("/scratch/{name}")));
    }
}
