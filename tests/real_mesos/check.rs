//! `mesquite check` against a real master, as a user runs it.

use std::process::{Command, Output};

use crate::cluster::Cluster;
use crate::framework::eventually;

fn check(cluster: &Cluster, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(["check", "--master", &cluster.master])
        .args(options)
        .output()
        .expect("mesquite can be started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn it_shows_the_agents_and_leaves_without_a_trace() {
    let cluster = Cluster::up(2);
    let output = check(&cluster, &["--name", "first aid"]);
    let stdout = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{stdout}{}",
        text(&output.stderr)
    );
    assert!(stdout.contains("Mesos 1.11.0"), "{stdout}");
    assert!(stdout.contains("2 registered, 2 active"), "{stdout}");
    for rack in ["rack:r1", "rack:r2"] {
        assert!(stdout.contains(rack), "{stdout}");
    }
    assert_eq!(stdout.matches("cpus:2; mem:2048").count(), 2, "{stdout}");
    let frameworks = cluster.get("/master/frameworks").await;
    assert_eq!(frameworks["frameworks"].as_array().map(Vec::len), Some(0));
    assert_eq!(frameworks["completed_frameworks"][0]["name"], "first aid");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn offers_that_are_of_no_use_are_explained() {
    let cluster = Cluster::up(1);
    let options = [
        "--conf",
        "spark.mesos.constraints=rack:r7",
        "--conf",
        "spark.executor.cores=8",
    ];
    let output = check(&cluster, &options);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(
        stdout.contains("attribute rack must be r7, is r1"),
        "{stdout}"
    );
    assert!(stdout.contains("8 cpus needed, 2 available"), "{stdout}");
    assert!(
        text(&output.stderr).starts_with("error: nothing could run"),
        "{stdout}"
    );
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn wrong_credentials_are_refused_and_right_ones_let_in() {
    let cluster = Cluster::with(&["--agents", "1", "--credential", "me:sesame"]);
    for options in [
        &[][..],
        &[
            "--conf",
            "spark.mesos.principal=me",
            "--conf",
            "spark.mesos.secret=wrong",
        ],
    ] {
        let output = check(&cluster, options);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("authentication is required"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let right = [
        "--conf",
        "spark.mesos.principal=me",
        "--conf",
        "spark.mesos.secret=sesame",
    ];
    let output = check(&cluster, &right);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_cluster_whose_agent_is_gone_is_explained() {
    let cluster = Cluster::up(1);
    cluster.fault("kill", "agent1");
    // The master gives an agent up after three pings of a second each.
    eventually("the agent is given up", async || {
        let agents = cluster.get("/slaves").await;
        (agents["slaves"][0]["active"] != true).then_some(())
    })
    .await;
    let output = check(&cluster, &[]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("agent"), "{stderr}");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_paused_master_is_told_after_the_time_limit() {
    let cluster = Cluster::up(1);
    cluster.fault("pause", "master");
    let output = check(
        &cluster,
        &["--conf", "mesquite.mesos.registrationTimeout=500ms"],
    );
    let stderr = text(&output.stderr);
    cluster.fault("resume", "master");
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[tokio::test]
#[ignore = "needs a real Mesos and ZooKeeper; run by scripts/test"]
async fn a_zookeeper_url_finds_the_master_and_one_without_a_leader_says_so() {
    let cluster = Cluster::with(&["--agents", "1", "--zookeeper"]);
    assert!(cluster.master.contains("zk://"), "{}", cluster.master);
    let output = check(&cluster, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let nobody = cluster.master.replace("/mesos", "/nobody");
    let limit = "mesquite.mesos.registrationTimeout=2s";
    let output = check(&cluster, &["--master", &nobody, "--conf", limit]);
    let stderr = text(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(2),
        "--master is given twice: {stderr}"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(["check", "--master", &nobody, "--conf", limit])
        .output()
        .expect("mesquite can be started");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("has no /nobody"), "{stderr}");
}
