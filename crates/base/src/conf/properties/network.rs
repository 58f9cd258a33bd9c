//! Properties of the ports and addresses on which driver and executors listen.

use std::net::IpAddr;

use super::application::MASTER;
use crate::conf::Conf;
use crate::conf::problem::{Remark, Warning};
use crate::conf::property::{Property, integer, integer_between, properties, text};

properties! {
    title: "Ports and addresses";

    /// The port on which the driver listens for its executors on Mesos. If it is taken, the
    /// ones behind it are tried; with 0 it is any port that is free. A driver that goes
    /// on with a run (`mesquite.recovery.dir`) has the port of the first one.
    pub DRIVER_PORT: Property<u32> =
        integer_between("spark.driver.port", 0, 65_535).default("0");

    /// The port from which agents fetch the program of executors, where they do
    /// (no `spark.executor.uri`, no `spark.mesos.executor.home`), as `spark.driver.port`.
    pub DRIVER_BLOCK_MANAGER_PORT: Property<Option<u32>> =
        integer_between("spark.driver.blockManager.port", 0, 65_535)
            .optional("as spark.blockManager.port");

    /// The port from which an executor on Mesos serves its outputs to others. If it is
    /// taken, as by another executor on the host, the ones behind it are tried; with 0 it is
    /// any port that is free.
    pub BLOCK_MANAGER_PORT: Property<u32> =
        integer_between("spark.blockManager.port", 0, 65_535).default("0");

    /// How many ports behind `spark.driver.port`, `spark.driver.blockManager.port`,
    /// `spark.blockManager.port` and `spark.ui.port` are tried if these are taken.
    pub PORT_MAX_RETRIES: Property<u32> = integer("spark.port.maxRetries", 0).default("16");

    /// The address on which the driver listens on Mesos, if its executors reach it at
    /// another one, `spark.driver.host`: behind a gateway, or in a container.
    pub DRIVER_BIND_ADDRESS: Property<Option<String>> = text("spark.driver.bindAddress")
        .following(ip_address)
        .optional("the address at which executors reach the driver");
}

/// An address, and no name.
pub(super) fn ip_address(text: &str) -> Result<(), &'static str> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err("an IP address, such as 127.0.0.1, ::1 or 0.0.0.0"),
    }
}

/// Ports of a run that is its own cluster: nobody reaches it from elsewhere.
pub(super) fn without_mesos(conf: &Conf) -> impl Iterator<Item = Warning> {
    let names = [
        DRIVER_PORT.name(),
        DRIVER_BLOCK_MANAGER_PORT.name(),
        BLOCK_MANAGER_PORT.name(),
        DRIVER_BIND_ADDRESS.name(),
    ];
    let is_alone = conf.get(&MASTER).mesos().is_none();
    names.into_iter().filter_map(move |name| {
        let origin = conf.source(name)?.clone();
        is_alone.then(|| Warning {
            name: name.to_owned(),
            origin,
            remark: Remark::NoEffect(
                "driver and executors of this machine alone speak to each other, on 127.0.0.1",
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::conf::{Conf, Layer};

    #[test]
    fn ports_and_racks_act_on_mesos_alone() {
        let warnings = |master: &str| {
            let conf = Conf::builder()
                .set(Layer::ConfOption, "spark.master", master)
                .set(Layer::ConfOption, "mesquite.locality.rack.attribute", "r")
                .set(Layer::ConfOption, "spark.driver.port", "7000")
                .set(Layer::ConfOption, "spark.driver.bindAddress", "0.0.0.0");
            let conf = conf.build().expect("good settings");
            let names = conf.warnings().iter().map(|it| it.name.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(warnings("mesos://m:5050"), [""; 0]);
        let all = [
            "mesquite.locality.rack.attribute",
            "spark.driver.port",
            "spark.driver.bindAddress",
        ];
        assert_eq!(warnings("local-cluster[2,1,512]"), all);
    }
}
