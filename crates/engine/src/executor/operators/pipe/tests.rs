//! Commands, from their start to what is left of them.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::clock::SystemClock;
use crate::plan::surroundings::Variables;
use crate::rpc::message::NamedResource;
use crate::rpc::message::from_executor::Said;
use crate::task::{Cancel, Heard, Metrics, Voice, all_lines, test_context, test_records};

impl Pipe {
    fn start(
        parent: Box<dyn Records>,
        command: &str,
        dataset: &str,
        context: &TaskContext,
    ) -> Result<Self, TaskError> {
        Self::start_at(Start::default(), parent, (command, dataset), context)
    }
}

fn pipe(parent: impl Records + 'static, command: &str) -> Result<Vec<String>, TaskError> {
    let context = test_context(Path::new("/"));
    all_lines(Pipe::start(Box::new(parent), command, "d", &context)?)
}

/// Records without an end.
struct Endless;

impl Records for Endless {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        chunk.resize(CHUNK, b'\n');
        Ok(true)
    }
}

#[test]
fn lines_go_in_and_lines_come_out() {
    let upper = pipe(test_records(&["a", "b c"]), "tr a-z A-Z").expect("translated");
    assert_eq!(upper, ["A", "B C"]);
    let open = pipe(test_records(&[]), "printf 'x\\ny'").expect("printed");
    assert_eq!(open, ["x", "y"]);
    assert_eq!(
        pipe(test_records(&["a"]), "cat > /dev/null").expect("silent"),
        [""; 0]
    );
}

#[test]
fn a_command_knows_what_it_works_on() {
    let said = pipe(
        test_records(&[]),
        "echo $MESQUITE_APP_ID $MESQUITE_PARTITION",
    )
    .expect("said");
    assert_eq!(said, ["app 0"]);
}

#[test]
fn a_command_is_given_the_variables_of_its_dataset() {
    let env = [("SUFFIX", "a b'$x"), ("MALLOC_TRIM_THRESHOLD_", "1")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let place = Start {
        env: Variables(env.into()),
        folder: None,
    };
    let command = "echo \"$SUFFIX\" $MALLOC_TRIM_THRESHOLD_ $MESQUITE_PARTITION";
    let context = test_context(Path::new("/"));
    let parent = Box::new(test_records(&[]));
    let pipe = Pipe::start_at(place, parent, (command, "d"), &context).expect("started");
    assert_eq!(all_lines(pipe).expect("said"), ["a b'$x 1 0"]);
}

#[test]
fn a_command_is_told_the_addresses_of_its_resources() {
    let resource = |name: &str, addresses: &[&str]| NamedResource {
        name: name.into(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
    };
    let context = TaskContext {
        resources: [
            resource("gpu", &["1", "3"]),
            resource("my-fpga.x", &["a b"]),
        ]
        .into(),
        ..test_context(Path::new("/"))
    };
    let place = Start {
        env: Variables([("CUDA_VISIBLE_DEVICES".to_owned(), "all".to_owned())].into()),
        folder: None,
    };
    let command = "echo $MESQUITE_RESOURCE_GPU $CUDA_VISIBLE_DEVICES $MESQUITE_RESOURCE_MY_FPGA_X";
    let parent = Box::new(test_records(&[]));
    let pipe = Pipe::start_at(place, parent, (command, "d"), &context).expect("started");
    assert_eq!(all_lines(pipe).expect("said"), ["1,3 1,3 a b"]);
}

#[test]
fn a_failed_command_is_told_with_the_end_of_its_stderr() {
    let error = pipe(test_records(&["a"]), "echo out; echo why >&2; exit 3").expect_err("failed");
    let text = error.to_string();
    assert!(
        text.contains("exit code 3; its stderr ends with: why"),
        "{text}"
    );
    for (command, how) in [
        ("kill -9 $$", "it was killed by signal 9 (SIGKILL: "),
        ("kill -SEGV $$", "it crashed with signal 11 (SIGSEGV: "),
        (
            "sh -c 'kill -9 $$' || exit $?",
            "exit code 137, by which a shell tells of a command that was killed by signal 9 (SIGKILL: ",
        ),
        (
            "sh -c 'kill -SEGV $$'; exit $?",
            "exit code 139, by which a shell tells of a command that crashed with signal 11 (SIGSEGV: ",
        ),
    ] {
        let command = format!("echo last words >&2; {command}");
        let error = pipe(test_records(&[]), &command).expect_err("killed");
        let text = error.to_string();
        for part in [how, "its stderr ends with: last words"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
    let error = pipe(test_records(&[]), "no-such-command-here").expect_err("missing");
    assert!(error.to_string().contains("exit code 127"), "{error}");
}

/// What a command came to, and what it said meanwhile.
fn heard(command: &str) -> (Result<Vec<String>, TaskError>, Vec<Said>) {
    let heard = Arc::<Heard>::default();
    let context = TaskContext {
        voice: Arc::clone(&heard) as Arc<dyn Voice>,
        ..test_context(Path::new("/"))
    };
    let stream = Pipe::start(Box::new(test_records(&["a"])), command, "words", &context);
    (stream.and_then(all_lines), heard.take())
}

#[test]
fn what_a_command_says_is_passed_on_with_whose_it_is_and_all_before_its_end() {
    let (lines, said) = heard("seq 100 >&2; cat; echo last >&2");
    assert_eq!(lines.expect("read"), ["a"]);
    let all: Vec<_> = said.iter().flat_map(|it| it.lines.clone()).collect();
    assert_eq!(all, ["1", "2", "3"], "as many as are wanted");
    assert_eq!(said.iter().map(|it| it.more).sum::<u64>(), 98);
    let of = "pipe of `words` (stage 0, partition 0)";
    assert!(said.iter().all(|it| it.whose() == of), "{said:?}");
    // A process of another session does not end with its command, and is not
    // waited for.
    let (lines, said) = heard("setsid sleep 1000 > /dev/null & echo x >&2; echo $!");
    let left = lines.expect("read").concat().parse().expect("a number");
    let _ = nix::sys::signal::kill(Pid::from_raw(left), Signal::SIGKILL);
    assert_eq!(said[0].lines, ["x"]);
}

#[test]
fn a_part_of_a_pipeline_that_fails_fails_its_command() {
    if !Shell::of("a | b").pipefail {
        let note = "NOT RUN HERE: no shell has pipefail\n";
        let _ = io::stderr().write_all(note.as_bytes());
        return;
    }
    let fails = |command| heard(command).0.expect_err(command).to_string();
    let told = fails("no-such-command | cat");
    assert!(told.contains("exit code 127"), "{told}");
    assert!(fails("(cat; exit 3) | cat").contains("exit code 3"));
    assert!(fails("grep x | sort").contains("no line matches"));
    for (command, lines) in [
        ("yes | head -n 1", "y"),
        ("(grep x || true) | wc -l", "0"),
        ("grep x | cat || true", ""),
        ("yes | grep -q y && echo found", "found"),
    ] {
        assert_eq!(heard(command).0.expect(command).concat(), lines);
    }
}

#[test]
fn a_search_without_a_match_is_told_as_what_it_is() {
    let told = heard("grep x").0.expect_err("no match").to_string();
    assert!(told.contains("filter"), "{told}");
}

#[test]
fn who_holds_the_output_of_a_command_that_has_ended_is_told_and_waited_for() {
    /// Ends the task once it has heard a warning.
    #[derive(Debug)]
    struct Ends(Cancel, Heard);

    impl Voice for Ends {
        fn lines_wanted(&self) -> u64 {
            0
        }

        fn say(&self, said: Said) {
            self.1.say(said);
            self.0.cancel();
        }
    }

    let context = test_context(Path::new("/"));
    let ends = Arc::new(Ends(context.cancel.clone(), Heard::default()));
    let context = TaskContext {
        voice: Arc::clone(&ends) as Arc<dyn Voice>,
        ..context
    };
    let parent = Box::new(test_records(&["a"]));
    let mut held = Pipe::start(parent, "sleep 1000 & cat", "words", &context).expect("started");
    held.left.patience = Duration::ZERO;
    let ended = all_lines(held).expect_err("it was ended");
    assert!(matches!(ended, TaskError::Killed), "{ended}");
    let said = ends.1.take();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].warning.contains("`sleep 1000` (process "),
        "{said:?}"
    );
    // What it writes later counts.
    let (late, _) = heard("(sleep 0.1; echo late) & cat");
    assert_eq!(late.expect("read"), ["a", "late"]);
}

#[test]
fn a_command_that_stops_reading_is_fine() {
    let first = pipe(Endless, "head -n 3").expect("three lines");
    assert_eq!(first.len(), 3);
}

#[test]
fn both_outputs_can_be_flooded_and_lines_can_be_long() {
    let command =
        "head -c 3000000 /dev/zero | tr '\\0' e >&2 & head -c 3000000 /dev/zero | tr '\\0' o; wait";
    let context = test_context(Path::new("/"));
    // Its stderr is not passed on here, to keep the test's own readable.
    let quiet = format!("({command}) 2>/dev/null");
    let lines = all_lines(
        Pipe::start(Box::new(test_records(&[])), &quiet, "d", &context).expect("started"),
    );
    let lines = lines.expect("read");
    assert_eq!(
        lines.iter().map(String::len).collect::<Vec<_>>(),
        [3_000_000]
    );
}

#[test]
fn a_line_that_is_too_long_ends_the_command_and_is_told() {
    let context = TaskContext {
        longest_record: 10,
        ..test_context(Path::new("/"))
    };
    let run = |command| {
        let pipe = Pipe::start(Box::new(test_records(&[])), command, "words", &context)?;
        all_lines(pipe)
    };
    assert_eq!(run("echo 0123456789").expect("short"), ["0123456789"]);
    for command in [
        "echo ab; echo 0123456789x; sleep 1000",
        "echo ab; cat /dev/zero",
        "echo ab; printf 0123456789x",
    ] {
        let told = run(command).expect_err("too long").to_string();
        for part in ["`words`", command, "mesquite.record.maxLength", "at byte 3"] {
            assert!(told.contains(part), "{told}");
        }
    }
}

#[test]
fn the_error_of_the_input_wins() {
    struct Broken;
    impl Records for Broken {
        fn next(&mut self, _: &mut Vec<u8>) -> Result<bool, TaskError> {
            Err(TaskError::Permanent("broken input".into()))
        }
    }
    let error = pipe(Broken, "cat; exit 1").expect_err("broken");
    assert_eq!(error.to_string(), "broken input");
}

#[test]
fn cancelling_or_dropping_ends_the_whole_group() {
    let context = test_context(Path::new("/"));
    let mut stream = Pipe::start(
        Box::new(Endless),
        "sleep 1000 & echo $!; wait",
        "d",
        &context,
    )
    .expect("started");
    let mut chunk = Vec::new();
    assert!(stream.next(&mut chunk).expect("a line"));
    context.cancel.cancel();
    assert!(matches!(stream.next(&mut chunk), Err(TaskError::Killed)));
    let other = test_context(Path::new("/"));
    let dropped = Pipe::start(Box::new(Endless), "sleep 1000", "d", &other).expect("started");
    let group = dropped.group;
    drop(dropped);
    // Its leader was waited for; what it left may still be a zombie.
    assert!(!Path::new(&format!("/proc/{group}")).exists());
}

/// What was measured of an attempt with this command.
fn measured(command: &str) -> (Result<Vec<String>, TaskError>, Arc<Metrics>) {
    let context = test_context(Path::new("/"));
    let stream = Pipe::start(Box::new(test_records(&["a"])), command, "d", &context);
    (stream.and_then(all_lines), context.metrics)
}

/// Takes more processor time than clocks miss, in a process of its own.
const BUSY: &str = "sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done'";

#[test]
fn a_command_is_charged_with_the_processor_time_of_its_descendants_even_if_it_fails() {
    let cpu = |command: &str| measured(command).1.snapshot().cpu_nanos;
    let idle = cpu("cat");
    assert!(cpu(BUSY) > idle + 5_000_000);
    assert!(cpu(&format!("{BUSY}; exit 3")) > idle + 5_000_000);
}

#[test]
fn the_memory_of_a_command_is_seen_while_it_runs() {
    // `dd` has all of its block, and can write only what a pipe takes, until it was seen.
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let command = format!(
        "dd if=/dev/zero bs=64M count=1 2> /dev/null \
         | (while [ ! -e {} ]; do sleep 0.01; done; wc -c)",
        seen.display()
    );
    let context = test_context(Path::new("/"));
    let metrics = Arc::clone(&context.metrics);
    let watched = Arc::clone(&metrics);
    // So long nobody waits but where it is never seen, which is told below.
    let clock = SystemClock::start();
    let patience = clock.now() + Duration::from_secs(60);
    let watching = std::thread::spawn(move || {
        while watched.commands.peak() < 64 << 20 && clock.now() < patience {
            std::thread::yield_now();
        }
        std::fs::write(seen, "").expect("written");
    });
    let stream = Pipe::start(Box::new(test_records(&["a"])), &command, "d", &context);
    let lines = stream.and_then(all_lines);
    watching.join().expect("no panic");
    assert_eq!(lines.expect("counted"), [(64 << 20).to_string()]);
    let peak = metrics.commands.peak();
    assert!((64 << 20..128 << 20).contains(&peak), "{peak}");
}
