//! Properties of the application as a whole.

use regex::Regex;

use std::path::PathBuf;

use crate::conf::master_url::MasterUrl;
use crate::conf::property::{Property, boolean, master, path, properties, text};

properties! {
    title: "Application";

    /// Where to run: `local`, `local[N]`, `local[*]`, `local[N,F]`,
    /// `local-cluster[N,cores,MiB]`, `mesos://host:port`, `mesos://h1:p,h2:p`,
    /// `zk://[user:password@]h1:p,h2:p/path`, `mesos://zk://...` or
    /// `http(s)://host:port`. The port of a master is 5050 unless named, that of
    /// a ZooKeeper server 2181. The option `--master` sets it.
    pub MASTER: Property<MasterUrl> = master("spark.master").default("local[*]");

    /// The name of the application, by which the Mesos master lists the
    /// framework. The option `--name` sets it.
    pub APP_NAME: Property<String> = text("spark.app.name").default("mesquite");

    /// A folder in which the driver keeps what another one needs to go on with
    /// the run if it dies: the same command finishes it then. On a disk that
    /// both reach. With Mesos masters only.
    pub RECOVERY_DIR: Property<Option<PathBuf>> =
        path("mesquite.recovery.dir").optional("a driver that dies takes its run along");

    /// Whether what passes between driver and executors is encrypted (TLS 1.3).
    /// Without it they still prove to each other who they are.
    pub CRYPTO: Property<bool> = boolean("spark.network.crypto.enabled").default("true");

    /// A regular expression. Settings, and variables that commands are given, are shown
    /// without their values - on pages, in event logs, by `mesquite conf` and
    /// `mesquite plan` - where it is found in the name or in the value.
    pub REDACTION: Property<String> = text("spark.redaction.regex")
        .following(is_pattern)
        .default("(?i)secret|password|token|access[.]?key");
}

fn is_pattern(text: &str) -> Result<(), &'static str> {
    match Regex::new(text) {
        Ok(_) => Ok(()),
        Err(_) => Err("a regular expression"),
    }
}
