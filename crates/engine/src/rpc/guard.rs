//! Who may speak to whom.
//!
//! Responsible for what comes first on every connection between processes of a
//! run: both sides prove themselves, and what follows is encrypted (TLS 1.3), or
//! is not where that was turned off. What is said then is not looked at here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::credential::{Authority, CredentialError, DRIVER, EXECUTOR, name_of};
use super::frame::{self, Claim, Nonce, ProofKey, Side};
use crate::ids::ExecutorId;
use crate::rpc::message::Credential;

/// A peer that does not prove itself within this is no peer.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Why a peer is none.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The network, or what came over it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side is of another run, or something else.
    #[error("the other side did not prove that it is of this run")]
    NotProved,
    /// It did not say in time who it is.
    #[error("the other side did not prove itself within {} s", HANDSHAKE.as_secs())]
    Silent,
}

/// Whom a connection is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The driver of the run.
    Driver,
    /// Any executor of the run: outputs move from one to another.
    AnExecutor,
}

/// Who a peer has proved to be.
#[derive(Debug)]
pub enum Proved {
    /// Whoever its certificate names.
    Certified(CertificateDer<'static>),
    /// The executor of this name.
    Executor(String),
    /// Some process of the run.
    OfTheRun,
}

impl Proved {
    /// Whether it is this executor.
    pub fn is(&self, executor: &ExecutorId) -> bool {
        match self {
            Self::Certified(certificate) => {
                let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
                    return false;
                };
                let Ok(name) = ServerName::try_from(name_of(executor)) else {
                    return false;
                };
                certificate.verify_is_valid_for_subject_name(&name).is_ok()
            }
            Self::Executor(name) => name == executor.as_str(),
            Self::OfTheRun => false,
        }
    }
}

/// Guards the connections of one process. Cheap to clone.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    /// `None` where connections are not encrypted.
    tls: Option<Tls>,
    keys: Keys,
}

struct Tls {
    server: TlsAcceptor,
    client: TlsConnector,
}

/// What is proved where nothing is encrypted.
enum Keys {
    /// The driver knows what each executor can prove.
    Driver {
        authority: Arc<Authority>,
        peers: ProofKey,
    },
    Executor {
        name: String,
        own: ProofKey,
        peers: ProofKey,
    },
}

impl Guard {
    /// The driver's.
    ///
    /// # Errors
    /// The system's cryptography does not work.
    pub fn of_driver(authority: Arc<Authority>) -> Result<Self, CredentialError> {
        let credential = authority.driver()?;
        let peers = ProofKey::new(&credential.peers);
        Self::new(&credential, Keys::Driver { authority, peers })
    }

    /// An executor's.
    ///
    /// # Errors
    /// The credential is damaged.
    pub fn of_executor(executor: &str, credential: &Credential) -> Result<Self, CredentialError> {
        let keys = Keys::Executor {
            name: executor.to_owned(),
            own: ProofKey::new(&credential.proof),
            peers: ProofKey::new(&credential.peers),
        };
        Self::new(credential, keys)
    }

    fn new(credential: &Credential, keys: Keys) -> Result<Self, CredentialError> {
        let tls = credential.encrypted.then(|| Tls::new(credential));
        let tls = tls.transpose()?;
        Ok(Self(Arc::new(Inner { tls, keys })))
    }

    /// Has whoever connected prove itself, and proves this process to it.
    ///
    /// # Errors
    /// The peer is none of ours.
    pub async fn accept(&self, stream: TcpStream) -> Result<(Stream, Proved), GuardError> {
        // Only slower without it.
        let _ = stream.set_nodelay(true);
        within(async {
            match &self.0.tls {
                Some(tls) => {
                    let stream = tls.server.accept(stream).await?;
                    let certificate = stream.get_ref().1.peer_certificates();
                    let certificate = certificate.and_then(|it| it.first());
                    let certificate = certificate.ok_or(GuardError::NotProved)?.clone();
                    let stream = Stream::Tls(Box::new(stream.into()));
                    Ok((stream, Proved::Certified(certificate.into_owned())))
                }
                None => self.0.keys.accept(stream).await,
            }
        })
        .await
    }

    /// Connects, proves this process to the peer and has it prove itself.
    ///
    /// # Errors
    /// It cannot be reached, or is not ours.
    pub async fn connect(&self, address: &str, whom: Whom) -> Result<Stream, GuardError> {
        within(async {
            let stream = TcpStream::connect(address).await?;
            // Only slower without it.
            let _ = stream.set_nodelay(true);
            match &self.0.tls {
                Some(tls) => {
                    let name = match whom {
                        Whom::Driver => DRIVER,
                        Whom::AnExecutor => EXECUTOR,
                    };
                    let name = ServerName::try_from(name).map_err(io::Error::other)?;
                    let stream = tls.client.connect(name, stream).await?;
                    Ok(Stream::Tls(Box::new(stream.into())))
                }
                None => self.0.keys.connect(stream, whom).await,
            }
        })
        .await
    }
}

async fn within<T>(
    handshake: impl Future<Output = Result<T, GuardError>>,
) -> Result<T, GuardError> {
    tokio::time::timeout(HANDSHAKE, handshake)
        .await
        .unwrap_or(Err(GuardError::Silent))
}

impl Tls {
    fn new(credential: &Credential) -> Result<Self, CredentialError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(credential.authority.to_vec()))
            .map_err(CredentialError::new)?;
        let roots = Arc::new(roots);
        let chain = vec![CertificateDer::from(credential.certificate.to_vec())];
        let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(credential.key.to_vec()));
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .map_err(CredentialError::new)?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(CredentialError::new)?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key())
            .map_err(CredentialError::new)?;
        let servers = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(CredentialError::new)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(CredentialError::new)?
            .with_webpki_verifier(servers)
            .with_client_auth_cert(chain, key())
            .map_err(CredentialError::new)?;
        Ok(Self {
            server: TlsAcceptor::from(Arc::new(server)),
            client: TlsConnector::from(Arc::new(client)),
        })
    }
}

impl Keys {
    /// What a client of this name proves; `None` if nobody has it.
    fn of_client(&self, name: &str) -> ProofKey {
        match self {
            Self::Driver { authority, .. } if !name.is_empty() => {
                ProofKey::new(&authority.proof(&name.into()))
            }
            Self::Driver { peers, .. } | Self::Executor { peers, .. } => peers.clone(),
        }
    }

    async fn accept(&self, stream: TcpStream) -> Result<(Stream, Proved), GuardError> {
        let mut greeting = Framed::new(stream, frame::codec(frame::MAX_GREETING));
        let challenge = nonce();
        greeting.send(Bytes::copy_from_slice(&challenge)).await?;
        let answer = receive(&mut greeting).await?;
        let claim = Claim::read(&answer).ok_or(GuardError::NotProved)?;
        let key = self.of_client(claim.name);
        if !claim.is_proved(&key, &challenge) {
            return Err(GuardError::NotProved);
        }
        let proof = key.proof(Side::Server, claim.nonce, &challenge, claim.name);
        let proved = match self {
            Self::Driver { .. } if !claim.name.is_empty() => {
                Proved::Executor(claim.name.to_owned())
            }
            Self::Driver { .. } | Self::Executor { .. } => Proved::OfTheRun,
        };
        greeting.send(Bytes::from(proof)).await?;
        Ok((Stream::plain(greeting)?, proved))
    }

    async fn connect(&self, stream: TcpStream, whom: Whom) -> Result<Stream, GuardError> {
        let (name, key) = match (self, whom) {
            (Self::Executor { name, own, .. }, Whom::Driver) => (name.as_str(), own),
            (Self::Executor { peers, .. } | Self::Driver { peers, .. }, _) => ("", peers),
        };
        let mut greeting = Framed::new(stream, frame::codec(frame::MAX_GREETING));
        let challenge = receive(&mut greeting).await?;
        let own = nonce();
        let answer = frame::answer(key, &challenge, &own, name);
        greeting.send(Bytes::from(answer)).await?;
        let proof = receive(&mut greeting).await?;
        if !key.is_proved(Side::Server, (&own, &challenge), name, &proof) {
            return Err(GuardError::NotProved);
        }
        Stream::plain(greeting)
    }
}

fn nonce() -> Nonce {
    let mut nonce = Nonce::default();
    SystemRandom::new()
        .fill(&mut nonce)
        .expect("the system has random numbers");
    nonce
}

async fn receive(
    greeting: &mut Framed<TcpStream, LengthDelimitedCodec>,
) -> Result<Bytes, GuardError> {
    match greeting.next().await {
        Some(frame) => Ok(frame?.freeze()),
        None => Err(GuardError::NotProved),
    }
}

/// What two processes of a run say to each other.
pub enum Stream {
    /// As it is; what came with the last frame of the handshake is first.
    Plain(TcpStream, Bytes),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn plain(greeting: Framed<TcpStream, LengthDelimitedCodec>) -> Result<Self, GuardError> {
        let parts = greeting.into_parts();
        Ok(Self::Plain(parts.io, parts.read_buf.freeze()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_, first) if !first.is_empty() => {
                let length = first.len().min(buffer.remaining());
                buffer.put_slice(&first.split_to(length));
                Poll::Ready(Ok(()))
            }
            Self::Plain(stream, _) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream, _) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn authority(secret: &str, encrypted: bool) -> Authority {
        Authority::of(secret, encrypted).expect("made")
    }

    fn driver(secret: &str, encrypted: bool) -> Guard {
        Guard::of_driver(Arc::new(authority(secret, encrypted))).expect("made")
    }

    fn executor(secret: &str, encrypted: bool, name: &str) -> Guard {
        let credential = authority(secret, encrypted).credential(&name.into());
        Guard::of_executor(name, &credential.expect("made")).expect("made")
    }

    /// What the server found out, if the client was content too.
    async fn meet(server: Guard, client: Guard, whom: Whom) -> Option<Proved> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a port").to_string();
        let accepting = async {
            let (stream, _) = listener.accept().await.expect("a peer");
            let (mut stream, proved) = server.accept(stream).await.ok()?;
            let mut heard = [0; 2];
            stream.read_exact(&mut heard).await.ok()?;
            stream.write_all(&heard).await.ok()?;
            stream.flush().await.ok()?;
            Some(proved)
        };
        let connecting = async {
            let mut stream = client.connect(&address, whom).await.ok()?;
            stream.write_all(b"hi").await.ok()?;
            stream.flush().await.ok()?;
            let mut heard = [0; 2];
            stream.read_exact(&mut heard).await.ok()?;
            Some(heard)
        };
        let (proved, heard) = tokio::join!(accepting, connecting);
        heard.and(proved)
    }

    #[tokio::test]
    async fn an_executor_proves_who_it_is_to_the_driver() {
        for encrypted in [true, false] {
            let proved = meet(
                driver("s", encrypted),
                executor("s", encrypted, "e/1"),
                Whom::Driver,
            );
            let proved = proved.await.expect("both are of the run");
            assert!(proved.is(&"e/1".into()));
            assert!(!proved.is(&"e/2".into()));
        }
    }

    #[tokio::test]
    async fn processes_of_a_run_read_from_its_executors() {
        for encrypted in [true, false] {
            for client in [executor("s", encrypted, "b"), driver("s", encrypted)] {
                let server = executor("s", encrypted, "a");
                let proved = meet(server, client, Whom::AnExecutor).await;
                let proved = proved.expect("both are of the run");
                assert!(!proved.is(&"a".into()));
            }
        }
    }

    /// Readers of blocks come often, and a signature takes longer than a block.
    #[tokio::test]
    async fn a_second_connection_goes_on_with_the_session_of_the_first() {
        let (server, client) = (executor("s", true, "a"), executor("s", true, "b"));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("a port").to_string();
            let accepting = async {
                let (stream, _) = listener.accept().await.expect("a peer");
                let (mut stream, proved) = server.accept(stream).await.expect("proved");
                assert!(proved.is(&"b".into()));
                stream.write_all(b"hi").await.expect("sent");
                stream.flush().await.expect("sent");
                stream
            };
            let connecting = async {
                let stream = client.connect(&address, Whom::AnExecutor).await;
                let mut stream = stream.expect("proved");
                stream.read_exact(&mut [0; 2]).await.expect("heard");
                let Stream::Tls(tls) = &stream else {
                    panic!("it is encrypted");
                };
                tls.get_ref().1.handshake_kind()
            };
            let (_stream, kind) = tokio::join!(accepting, connecting);
            kinds.extend(kind);
        }
        use rustls::HandshakeKind::{Full, Resumed};
        assert_eq!(kinds, [Full, Resumed]);
    }

    #[tokio::test]
    async fn nobody_else_is_spoken_to() {
        for encrypted in [true, false] {
            let ours = || executor("s", encrypted, "e");
            // Of another run, on either side.
            let theirs = || executor("t", encrypted, "e");
            assert!(
                meet(driver("s", encrypted), theirs(), Whom::Driver)
                    .await
                    .is_none()
            );
            assert!(
                meet(driver("t", encrypted), ours(), Whom::Driver)
                    .await
                    .is_none()
            );
            assert!(meet(ours(), theirs(), Whom::AnExecutor).await.is_none());
            // An executor that poses as the driver.
            let other = executor("s", encrypted, "other");
            assert!(meet(other, ours(), Whom::Driver).await.is_none());
        }
        // One side alone is encrypted.
        let mixed = meet(driver("s", true), executor("s", false, "e"), Whom::Driver);
        let other = meet(driver("s", false), executor("s", true, "e"), Whom::Driver);
        // Either waits for the other: time ends it, and it is no test's.
        tokio::time::pause();
        assert!(mixed.await.is_none());
        assert!(other.await.is_none());
    }
}
