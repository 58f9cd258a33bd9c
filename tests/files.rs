//! Files and folders, from outside: what a save may replace, what a run that is
//! ended leaves, and what inputs there are.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/jobs.rs"]
mod jobs;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use jobs::Job;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CLUSTER: &str = "local-cluster[2,2,512]";

/// All that is below a folder, by its path in there.
fn all_below(folder: &Path) -> Vec<String> {
    let mut to_visit = vec![folder.to_owned()];
    let mut names = Vec::new();
    while let Some(at) = to_visit.pop() {
        for entry in fs::read_dir(at).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("below").to_owned();
            names.push(name.to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                to_visit.push(path);
            }
        }
    }
    names.sort();
    names
}

fn saving(to: &str) -> Job {
    Job::new(&format!(
        "[dataset.a]\nitems = [1]\n[[action]]\nsave = 'a'\nto = '{to}'\noverwrite = true\n"
    ))
}

#[test]
fn overwriting_never_removes_what_no_save_wrote() {
    // The working folder, by whatever name; one around it; home; and the root.
    for to in [".", "sub/..", "LINK", "..", "HOME", "/"] {
        let job = saving("PLACE");
        let here = job.folder().join("work");
        fs::create_dir_all(here.join("sub")).expect("made");
        fs::write(here.join("precious"), "x").expect("written");
        symlink(&here, job.folder().join("link")).expect("linked");
        let file = job.folder().join("job.toml");
        let text = fs::read_to_string(&file).expect("there");
        let link = job.folder().join("link");
        let place = to
            .replace("LINK", &link.to_string_lossy())
            .replace("HOME", &job.folder().to_string_lossy());
        fs::write(&file, text.replace("PLACE", &place)).expect("written");
        let before = all_below(job.folder());
        let mut command = job.command_in(&here, &[]);
        let output = command.env("HOME", job.folder()).output().expect("runs");
        let ended = job.ended(output);
        assert_eq!(ended.code(), Some(2), "{to}: {}", ended.stderr());
        let stderr = ended.stderr();
        assert!(stderr.contains("cannot be overwritten"), "{to}: {stderr}");
        assert_eq!(all_below(job.folder()), before, "{to}");
    }
}

#[test]
fn overwriting_spares_inputs_and_strangers_files() {
    let job = Job::new(
        "[dataset.a]\ntext = ['target/examples/data/in.txt']\n\
         [[action]]\nsave = 'a'\nto = 'target/examples/data'\noverwrite = true\n",
    );
    let data = job.out().join("data");
    fs::create_dir_all(&data).expect("made");
    fs::write(data.join("in.txt"), "a\n").expect("written");
    let ended = job.run(&[]);
    assert_eq!(ended.code(), Some(2));
    let stderr = ended.stderr();
    assert!(
        stderr.contains("reads what an action of this file saves"),
        "{stderr}"
    );
    assert!(data.join("in.txt").exists());
    let job = saving("target/examples/data");
    let data = job.out().join("data");
    fs::create_dir_all(&data).expect("made");
    fs::write(data.join("notes"), "a\n").expect("written");
    for _ in 0..2 {
        let ended = job.run(&[]);
        assert_eq!(ended.code(), Some(2));
        assert!(ended.stderr().contains("`notes`"), "{}", ended.stderr());
        assert_eq!(all_below(&data), ["notes"]);
    }
    fs::remove_file(data.join("notes")).expect("removed");
    for _ in 0..2 {
        job.run(&[]).succeeded();
        assert_eq!(all_below(&data), ["_SUCCESS", "part-00000"]);
    }
}

#[test]
fn two_saves_to_one_folder_are_told_however_it_is_called() {
    let job = Job::new(
        "[dataset.a]\nitems = [1]\n[[action]]\nsave = 'a'\nto = 'target/examples/a/b'\n\
         [[action]]\nsave = 'a'\nto = 'target/examples/link'\n",
    );
    fs::create_dir_all(job.out().join("a")).expect("made");
    symlink(job.out().join("a"), job.out().join("link")).expect("linked");
    let ended = job.run(&[]);
    assert_eq!(ended.code(), Some(2));
    let stderr = ended.stderr();
    assert!(stderr.contains("to which another action saves"), "{stderr}");
    assert_eq!(all_below(&job.out()), ["a", "link"]);
}

#[test]
fn places_that_nothing_can_be_saved_to_are_refused_with_words() {
    for (to, part) in [
        ("file://host/x", "`host`"),
        ("https://host/x", "cannot save to"),
        ("hdfs://host/x", "URLs that begin with s3, gs, az or abfss"),
        ("s3:///x", "has no bucket"),
    ] {
        let job = saving(to);
        let output = job.command_in(job.folder(), &[]).output().expect("runs");
        let ended = job.ended(output);
        assert_eq!(ended.code(), Some(2), "{to}");
        assert!(ended.stderr().contains(part), "{to}: {}", ended.stderr());
        assert_eq!(all_below(job.folder()), ["job.toml"], "{to}");
    }
    let job = saving("file://target/examples/with%20space");
    job.run(&[]).succeeded();
    assert!(job.out().join("with space/_SUCCESS").exists());
}

/// A job whose first stage takes its time, and whose save comes after a sort.
fn slow_sort() -> Job {
    Job::new(
        "[dataset.a]\nitems = [1, 2, 3, 4]\n[dataset.b]\nfrom = 'a'\n\
         pipe = 'cat; echo $$ > target/small/$MESQUITE_PARTITION; exec sleep 1000'\n\
         [dataset.c]\nfrom = 'b'\nsort = { by = 'key', partitions = 2 }\n\
         [[action]]\nsave = 'c'\nto = 'target/examples/c'\n",
    )
}

/// Starts it, and waits until its commands run; their processes.
fn started(job: &Job, master: &str) -> (std::process::Child, Vec<i32>) {
    let small = job.folder().join("small");
    fs::create_dir_all(&small).expect("made");
    let mut child = job.start(&["--master", master]);
    loop {
        let commands: Vec<i32> = (0..2)
            .filter_map(|it| fs::read_to_string(small.join(it.to_string())).ok())
            .filter_map(|text| text.trim().parse().ok())
            .collect();
        if commands.len() == 2 {
            return (child, commands);
        }
        if let Some(status) = child.try_wait().expect("a child") {
            panic!("it ended: {status}");
        }
        std::thread::yield_now();
    }
}

fn is_there(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Work folders and outputs that are left.
fn left(job: &Job) -> Vec<String> {
    let all = all_below(job.folder()).into_iter();
    all.filter(|it| it.starts_with("mesquite-") || it.starts_with("out/c"))
        .collect()
}

#[test]
fn every_wish_to_end_leaves_nothing_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for master in ["local[2]", CLUSTER] {
            let job = slow_sort();
            let (child, commands) = started(&job, master);
            let driver = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
            kill(driver, signal).expect("sent");
            let ended = job.ended(child.wait_with_output().expect("ended"));
            assert_eq!(ended.code(), Some(130), "{signal} {}", ended.stderr());
            assert_eq!(left(&job), [""; 0], "{signal} on {master}");
            for command in commands {
                assert!(!is_there(command), "{signal} on {master}");
            }
        }
    }
}

#[test]
fn a_terminal_that_closes_does_not_end_what_runs_under_nohup() {
    let job = Job::new(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\npipe = 'cat; kill -HUP $PPID'\n\
         [[action]]\ncollect = 'b'\n",
    );
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_mesquite"))
        .args(["run", "--master", "local[1]"])
        .arg(job.folder().join("job.toml"))
        .env("TMPDIR", job.folder())
        .output()
        .expect("it runs");
    let ended = job.ended(output);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(ended.results["stdout"], ["1"]);
}

#[test]
fn what_a_killed_run_left_is_taken_away_by_the_next() {
    for master in ["local[2]", CLUSTER] {
        let job = slow_sort();
        let (mut child, commands) = started(&job, master);
        let all = all_below(job.folder());
        let folder = all.iter().find(|it| it.starts_with("mesquite-"));
        let folder = job.folder().join(folder.expect("a work folder"));
        // One that lives is left alone by all others, also in its output.
        let other = job.run(&["--master", "local[1]"]);
        assert_eq!(other.code(), Some(2));
        assert!(other.stderr().contains("another run"), "{}", other.stderr());
        assert!(folder.exists());
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(job.out().join("c/_temporary").exists(), "it was killed");
        for command in commands {
            let _ = kill(Pid::from_raw(command), Signal::SIGKILL);
        }
        // The executors of a cluster keep its folder for as long as they live.
        let waiting = [
            "-c",
            "for p; do while [ -e /proc/$p ]; do sleep 0.1; done; done",
            "sh",
        ];
        let executors = executors_of(&folder);
        let executors = executors.iter().map(ToString::to_string);
        Command::new("/bin/sh")
            .args(waiting)
            .args(executors)
            .status()
            .expect("sh");
        let file = job.folder().join("job.toml");
        let text = fs::read_to_string(&file).expect("there");
        fs::write(&file, text.replace("exec sleep 1000", "true")).expect("written");
        job.run(&["--master", "local[2]"]).succeeded();
        let left = left(&job);
        let wanted = [
            "out/c",
            "out/c/_SUCCESS",
            "out/c/part-00000",
            "out/c/part-00001",
        ];
        assert_eq!(left, wanted, "{master}");
    }
}

/// The processes that work in a folder.
fn executors_of(folder: &Path) -> Vec<i32> {
    let wanted = format!("MESQUITE_FOLDER={}", folder.display());
    let all = fs::read_dir("/proc").expect("processes").flatten();
    all.filter_map(|entry| {
        let id = entry.file_name().to_string_lossy().parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let has = environment
            .split(|it| *it == 0)
            .any(|it| it == wanted.as_bytes());
        has.then_some(id)
    })
    .collect()
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing() {
    for (master, what) in [("local[2]", "to"), (CLUSTER, "to"), (CLUSTER, "spread")] {
        let sort = if what == "spread" {
            "repartition = 2"
        } else {
            "filter = '.'"
        };
        let job = Job::new(&format!(
            "[dataset.a]\nrange = {{ end = 2000000, partitions = 2 }}\n\
             [dataset.b]\nfrom = 'a'\n{sort}\n\
             [[action]]\nsave = 'b'\nto = 'target/examples/c'\n"
        ));
        let output = Command::new("/bin/sh")
            .args(["-c", "ulimit -f 1000; exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_mesquite"))
            .args(["run", "--master", master])
            .arg(job.folder().join("job.toml"))
            .env("TMPDIR", job.folder())
            .output()
            .expect("it runs");
        let ended = job.ended(output);
        let stderr = ended.stderr();
        assert_eq!(ended.code(), Some(1), "{what} on {master}: {stderr}");
        assert!(stderr.contains("File too large"), "{stderr}");
        assert_eq!(left(&job), [""; 0], "{what} on {master}");
    }
}

#[test]
fn inputs_that_are_no_files_are_refused_and_those_the_kernel_makes_up_are_read() {
    let count = |input: &str| {
        let job = Job::new(&format!(
            "[dataset.a]\ntext = ['{input}']\n[[action]]\ncount = 'a'\n"
        ));
        nix::unistd::mkfifo(&job.folder().join("pipe"), nix::sys::stat::Mode::S_IRWXU)
            .expect("made");
        let command = job
            .command_in(job.folder(), &["--master", CLUSTER])
            .output();
        job.ended(command.expect("runs"))
    };
    let wanted = fs::read_to_string("/proc/version")
        .expect("there")
        .lines()
        .count();
    let ended = count("/proc/version").succeeded();
    assert_eq!(ended.results["stdout"], [wanted.to_string()]);
    for (input, words) in [
        ("/dev/zero", "a device that has no end"),
        ("pipe", "a named pipe"),
        ("hdfs://host/x", "only files and URLs of file, http"),
    ] {
        let ended = count(input);
        assert_eq!(ended.code(), Some(2), "{input}");
        assert!(
            ended.stderr().contains(words),
            "{input}: {}",
            ended.stderr()
        );
    }
}

#[test]
fn many_small_files_are_few_tasks_and_lose_no_line() {
    let job = Job::new(
        "[dataset.a]\ntext = ['target/small']\nskip_header = true\n[dataset.s]\nfrom = 'a'\nsum_by_key = true\n\
         [[action]]\ncount = 'a'\n[[action]]\ncollect = 's'\n",
    );
    let small = job.folder().join("small");
    fs::create_dir_all(&small).expect("made");
    for file in 0..3_000 {
        let text = format!("header\n{}\t{file}\n", file % 3);
        fs::write(small.join(file.to_string()), text).expect("written");
    }
    for master in ["local[2]", CLUSTER] {
        let arguments = [
            "--master",
            master,
            "--json",
            "--conf",
            "spark.default.parallelism=2",
        ];
        let ended = job.run(&arguments).succeeded();
        let wanted = [
            "0\t1498500",
            "1\t1499500",
            "2\t1500500",
            "collect of s:",
            "count of a: 3000",
        ];
        assert_eq!(ended.results["stdout"], wanted, "{master}");
        let tasks = ended.summary()["jobs"][0]["tasks"].as_u64();
        assert!(tasks.is_some_and(|it| it <= 1_500), "{tasks:?}");
    }
}

#[test]
fn records_go_to_folders_that_are_named_by_their_first_fields() {
    let job = Job::new(
        "[dataset.n]\nrange = { end = 120, partitions = 3 }\n\
         [dataset.k]\nfrom = 'n'\nreplace = { pattern = '^(.*)(.)$', with = \"$2\\t$1:$2\" }\n\
         [[action]]\nsave = 'k'\nto = 'target/examples/x'\noverwrite = true\n\
         partition_by = ['last', 'all']\ncompress = { format = 'zstd', level = 9 }\n\
         [[action]]\nsave = 'k'\nto = 'target/examples/y'\noverwrite = true\npartition_by = ['last']\n",
    );
    for master in ["local[2]", "local-cluster[2,1,512]"] {
        job.run(&["--master", master, "-q"]).succeeded();
        let folders = fs::read_dir(job.out().join("y")).expect("saved").count();
        assert_eq!(folders, 10 + 1, "ten digits and _SUCCESS");
        let mut all: Vec<u32> = Vec::new();
        for partition in 0..3 {
            let part = format!("y/last=7/part-{partition:05}");
            let text = fs::read_to_string(job.out().join(part)).expect("saved");
            all.extend(
                text.lines()
                    .map(|it| it.replace(':', "").parse::<u32>().expect("a number")),
            );
        }
        let wanted: Vec<u32> = (0..120).filter(|it| it % 10 == 7).collect();
        assert_eq!(all, wanted, "{master}");
        let packed = job.out().join("x/last=7/all=4%3A7/part-00001.zst");
        let text = zstd::decode_all(fs::File::open(packed).expect("saved")).expect("zstd");
        assert_eq!(text, b"\n");
    }
}
