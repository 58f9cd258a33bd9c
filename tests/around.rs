//! What commands find around them, by the binary: variables, files and
//! archives.

#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "support/jobs.rs"]
mod jobs;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

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
    fs::create_dir(&log).expect("made");
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
    for file in fs::read_dir(&log).expect("the log") {
        let text = fs::read_to_string(file.expect("one").path()).expect("text");
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

/// A job of two stages; only the command of the second one finds files.
fn two_stages(first: &str, files: &str, second: &str) -> Job {
    Job::new(&format!(
        "[dataset.items]\nitems = [1, 2]\n\
         [dataset.first]\nfrom = 'items'\npipe = '{first}'\n\
         [dataset.second]\nfrom = 'first'\nfiles = {files}\n\
         reduce_by_key = {{ pipe = '{second}', partitions = 4 }}\n\
         [[action]]\ncollect = 'second'\n"
    ))
}

/// Whether work folders of runs are left beside the job file.
fn is_anything_left(job: &Job) -> bool {
    let mut entries = fs::read_dir(job.folder()).expect("its folder").flatten();
    entries.any(|it| it.file_name().to_string_lossy().starts_with("mesquite-"))
}

#[test]
fn files_lie_where_a_command_starts_and_nothing_of_them_is_left() {
    let job = two_stages(
        "pwd",
        "['mapper.sh', 'stop words.txt#words']",
        "cat > input; ./mapper.sh; ls; touch left; chmod 500 .",
    );
    fs::write(
        job.folder().join("mapper.sh"),
        "#!/bin/sh\ncat words setting\n",
    )
    .expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(job.folder().join("mapper.sh"), mode).expect("set");
    fs::write(job.folder().join("stop words.txt"), "a\n").expect("written");
    fs::write(job.folder().join("of settings"), "b\n").expect("written");
    let setting = format!("spark.files={}/of settings#setting", job.folder().display());
    for master in MASTERS {
        let ended = job.run(&["--master", master, "-q", "--conf", &setting]);
        let stdout = String::from_utf8(ended.succeeded().output.stdout).expect("text");
        let each = "a\nb\ninput\nmapper.sh\nsetting\nwords\n";
        assert_eq!(stdout, each.repeat(4), "{master}");
        assert!(!is_anything_left(&job), "{master}");
    }
}

#[test]
fn a_file_that_changes_while_a_run_goes_on_ends_it_and_says_so() {
    let job = two_stages("echo changed >> target/small; cat", "['small']", "cat");
    fs::write(job.folder().join("small"), "as it was\n").expect("written");
    for master in MASTERS {
        let ended = job.run(&["--master", master]);
        assert_eq!(ended.code(), Some(1), "{master}");
        let stderr = ended.stderr();
        for part in [
            "cannot bring `small` to localhost",
            "has changed since the run began",
            "start the run again",
        ] {
            assert!(stderr.contains(part), "{master}: {stderr}");
        }
        assert!(!stderr.contains("attempt 1"), "no other helps: {stderr}");
        assert!(!is_anything_left(&job), "{master}");
    }
}

#[test]
fn files_that_are_not_there_or_have_one_name_are_told_before_anything_runs() {
    let job = two_stages("touch target/small", "['x']", "cat");
    let told = |settings: &[&str], part: &str| {
        let ended = job.run(settings);
        let stderr = ended.stderr();
        assert_eq!(ended.code(), Some(2), "{stderr}");
        assert!(stderr.contains(part), "{part} is not in {stderr}");
        assert!(!job.folder().join("small").exists(), "it has run");
    };
    told(&[], "job.toml:8:10: cannot read ");
    fs::write(job.folder().join("x"), "x").expect("written");
    let missing = ["--conf", "spark.files=/no/such/file"];
    told(
        &missing,
        "spark.files (command line, --conf): cannot read /no",
    );
    let name = ["--conf", "spark.files=/etc/passwd#x"];
    told(&name, "job.toml:8 both bring a file `x`");
    told(
        &["--conf", "spark.files=/etc/passwd#.."],
        "would lead out of",
    );
}

/// Writes an archive with one file, whose name is taken as it is.
fn write_archive(path: &Path, name: &str, bytes: &[u8]) {
    let file = fs::File::create(path).expect("made");
    let packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut builder = tar::Builder::new(packed);
    let mut header = tar::Header::new_gnu();
    let place = &mut header.as_gnu_mut().expect("it is").name;
    place[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(bytes.len() as u64);
    header.set_mode(0o755);
    header.set_cksum();
    builder.append(&header, bytes).expect("written");
    let packed = builder.into_inner().expect("written");
    packed.finish().expect("written");
}

#[test]
fn archives_are_folders_where_a_command_starts() {
    let job = two_stages(
        "cat",
        "[]\narchives = ['tools.tar.gz#tools']",
        "cat; tools/bin/run; ls",
    );
    let at = job.folder().join("tools.tar.gz");
    write_archive(&at, "bin/run", b"#!/bin/sh\necho ran\n");
    let setting = format!("spark.archives={}", at.display());
    for master in MASTERS {
        let ended = job.run(&["--master", master, "-q", "--conf", &setting]);
        let stdout = String::from_utf8(ended.succeeded().output.stdout).expect("text");
        let listed = stdout.matches("ran\ntools\ntools.tar.gz\n").count();
        assert_eq!(listed, 4, "{master}: {stdout}");
        assert!(!is_anything_left(&job), "{master}");
    }
}

#[test]
fn an_archive_that_leads_out_or_has_too_much_ends_the_run_and_says_so() {
    let job = two_stages("cat", "[]\narchives = ['bad.tgz']", "cat");
    let at = job.folder().join("bad.tgz");
    for (name, bytes, parts) in [
        (
            "../out",
            &b"x"[..],
            ["`../out` leads out of the folder", "without `..`"],
        ),
        (
            "zeros",
            &[0; 5000],
            ["more than 4k, with `zeros`", "mesquite.archives.maxSize"],
        ),
    ] {
        write_archive(&at, name, bytes);
        for master in MASTERS {
            let most = ["--conf", "mesquite.archives.maxSize=4k"];
            let ended = job.run(&[&["--master", master], &most[..]].concat());
            assert_eq!(ended.code(), Some(1), "{master}");
            let stderr = ended.stderr();
            for part in [&["cannot bring `bad.tgz` to localhost"], &parts[..]].concat() {
                assert!(stderr.contains(part), "{part} is not in {stderr}");
            }
            assert!(!is_anything_left(&job), "{master}");
        }
    }
}

/// A web server with one file, `/words.txt`, for so many who ask; how many have.
fn web_server(most: usize) -> (String, std::thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let serving = std::thread::spawn(move || {
        let mut asked = 0;
        for stream in listener.incoming().take(most) {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|it| it > 0)
            {
            }
            let is_there = head.starts_with("GET /words.txt ");
            asked += usize::from(is_there);
            let answer = if is_there {
                "200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nweb\n"
            } else {
                "404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            };
            let answer = format!("HTTP/1.1 {answer}");
            stream
                .get_mut()
                .write_all(answer.as_bytes())
                .expect("answered");
        }
        asked
    });
    (format!("http://{at}"), serving)
}

#[test]
fn executors_fetch_what_urls_lead_to_and_say_so_where_there_is_nothing() {
    let (server, serving) = web_server(1);
    let files = format!("['{server}/words.txt']");
    let job = two_stages("cat", &files, "cat > /dev/null; cat words.txt");
    let ended = job.run(&["--master", "local[2]", "-q"]).succeeded();
    assert_eq!(ended.results["stdout"], ["web"; 4]);
    assert_eq!(serving.join().expect("it ends"), 1, "an executor asks once");
    let (server, _) = web_server(100);
    let job = two_stages("cat", &format!("['{server}/missing.txt']"), "cat");
    let ended = job.run(&["--master", "local[2]"]);
    assert_eq!(ended.code(), Some(1));
    let stderr = ended.stderr();
    for part in ["cannot bring `missing.txt` to localhost", "cannot read it"] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    assert!(!is_anything_left(&job));
}
