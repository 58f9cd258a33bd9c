//! Runs that survive their driver, and outputs that survive their executor.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::framework::eventually;
use crate::jobs::{Job, saved};

/// The modes, as `spark.mesos.coarse` has them.
const MODES: [&str; 2] = ["true", "false"];

/// Six map tasks and three reducers, which wait until they are let go. All write
/// down that they begin, and which process runs them.
struct Slow {
    job: Job,
    folder: TempDir,
}

impl Slow {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let job = Job::new(&format!(
            "[dataset.all]\nitems = [1, 2, 3, 4, 5, 6]\n\
             [dataset.mapped]\nfrom = 'all'\npipe = 'echo $PPID >> {at}/maps; cat'\n\
             [dataset.counts]\nfrom = 'mapped'\ncount_by_key = {{ partitions = 3 }}\n\
             [dataset.done]\nfrom = 'counts'\n\
             pipe = 'echo $PPID >> {at}/reduces; while [ ! -e {at}/go ]; do sleep 0.05; done; cat'\n\
             [[action]]\nsave = 'done'\nto = 'target/examples/done'\n\
             [[action]]\ncount = 'all'\n"
        ));
        Self { job, folder }
    }

    fn recovery(&self) -> PathBuf {
        self.folder.path().join("recovery")
    }

    /// Its drivers write event logs.
    fn start(&self, cluster: &Cluster, coarse: &str) -> Child {
        fs::create_dir_all(self.logs()).expect("a folder");
        let logs = format!("spark.eventLog.dir={}", self.logs().display());
        let more = ["--conf", "spark.eventLog.enabled=true", "--conf", &logs];
        start(&self.job, &self.recovery(), (cluster, coarse), &more)
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// Two drivers have left a log each, of two attempts at one application; the second's
    /// is of the whole run.
    fn check_logs(&self) {
        let found = fs::read_dir(self.logs()).expect("a folder");
        let mut logs: Vec<_> = found.map(|it| it.expect("a file").path()).collect();
        logs.sort();
        let [first, second] = &*logs else {
            panic!("{logs:?}");
        };
        let named = |path: &Path, end: &str| path.to_string_lossy().ends_with(end);
        assert!(named(first, "_1.inprogress") && named(second, "_2"));
        let events = [first, second].map(|log| {
            let whole = lines(log).into_iter();
            let events = whole.map_while(|it| serde_json::from_str(&it).ok());
            events.collect::<Vec<serde_json::Value>>()
        });
        let begins = events.each_ref().map(|events| {
            let all = events.iter();
            let mut begins = all.filter(|it| it["Event"] == "SparkListenerApplicationStart");
            begins.next().expect("it has begun")
        });
        assert_eq!(begins[0]["App ID"], begins[1]["App ID"]);
        assert_eq!(begins.map(|it| &it["App Attempt ID"]), ["1", "2"]);
        // The first may have been killed before its first step was written down.
        let began = begins.map(|it| it["Timestamp"].as_u64().expect("a time"));
        assert!(began[1].abs_diff(began[0]) < 1000, "{began:?}");
        let ended = events[1].iter();
        let ended = ended
            .filter(|it| it["Event"] == "SparkListenerTaskEnd")
            .count();
        assert_eq!(ended, 6 + 3 + 6, "all tasks of both jobs");
    }

    fn lines(&self, name: &str) -> Vec<String> {
        lines(&self.folder.path().join(name))
    }

    fn go(&self) {
        go(self.folder.path());
    }

    /// Waits until so many reducers have begun.
    async fn reducing(&self, count: usize) {
        eventually("reducers begin", async || {
            (self.lines("reduces").len() >= count).then_some(())
        })
        .await;
    }

    /// Checks the result, and that no more ran than need be.
    fn check(&self, child: Child, maps: usize) {
        let ended = child.wait_with_output().expect("ended");
        let ended = self.job.ended(ended).succeeded();
        let wanted: Vec<_> = (1..7).map(|it| format!("{it}\t1")).collect();
        assert_eq!(saved(&ended.results, "done"), wanted);
        assert_eq!(ended.results["stdout"], ["6"]);
        assert_eq!(self.lines("maps").len(), maps, "{}", ended.stderr());
        assert!(!self.recovery().exists(), "nothing is left to go on with");
    }
}

fn start(job: &Job, recovery: &Path, (cluster, coarse): (&Cluster, &str), more: &[&str]) -> Child {
    let coarse = format!("spark.mesos.coarse={coarse}");
    let recovery = format!("mesquite.recovery.dir={}", recovery.display());
    let arguments = ["--master", &cluster.master, "--json", "--conf", &coarse];
    job.start(&[&arguments[..], &["--conf", &recovery], more].concat())
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Lets what waits in a folder go.
fn go(folder: &Path) {
    fs::write(folder.join("go"), "").expect("written");
}

fn kill_hard(pid: &str) {
    let pid = Pid::from_raw(pid.parse().expect("a process id"));
    kill(pid, Signal::SIGKILL).expect("killed");
}

fn alive(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_run_goes_on_when_its_driver_is_killed_and_started_again() {
    for coarse in MODES {
        let cluster = Cluster::up(1);
        let slow = Slow::new();
        let mut first = slow.start(&cluster, coarse);
        slow.reducing(1).await;
        first.kill().expect("killed");
        first.wait().expect("ended");
        let executor = slow.lines("reduces")[0].clone();
        let second = slow.start(&cluster, coarse);
        slow.go();
        slow.check(second, 6);
        // No reducer ran twice, and all in the executor of the first driver.
        let reduces = slow.lines("reduces");
        assert_eq!(reduces, vec![executor; 3]);
        let state = cluster.get("/master/frameworks").await;
        assert_eq!(state["frameworks"].as_array().map(Vec::len), Some(0));
        let completed = state["completed_frameworks"].as_array();
        assert_eq!(completed.map(Vec::len), Some(1), "one framework for both");
        slow.check_logs();
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_loop_goes_on_in_the_round_in_which_its_driver_was_killed() {
    for coarse in MODES {
        let cluster = Cluster::up(1);
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        // The second of three rounds waits until it is let go.
        let job = Job::new(&format!(
            "[dataset.start]\nitems = [10]\n\
             [dataset.numbers]\nfrom = 'start'\niterate = {{ next = 'more', times = 3 }}\n\
             [dataset.more]\nfrom = 'numbers'\n\
             pipe = 'read -r n; echo $n >> {at}/rounds; \
             while [ $n = 11 ] && [ ! -e {at}/go ]; do sleep 0.05; done; echo $((n + 1))'\n\
             [[action]]\ncollect = 'numbers'\n"
        ));
        let (recovery, rounds) = (folder.path().join("recovery"), folder.path().join("rounds"));
        let mut first = start(&job, &recovery, (&cluster, coarse), &[]);
        eventually("the second round begins", async || {
            (lines(&rounds) == ["10", "11"]).then_some(())
        })
        .await;
        first.kill().expect("killed");
        first.wait().expect("ended");
        let second = start(&job, &recovery, (&cluster, coarse), &[]);
        go(folder.path());
        let ended = second.wait_with_output().expect("ended");
        let ended = job.ended(ended).succeeded();
        assert_eq!(ended.results["stdout"], ["13"]);
        assert_eq!(lines(&rounds), ["10", "11", "12"], "each ran once");
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_second_driver_is_refused_while_the_first_lives() {
    let cluster = Cluster::up(1);
    let slow = Slow::new();
    let first = slow.start(&cluster, "true");
    slow.reducing(1).await;
    let second = slow.start(&cluster, "true");
    let refused = second.wait_with_output().expect("ended");
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("another driver works with"), "{stderr}");
    slow.go();
    slow.check(first, 6);
}

#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn outputs_of_an_executor_that_is_killed_are_taken_over_on_its_agent() {
    for coarse in MODES {
        let cluster = Cluster::up(2);
        let slow = Slow::new();
        let driver = slow.start(&cluster, coarse);
        slow.reducing(2).await;
        let killed = &slow.lines("reduces")[0];
        kill_hard(killed);
        eventually("its executor is dead", async || {
            (!alive(killed)).then_some(())
        })
        .await;
        // The other one has no room for all reducers, none of which ends before. With
        // nothing waiting there would be no other one on its agent.
        eventually("another executor is on its agent", async || {
            let metrics = cluster.get("/metrics/snapshot").await;
            let tasks = |state: &str| metrics[format!("master/tasks_{state}")].as_f64();
            let ended = tasks("failed")? + tasks("killed")? + tasks("lost")?;
            (ended > 0.0 && tasks("running")? >= 2.0).then_some(())
        })
        .await;
        slow.go();
        slow.check(driver, 6);
    }
}

/// A master that is stopped leaves the farewell without an answer. In fine mode
/// tasks end through the master, so `tests/scripted_run.rs` has that.
#[tokio::test]
#[ignore = "needs a real Mesos; run by scripts/test"]
async fn a_run_whose_driver_is_killed_while_it_says_goodbye_is_told_again() {
    let cluster = Cluster::up(1);
    let slow = Slow::new();
    let mut first = slow.start(&cluster, "true");
    slow.reducing(1).await;
    cluster.fault("pause", "master");
    slow.go();
    let journal = slow.recovery().join("journal.jsonl");
    eventually("the end is written down", async || {
        let text = fs::read_to_string(&journal).unwrap_or_default();
        text.contains("\"record\":{\"ended\"").then_some(())
    })
    .await;
    first.kill().expect("killed");
    first.wait().expect("ended");
    let kept = fs::read(&journal).expect("a journal");
    cluster.fault("resume", "master");
    slow.check(slow.start(&cluster, "true"), 6);
    let ended = cluster.get("/master/frameworks").await;
    assert_eq!(ended["frameworks"].as_array().map(Vec::len), Some(0));

    // As if its farewell had reached the master.
    fs::create_dir(slow.recovery()).expect("made");
    fs::write(&journal, kept).expect("written");
    // One that others may read is not believed.
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o600)).expect("ours alone");
    slow.check(slow.start(&cluster, "true"), 6);
    let ended = cluster.get("/master/frameworks").await;
    assert_eq!(ended["frameworks"].as_array().map(Vec::len), Some(0));
    let completed = ended["completed_frameworks"].as_array();
    assert_eq!(completed.map(Vec::len), Some(1), "one framework for all");
}
