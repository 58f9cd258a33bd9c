//! How an executor is told to speak TLS with its agent. Pure.
//!
//! Responsible for the variables that say so. They are those of libprocess, by
//! which agents and the driver tell any executor, and one of ours for certificates
//! that were sent along. What they name is read by `trust`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The names of the variables.
pub mod variable {
    /// `1` or `true` if the agent speaks TLS.
    pub const ENABLED: &str = "LIBPROCESS_SSL_ENABLED";
    /// A file of the authorities by which the agent is known.
    pub const CA_FILE: &str = "LIBPROCESS_SSL_CA_FILE";
    /// A file of the certificate to show.
    pub const CERTIFICATE_FILE: &str = "LIBPROCESS_SSL_CERT_FILE";
    /// A file of its key.
    pub const KEY_FILE: &str = "LIBPROCESS_SSL_KEY_FILE";
    /// The authorities themselves, as PEM. Goes before the file.
    pub const AUTHORITIES: &str = "MESQUITE_AGENT_AUTHORITIES";
}

/// Whom an executor believes to be its agent, and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentTls {
    /// Authorities, as PEM.
    pub authorities: Option<String>,
    /// A file of them.
    pub authorities_file: Option<PathBuf>,
    /// Files of a certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl AgentTls {
    /// What the variables say; `None` if the agent speaks plainly.
    pub fn read(variables: &BTreeMap<String, String>) -> Option<Self> {
        let get = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let file = |name: &str| get(name).map(PathBuf::from);
        let enabled = get(variable::ENABLED)?;
        (enabled == "1" || enabled.eq_ignore_ascii_case("true")).then(|| Self {
            authorities: get(variable::AUTHORITIES).cloned(),
            authorities_file: file(variable::CA_FILE),
            identity: file(variable::CERTIFICATE_FILE).zip(file(variable::KEY_FILE)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn tls_is_spoken_only_if_it_is_said_so() {
        let ca = (variable::CA_FILE, "/absent.pem");
        for plain in [&[ca][..], &[ca, (variable::ENABLED, "0")], &[]] {
            assert_eq!(AgentTls::read(&variables(plain)), None);
        }
        for enabled in ["1", "true"] {
            let tls = AgentTls::read(&variables(&[ca, (variable::ENABLED, enabled)]));
            let file = tls.expect("spoken").authorities_file;
            assert_eq!(file, Some(PathBuf::from("/absent.pem")));
        }
    }
}
