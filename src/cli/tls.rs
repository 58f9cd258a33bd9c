//! From settings to TLS towards the masters.
//!
//! Responsible for reading the files that the settings name and for saying which
//! of them is of no use. They are read where TLS is spoken, or may come to be
//! spoken: a master named by `http://` may redirect to one by `https://`.

use std::fs;
use std::path::PathBuf;

use super::settings::SettingsError;
use crate::conf::Conf;
use crate::conf::properties::mesos_ssl::{CA_FILE, CERTIFICATE_FILE, KEY_FILE};
use crate::mesos::pem::{self, PemError};
use crate::mesos::tls::{Tls, TlsError, Trust};

/// TLS towards masters, as the settings say.
///
/// # Errors
/// A file cannot be read, or is of no use.
pub fn to_masters(conf: &Conf) -> Result<Tls, SettingsError> {
    let authorities = conf.get(&CA_FILE);
    let authorities = authorities.map(|path| read(path, pem::certificates));
    let identity = match (conf.get(&CERTIFICATE_FILE), conf.get(&KEY_FILE)) {
        (Some(certificates), Some(key)) => {
            Some((read(certificates, pem::certificates)?, read(key, pem::key)?))
        }
        // One without the other was refused with the settings.
        _ => None,
    };
    let trust = Trust {
        authorities: authorities.transpose()?,
        identity,
        other_name: None,
    };
    Tls::new(trust).map_err(|source| {
        let name = match &source {
            TlsError::Authorities(_) => CA_FILE.name(),
            TlsError::Identity(_) => CERTIFICATE_FILE.name(),
        };
        SettingsError::Tls { name, source }
    })
}

fn read<T>(path: PathBuf, content: fn(&[u8]) -> Result<T, PemError>) -> Result<T, SettingsError> {
    match fs::read(&path) {
        Ok(file) => content(&file).map_err(|source| SettingsError::Pem { path, source }),
        Err(source) => Err(SettingsError::Read { path, source }),
    }
}
