//! The executor and its tasks on a real agent: what happens to them when
//! processes around them die.

use std::path::{Path, PathBuf};
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::{Ended, Job};

/// A job of one task: an item goes into `command`.
fn job(command: &str) -> Job {
    Job::new(&format!(
        "[dataset.one]\nitems = ['one']\n[dataset.done]\nfrom = 'one'\npipe = '''{command}'''\n\
         [[action]]\ncollect = 'done'\n"
    ))
}

/// The modes, as `spark.mesos.coarse` has them.
const MODES: [&str; 2] = ["true", "false"];

fn arguments(cluster: &Cluster, coarse: &str) -> Vec<String> {
    let coarse = format!("spark.mesos.coarse={coarse}");
    ["--master", &cluster.master, "--json", "--conf", &coarse]
        .map(str::to_owned)
        .to_vec()
}

fn start(job: &Job, cluster: &Cluster, coarse: &str) -> Child {
    let arguments = arguments(cluster, coarse);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    job.start(&arguments)
}

fn ended(job: &Job, child: Child) -> Ended {
    job.ended(child.wait_with_output().expect("ended"))
}

/// Runs a job to its end, in one mode.
fn run(job: &Job, cluster: &Cluster, coarse: &str) -> Ended {
    ended(job, start(job, cluster, coarse))
}

fn interrupt(child: &Child) {
    let driver = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(driver, Signal::SIGINT).expect("interrupted");
}

/// A file in a folder of its own, to which a task writes its process id.
fn pid_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pid");
    (folder, file)
}

/// What a task writes into a file, once it is there.
async fn written(path: &Path) -> String {
    let read = async || {
        let text = std::fs::read_to_string(path).ok()?;
        text.strip_suffix('\n').map(ToOwned::to_owned)
    };
    eventually("the task writes its file", read).await
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

async fn dies(pid: &str) {
    eventually("the task's process ends", async || {
        (!alive(pid)).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn every_attempt_of_fine_mode_is_a_mesos_task_with_its_end() {
    let cluster = Cluster::up(1);
    let job = job("test $MESQUITE_ATTEMPT = 1 || { echo no such luck >&2; exit 7; }; cat");
    let ended = run(&job, &cluster, "false").succeeded();
    assert_eq!(ended.results["stdout"], ["one"]);
    let state = cluster.get("/master/frameworks").await;
    let framework = &state["completed_frameworks"][0];
    assert_eq!(framework["tasks"], Value::Array(vec![]));
    let tasks = framework["completed_tasks"].as_array().expect("tasks");
    let mut states: Vec<_> = tasks.iter().filter_map(|it| it["state"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["TASK_FAILED", "TASK_FINISHED"]);
    // What the task said came back with its status.
    let stderr = ended.stderr();
    assert!(stderr.contains("no such luck"), "{stderr}");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_executor_shows_its_token_and_keeps_secrets_from_the_task() {
    let cluster = Cluster::with(&["--agents", "1", "--authenticate-executors"]);
    // Neither in its own environment nor in the executor's; what is not secret is found.
    // Mesos's own process around the executor has it in its environment, as root.
    let job = job(r#"{ env; cat /proc/$PPID/environ; } | tr "\0" "\n" > all; \
        grep -q ^MESQUITE_DRIVER= all && ! grep MESOS_EXECUTOR_AUTHENTICATION_TOKEN all; cat"#);
    for coarse in MODES {
        let ended = run(&job, &cluster, coarse).succeeded();
        assert_eq!(ended.results["stdout"], ["one"]);
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_executor_speaks_over_the_agents_unix_socket() {
    let cluster = Cluster::with(&[
        "--agents",
        "1",
        "--agent-flag",
        "http_executor_domain_sockets=true",
    ]);
    let job = job("test -S \"$MESOS_DOMAIN_SOCKET\" && cat");
    for coarse in MODES {
        let ended = run(&job, &cluster, coarse).succeeded();
        assert_eq!(ended.results["stdout"], ["one"]);
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_interruption_ends_a_task_that_ignores_signals() {
    let cluster = Cluster::up(1);
    for coarse in MODES {
        let (_folder, file) = pid_file();
        let job = job(&format!(
            "trap \"\" TERM INT; echo $$ > {}; while :; do sleep 1; done",
            file.display()
        ));
        let child = start(&job, &cluster, coarse);
        let pid = written(&file).await;
        interrupt(&child);
        let ended = ended(&job, child);
        assert_eq!(ended.code(), Some(130), "{}", ended.stderr());
        dies(&pid).await;
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn tasks_outlive_the_death_of_their_agent() {
    for coarse in MODES {
        let cluster = Cluster::up(1);
        let (folder, file) = pid_file();
        // It ends when it is told to, which is while no agent is there to hear it.
        let go = folder.path().join("go");
        let job = job(&format!(
            "echo $$ > {}; while [ ! -e {} ]; do sleep 0.05; done; cat",
            file.display(),
            go.display()
        ));
        let child = start(&job, &cluster, coarse);
        written(&file).await;
        cluster.fault("kill", "agent1");
        std::fs::write(&go, "").expect("written");
        cluster.fault("restart", "agent1");
        let ended = ended(&job, child).succeeded();
        assert_eq!(ended.summary()["jobs"][0]["attempts"], 1);
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_job_goes_on_when_its_master_dies_and_comes_back() {
    for coarse in MODES {
        let cluster = Cluster::up(1);
        let (folder, file) = pid_file();
        let go = folder.path().join("go");
        let job = Job::new(&format!(
            "[dataset.all]\nitems = [1, 2, 3, 4, 5]\n[dataset.done]\nfrom = 'all'\n\
             pipe = 'echo $$ > {}; while [ ! -e {} ]; do sleep 0.05; done; cat'\n\
             [[action]]\ncollect = 'done'\n",
            file.display(),
            go.display()
        ));
        let child = start(&job, &cluster, coarse);
        written(&file).await;
        cluster.fault("kill", "master");
        // What runs now ends without a master; what waits needs one.
        std::fs::write(&go, "").expect("written");
        cluster.fault("restart", "master");
        let ended = ended(&job, child).succeeded();
        assert_eq!(ended.results["stdout"], ["1", "2", "3", "4", "5"]);
        assert_eq!(ended.summary()["jobs"][0]["attempts"], 5, "{coarse}");
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn tasks_of_an_agent_that_disappears_run_elsewhere() {
    for coarse in MODES {
        let cluster = Cluster::with(&[
            "--agents",
            "2",
            "--master-flag",
            "agent_ping_timeout=1secs",
            "--master-flag",
            "max_agent_ping_timeouts=1",
        ]);
        let folder = tempfile::tempdir().expect("a folder");
        let (started, go) = (folder.path().join("started"), folder.path().join("go"));
        // Each agent has one; the second attempt of the one that is lost does
        // not wait.
        let job = Job::new(&format!(
            "[conf]\nspark.task.cpus = {}\n[dataset.all]\nitems = [1, 2]\n[dataset.done]\nfrom = 'all'\n\
             pipe = 'echo $MESQUITE_ATTEMPT >> {}; while [ $MESQUITE_ATTEMPT = 0 -a ! -e {} ]; do \
             sleep 0.05; done; cat'\n[[action]]\ncollect = 'done'\n",
            // Of two cores, fine mode's executor needs some for itself.
            if coarse == "true" { 2 } else { 1 },
            started.display(),
            go.display()
        ));
        let child = start(&job, &cluster, coarse);
        let lines = async |wanted: &str| {
            eventually("attempts start", async || {
                let text = std::fs::read_to_string(&started).ok()?;
                (text == wanted).then_some(())
            })
            .await;
        };
        lines("0\n0\n").await;
        cluster.fault("kill", "agent1");
        eventually("the master misses the agent", async || {
            let metrics = cluster.get("/metrics/snapshot").await;
            (metrics["master/slaves_unreachable"] == 1.0).then_some(())
        })
        .await;
        std::fs::write(&go, "").expect("written");
        let ended = ended(&job, child).succeeded();
        assert_eq!(ended.results["stdout"], ["1", "2"]);
        assert_eq!(ended.summary()["jobs"][0]["attempts"], 3, "{coarse}");
        cluster.fault("restart", "agent1");
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn executors_and_tasks_of_a_driver_that_is_killed_end_themselves() {
    let cluster = Cluster::up(1);
    for coarse in MODES {
        let (_folder, file) = pid_file();
        let job = job(&format!("echo $$ > {}; sleep 1000", file.display()));
        let mut child = start(&job, &cluster, coarse);
        let pid = written(&file).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        dies(&pid).await;
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_executor_whose_agent_stays_away_ends_itself_and_its_tasks() {
    for coarse in MODES {
        let cluster = Cluster::with(&["--agents", "1", "--agent-flag", "recovery_timeout=1secs"]);
        let (_folder, file) = pid_file();
        let job = job(&format!("echo $$ > {}; sleep 1000", file.display()));
        let child = start(&job, &cluster, coarse);
        let pid = written(&file).await;
        cluster.fault("kill", "agent1");
        dies(&pid).await;
        interrupt(&child);
        assert_eq!(ended(&job, child).code(), Some(130));
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_executor_that_is_killed_leaves_no_process_and_its_task_runs_again() {
    let cluster = Cluster::up(1);
    for coarse in MODES {
        let (_folder, file) = pid_file();
        let job = job(&format!(
            "if [ $MESQUITE_ATTEMPT = 0 ]; then echo $$ > {}; kill -9 $PPID; sleep 1000; fi; cat",
            file.display()
        ));
        let ended = run(&job, &cluster, coarse).succeeded();
        assert_eq!(ended.results["stdout"], ["one"]);
        assert_eq!(ended.summary()["jobs"][0]["attempts"], 2);
        dies(&written(&file).await).await;
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn an_executor_that_never_begins_is_told_and_does_not_count_against_its_tasks() {
    let cluster = Cluster::up(1);
    for coarse in MODES {
        let job = job("cat");
        let mut arguments = arguments(&cluster, coarse);
        // Nothing is there: the command fails at once, on every agent.
        let nowhere = "spark.mesos.executor.home=/nowhere".to_owned();
        // The first failure that counted would end the job.
        let strict = "spark.task.maxFailures=1".to_owned();
        arguments.extend(["--conf".to_owned(), nowhere, "--conf".to_owned(), strict]);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let child = job.start(&arguments);
        let completed = eventually("executors were tried twice", async || {
            let state = cluster.get("/master/frameworks").await;
            let ours = state["frameworks"].as_array()?.first()?.clone();
            let tasks = ours["completed_tasks"].as_array()?.len();
            (tasks >= 2).then_some(tasks)
        })
        .await;
        // Then the agent is left alone.
        assert_eq!(completed, 2);
        interrupt(&child);
        let ended = ended(&job, child);
        assert_eq!(ended.code(), Some(130), "{}", ended.stderr());
        let stderr = ended.stderr();
        assert!(
            [
                "is gone before it registered",
                "executor lost",
                "Executor terminated"
            ]
            .iter()
            .any(|words| stderr.contains(words)),
            "{coarse}: {stderr}"
        );
    }
}
