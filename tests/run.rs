//! `mesquite run` from outside, without Mesos: every example on threads and on
//! executor processes, and what happens when things go wrong.

#[path = "support/jobs.rs"]
mod jobs;

use std::fs;
use std::io::{BufRead, BufReader};

use jobs::{EXAMPLES, Job, saved, words_by_coreutils};
use mesquite::clock::SystemClock;
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
    assert_eq!(summary["stages"][0]["failed_attempts"], 0);
    assert_eq!(summary["failures_by_cause"], serde_json::json!([]));
}

#[test]
fn the_log_names_the_connection_job_stage_and_attempt_that_a_line_is_about() {
    let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\n");
    let ended = job.run(&["--master", CLUSTER, "-vv"]).succeeded();
    let stderr = ended.stderr();
    let has = |parts: &[&str]| {
        let mut lines = stderr.lines();
        lines.any(|line| parts.iter().all(|part| line.contains(part)))
    };
    let connection = ["connection{from=127.0.0.1:", " executor=", "}: "];
    assert!(has(&connection), "{stderr}");
    let job = r#"job{job=0 action="count" dataset="a"}"#;
    let stage = r#"stage{stage=0 attempt=0 name="a"}"#;
    let attempt = "attempt{task=0 partition=0 attempt=0 executor=";
    for parts in [vec![job, "ended"], vec![job, stage, attempt, "ended"]] {
        assert!(has(&parts), "{parts:?}: {stderr}");
    }
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
fn a_task_whose_time_is_up_is_ended_with_all_that_it_started_and_says_so() {
    // The shell waits for a child of its own, in one group.
    let endless = [
        "[dataset.a]\nitems = [1]\n[dataset.slow]\nfrom = 'a'\ntimeout = '200ms'\n\
         pipe = 'sleep 1111 | cat'\n",
        "[dataset.slow]\nrange = { end = 9000000000000000000 }\ntimeout = '200ms'\n",
    ];
    for text in endless {
        let job = Job::new(&format!("{text}[[action]]\ncount = 'slow'\n"));
        for (master, attempts) in [("local[2]", 1), (CLUSTER, 4)] {
            let ended = job.run(&["--master", master, "--json"]);
            assert_eq!(ended.code(), Some(1), "{text}");
            let summary = ended.summary();
            assert_eq!(summary["jobs"][0]["failed_attempts"], attempts, "{text}");
            let stderr = ended.stderr();
            let told = "longer than 200ms, the `timeout` of dataset `slow`";
            assert!(stderr.contains(told), "{stderr}");
        }
    }
    let left = fs::read_dir("/proc").expect("processes").flatten();
    let left = left.filter_map(|it| fs::read(it.path().join("cmdline")).ok());
    assert_eq!(left.filter(|it| it == b"sleep\x001111\0").count(), 0);
}

/// An array job of which the items that are named in `bad` fail.
fn sweep(allowed: &str) -> Job {
    Job::new(&format!(
        "[dataset.n]\nitems = [1, 2, 3, 4]\n\
         [dataset.p]\nfrom = 'n'\non_failure = 'skip'\nfailed = 'target/small'\n{allowed}\n\
         pipe = 'read i; echo $i >> target/examples/made; \
         if grep -qx $i target/examples/bad; then echo no $i >&2; exit 3; fi; echo done $i'\n\
         [dataset.c]\nfrom = 'p'\ncount_by_key = {{ partitions = 1 }}\n\
         [[action]]\nsave = 'p'\nto = 'target/examples/s'\n\
         [[action]]\ncollect = 'c'\n[[action]]\ncount = 'p'\n"
    ))
}

fn lines_of(job: &Job, file: &str) -> Vec<String> {
    let text = fs::read_to_string(job.out().join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn items_that_fail_are_left_out_and_the_same_command_makes_only_them() {
    for master in ["local[2]", CLUSTER] {
        let job = sweep("");
        fs::create_dir_all(job.out()).expect("made");
        fs::write(job.out().join("bad"), "2\n4\n").expect("written");
        let arguments = ["--master", master, "--json"];
        let ended = job.run(&arguments);
        let stderr = ended.stderr();
        assert_eq!(ended.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("p: 2 of 4 items failed:\n  2: "),
            "{stderr}"
        );
        let told = "2 of 4 items of `p` failed, and `allow_failures` is 0: they are in";
        assert!(stderr.contains(told), "{stderr}");
        // What was finished counts; what was made of all together does not.
        assert_eq!(ended.results["stdout"], ["count of p: 2"], "{stderr}");
        let status = |index: usize| ended.summary()["jobs"][index]["status"].clone();
        assert_eq!([status(0), status(1)], ["succeeded", "failed"]);
        let left_out = &ended.summary()["left_out"][0];
        assert_eq!(
            (&left_out["dataset"], &left_out["of"]),
            (&"p".into(), &4.into())
        );
        assert_eq!(left_out["items"][1]["item"], "4");
        assert_eq!(saved(&ended.results, "s"), ["done 1", "done 3"]);
        assert!(!ended.results.contains_key("s/_SUCCESS"), "{master}");
        assert!(!ended.results.contains_key("s/part-00001"), "{master}");
        let failed = job.folder().join("small");
        let text = |name: &str| fs::read_to_string(failed.join(name)).expect("it is there");
        assert_eq!(text("items"), "2\n4\n");
        assert!(
            text("stderr-00001").contains("no 2"),
            "{}",
            text("stderr-00001")
        );
        // Four is mended, and nothing else of the save is made again.
        fs::write(job.out().join("bad"), "2\n").expect("written");
        fs::remove_file(job.out().join("made")).expect("removed");
        let ended = job.run(&arguments);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
        assert_eq!(saved(&ended.results, "s"), ["done 1", "done 3", "done 4"]);
        assert_eq!(text("items"), "2\n");
        assert!(!failed.join("stderr-00003").exists());
        fs::write(job.out().join("bad"), "").expect("written");
        let ended = job.run(&arguments).succeeded();
        assert_eq!(saved(&ended.results, "s").len(), 4);
        assert!(ended.results.contains_key("s/_SUCCESS"), "{master}");
        assert_eq!(text("items"), "");
    }
}

#[test]
fn a_save_that_is_gone_on_with_makes_only_what_is_missing() {
    let job = Job::new(
        "[dataset.n]\nitems = [1, 2, 3]\n[dataset.p]\nfrom = 'n'\non_failure = 'skip'\n\
         pipe = 'read i; echo $i >> target/examples/made; [ $i != 2 ] || [ -e target/examples/good ]; echo $i'\n\
         [[action]]\nsave = 'p'\nto = 'target/examples/s'\n",
    );
    let job_file = job_file(&job);
    let text = fs::read_to_string(&job_file).expect("there");
    fs::write(
        &job_file,
        text.replace("pipe = 'read", "pipe = 'set -e; read"),
    )
    .expect("written");
    fs::create_dir_all(job.out()).expect("made");
    let arguments = ["--master", "local[1]"];
    assert_eq!(job.run(&arguments).code(), Some(1));
    assert_eq!(lines_of(&job, "made"), ["1", "2", "3"]);
    fs::write(job.out().join("good"), "").expect("written");
    let ended = job.run(&arguments).succeeded();
    assert_eq!(lines_of(&job, "made"), ["1", "2", "3", "2"]);
    assert_eq!(saved(&ended.results, "s"), ["1", "2", "3"]);
}

#[test]
fn as_many_items_may_fail_as_are_allowed() {
    let job = sweep("allow_failures = 2");
    fs::create_dir_all(job.out()).expect("made");
    fs::write(job.out().join("bad"), "2\n4\n").expect("written");
    let ended = job.run(&["--master", CLUSTER]).succeeded();
    assert_eq!(
        ended.results["stdout"],
        ["collect of c:", "count of p: 2", "done 1\t1", "done 3\t1"]
    );
    assert!(ended.results.contains_key("s/_SUCCESS"));
    assert_eq!(saved(&ended.results, "s"), ["done 1", "done 3"]);
}

#[test]
fn an_item_that_kills_its_executor_is_left_out_too() {
    let job = Job::new(
        "[dataset.n]\nitems = [1, 2, 3]\n[dataset.p]\nfrom = 'n'\non_failure = 'skip'\nallow_failures = 1\n\
         pipe = 'read i; if [ $i = 2 ]; then kill -9 $PPID; sleep 9; fi; echo $i'\n\
         [[action]]\ncollect = 'p'\n",
    );
    let ended = job.run(&["--master", CLUSTER]).succeeded();
    assert_eq!(ended.results["stdout"], ["1", "3"]);
    assert!(
        ended.stderr().contains("p: 1 of 3 items failed"),
        "{}",
        ended.stderr()
    );
}

/// A job whose one task does `how` to its executor, and one that did nothing.
fn poisoned(how: &str) -> Job {
    Job::new(&format!(
        "[dataset.bad]\nitems = ['x']\n[dataset.poison]\nfrom = 'bad'\npipe = '{how}'\n\
         [dataset.good]\nrange = {{ end = 40, partitions = 40 }}\n\
         [dataset.slow]\nfrom = 'good'\npipe = 'cat; sleep 0.1'\n\
         [[action]]\ncount = 'poison'\n[[action]]\ncount = 'slow'\n"
    ))
}

#[test]
fn a_task_that_kills_its_executor_fails_its_job_and_no_other() {
    for (how, words) in [
        ("kill -9 $PPID", "killed by signal 9 (SIGKILL"),
        // The first one only takes the handler of Rust's runtime away.
        (
            "kill -SEGV $PPID; sleep 0.1; kill -SEGV $PPID; sleep 9",
            "crashed with signal 11 (SIGSEGV",
        ),
        (
            "kill -TERM $PPID; sleep 9",
            "told to end by signal 15 (SIGTERM)",
        ),
    ] {
        let arguments = ["--master", CLUSTER, "--json"];
        let ended = poisoned(how).run(&arguments);
        only_the_poisoned_job_failed(&ended, words);
    }
}

#[test]
fn outputs_go_when_the_last_job_that_reads_them_has_ended() {
    // The second job waits until it has seen the first one's outputs, and then
    // until they are gone; the first one ends once they were seen.
    let until = |test: &str| {
        format!("n=0; until {test}; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.05; done")
    };
    let files = "\"$(find \"$TMPDIR\" -name \"shuffle_0_*.index\" 2>/dev/null)\"";
    let text = format!(
        "[dataset.n]\nrange = {{ end = 100, partitions = 4 }}\n\
         [dataset.d]\nfrom = 'n'\ndistinct = {{ partitions = 2 }}\n\
         [dataset.w]\nfrom = 'd'\npipe = '''cat; {}'''\n\
         [dataset.i]\nitems = [1]\n\
         [dataset.s]\nfrom = 'i'\npipe = '''cat; {}; touch target/examples/seen; {}'''\n\
         [[action]]\ncount = 'w'\n[[action]]\ncount = 's'\n",
        until("[ -e target/examples/seen ]"),
        until(&format!("[ -n {files} ]")),
        until(&format!("[ -z {files} ]")),
    );
    for master in ["local[3]", CLUSTER] {
        let job = Job::new(&text);
        fs::create_dir_all(job.out()).expect("made");
        let arguments = ["--master", master, "--conf", "spark.task.maxFailures=1"];
        let ended = job.run(&arguments).succeeded();
        assert_eq!(
            ended.results["stdout"],
            ["count of s: 1", "count of w: 100"],
            "{master}"
        );
    }
}

#[test]
fn exclusion_keeps_no_job_from_the_only_host_for_what_another_one_did() {
    let exclusion = ["-c", "spark.excludeOnFailure.enabled=true"];
    let arguments = ["--master", "local-cluster[1,4,512]", "--json"];
    let ended = poisoned("kill -9 $PPID").run(&[&arguments[..], &exclusion].concat());
    only_the_poisoned_job_failed(&ended, "killed by signal 9 (SIGKILL");
}

/// The first job failed after four attempts, with these words, and the second did not.
fn only_the_poisoned_job_failed(ended: &jobs::Ended, words: &str) {
    let stderr = ended.stderr();
    assert_eq!(ended.code(), Some(1), "{stderr}");
    assert!(stderr.contains("failed 4 times"), "{stderr}");
    assert!(stderr.contains(words), "{stderr}");
    let summary = ended.summary();
    assert_eq!(summary["jobs"][0]["status"], "failed", "{stderr}");
    assert_eq!(summary["jobs"][0]["failed_attempts"], 4, "{stderr}");
    assert_eq!(summary["jobs"][1]["status"], "succeeded", "{stderr}");
    assert_eq!(ended.results["stdout"], ["count of slow: 40"]);
}

#[test]
fn a_sort_makes_its_input_once() {
    let text = "[dataset.n]\nrange = { end = 1000, partitions = 5 }\n\
         [dataset.p]\nfrom = 'n'\npipe = 'echo once >> target/examples/made; cat'\n\
         [dataset.s]\nfrom = 'p'\nsort = { by = 'line', numeric = true, partitions = 3 }\n\
         [[action]]\nsave = 's'\nto = 'target/examples/s'\n";
    let expected: Vec<_> = (0..1000).map(|it| it.to_string()).collect();
    for master in ["local[2]", CLUSTER] {
        let job = Job::new(text);
        fs::create_dir_all(job.out()).expect("made");
        let _ = job.run(&["--master", master]).succeeded();
        let made = fs::read_to_string(job.out().join("made")).expect("its input was made");
        assert_eq!(made.lines().count(), 5, "{master}");
        let mut lines = Vec::new();
        for part in 0..3 {
            let part = job.out().join(format!("s/part-{part:05}"));
            let text = fs::read_to_string(part).expect("saved");
            lines.extend(text.lines().map(str::to_owned));
        }
        assert_eq!(lines, expected, "{master}");
    }
}

#[test]
fn actions_that_share_a_persisted_dataset_make_it_once() {
    let text = "[dataset.n]\nrange = { end = 1000, partitions = 20 }\n\
         [dataset.p]\nfrom = 'n'\npersist = true\n\
         pipe = 'echo once >> target/examples/made; sleep 0.02; cat'\n\
         [dataset.f]\nfrom = 'p'\nfilter = '7'\n\
         [dataset.c]\nfrom = 'p'\ncount_by_key = { partitions = 2 }\n\
         [[action]]\ncount = 'p'\n[[action]]\ncount = 'f'\n[[action]]\ncount = 'c'\n";
    // There is room for all tasks at once.
    for master in ["local[64]", "local-cluster[2,32,2048]"] {
        let job = Job::new(text);
        fs::create_dir_all(job.out()).expect("made");
        let ended = job.run(&["--master", master]).succeeded();
        let told = ["count of c: 1000", "count of f: 271", "count of p: 1000"];
        assert_eq!(ended.results["stdout"], told, "{master}");
        let made = fs::read_to_string(job.out().join("made")).expect("it was made");
        assert_eq!(made.lines().count(), 20, "{master}");
    }
}

/// Parents of every kind: commands, a shuffle, what is kept, and a union of these.
#[test]
fn coalesced_partitions_are_read_one_after_the_other() {
    let text = "[dataset.n]\nrange = { end = 1000, partitions = 10 }\n\
         [dataset.p]\nfrom = 'n'\n\
         pipe = 'm=target/examples/made; echo begin $MESQUITE_PARTITION >> $m; cat; \
         echo end $MESQUITE_PARTITION >> $m'\n\
         [dataset.k]\nfrom = 'p'\nfilter = '.'\npersist = true\n\
         [dataset.c]\nfrom = 'k'\ncoalesce = 1\n\
         [dataset.s]\nfrom = 'n'\nsort = { numeric = true, partitions = 7 }\n\
         [dataset.u]\nunion = ['s', 'c', 'k']\n\
         [dataset.f]\nfrom = 'u'\ncoalesce = 4\n\
         [dataset.o]\nfrom = 'f'\ncoalesce = 1\n\
         [dataset.d]\nfrom = 'o'\ncount_by_key = { partitions = 3 }\n\
         [[action]]\nname = 'first'\nsave = 'c'\nto = 'target/examples/c'\n\
         [[action]]\nname = 'second'\nafter = ['first']\nsave = 'f'\nto = 'target/examples/f'\n\
         [[action]]\nafter = ['second']\ncount = 'd'\n\
         [dataset.q]\nfrom = 'n'\npipe = 'cat; echo $MESQUITE_PARTITION >> target/examples/told'\n\
         [dataset.g]\nfrom = 'q'\ncoalesce = 7\n[[action]]\ncount = 'g'\n";
    let numbers: Vec<_> = (0..1000).map(|it| it.to_string()).collect();
    let turns = (0..10).flat_map(|it| [format!("begin {it}"), format!("end {it}")]);
    let turns: Vec<_> = turns.collect();
    for master in ["local[2]", CLUSTER] {
        let job = Job::new(text);
        fs::create_dir_all(job.out()).expect("made");
        let ended = job.run(&["--master", master]).succeeded();
        let counts = ["count of d: 1000", "count of g: 1000"];
        assert_eq!(ended.results["stdout"], counts, "{master}");
        // Also where a group has one partition, of another number.
        let mut told = lines_of(&job, "told");
        told.sort();
        assert_eq!(told, numbers[..10], "{master}");
        // One task ran all commands, in turn, and kept what each partition came to.
        assert_eq!(lines_of(&job, "made"), turns, "{master}");
        assert_eq!(lines_of(&job, "c/part-00000"), numbers, "{master}");
        let parts = (0..4).map(|part| lines_of(&job, &format!("f/part-{part:05}")));
        let parts: Vec<_> = parts.collect();
        assert_eq!(parts.concat(), [&numbers[..]; 3].concat(), "{master}");
        assert!(parts.iter().all(|it| !it.is_empty()), "{master}");
    }
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
    for limit in ["10b", "0"] {
        let small = format!("spark.task.maxDirectResultSize={limit}");
        let ended = job.run(&["--master", CLUSTER, "--conf", &small]);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
        assert_eq!(ended.results["stdout"].len(), 1000);
    }
}

/// Where they are is put together of what an executor and its launch say.
#[test]
fn executors_of_one_host_read_each_others_blocks_from_its_disk() {
    let job = Job::new(
        "[dataset.a]\nrange = { end = 1000, partitions = 4 }\n[dataset.b]\nfrom = 'a'\n\
         count_by_key = { partitions = 4 }\n[[action]]\ncount = 'b'\n",
    );
    let told = job.run(&["--master", CLUSTER]).succeeded().stderr();
    assert!(told.contains(" shuffled"), "{told}");
    assert!(!told.contains("over the network"), "{told}");
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

/// A job of one command, run in several partitions.
fn piped(partitions: u32, command: &str) -> Job {
    Job::new(&format!(
        "[dataset.a]\nrange = {{ end = {partitions}, partitions = {partitions} }}\n\
         [dataset.words]\nfrom = 'a'\npipe = '''{command}'''\n[[action]]\ncount = 'words'\n"
    ))
}

#[test]
fn every_line_that_a_command_says_tells_whose_it_is_and_many_are_counted() {
    let job = piped(2, "printf 'bell \\a\n' >&2; seq 100 >&2; cat");
    for master in ["local[2]", CLUSTER] {
        let ended = job.run(&["--master", master]).succeeded();
        let stderr = ended.stderr();
        let said = |text: &str| stderr.lines().filter(|line| line.contains(text)).count();
        assert_eq!(said("pipe of `words` (stage 0, partition "), 40, "{stderr}");
        assert!(said("): bell \\u{7}") > 0, "{stderr}");
        assert_eq!(said("is only counted"), 1, "{stderr}");
        let rest = "162 more lines of its commands' stderr not shown";
        assert_eq!(said(rest), 1, "{stderr}");
        assert!(!stderr.contains('\u{7}'), "{stderr}");
        let quiet = job.run(&["--master", master, "-q"]).succeeded();
        assert_eq!(quiet.stderr(), "");
    }
}

#[test]
fn one_cause_of_all_partitions_is_told_once() {
    let job = piped(8, "echo no luck >&2; exit 3");
    for master in ["local[4]", CLUSTER] {
        for quiet in ["-q", "-qq"] {
            let ended = job.run(&["--master", master, quiet]);
            let stderr = ended.stderr();
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(
                stderr.starts_with("error: count of `words` failed"),
                "{stderr}"
            );
        }
        let stderr = job.run(&["--master", master]).stderr();
        let told = |text: &str| stderr.lines().filter(|line| line.contains(text)).count();
        assert_eq!(told("warning: task "), 1, "{stderr}");
        assert_eq!(told("its stderr ends with: no luck"), 2, "{stderr}");
    }
}

#[test]
fn a_job_says_how_often_its_task_failed() {
    let job = piped(1, "exit 3");
    for (arguments, words, attempts) in [
        (&["--master", "local[2]"][..], "failed once,", 1),
        (
            &["--master", "local[2]", "-c", "spark.task.maxFailures=4"],
            "failed 4 times,",
            4,
        ),
        (&["--master", "local[2,3]"], "failed 3 times,", 3),
        (&["--master", CLUSTER], "failed 4 times,", 4),
        (
            &["--master", CLUSTER, "-c", "spark.task.maxFailures=1"],
            "failed once,",
            1,
        ),
    ] {
        let ended = job.run(&[arguments, &["--json"]].concat());
        let (stderr, summary) = (ended.stderr(), ended.summary());
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        assert_eq!(summary["jobs"][0]["attempts"], attempts, "{stderr}");
        assert_eq!(summary["jobs"][0]["failed_attempts"], attempts, "{stderr}");
    }
}

#[test]
fn the_time_of_a_run_is_the_whole_time() {
    let clock = SystemClock::start();
    let ended = piped(1, "cat").run(&["--json"]).succeeded();
    let most = clock.now().since_start().as_secs_f64();
    let summary = ended.summary();
    let seconds = |of: &serde_json::Value, name: &str| of[name].as_f64().expect("a number");
    let job = &summary["jobs"][0];
    let least = seconds(job, "submitted_seconds") + seconds(job, "seconds");
    let all = seconds(&summary, "seconds");
    assert!(least <= all && all <= most, "{least} {all} {most}");
}

#[test]
fn an_executor_has_a_thread_for_each_task_that_fits() {
    // A thread that one of them starts has its name until it has one of its own. Other
    // threads may end while their names are read.
    let names = "{ cat /proc/$PPID/task/*/comm || true; } | grep '^task-' | sort -u";
    let job = piped(1, names);
    for master in ["local[4]", "local-cluster[1,4,512]"] {
        let arguments = ["--master", master, "-c", "spark.task.cpus=2"];
        let ended = job.run(&arguments).succeeded();
        assert_eq!(ended.results["stdout"], ["2"], "{master}");
    }
}

#[test]
fn a_run_that_does_not_begin_tells_programs_why() {
    let job = Job::new("[dataset.a]\nitems = [1]\nfrom = 'b'\n[[action]]\ncount = 'a'\n");
    let ended = job.run(&["--json"]);
    assert_eq!(ended.code(), Some(2));
    let summary = ended.summary();
    assert_eq!(summary["exit_code"], 2);
    assert_eq!(summary["status"], "failed");
    let error = summary["error"].as_str().expect("a text");
    assert!(
        error.contains(":3:8: dataset `a` cannot have `from`"),
        "{error}"
    );
    assert!(ended.stderr().starts_with("error: "), "{}", ended.stderr());

    let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\n");
    let ended = job.run(&["--json", "-c", "spark.authenticate.secret=x"]);
    assert_eq!(ended.code(), Some(2));
    let error = ended.summary()["error"].to_string();
    assert!(error.contains("spark.authenticate.secret"), "{error}");
    let ended = job.run(&["--json", "--nosuch"]);
    assert_eq!(ended.code(), Some(2));
    assert_eq!(ended.summary()["exit_code"], 2);
    let ended = job.run(&[
        "--json",
        "--master",
        "mesos://127.0.0.1:1",
        "-c",
        "mesquite.mesos.registrationTimeout=1ms",
    ]);
    assert_eq!(ended.code(), Some(3));
    assert_eq!(ended.summary()["exit_code"], 3);
    let ended = job.run(&["--json"]).succeeded();
    assert_eq!(ended.summary()["exit_code"], 0);
    assert_eq!(ended.summary()["error"], serde_json::Value::Null);
}

#[test]
fn as_many_operations_in_a_row_as_may_be_work() {
    use std::fmt::Write as _;
    let mut text = String::from("[dataset.d1]\nitems = ['a']\n");
    for at in 2..=1000 {
        write!(
            text,
            "[dataset.d{at}]\nfrom = 'd{}'\nfilter = 'a'\n",
            at - 1
        )
        .expect("a string");
    }
    text.push_str("[[action]]\ncount = 'd1000'\n");
    let ended = Job::new(&text).run(&[]).succeeded();
    assert_eq!(ended.results["stdout"], ["1"]);
}

#[test]
fn a_pools_file_with_mistakes_is_refused_with_its_name_and_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let pools = folder.path().join("fair.xml");
    fs::write(
        &pools,
        "<allocations>\n<pool name=\"a\"><schedulingMode>FAIRR</schedulingMode>\n\
         <weight>0</weight></pool></allocations>",
    )
    .expect("written");
    let setting = format!("spark.scheduler.allocation.file={}", pools.display());
    let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\npool = 'b'\n");
    let ended = job.run(&["-c", &setting, "-c", "spark.scheduler.mode=FAIR"]);
    assert_eq!(ended.code(), Some(2));
    for part in [
        "fair.xml:2:",
        "is `FAIRR`",
        "fair.xml:3:",
        "is `0`",
        "from 1 to",
    ] {
        assert!(
            ended.stderr().contains(part),
            "{part} is not in {}",
            ended.stderr()
        );
    }
    fs::write(&pools, "<allocations/>").expect("written");
    let ended = job.run(&["-c", &setting]).succeeded();
    for part in [
        ":5: `pool = \"b\"` has no effect",
        "spark.scheduler.allocation.file",
    ] {
        assert!(
            ended.stderr().contains(part),
            "{part} is not in {}",
            ended.stderr()
        );
    }
    let ended = job
        .run(&["-c", &setting, "-c", "spark.scheduler.mode=FAIR"])
        .succeeded();
    assert!(ended.stderr().contains("pool \"b\""), "{}", ended.stderr());
}

#[test]
fn what_a_file_writes_it_does_not_read() {
    let job = Job::new(
        "[dataset.a]\ntext = ['target/examples']\n[[action]]\nsave = 'a'\nto = 'target/examples/out'\n",
    );
    fs::create_dir_all(job.out()).expect("made");
    fs::write(job.out().join("in.txt"), "x\n").expect("written");
    let ended = job.run(&[]);
    assert_eq!(ended.code(), Some(2));
    assert!(
        ended
            .stderr()
            .contains("reads what an action of this file saves"),
        "{}",
        ended.stderr()
    );
    assert!(!job.out().join("out").exists());
}
