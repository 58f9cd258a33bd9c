//! From settings to a connection with Mesos.
//!
//! Responsible for who the framework says it is, where the master is looked
//! for, and how it is spoken to. Connects to nobody itself.

use std::time::Duration;

use super::credentials;
use super::exit_code::Failure;
use super::tls;
use crate::backoff::BackoffPolicy;
use crate::conf::Conf;
use crate::conf::master_url::{MesosMaster, ZooKeeperUrl};
use crate::conf::properties::application::{APP_NAME, MASTER};
use crate::conf::properties::mesos::{
    CODEC, CONNECT_TIMEOUT, FAILOVER_TIMEOUT, FRAMEWORK_ID, REQUEST_TIMEOUT, ROLE, USER, WEBUI_URL,
};
use crate::conf::properties::mesos_ssl::scheme_of_masters;
use crate::conf::properties::resources::{GPU, of_executor, of_task};
use crate::mesos::call::FrameworkInfo;
use crate::mesos::client::{ClientConfig, Masters};
use crate::mesos::endpoint::{Endpoint, Scheme};
use crate::mesos::http::HttpConfig;
use crate::mesos::zookeeper::Group;

/// A session with ZooKeeper ends after so long without contact, as Mesos's own.
const ZOOKEEPER_SESSION: Duration = Duration::from_secs(10);

/// How the settings connect a framework whose tasks outlive the connection: for
/// `spark.mesos.driver.failoverTimeout`, as `spark.mesos.driver.frameworkId` if
/// that is set.
///
/// # Errors
/// The master is none of Mesos, or a file cannot be read.
pub fn lasting_client_config(conf: &Conf) -> Result<ClientConfig, Failure> {
    let mut config = client_config(conf)?;
    config.framework.failover_timeout = conf.get(&FAILOVER_TIMEOUT);
    config.framework.id = conf.get(&FRAMEWORK_ID);
    Ok(config)
}

/// How the settings connect a framework that is gone with its connection.
///
/// # Errors
/// The master is none of Mesos, or a file cannot be read.
pub fn client_config(conf: &Conf) -> Result<ClientConfig, Failure> {
    let master = conf.get(&MASTER);
    let Some(mesos) = master.mesos() else {
        return Err(Failure::Usage(format!(
            "this needs a Mesos master, and the master is {master}; \
             give one, as in --master mesos://host:5050 or --master zk://h1,h2/mesos"
        )));
    };
    let masters = masters(mesos.clone(), scheme_of_masters(conf, mesos));
    let credentials = credentials::load(conf)?;
    Ok(ClientConfig {
        framework: FrameworkInfo {
            user: conf.get(&USER).map_or_else(own_user, Ok)?,
            name: conf.get(&APP_NAME),
            id: None,
            failover_timeout: Duration::ZERO,
            roles: vec![conf.get(&ROLE)],
            hostname: own_hostname(),
            principal: credentials.principal,
            webui_url: conf.get(&WEBUI_URL),
            // Agents with GPUs are for those who use them.
            gpus: wants_gpus(conf),
        },
        masters,
        http: HttpConfig {
            codec: conf.get(&CODEC).into(),
            authentication: credentials.authentication,
            tls: tls::to_masters(conf)?,
            connect_timeout: conf.get(&CONNECT_TIMEOUT),
            call_timeout: conf.get(&REQUEST_TIMEOUT),
            unix_socket: None,
        },
        answer_within: conf.get(&REQUEST_TIMEOUT),
        backoff: BackoffPolicy::MESOS,
    })
}

/// Whether executors or tasks ask for GPUs.
fn wants_gpus(conf: &Conf) -> bool {
    of_executor(conf).contains_key(GPU) || of_task(conf).contains_key(GPU)
}

fn masters(master: MesosMaster, scheme: Scheme) -> Masters {
    match master {
        MesosMaster::Hosts { hosts, .. } => Masters::Listed(
            hosts
                .into_iter()
                .map(|it| Endpoint {
                    scheme,
                    host: it.host,
                    port: it.port,
                })
                .collect(),
        ),
        MesosMaster::ZooKeeper(url) => Masters::ZooKeeper(group(url, scheme)),
    }
}

fn group(url: ZooKeeperUrl, scheme: Scheme) -> Group {
    let servers: Vec<_> = url.servers.iter().map(ToString::to_string).collect();
    Group {
        servers: servers.join(","),
        path: url.path,
        credentials: url
            .credentials
            .map(|it| (it.user, it.password.expose().to_owned())),
        session_timeout: ZOOKEEPER_SESSION,
        scheme,
    }
}

/// The account that runs this, which executors run as unless told otherwise.
fn own_user() -> Result<String, Failure> {
    let id = nix::unistd::geteuid();
    match nix::unistd::User::from_uid(id) {
        Ok(Some(user)) => Ok(user.name),
        _ => Err(Failure::Usage(format!(
            "user id {id} has no name on this machine; \
             name the account for executors with --conf mesquite.mesos.user=NAME"
        ))),
    }
}

/// For people who read the master's list of frameworks.
fn own_hostname() -> String {
    let name = nix::unistd::gethostname().ok();
    name.and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;
    use crate::mesos::http::Authentication;

    fn config(settings: &[(&str, &str)]) -> Result<ClientConfig, Failure> {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            });
        client_config(&builder.build().unwrap())
    }

    #[test]
    fn a_master_that_is_not_mesos_is_refused_with_an_example() {
        let error = config(&[]).unwrap_err().to_string();
        assert!(
            error.contains("local[*]") && error.contains("mesos://host:5050"),
            "{error}"
        );
    }

    #[test]
    fn credentials_authenticate_and_name_the_framework() {
        let config = config(&[
            ("spark.master", "mesos://h1,h2:1"),
            ("spark.mesos.principal", "me"),
            ("spark.mesos.secret", "s"),
        ])
        .unwrap();
        assert_eq!(config.framework.principal.as_deref(), Some("me"));
        assert!(matches!(
            config.http.authentication,
            Authentication::Basic { .. }
        ));
        let Masters::Listed(endpoints) = config.masters else {
            panic!("two masters are listed")
        };
        let printed: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["http://h1:5050", "http://h2:1"]);
    }

    #[test]
    fn zookeeper_is_asked_for_a_zk_url() {
        let config = config(&[("spark.master", "mesos://zk://u:p@z1,z2:2/mesos")]).unwrap();
        let Masters::ZooKeeper(group) = config.masters else {
            panic!("ZooKeeper knows the master")
        };
        assert_eq!(group.servers, "z1:2181,z2:2");
        assert_eq!(group.path, "/mesos");
        assert_eq!(group.scheme, Scheme::Http);
        assert_eq!(format!("{group:?}"), "zk://z1:2181,z2:2/mesos");
    }

    #[test]
    fn masters_whom_zookeeper_names_are_spoken_to_by_tls_if_a_setting_says_so() {
        let config = config(&[
            ("spark.master", "zk://z1/mesos"),
            ("mesquite.mesos.ssl.enabled", "true"),
        ]);
        let Masters::ZooKeeper(group) = config.unwrap().masters else {
            panic!("ZooKeeper knows the master")
        };
        assert_eq!(group.scheme, Scheme::Https);
    }

    #[test]
    fn a_missing_file_of_authorities_is_named() {
        let error = config(&[
            ("spark.master", "https://h:1"),
            ("mesquite.mesos.ssl.caFile", "/absent.pem"),
        ]);
        assert!(error.unwrap_err().to_string().contains("/absent.pem"));
    }
}
