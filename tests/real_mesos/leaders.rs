//! Leaders that change: elections in a real ZooKeeper, and redirects.

use std::time::Duration;

use mesquite::mesos::client::Masters;
use mesquite::mesos::endpoint::Scheme;
use mesquite::mesos::subscription::Notice;
use mesquite::mesos::zookeeper::Group;

use crate::cluster::Cluster;
use crate::framework::{Framework, config};

fn group(cluster: &Cluster) -> Group {
    let (servers, path) = cluster
        .master
        .trim_start_matches("mesos://")
        .trim_start_matches("zk://")
        .split_once('/')
        .expect("servers and a path");
    Group {
        servers: servers.to_owned(),
        path: format!("/{path}"),
        credentials: None,
        session_timeout: Duration::from_secs(10),
        scheme: Scheme::Http,
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos and ZooKeeper; run by scripts/test"]
async fn a_leader_change_in_zookeeper_is_followed_with_the_same_id() {
    let cluster = Cluster::with(&["--agents", "1", "--masters", "3", "--zookeeper"]);
    let mut config = config(&cluster);
    config.masters = Masters::ZooKeeper(group(&cluster));
    let mut framework = Framework::start(config);
    let id = framework.subscribed().await;
    let (leader, _) = cluster.leader().await;
    cluster.fault("kill", &leader);
    framework.disconnected().await;
    assert_eq!(framework.subscribed().await, id);
    assert_ne!(cluster.leader().await.0, leader);
    // What it registered with is the leader's registry: its agent offers again.
    framework.offers().await;
}

#[tokio::test]
#[ignore = "needs a real Mesos and ZooKeeper; run by scripts/test"]
async fn zookeeper_may_be_away_while_the_master_is_there() {
    // A leader whose session expires ends itself: give it the time to wait.
    let patient = ["--master-flag", "zk_session_timeout=60secs"];
    let cluster = Cluster::with(&[&["--agents", "1", "--zookeeper"], &patient[..]].concat());
    let mut config = config(&cluster);
    config.masters = Masters::ZooKeeper(Group {
        session_timeout: Duration::from_secs(4),
        ..group(&cluster)
    });
    let mut framework = Framework::start(config);
    framework.subscribed().await;
    cluster.fault("kill", "zookeeper");
    cluster.fault("restart", "zookeeper");
    framework.offers().await;
    // Whatever became of the sessions, the framework is subscribed in the end.
    let revive = mesquite::mesos::call::Call::Revive { roles: Vec::new() };
    while framework.call(revive.clone()).await.is_err() {
        framework.subscribed().await;
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos and ZooKeeper; run by scripts/test"]
async fn a_master_that_stands_by_redirects_to_the_leader() {
    let cluster = Cluster::with(&["--agents", "1", "--masters", "3", "--zookeeper"]);
    let (_, standing_by) = cluster.leader().await;
    let mut config = config(&cluster);
    let masters = standing_by.iter().map(|it| it.parse().expect("a URL"));
    config.masters = Masters::Listed(masters.collect());
    let mut framework = Framework::start(config);
    let endpoint = framework
        .wait_for("subscription", |notice| match notice {
            Notice::Subscribed { endpoint, .. } => Some(endpoint.to_string()),
            _ => None,
        })
        .await;
    assert!(!standing_by.contains(&endpoint), "{endpoint} leads");
}
