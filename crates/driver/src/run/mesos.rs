//! On a Mesos cluster, coarse or fine.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::way::{Held, Way};
use crate::binary::Binary;
use crate::clock::{SystemClock, Timestamp};
use crate::conf::properties::storage::LOCAL_DIR;
use crate::core::input::Input;
use crate::core::record;
use crate::error::RunError;
use crate::event_loop::{ExecutorSource, Mesos};
use crate::framework::{forward, host_for, mesos_manager, subscribe};
use crate::given::Given;
use crate::listener::Listener;
use crate::office::{Office, cannot_listen};
use crate::recovery::Identity;
use crate::served::Served;
use mesquite_mesos_client::client::ClientConfig;

/// `interrupts` tell that the user wants an end, `listener` is told whom the run waits for.
pub(super) async fn way(
    mut config: ClientConfig,
    given: Given<'_>,
    identity: &mut Identity,
    (clock, began): (SystemClock, Timestamp),
    interrupts: &mut mpsc::UnboundedReceiver<()>,
    listener: &mut dyn Listener,
) -> Result<Way, RunError> {
    let Given { conf, arrivals, .. } = given;
    let binary = Binary::own().map_err(RunError::System)?;
    config.framework.id = Some(identity.run.framework.clone());
    let (client, notices, granted) = subscribe(config, conf, clock, interrupts, listener).await?;
    let registered_seconds = (clock.now() - began).as_secs_f64();
    let app_id = granted.framework.as_str().to_owned();
    let master = Some(granted.endpoint.to_string());
    let earlier = identity.office().cloned();
    let (host, port, binary_port) = match &earlier {
        Some(earlier) => (earlier.host.clone(), earlier.port, earlier.binary_port),
        None => (host_for(conf, &granted.endpoint), 0, 0),
    };
    let within = conf.get(&LOCAL_DIR);
    let (at, secret) = ((host.as_str(), port), &identity.run.secret);
    let office = Office::open(at, secret, within.as_deref(), given).await?;
    let served = Binary::is_fetched(conf).then(|| {
        Served::start(binary.clone(), binary_port)
            .map_err(|error| cannot_listen("0.0.0.0", binary_port, &error))
    });
    let served = served.transpose()?;
    let found = record::Office {
        host,
        port: office.port,
        binary_port: served.as_ref().map_or(0, Served::port),
    };
    let (manager, mode) = mesos_manager(&found, &binary, &app_id, conf)?;
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
