//! Job files on a real Mesos, in both modes.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::{EXAMPLES, Job, saved, words_by_coreutils};

pub const MODES: [(&str, &str); 2] = [("coarse", "true"), ("fine", "false")];

fn arguments<'a>(cluster: &'a Cluster, coarse: &'a str) -> [String; 5] {
    [
        "--master".into(),
        cluster.master.clone(),
        "--conf".into(),
        format!("spark.mesos.coarse={coarse}"),
        "--json".into(),
    ]
}

/// Waits until nothing of ours is left: no framework, no executor process.
pub async fn nothing_is_left(cluster: &Cluster, framework: &str) {
    let state = cluster.get("/master/frameworks").await;
    assert_eq!(state["frameworks"], Value::Array(vec![]));
    eventually("no executor is left", async || {
        let processes = std::fs::read_dir("/proc").ok()?.flatten();
        let ours = processes.filter(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let text = String::from_utf8_lossy(&environment);
            text.contains(&format!("MESOS_FRAMEWORK_ID={framework}"))
        });
        (ours.count() == 0).then_some(())
    })
    .await;
}

/// Copies run on other hosts than what they are copies of.
#[test]
#[ignore = "needs a real Mesos"]
fn a_copy_of_a_slow_attempt_brings_the_result_and_nothing_counts_as_failed() {
    let cluster = Cluster::up(2);
    for (mode, coarse) in MODES {
        // The first attempt at one task would take for ever; its copy does not.
        let job = Job::new(
            "[dataset.a]\nitems = [1, 2, 3, 4]\n[dataset.b]\nfrom = 'a'\n\
             pipe = 'x=$(cat); echo $x; if test $x = 4 && mkdir target/small; then exec sleep 100; fi'\n\
             [[action]]\ncollect = 'b'\n",
        );
        let mut arguments = arguments(&cluster, coarse).to_vec();
        for setting in [
            "spark.speculation=true",
            "spark.speculation.minTaskRuntime=10ms",
        ] {
            arguments.extend(["--conf".into(), setting.into()]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = job.run(&arguments).succeeded();
        assert_eq!(ended.results["stdout"], ["1", "2", "3", "4"], "{mode}");
        let summary = ended.summary();
        assert!(summary["seconds"].as_f64().expect("a number") < 90.0);
        let job = &summary["jobs"][0];
        let counted = ["tasks", "attempts", "failed_attempts"].map(|it| job[it].as_u64());
        let wanted = [Some(4), Some(5), Some(0)];
        assert_eq!(counted, wanted, "{mode}: {}", ended.stderr());
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn every_example_gives_in_both_modes_what_threads_give() {
    let cluster = Cluster::up(2);
    for example in EXAMPLES {
        let threads = Job::example(example)
            .run(&["--master", "local[2]"])
            .succeeded();
        for (mode, coarse) in MODES {
            let arguments = arguments(&cluster, coarse);
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let ended = Job::example(example).run(&arguments).succeeded();
            assert_eq!(ended.summary()["mode"], mode);
            assert_eq!(ended.results, threads.results, "{example} {mode}");
            let framework = ended.summary()["app_id"]
                .as_str()
                .expect("an id")
                .to_owned();
            nothing_is_left(&cluster, &framework).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn an_executor_killed_in_the_middle_of_the_word_count_changes_nothing() {
    let cluster = Cluster::up(2);
    for (mode, coarse) in MODES {
        let arguments = arguments(&cluster, coarse);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let job = Job::example("wordcount");
        let child = job.start(&arguments);
        let victim = eventually("an executor runs", async || {
            let processes = std::fs::read_dir("/proc").ok()?.flatten();
            processes
                .filter_map(|entry| {
                    let id: i32 = entry.file_name().to_string_lossy().parse().ok()?;
                    let environment = std::fs::read(entry.path().join("environ")).ok()?;
                    let command = std::fs::read(entry.path().join("cmdline")).ok()?;
                    let environment = String::from_utf8_lossy(&environment);
                    // Registered with the driver of this test, and no shell before it.
                    let of_ours = environment.contains("MESQUITE_EXECUTOR_ID=")
                        && environment
                            .contains(&format!("MESOS_AGENT_ENDPOINT={}", agent_of(&cluster)));
                    let is_it = String::from_utf8_lossy(&command).ends_with("mesquite\0executor\0");
                    (of_ours && is_it).then_some(id)
                })
                .min()
        })
        .await;
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(victim),
            nix::sys::signal::Signal::SIGKILL,
        );
        let ended = job
            .ended(child.wait_with_output().expect("ended"))
            .succeeded();
        assert_eq!(
            saved(&ended.results, "wordcount"),
            words_by_coreutils(),
            "{mode}"
        );
    }
}

/// The address of the first agent.
fn agent_of(cluster: &Cluster) -> String {
    cluster.agents().first().expect("an agent").clone()
}

/// Actions come in their order, and a limit takes waves of tasks: the rest of the
/// partitions is never asked for.
#[test]
#[ignore = "needs a real Mesos"]
fn actions_come_in_their_order_and_a_limit_takes_no_more_tasks_than_it_needs() {
    let cluster = Cluster::up(2);
    for (mode, coarse) in MODES {
        let job = Job::new(
            "[params]\nlast = 'none'\n[dataset.n]\nrange = { end = 40, partitions = 40 }\n\
             [dataset.late]\nfrom = 'n'\nfilter = '^${last}$'\n\
             [[action]]\nname = 'found'\ncollect = 'late'\nlimit = 1\nafter = ['stored']\n\
             [[action]]\nname = 'stored'\nsave = 'n'\nto = 'target/examples/n'\n\
             [[action]]\nname = 'one'\ncollect = 'n'\nlimit = 1\n",
        );
        let mut arguments = arguments(&cluster, coarse).to_vec();
        arguments.extend(["--set".into(), "last=7".into()]);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = job.run(&arguments).succeeded();
        let stdout = String::from_utf8_lossy(&ended.output.stdout);
        assert!(
            stdout.starts_with("found:\n7\none:\n0\n{"),
            "{mode}: {stdout}"
        );
        assert_eq!(saved(&ended.results, "n").len(), 40, "{mode}");
        let summary = ended.summary();
        let jobs = summary["jobs"].as_array().expect("jobs").iter();
        let tasks: Vec<_> = jobs
            .map(|it| (it["name"].as_str().expect("a name"), it["tasks"].as_u64()))
            .collect();
        for wanted in [("found", 25), ("stored", 40), ("one", 1)] {
            let wanted = (wanted.0, Some(wanted.1));
            assert!(
                tasks.contains(&wanted),
                "{mode}: {wanted:?} is not in {tasks:?}"
            );
        }
    }
}

/// What an executor's command says of the executor: where it finds the driver, and on which
/// ports (in hexadecimal) it listens.
const LISTENING: &str = r#"
[dataset.a]
range = { end = 2, partitions = 2 }
[dataset.b]
from = 'a'
pipe = '''
cat > /dev/null
tr '\0' '\n' < /proc/$PPID/environ | sed -n 's/^MESQUITE_DRIVER=.*:/driver /p'
for i in $(ls -l /proc/$PPID/fd | sed -n 's/.*socket:\[\([0-9]*\)\].*/\1/p'); do
    awk -v i=$i '$10 == i && $4 == "0A" { split($2, at, ":"); print "blocks " at[2] }' /proc/net/tcp
done
sleep 1
'''
[[action]]
collect = 'b'
"#;

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn driver_and_executors_listen_on_the_ports_that_are_wanted() {
    let cluster = Cluster::up(1);
    let some_port = || {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        free.local_addr().expect("bound").port().min(65_000)
    };
    for (_, coarse) in MODES {
        let job = Job::new(LISTENING);
        let (driver, blocks) = (some_port(), some_port());
        let conf = [
            "spark.executor.cores=1".to_owned(),
            "spark.executor.memory=100m".to_owned(),
            format!("spark.driver.port={driver}"),
            format!("spark.blockManager.port={blocks}"),
            "spark.driver.bindAddress=0.0.0.0".to_owned(),
        ];
        let mut arguments = arguments(&cluster, coarse).to_vec();
        arguments.extend(conf.into_iter().flat_map(|it| ["--conf".to_owned(), it]));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = job.run(&arguments).succeeded();
        let said = &ended.results["stdout"];
        let ports = |of: &str, radix| {
            let ports = said.iter().filter_map(|it| it.strip_prefix(of));
            let ports = ports.map(|it| u16::from_str_radix(it, radix).expect("a port"));
            ports.collect::<Vec<_>>()
        };
        let is_near = |port: u16, wanted: u16| (wanted..=wanted + 16).contains(&port);
        let drivers = ports("driver ", 10);
        assert!(
            drivers.len() == 2 && drivers.iter().all(|it| is_near(*it, driver)),
            "{said:?}"
        );
        let executors = ports("blocks ", 16);
        assert!(
            executors.len() == 2 && executors.iter().all(|it| is_near(*it, blocks)),
            "{said:?}"
        );
        // Two executors of one host have two ports.
        assert_eq!(executors[0] != executors[1], coarse == "true", "{said:?}");
    }
}

/// The input lies on an agent of rack `a` that has one core, and there is more to do than that:
/// what does not find room there goes to the other agent of the rack and not to that of rack `b`.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn tasks_stay_in_the_rack_of_their_input() {
    let cluster = Cluster::with(&[
        "--agents",
        "3",
        "--resources",
        "cpus:1.1;mem:1024",
        "--attributes",
        "row:1;rack:a",
        "--attributes",
        "row:2;rack:a",
        "--attributes",
        "row:3;rack:b",
    ]);
    let agents = cluster.agents();
    let near = agents[0].split(':').next().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let texts = ["one", "two", "six"].map(|name| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).expect("written");
        format!("{{ path = '{}', hosts = ['{near}'] }}", path.display())
    });
    let texts = texts.join(", ");
    for (_, coarse) in MODES {
        // All three executors are there when the first of the tasks with a place is.
        let job = Job::new(&format!(
            "[dataset.a]\nitems = [1, 2, 3]\n[dataset.b]\nfrom = 'a'\npipe = 'cat; sleep 2'\n\
             [[action]]\ncount = 'b'\n\
             [dataset.c]\ntext = [{texts}]\n\
             [dataset.d]\nfrom = 'c'\npipe = 'cat; sleep 1'\n[[action]]\ncollect = 'd'\n"
        ));
        let logs = job.folder().join("logs");
        std::fs::create_dir(&logs).expect("made");
        let conf = [
            "spark.executor.memory=100m".to_owned(),
            "spark.executor.cores=1".to_owned(),
            "mesquite.locality.rack.attribute=rack".to_owned(),
            "spark.locality.wait.node=0".to_owned(),
            "spark.locality.wait.rack=60s".to_owned(),
            "spark.eventLog.enabled=true".to_owned(),
            format!("spark.eventLog.dir={}", logs.display()),
        ];
        let mut arguments = arguments(&cluster, coarse).to_vec();
        arguments.extend(conf.into_iter().flat_map(|it| ["--conf".to_owned(), it]));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        job.run(&arguments).succeeded();
        let log = std::fs::read_dir(&logs).expect("a folder").next();
        let log = log.expect("a log").expect("an entry").path();
        let log = std::fs::read_to_string(log).expect("readable");
        let ends = log.lines().filter(|it| it.contains("TaskEnd"));
        let ends = ends.map(|it| serde_json::from_str::<Value>(it).expect("JSON"));
        let placed: Vec<_> = ends.map(|it| it["Task Info"].clone()).collect();
        let at = |level: &str| {
            let found = placed.iter().filter(|it| it["Locality"] == level);
            found
                .map(|it| it["Host"].as_str().expect("a host"))
                .collect::<Vec<_>>()
        };
        let of_rack = at("RACK_LOCAL");
        let other = agents[1].split(':').next().expect("an address");
        assert!(
            !of_rack.is_empty() && of_rack.iter().all(|it| *it == other),
            "{placed:?}"
        );
        assert_eq!(at("NODE_LOCAL").len() + of_rack.len(), 3, "{placed:?}");
        assert!(at("NODE_LOCAL").iter().all(|it| *it == near), "{placed:?}");
    }
}
