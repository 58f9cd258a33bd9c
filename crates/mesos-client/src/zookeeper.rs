//! Finding the leading master in ZooKeeper.
//!
//! Responsible for a session with ZooKeeper that outlives losses and expiry,
//! and for telling who leads whenever that changes. Which entry leads and what
//! it says is [`super::leader`]'s business. It never takes part in the election.

use std::time::Duration;

use tokio::sync::mpsc;
use zookeeper_client::{Client, Connector, Error};

use super::endpoint::{Endpoint, Scheme};
use super::leader::{leader_endpoint, leading_node};

/// The pause after a failure, as in Mesos's own detector.
const PAUSE: Duration = Duration::from_secs(2);

/// The masters' group in ZooKeeper.
#[derive(Clone)]
pub struct Group {
    /// `host:port` of each server, with commas between them.
    pub servers: String,
    /// The group's path, such as `/mesos`.
    pub path: String,
    /// User and password for ZooKeeper's `digest` scheme.
    pub credentials: Option<(String, String)>,
    /// The session's time limit; Mesos's own is 10 s.
    pub session_timeout: Duration,
    /// How the masters are spoken to; ZooKeeper does not say.
    pub scheme: Scheme,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "zk://{}{}", self.servers, self.path)
    }
}

impl Group {
    /// What went wrong, and what to do where something can be done.
    fn explained(&self, error: &Error) -> String {
        let Self { servers, path, .. } = self;
        match (error, &self.credentials) {
            (Error::NoAuth | Error::AuthFailed, Some((user, _))) => format!(
                "ZooKeeper at {servers} does not let {user} read {path}: are the user and the \
                 password in the URL those that the masters have?"
            ),
            (Error::NoAuth | Error::AuthFailed, None) => format!(
                "ZooKeeper at {servers} lets nobody read {path} without a password: name the \
                 masters by zk://user:password@{servers}{path}"
            ),
            (error, _) => format!("ZooKeeper at {servers} is of no help: {error}"),
        }
    }
}

/// What ZooKeeper says of the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detected {
    /// This master leads.
    Leader(Endpoint),
    /// Nobody is known to lead, for this reason.
    Nobody(String),
}

/// Tells who leads, now and after every change, until the receiver is gone.
pub async fn detect(group: Group, changes: mpsc::Sender<Detected>) {
    let mut last = None;
    while !changes.is_closed() {
        let Err(error) = follow(&group, &changes, &mut last).await;
        let why = group.explained(&error);
        tell(&changes, &mut last, Detected::Nobody(why)).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Follows the leader within one session, until the session is of no more use.
async fn follow(
    group: &Group,
    changes: &mpsc::Sender<Detected>,
    last: &mut Option<Detected>,
) -> Result<std::convert::Infallible, Error> {
    let client = connector(group).connect(&group.servers).await?;
    loop {
        let children = match client.list_and_watch_children(&group.path).await {
            Ok(children) => children,
            // Before the first master ever starts there is not even a group.
            Err(Error::NoNode) => {
                let why = format!("ZooKeeper at {} has no {}", group.servers, group.path);
                tell(changes, last, Detected::Nobody(why)).await;
                let (found, watcher) = client.check_and_watch_stat(&group.path).await?;
                if found.is_none() {
                    watcher.changed().await;
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        let (children, watcher) = children;
        let detected = match leading_node(children.iter().map(String::as_str)) {
            Some(node) => match read(&client, group, node).await? {
                Some(detected) => detected,
                // Gone between the two requests: the list has changed.
                None => continue,
            },
            None => Detected::Nobody(format!(
                "ZooKeeper at {} names no leading master under {}",
                group.servers, group.path
            )),
        };
        tell(changes, last, detected).await;
        watcher.changed().await;
        if client.state().is_terminated() {
            return Err(Error::SessionExpired);
        }
    }
}

fn connector(group: &Group) -> Connector {
    let connector = Client::connector()
        .with_session_timeout(group.session_timeout)
        .with_connection_timeout(group.session_timeout / 3)
        .with_fail_eagerly();
    match &group.credentials {
        Some((user, password)) => {
            connector.with_auth("digest", format!("{user}:{password}").as_bytes())
        }
        None => connector,
    }
}

async fn read(client: &Client, group: &Group, node: &str) -> Result<Option<Detected>, Error> {
    let path = format!("{}/{node}", group.path.trim_end_matches('/'));
    let content = match client.get_data(&path).await {
        Ok((content, _)) => content,
        Err(Error::NoNode) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(match leader_endpoint(&content, group.scheme) {
        Ok(endpoint) => Detected::Leader(endpoint),
        Err(error) => Detected::Nobody(format!("{path}: {error}")),
    }))
}

/// Tells of a change; the same again is none.
async fn tell(changes: &mpsc::Sender<Detected>, last: &mut Option<Detected>, detected: Detected) {
    if last.as_ref() != Some(&detected) {
        *last = Some(detected.clone());
        // Without a receiver the caller's loop ends.
        let _ = changes.send(detected).await;
    }
}
