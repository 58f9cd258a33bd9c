//! A run's framework at its beginning: the subscription, and what the backends
//! of Mesos are told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::agent_tls;
use super::binary::Binary;
use super::core::input::Input;
use super::core::record;
use super::error::RunError;
use super::launching::Launching;
use super::links::Arrival;
use super::listener::Listener;
use super::report::{Mode, Progress};
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::master_url::{MasterUrl, MesosMaster};
use crate::conf::properties::allocation::IDLE_TIMEOUT;
use crate::conf::properties::application::{MASTER, RECOVERY_DIR};
use crate::conf::properties::executor::CORES_MAX;
use crate::conf::properties::mesos::{
    COARSE, CONSTRAINTS, DRIVER_HOST, FAILOVER_TIMEOUT, FINE_EXECUTOR_CORES, PLACEMENT, Placement,
    RACK_ATTRIBUTE, REGISTRATION_TIMEOUT, ROLE,
};
use crate::conf::properties::network::{BLOCK_MANAGER_PORT, PORT_MAX_RETRIES};
use crate::conf::properties::resources::{GPU, GPUS_MAX};
use crate::conf::properties::storage::LOCAL_DIR;
use crate::ids::FrameworkId;
use crate::offers::{Constraints, ConstraintsError, RefusePolicy, Requirement};
use crate::plan::{Plan, TaskNeeds};
use crate::resources::{Demand, Scalar};
use mesquite_core::backend::executor_size::ExecutorSize;
use mesquite_core::backend::manager::ClusterManager;
use mesquite_core::backend::mesos::coarse::MesosCoarse;
use mesquite_core::backend::mesos::desk::MesosConfig;
use mesquite_core::backend::mesos::fine::{MesosFine, MesosFineConfig};
use mesquite_engine::executor::worker::{ALLOCATOR, variable};
use mesquite_mesos_client::client::{Client, ClientConfig};
use mesquite_mesos_client::endpoint::Endpoint;
use mesquite_mesos_client::subscription::Notice;
use mesquite_mesos_client::task::Variable;
use mesquite_scheduler::config::task_needs;
use mesquite_system::ports::Ports;

/// So long nothing is said while a master is asked.
const FIRST_WORD: Duration = Duration::from_millis(700);

/// A granted subscription.
pub(super) struct Granted {
    pub(super) framework: FrameworkId,
    pub(super) endpoint: Endpoint,
    /// The news of it.
    pub(super) notice: Notice,
}

/// Subscribes with the master; whoever waits no longer says so by `interrupts`.
pub(super) async fn subscribe(
    config: ClientConfig,
    conf: &Conf,
    clock: SystemClock,
    interrupts: &mut mpsc::UnboundedReceiver<()>,
    listener: &mut dyn Listener,
) -> Result<(Client, mpsc::UnboundedReceiver<Notice>, Granted), RunError> {
    let failed = |why: String| RunError::NoMaster(why);
    let (client, mut notices) =
        Client::start(config, clock).map_err(|error| failed(error.to_string()))?;
    let patience = conf.get(&REGISTRATION_TIMEOUT);
    let mut last = "it did not answer; is this the address of a Mesos master?".to_owned();
    let mut told = false;
    let granted = async {
        loop {
            // People are told within a second whom they wait for.
            let news = if told {
                notices.recv().await
            } else {
                match timeout(FIRST_WORD, notices.recv()).await {
                    Ok(news) => news,
                    Err(_) => {
                        told = true;
                        listener.progress(Progress::Note(waiting_for(&conf.get(&MASTER))));
                        continue;
                    }
                }
            };
            match news {
                Some(Notice::Subscribed {
                    framework,
                    endpoint,
                    master,
                }) => {
                    return Ok(Granted {
                        framework: framework.clone(),
                        endpoint: endpoint.clone(),
                        notice: Notice::Subscribed {
                            framework,
                            endpoint,
                            master,
                        },
                    });
                }
                // Each reason comes once.
                Some(Notice::Failing { why } | Notice::Disconnected { why }) => {
                    told = true;
                    let note = format!("{why}; trying for {patience:?}");
                    listener.progress(Progress::Note(note));
                    last = why;
                }
                Some(Notice::Ended(end)) => return Err(failed(end.to_string())),
                Some(Notice::Event(_)) => {}
                None => return Err(failed("the client ended".into())),
            }
        }
    };
    let granted = tokio::select! {
        granted = timeout(patience, granted) => granted,
        _ = interrupts.recv() => return Err(RunError::Interrupted),
    };
    match granted {
        Ok(granted) => Ok((client, notices, granted?)),
        Err(_) => Err(failed(format!("no success within {patience:?}: {last}"))),
    }
}

/// Whom a run waits for. ZooKeeper's URL may have a password in it.
fn waiting_for(master: &MasterUrl) -> String {
    match master.mesos() {
        Some(MesosMaster::ZooKeeper(_)) => {
            "waiting for an answer of ZooKeeper, and of the master that it names".into()
        }
        Some(MesosMaster::Hosts { .. }) | None => {
            format!("waiting for an answer of the master {master}")
        }
    }
}

/// Hands what Mesos says to the loop.
pub(super) fn forward(
    mut notices: mpsc::UnboundedReceiver<Notice>,
    arrivals: mpsc::UnboundedSender<Arrival>,
) {
    tokio::spawn(async move {
        while let Some(notice) = notices.recv().await {
            if arrivals.send(Input::Mesos(notice).into()).is_err() {
                return;
            }
        }
    });
}

/// The address of this machine that agents can reach: the one from which the
/// master is reached, unless it is set.
pub(super) fn host_for(conf: &Conf, master: &Endpoint) -> String {
    conf.get(&DRIVER_HOST).unwrap_or_else(|| {
        let local = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            // Nothing is sent: only the route is looked up.
            socket.connect((master.host.as_str(), master.port))?;
            socket.local_addr()
        });
        local.map_or_else(|_| "127.0.0.1".into(), |address| address.ip().to_string())
    })
}

/// In fine mode an executor without a task goes after so long, unless it is said otherwise: it
/// holds a tenth of a core.
const IDLE: Duration = Duration::from_secs(60);

/// What turns offers into executors or tasks, and its mode.
pub(super) fn mesos_manager(
    office: &record::Office,
    binary: &Binary,
    app_id: &str,
    (conf, plan): (&Conf, &Plan),
) -> Result<(Box<dyn ClusterManager>, Mode), RunError> {
    let mut shared = mesos_config(office, binary, app_id, conf)?;
    Ok(if conf.get(&COARSE) {
        let needs = plan.datasets().filter_map(|(_, it)| it.needs());
        // An executor that has all of an offer has to have room for each task.
        let most = needs.map(|it| it.cpus).max().unwrap_or(0);
        shared.size.least_cores = shared.size.least_cores.max(most);
        shared.requirement.demand = shared.size.demand();
        let pack = conf.get(&PLACEMENT) == Placement::Pack;
        (Box::new(MesosCoarse::new(shared, pack)), Mode::Coarse)
    } else {
        let manager = MesosFine::new(fine_config(shared, conf, plan));
        (Box::new(manager), Mode::Fine)
    })
}

/// What both modes of Mesos are told; executors find the driver at `office`.
/// Everybody may read it: the master shows commands and environments.
fn mesos_config(
    office: &record::Office,
    binary: &Binary,
    app_id: &str,
    conf: &Conf,
) -> Result<MesosConfig, RunError> {
    let (host, port) = (&office.host, office.binary_port);
    let launching = Launching::of(conf, binary, &format!("http://{host}:{port}/mesquite"));
    let variable = |name: &str, value: &str| Variable {
        name: name.into(),
        value: value.into(),
        secret: false,
    };
    let mut command = launching.command;
    let environment = &mut command.environment;
    environment.push(variable(variable::DRIVER, &office.address()));
    environment.extend(ALLOCATOR.map(|(name, value)| variable(name, value)));
    let tls = agent_tls::variables(conf)?;
    environment.extend(tls.iter().map(|(name, value)| variable(name, value)));
    if conf.get(&RECOVERY_DIR).is_some() {
        let patience = conf.get(&FAILOVER_TIMEOUT).as_secs().to_string();
        environment.push(variable(variable::PATIENCE, &patience));
    }
    if let Some(folder) = conf.get(&LOCAL_DIR) {
        environment.push(variable(variable::FOLDER, &folder.to_string_lossy()));
    }
    let port = conf.get(&BLOCK_MANAGER_PORT);
    if port != 0 {
        let ports = Ports::of(port, conf.get(&PORT_MAX_RETRIES));
        environment.push(variable(variable::PORTS, &ports.to_string()));
    }
    let size = ExecutorSize::of(conf);
    let constraints = match conf.get(&CONSTRAINTS) {
        Some(text) => text
            .parse()
            .map_err(|error: ConstraintsError| RunError::Constraints(error.to_string()))?,
        None => Constraints::default(),
    };
    let role = conf.get(&ROLE);
    let config = MesosConfig {
        cores_max: conf.get(&CORES_MAX),
        gpus_max: conf.get(&GPUS_MAX),
        requirement: Requirement {
            demand: size.demand(),
            constraints,
            role: Some(role.clone()),
            ..Requirement::default()
        },
        refuse: RefusePolicy::from_conf(conf),
        role,
        command,
        container: launching.container,
        labels: launching.labels,
        variables: [variable::EXECUTOR, variable::HOST, variable::CORES],
        prefix: app_id
            .chars()
            .rev()
            .take(8)
            .collect::<String>()
            .chars()
            .rev()
            .collect(),
        rack_attribute: conf.get(&RACK_ATTRIBUTE).map(Into::into),
        size,
    };
    Ok(config)
}

/// Resources with names and how many of each.
type Named = Vec<(Arc<str>, u32)>;

/// What each task of a run takes of resources with names at least, and what one takes at most.
fn named_of_tasks(conf: &Conf, plan: &Plan) -> (Named, Named) {
    let all: Vec<_> = plan.datasets().filter_map(|(_, it)| it.needs()).collect();
    let of_conf = task_needs(conf);
    let all: Vec<&TaskNeeds> = all.iter().map(|it| &***it).chain([&of_conf]).collect();
    let names: BTreeSet<&Arc<str>> = all
        .iter()
        .flat_map(|it| it.resources.iter().map(|(name, _)| name))
        .collect();
    let amounts = |name: &Arc<str>| {
        let of_one = |it: &&TaskNeeds| {
            let found = it.resources.iter().find(|(its, _)| its == name);
            found.map_or(0, |(_, amount)| amount.addresses())
        };
        all.iter().map(of_one).collect::<Vec<_>>()
    };
    let each = |of: fn(Vec<u32>) -> Option<u32>| -> Named {
        let all = names
            .iter()
            .map(|name| (Arc::clone(name), of(amounts(name)).unwrap_or(0)));
        all.filter(|(_, count)| *count > 0).collect()
    };
    let least = each(|all| all.into_iter().min());
    (least, each(|all| all.into_iter().max()))
}

/// Whether a task of some dataset needs GPUs.
pub(super) fn asks_for_gpus(plan: &Plan) -> bool {
    let mut needs = plan.datasets().filter_map(|(_, it)| it.needs());
    needs.any(|it| it.resources.iter().any(|(name, _)| **name == *GPU))
}

/// What fine mode is told beyond what coarse mode is.
fn fine_config(shared: MesosConfig, conf: &Conf, plan: &Plan) -> MesosFineConfig {
    let cores = conf.get(&FINE_EXECUTOR_CORES);
    let (named, offered) = named_of_tasks(conf, plan);
    let cpus = plan
        .datasets()
        .filter_map(|(_, it)| it.needs())
        .map(|it| it.cpus);
    let least_cores = cpus.chain([shared.size.least_cores]).min().unwrap_or(1);
    MesosFineConfig {
        offered,
        shared: MesosConfig {
            size: ExecutorSize {
                named,
                least_cores,
                ..shared.size
            },
            requirement: Requirement {
                demand: Demand::new(),
                ..shared.requirement.clone()
            },
            ..shared
        },
        executor_cores: Scalar::from_milli((cores * 1000.0).round() as u64),
        idle_timeout: conf.get(&IDLE_TIMEOUT).unwrap_or(IDLE),
    }
}
