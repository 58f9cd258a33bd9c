//! Leaders that change: elections in a real ZooKeeper, and redirects.

use std::time::Duration;

use mesquite::mesos::client::Masters;
use mesquite::mesos::endpoint::Scheme;
use mesquite::mesos::subscription::Notice;
use mesquite::mesos::zookeeper::{Detected, Group, detect};
use tokio::sync::mpsc;
use zookeeper_client::{Acls, Client, CreateMode};

use crate::cluster::Cluster;
use crate::framework::{Framework, config};
use crate::jobs::Job;

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

/// Nobody but this user is to read what is written.
const USER: &str = "me";
const PASSWORD: &str = "hunter2";

/// Copies the leader's entry to a folder of ZooKeeper that is closed to others.
async fn guard(group: &Group) {
    let client = Client::connector()
        .with_auth("digest", format!("{USER}:{PASSWORD}").as_bytes())
        .connect(&group.servers)
        .await
        .expect("ZooKeeper runs");
    let (children, _) = client.get_children(&group.path).await.expect("a group");
    let leader = children
        .into_iter()
        .find(|child| child.starts_with("json.info_"))
        .expect("a leader");
    let (entry, _) = client
        .get_data(&format!("{}/{leader}", group.path))
        .await
        .expect("an entry");
    let closed = CreateMode::Persistent.with_acls(Acls::creator_all());
    for (path, content) in [
        ("/guarded".to_owned(), &b""[..]),
        (format!("/guarded/{leader}"), &entry),
    ] {
        client
            .create(&path, content, &closed)
            .await
            .expect("written");
    }
}

/// What is first heard of the leader.
async fn detected(group: Group) -> Detected {
    let (sender, mut changes) = mpsc::channel(1);
    let detector = tokio::spawn(detect(group, sender));
    let first = changes.recv().await.expect("the detector runs");
    detector.abort();
    first
}

#[tokio::test]
#[ignore = "needs a real Mesos and ZooKeeper; run by scripts/test"]
async fn a_guarded_group_is_read_with_a_password_that_is_shown_nowhere() {
    let cluster = Cluster::with(&["--agents", "1", "--zookeeper"]);
    let group = group(&cluster);
    guard(&group).await;
    let guarded = |credentials: Option<(&str, &str)>| Group {
        path: "/guarded".into(),
        credentials: credentials.map(|(user, password)| (user.into(), password.into())),
        ..group.clone()
    };
    for (credentials, expected) in [
        (None, "zk://user:password@"),
        (Some((USER, "wrong")), "let me read"),
    ] {
        let Detected::Nobody(why) = detected(guarded(credentials)).await else {
            panic!("{credentials:?} lets nobody in")
        };
        assert!(why.contains(expected) && !why.contains("wrong"), "{why}");
    }
    let found = detected(guarded(Some((USER, PASSWORD)))).await;
    assert!(matches!(found, Detected::Leader(_)), "{found:?}");

    let url = format!("zk://{USER}:{PASSWORD}@{}/guarded", group.servers);
    for (coarse, verbose) in [("true", "-vv"), ("false", "-vvv")] {
        let conf = format!("spark.mesos.coarse={coarse}");
        let job = Job::new("[dataset.n]\nrange = { end = 9 }\n[[action]]\ncount = \"n\"\n");
        let ended = job
            .run(&["--master", &url, "--conf", &conf, "--json", verbose])
            .succeeded();
        let stdout = String::from_utf8_lossy(&ended.output.stdout);
        for (place, text) in [("log", &*ended.stderr()), ("summary", &*stdout)] {
            assert!(!text.contains(PASSWORD), "{place}: {text}");
        }
    }
    let state = cluster.get("/master/state").await.to_string();
    assert!(state.contains("completed_frameworks"), "{state}");
    assert!(!state.contains(PASSWORD), "{state}");
}
