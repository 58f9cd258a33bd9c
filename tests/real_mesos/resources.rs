//! Resources with names of a real Mesos: sets, and amounts that Mesos counts without telling
//! one from the other. Tasks write down what they were given, when they began and when they
//! ended; no two on an agent may have had the same at a time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use mesquite::clock::SystemClock;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::{Ended, Job};
use crate::run::nothing_is_left;

/// Two agents, each with three items of `fpga` and as many `tpu` that have no names. Which
/// agent it was is known by the item.
const AGENTS: [&str; 6] = [
    "--agents",
    "2",
    "--resources",
    "cpus:4;mem:2048;fpga:{a,b,c};tpu:3",
    "--resources",
    "cpus:4;mem:2048;fpga:{x,y,z};tpu:3",
];

/// What a task had, from when to when.
struct Had {
    fpga: String,
    tpu: String,
    from: u128,
    to: u128,
}

impl Had {
    fn agent(&self) -> &'static str {
        let first = ["a", "b", "c"].iter().any(|it| self.fpga.starts_with(it));
        if first { "agent1" } else { "agent2" }
    }
}

/// Twenty tasks that each write down what they have, with these settings.
fn run(cluster: &Cluster, settings: &[&str]) -> (Vec<Had>, Ended) {
    let job = Job::new(
        "[dataset.a]\nrange = { end = 20, partitions = 20 }\n\
         [dataset.b]\nfrom = 'a'\n\
         pipe = 'from=$(date +%s%N); sleep 0.2; \
         echo $MESQUITE_RESOURCE_FPGA $MESQUITE_RESOURCE_TPU $from $(date +%s%N)'\n\
         [[action]]\ncollect = 'b'\n",
    );
    let mut arguments = vec!["--master", &cluster.master, "--json"];
    for setting in [
        "spark.executor.memory=128m",
        "spark.mesos.executor.memoryOverhead=64m",
    ]
    .iter()
    .chain(settings)
    {
        arguments.extend(["--conf", setting]);
    }
    let ended = job.run(&arguments).succeeded();
    let lines = &ended.results["stdout"];
    let had = |line: &String| {
        let words: Vec<_> = line.split(' ').collect();
        let [fpga, tpu, from, to] = words[..] else {
            panic!("a task was not told what it has: {line}");
        };
        Had {
            fpga: fpga.to_owned(),
            tpu: tpu.to_owned(),
            from: from.parse().expect("a time"),
            to: to.parse().expect("a time"),
        }
    };
    let all: Vec<_> = lines.iter().map(had).collect();
    assert_eq!(all.len(), 20);
    (all, ended)
}

/// The most tasks that had the same at a time, and the most at all.
fn most_at_once<K: Ord>(all: &[Had], key: impl Fn(&Had) -> K) -> (usize, usize) {
    let at = |time: u128| all.iter().filter(move |it| it.from <= time && time < it.to);
    let same = |time| {
        let mut counts: BTreeMap<K, usize> = BTreeMap::new();
        for it in at(time) {
            *counts.entry(key(it)).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    };
    // It is only where one begins that there are more.
    let same = all.iter().map(|it| same(it.from)).max();
    let most = all.iter().map(|it| at(it.from).count()).max();
    (same.unwrap_or(0), most.unwrap_or(0))
}

fn check(all: &[Had], sharing: usize) {
    let (same, most) = most_at_once(all, |it| it.fpga.clone());
    assert_eq!(same, sharing, "tasks on an item at a time");
    assert!(
        most > 3,
        "{most} tasks at once are no more than on one agent"
    );
    let (same, _) = most_at_once(all, |it| (it.agent(), it.tpu.clone()));
    assert_eq!(same, sharing, "tasks on a unit at a time");
    for it in all {
        assert!(["0", "1", "2"].contains(&&*it.tpu), "{}", it.tpu);
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn no_two_tasks_have_the_same_at_a_time_in_any_mode() {
    let cluster = Cluster::with(&AGENTS);
    let tasks = [
        "spark.task.resource.fpga.amount=1",
        "spark.task.resource.tpu.amount=1",
    ];
    for (mode, sharing) in [
        // Several executors on an agent, each with one.
        (
            &[
                "spark.executor.cores=1",
                "spark.executor.resource.fpga.amount=1",
                "spark.executor.resource.tpu.amount=1",
            ][..],
            1,
        ),
        // One on each agent, with all.
        (
            &[
                "spark.executor.cores=4",
                "spark.executor.resource.fpga.amount=3",
                "spark.executor.resource.tpu.amount=3",
            ],
            1,
        ),
        // The same, two tasks on each.
        (
            &[
                "spark.executor.cores=4",
                "spark.executor.resource.fpga.amount=2",
                "spark.executor.resource.tpu.amount=2",
                "spark.task.resource.fpga.amount=0.5",
                "spark.task.resource.tpu.amount=0.5",
            ],
            2,
        ),
        (&["spark.mesos.coarse=false"], 1),
    ] {
        let (all, ended) = run(&cluster, &[&tasks[..], mode].concat());
        check(&all, sharing);
        let id = ended.summary()["app_id"].clone();
        nothing_is_left(&cluster, id.as_str().expect("an id")).await;
    }
}

/// What no agent has is told by a run that waits for it, within seconds.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn what_no_agent_has_is_told_within_seconds_and_by_whom() {
    let cluster = Cluster::with(&AGENTS);
    let job = |needs| {
        let source = "[dataset.a]\nrange = { end = 1 }\n";
        Job::new(&format!("{source}{needs}\n[[action]]\ncount = 'a'\n"))
    };
    for (mode, needs) in [
        (&["spark.executor.resource.fpga.amount=4"][..], ""),
        (
            &[
                "spark.mesos.coarse=false",
                "spark.task.resource.fpga.amount=4",
            ],
            "",
        ),
        (&["spark.mesos.coarse=false"], "resources = { fpga = 4 }"),
    ] {
        let job = job(needs);
        let mut arguments = vec!["--master", &cluster.master];
        for setting in mode {
            arguments.extend(["--conf", setting]);
        }
        let clock = SystemClock::start();
        let mut child = job.start(&arguments);
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let told = stderr
            .lines()
            .map_while(Result::ok)
            .find(|it| it.contains("no agent has what is asked for"));
        let told = told.expect("it is told while it waits");
        let took = clock.now().since_start();
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(told.contains("4 fpga needed, 3 available"), "{told}");
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
}

/// GPUs are offered to those alone who say that they use them; `mesquite check` says what it
/// finds of what it is asked for.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn gpus_are_asked_for_and_told() {
    let cluster = Cluster::with(&["--resources", "cpus:2;mem:2048;gpus:2"]);
    let job = Job::new(
        "[dataset.a]\nrange = { end = 4, partitions = 4 }\n\
         [dataset.b]\nfrom = 'a'\npipe = 'sleep 0.1; echo $CUDA_VISIBLE_DEVICES'\n\
         [[action]]\ncollect = 'b'\n",
    );
    let settings = [
        "spark.executor.memory=128m",
        "spark.executor.resource.gpu.amount=2",
        "spark.task.resource.gpu.amount=1",
        "spark.mesos.gpus.max=2",
    ];
    for mode in ["spark.mesos.coarse=true", "spark.mesos.coarse=false"] {
        let mut arguments = vec!["--master", &cluster.master, "--json"];
        for setting in settings.iter().chain([&mode]) {
            arguments.extend(["--conf", setting]);
        }
        let ended = job.run(&arguments).succeeded();
        for it in &ended.results["stdout"] {
            assert!(["0", "1"].contains(&&**it), "{it}");
        }
        let id = ended.summary()["app_id"].clone();
        nothing_is_left(&cluster, id.as_str().expect("an id")).await;
    }
}

/// Some datasets need what the others do not, and cores of their own.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn datasets_have_needs_of_their_own() {
    let cluster = Cluster::with(&AGENTS);
    let job = Job::new(
        "[dataset.a]\nrange = { end = 6, partitions = 6 }\n\
         [dataset.b]\nfrom = 'a'\npipe = 'sleep 0.1; echo b $MESQUITE_RESOURCE_FPGA'\n\
         resources = { fpga = 2, cpus = 2 }\n\
         [dataset.c]\nfrom = 'b'\nrepartition = 2\n\
         [dataset.d]\nfrom = 'c'\npipe = 'cat; echo c $MESQUITE_RESOURCE_FPGA'\n\
         [[action]]\ncollect = 'd'\n",
    );
    for mode in [
        &["spark.executor.resource.fpga.amount=2"][..],
        &["spark.mesos.coarse=false"],
    ] {
        let mut arguments = vec!["--master", &cluster.master, "--json"];
        for setting in ["spark.executor.memory=128m"].iter().chain(mode) {
            arguments.extend(["--conf", setting]);
        }
        let ended = job.run(&arguments).succeeded();
        let lines = &ended.results["stdout"];
        let of_b: Vec<_> = lines.iter().filter(|it| it.starts_with("b ")).collect();
        assert_eq!(of_b.len(), 6);
        for it in of_b {
            let pair = it[2..].split(',').count();
            assert_eq!(pair, 2, "{it}");
        }
        assert_eq!(lines.iter().filter(|it| *it == "c").count(), 2, "{lines:?}");
        let id = ended.summary()["app_id"].clone();
        nothing_is_left(&cluster, id.as_str().expect("an id")).await;
    }
}

/// What goes with its agent is told, and the tasks go on with what other agents have.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn what_vanishes_with_its_agent_is_done_with_that_of_others() {
    let quick = [
        "--master-flag",
        "agent_ping_timeout=1secs",
        "--master-flag",
        "max_agent_ping_timeouts=2",
    ];
    for mode in [
        &[
            "spark.executor.cores=1",
            "spark.executor.resource.fpga.amount=1",
        ][..],
        &["spark.mesos.coarse=false"],
    ] {
        let cluster = Cluster::with(&[&AGENTS[..], &quick].concat());
        let job = Job::new(
            "[dataset.a]\nrange = { end = 8, partitions = 8 }\n\
             [dataset.b]\nfrom = 'a'\npipe = '''\n\
             echo $MESQUITE_RESOURCE_FPGA >> $LOG\n\
             case $MESQUITE_RESOURCE_FPGA in a|b|c) sleep 60;; *) sleep 0.3;; esac\n\
             echo $MESQUITE_RESOURCE_FPGA'''\n\
             [[action]]\ncollect = 'b'\n",
        );
        let log = job.folder().join("log");
        let variable = format!("spark.executorEnv.LOG={}", log.display());
        let mut arguments = vec!["--master", &cluster.master, "--json", "--conf", &variable];
        let settings = [
            "spark.executor.memory=128m",
            "spark.mesos.executor.memoryOverhead=64m",
            "spark.task.resource.fpga.amount=1",
        ];
        for setting in settings.iter().chain(mode) {
            arguments.extend(["--conf", setting]);
        }
        let child = job.start(&arguments);
        let begun = || std::fs::read_to_string(&log).unwrap_or_default();
        eventually("the first agent has tasks", async || {
            begun().lines().any(|it| "abc".contains(it)).then_some(())
        })
        .await;
        cluster.fault("kill", "agent1");
        let ended = job.ended(child.wait_with_output().expect("ended"));
        let ended = ended.succeeded();
        let lines = &ended.results["stdout"];
        assert_eq!(lines.len(), 8);
        assert!(lines.iter().all(|it| "xyz".contains(&**it)), "{lines:?}");
    }
}
