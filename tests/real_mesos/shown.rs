//! What a master and its agents show to everybody of a run.

use std::fs;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::Job;

/// Texts that belong to a key `data`, which may carry what executors prove
/// themselves with.
fn data_in(shown: &Value) -> Vec<String> {
    match shown {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "data" => vec![text.clone()],
                other => data_in(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(data_in).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn nothing_by_which_an_executor_is_known_is_shown() {
    let cluster = Cluster::up(1);
    for coarse in ["true", "false"] {
        let job = Job::new(
            "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\n\
             pipe = 'cat; touch target/small/began; while [ ! -e target/small/go ]; do sleep 0.1; done'\n\
             [[action]]\ncollect = 'b'\n",
        );
        let conf = format!("spark.mesos.coarse={coarse}");
        let flags = job.folder().join("small");
        fs::create_dir(&flags).expect("made");
        let child = job.start(&["--master", &cluster.master, "--conf", &conf]);
        let began = flags.join("began");
        eventually("the task runs", async || began.exists().then_some(())).await;
        let mut shown = Vec::new();
        for page in ["/master/state", "/master/frameworks", "/master/tasks"] {
            shown.push((page.to_owned(), cluster.get(page).await));
        }
        for agent in cluster.agents() {
            for page in ["state", "containers"] {
                let page = format!("http://{agent}/{page}");
                let answer = crate::cluster::get(&page).await;
                shown.push((page, answer.expect("the agent answers JSON")));
            }
        }
        let all = shown.iter().map(|(_, it)| it.to_string());
        assert!(all.collect::<String>().contains("MESQUITE_EXECUTOR_ID"));
        for (page, shown) in shown {
            assert_eq!(data_in(&shown), [""; 0], "{page}");
            assert!(!shown.to_string().contains("SECRET"), "{page}");
        }
        fs::write(flags.join("go"), "").expect("written");
        let ended = child.wait_with_output().expect("ended");
        job.ended(ended).succeeded();
    }
}
