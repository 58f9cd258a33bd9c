//! Job files on a real Mesos, in both modes.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::{EXAMPLES, Job, saved, words_by_coreutils};

const MODES: [(&str, &str); 2] = [("coarse", "true"), ("fine", "false")];

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
async fn nothing_is_left(cluster: &Cluster, framework: &str) {
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
