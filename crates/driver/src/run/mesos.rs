//! On a Mesos cluster, coarse or fine.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::way::{Held, Way};
use crate::binary::Binary;
use crate::clock::{SystemClock, Timestamp};
use crate::conf::Conf;
use crate::conf::properties::network::{
    BLOCK_MANAGER_PORT, DRIVER_BIND_ADDRESS, DRIVER_BLOCK_MANAGER_PORT, DRIVER_PORT,
    PORT_MAX_RETRIES,
};
use crate::conf::properties::storage::LOCAL_DIR;
use crate::core::input::Input;
use crate::core::record;
use crate::error::RunError;
use crate::event_loop::{ExecutorSource, Mesos};
use crate::framework::{asks_for_gpus, forward, host_for, mesos_manager, subscribe};
use crate::given::Given;
use crate::listener::Listener;
use crate::office::Office;
use crate::recovery::Identity;
use crate::served::Served;
use mesquite_mesos_client::client::ClientConfig;
use mesquite_system::ports::Ports;

/// All addresses of this machine.
const ALL: &str = "0.0.0.0";

/// The port from which agents fetch the program.
fn program_port(conf: &Conf) -> u32 {
    let own = conf.get(&DRIVER_BLOCK_MANAGER_PORT);
    own.unwrap_or_else(|| conf.get(&BLOCK_MANAGER_PORT))
}

/// `interrupts` tell that the user wants an end, `listener` is told whom the run waits for.
pub(super) async fn way(
    mut config: ClientConfig,
    given: Given<'_>,
    identity: &mut Identity,
    (clock, began): (SystemClock, Timestamp),
    interrupts: &mut mpsc::UnboundedReceiver<()>,
    listener: &mut dyn Listener,
) -> Result<Way, RunError> {
    let Given {
        conf,
        arrivals,
        plan,
        ..
    } = given;
    let binary = Binary::own().map_err(RunError::System)?;
    // Datasets may ask for what no setting does.
    config.framework.gpus |= asks_for_gpus(plan);
    config.framework.id = Some(identity.run.framework.clone());
    let (client, notices, granted) = subscribe(config, conf, clock, interrupts, listener).await?;
    let registered_seconds = (clock.now() - began).as_secs_f64();
    let app_id = granted.framework.as_str().to_owned();
    let master = Some(granted.endpoint.to_string());
    let earlier = identity.office().cloned();
    // Executors look for the one that goes on with the run where the earlier one was.
    let (host, ports, binary_ports) = match &earlier {
        Some(earlier) => {
            let ports = [earlier.port, earlier.binary_port].map(Ports::one);
            (earlier.host.clone(), ports[0], ports[1])
        }
        None => {
            let ports = [conf.get(&DRIVER_PORT), program_port(conf)];
            let ports = ports.map(|it| Ports::of(it, conf.get(&PORT_MAX_RETRIES)));
            (host_for(conf, &granted.endpoint), ports[0], ports[1])
        }
    };
    let within = conf.get(&LOCAL_DIR);
    let secret = &identity.run.secret;
    let address = conf.get(&DRIVER_BIND_ADDRESS);
    let at = (address.as_deref().unwrap_or(&host), ports);
    let office = Office::open(&host, at, secret, within.as_deref(), given)?;
    let address = address.as_deref().unwrap_or(ALL);
    let served = Binary::is_fetched(conf)
        .then(|| Served::start(binary.clone(), address, binary_ports).map_err(RunError::System));
    let served = served.transpose()?;
    let found = record::Office {
        host,
        port: office.port,
        binary_port: served.as_ref().map_or(0, Served::port),
    };
    let (manager, mode) = mesos_manager(&found, &binary, &app_id, (conf, plan))?;
    if earlier.is_none() {
        identity.keep_office(found)?;
    }
    forward(notices, arrivals.clone());
    Ok(Way {
        app_id,
        master,
        manager,
        source: ExecutorSource::Mesos(Mesos {
            client,
            badges: office.badges.clone(),
            served,
        }),
        fetcher: office.fetcher(),
        logs: office.logs(),
        mode,
        registered_seconds,
        subscribed: Some(Input::Mesos(granted.notice)),
        connections: Some(Arc::clone(&office.next)),
        held: Held {
            _office: Some(office),
            _folder: None,
        },
    })
}
