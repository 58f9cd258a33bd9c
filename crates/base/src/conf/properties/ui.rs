//! Properties of the pages of a run.

use std::path::PathBuf;

use super::network::ip_address;
use crate::conf::property::{Property, boolean, integer_between, path, properties, text};

properties! {
    title: "Pages";

    /// Whether the driver serves pages and an API of the run as long as that lasts.
    pub UI: Property<bool> = boolean("spark.ui.enabled").default("true");

    /// The port of the pages. If it is taken, the ones behind it are tried; with 0 it is
    /// any port that is free.
    pub UI_PORT: Property<u32> = integer_between("spark.ui.port", 0, 65_535).default("4040");

    /// The address on which pages are served. On another one than 127.0.0.1 whoever reaches
    /// it can read them, unless they have a password.
    pub UI_BIND_ADDRESS: Property<String> = text("spark.ui.bindAddress")
        .following(ip_address)
        .default("127.0.0.1");

    /// A file with the password of the pages. Browsers ask for it, with any name; programs
    /// send it as `Authorization: Bearer` or `Basic`. It is sent as it is: where strangers
    /// may listen, it needs a tunnel or a proxy with TLS before it.
    pub UI_PASSWORD_FILE: Property<Option<PathBuf>> =
        path("mesquite.ui.password.file").optional("pages need no password");
}
