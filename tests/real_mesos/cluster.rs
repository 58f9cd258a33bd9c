//! A real Mesos for one test: its own folder, ports and processes, all of which
//! are gone when the value is dropped.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use mesquite::mesos::codec::Codec;
use mesquite::mesos::http::{Authentication, Http, HttpConfig};
use mesquite::mesos::tls::Tls;
use serde_json::Value;
use tempfile::TempDir;

use crate::framework::eventually;

/// What `mesos-test-cluster/up` exits with where nothing can be enforced.
const CANNOT_ENFORCE: i32 = 5;

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
        Self::within(tempfile::tempdir().expect("a temporary folder"), options)
    }

    /// The same with everything in this folder, whose `cluster.json` says where
    /// the nodes will be before any of them runs.
    pub fn within(folder: TempDir, options: &[&str]) -> Self {
        let cluster = Self::tried(folder, options);
        cluster.unwrap_or_else(|(_, error)| panic!("up {options:?} failed:\n{error}"))
    }

    /// What brings it up with all that it enforces; `None`, with a line that says why,
    /// where nothing can be enforced.
    pub fn enforcing(options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        match Self::tried(folder, &[&["--enforce"], options].concat()) {
            Ok(cluster) => Some(cluster),
            Err((Some(CANNOT_ENFORCE), error)) => {
                not_here(&error);
                None
            }
            Err((_, error)) => panic!("up --enforce {options:?} failed:\n{error}"),
        }
    }

    /// The exit code and what was said, if it does not come up.
    fn tried(folder: TempDir, options: &[&str]) -> Result<Self, (Option<i32>, String)> {
        let mut cluster = Self {
            folder,
            url: String::new(),
            master: String::new(),
        };
        // Should the test be killed, its cluster ends with it.
        let owner = std::process::id().to_string();
        let output = cluster.output(
            "up",
            &[&["--port", "0", "--owner", &owner], options].concat(),
        );
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err((output.status.code(), error));
        }
        let state = cluster.state();
        let text = |key: &str| state[key].as_str().unwrap_or_default().to_owned();
        cluster.url = text("url");
        cluster.master = text("master");
        Ok(cluster)
    }

    /// Where it keeps all that it has, sandboxes too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `kill`, `restart`, `pause` or `resume` of `master`, `agent1`, ...
    pub fn fault(&self, what: &str, node: &str) {
        self.script("fault", &[what, node]);
    }

    fn output(&self, name: &str, options: &[&str]) -> Output {
        Command::new(scripts().join(name))
            .args(options)
            .arg("--dir")
            .arg(self.folder.path())
            .output()
            .expect("the script can be started")
    }

    fn script(&self, name: &str, options: &[&str]) {
        let output = self.output(name, options);
        assert!(
            output.status.success(),
            "{name} {options:?} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The name of the master that leads, as `fault` takes it, and the URLs of
    /// the others.
    pub async fn leader(&self) -> (String, Vec<String>) {
        let mut leader = None;
        let mut standing_by = Vec::new();
        for master in self.masters() {
            let url = master.url();
            // A master that stands by answers 307 or 503, and has no such metric.
            let metrics = get(&format!("{url}/metrics/snapshot")).await;
            match metrics.is_some_and(|it| it["master/elected"] == 1.0) {
                true => leader = Some(master.name),
                false => standing_by.push(url),
            }
        }
        (leader.expect("one of them leads"), standing_by)
    }

    /// Where the agents listen, `address:port`.
    pub fn agents(&self) -> Vec<String> {
        let state = self.state();
        let agents = state["agents"].as_array().expect("a list of agents");
        let address = |it: &Value| {
            format!(
                "{}:{}",
                it["address"].as_str().expect("an address"),
                it["port"]
            )
        };
        agents.iter().map(address).collect()
    }

    /// The control groups of the agents, if they enforce anything.
    pub fn control_groups(&self) -> Vec<String> {
        let state = self.state();
        let agents = state["agents"].as_array().expect("a list of agents");
        let groups = agents.iter().map(|it| it["control_group"].as_str());
        groups.flatten().map(ToOwned::to_owned).collect()
    }

    fn masters(&self) -> Vec<Node> {
        let state = self.state();
        let masters = state["masters"].as_array().expect("a list of masters");
        let node = |it: &Value| Node {
            name: it["name"].as_str().expect("a name").to_owned(),
            address: it["address"].as_str().expect("an address").to_owned(),
            port: it["port"].as_u64().expect("a port"),
        };
        masters.iter().map(node).collect()
    }

    fn state(&self) -> Value {
        let state = std::fs::read(self.folder.path().join("cluster.json"));
        serde_json::from_slice(&state.expect("`up` wrote cluster.json")).expect("it is JSON")
    }

    /// What the master answers to a GET of `path`; one that has just been started may
    /// listen before it does.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        eventually("the master answers JSON", async || get(&url).await).await
    }
}

struct Node {
    name: String,
    address: String,
    port: u64,
}

impl Node {
    fn url(&self) -> String {
        format!("http://{}:{}", self.address, self.port)
    }
}

/// What is answered to a GET of `url`, if it is JSON.
pub async fn get(url: &str) -> Option<Value> {
    let http = Http::new(http_config()).expect("good settings");
    serde_json::from_slice(&http.get(url).await.ok()?).ok()
}

/// Plain HTTP with generous limits.
pub fn http_config() -> HttpConfig {
    HttpConfig {
        codec: Codec::Protobuf,
        authentication: Authentication::None,
        tls: Tls::unused(),
        connect_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(10),
        unix_socket: None,
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

/// Says that a test does not run here.
pub fn not_here(why: &str) {
    let line = format!("NOT RUN HERE: {}\n", why.trim());
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("written");
}

/// The folder of what brings clusters up.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mesos-test-cluster")
}
