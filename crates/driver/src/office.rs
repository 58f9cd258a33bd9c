//! Where executors find the driver, by what the two know each other, and what
//! executors are told when they come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use prost::Message as _;
use tokio::net::TcpListener;

use super::attempt_logs;
use super::bringing::Bringing;
use super::delivery::Fetcher;
use super::error::RunError;
use super::given::Given;
use super::report::{LINES_SHOWN, Mode};
use super::server::{Folders, Server, serve};
use crate::conf::master_url::MasterUrl;
use crate::conf::properties::application::CRYPTO;
use crate::conf::properties::mesos::NETWORK_TIMEOUT;
use crate::conf::properties::scheduler::TASK_CPUS;
use crate::conf::properties::storage::{
    IO_ENCRYPTION, IO_ENCRYPTION_KEY, KeySize, MAX_DIRECT_RESULT_SIZE, MAX_LOG_SIZE, MAX_LOGS_SIZE,
    MAX_MESSAGE_SIZE, MAX_RECORD_LENGTH,
};
use crate::conf::property::Property;
use crate::conf::{ByteSize, Conf};
use crate::core::instruction::{Released, Welcome};
use crate::ids::ExecutorId;
use crate::plan::application::Application;
use crate::timer::AbortOnDrop;
use mesquite_engine::executor::worker::setting;
use mesquite_engine::rpc::credential::{Authority, CredentialError};
use mesquite_engine::rpc::guard::Guard;
use mesquite_engine::storage::blocks::BlockClient;
use mesquite_engine::task::memory::size::ExecutorMemory;
use mesquite_mesos_client::call::Call;
use mesquite_status::live::AttemptLogs;
use mesquite_system::ports::Ports;
use mesquite_workload::message::Launch;

/// Where executors find the driver, and by what they know each other.
pub(super) struct Office {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) badges: Badges,
    /// The number of the next connection.
    pub(super) next: Arc<AtomicU64>,
    blocks: BlockClient,
    _serving: AbortOnDrop,
}

impl Office {
    /// Listens on one of these ports of an address, for executors that find it at `host`.
    /// The folders of executors are `within` that one, if it is known.
    pub(super) fn open(
        host: &str,
        (address, ports): (&str, Ports),
        secret: &str,
        within: Option<&Path>,
        given: Given<'_>,
    ) -> Result<Self, RunError> {
        let Given { conf, arrivals, .. } = given;
        let listener = listen(address, ports).map_err(RunError::System)?;
        let port = listener.local_addr().map_err(RunError::System)?.port();
        let next = Arc::new(AtomicU64::new(1));
        let badges = Badges::of(secret, conf)?;
        let within = within.filter(|it| it.is_absolute()).map(Path::to_owned);
        let guard = Guard::of_driver(Arc::clone(&badges.0)).map_err(unusable)?;
        let server = Server {
            guard: guard.clone(),
            folders: Folders {
                authority: Arc::clone(&badges.0),
                within,
            },
            patience: conf.get(&NETWORK_TIMEOUT),
            arrivals: arrivals.clone(),
            bringing: Bringing::new(given.shelf),
            next: Arc::clone(&next),
        };
        let serving = serve(listener, server);
        let blocks = BlockClient::new(guard, tokio::runtime::Handle::current());
        Ok(Self {
            host: host.to_owned(),
            port,
            badges,
            next,
            blocks,
            _serving: AbortOnDrop::spawn(serving),
        })
    }

    /// Where executors connect.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Reads what commands wrote to stderr, of which executors keep some.
    pub(super) fn logs(&self) -> Arc<dyn AttemptLogs> {
        attempt_logs::of_executors(self.blocks.clone())
    }

    /// Fetches results that executors keep.
    pub(super) fn fetcher(&self) -> Fetcher {
        let blocks = self.blocks.clone();
        Arc::new(move |place, task, bytes| {
            let (blocks, address) = (blocks.clone(), place.address.clone());
            Box::pin(async move {
                let result = blocks.result(&address, task, bytes).await;
                result.map(Into::into).map_err(|error| error.to_string())
            })
        })
    }
}

/// Bytes of the key that files are encrypted with; none if they are not.
pub(super) fn files_key_bytes(conf: &Conf) -> usize {
    if !conf.get(&IO_ENCRYPTION) {
        return 0;
    }
    match conf.get(&IO_ENCRYPTION_KEY) {
        KeySize::Bits128 => 16,
        KeySize::Bits256 => 32,
    }
}

/// What executors prove themselves with, and how it gets to them.
#[derive(Clone)]
pub(super) struct Badges(Arc<Authority>);

impl Badges {
    /// Those of the run that has this secret.
    pub(super) fn of(secret: &str, conf: &Conf) -> Result<Self, RunError> {
        let authority = Authority::of(secret, conf.get(&CRYPTO)).map_err(unusable)?;
        let files = files_key_bytes(conf);
        Ok(Self(Arc::new(authority.with_files_encrypted(files))))
    }

    /// What an executor that is a process of this machine reads from its standard
    /// input.
    pub(super) fn launch(&self, executor: &ExecutorId) -> Result<Vec<u8>, CredentialError> {
        self.0.launch(executor, Bytes::new())
    }

    /// Has tasks that are launched bring their executors what they prove
    /// themselves with, until those have: an executor starts with the first that
    /// comes, which need not be the first that was sent. The core and its journal
    /// know nothing of it.
    pub(super) fn attach(
        &self,
        call: &mut Call,
        is_registered: impl Fn(&ExecutorId) -> bool,
    ) -> Result<(), CredentialError> {
        let Call::Accept { launch, .. } = call else {
            return Ok(());
        };
        // Those of one executor come together, and to sign takes a while.
        let mut made = BTreeMap::new();
        for task in launch {
            let Some(info) = &task.executor else {
                continue;
            };
            let executor = &info.executor;
            let credential = match made.entry(executor.clone()) {
                Entry::Occupied(made) => made.into_mut(),
                Entry::Vacant(place) => {
                    let wanted = !is_registered(executor);
                    let credential = wanted.then(|| self.0.credential(executor));
                    place.insert(credential.transpose()?)
                }
            };
            let launch = Launch {
                credential: credential.clone(),
                task: std::mem::take(&mut task.data),
            };
            task.data = launch.encode_to_vec().into();
        }
        Ok(())
    }
}

fn unusable(error: CredentialError) -> RunError {
    RunError::System(std::io::Error::other(error))
}

fn listen(address: &str, ports: Ports) -> std::io::Result<TcpListener> {
    let listener = ports.listen(address, std::net::TcpListener::bind)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// In fine mode tasks and what becomes of them pass through Mesos, whose masters
/// and agents hold several copies of each.
const LONGEST_THROUGH_MESOS: usize = 16 << 20;

/// The longest message between the driver and an executor. Threads of the
/// driver are sent none.
pub(super) fn longest_message(conf: &Conf, mode: Mode) -> usize {
    let longest = conf.get(&MAX_MESSAGE_SIZE).whole_bytes();
    if mode.has_no_messages() {
        usize::MAX
    } else if mode.is_through_mesos() {
        longest.min(LONGEST_THROUGH_MESOS)
    } else {
        longest
    }
}

/// The program as executors are sent it.
pub(super) fn program_of(
    application: &Application,
    conf: &Conf,
    master: &MasterUrl,
) -> Result<Bytes, RunError> {
    let program = serde_json::to_vec(&*application.program)
        .map_err(|error| RunError::System(error.into()))?;
    let longest = conf.get(&MAX_MESSAGE_SIZE);
    if program.len() > longest.whole_bytes() && !master.shares_process() {
        return Err(RunError::LongProgram {
            bytes: program.len(),
            longest,
        });
    }
    Ok(program.into())
}

/// So many lines of each command's stderr come to the driver. On a cluster they
/// stay in the executor's sandbox, all of them.
const fn lines_told(mode: Mode) -> u64 {
    if mode.has_sandboxes() { 0 } else { LINES_SHOWN }
}

/// What executors are told when they register.
pub(super) fn welcome(
    app_id: &str,
    program: Bytes,
    memory: ExecutorMemory,
    conf: &Conf,
    mode: Mode,
) -> Welcome {
    let bytes = |property: &Property<ByteSize>| conf.get(property).whole_bytes().to_string();
    let settings = [
        (setting::MEMORY, memory.bytes.to_string()),
        (setting::MANAGED_MEMORY, memory.managed.to_string()),
        (setting::KEPT_SHARE, memory.kept.to_string()),
        (setting::LINES_TOLD, lines_told(mode).to_string()),
        (setting::TASK_CPUS, conf.get(&TASK_CPUS).to_string()),
        (setting::LONGEST_RECORD, bytes(&MAX_RECORD_LENGTH)),
        (setting::MAX_DIRECT_RESULT, bytes(&MAX_DIRECT_RESULT_SIZE)),
        (
            setting::LONGEST_MESSAGE,
            longest_message(conf, mode).to_string(),
        ),
        (setting::LOG_SIZE, bytes(&MAX_LOG_SIZE)),
        (setting::LOGS_SIZE, bytes(&MAX_LOGS_SIZE)),
    ];
    Welcome {
        program,
        app_id: app_id.to_owned(),
        conf: settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        released: Released::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::resources::Resources;
    use mesquite_mesos_client::task::{Command, ExecutorInfo, TaskInfo};

    #[test]
    fn tasks_bring_a_credential_until_their_executor_has_proved_that_it_has_it() {
        let authority = Authority::of("s", true).expect("made");
        let badges = Badges(Arc::new(authority));
        let task = |id: &str, executor: &str| TaskInfo {
            name: "task".into(),
            task: id.into(),
            agent: "a".into(),
            resources: Resources::new(),
            executor: Some(ExecutorInfo {
                executor: executor.into(),
                name: "mesquite".into(),
                command: Command::shell("run"),
                container: None,
                resources: Resources::new(),
                shutdown_grace_period: None,
            }),
            data: Bytes::from_static(b"work"),
            labels: Vec::new(),
        };
        let mut call = Call::Accept {
            offers: Vec::new(),
            launch: vec![task("1", "new"), task("2", "new"), task("3", "known")],
            refuse: Duration::ZERO,
        };
        let known = ExecutorId::from("known");
        let attached = badges.attach(&mut call, |it| *it == known);
        attached.expect("attached");
        let Call::Accept { launch, .. } = call else {
            panic!("another call");
        };
        let launches = launch.into_iter().map(|it| {
            let launch = Launch::decode(it.data).expect("a launch");
            assert_eq!(launch.task, "work");
            launch.credential
        });
        let credential = badges.0.credential(&"new".into()).expect("made");
        let credential = Some(credential);
        assert!(launches.eq([credential.clone(), credential, None]));
    }
}
