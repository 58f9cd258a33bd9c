//! What a master and its agents show to everybody of a run, and what its own pages show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use mesquite::mesos::http::Http;

use crate::cluster::{Cluster, get, http_config};
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

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn a_task_is_seen_to_run_and_to_end_on_the_page_that_the_master_links_to() {
    let cluster = Cluster::up(1);
    let job = Job::new(
        "[dataset.a]\nitems = [1]\n[dataset.first]\nfrom = 'a'\n\
         pipe = 'while [ ! -e target/small/first ]; do sleep 0.1; done; cat'\n\
         [dataset.second]\nfrom = 'a'\n\
         pipe = 'while [ ! -e target/small/second ]; do sleep 0.1; done; cat'\n\
         [[action]]\nname = 'one'\ncount = 'first'\n[[action]]\ncount = 'second'\nafter = ['one']\n",
    );
    let flags = job.folder().join("small");
    fs::create_dir(&flags).expect("made");
    let pages = [
        "spark.ui.enabled=true",
        "spark.ui.port=0",
        "spark.mesos.coarse=true",
    ];
    let mut arguments = vec!["--master", &cluster.master];
    arguments.extend(pages.iter().flat_map(|it| ["--conf", it]));
    let child = job.start(&arguments);
    let framework = eventually("the framework is there", async || {
        let state = cluster.get("/master/state").await;
        let framework = state["frameworks"].get(0)?.clone();
        framework["id"].is_string().then_some(framework)
    })
    .await;
    let page = framework["webui_url"].as_str().expect("a link");
    assert!(page.starts_with("http://127.0.0.1:"), "{page}");
    let all = format!("{page}/api/v1/applications");
    let all = eventually("the application is there", async || {
        get(&all).await.filter(|it| it[0]["id"].is_string())
    })
    .await;
    assert_eq!(all[0]["id"], framework["id"]);
    assert_eq!(all[0]["attempts"][0]["completed"], false);
    let of = format!(
        "{page}/api/v1/applications/{}",
        all[0]["id"].as_str().expect("an id")
    );
    let active = format!("{of}/stages?status=active");
    let stages = eventually("the task runs", async || {
        get(&active).await.filter(|it| it[0]["numActiveTasks"] == 1)
    })
    .await;
    assert_eq!(stages[0]["name"], "first", "{stages}");
    let http = Http::new(http_config()).expect("good settings");
    let overview = http.get(&format!("{page}/")).await.expect("a page");
    let overview = String::from_utf8_lossy(&overview).into_owned();
    assert!(overview.contains("1 task running now"), "{overview}");
    fs::write(flags.join("first"), "").expect("written");
    let done = format!("{of}/jobs?status=succeeded");
    let jobs = eventually("the task ends", async || {
        get(&done)
            .await
            .filter(|it| it[0]["numCompletedTasks"] == 1)
    })
    .await;
    assert_eq!(jobs[0]["jobId"], 0, "{jobs}");
    fs::write(flags.join("second"), "").expect("written");
    let ended = child.wait_with_output().expect("ended");
    job.ended(ended).succeeded();
}

/// Below a folder, the files of that name.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path(), name),
        Ok(kind) if kind.is_file() && entry.file_name() == name => vec![entry.path()],
        _ => Vec::new(),
    });
    found.collect()
}

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn what_commands_write_is_read_from_their_executor_and_stays_in_its_sandbox() {
    let cluster = Cluster::up(1);
    for coarse in ["true", "false"] {
        let job = Job::new(
            "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\n\
             pipe = 'echo \"so <b>far\" >&2; while [ ! -e target/small/go ]; do sleep 0.1; done; cat'\n\
             [[action]]\ncount = 'b'\n",
        );
        let flags = job.folder().join("small");
        fs::create_dir(&flags).expect("made");
        let coarse = format!("spark.mesos.coarse={coarse}");
        let pages = ["spark.ui.enabled=true", "spark.ui.port=0", &coarse];
        let mut arguments = vec!["--master", &cluster.master];
        arguments.extend(pages.iter().flat_map(|it| ["--conf", it]));
        let child = job.start(&arguments);
        let framework = eventually("the framework is there", async || {
            let state = cluster.get("/master/state").await;
            let framework = state["frameworks"].get(0)?.clone();
            framework["webui_url"].is_string().then_some(framework)
        })
        .await;
        let page = framework["webui_url"].as_str().expect("a link");
        let app = framework["id"].as_str().expect("an id");
        let log = format!("{page}/api/mesquite/v1/logs/0.0");
        let http = Http::new(http_config()).expect("good settings");
        eventually("what it has written is read", async || {
            let log = http.get(&log).await.ok()?;
            (log == "so <b>far\n").then_some(())
        })
        .await;
        let told = tokio::process::Command::new(env!("CARGO_BIN_EXE_mesquite"))
            .args(["logs", app, "0.0", "--url", page])
            .output();
        let told = told.await.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&told.stderr);
        assert_eq!(told.stdout, b"so <b>far\n", "{coarse}: {stderr}");
        fs::write(flags.join("go"), "").expect("written");
        let ended = child.wait_with_output().expect("ended");
        job.ended(ended).succeeded();
        let name = "stage-0.0-partition-0-attempt-0.stderr";
        let left = files(cluster.folder(), name);
        let of_this = left.iter().filter(|it| it.to_string_lossy().contains(app));
        let texts: BTreeSet<_> = of_this.map(|it| fs::read(it).expect("readable")).collect();
        assert_eq!(texts, BTreeSet::from([b"so <b>far\n".to_vec()]), "{left:?}");
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos"]
async fn links_to_sandboxes_lead_to_what_executors_have_written() {
    let cluster = Cluster::up(1);
    let master = cluster.master.replacen("mesos://", "http://", 1);
    let http = Http::new(http_config()).expect("good settings");
    for coarse in ["true", "false"] {
        let job = Job::new(
            "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\n\
             pipe = 'cat; echo to be read >&2'\n[[action]]\ncount = 'b'\n",
        );
        let logs = job.folder().join("logs");
        fs::create_dir(&logs).expect("made");
        let conf = [
            format!("spark.mesos.coarse={coarse}"),
            "spark.eventLog.enabled=true".to_owned(),
            format!("spark.eventLog.dir={}", logs.display()),
        ];
        let mut arguments = vec!["--master", &cluster.master];
        arguments.extend(conf.iter().flat_map(|it| ["--conf", it]));
        job.run(&arguments).succeeded();
        let log = fs::read_dir(&logs).expect("a folder").next();
        let log = log.expect("a log").expect("an entry").path();
        let log = fs::read_to_string(log).expect("readable");
        let added = log.lines().find(|it| it.contains("ExecutorAdded"));
        let added: Value = serde_json::from_str(added.expect("an executor")).expect("JSON");
        let urls = &added["Executor Info"]["Log Urls"];
        let url = urls["stderr"].as_str().expect("a link");
        let written = http.get(url).await.expect("the agent has it");
        let written = String::from_utf8_lossy(&written);
        assert!(written.contains("to be read"), "{written}");
        // The master's page is asked for by what is behind the sign alone: ids.
        let state = cluster.get("/master/state").await;
        let agent = state["slaves"][0]["id"].as_str().expect("an agent");
        let page = urls["sandbox"].as_str().expect("a link");
        let prefix = format!("{master}/#/agents/{agent}/frameworks/");
        assert!(page.starts_with(&prefix), "{page}");
        assert!(page.ends_with("/browse"), "{page}");
    }
}
