//! What commands find around them, by the binary: variables.

#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "support/jobs.rs"]
mod jobs;

use jobs::Job;

/// Where executors are threads, and where they are processes.
const MASTERS: [&str; 2] = ["local[2]", "local-cluster[2,1,512]"];

#[test]
fn variables_come_to_commands_and_the_nearest_counts() {
    let job = Job::new(
        "env = { FILE = 'f', BOTH = 'f', SETTING = 'f' }\n\
         [dataset.items]\nitems = ['x\\ty']\n\
         [dataset.piped]\nfrom = 'items'\nenv = { BOTH = 1.50 }\n\
         pipe = 'echo $FILE $BOTH $SETTING $RUN'\n\
         [dataset.reduced]\nfrom = 'piped'\n\
         reduce_by_key = { pipe = 'cat; echo $FILE $BOTH', partitions = 1 }\n\
         [[action]]\ncollect = 'reduced'\n",
    );
    let settings = [
        "--conf",
        "spark.executorEnv.SETTING=s",
        "--conf",
        "spark.executorEnv.RUN=s",
    ];
    for master in MASTERS {
        let ended = job.run(&[&["--master", master, "-q"], &settings[..]].concat());
        let ended = ended.succeeded();
        let stdout = String::from_utf8_lossy(&ended.output.stdout);
        assert_eq!(stdout, "f 1.50 f s\nf f\n", "{master}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let job = Job::new(
        "env = { API_TOKEN = 'hunter2', PLAIN = 'seen' }\n\
         [dataset.items]\nitems = [1]\n[dataset.piped]\nfrom = 'items'\npipe = 'cat'\n\
         [[action]]\ncount = 'piped'\n",
    );
    let log = job.folder().join("log");
    std::fs::create_dir(&log).expect("made");
    let log_folder = format!("spark.eventLog.dir={}", log.display());
    let settings = [
        "--conf",
        "spark.executorEnv.MY_PASSWORD=hunter2",
        "--conf",
        "spark.executorEnv.OPEN=seen",
        "--conf",
        "spark.eventLog.enabled=true",
        "--conf",
        &log_folder,
    ];
    let mut plan = job.command_in(job.folder(), &settings);
    let told = job.run(&settings).succeeded();
    let mut shown = told.stderr();
    for file in std::fs::read_dir(&log).expect("the log") {
        let text = std::fs::read_to_string(file.expect("one").path()).expect("text");
        assert!(text.contains("spark.executorEnv.OPEN") && text.contains("MY_PASSWORD"));
        shown.push_str(&text);
    }
    let arguments: Vec<_> = plan.get_args().map(std::ffi::OsStr::to_owned).collect();
    plan = std::process::Command::new(env!("CARGO_BIN_EXE_mesquite"));
    plan.arg("plan").args(&arguments[1..]);
    let plan = plan.output().expect("a plan");
    let plan = String::from_utf8_lossy(&plan.stdout);
    for part in [
        "API_TOKEN=***",
        "MY_PASSWORD=***",
        "PLAIN=seen",
        "OPEN=seen",
    ] {
        assert!(plan.contains(part), "{part} is not in {plan}");
    }
    assert!(!(shown + &plan).contains("hunter2"));
}
