//! A Mesos that speaks TLS. The cluster's own cannot (see its README), so doors
//! before its master and its agent do, and whoever is sent to the agent is sent
//! to its door. What passes there is Mesos's own, in both modes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, Identity};
use crate::cluster::Cluster;
use crate::jobs::{Job, saved, words_by_coreutils};
use crate::run::{MODES, nothing_is_left};

/// What a connection that begins with TLS sends first; libprocess tells both
/// apart in the same way.
const HANDSHAKE: u8 = 0x16;

/// A port that speaks TLS to who does, and passes all on to a node in plain. The
/// master itself speaks plainly to its agents; nobody else is let in so.
struct Door {
    port: u16,
    encrypted: Arc<AtomicUsize>,
    plain: Arc<AtomicUsize>,
    _open: JoinSet<()>,
}

impl Door {
    /// A door to the first of the cluster's nodes of that kind, which is known
    /// when the cluster's folder says where it is.
    async fn to(kind: &'static str, folder: &Path, tls: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let [encrypted, plain] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counted = (Arc::clone(&encrypted), Arc::clone(&plain));
        let cluster = folder.join("cluster.json");
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut through = JoinSet::new();
            while let Ok((mut outside, _)) = listener.accept().await {
                let (tls, cluster) = (tls.clone(), cluster.clone());
                let (encrypted, plain) = (Arc::clone(&counted.0), Arc::clone(&counted.1));
                through.spawn(async move {
                    let mut first = [0];
                    outside.peek(&mut first).await.ok()?;
                    let mut inside = TcpStream::connect(address(kind, &cluster)?).await.ok()?;
                    let _ = (outside.set_nodelay(true), inside.set_nodelay(true));
                    if first == [HANDSHAKE] {
                        let mut outside = tls.accept(outside).await.ok()?;
                        encrypted.fetch_add(1, Ordering::Relaxed);
                        copy_bidirectional(&mut outside, &mut inside).await.ok()
                    } else {
                        plain.fetch_add(1, Ordering::Relaxed);
                        (kind == "agents").then_some(())?;
                        copy_bidirectional(&mut outside, &mut inside).await.ok()
                    }
                });
            }
        });
        Self {
            port,
            encrypted,
            plain,
            _open: open,
        }
    }
}

/// Where a node of the cluster listens.
fn address(kind: &str, cluster: &Path) -> Option<String> {
    let about: Value = serde_json::from_slice(&fs::read(cluster).ok()?).ok()?;
    let node = &about[kind][0];
    Some(format!("{}:{}", node["address"].as_str()?, node["port"]))
}

/// A cluster behind doors, and the files that a user would have.
struct Locked {
    cluster: Cluster,
    master: Door,
    agent: Door,
    files: TempDir,
}

impl Locked {
    /// The agent's certificate has a name of its host and not its address.
    async fn up() -> Self {
        Self::with_agent_at_its_door(true).await
    }

    /// Whether those who are sent to the agent are sent to its door.
    async fn with_agent_at_its_door(at_its_door: bool) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let clients = Authority::new();
        let file = |name: &str, text: &str| {
            fs::write(files.path().join(name), text).expect("written");
        };
        let write = |name: &str, identity: &Identity| {
            let (certificate, key) = identity.pem();
            file(&format!("{name}.pem"), &certificate);
            file(&format!("{name}.key"), &key);
        };
        file("ca.pem", &authority.pem());
        write("driver", &clients.certify(&["driver"]));
        write("executor", &clients.certify(&["executor"]));
        let identity = authority.certify(&["localhost"]);
        let locked = || identity.acceptor_for(&clients);
        let master = Door::to("masters", folder.path(), locked()).await;
        let agent = Door::to("agents", folder.path(), locked()).await;
        let port = format!("advertise_port={}", agent.port);
        let options = [
            "--agent-flag",
            "hostname=localhost",
            "--authenticate-executors",
            "--agent-flag",
            "advertise_ip=127.0.0.1",
            "--agent-flag",
            &port,
        ];
        let options = &options[..if at_its_door { options.len() } else { 3 }];
        Self {
            cluster: Cluster::within(folder, options),
            master,
            agent,
            files,
        }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// The settings with which everything is believed.
    fn arguments(&self, coarse: &str) -> Vec<String> {
        let mut arguments = vec![
            "--master".to_owned(),
            format!("mesos://localhost:{}", self.master.port),
            "--json".to_owned(),
        ];
        for setting in [
            format!("spark.mesos.coarse={coarse}"),
            "mesquite.mesos.ssl.enabled=true".to_owned(),
            format!("mesquite.mesos.ssl.caFile={}", self.file("ca.pem")),
            format!("mesquite.mesos.ssl.certFile={}", self.file("driver.pem")),
            format!("mesquite.mesos.ssl.keyFile={}", self.file("driver.key")),
            format!(
                "mesquite.mesos.ssl.executor.certFile={}",
                self.file("executor.pem")
            ),
            format!(
                "mesquite.mesos.ssl.executor.keyFile={}",
                self.file("executor.key")
            ),
        ] {
            arguments.extend(["--conf".to_owned(), setting]);
        }
        arguments
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Mesos"]
async fn the_word_count_runs_where_master_and_agent_want_tls_and_certificates() {
    let locked = Locked::up().await;
    for (mode, coarse) in MODES {
        let before = locked.agent.encrypted.load(Ordering::Relaxed);
        let arguments = locked.arguments(coarse);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = Job::example("wordcount").run(&arguments).succeeded();
        assert_eq!(ended.summary()["mode"], mode);
        assert_eq!(saved(&ended.results, "wordcount"), words_by_coreutils());
        let framework = ended.summary()["app_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        nothing_is_left(&locked.cluster, &framework).await;
        let executors = locked.agent.encrypted.load(Ordering::Relaxed) - before;
        assert!(executors > 0, "{mode}: executors came by TLS");
    }
    assert!(locked.master.encrypted.load(Ordering::Relaxed) > 0);
    assert_eq!(locked.master.plain.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Mesos"]
async fn check_says_what_is_wrong_with_the_trust() {
    let locked = Locked::up().await;
    let check = |leave_out: &str, more: &[&str]| {
        let arguments = locked.arguments("true");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesquite"));
        command.arg("check");
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--json" => {}
                "--conf" => {
                    let setting = rest.next().expect("a setting");
                    if leave_out.is_empty() || !setting.contains(leave_out) {
                        command.args(["--conf", setting]);
                    }
                }
                argument => {
                    command.arg(argument);
                }
            }
        }
        let output = command.args(more).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = check("", &[]);
    assert_eq!(code, Some(0), "{said}");
    let brief = ["--conf", "mesquite.mesos.registrationTimeout=1s"];
    let (code, said) = check("caFile", &brief);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("mesquite.mesos.ssl.caFile"), "{said}");
    let (code, said) = check("mesquite.mesos.ssl.", &brief);
    assert_eq!(code, Some(3), "in clear nobody answers: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Mesos"]
async fn an_agent_without_tls_behind_a_master_with_it_is_told_of() {
    let locked = Locked::with_agent_at_its_door(false).await;
    for (mode, coarse) in MODES {
        let arguments = locked.arguments(coarse);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let job = Job::example("wordcount");
        let mut driver = job.start(&arguments);
        let mut said = String::new();
        let stderr = driver.stderr.take().expect("piped");
        // The run would go on for ever, in the hope for a better agent.
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            said.push_str(&line);
            said.push('\n');
            if line.contains("mesquite.mesos.ssl.agents=false") {
                break;
            }
        }
        let pid = i32::try_from(driver.id()).expect("a process");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it lives");
        let ended = driver.wait().expect("it ends");
        assert!(
            said.contains("mesquite.mesos.ssl.agents=false"),
            "{mode}: {ended}: {said}"
        );
    }
}
