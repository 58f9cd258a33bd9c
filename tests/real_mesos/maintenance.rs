//! Agents that are wanted back while a job runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::Job;

/// Tells the master something.
async fn post(cluster: &Cluster, path: &str, body: &Value) {
    let authority = cluster.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).await.expect("connected");
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_agent_that_is_wanted_back_is_drained_and_given_up() {
    for coarse in ["true", "false"] {
        let cluster = Cluster::up(2);
        let folder = tempfile::tempdir().expect("a folder");
        let (log, go) = (folder.path().join("log"), folder.path().join("go"));
        // What runs ends when it is told to; then there is more to do.
        let job = Job::new(&format!(
            "[dataset.all]\nrange = {{ end = 40, partitions = 40 }}\n[dataset.done]\nfrom = 'all'\n\
             pipe = 'echo $PPID >> {}; while [ ! -e {} ]; do sleep 0.05; done; sleep 0.1; cat'\n\
             [[action]]\ncount = 'done'\n",
            log.display(),
            go.display()
        ));
        let coarse = format!("spark.mesos.coarse={coarse}");
        let small = "spark.executor.memory=300m";
        let arguments = ["--master", &cluster.master, "--json", "--conf", &coarse];
        let driver = job.start(&[&arguments[..], &["--conf", small]].concat());
        // Each agent has room for one executor; what they run tells who they are.
        eventually("both agents are in use", async || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            (text.lines().collect::<BTreeSet<_>>().len() >= 2).then_some(())
        })
        .await;
        let agent = cluster.get("/master/slaves").await["slaves"][0].take();
        let ip = agent["pid"].as_str().expect("a pid").rsplit('@').next();
        let ip = ip.and_then(|it| it.split(':').next()).expect("an address");
        let schedule = json!({ "windows": [{
            "machine_ids": [{ "hostname": agent["hostname"], "ip": ip }],
            "unavailability": { "start": { "nanoseconds": 1 } },
        }]});
        post(&cluster, "/maintenance/schedule", &schedule).await;
        // The offers of both agents are taken back, and one is asked for.
        eventually("the agent is asked for", async || {
            let status = cluster.get("/maintenance/status").await;
            let machine = status["draining_machines"].as_array()?.first()?.clone();
            let statuses = machine["statuses"].as_array()?;
            (!statuses.is_empty()).then_some(())
        })
        .await;
        std::fs::write(&go, "").expect("written");
        let ended = job.ended(driver.wait_with_output().expect("ended"));
        let ended = ended.succeeded();
        assert_eq!(ended.results["stdout"], ["40"]);
        assert_eq!(ended.summary()["jobs"][0]["failed_attempts"], 0);
        let stderr = ended.stderr();
        assert!(stderr.contains("its agent is wanted back"), "{stderr}");
    }
}
