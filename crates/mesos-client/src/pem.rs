//! Certificates and keys, out of the files that people have. Pure.
//!
//! Responsible for reading PEM, and for saying what else a file is: many come
//! from Java's key stores or with a passphrase. Reading files is its callers'.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file is of no use. To follow the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// A store that Java's keytool makes.
    #[error(
        "it is a Java key store, and a PEM file is needed: `keytool -exportcert -rfc` writes \
         certificates as PEM"
    )]
    JavaKeyStore,
    /// Certificates as bytes, or a PKCS #12 store.
    #[error(
        "it is in binary form, and a PEM file is needed: `openssl x509 -inform DER` or \
         `openssl pkcs12 -nodes` write one"
    )]
    Binary,
    /// Nobody is asked for a passphrase.
    #[error(
        "its key is encrypted, and there is nobody to ask for the passphrase: \
         `openssl pkey -in KEY.pem -out PLAIN.pem` decrypts it; guard that file by its permissions"
    )]
    EncryptedKey,
    /// PEM perhaps, but not with this in it.
    #[error("there is no {0} in it; a PEM file with one is needed")]
    Without(&'static str),
    /// It begins as it should.
    #[error("it is a damaged PEM file: {0}")]
    Damaged(String),
}

/// The first bytes of a Java key store, and of a newer one.
const JAVA: [[u8; 4]; 2] = [[0xFE, 0xED, 0xFE, 0xED], [0xCE, 0xCE, 0xCE, 0xCE]];
/// Characters of a line.
const LINE: usize = 64;
/// The first byte of whatever is encoded by DER.
const DER: u8 = 0x30;

/// The certificates of a file, at least one, in their order.
///
/// # Errors
/// There is none.
pub fn certificates(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    is_text(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(PemError::Without("certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(PemError::Damaged(error.to_string())),
    }
}

/// Certificates as they stand in a file.
pub fn write(certificates: &[CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = STANDARD.encode(certificate);
        while !rest.is_empty() {
            let after = rest.split_off(rest.len().min(LINE));
            text.push_str(&rest);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// The key of a file.
///
/// # Errors
/// There is none, or none that can be read.
pub fn key(file: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    is_text(file)?;
    let has = |sign: &[u8]| memchr::memmem::find(file, sign).is_some();
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(file).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => PemError::Without("private key"),
        error => PemError::Damaged(error.to_string()),
    })
}

fn is_text(file: &[u8]) -> Result<(), PemError> {
    if JAVA.iter().any(|magic| file.starts_with(magic)) {
        Err(PemError::JavaKeyStore)
    } else if file.first() == Some(&DER) {
        Err(PemError::Binary)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str =
        "a comment\n-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";

    #[test]
    fn certificates_are_found_among_other_things() {
        let key = "-----BEGIN PRIVATE KEY-----\nAwQ=\n-----END PRIVATE KEY-----\n";
        let file = format!("{CERTIFICATE}{key}{CERTIFICATE}");
        let found = certificates(file.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].as_ref(), [0, 1, 2]);
        assert_eq!(super::key(file.as_bytes()).unwrap().secret_der(), [3, 4]);
    }

    #[test]
    fn what_is_written_is_read() {
        let long: Vec<u8> = (0..200).collect();
        let all = [CertificateDer::from(long), CertificateDer::from(vec![7])];
        assert_eq!(certificates(write(&all).as_bytes()).unwrap(), all);
    }

    #[test]
    fn what_a_file_is_instead_is_said() {
        let jks = [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2];
        assert_eq!(certificates(&jks), Err(PemError::JavaKeyStore));
        assert_eq!(certificates(&[DER, 0x82, 1, 2]), Err(PemError::Binary));
        assert_eq!(certificates(b""), Err(PemError::Without("certificate")));
        assert_eq!(
            key(CERTIFICATE.as_bytes()),
            Err(PemError::Without("private key"))
        );
        let cut = &CERTIFICATE.as_bytes()[..50];
        assert!(matches!(certificates(cut), Err(PemError::Damaged(_))));
        for encrypted in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAA==\n-----END RSA PRIVATE KEY-----\n",
        ] {
            assert_eq!(key(encrypted.as_bytes()), Err(PemError::EncryptedKey));
        }
    }
}
