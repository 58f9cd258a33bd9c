//! A run's framework at its beginning: the subscription, and what the backends
//! of Mesos are told.

use tokio::sync::mpsc;

use super::binary::Binary;
use super::core::input::Input;
use super::links::Arrival;
use super::office::Office;
use super::run::RunError;
use crate::backend::executor_size::ExecutorSize;
use crate::backend::mesos_coarse::MesosCoarseConfig;
use crate::clock::SystemClock;
use crate::conf::Conf;
use crate::conf::properties::application::RECOVERY_DIR;
use crate::conf::properties::executor::CORES_MAX;
use crate::conf::properties::mesos::{
    CONSTRAINTS, DRIVER_HOST, EXECUTOR_HOME, EXECUTOR_URI, FAILOVER_TIMEOUT, PLACEMENT, Placement,
    REGISTRATION_TIMEOUT, REJECT_OFFER_DURATION, REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES,
    REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS, ROLE,
};
use crate::conf::properties::storage::LOCAL_DIR;
use crate::executor::worker::variable;
use crate::ids::FrameworkId;
use crate::mesos::client::{Client, ClientConfig};
use crate::mesos::endpoint::Endpoint;
use crate::mesos::subscription::Notice;
use crate::mesos::task::Variable;
use crate::offers::{Constraints, ConstraintsError, RefusePolicy, Requirement};

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
) -> Result<(Client, mpsc::UnboundedReceiver<Notice>, Granted), RunError> {
    let failed = |why: String| RunError::NoMaster(why);
    let (client, mut notices) =
        Client::start(config, clock).map_err(|error| failed(error.to_string()))?;
    let patience = conf.get(&REGISTRATION_TIMEOUT);
    let mut last = "the master did not answer".to_owned();
    let granted = async {
        loop {
            match notices.recv().await {
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
                Some(Notice::Failing { why } | Notice::Disconnected { why }) => last = why,
                Some(Notice::Ended(end)) => return Err(failed(end.to_string())),
                Some(Notice::Event(_)) => {}
                None => return Err(failed("the client ended".into())),
            }
        }
    };
    let granted = tokio::select! {
        granted = tokio::time::timeout(patience, granted) => granted,
        _ = interrupts.recv() => return Err(RunError::Interrupted),
    };
    match granted {
        Ok(granted) => Ok((client, notices, granted?)),
        Err(_) => Err(failed(format!("no success within {patience:?}: {last}"))),
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

/// What both backends of Mesos are told. Agents fetch our binary from
/// `binary_port`.
pub(super) fn mesos_config(
    office: &Office,
    binary: &Binary,
    binary_port: u16,
    app_id: &str,
    conf: &Conf,
) -> Result<MesosCoarseConfig, RunError> {
    let (host, port) = (&office.host, binary_port);
    let command = match conf.get(&EXECUTOR_HOME) {
        Some(home) => format!("exec '{}/bin/mesquite' executor", home.display()),
        None => binary.command(
            &conf
                .get(&EXECUTOR_URI)
                .unwrap_or_else(|| format!("http://{host}:{port}/mesquite")),
        ),
    };
    let variable = |name: &str, value: &str, secret| Variable {
        name: name.into(),
        value: value.into(),
        secret,
    };
    let mut environment = vec![
        variable(variable::DRIVER, &office.address(), false),
        variable(variable::SECRET, &office.secret, true),
    ];
    if conf.get(&RECOVERY_DIR).is_some() {
        let patience = conf.get(&FAILOVER_TIMEOUT).as_secs().to_string();
        environment.push(variable(variable::PATIENCE, &patience, false));
    }
    if let Some(folder) = conf.get(&LOCAL_DIR) {
        environment.push(variable(variable::FOLDER, &folder.to_string_lossy(), false));
    }
    let size = ExecutorSize::of(conf);
    let constraints = match conf.get(&CONSTRAINTS) {
        Some(text) => text
            .parse()
            .map_err(|error: ConstraintsError| RunError::Constraints(error.to_string()))?,
        None => Constraints::default(),
    };
    let usual = conf.get(&REJECT_OFFER_DURATION);
    let role = conf.get(&ROLE);
    let config = MesosCoarseConfig {
        size,
        cores_max: conf.get(&CORES_MAX),
        requirement: Requirement {
            demand: size.demand(),
            constraints,
            role: Some(role.clone()),
            ..Requirement::default()
        },
        refuse: RefusePolicy {
            usual,
            unmet_constraints: conf.get(&REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS),
            reached_max_cores: conf.get(&REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES),
            ..RefusePolicy::default()
        },
        role,
        command,
        environment,
        variables: [variable::EXECUTOR, variable::HOST, variable::CORES],
        prefix: app_id
            .chars()
            .rev()
            .take(8)
            .collect::<String>()
            .chars()
            .rev()
            .collect(),
        pack: conf.get(&PLACEMENT) == Placement::Pack,
    };
    Ok(config)
}
