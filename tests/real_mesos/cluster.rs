//! A real Mesos for one test: its own folder, ports and processes, all of which
//! are gone when the value is dropped.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A running cluster.
pub struct Cluster {
    folder: TempDir,
    /// The master's URL, `http://...`.
    pub url: String,
    /// What `--master` takes.
    pub master: String,
}

impl Cluster {
    /// Brings up a master and so many agents.
    pub fn up(agents: usize) -> Self {
        Self::with(&["--agents", &agents.to_string()])
    }

    /// Brings up what these options of `mesos-test-cluster/up` say.
    pub fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut cluster = Self {
            folder,
            url: String::new(),
            master: String::new(),
        };
        cluster.script("up", &[&["--port", "0"], options].concat());
        let state = cluster.folder.path().join("cluster.json");
        let state = std::fs::read(state).expect("`up` wrote cluster.json");
        let state: Value = serde_json::from_slice(&state).expect("cluster.json is JSON");
        let text = |key: &str| state[key].as_str().unwrap_or_default().to_owned();
        cluster.url = text("url");
        cluster.master = text("master");
        cluster
    }

    /// `kill`, `restart`, `pause` or `resume` of `master`, `agent1`, ...
    pub fn fault(&self, what: &str, node: &str) {
        self.script("fault", &[what, node]);
    }

    fn script(&self, name: &str, options: &[&str]) {
        let output = Command::new(scripts().join(name))
            .args(options)
            .arg("--dir")
            .arg(self.folder.path())
            .output()
            .expect("the script can be started");
        assert!(
            output.status.success(),
            "{name} {options:?} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// What the master answers to a GET of `path`.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let body = client.get(url).send().await.expect("the master answers");
        let body = body.bytes().await.expect("a whole body");
        serde_json::from_slice(&body).expect("the master answers JSON")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let down = Command::new(scripts().join("down"))
            .arg("--dir")
            .arg(self.folder.path())
            .output();
        if !std::thread::panicking() {
            assert!(
                down.is_ok_and(|it| it.status.success()),
                "the cluster is ended"
            );
        }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mesos-test-cluster")
}
