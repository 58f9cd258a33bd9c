//! What others on the same real Mesos have of a run in coarse mode: cores that it has no use
//! for are theirs, and nothing is lost by it.

use std::fs;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::Job;
use crate::run::nothing_is_left;

/// The cores that the only framework holds.
async fn cores_held(cluster: &Cluster) -> Option<f64> {
    let state = cluster.get("/master/frameworks").await;
    let framework = state["frameworks"].as_array()?.first()?.clone();
    framework["used_resources"]["cpus"].as_f64()
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_long_tail_holds_one_executor_and_asks_for_nothing() {
    let cluster = Cluster::up(2);
    let job = Job::new(
        "[dataset.a]\nitems = ['0.1', '0.1', '0.1', '0.1', '0.1', '8']\n\
         [dataset.b]\nfrom = 'a'\npipe = 'read s; sleep $s; echo $s'\n\
         [[action]]\ncollect = 'b'\n",
    );
    let child = job.start(&["--master", &cluster.master, "--json"]);
    for cores in [4.0, 2.0] {
        eventually("it holds as much as it uses", async || {
            (cores_held(&cluster).await? == cores).then_some(())
        })
        .await;
    }
    let ended = job.ended(child.wait_with_output().expect("ended"));
    let ended = ended.succeeded();
    assert_eq!(ended.results["stdout"].len(), 6);
    let stderr = ended.stderr();
    assert!(
        stderr.contains("ends: it had nothing to do for 1"),
        "{stderr}"
    );
    let summary = ended.summary();
    assert_eq!(summary["jobs"][0]["attempts"], 6);
    nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
}

/// Four executors of one core on one agent have map outputs. While one reducer runs the
/// others go; its first attempt fails, and the next one reads all of the outputs again.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn outputs_of_executors_that_went_are_read_from_others_on_their_host() {
    let cluster = Cluster::with(&["--agents", "1", "--resources", "cpus:4;mem:2048"]);
    let job = Job::new(
        "[dataset.a]\nrange = { end = 800, partitions = 8 }\n\
         [dataset.m]\nfrom = 'a'\npipe = 'echo map >> $LOG; sleep 0.2; cat'\n\
         [dataset.s]\nfrom = 'm'\nrepartition = 1\n\
         [dataset.r]\nfrom = 's'\n\
         pipe = 'if [ $MESQUITE_ATTEMPT = 0 ]; then cat > /dev/null; sleep 5; exit 1; fi; cat'\n\
         [[action]]\ncount = 'r'\n",
    );
    let log = job.folder().join("log");
    let variable = format!("spark.executorEnv.LOG={}", log.display());
    let mut arguments = vec!["--master", &cluster.master, "--json", "--conf", &variable];
    for setting in [
        "spark.executor.cores=1",
        "spark.executor.memory=128m",
        "spark.mesos.executor.memoryOverhead=64m",
    ] {
        arguments.extend(["--conf", setting]);
    }
    let child = job.start(&arguments);
    for cores in [4.0, 1.0] {
        eventually("it holds as much as it uses", async || {
            (cores_held(&cluster).await? == cores).then_some(())
        })
        .await;
    }
    let ended = job.ended(child.wait_with_output().expect("ended"));
    let ended = ended.succeeded();
    assert_eq!(ended.results["stdout"], ["800"]);
    let maps = fs::read_to_string(log).expect("written");
    assert_eq!(maps.lines().count(), 8, "each map task ran once");
    let summary = ended.summary();
    assert_eq!(summary["jobs"][0]["failed_attempts"], Value::from(1));
    nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
}
