//! Properties of the pages of a run.

use std::net::IpAddr;

use crate::conf::property::{Property, boolean, integer, integer_between, properties, text};

properties! {
    title: "Pages";

    /// Whether the driver serves pages and an API of the run as long as that lasts.
    pub UI: Property<bool> = boolean("spark.ui.enabled").default("true");

    /// The port of the pages. If it is taken, the ones behind it are tried; with 0 it is
    /// any port that is free.
    pub UI_PORT: Property<u32> = integer_between("spark.ui.port", 0, 65_535).default("4040");

    /// How many ports behind `spark.ui.port` are tried if that is taken.
    pub PORT_MAX_RETRIES: Property<u32> =
        integer("spark.port.maxRetries", 0).default("16");

    /// The address on which pages are served. They have no login: on another address than
    /// one of this machine's own users, whoever reaches it can read them.
    pub UI_BIND_ADDRESS: Property<String> = text("spark.ui.bindAddress")
        .following(ip_address)
        .default("127.0.0.1");
}

fn ip_address(text: &str) -> Result<(), &'static str> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err("an IP address, such as 127.0.0.1, ::1 or 0.0.0.0"),
    }
}
