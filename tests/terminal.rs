//! What people see of a run in a real terminal: `tmux`, at several widths.
//!
//! Each test has a tmux server of its own, which runs one command and is ended
//! with the test. The command's end is waited for (`tmux wait-for`), so nothing
//! depends on how fast anything is. Where tmux is not installed the tests say so.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A terminal with a folder for files.
struct Terminal {
    folder: TempDir,
    width: u32,
}

impl Terminal {
    /// A terminal of so many columns; `None` where there is no tmux.
    fn new(width: u32) -> Option<Self> {
        let there = Command::new("tmux").arg("-V").output();
        if !there.is_ok_and(|it| it.status.success()) {
            let note = "NOT RUN HERE: tmux is not installed\n";
            let _ = std::io::stderr().write_all(note.as_bytes());
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self { folder, width })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(self.path().join("tmux"))
            .args(["-f", "/dev/null"])
            .args(arguments)
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("tmux runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        output
    }

    /// Runs a script in the terminal, in which `$MESQUITE` is the binary and `$TMUX_SOCKET` this
    /// terminal's; all rows that it left, those that were scrolled away included.
    fn run(&self, job: &str, script: &str) -> Vec<String> {
        fs::write(self.path().join("job.toml"), job).expect("written");
        let socket = self.path().join("tmux");
        let script = format!(
            "cd {folder}; export MESQUITE={binary} TMPDIR={folder} TMUX_SOCKET={socket}\n\
             unset MESQUITE_LOG NO_COLOR\n{script}\necho exit $?\n\
             tmux -S {socket} wait-for -S over; exec cat\n",
            folder = self.path().display(),
            binary = env!("CARGO_BIN_EXE_mesquite"),
            socket = socket.display(),
        );
        let file = self.path().join("script");
        fs::write(&file, script).expect("written");
        let width = self.width.to_string();
        let command = format!("/bin/sh {}", file.display());
        self.tmux(&["new-session", "-d", "-x", &width, "-y", "24", &command]);
        self.tmux(&["wait-for", "over"]);
        let screen = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
        let text = String::from_utf8(screen.stdout).expect("text");
        let rows = text.lines().map(|row| row.trim_end().to_owned());
        rows.collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(self.path().join("tmux"))
            .arg("kill-server")
            .output();
    }
}

/// Two datasets that take their time, so that bars of one stand while results of
/// the other are printed.
const JOB: &str = "
name = 'seen'
[dataset.numbers]
range = { end = 60, partitions = 3 }
[dataset.a-dataset-with-a-rather-long-name]
from = 'numbers'
pipe = '''sleep 0.3; sed 's/^/result /' '''
[dataset.slow]
range = { end = 4, partitions = 4 }
[dataset.slower]
from = 'slow'
pipe = '''echo on my way >&2; sleep 0.6; cat'''
[[action]]
collect = 'a-dataset-with-a-rather-long-name'
[[action]]
count = 'slower'
[[action]]
collect = 'slow'
";

/// That every result stands in a row of its own, and nothing of a bar is left.
fn assert_clean(rows: &[String]) {
    let all = rows.join("\n");
    for number in 0..60 {
        let wanted = format!("result {number}");
        let count = rows.iter().filter(|row| **row == wanted).count();
        assert_eq!(count, 1, "{wanted}:\n{all}");
    }
    for wanted in ["0", "1", "2", "3", "count of slower: 4", "exit 0"] {
        assert!(rows.iter().any(|row| row == wanted), "{wanted}:\n{all}");
    }
    for partition in 0..4 {
        let (begin, end) = ("pipe of `slower` (stage ", ": on my way");
        let whose = format!("partition {partition})");
        let said =
            |row: &&String| row.starts_with(begin) && row.contains(&whose) && row.ends_with(end);
        assert_eq!(rows.iter().filter(said).count(), 1, "{whose}:\n{all}");
    }
    for row in rows {
        let bar = row.contains("[-") || row.contains("[#") || row.contains('\u{2588}');
        assert!(!bar, "a bar was left: {row}\n{all}");
    }
}

#[test]
fn results_and_bars_never_share_a_row() {
    for width in [60, 70, 80, 200] {
        let Some(terminal) = Terminal::new(width) else {
            return;
        };
        let rows = terminal.run(JOB, "$MESQUITE run job.toml --master 'local[4]'");
        assert_clean(&rows);
    }
}

#[test]
fn results_through_a_pipe_come_whole_to_the_same_terminal() {
    for width in [60, 200] {
        let Some(terminal) = Terminal::new(width) else {
            return;
        };
        let rows = terminal.run(JOB, "$MESQUITE run job.toml --master 'local[4]' | cat");
        assert_clean(&rows);
    }
}

#[test]
fn bars_follow_a_width_that_changes() {
    let Some(terminal) = Terminal::new(200) else {
        return;
    };
    // The first partition of the slow dataset narrows the terminal while bars stand in it.
    let narrow = "sleep 0.2; [ $MESQUITE_PARTITION = 0 ] && tmux -S $TMUX_SOCKET resize-window -x 50; \
                  sleep 0.4; cat";
    let job = JOB.replace("sleep 0.6; cat", narrow);
    let rows = terminal.run(&job, "$MESQUITE run job.toml --master 'local[4]'");
    assert_clean(&rows);
}

/// Some tasks that take half a second, and one that looks at the terminal until there is a row with
/// `$WANTED`; the one beside it waits for that.
const PACED: &str = "
[dataset.numbers]
range = { end = 40, partitions = 40 }
[dataset.paced]
from = 'numbers'
pipe = '''
at=$(dirname $TMUX_SOCKET)
look() { tmux -S $TMUX_SOCKET capture-pane -p \"$@\"; }
case $MESQUITE_PARTITION in
[0-3]) sleep 0.5;;
4) until look > $at/plain && grep -q \"$WANTED\" $at/plain; do sleep 0.05; done
   look -e > $at/coloured; touch $at/seen;;
5) until [ -e $at/seen ]; do sleep 0.05; done;;
esac
cat'''
[[action]]
count = 'paced'
";

impl Terminal {
    /// The bar of the stage, as a task of [`PACED`] saw it.
    fn bar(&self, file: &str) -> String {
        let seen = fs::read_to_string(self.path().join(file)).expect("a task looked");
        let bar = seen.lines().find(|row| row.contains("4/40"));
        bar.unwrap_or_else(|| panic!("no bar: {seen}")).to_owned()
    }
}

#[test]
fn a_bar_says_what_runs_waits_and_is_left_as_far_as_there_is_room() {
    for (width, with_runs) in [(60, false), (80, true), (200, true)] {
        let Some(terminal) = Terminal::new(width) else {
            return;
        };
        let runs = if with_runs { ".*  2 run, 34 wait" } else { "" };
        let script = format!(
            "export WANTED=' 4/40{runs}  [1-9].*, ~[1-9].* left$'
             $MESQUITE run job.toml --master 'local[2]'"
        );
        let rows = terminal.run(PACED, &script);
        assert!(rows.contains(&"40".to_owned()), "{rows:#?}");
        let bar = terminal.bar("plain");
        assert!(bar.chars().count() < width as usize, "{width}: {bar}");
        assert!(bar.starts_with("stage 0 paced [#"), "{width}: {bar}");
        assert_eq!(bar.contains("wait"), with_runs, "{width}: {bar}");
        let coloured = terminal.bar("coloured");
        assert!(coloured.contains("\x1b[32m#"), "{coloured}");
    }
}

#[test]
fn who_wants_no_colours_sees_none_and_a_dumb_terminal_no_bars() {
    let Some(terminal) = Terminal::new(80) else {
        return;
    };
    let rows = terminal.run(
        PACED,
        "export WANTED=4/40 NO_COLOR=1; $MESQUITE run job.toml --master 'local[2]'",
    );
    assert!(rows.contains(&"40".to_owned()), "{rows:#?}");
    let bar = terminal.bar("coloured");
    assert!(!bar.contains('\x1b'), "{bar}");
    let terminal = Terminal::new(80).expect("as before");
    let rows = terminal.run(JOB, "TERM=dumb $MESQUITE run job.toml --master 'local[4]'");
    assert_clean(&rows);
    let begun = |row: &String| row.starts_with("stage ") && row.ends_with("(slower): 4 tasks");
    assert!(rows.iter().any(begun), "{rows:#?}");
}

/// A task that looks at the terminal until an overview of its own run is in it, and ends that.
const LOOKED_AT: &str = "
name = 'looked at'
[dataset.one]
items = ['x']
[dataset.looks]
from = 'one'
pipe = '''
at=$(dirname $TMUX_SOCKET)
until tmux -S $TMUX_SOCKET capture-pane -p > $at/seen && grep -q active $at/seen; do sleep 0.05; done
tmux -S $TMUX_SOCKET send-keys q; cat'''
[[action]]
count = 'looks'
";

#[test]
fn an_overview_stands_in_the_terminal_until_a_key_ends_it() {
    let Some(terminal) = Terminal::new(80) else {
        return;
    };
    let script = "
        $MESQUITE run job.toml --master 'local[2]' --conf spark.ui.port=0 > ended 2> told &
        until grep -q 'pages at' told; do sleep 0.05; done
        $MESQUITE top $(sed -n 's/^pages at //p' told); echo top ended with $?
        wait; cat ended";
    let rows = terminal.run(LOOKED_AT, script);
    let seen = fs::read_to_string(terminal.path().join("seen")).expect("it was seen");
    for wanted in [
        "looked at  running for ",
        "0 of 1 task, 1 running",
        "q ends this",
    ] {
        assert!(seen.contains(wanted), "{wanted}: {seen}");
    }
    // What stood there before stands there again.
    assert_eq!(rows[..3], ["top ended with 0", "1", "exit 0"], "{rows:#?}");
}
