//! By what the processes of a run know each other.
//!
//! Responsible for all keys and certificates of a run: they follow from its
//! secret, which the driver alone has, so that a driver which goes on with the run
//! of a dead one makes the same. Each executor gets a [`Credential`] of its own.
//! How it gets there is the driver's business, how it is proved the
//! [`guard`](super::guard)'s.

use std::fmt;

use bytes::Bytes;
use prost::Message as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519,
};
use ring::{digest, hmac};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::hex::hex;
use crate::ids::ExecutorId;
use crate::rpc::message::{self, Credential};

/// The name in the certificate of a driver.
pub(super) const DRIVER: &str = "driver.mesquite";

/// A name in the certificate of every executor.
pub(super) const EXECUTOR: &str = "executor.mesquite";

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// No credential can be made or read.
#[derive(Debug, thiserror::Error)]
#[error("the credential of an executor cannot be used: {0}")]
pub struct CredentialError(pub(super) String);

impl CredentialError {
    pub(super) fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The name in the certificate of one executor: ids may be longer than a name may.
pub(super) fn name_of(executor: &ExecutorId) -> String {
    let digest = digest::digest(&digest::SHA256, executor.as_str().as_bytes());
    format!("{}.{EXECUTOR}", hex(&digest.as_ref()[..16]))
}

/// Makes the credentials of a run.
pub struct Authority {
    secret: hmac::Key,
    encrypted: bool,
    /// Bytes of the key of files.
    files: usize,
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(..)")
    }
}

impl Authority {
    /// The authority of the run that has this secret.
    ///
    /// # Errors
    /// The system's cryptography does not work.
    pub fn of(secret: &str, encrypted: bool) -> Result<Self, CredentialError> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let mut about = params(&[], "authority")?;
        about.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        about.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = key_pair(&secret, "authority")?;
        let certificate = about.self_signed(&key).map_err(CredentialError::new)?;
        Ok(Self {
            certificate: certificate.der().to_vec(),
            issuer: Issuer::new(about, key),
            secret,
            encrypted,
            files: 0,
        })
    }

    /// Has executors encrypt their files with a key of so many bytes, 32 at most.
    #[must_use]
    pub fn with_files_encrypted(mut self, bytes: usize) -> Self {
        self.files = bytes;
        self
    }

    /// What an executor is launched with.
    ///
    /// # Errors
    /// The system's cryptography does not work.
    pub fn credential(&self, executor: &ExecutorId) -> Result<Credential, CredentialError> {
        let of = format!("executor {executor}");
        let names = [EXECUTOR, &name_of(executor)];
        Ok(Credential {
            proof: self.proof(executor).into(),
            folder: self.folder(executor),
            ..self.credential_of(&of, &names)?
        })
    }

    /// What an executor is launched with, as it travels; with a task in fine mode.
    ///
    /// # Errors
    /// The system's cryptography does not work.
    pub fn launch(&self, executor: &ExecutorId, task: Bytes) -> Result<Vec<u8>, CredentialError> {
        let launch = message::Launch {
            credential: Some(self.credential(executor)?),
            task,
        };
        Ok(launch.encode_to_vec())
    }

    pub(super) fn driver(&self) -> Result<Credential, CredentialError> {
        self.credential_of("driver", &[DRIVER])
    }

    /// The name of an executor's folder of blocks. Others on its host cannot
    /// guess it, so nobody can have made one of that name before, and an executor
    /// that says where its folder is can name none but its own.
    pub fn folder(&self, executor: &ExecutorId) -> String {
        let bytes = derived(&self.secret, &format!("folder of {executor}"));
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[..16]);
        let id = uuid::Builder::from_random_bytes(id).into_uuid();
        format!("mesquite-{id}")
    }

    /// The key that the driver and one executor share.
    pub(super) fn proof(&self, executor: &ExecutorId) -> Vec<u8> {
        derived(&self.secret, &format!("proof of {executor}"))
    }

    fn credential_of(&self, of: &str, names: &[&str]) -> Result<Credential, CredentialError> {
        let key = key_pair(&self.secret, of)?;
        let mut about = params(names, "of a run")?;
        about.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        about.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let certificate = about
            .signed_by(&key, &self.issuer)
            .map_err(CredentialError::new)?;
        Ok(Credential {
            encrypted: self.encrypted,
            authority: self.certificate.clone().into(),
            certificate: certificate.der().to_vec().into(),
            key: key.serialize_der().into(),
            peers: derived(&self.secret, "peers").into(),
            files: derived(&self.secret, "files")
                .into_iter()
                .take(self.files)
                .collect(),
            ..Credential::default()
        })
    }
}

fn derived(secret: &hmac::Key, purpose: &str) -> Vec<u8> {
    hmac::sign(secret, purpose.as_bytes()).as_ref().to_vec()
}

fn key_pair(secret: &hmac::Key, of: &str) -> Result<KeyPair, CredentialError> {
    let seed = derived(secret, &format!("key of {of}"));
    let key = PrivatePkcs8KeyDer::from([&PKCS8_ED25519[..], &seed].concat());
    KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519).map_err(CredentialError::new)
}

fn params(names: &[&str], common: &str) -> Result<CertificateParams, CredentialError> {
    let names: Vec<String> = names.iter().map(|&it| it.to_owned()).collect();
    let mut about = CertificateParams::new(names).map_err(CredentialError::new)?;
    about.distinguished_name = DistinguishedName::new();
    about
        .distinguished_name
        .push(DnType::CommonName, format!("mesquite {common}"));
    // They end with the run; the clocks of agents may be anywhere.
    Ok(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_goes_on_makes_the_same_credentials() {
        let executor = ExecutorId::from("e");
        let made = || {
            let authority = Authority::of("s", true).expect("made");
            (
                authority.credential(&executor).expect("made"),
                authority.driver().expect("made"),
            )
        };
        assert_eq!(made(), made());
        let (executors, drivers) = made();
        assert_ne!(executors.key, drivers.key);
        let other = Authority::of("t", true).expect("made");
        assert_ne!(
            other.credential(&executor).expect("made").key,
            executors.key
        );
    }

    #[test]
    fn each_executor_has_a_folder_of_its_own() {
        let authority = Authority::of("s", true).expect("made");
        let folder = authority.folder(&"e".into());
        let credential = authority.credential(&"e".into()).expect("made");
        assert_eq!(credential.folder, folder);
        assert_ne!(authority.folder(&"f".into()), folder);
        let other = Authority::of("t", true).expect("made");
        assert_ne!(other.folder(&"e".into()), folder);
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let authority = Authority::of("s", true).expect("made");
        let credential = authority.credential(&"e".into()).expect("made");
        assert_eq!(format!("{credential:?}"), "Credential(..)");
        let launch = message::Launch {
            credential: Some(credential),
            task: Bytes::new(),
        };
        assert!(format!("{launch:?}").contains("Credential(..)"));
    }

    #[test]
    fn an_id_of_any_length_has_a_name() {
        let name = name_of(&"x/".repeat(1000).as_str().into());
        assert!(name.len() < 64 + EXECUTOR.len(), "{name}");
        assert_ne!(name, name_of(&"x".into()));
    }
}
