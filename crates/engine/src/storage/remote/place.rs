//! Where a URL leads: the store, and the name in it.
//!
//! Responsible for telling both apart, and for setting a store up from the
//! environment, with words for what is missing there. Stores are kept for as
//! long as the process: connections and credentials are used again.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::told::{self, told};

/// What can be read and written, an object in several parts too.
pub trait Store: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Store for T {}

/// The kinds of stores that are written to, with one name for each.
const STORES: [(&str, &[&str]); 3] = [
    ("s3", &["s3", "s3a"]),
    ("gs", &["gs"]),
    ("az", &["az", "azure", "adl"]),
];

/// Those of Azure that name an account too.
const ACCOUNTS: [&str; 2] = ["abfs", "abfss"];

/// How long a service that gives out credentials may take to answer the phone.
const METADATA: Duration = Duration::from_secs(1);

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Scheme and host, with a slash at the end.
    pub base: String,
    /// What comes after it, without a slash at either end: a pattern perhaps. In
    /// names of objects every sign stands for itself.
    pub name: String,
}

impl Place {
    /// Takes a URL apart; `None` if it is none of an object store.
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, name) = rest.split_once('/').unwrap_or((rest, ""));
        let scheme = scheme.to_ascii_lowercase();
        let known = STORES
            .iter()
            .find(|(_, names)| names.contains(&scheme.as_str()));
        let scheme = match known {
            Some((name, _)) => *name,
            None => ACCOUNTS.into_iter().find(|it| *it == scheme)?,
        };
        Some(Self {
            base: format!("{scheme}://{host}/"),
            name: name.trim_matches('/').to_owned(),
        })
    }

    /// The URL of the place.
    pub fn url(&self) -> String {
        format!("{}{}", self.base, self.name)
    }

    /// The same as the stores have it.
    ///
    /// # Errors
    /// No object can have that name.
    pub fn path(&self) -> io::Result<Path> {
        Path::parse(&self.name).map_err(|error| told(&error.into(), &self.base))
    }

    /// The store.
    ///
    /// # Errors
    /// It cannot be set up: something is missing in the environment.
    pub fn store(&self) -> io::Result<Arc<dyn Store>> {
        static KEPT: Mutex<BTreeMap<String, Arc<dyn Store>>> = Mutex::new(BTreeMap::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = kept.get(&self.base) {
            return Ok(Arc::clone(store));
        }
        let store = set_up(&self.base, &Settings::of_environment())?;
        kept.insert(self.base.clone(), Arc::clone(&store));
        Ok(store)
    }
}

/// A web server, which is only read.
///
/// # Errors
/// It cannot be set up.
pub fn web_server(url: &Url) -> io::Result<(Arc<dyn ObjectStore>, Path)> {
    install_cryptography();
    let base = &url[..url::Position::BeforePath];
    let mut builder = HttpBuilder::new().with_url(base).with_retry(retries());
    if url.scheme() == "http" {
        let key = "allow_http".parse().expect("a known key");
        builder = builder.with_config(key, "true");
    }
    let failed = |error: object_store::Error| told(&error, base);
    let path = Path::from_url_path(url.path()).map_err(|error| failed(error.into()))?;
    Ok((Arc::new(builder.build().map_err(failed)?), path))
}

fn install_cryptography() {
    // Of several users in one process the first to come installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Tasks are tried again elsewhere, so no attempt waits for minutes.
fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: 6,
        retry_timeout: Duration::from_secs(60),
        ..RetryConfig::default()
    }
}

/// What the environment says of stores, in small letters.
struct Settings(Vec<(String, String)>);

impl Settings {
    fn of_environment() -> Self {
        let ours = |name: &str| {
            let prefixes = ["AWS_", "GOOGLE_", "AZURE_"];
            prefixes.iter().any(|it| name.starts_with(it))
        };
        let all = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| ours(name))?;
            Some((name.to_lowercase(), value.into_string().ok()?))
        });
        Self(all.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn of(&self, prefix: &str) -> Vec<(String, String)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .cloned()
            .collect();
        // Who writes `http://` means it.
        let plain = |(_, value): &(String, String)| value.starts_with("http://");
        let is_plain = all.iter().any(plain);
        if is_plain && !all.iter().any(|(name, _)| name.ends_with("allow_http")) {
            all.push((format!("{prefix}allow_http"), "true".to_owned()));
        }
        all
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether one of these words is in the name of something that is set.
    fn names(&self, prefix: &str, words: &[&str]) -> bool {
        let names = self
            .0
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(prefix));
        names
            .into_iter()
            .any(|name| words.iter().any(|it| name.contains(it)))
    }
}

/// Sets a store up.
fn set_up(base: &str, settings: &Settings) -> io::Result<Arc<dyn Store>> {
    install_cryptography();
    let url =
        Url::parse(base).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let failed = |error: object_store::Error| told(&error, base);
    let (kind, _) = ObjectStoreScheme::parse(&url).map_err(|error| failed(error.into()))?;
    macro_rules! built {
        ($builder:ty, $prefix:expr) => {{
            let mut builder = <$builder>::new().with_url(base).with_retry(retries());
            for (name, value) in settings.of($prefix) {
                // Other programs have settings of their own.
                if let Ok(key) = name.parse() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok(Arc::new(builder.build().map_err(failed)?))
        }};
    }
    match kind {
        ObjectStoreScheme::AmazonS3 => {
            let words = [
                "access_key",
                "identity_token",
                "container_",
                "skip_signature",
            ];
            if !settings.names("aws_", &words) {
                let endpoint = settings.get("aws_metadata_endpoint");
                answers(
                    endpoint.unwrap_or("169.254.169.254"),
                    told::NO_S3_CREDENTIALS,
                )?;
            }
            built!(AmazonS3Builder, "aws_")
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let words = [
                "account",
                "application_credentials",
                "token",
                "skip_signature",
            ];
            let home = std::env::home_dir().unwrap_or_default();
            let of_user = home.join(".config/gcloud/application_default_credentials.json");
            if !settings.names("google_", &words) && !FilePath::new(&of_user).exists() {
                answers("metadata.google.internal", told::NO_GCS_CREDENTIALS)?;
            }
            built!(GoogleCloudStorageBuilder, "google_")
        }
        _ => {
            let words = [
                "key",
                "sas",
                "secret",
                "token",
                "cli",
                "emulator",
                "skip_signature",
            ];
            if !settings.names("azure_", &words) {
                let endpoint = settings.get("azure_msi_endpoint");
                answers(
                    endpoint.unwrap_or("169.254.169.254"),
                    told::NO_AZURE_CREDENTIALS,
                )?;
            }
            built!(MicrosoftAzureBuilder, "azure_")
        }
    }
}

/// Without credentials in the environment they are asked of a service that
/// machines in a cloud have. Where it is not there, that says so at once.
fn answers(service: &str, missing: &str) -> io::Result<()> {
    let host = service.trim_start_matches("http://").trim_end_matches('/');
    let host = host.split('/').next().unwrap_or(host);
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut addresses = address.to_socket_addrs().into_iter().flatten();
    match addresses.any(|it| TcpStream::connect_timeout(&it, METADATA).is_ok()) {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::PermissionDenied, missing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_store_and_a_name_in_it() {
        let parts = |url: &str| Place::of(url).map(|it| (it.base, it.name));
        let wanted = |base: &str, name: &str| Some((base.to_owned(), name.to_owned()));
        assert_eq!(parts("s3://b/x/y"), wanted("s3://b/", "x/y"));
        assert_eq!(parts("S3A://b/x/"), wanted("s3://b/", "x"));
        assert_eq!(parts("gs://b"), wanted("gs://b/", ""));
        assert_eq!(parts("az://c/a#b?c%20d"), wanted("az://c/", "a#b?c%20d"));
        let account = "abfss://c@a.dfs.core.windows.net/x";
        assert_eq!(
            parts(account),
            wanted("abfss://c@a.dfs.core.windows.net/", "x")
        );
        assert_eq!(parts("https://h/x"), None);
        assert_eq!(parts("a/b"), None);
    }

    #[test]
    fn missing_credentials_are_told_as_that() {
        // Nobody listens there.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = closed.local_addr().expect("an address");
        drop(closed);
        let endpoint = ("aws_metadata_endpoint".into(), format!("http://{address}/"));
        let error = set_up("s3://b/", &Settings(vec![endpoint])).expect_err("nothing is set");
        let text = error.to_string();
        assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    }

    #[test]
    fn plain_http_is_allowed_where_the_endpoint_says_so() {
        let of = |settings: &[(&str, &str)]| {
            let all = settings
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            let allowed = Settings(all.collect()).of("aws_");
            let found = allowed
                .into_iter()
                .find(|(name, _)| name == "aws_allow_http");
            found.map(|(_, value)| value)
        };
        let endpoint = ("aws_endpoint_url", "http://localhost:1");
        assert_eq!(of(&[endpoint]).as_deref(), Some("true"));
        assert_eq!(
            of(&[endpoint, ("aws_allow_http", "false")]).as_deref(),
            Some("false")
        );
        assert_eq!(of(&[("aws_endpoint_url", "https://localhost:1")]), None);
    }
}
