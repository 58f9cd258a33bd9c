//! Master URLs: where the work is to run.
//!
//! Responsible for reading every form of `spark.master` that Mesquite knows,
//! for printing it without credentials, and for saying what is supported when
//! the form is another. Nothing is resolved or connected to.
//!
//! | form | where |
//! | --- | --- |
//! | `local`, `local[N]`, `local[*]`, `local[N,F]` | threads of this process; F failures end a task |
//! | `local-cluster[N,cores,MiB]` | N executor processes on this machine |
//! | `mesos://host:port`, `mesos://h1:p,h2:p` | the leader among these Mesos masters |
//! | `http://...`, `https://...` | the same, naming the scheme |
//! | `zk://h1:p,h2:p/path`, `mesos://zk://...` | the leader that ZooKeeper names |

use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::secret::Secret;

/// The port of a Mesos master when the URL names none.
pub const MESOS_PORT: u16 = 5050;
/// The port of a ZooKeeper server when the URL names none.
pub const ZOOKEEPER_PORT: u16 = 2181;

/// Where the work is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterUrl {
    /// Threads of this process.
    Local {
        /// How many tasks run at once.
        threads: Threads,
        /// How often a task may fail, if the URL says so.
        max_failures: Option<NonZeroU32>,
    },
    /// Executor processes on this machine.
    LocalCluster {
        /// How many.
        executors: NonZeroU32,
        /// Cores of each.
        cores: NonZeroU32,
        /// Memory of each, in MiB.
        memory_mib: NonZeroU32,
    },
    /// A Mesos cluster.
    Mesos(MesosMaster),
}

/// How many threads `local` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// So many.
    Count(NonZeroU32),
    /// As many as the machine has logical processors.
    All,
}

/// How the leading Mesos master is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MesosMaster {
    /// By asking masters in turn and following their redirects.
    Hosts {
        /// Whether they are spoken to by TLS, if the URL says so: `mesos://` does
        /// not.
        scheme: Option<Scheme>,
        /// The masters, at least one, in the order written.
        hosts: Vec<HostPort>,
    },
    /// By ZooKeeper.
    ZooKeeper(ZooKeeperUrl),
}

/// The scheme of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme as URLs have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The ZooKeeper that Mesos masters elect their leader in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooKeeperUrl {
    /// The servers, at least one, in the order written.
    pub servers: Vec<HostPort>,
    /// The folder of the masters, such as `/mesos`: absolute, without a slash
    /// at the end unless it is the root. A base path, not a chroot.
    pub path: String,
    /// For ZooKeeper's `digest` scheme.
    pub credentials: Option<ZooKeeperCredentials>,
}

/// A user of ZooKeeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooKeeperCredentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Why a text is no master URL. Never holds credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterUrlError {
    /// The form is none of ours.
    #[error(
        "supported are local, local[N], local[*], local[N,F], \
         local-cluster[N,cores,MiB], mesos://host:port, mesos://h1:p,h2:p, \
         mesos://zk://h1:p,h2:p/path, zk://[user:password@]h1:p,h2:p/path and \
         http(s)://host:port"
    )]
    Unsupported,
    /// It begins as `local` and is not written as it should be.
    #[error("{0}")]
    Local(&'static str),
    /// A host and port that cannot be.
    #[error("`{0}` is not host:port{hint}", hint = port_hint(.0))]
    HostPort(String),
    /// A host is missing.
    #[error("a host is missing between commas or after the scheme")]
    NoHost,
    /// Credentials in the URL of a master.
    #[error(
        "a user and password belong in spark.mesos.principal and \
         spark.mesos.secret, not in the URL of a master"
    )]
    MasterCredentials,
    /// A path after the hosts of masters.
    #[error("nothing may follow the hosts of masters, but `{0}` does")]
    MasterPath(String),
    /// ZooKeeper credentials without a colon or a user.
    #[error("what stands before the @ must be user:password")]
    ZooKeeperCredentials,
    /// A ZooKeeper path that cannot be.
    #[error("`{0}` is not a path of ZooKeeper")]
    ZooKeeperPath(String),
}

/// Says what is wrong with ports out of range, the likeliest slip.
fn port_hint(text: &str) -> &'static str {
    match text.rsplit_once(':') {
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
            " (an IPv6 address stands in brackets)"
        }
        Some((_, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            " (ports go from 1 to 65535)"
        }
        _ => "",
    }
}

/// What settings and ways to run ask of a URL: here is said once, of each form, what
/// everybody else goes by.
impl MasterUrl {
    /// The Mesos cluster; none of a run that is its own cluster.
    pub const fn mesos(&self) -> Option<&MesosMaster> {
        match self {
            Self::Mesos(master) => Some(master),
            Self::Local { .. } | Self::LocalCluster { .. } => None,
        }
    }

    /// Whether tasks run in the process of the driver, and share its memory.
    pub const fn shares_process(&self) -> bool {
        match self {
            Self::Local { .. } => true,
            Self::LocalCluster { .. } | Self::Mesos(_) => false,
        }
    }

    /// How often a task may fail, if it says so.
    pub const fn max_failures(&self) -> Option<NonZeroU32> {
        match self {
            Self::Local { max_failures, .. } => *max_failures,
            Self::LocalCluster { .. } | Self::Mesos(_) => None,
        }
    }

    /// The cores that one task can have at most, if it says so, and of whom, for people.
    pub const fn cores(&self) -> Option<(NonZeroU32, &'static str)> {
        match self {
            Self::Local {
                threads: Threads::Count(threads),
                ..
            } => Some((*threads, "the master local[N]")),
            Self::LocalCluster { cores, .. } => Some((*cores, "an executor of local-cluster")),
            Self::Local {
                threads: Threads::All,
                ..
            }
            | Self::Mesos(_) => None,
        }
    }

    /// The memory of each executor in MiB, if it says so.
    pub const fn memory_mib(&self) -> Option<NonZeroU32> {
        match self {
            Self::LocalCluster { memory_mib, .. } => Some(*memory_mib),
            Self::Local { .. } | Self::Mesos(_) => None,
        }
    }
}

impl MasterUrl {
    /// The text of a master URL, good or bad, without credentials in it.
    pub fn redact(text: &str) -> String {
        let start = text.rfind("://").map_or(0, |at| at + "://".len());
        // A password may hold anything but a slash, so the last `@` ends it.
        let (before, after) = text.split_at(start);
        match after.rfind('@') {
            Some(at) => format!("{before}{}{}", Secret::SHOWN, &after[at..]),
            None if before.ends_with("zk://") => {
                let (servers, path) = after.split_at(after.find('/').unwrap_or(after.len()));
                let servers: Vec<_> = servers.split(',').map(without_password).collect();
                format!("{before}{}{path}", servers.join(","))
            }
            None => text.to_owned(),
        }
    }
}

/// A server of ZooKeeper, or what was to stand before its `@` and was left alone:
/// what is no port there may be a password.
fn without_password(server: &str) -> String {
    match server.split_once(':') {
        Some((user, password))
            if !server.starts_with('[') && !password.bytes().all(|it| it.is_ascii_digit()) =>
        {
            format!("{user}:{}", Secret::SHOWN)
        }
        _ => server.to_owned(),
    }
}

impl FromStr for MasterUrl {
    type Err = MasterUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "local" {
            return Ok(Self::Local {
                threads: Threads::Count(NonZeroU32::MIN),
                max_failures: None,
            });
        }
        if let Some(inner) = bracketed(text, "local-cluster") {
            return local_cluster(inner);
        }
        if let Some(inner) = bracketed(text, "local") {
            return local(inner);
        }
        let (scheme, rest) = text.split_once("://").ok_or(MasterUrlError::Unsupported)?;
        match (scheme, rest.strip_prefix("zk://")) {
            ("zk", None) => zookeeper(rest).map(Self::Mesos),
            ("mesos", Some(inner)) => zookeeper(inner).map(Self::Mesos),
            ("mesos", None) => masters(None, rest).map(Self::Mesos),
            ("http", None) => masters(Some(Scheme::Http), rest).map(Self::Mesos),
            ("https", None) => masters(Some(Scheme::Https), rest).map(Self::Mesos),
            _ => Err(MasterUrlError::Unsupported),
        }
    }
}

/// What stands in the brackets of `name[...]`.
fn bracketed<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.strip_prefix(name)?
        .strip_prefix('[')?
        .strip_suffix(']')
}

/// The most tasks that a process runs at once: each is a thread.
const MOST_THREADS: u32 = 4096;
/// The most processes of a `local-cluster`.
const MOST_PROCESSES: u32 = 1000;

/// `N`, `*`, `N,F` or `*,F`: blanks may stand around the comma only.
fn local(inner: &str) -> Result<MasterUrl, MasterUrlError> {
    const WRITTEN: MasterUrlError = MasterUrlError::Local(
        "local[N,F] takes a number of threads of at least 1, or *, \
         and a number of failures of at least 1",
    );
    let (threads, failures) = match inner.split_once(',') {
        None => (inner, None),
        Some((threads, failures)) => (threads.trim_end(), Some(failures.trim_start())),
    };
    let failures = failures.map(|it| number(it).ok_or(WRITTEN)).transpose()?;
    Ok(MasterUrl::Local {
        threads: if threads == "*" {
            Threads::All
        } else {
            let count = number(threads).ok_or(WRITTEN)?;
            if count.get() > MOST_THREADS {
                return Err(MasterUrlError::Local(
                    "local[N] takes at most 4096 threads; local[*] takes as many as there are \
                     processors",
                ));
            }
            Threads::Count(count)
        },
        max_failures: failures,
    })
}

/// Three numbers, blanks anywhere between.
fn local_cluster(inner: &str) -> Result<MasterUrl, MasterUrlError> {
    const WRITTEN: MasterUrlError = MasterUrlError::Local(
        "local-cluster[N,cores,MiB] takes three numbers of at least 1: \
         executors, cores of each and memory of each in MiB",
    );
    let numbers: Option<Vec<NonZeroU32>> =
        inner.split(',').map(|text| number(text.trim())).collect();
    match numbers.as_deref() {
        Some(&[executors, cores, _])
            if executors.get() > MOST_PROCESSES || cores.get() > MOST_THREADS =>
        {
            Err(MasterUrlError::Local(
                "local-cluster[N,cores,MiB] takes at most 1000 executors of at most 4096 cores",
            ))
        }
        Some(&[executors, cores, memory_mib]) => Ok(MasterUrl::LocalCluster {
            executors,
            cores,
            memory_mib,
        }),
        _ => Err(WRITTEN),
    }
}

/// Digits only: Rust would take a plus sign too.
fn number(text: &str) -> Option<NonZeroU32> {
    text.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    text.parse().ok()
}

fn masters(scheme: Option<Scheme>, rest: &str) -> Result<MesosMaster, MasterUrlError> {
    let (hosts, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if rest.contains('@') {
        return Err(MasterUrlError::MasterCredentials);
    }
    if !matches!(path, "" | "/") {
        return Err(MasterUrlError::MasterPath(path.to_owned()));
    }
    Ok(MesosMaster::Hosts {
        scheme,
        hosts: endpoints(hosts, MESOS_PORT)?,
    })
}

fn zookeeper(rest: &str) -> Result<MesosMaster, MasterUrlError> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (credentials, servers) = match authority.rsplit_once('@') {
        None => (None, authority),
        Some((credentials, servers)) => {
            let (user, password) = credentials
                .split_once(':')
                .filter(|(user, _)| !user.is_empty())
                .ok_or(MasterUrlError::ZooKeeperCredentials)?;
            let credentials = ZooKeeperCredentials {
                user: user.to_owned(),
                password: Secret::new(password),
            };
            (Some(credentials), servers)
        }
    };
    let path = match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let sound = path == "/"
        || path[1..]
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control));
    if !sound || path.contains('@') {
        // An `@` in the path is a password with a slash in it, so the path
        // is not to be shown either.
        return Err(MasterUrlError::ZooKeeperPath(MasterUrl::redact(path)));
    }
    Ok(MesosMaster::ZooKeeper(ZooKeeperUrl {
        servers: endpoints(servers, ZOOKEEPER_PORT).map_err(|error| match error {
            MasterUrlError::HostPort(server) => MasterUrlError::HostPort(without_password(&server)),
            error => error,
        })?,
        path: path.to_owned(),
        credentials,
    }))
}

fn endpoints(list: &str, default_port: u16) -> Result<Vec<HostPort>, MasterUrlError> {
    list.split(',')
        .map(|text| endpoint(text.trim(), default_port))
        .collect()
}

fn endpoint(text: &str, default_port: u16) -> Result<HostPort, MasterUrlError> {
    if text.is_empty() {
        return Err(MasterUrlError::NoHost);
    }
    let wrong = || MasterUrlError::HostPort(text.to_owned());
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
            let address: Ipv6Addr = address.parse().map_err(|_| wrong())?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or_else(wrong)?),
            };
            (address.to_string(), port)
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            // Names as URLs take them, so that what is accepted here can also
            // be connected to.
            let host = url::Host::parse(host).map_err(|_| wrong())?;
            (host.to_string(), port)
        }
    };
    let port = match port {
        None => default_port,
        Some(port) => number(port)
            .and_then(|port| u16::try_from(port.get()).ok())
            .ok_or_else(wrong)?,
    };
    Ok(HostPort { host, port })
}

impl fmt::Display for MasterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local {
                threads,
                max_failures,
            } => {
                f.write_str("local[")?;
                match threads {
                    Threads::Count(count) => count.fmt(f)?,
                    Threads::All => f.write_str("*")?,
                }
                if let Some(failures) = max_failures {
                    write!(f, ",{failures}")?;
                }
                f.write_str("]")
            }
            Self::LocalCluster {
                executors,
                cores,
                memory_mib,
            } => write!(f, "local-cluster[{executors},{cores},{memory_mib}]"),
            Self::Mesos(master) => master.fmt(f),
        }
    }
}

impl fmt::Display for MesosMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts { scheme, hosts } => {
                let scheme = scheme.map_or("mesos", Scheme::as_str);
                write!(f, "{scheme}://{}", Commas(hosts))
            }
            Self::ZooKeeper(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for ZooKeeperUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("zk://")?;
        if let Some(ZooKeeperCredentials { user, password }) = &self.credentials {
            write!(f, "{user}:{password}@")?;
        }
        write!(f, "{}{}", Commas(&self.servers), self.path)
    }
}

struct Commas<'a>(&'a [HostPort]);

impl fmt::Display for Commas<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, endpoint) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{endpoint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
