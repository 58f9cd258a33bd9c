//! Who we are to a master or an agent: the `Authorization` header.
//!
//! Responsible for what it says, and for reading it again from the files that it
//! comes from: whoever renews a token replaces its file, and tells nobody. When
//! to read again is [`super::http`]'s business.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use super::endpoint::{Endpoint, Scheme};

/// No secret is longer.
const LONGEST: u64 = 64 * 1024;

/// What we prove ourselves by.
#[derive(Clone)]
pub enum Authentication {
    /// Nothing.
    None,
    /// A framework's principal and secret.
    Basic {
        /// The principal.
        principal: String,
        /// The secret.
        secret: Kept,
    },
    /// A token.
    Bearer(Kept),
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(<redacted>)",
            Self::Bearer(_) => "Bearer(<redacted>)",
        })
    }
}

/// A secret, or where it is kept.
#[derive(Clone)]
pub enum Kept {
    /// This.
    Text(String),
    /// In this file, whose owner may replace it at any time.
    File(PathBuf),
}

impl From<&str> for Kept {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Kept {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Why there is nothing to prove ourselves by. Never holds what was read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{} is empty, and should hold a secret", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be sent.
    #[error("{what} has characters that a header of HTTP cannot have")]
    NotAHeader {
        /// What it is.
        what: String,
    },
}

impl Kept {
    /// The secret as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> Result<String, KeptError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read(path),
        }
    }

    fn file(&self) -> Option<&Path> {
        match self {
            Self::Text(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

/// Editors end files with a line end that is no part of the secret.
fn read(path: &Path) -> Result<String, KeptError> {
    let failed = |source| KeptError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    if text.is_empty() {
        return Err(KeptError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

impl Authentication {
    /// The file that it is read from, if it is.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::Basic { secret, .. } => secret.file(),
            Self::Bearer(token) => token.file(),
        }
    }

    /// What it is, for people.
    fn what(&self) -> String {
        let kept = |what: &str, kept: &Kept| match kept.file() {
            Some(path) => format!("{what} in {}", path.display()),
            None => what.to_owned(),
        };
        match self {
            Self::None => "nothing".to_owned(),
            Self::Basic { principal, secret } => {
                kept(&format!("principal {principal} and its secret"), secret)
            }
            Self::Bearer(token) => kept("the token", token),
        }
    }

    /// What is to be told before it goes there, if others can read it on the way.
    pub fn in_clear(&self, to: &Endpoint) -> Option<String> {
        let sent = !matches!(self, Self::None);
        (sent && to.scheme == Scheme::Http && to.is_elsewhere()).then(|| {
            format!(
                "{} is sent to {to} in clear: whoever listens on the way can do in our name what we \
                 may; use masters that speak TLS (https://, or mesquite.mesos.ssl.enabled)",
                self.what()
            )
        })
    }

    /// The header as it is now.
    fn header(&self) -> Result<Option<HeaderValue>, KeptError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { principal, secret } => {
                let pair = format!("{principal}:{}", secret.read()?);
                format!("Basic {}", STANDARD.encode(pair))
            }
            Self::Bearer(token) => format!("Bearer {}", token.read()?),
        };
        match HeaderValue::try_from(text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Ok(Some(value))
            }
            Err(_) => Err(KeptError::NotAHeader { what: self.what() }),
        }
    }
}

/// The header that is sent at present. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Credential(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    authentication: Authentication,
    header: RwLock<Option<HeaderValue>>,
}

impl Credential {
    /// Reads it for the first time.
    pub(super) fn new(authentication: Authentication) -> Result<Self, KeptError> {
        let header = RwLock::new(authentication.header()?);
        Ok(Self(Arc::new(Inner {
            authentication,
            header,
        })))
    }

    /// What is to be sent.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let header = self.0.header.read();
        header.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads it again, if it is in a file; what cannot be read leaves it as it is.
    pub(super) async fn read_again(&self) {
        if self.0.authentication.file().is_none() {
            return;
        }
        let inner = Arc::clone(&self.0);
        // A file may lie on a network that has gone.
        let read = tokio::task::spawn_blocking(move || {
            match inner.authentication.header() {
                Ok(header) => {
                    let mut kept = inner.header.write().unwrap_or_else(PoisonError::into_inner);
                    *kept = header;
                }
                Err(error) => tracing::warn!("going on with what was read before: {error}"),
            };
        });
        let _ = read.await;
    }

    /// What was sent, for people.
    pub(super) fn what(&self) -> String {
        let what = self.0.authentication.what();
        match self.0.authentication.file() {
            Some(_) => format!("{what}, read again before"),
            None => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_file_that_was_replaced_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "one\n").unwrap();
        let credential = Credential::new(Authentication::Bearer(Kept::File(path.clone()))).unwrap();
        assert_eq!(credential.header().unwrap(), "Bearer one");
        fs::write(&path, "two\r\n").unwrap();
        assert_eq!(credential.header().unwrap(), "Bearer one");
        credential.read_again().await;
        assert_eq!(credential.header().unwrap(), "Bearer two");
        // In the middle of being written.
        fs::write(&path, "").unwrap();
        credential.read_again().await;
        assert_eq!(credential.header().unwrap(), "Bearer two");
    }

    #[test]
    fn what_cannot_be_sent_is_said_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "hunter2\nhunter3").unwrap();
        let token = Authentication::Bearer(Kept::File(path.clone()));
        let error = Credential::new(token).unwrap_err().to_string();
        assert!(error.contains("the token in"), "{error}");
        assert!(!error.contains("hunter"), "{error}");
        fs::write(&path, "\n").unwrap();
        let error = Kept::File(path).read().unwrap_err().to_string();
        assert!(error.contains("is empty"), "{error}");
    }

    #[test]
    fn what_others_could_read_on_the_way_is_told() {
        let token = Authentication::Bearer("hunter2".into());
        let basic = Authentication::Basic {
            principal: "me".into(),
            secret: "hunter2".into(),
        };
        let told = |authentication: &Authentication, to: &str| {
            authentication.in_clear(&to.parse().unwrap())
        };
        for to in [
            "http://h:5050",
            "http://10.0.0.1:5050",
            "http://[fd00::1]:80",
        ] {
            for (authentication, what) in [(&token, "the token"), (&basic, "principal me and")] {
                let told = told(authentication, to).unwrap();
                assert!(told.starts_with(what) && told.contains(to), "{told}");
                assert!(!told.contains("hunter2"), "{told}");
            }
            assert_eq!(told(&Authentication::None, to), None);
        }
        for to in [
            "https://h:5050",
            "http://localhost:1",
            "http://127.0.0.2:1",
            "http://[::1]:1",
        ] {
            assert_eq!(told(&basic, to), None);
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let basic = Authentication::Basic {
            principal: "me".into(),
            secret: "hunter2".into(),
        };
        let credential = Credential::new(basic).unwrap();
        let shown = format!("{credential:?} {}", credential.what());
        assert!(shown.contains("principal me and its secret"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
