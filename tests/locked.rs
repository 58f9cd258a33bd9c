//! What a run shows of itself to others on its host: its commands, other processes of
//! its user, and whoever reads its disk.

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "support/jobs.rs"]
mod jobs;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;

use jobs::Job;

const CLUSTER: &str = "local-cluster[2,2,512]";
const MASTERS: [&str; 2] = ["local[2]", CLUSTER];

/// Prints all environments that a command can look into, its own first.
const ENVIRONMENTS: &str = "env; p=$PPID; while [ $p -gt 1 ]; do cat /proc/$p/environ; \
                            p=$(sed -n \"s/^PPid:[^0-9]*//p\" /proc/$p/status); done";

#[test]
fn a_command_finds_no_secret_of_ours_and_what_is_the_users() {
    // Of the user's own credentials, which commands may need, it is known that the
    // search would have found them.
    let job = Job::new(&format!(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\n\
         pipe = '({ENVIRONMENTS}) 2>/dev/null | tr \"\\0\" \"\\n\" | grep -o \"s3cr3t-[a-z]*\" | sort -u'\n\
         [[action]]\ncollect = 'b'\n",
    ));
    for master in MASTERS {
        let mut command = job.command_in(jobs::root(), &["--master", master]);
        let output = command
            .env("SPARK_MESOS_PRINCIPAL", "me")
            .env("SPARK_MESOS_SECRET", "s3cr3t-framework")
            .env("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "s3cr3t-token")
            .env("AWS_SECRET_ACCESS_KEY", "s3cr3t-store")
            .output()
            .expect("the binary runs");
        let ended = job.ended(output).succeeded();
        assert_eq!(ended.results["stdout"], ["s3cr3t-store"], "{master}");
    }
}

#[test]
fn other_processes_of_the_user_cannot_look_into_ours() {
    let job = Job::new(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\n\
         pipe = 'for f in environ maps mem; do head -c 1 /proc/$PPID/$f; done 2>&1 | \
         grep -ac \"cannot open.*Permission denied\"; head -c 1 /proc/self/environ >/dev/null'\n\
         [[action]]\ncollect = 'b'\n",
    );
    for master in MASTERS {
        let mut command = job.command_in(job.folder(), &["--master", master]);
        // One that begins anew can still look into itself.
        let variables = [
            "LC_ALL=C",
            "SPARK_MESOS_PRINCIPAL=me",
            "SPARK_MESOS_SECRET=x",
        ];
        command.envs(variables.iter().filter_map(|it| it.split_once('=')));
        if nix::unistd::geteuid().is_root() {
            // Root may look at everything.
            const NOBODY: u32 = 65_534;
            for path in [job.folder().to_owned(), job.folder().join("job.toml")] {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        match command.output() {
            Ok(output) => {
                let ended = job.ended(output).succeeded();
                assert_eq!(ended.results["stdout"], ["3"], "{master}");
            }
            #[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
            Err(error) => eprintln!("NOT RUN HERE: nobody cannot run the binary: {error}"),
        }
    }
}

#[test]
fn what_lies_on_the_disk_is_its_users_alone_and_encrypted_if_wanted() {
    // Of the second stage, so that there are map outputs. They go before it ends.
    let look = "grep -rlqs zanzibar \"$TMPDIR\"/mesquite-* && echo legible; \
                find \"$TMPDIR\"/mesquite-* -name \"*.data\" | sed s/.*/there/ | sort -u; \
                find \"$TMPDIR\"/mesquite-* -perm /077 | sed s/.*/open/ | sort -u";
    let job = Job::new(&format!(
        "[dataset.a]\nitems = [1, 2]\n[dataset.b]\nfrom = 'a'\n\
         pipe = 'read a; seq -f \"zanzibar$a.%g\" 20000'\n\
         [dataset.c]\nfrom = 'b'\nrepartition = 1\n\
         [dataset.d]\nfrom = 'c'\npipe = '{look}; sort | cksum'\n\
         [[action]]\ncollect = 'd'\n[[action]]\ncollect = 'c'\n",
    ));
    let on = ["spark.io.encryption.enabled=true"];
    let small = [
        "spark.io.encryption.enabled=true",
        "spark.io.encryption.keySizeBits=128",
        "spark.task.maxDirectResultSize=10b",
        "spark.memory.fraction=0.1",
    ];
    for master in MASTERS {
        let run = |settings: &[&str]| {
            let settings = settings.iter().flat_map(|it| ["--conf", it]);
            let arguments: Vec<_> = ["--master", master].into_iter().chain(settings).collect();
            let ended = job.run(&arguments).succeeded();
            let printed = &ended.results["stdout"];
            let (records, seen): (Vec<_>, Vec<_>) = printed
                .iter()
                .filter(|line| !line.starts_with("collect of "))
                .cloned()
                .partition(|line| line.starts_with("zanzibar"));
            assert_eq!(records.len(), 40_000, "{master}");
            (records, seen)
        };
        let (records, plain) = run(&[]);
        assert_eq!(plain[1..], ["legible", "there"], "{master}: {plain:?}");
        for settings in [&on[..], &small[..]] {
            let (same, seen) = run(settings);
            assert_eq!(seen, [plain[0].as_str(), "there"], "{master}");
            assert!(same == records, "{master}");
        }
    }
    let left = fs::read_dir(job.folder()).expect("a folder").flatten();
    let left = left.filter(|it| it.file_name().to_string_lossy().starts_with("mesquite-"));
    assert_eq!(left.count(), 0);
}

/// Prints the addresses on which our processes around a command listen, the executor
/// first.
const LISTENS: &str = r#"
p=$PPID n=0
while [ "$p" -gt 1 ]; do
  if [ "$(cat "/proc/$p/comm")" = mesquite ]; then
    n=$((n + 1))
    for fd in "/proc/$p/fd/"*; do readlink "$fd"; done | sed -n 's/^socket:.\([0-9]*\).$/\1/p' |
      while read -r inode; do
        awk -v i="$inode" -v n=$n '$4 == "0A" && $10 == i { sub(/:.*/, "", $2); print n, $2 }' \
          /proc/net/tcp /proc/net/tcp6
      done
  fi
  p=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$p/status")
done | sort -u
"#;

#[test]
fn executors_of_this_machine_and_their_driver_listen_to_it_alone() {
    if !nix::unistd::geteuid().is_root() {
        #[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
        {
            eprintln!("NOT RUN HERE: only root sees whose sockets are whose");
        }
        return;
    }
    let job = Job::new("PLACE");
    let script = job.folder().join("listens.sh");
    fs::write(&script, LISTENS).expect("written");
    let text = format!(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\npipe = 'sh {}'\n\
         [[action]]\ncollect = 'b'\n",
        script.display()
    );
    fs::write(job.folder().join("job.toml"), text).expect("written");
    let ended = job.run(&["--master", CLUSTER]).succeeded();
    // 127.0.0.1, as the kernel writes it.
    let expected = ["1 0100007F", "2 0100007F"];
    assert_eq!(ended.results["stdout"], expected, "{}", ended.stderr());
}

#[test]
fn a_key_that_there_is_no_cipher_for_is_refused() {
    let job = Job::new("[dataset.a]\nitems = [1]\n[[action]]\ncollect = 'a'\n");
    let ended = job.run(&["--conf", "spark.io.encryption.keySizeBits=192"]);
    assert_eq!(ended.code(), Some(2));
    let stderr = ended.stderr();
    assert!(
        stderr.contains("spark.io.encryption.keySizeBits"),
        "{stderr}"
    );
    assert!(stderr.contains("256"), "{stderr}");
}
