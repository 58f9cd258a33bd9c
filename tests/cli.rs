//! The binary from outside: what it prints where, and its exit codes.

use std::fs;
use std::process::{Command, Output, Stdio};

/// Runs the binary with these arguments, and with nothing of this process's
/// environment but what is given.
fn mesquite_with(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn mesquite(arguments: &[&str]) -> Output {
    mesquite_with(&[], arguments)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn without_arguments_it_helps_and_exits_2() {
    let output = mesquite(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("Usage: mesquite"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn help_and_version_are_results() {
    let output = mesquite(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains("Exit codes:"),
        "{}",
        stdout(&output)
    );
    let output = mesquite(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        concat!("mesquite ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn bad_usage_exits_2_and_says_what_is_wrong() {
    for (arguments, expected) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["conf", "--frobnicate"], "--frobnicate"),
        (&["conf", "--conf", "spark.mesos.coarse"], "KEY=VALUE"),
        (&["conf", "-q", "-v"], "--verbose"),
    ] {
        let output = mesquite(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn an_unknown_property_names_the_nearest_one() {
    let output = mesquite(&["conf", "--conf", "spark.mesos.corse=true"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert_eq!(
        stderr(&output),
        "error: unknown property spark.mesos.corse (command line, --conf); \
         did you mean spark.mesos.coarse?\n"
    );
}

#[test]
fn a_master_that_is_not_supported_exits_2_and_says_what_is() {
    for master in ["yarn", "spark://host:7077"] {
        let output = mesquite(&["conf", "--master", master]);
        assert_eq!(output.status.code(), Some(2));
        let message = stderr(&output);
        assert!(
            message.contains(master) && message.contains("mesos://host:port"),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("defaults.conf");
    let text = "spark.master mesos://me:hunter2@h\n\nspark.task.cpus\tnone\nspark.yarn.queue a\n";
    fs::write(&path, text).expect("written");
    let path = path.to_str().expect("text");
    let output = mesquite(&[
        "conf",
        "--properties-file",
        path,
        "-c",
        "spark.executor.cores=x",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    assert_eq!(message.matches("error: ").count(), 3, "{message}");
    assert!(message.contains("defaults.conf line 3"), "{message}");
    assert!(message.contains("defaults.conf line 1"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_properties_file_that_is_not_there_exits_2() {
    let output = mesquite(&["conf", "--properties-file", "/nowhere/defaults.conf"]);
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    assert!(
        message.starts_with("error: cannot read /nowhere/defaults.conf: "),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn a_property_without_meaning_here_is_a_warning_unless_quiet() {
    let arguments = [
        "conf",
        "--conf",
        "spark.driver.extraJavaOptions=-Xmx1g",
        "coarse",
    ];
    let output = mesquite(&arguments);
    assert_eq!(output.status.code(), Some(0));
    let message = stderr(&output);
    assert!(message.contains("WARN spark.driver.extraJavaOptions (command line, --conf) has no effect: it is for the JVM"), "{message}");
    assert!(!message.contains('\u{1b}'), "no colour in a pipe");
    for (environment, arguments) in [(&[][..], &["-qq"][..]), (&[("MESQUITE_LOG", "off")], &[])] {
        let arguments: Vec<&str> =
            [&["conf", "coarse", "-c", "spark.yarn.queue=a"], arguments].concat();
        let output = mesquite_with(environment, &arguments);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_log_filter_that_is_none_exits_2() {
    let output = mesquite_with(&[("MESQUITE_LOG", "mesquite=loud")], &["conf"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with("error: MESQUITE_LOG is not a filter"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn conf_lists_every_property_and_filters_by_text() {
    let output = mesquite(&["conf"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "");
    let all = stdout(&output);
    assert!(
        all.contains("\nspark.mesos.coarse\n    boolean; default: true\n"),
        "{all}"
    );

    let output = mesquite(&["conf", "WEBUI"]);
    let some = stdout(&output);
    assert!(some.contains("\nspark.mesos.driver.webui.url\n"), "{some}");
    assert!(!some.contains("spark.mesos.coarse"), "{some}");

    let output = mesquite(&["conf", "no such text"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("`no such text`"));
}

#[test]
fn conf_shows_what_is_set_and_where() {
    let output = mesquite_with(
        &[
            ("SPARK_MESOS_PRINCIPAL", "me"),
            ("SPARK_MESOS_SECRET", "hunter2"),
        ],
        &[
            "conf",
            "spark.",
            "--master",
            "zk://u:hunter2@h/mesos",
            "-c",
            "spark.mesos.role=eng",
        ],
    );
    assert_eq!(output.status.code(), Some(0));
    let page = stdout(&output);
    for expected in [
        "    set to: zk://u:***@h:2181/mesos (command line, --master)\n",
        "    set to: eng (command line, --conf)\n",
        "    set to: me (environment variable SPARK_MESOS_PRINCIPAL)\n",
        "    set to: *** (environment variable SPARK_MESOS_SECRET)\n",
    ] {
        assert!(page.contains(expected), "{expected}\n--\n{page}");
    }
    assert!(!page.contains("hunter2"), "{page}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(["conf", "--markdown"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_document_of_properties_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let written = fs::read_to_string(path).expect("docs/configuration.md");
    let output = mesquite(&["conf", "--markdown"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output) == written,
        "docs/configuration.md is out of date: \
         cargo run -- conf --markdown > docs/configuration.md"
    );
}

/// Runs `check` with a short time limit and gives its exit code and the one
/// line that it has to say.
fn failed_check(arguments: &[&str]) -> (Option<i32>, String) {
    let limit = "mesquite.mesos.registrationTimeout=300ms";
    let output = mesquite(&[&["check", "--conf", limit], arguments].concat());
    assert_eq!(stdout(&output), "");
    let said = stderr(&output).to_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    (output.status.code(), said)
}

#[test]
fn a_check_without_a_master_exits_3_in_one_clear_line() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = format!("mesos://{}", silent.local_addr().expect("its address"));
    for (master, expected) in [
        ("mesos://127.0.0.1:1", "Connection refused"),
        ("mesos://127.0.0.1:1,127.0.0.1:2", "Connection refused"),
        ("https://127.0.0.1:1", "Connection refused"),
        ("zk://127.0.0.1:1/mesos", "ZooKeeper at 127.0.0.1:1"),
        ("mesos://no-such-host.invalid:5050", "no-such-host.invalid"),
        (&silent, "no success within 300ms"),
    ] {
        let (code, said) = failed_check(&["--master", master]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(
            said.starts_with("error: cannot register with Mesos"),
            "{said}"
        );
    }
}

#[test]
fn a_secret_that_others_can_read_on_the_way_is_warned_of_once() {
    let check = |master: &str, more: &[&str]| {
        let mut arguments = vec!["check", "--master", master];
        for setting in [
            "mesquite.mesos.registrationTimeout=300ms",
            "spark.mesos.principal=me",
            "spark.mesos.secret=hunter2",
        ] {
            arguments.extend(["--conf", setting]);
        }
        let output = mesquite(&[&arguments[..], more].concat());
        let said = stderr(&output).to_owned();
        assert!(!said.contains("hunter2"), "{said}");
        said.matches("in clear").count()
    };
    // Each is tried again and again.
    let two = "mesos://no-such-host.invalid:1,no-such-host.invalid:2";
    assert_eq!(check(two, &[]), 1);
    assert_eq!(check(two, &["-q"]), 1);
    assert_eq!(
        check(two, &["--conf", "mesquite.mesos.ssl.enabled=true"]),
        0
    );
    assert_eq!(check("mesos://127.0.0.1:1", &[]), 0);
}

#[test]
fn a_check_that_takes_long_says_whom_it_waits_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let master = format!("mesos://{}", silent.local_addr().expect("its address"));
    let limit = "mesquite.mesos.registrationTimeout=1500ms";
    let output = mesquite(&["check", "--conf", limit, "--master", &master]);
    let said = stderr(&output);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("trying for 1.5s"), "{said}");
    assert!(lines[1].starts_with("error: "), "{said}");
}

#[test]
fn a_check_of_what_is_not_mesos_exits_2() {
    for (arguments, expected) in [
        (&["--master", "yarn"][..], "mesos://host:port"),
        (&["--master", "local[2]"], "--master mesos://host:5050"),
        (&[], "--master mesos://host:5050"),
        (
            &["--master", "mesos://h", "--conf", "spark.mesos.corse=true"],
            "did you mean spark.mesos.coarse?",
        ),
        (
            &[
                "--master",
                "mesos://h",
                "--conf",
                "spark.mesos.constraints=os",
            ],
            "constraint 'os' has no colon",
        ),
        (
            &[
                "--master",
                "https://h",
                "--conf",
                "mesquite.mesos.ssl.caFile=/absent.pem",
            ],
            "/absent.pem",
        ),
    ] {
        let (code, said) = failed_check(arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn an_executor_started_by_hand_says_who_starts_executors() {
    let output = mesquite(&["executor"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("executors are started by a driver"),
        "{}",
        stderr(&output)
    );
}

/// It has nobody to tell but its driver, which it does not know yet.
#[test]
fn an_executor_whose_agent_speaks_no_tls_ends_with_a_code_of_its_own() {
    let agent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = agent.local_addr().expect("its address").to_string();
    let plain = std::thread::spawn(move || {
        // What it is told is no HTTP.
        let (stream, _) = agent.accept().expect("an executor");
        drop(stream);
    });
    let output = mesquite_with(
        &[
            ("MESQUITE_DRIVER", "127.0.0.1:1"),
            ("MESQUITE_EXECUTOR_ID", "e"),
            ("MESQUITE_HOST", "localhost"),
            ("MESOS_AGENT_ENDPOINT", &address),
            ("MESOS_FRAMEWORK_ID", "f"),
            ("MESOS_EXECUTOR_ID", "e"),
            ("MESOS_SLAVE_ID", "a"),
            ("LIBPROCESS_SSL_ENABLED", "1"),
        ],
        &["executor"],
    );
    plain.join().expect("no panic");
    let code = mesquite::backend::ending::NO_AGENT;
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code.into()), "{said}");
    assert!(said.contains("does it speak TLS at all?"), "{said}");
}
