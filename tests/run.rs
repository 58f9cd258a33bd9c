//! `mesquite run` from outside, without Mesos: every example on threads and on
//! executor processes, and what happens when things go wrong.

#[path = "support/jobs.rs"]
mod jobs;

use std::fs;
use std::io::{BufRead, BufReader};

use jobs::{EXAMPLES, Job, saved, words_by_coreutils};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CLUSTER: &str = "local-cluster[2,2,512]";

#[test]
fn every_example_gives_the_same_on_threads_and_on_processes() {
    for example in EXAMPLES {
        let threads = Job::example(example)
            .run(&["--master", "local[2]"])
            .succeeded();
        let processes = Job::example(example)
            .run(&["--master", CLUSTER])
            .succeeded();
        assert_eq!(threads.results, processes.results, "{example}");
    }
}

#[test]
fn words_are_counted_as_coreutils_count_them() {
    let ended = Job::example("wordcount").run(&["--json"]).succeeded();
    assert_eq!(saved(&ended.results, "wordcount"), words_by_coreutils());
    assert!(ended.results.contains_key("wordcount/_SUCCESS"));
    let summary = ended.summary();
    assert_eq!(summary["status"], "succeeded");
    assert_eq!(summary["mode"], "local");
    assert_eq!(summary["jobs"][0]["action"], "save");
    assert_eq!(summary["jobs"][0]["stages"], 2);
}

#[test]
fn a_task_that_fails_is_tried_again_and_then_fails_its_job() {
    let job = Job::new(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\npipe = 'echo no luck >&2; exit 3'\n\
         [[action]]\nsave = 'b'\nto = 'target/examples/b'\n",
    );
    let ended = job.run(&["--master", CLUSTER, "--json"]);
    assert_eq!(ended.code(), Some(1));
    let stderr = ended.stderr();
    for part in ["failed 4 times", "exit code 3", "no luck"] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    assert!(!job.out().join("b").exists());
    let summary = ended.summary();
    assert_eq!(summary["status"], "failed");
    assert_eq!(summary["jobs"][0]["failed_attempts"], 4);
}

#[test]
fn a_folder_with_something_in_it_is_refused_before_anything_runs() {
    let job =
        Job::new("[dataset.a]\nitems = [1]\n[[action]]\nsave = 'a'\nto = 'target/examples/a'\n");
    fs::create_dir_all(job.out().join("a")).expect("made");
    fs::write(job.out().join("a/kept"), "x").expect("written");
    let ended = job.run(&[]);
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended.stderr().contains("is not empty"),
        "{}",
        ended.stderr()
    );
    assert!(job.out().join("a/kept").exists());
}

#[test]
fn mistakes_in_a_job_file_are_told_with_their_places() {
    let job = Job::new("[dataset.a]\ntext = ['no/such/*.txt']\n[[action]]\ncount = 'a'\n");
    let ended = job.run(&[]);
    assert_eq!(ended.code(), Some(2));
    let stderr = ended.stderr();
    assert!(
        stderr.contains("job.toml:2:9: no file matches `no/such/*.txt`"),
        "{stderr}"
    );
    let absent = Job::new("").run(&["--conf", "spark.task.cpu=1"]);
    assert_eq!(absent.code(), Some(2));
}

/// A job whose tasks say their process id before they take their time.
fn slow(tasks: u32, seconds: &str) -> Job {
    let items: Vec<_> = (0..tasks).map(|it| it.to_string()).collect();
    Job::new(&format!(
        "[dataset.a]\nitems = [{}]\n[dataset.b]\nfrom = 'a'\npipe = 'cat; sleep {seconds}'\n\
         [dataset.c]\nfrom = 'b'\ncount_by_key = {{ partitions = 2 }}\n\
         [[action]]\nsave = 'c'\nto = 'target/examples/c'\n",
        items.join(", ")
    ))
}

#[test]
fn an_executor_that_is_killed_costs_nothing_but_time() {
    let job = slow(12, "0.3");
    let mut child = job.start(&["--master", CLUSTER]);
    let stderr = child.stderr.take().expect("stderr is piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let registered = lines.any(|line| line.contains("registered"));
    assert!(registered, "an executor comes");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id()));
    let children = children.unwrap_or_default();
    let all = fs::read_dir("/proc").expect("processes").flatten();
    // Threads other than the first may have started them.
    let of_driver = all.filter_map(|entry| {
        let id: i32 = entry.file_name().to_string_lossy().parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let parent = stat.rsplit(") ").next()?.split(' ').nth(1)?;
        (parent == child.id().to_string()).then_some(id)
    });
    let first = of_driver.min();
    let first = first.unwrap_or_else(|| panic!("no executor among {children}"));
    kill(Pid::from_raw(first), Signal::SIGKILL).expect("killed");
    let rest: Vec<_> = lines.collect();
    let output = child.wait_with_output().expect("ended");
    let ended = job.ended(output);
    assert_eq!(ended.code(), Some(0), "{rest:?}");
    let counted = saved(&ended.results, "c");
    let wanted: Vec<_> = (0..12).map(|it| format!("{it}\t1")).collect();
    let mut wanted = wanted;
    wanted.sort();
    assert_eq!(counted, wanted);
}

#[test]
fn an_executor_that_hangs_is_given_up_and_its_tasks_run_elsewhere() {
    // Its first task stops the executor for good.
    let job = Job::new(
        "[dataset.a]\nitems = [1, 2, 3, 4]\n[dataset.b]\nfrom = 'a'\n\
         pipe = 'if mkdir target/small 2>/dev/null; then kill -STOP $PPID; fi; cat'\n\
         [[action]]\ncollect = 'b'\n",
    );
    let ended = job.run(&["--master", CLUSTER, "--conf", "spark.network.timeout=12s"]);
    let stderr = ended.stderr();
    assert_eq!(ended.code(), Some(0), "{stderr}");
    assert_eq!(ended.results["stdout"], ["1", "2", "3", "4"]);
    assert!(stderr.contains("it has said nothing for 12s"), "{stderr}");
}

#[test]
fn results_too_large_for_a_status_are_fetched() {
    let job = Job::new(
        "[dataset.a]\nrange = { end = 1000, partitions = 4 }\n[[action]]\ncollect = 'a'\n",
    );
    let small = ["--conf", "spark.task.maxDirectResultSize=10b"];
    let ended = job.run(&[&["--master", CLUSTER], &small[..]].concat());
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(ended.results["stdout"].len(), 1000);
}

#[test]
fn an_interrupted_run_cleans_up_and_exits_130() {
    for master in ["local[2]", CLUSTER] {
        let job = slow(4, "1000");
        let mut command = job.start(&["--master", master]);
        let stderr = command.stderr.take().expect("stderr is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        // Its tasks are on their way when the stage has begun and someone runs them.
        let begun = if master == CLUSTER {
            "registered"
        } else {
            "stage 0"
        };
        assert!(lines.any(|line| line.contains(begun)), "the job begins");
        let driver = i32::try_from(command.id()).expect("a process id");
        kill(Pid::from_raw(driver), Signal::SIGINT).expect("interrupted");
        let rest: Vec<_> = lines.collect();
        let output = command.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(130), "{rest:?}");
        assert!(!job.out().join("c").exists(), "{master}");
        let left = fs::read_dir(job.out().parent().expect("its folder")).expect("a folder");
        let left = left
            .flatten()
            .filter(|it| it.file_name().to_string_lossy().starts_with("mesquite-"));
        assert_eq!(left.count(), 0, "work folders are gone");
    }
}

fn job_file(job: &Job) -> String {
    let file = job.out().with_file_name("job.toml");
    file.to_str().expect("text").to_owned()
}

/// Runs a job with a small file system of its own at `small` in its folder;
/// `None` where the system allows no such thing.
fn on_a_small_disk(job: &Job, arguments: &[&str]) -> Option<std::process::Output> {
    let folder = job.out().parent()?.join("small");
    fs::create_dir_all(&folder).ok()?;
    let script = "mount -t tmpfs -o size=1m small \"$0\" && exec \"$@\"";
    let inside = |options: &[&str], command: &[&str]| {
        let mut unshare = std::process::Command::new("unshare");
        let tmpfs = unshare
            .args(options)
            .args(["/bin/sh", "-c", script])
            .arg(&folder);
        tmpfs.args(command).output()
    };
    for options in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        if inside(options, &["true"]).is_ok_and(|it| it.status.success()) {
            let file = job_file(job);
            let mut command = vec![env!("CARGO_BIN_EXE_mesquite"), "run", &file];
            command.extend(arguments);
            return inside(options, &command).ok();
        }
    }
    #[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
    {
        eprintln!("NOT RUN HERE: no file system can be mounted");
    }
    None
}

#[test]
fn a_full_disk_is_an_error_with_its_place_and_nothing_half_done() {
    for (what, to, conf) in [
        ("results", "target/small/a", "spark.task.maxFailures=2"),
        ("map outputs", "target/examples/a", "spark.local.dir=SMALL"),
    ] {
        let job = Job::new(&format!(
            "[dataset.a]\nrange = {{ end = 1000000, partitions = 2 }}\n\
             [dataset.b]\nfrom = 'a'\nsort = {{ by = 'key', partitions = 2 }}\n\
             [[action]]\nsave = 'b'\nto = '{to}'\n"
        ));
        let small = job.out().parent().expect("a folder").join("small");
        let conf = conf.replace("SMALL", &small.to_string_lossy());
        let retries = ["--conf", "spark.task.maxFailures=2"];
        for master in ["local[2]", CLUSTER] {
            let arguments = ["--master", master, "--conf", &conf, retries[0], retries[1]];
            let Some(output) = on_a_small_disk(&job, &arguments) else {
                return;
            };
            let ended = job.ended(output);
            let stderr = ended.stderr();
            assert_eq!(ended.code(), Some(1), "{what} on {master}: {stderr}");
            for part in ["No space left on device", &small.to_string_lossy()] {
                assert!(stderr.contains(part), "{part} is not in {stderr}");
            }
            assert_eq!(saved(&ended.results, "a"), [""; 0], "{what} on {master}");
        }
    }
}

#[test]
fn a_command_that_is_missing_and_an_input_that_cannot_be_read_are_named() {
    let missing = Job::new(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\npipe = 'no-such-program'\n\
         [[action]]\ncount = 'b'\n",
    );
    let ended = missing.run(&[]);
    assert_eq!(ended.code(), Some(1));
    let stderr = ended.stderr();
    assert!(stderr.contains("no-such-program"), "{stderr}");
    assert!(stderr.contains("not found"), "{stderr}");
    // It is there when the job is planned, and no file of gzip when it is read.
    let broken = Job::new("[dataset.a]\ntext = ['BROKEN']\n[[action]]\ncount = 'a'\n");
    let path = broken.out().with_file_name("broken.gz");
    fs::write(&path, "this is no gzip").expect("written");
    let text = fs::read_to_string(job_file(&broken)).expect("a job file");
    let text = text.replace("BROKEN", &path.to_string_lossy());
    fs::write(job_file(&broken), text).expect("written");
    let ended = broken.run(&[]);
    assert_eq!(ended.code(), Some(1));
    let stderr = ended.stderr();
    assert!(stderr.contains("broken.gz"), "{stderr}");
}
