//! What executors are told of TLS towards their agents.
//!
//! Responsible for the variables of an executor by which it knows that its agent
//! speaks TLS, and whom to believe: Mesos itself tells only programs that are
//! linked to its library. Everybody may read them, for the master shows
//! environments: no key is among them.

use std::fs;
use std::path::PathBuf;

use crate::conf::Conf;
use crate::conf::master_url::Scheme;
use crate::conf::properties::mesos_ssl::{
    CA_FILE, EXECUTOR_CA_FILE, EXECUTOR_CERTIFICATE_FILE, EXECUTOR_KEY_FILE, scheme_of_agents,
};
use mesquite_mesos_client::executor::agent_tls::variable;
use mesquite_mesos_client::pem::{self, PemError};

/// A variable may have 128 KiB in all, and each launch carries it.
const LONGEST: usize = 64 * 1024;

/// Why executors cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum AgentTlsError {
    /// The authorities' file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There are none in it.
    #[error("cannot use {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// There are too many in it.
    #[error(
        "{} has too many certificates to send to executors ({length} bytes, at most {LONGEST}): \
         name a file on the agents by mesquite.mesos.ssl.executor.caFile, or leave out those that \
         no agent has",
        path.display()
    )]
    Long {
        /// The file.
        path: PathBuf,
        /// How long they are as text.
        length: usize,
    },
}

/// The variables of executors, by name; none where agents speak plainly.
pub(super) fn variables(conf: &Conf) -> Result<Vec<(&'static str, String)>, AgentTlsError> {
    if scheme_of_agents(conf) == Scheme::Http {
        return Ok(Vec::new());
    }
    let mut variables = vec![(variable::ENABLED, "1".to_owned())];
    let files = [
        (variable::CA_FILE, &EXECUTOR_CA_FILE),
        (variable::CERTIFICATE_FILE, &EXECUTOR_CERTIFICATE_FILE),
        (variable::KEY_FILE, &EXECUTOR_KEY_FILE),
    ];
    for (name, file) in files {
        if let Some(path) = conf.get(file) {
            variables.push((name, path.to_string_lossy().into_owned()));
        }
    }
    if conf.get(&EXECUTOR_CA_FILE).is_none()
        && let Some(path) = conf.get(&CA_FILE)
    {
        variables.push((variable::AUTHORITIES, certificates_alone(path)?));
    }
    Ok(variables)
}

/// The certificates of a file as PEM, and nothing else that may be in it: people
/// keep keys beside them.
fn certificates_alone(path: PathBuf) -> Result<String, AgentTlsError> {
    let file = match fs::read(&path) {
        Ok(file) => file,
        Err(source) => return Err(AgentTlsError::Read { path, source }),
    };
    let text = match pem::certificates(&file) {
        Ok(certificates) => pem::write(&certificates),
        Err(source) => return Err(AgentTlsError::Pem { path, source }),
    };
    match text.len() {
        length if length > LONGEST => Err(AgentTlsError::Long { path, length }),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    fn told(settings: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>, AgentTlsError> {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            });
        variables(&builder.build().expect("good settings"))
    }

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAwQ=\n-----END PRIVATE KEY-----\n";

    #[test]
    fn certificates_go_along_and_a_key_beside_them_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        fs::write(&path, format!("{KEY}{CERTIFICATE}")).expect("written");
        let ca = ("mesquite.mesos.ssl.caFile", path.to_str().expect("text"));
        let master = ("spark.master", "https://h");
        assert_eq!(
            told(&[master, ca]).expect("readable"),
            [
                (variable::ENABLED, "1".to_owned()),
                (variable::AUTHORITIES, CERTIFICATE.to_owned()),
            ]
        );
        let plain = ("mesquite.mesos.ssl.agents", "false");
        assert_eq!(told(&[master, ca, plain]).expect("readable"), []);

        fs::write(&path, CERTIFICATE.repeat(2000)).expect("written");
        let error = told(&[master, ca]).expect_err("too long").to_string();
        assert!(
            error.contains("mesquite.mesos.ssl.executor.caFile"),
            "{error}"
        );
    }

    #[test]
    fn files_on_the_agents_are_named() {
        let told = told(&[
            ("spark.master", "zk://h/mesos"),
            ("spark.ssl.enabled", "true"),
            ("mesquite.mesos.ssl.executor.caFile", "/etc/ca.pem"),
            ("mesquite.mesos.ssl.executor.certFile", "/etc/me.pem"),
            ("mesquite.mesos.ssl.executor.keyFile", "/etc/me.key"),
        ]);
        assert_eq!(
            told.expect("nothing to read"),
            [
                (variable::ENABLED, "1".to_owned()),
                (variable::CA_FILE, "/etc/ca.pem".to_owned()),
                (variable::CERTIFICATE_FILE, "/etc/me.pem".to_owned()),
                (variable::KEY_FILE, "/etc/me.key".to_owned()),
            ]
        );
    }
}
