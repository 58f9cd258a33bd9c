//! Offers that are gone when they are answered, on a real Mesos, in both modes.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::Job;
use crate::run::{MODES, nothing_is_left};

/// How many offers are open to the frameworks that are there, if there are any.
async fn open_offers(cluster: &Cluster) -> Option<usize> {
    let state = cluster.get("/master/frameworks").await;
    let framework = state["frameworks"].as_array()?.first()?;
    framework["offers"].as_array().map(Vec::len)
}

async fn offers_are(cluster: &Cluster, wanted: impl Fn(usize) -> bool) {
    eventually("the master offers so much", async || {
        let open = open_offers(cluster).await?;
        wanted(open).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn offers_that_were_rescinded_before_they_were_answered_leave_no_task_behind() {
    let cluster = Cluster::with(&[
        "--agents",
        "1",
        "--master-flag",
        "agent_ping_timeout=1secs",
        "--master-flag",
        "max_agent_ping_timeouts=1",
        "--master-flag",
        "allocation_interval=200ms",
    ]);
    for (mode, coarse) in MODES {
        cluster.fault("kill", "agent1");
        eventually("the master misses the agent", async || {
            let metrics = cluster.get("/metrics/snapshot").await;
            (metrics["master/slaves_active"] == 0.0).then_some(())
        })
        .await;
        let job = Job::new(
            "[dataset.a]\nitems = [1, 2, 3]\n[dataset.b]\nfrom = 'a'\npipe = 'cat'\n\
             [[action]]\ncollect = 'b'\n",
        );
        let conf = format!("spark.mesos.coarse={coarse}");
        let arguments = ["--master", &cluster.master, "--json", "--conf", &conf];
        let child = job.start(&arguments);
        offers_are(&cluster, |open| open == 0).await;
        let driver = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        kill(driver, Signal::SIGSTOP).expect("stopped");
        // It reads of an offer, of its end, and of another one, all at once.
        cluster.fault("restart", "agent1");
        offers_are(&cluster, |open| open > 0).await;
        cluster.fault("kill", "agent1");
        offers_are(&cluster, |open| open == 0).await;
        cluster.fault("restart", "agent1");
        kill(driver, Signal::SIGCONT).expect("goes on");
        let ended = job
            .ended(child.wait_with_output().expect("ended"))
            .succeeded();
        assert_eq!(ended.results["stdout"], ["1", "2", "3"], "{mode}");
        let summary = ended.summary();
        assert_eq!(summary["mode"], mode);
        nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn launches_that_a_master_took_along_when_it_was_killed_are_made_good() {
    for (mode, coarse) in MODES {
        let cluster =
            Cluster::with(&["--agents", "1", "--master-flag", "allocation_interval=50ms"]);
        // Fine mode accepts an offer for each task, one after the other.
        let job = Job::new(
            "[dataset.a]\nrange = { end = 60, partitions = 60 }\n[dataset.b]\nfrom = 'a'\n\
             pipe = 'cat; sleep 0.1'\n[dataset.c]\nfrom = 'b'\ncount_by_key = { partitions = 1 }\n\
             [[action]]\ncount = 'c'\n",
        );
        let conf = format!("spark.mesos.coarse={coarse}");
        let arguments = ["--master", &cluster.master, "--json", "--conf", &conf];
        let child = job.start(&arguments);
        for tasks in [1, 10] {
            eventually("tasks are launched", async || {
                let state = cluster.get("/master/frameworks").await;
                let ours = state["frameworks"].as_array()?.first()?.clone();
                let count = |list: &str| ours[list].as_array().map_or(0, Vec::len);
                let launched = count("tasks") + count("completed_tasks");
                // Coarse mode launches nothing but its executor.
                (launched >= tasks || coarse == "true" && launched > 0).then_some(())
            })
            .await;
            cluster.fault("kill", "master");
            cluster.fault("restart", "master");
        }
        let ended = job
            .ended(child.wait_with_output().expect("ended"))
            .succeeded();
        assert_eq!(ended.results["stdout"], ["60"], "{mode}");
        let summary = ended.summary();
        nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
    }
}
