//! Offers that are gone when they are answered, and those that are of no use, on a real Mesos,
//! in both modes.

use mesquite::mesos::http::Http;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::{Cluster, get, http_config};
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

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn why_an_agent_is_of_no_use_is_shown_while_tasks_wait() {
    let cluster = Cluster::up(1);
    for (mode, coarse) in MODES {
        let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\n");
        let logs = job.folder().join("logs");
        std::fs::create_dir(&logs).expect("made");
        let conf = [
            "spark.ui.enabled=true".to_owned(),
            "spark.ui.port=0".to_owned(),
            format!("spark.mesos.coarse={coarse}"),
            // No agent is that large, and none has the attribute.
            "spark.executor.memory=4t".to_owned(),
            "spark.mesos.constraints=no-such-attribute:x".to_owned(),
            "spark.starvation.timeout=1s".to_owned(),
            "spark.eventLog.enabled=true".to_owned(),
            format!("spark.eventLog.dir={}", logs.display()),
        ];
        let mut arguments = vec!["--master", &cluster.master];
        arguments.extend(conf.iter().flat_map(|it| ["--conf", it]));
        let child = job.start(&arguments);
        let page = eventually("the framework is there", async || {
            let state = cluster.get("/master/state").await;
            let framework = state["frameworks"].get(0)?.clone();
            framework["webui_url"].as_str().map(str::to_owned)
        })
        .await;
        let offers = format!("{page}/api/mesquite/v1/offers");
        let offers = eventually("an offer is declined", async || {
            get(&offers)
                .await
                .filter(|it| it["declined"].as_u64() > Some(0))
        })
        .await;
        let agent = &offers["agents"][0];
        assert_eq!(agent["last"], "declined", "{mode}: {offers}");
        assert_eq!(offers["accepted"], 0, "{mode}: {offers}");
        assert!(agent["cpus"].as_f64() > Some(0.0), "{mode}: {offers}");
        let reasons = agent["reasons"].to_string();
        let unmet = "attribute no-such-attribute is missing, must be x";
        assert!(reasons.contains(unmet), "{mode}: {offers}");
        assert!(reasons.contains("MiB of mem needed"), "{mode}: {offers}");
        let http = Http::new(http_config()).expect("good settings");
        let waiting = http.get(&format!("{page}/waiting/")).await.expect("a page");
        let waiting = String::from_utf8_lossy(&waiting).into_owned();
        assert!(
            waiting.contains(&format!("no use: {unmet}")),
            "{mode}: {waiting}"
        );
        // What people are told in the terminal is on the page too.
        let host = agent["host"].as_str().expect("a host").to_owned();
        let told = format!("no use on {host}: {unmet}");
        eventually("it is told why nothing runs", async || {
            let waiting = http.get(&format!("{page}/waiting/")).await.ok()?;
            String::from_utf8_lossy(&waiting)
                .contains(&told)
                .then_some(())
        })
        .await;
        let driver = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        kill(driver, Signal::SIGINT).expect("interrupted");
        let ended = job.ended(child.wait_with_output().expect("ended"));
        let stderr = String::from_utf8_lossy(&ended.output.stderr).into_owned();
        assert!(stderr.contains(&told), "{mode}: {stderr}");
        let log = std::fs::read_dir(&logs).expect("a folder").next();
        let log = log.expect("a log").expect("a log").path();
        let log = std::fs::read_to_string(log).expect("text");
        let lines = log.lines().filter(|it| it.contains("\"mesquite.Offers\""));
        assert!(lines.clone().any(|it| it.contains(unmet)), "{mode}: {log}");
    }
}
