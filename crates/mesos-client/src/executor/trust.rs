//! Whom an executor believes to be its agent.
//!
//! Responsible for reading what the variables of [`super::agent_tls`] name.

use std::fs;
use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::agent_tls::{AgentTls, variable};
use crate::http::HttpError;
use crate::pem::{self, PemError};
use crate::tls::{Tls, Trust};

/// Reads what is named. An agent's certificate may name its `host` in place of the
/// address that it listens on.
///
/// # Errors
/// A file cannot be read, or is of no use.
pub(super) fn load(named: &AgentTls, host: &str) -> Result<Tls, HttpError> {
    let authorities =
        match (&named.authorities, &named.authorities_file) {
            (Some(text), _) => Some(pem::certificates(text.as_bytes()).map_err(|error| {
                HttpError::Settings(format!("{}: {error}", variable::AUTHORITIES))
            })?),
            (None, Some(path)) => Some(read(path, pem::certificates)?),
            (None, None) => None,
        };
    let identity = match &named.identity {
        Some((certificates, key)) => {
            Some((read(certificates, pem::certificates)?, read(key, pem::key)?))
        }
        None => None,
    };
    let trust = Trust {
        authorities,
        identity,
        other_name: ServerName::try_from(host.to_owned()).ok(),
    };
    Tls::new(trust).map_err(|error| HttpError::Settings(error.to_string()))
}

fn read<T>(path: &PathBuf, content: fn(&[u8]) -> Result<T, PemError>) -> Result<T, HttpError> {
    let failed = |why: String| HttpError::Settings(format!("{}: {why}", path.display()));
    let file = fs::read(path).map_err(|error| failed(error.to_string()))?;
    content(&file).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_use_is_told_by_its_name() {
        let nothing = AgentTls {
            authorities: None,
            authorities_file: None,
            identity: None,
        };
        let damaged = AgentTls {
            authorities: Some("nonsense".into()),
            ..nothing.clone()
        };
        let absent = AgentTls {
            authorities_file: Some("/absent.pem".into()),
            ..nothing
        };
        for (named, name) in [(damaged, variable::AUTHORITIES), (absent, "/absent.pem")] {
            let error = load(&named, "h").expect_err("of no use").to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
