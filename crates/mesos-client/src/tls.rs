//! TLS towards masters and agents.
//!
//! Responsible for whom this side trusts, which certificate it shows, by which
//! names it knows its peer, and for what to do when a peer is not believed.
//! Used by [`super::http`]; reading PEM is [`super::pem`]'s business.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Settings that make no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The authorities cannot be used.
    #[error("none of the certificates is one of an authority: {0}")]
    Authorities(String),
    /// Certificate and key cannot be used.
    #[error("the certificate and the key cannot be used together: {0}")]
    Identity(String),
}

/// What is wrong with our own certificate and key.
fn of_own(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(_) => "the key is not the one of the certificate".to_owned(),
        Error::InvalidCertificate(CertificateError::Other(why)) => format!(
            "the certificate is not of a kind that TLS takes ({why:?}); it has to be one of X.509 \
             version 3, and `openssl x509 -req` makes those with -extfile only"
        ),
        error => error.to_string(),
    }
}

/// Whom to trust and what to show.
#[derive(Debug, Default)]
pub struct Trust {
    /// The authorities, instead of those that the system trusts.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    /// The certificate to show, its issuers' and its key.
    pub identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// A name that a peer's certificate may have in place of the host's in the
    /// URL: an agent tells its executor its address, and many certificates have
    /// names only.
    pub other_name: Option<ServerName<'static>>,
}

/// How TLS is spoken. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// As `trust` says.
    ///
    /// # Errors
    /// Its certificates or its key are of no use.
    pub fn new(trust: Trust) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut verifier = match trust.authorities {
            Some(authorities) => of_authorities(authorities, &provider)?,
            None => of_system(&provider),
        };
        if let Some(other) = trust.other_name {
            verifier = Arc::new(EitherName { verifier, other });
        }
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks what is safe")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match trust.identity {
            Some((certificates, key)) => builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| TlsError::Identity(of_own(&error)))?,
            None => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Trusts nobody: where no TLS is spoken, nothing of it is to be loaded.
    pub fn unused() -> Self {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks what is safe")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    /// For a client of HTTP.
    pub(super) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }
}

fn of_authorities(
    authorities: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    let mut last = None;
    // Bundles of many authorities have odd ones among them.
    for authority in authorities {
        last = roots.add(authority).err().or(last);
    }
    let unusable = |error: String| TlsError::Authorities(error);
    if let (true, Some(error)) = (roots.is_empty(), last) {
        return Err(unusable(error.to_string()));
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    Ok(verifier.map_err(|error| unusable(error.to_string()))?)
}

/// A system without authorities is no reason not to speak plainly: whoever needs
/// one is told so when a certificate cannot be believed.
fn of_system(provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    match rustls_platform_verifier::Verifier::new(Arc::clone(provider)) {
        Ok(verifier) => Arc::new(verifier),
        Err(error) => Arc::new(Nobody(error)),
    }
}

/// Where the system has no authorities.
#[derive(Debug)]
struct Nobody(Error);

impl ServerCertVerifier for Nobody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(self.0.clone())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(self.0.clone())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(self.0.clone())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Believes a certificate in the host's name or in another one.
#[derive(Debug)]
struct EitherName {
    verifier: Arc<dyn ServerCertVerifier>,
    other: ServerName<'static>,
}

impl ServerCertVerifier for EitherName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |name: &ServerName<'_>| {
            self.verifier
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        };
        match verify(server_name) {
            Err(error) if is_of_the_name(&error) => verify(&self.other),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn is_of_the_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

/// The error of TLS in one of the network; each layer of a client wraps it anew.
pub(super) fn within(error: &io::Error) -> Option<&Error> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<io::Error>() {
        Some(error) => within(error),
        None => inner.downcast_ref(),
    }
}

const AT_ALL: &str = "does it speak TLS at all? mesos:// and http:// do not";

/// What is said if this is how a connection ends whose peer does not know what TLS is.
/// Nothing else ends it so before it is there for use.
pub(super) fn cut_off(error: &io::Error) -> Option<String> {
    let mut inner = error;
    while let Some(next) = inner.get_ref().and_then(|it| it.downcast_ref()) {
        inner = next;
    }
    let is_end = matches!(
        inner.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    );
    is_end.then(|| format!("{error}; {AT_ALL}"))
}

/// What went wrong between two sides that spoke TLS, or of which one did not, and
/// what to do about it.
pub(super) fn explained(error: &Error) -> String {
    let hint = match error {
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "its authority is not trusted: name it by mesquite.mesos.ssl.caFile",
        Error::InvalidCertificate(CertificateError::Expired) => "it has to be renewed",
        error if is_of_the_name(error) => {
            "name the host as its certificate does, or have it certified in this name"
        }
        Error::InvalidCertificate(CertificateError::Other(why))
            if format!("{why:?}").contains("CaUsedAsEndEntity") =>
        {
            "it is the certificate of an authority (CA:TRUE), which signs those of servers and \
             is none: have it sign one for the host"
        }
        Error::AlertReceived(rustls::AlertDescription::ProtocolVersion) => {
            "it is too old: TLS 1.2 or 1.3 is spoken"
        }
        Error::InvalidMessage(_) => AT_ALL,
        Error::AlertReceived(
            rustls::AlertDescription::CertificateRequired
            | rustls::AlertDescription::HandshakeFailure
            | rustls::AlertDescription::BadCertificate
            | rustls::AlertDescription::DecryptError
            | rustls::AlertDescription::CertificateUnknown
            | rustls::AlertDescription::UnknownCA,
        ) => {
            "it wants a certificate that it trusts: set mesquite.mesos.ssl.certFile and \
             mesquite.mesos.ssl.keyFile"
        }
        _ => return error.to_string(),
    };
    format!("{error}; {hint}")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate(key: &KeyPair) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec!["h".to_owned()]).unwrap();
        params.self_signed(key).unwrap().der().clone()
    }

    fn shown(certificate: CertificateDer<'static>, key: &KeyPair) -> Trust {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Trust {
            identity: Some((vec![certificate], key)),
            ..Trust::default()
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_told() {
        let [one, other] = [(); 2].map(|()| KeyPair::generate().unwrap());
        assert!(Tls::new(shown(certificate(&one), &one)).is_ok());
        let error = Tls::new(shown(certificate(&one), &other)).unwrap_err();
        assert!(error.to_string().contains("is not the one of"), "{error}");
    }

    #[test]
    fn authorities_that_are_none_are_told() {
        let error = Tls::new(Trust {
            authorities: Some(vec![CertificateDer::from(vec![1, 2, 3])]),
            ..Trust::default()
        });
        assert!(matches!(error, Err(TlsError::Authorities(_))));
    }

    #[test]
    fn a_system_without_authorities_believes_nobody_and_says_why() {
        let key = KeyPair::generate().unwrap();
        let name = ServerName::try_from("h").unwrap();
        let nobody = Nobody(Error::General("no authorities".into()));
        let verdict = nobody.verify_server_cert(
            &certificate(&key),
            &[],
            &name,
            &[],
            UnixTime::since_unix_epoch(std::time::Duration::ZERO),
        );
        assert!(verdict.unwrap_err().to_string().contains("no authorities"));
    }
}
