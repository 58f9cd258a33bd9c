//! Executors in images that have nothing of ours: Mesos's own containers, and Docker's where
//! that runs. Run by the lane `memory` of `scripts/test`, as root and where agents can
//! enforce anything.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::{Cluster, not_here, scripts};
use crate::jobs::{Ended, Job};
use crate::run::{MODES, nothing_is_left};

/// Python, a shell, and what these need.
const IMAGE: &str = "mesquite-test-python:bare";

/// The exit code of what lacks a package of Debian's.
const MISSING_PACKAGES: i32 = 3;

/// Images that were made on the spot.
struct Images {
    folder: TempDir,
    /// Whether Docker has the image too.
    docker: bool,
}

impl Images {
    fn make() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let packages = ["python3-minimal", "dash", "base-files"];
        if !image(folder.path(), IMAGE, &packages) {
            return None;
        }
        let archive = folder.path().join(format!("{IMAGE}.tar"));
        let docker = quiet(Command::new("docker").arg("load").arg("-i").arg(archive));
        if !docker {
            not_here("Docker's containers: no Docker takes images here");
        }
        Some(Self { folder, docker })
    }

    /// Two agents that have them, as each of these containerizers has them.
    fn cluster(&self) -> Option<(Cluster, &'static [&'static str])> {
        let images = self.folder.path().to_str().expect("text");
        let mut options = vec!["--images", images, "--agents", "2"];
        if !self.docker {
            return Some((Cluster::enforcing(&options)?, &["mesos"]));
        }
        options.extend(["--agent-flag", "containerizers=docker,mesos"]);
        Some((Cluster::enforcing(&options)?, &["mesos", "docker"]))
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        if self.docker {
            quiet(Command::new("docker").args(["rmi", "--force", IMAGE]));
        }
    }
}

/// Makes an image of Debian packages; false, with a line, where that cannot be done.
fn image(images: &Path, name: &str, packages: &[&str]) -> bool {
    let made = Command::new(scripts().join("image"))
        .arg(name)
        .args(packages)
        .arg("--images")
        .arg(images)
        .output()
        .expect("the script can be started");
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    if made.status.code() == Some(MISSING_PACKAGES) {
        not_here(&said);
        return false;
    }
    assert!(made.status.success(), "{said}");
    true
}

fn quiet(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

/// Runs a job in an image.
fn run(
    cluster: &Cluster,
    job: &Job,
    (coarse, containerizer): (&str, &str),
    settings: &[&str],
) -> Ended {
    let own = [
        format!("spark.mesos.coarse={coarse}"),
        format!("spark.mesos.containerizer={containerizer}"),
        format!("spark.mesos.executor.docker.image={IMAGE}"),
        "spark.executor.memory=256m".to_owned(),
    ];
    let mut arguments = vec!["--master", &cluster.master, "--json"];
    // What a test sets comes after, and counts.
    for setting in own
        .iter()
        .map(String::as_str)
        .chain(settings.iter().copied())
    {
        arguments.extend(["--conf", setting]);
    }
    job.run(&arguments)
}

/// A job whose command is a program in Python, with a module and a file that come along.
fn shipped() -> Job {
    let job = Job::new(
        "files = ['mapper.py', 'helper.py', 'stop words.txt']\nenv = { SUFFIX = '!' }\n\
         [dataset.lines]\nitems = ['to be or not', 'be that as it may']\n\
         [dataset.words]\nfrom = 'lines'\npipe = 'python3 mapper.py'\n\
         [dataset.counts]\nfrom = 'words'\ncount_by_key = { partitions = 2 }\n\
         [[action]]\ncollect = 'counts'\n",
    );
    let files = [
        (
            "mapper.py",
            "import os, sys, helper\nfor line in sys.stdin:\n    for word in helper.words(line):\n        \
             print(word + os.environ['SUFFIX'])\n",
        ),
        (
            "helper.py",
            "stop = set(open('stop words.txt').read().split())\ndef words(line):\n    \
             return [word for word in line.split() if word not in stop]\n",
        ),
        ("stop words.txt", "to or as it\n"),
    ];
    for (name, text) in files {
        fs::write(job.folder().join(name), text).expect("written");
    }
    job
}

#[tokio::test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
async fn a_python_mapper_runs_in_an_image_that_has_nothing_of_ours() {
    let Some(images) = Images::make() else { return };
    let Some((cluster, containerizers)) = images.cluster() else {
        return;
    };
    for containerizer in containerizers {
        for (mode, coarse) in MODES {
            let what = (coarse, *containerizer);
            let ended = run(
                &cluster,
                &shipped(),
                what,
                &["spark.mesos.task.labels=team:a\\,b"],
            );
            let ended = ended.succeeded();
            let counts = ["be!\t2", "may!\t1", "not!\t1", "that!\t1"];
            assert_eq!(ended.results["stdout"], counts, "{mode} {containerizer}");
            let summary = ended.summary();
            nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
        }
    }
    let state = cluster.get("/master/frameworks").await;
    let gone = state["completed_frameworks"].as_array().expect("a list");
    for framework in gone {
        let tasks = framework["completed_tasks"].as_array().expect("a list");
        assert!(!tasks.is_empty(), "{framework}");
        for task in tasks {
            assert_eq!(task["labels"][0]["value"], Value::from("a,b"), "{task}");
        }
    }
}

#[test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
fn a_container_sees_the_volumes_that_it_is_given_as_it_is_given_them() {
    let Some(images) = Images::make() else { return };
    let Some((cluster, containerizers)) = images.cluster() else {
        return;
    };
    let data = tempfile::tempdir().expect("a folder");
    fs::write(data.path().join("lines"), "one\ntwo\n").expect("written");
    let at = data.path().display();
    let job = Job::new(&format!(
        "[dataset.a]\ntext = ['{at}/lines']\n[dataset.b]\nfrom = 'a'\n\
         pipe = 'while read x; do echo $x; done; if echo x > {at}/new; then echo written; fi'\n\
         [[action]]\nsave = 'b'\nto = '{at}/out'\noverwrite = true\n",
    ));
    let out = data.path().join("out");
    let out = out.display();
    fs::create_dir(data.path().join("out")).expect("made");
    let volumes = format!("spark.mesos.executor.docker.volumes={at}:{at}:ro,{out}:{out}");
    for containerizer in containerizers {
        for (_, coarse) in MODES {
            let ended = run(&cluster, &job, (coarse, *containerizer), &[&volumes]);
            ended.succeeded();
            let saved = fs::read_to_string(data.path().join("out/part-00000"));
            assert_eq!(saved.expect("saved"), "one\ntwo\n", "{containerizer}");
            assert!(!data.path().join("new").exists(), "{containerizer}");
        }
    }
}

#[tokio::test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
async fn what_a_container_lacks_ends_the_run_in_seconds_with_an_agent_and_a_setting() {
    let Some(images) = Images::make() else { return };
    // No program in it can be started, ours included.
    if !image(images.folder.path(), "empty:1", &["netbase"]) {
        return;
    }
    let Some((cluster, _)) = images.cluster() else {
        return;
    };
    let agents = cluster.agents();
    let hosts: Vec<_> = agents
        .iter()
        .filter_map(|it| it.split(':').next())
        .collect();
    for (settings, words) in [
        (
            &["spark.mesos.executor.docker.image=nothere:1"][..],
            &["nothere:1", "spark.mesos.executor.docker.image"][..],
        ),
        (
            &["spark.mesos.executor.docker.volumes=/is/not/here:/data"],
            &["/is/not/here", "spark.mesos.executor.docker.volumes"],
        ),
        (
            &["spark.mesos.uris=/is/not/here"],
            &["Failed to fetch", "spark.mesos.uris"],
        ),
        (
            &["spark.mesos.executor.docker.image=empty:1"],
            &["empty:1", "glibc 2.17", "stderr"],
        ),
    ] {
        for (mode, coarse) in MODES {
            let ended = run(&cluster, &shipped(), (coarse, "mesos"), settings);
            assert_eq!(ended.code(), Some(1), "{mode}: {}", ended.stderr());
            let summary = ended.summary();
            let seconds = summary["seconds"].as_f64().expect("a number");
            assert!(seconds < 15.0, "{mode} {settings:?}: {seconds} s");
            let error = summary["error"].as_str().unwrap_or_default();
            for word in words {
                assert!(error.contains(word), "{mode}: {word} is not in {error}");
            }
            let names_one = hosts.iter().any(|it| error.contains(it));
            assert!(names_one, "{mode}: no agent is named in {error}");
            nothing_is_left(&cluster, summary["app_id"].as_str().expect("an id")).await;
        }
    }
}

/// Executors of one agent see nothing of each other's files: blocks go from one to the
/// other over the network, and an executor that ends takes its outputs along.
#[test]
#[ignore = "needs a real Mesos that enforces limits; run by scripts/test"]
fn a_sort_larger_than_its_memory_stays_within_it_in_an_image() {
    let Some(images) = Images::make() else { return };
    let Some((cluster, _)) = images.cluster() else {
        return;
    };
    let data = tempfile::tempdir().expect("a folder");
    let mut random = fastrand::Rng::with_seed(1);
    let mut lines: Vec<_> = (0..4_000_000)
        .map(|_| format!("{:016x}{:016x}\n", random.u64(..), random.u64(..)))
        .collect();
    let file = data.path().join("lines");
    fs::write(&file, lines.concat()).expect("written");
    lines.sort();
    let at = data.path().display();
    let out = data.path().join("out");
    let job = Job::new(&format!(
        "[dataset.lines]\ntext = ['{}']\nsplit = '8MiB'\n[dataset.out]\nfrom = 'lines'\n\
         sort = {{ by = 'line', partitions = 8 }}\n\
         [[action]]\nsave = 'out'\nto = '{}'\noverwrite = true\n",
        file.display(),
        out.display(),
    ));
    let volumes = format!("spark.mesos.executor.docker.volumes={at}:{at}");
    let settings = [
        &*volumes,
        "spark.executor.cores=1",
        "spark.executor.memory=64m",
        "spark.mesos.executor.memoryOverhead=0",
    ];
    for (mode, coarse) in MODES {
        let ended = run(&cluster, &job, (coarse, "mesos"), &settings).succeeded();
        for job in ended.summary()["jobs"].as_array().expect("jobs") {
            assert_eq!(job["failed_attempts"], 0, "{mode}: {}", ended.stderr());
        }
        let mut parts: Vec<_> = fs::read_dir(&out)
            .expect("saved")
            .map(|it| it.expect("an entry").path())
            .filter(|it| {
                it.file_name()
                    .is_some_and(|it| it.to_string_lossy().starts_with("part-"))
            })
            .collect();
        parts.sort();
        let saved: String = parts
            .iter()
            .map(|it| fs::read_to_string(it).expect("text"))
            .collect();
        assert!(saved == lines.concat(), "{mode}: it is not sorted");
    }
}
