//! Tasks that end their executor, on a real Mesos, in both modes.

use crate::cluster::Cluster;
use crate::jobs::{Ended, Job};
use crate::run::{MODES, nothing_is_left};

/// A job whose one task does `how` to its executor, and one that did nothing.
fn poisoned(how: &str) -> Job {
    Job::new(&format!(
        "[dataset.bad]\nitems = ['x']\n[dataset.poison]\nfrom = 'bad'\npipe = '''{how}'''\n\
         [dataset.good]\nrange = {{ end = 40, partitions = 40 }}\n\
         [dataset.slow]\nfrom = 'good'\npipe = 'cat; sleep 0.1'\n\
         [[action]]\ncount = 'poison'\n[[action]]\ncount = 'slow'\n"
    ))
}

fn run(job: &Job, cluster: &Cluster, settings: &[&str]) -> Ended {
    let mut arguments = vec!["--master", &cluster.master, "--json"];
    arguments.extend(settings.iter().flat_map(|it| ["--conf", it]));
    job.run(&arguments)
}

/// The first job failed, after so many attempts, with all these words; the second one
/// did not.
fn only_the_poisoned_one_failed(ended: &Ended, attempts: u64, words: &[&str]) {
    let stderr = ended.stderr();
    assert_eq!(ended.code(), Some(1), "{stderr}");
    let summary = ended.summary();
    let [poisoned, innocent] = [&summary["jobs"][0], &summary["jobs"][1]];
    assert_eq!(poisoned["status"], "failed", "{stderr}");
    assert_eq!(poisoned["failed_attempts"], attempts, "{stderr}");
    let error = poisoned["error"].as_str().expect("an error");
    for part in words {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(innocent["status"], "succeeded", "{stderr}");
    let printed = &ended.results["stdout"];
    assert!(
        printed.iter().all(|it| it.ends_with(": 40")),
        "{printed:?} {stderr}"
    );
    assert_eq!(printed.len(), 1, "{stderr}");
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_task_that_kills_its_executor_fails_its_job_and_no_other() {
    for agents in ["1", "2"] {
        let cluster = Cluster::with(&[
            "--agents",
            agents,
            "--resources",
            "cpus:3;mem:3072",
            "--master-flag",
            "allocation_interval=200ms",
        ]);
        for (mode, coarse) in MODES {
            for exclusion in [false, true] {
                let settings = [
                    format!("spark.mesos.coarse={coarse}"),
                    format!("spark.excludeOnFailure.enabled={exclusion}"),
                    // With fewer cores nothing would run beside it.
                    "spark.executor.cores=2".to_owned(),
                ];
                let settings: Vec<_> = settings.iter().map(String::as_str).collect();
                let ended = run(&poisoned("kill -9 $PPID"), &cluster, &settings);
                let words = [
                    "Task 0 in stage",
                    "failed 4 times",
                    "killed by signal 9 (SIGKILL",
                ];
                only_the_poisoned_one_failed(&ended, 4, &words);
                let summary = ended.summary();
                let error = summary["jobs"][0]["error"].as_str().expect("an error");
                let (_, ran_on) = error.split_once("its attempts ran on").expect("where");
                let named =
                    |agent: &String| ran_on.contains(agent.split(':').next().expect("a host"));
                assert!(cluster.agents().iter().any(named), "{error}");
                assert_eq!(summary["mode"], mode);
                nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
            }
        }
    }
}

/// A cluster whose agent ends what takes more memory than it may; `None` where the
/// system has no such thing for us.
fn with_limits() -> Option<Cluster> {
    let first_version = std::fs::read_dir("/sys/fs/cgroup/memory").is_ok();
    if !first_version || !nix::unistd::geteuid().is_root() {
        #[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
        {
            eprintln!("NOT RUN HERE: limits of memory need root and cgroups of version 1");
        }
        return None;
    }
    Some(Cluster::with(&[
        "--agents",
        "1",
        "--resources",
        "cpus:2;mem:2048",
        "--master-flag",
        "allocation_interval=200ms",
        "--agent-flag",
        "launcher=linux",
        "--agent-flag",
        "isolation=cgroups/cpu,cgroups/mem",
    ]))
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn how_an_executor_ended_is_told_apart_where_its_agent_limits_it() {
    let Some(cluster) = with_limits() else {
        return;
    };
    // Such an agent takes a while until it says it: the connection is closed long before.
    for (how, words) in [
        (
            "head -c 2000000000 /dev/zero | tail",
            "it was out of memory and was ended by its agent (Memory limit exceeded",
        ),
        (
            "kill -9 $PPID; sleep 9",
            "it was killed by signal 9 (SIGKILL",
        ),
        (
            // The first one only takes the handler of Rust's runtime away.
            "kill -SEGV $PPID; sleep 0.1; kill -SEGV $PPID; sleep 9",
            "it crashed with signal 11 (SIGSEGV",
        ),
        (
            "kill -TERM $PPID; sleep 9",
            "told to end by signal 15 (SIGTERM)",
        ),
    ] {
        for (mode, coarse) in MODES {
            let coarse = format!("spark.mesos.coarse={coarse}");
            let settings = [
                &*coarse,
                "spark.executor.memory=300m",
                "spark.task.maxFailures=2",
            ];
            let ended = run(&poisoned(how), &cluster, &settings);
            only_the_poisoned_one_failed(&ended, 2, &["failed 2 times", words]);
            let summary = ended.summary();
            assert_eq!(summary["mode"], mode);
            nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn the_last_words_of_a_command_that_a_signal_ended_are_told() {
    let cluster = Cluster::with(&["--agents", "1"]);
    for (mode, coarse) in MODES {
        let coarse = format!("spark.mesos.coarse={coarse}");
        let settings = [&*coarse, "spark.task.maxFailures=2"];
        let ended = run(
            &poisoned("echo last words >&2; kill -SEGV $$"),
            &cluster,
            &settings,
        );
        let words = [
            "failed 2 times",
            "it crashed with signal 11 (SIGSEGV",
            "its stderr ends with: last words",
        ];
        only_the_poisoned_one_failed(&ended, 2, &words);
        assert_eq!(ended.summary()["mode"], mode);
    }
}
