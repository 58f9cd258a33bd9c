//! The shell that runs commands.
//!
//! Responsible for how a command is started so that a part of a pipeline that
//! fails is noticed, whatever shell this machine has. Which commands that is for
//! is [`pipeline`](super::pipeline)'s business.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::pipeline::every_part_counts;
use crate::descriptors;

/// What stands in for a `sh` that has no `pipefail` (dash, up to 0.5.12). It reads
/// `echo` and braces as such a `sh` does.
const STAND_IN: [&str; 6] = ["bash", "-O", "xpg_echo", "+B", "-o", "pipefail"];

const SH: [&str; 1] = ["/bin/sh"];
const SH_WITH_PIPEFAIL: [&str; 3] = ["/bin/sh", "-o", "pipefail"];

/// How a command is started.
pub(super) struct Shell {
    words: &'static [&'static str],
    /// Whether every part of its pipelines has to succeed.
    pub(super) pipefail: bool,
    /// What people are to know, once.
    pub(super) warning: Option<String>,
}

impl Shell {
    /// The shell for a command.
    pub(super) fn of(command: &str) -> Self {
        /// What is found out once in a process.
        static FOUND: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
        static TOLD: AtomicBool = AtomicBool::new(false);
        let mut shell = Self {
            words: &SH,
            pipefail: false,
            warning: None,
        };
        if !every_part_counts(command) {
            return shell;
        }
        match FOUND.get_or_init(|| first_that_works(&[&SH_WITH_PIPEFAIL, &STAND_IN])) {
            Some(words) => {
                shell.words = words;
                shell.pipefail = true;
            }
            None if !TOLD.swap(true, Ordering::Relaxed) => {
                shell.warning = Some(
                    "/bin/sh has no `set -o pipefail` here, and there is no bash: where one \
                     program is piped into another, only a failure of the last one is noticed"
                        .to_owned(),
                );
            }
            None => {}
        }
        shell
    }

    /// What starts the command.
    pub(super) fn command(&self, command: &str) -> Command {
        let mut shell = Command::new(self.words[0]);
        shell.args(&self.words[1..]).arg("-c");
        match descriptors::before() {
            // On the same line: the lines of the command keep their numbers.
            Some(before) => shell.arg(format!("ulimit -S -n {before}; {command}")),
            None => shell.arg(command),
        };
        // A file that only bash would read first.
        shell.env_remove("BASH_ENV");
        shell
    }
}

/// The first of these shells that is here and knows its options.
fn first_that_works(shells: &[&'static [&'static str]]) -> Option<&'static [&'static str]> {
    let works = |words: &&&'static [&'static str]| {
        let status = Command::new(words[0])
            .args(&words[1..])
            .args(["-c", ":"])
            .env_remove("BASH_ENV")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|it| it.success())
    };
    shells.iter().find(works).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_shell_that_knows_its_options_is_taken() {
        let none: &[&str] = &["/no/such/shell"];
        let bad: &[&str] = &["/bin/sh", "-o", "no-such-option"];
        assert_eq!(first_that_works(&[none, bad, &SH]), Some(&SH[..]));
        assert_eq!(first_that_works(&[none, bad]), None);
    }

    #[test]
    fn a_command_may_have_as_much_open_as_before_that_was_raised() {
        let limit = |mut command: Command| {
            let output = command.output().expect("a shell");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let mut plain = Command::new("/bin/sh");
        plain.args(["-c", "ulimit -S -n"]);
        let before = limit(plain);
        descriptors::raise(None);
        let text = "ulimit -S -n";
        assert_eq!(limit(Shell::of(text).command(text)), before);
    }

    #[test]
    fn the_stand_in_reads_texts_as_sh_does() {
        let text = r#"echo "a\tb"; echo -n x; echo {1,2}"#;
        let said = |shell: &[&str]| {
            let said = Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", text])
                .output();
            said.ok().map(|it| it.stdout)
        };
        let by_stand_in = said(&STAND_IN);
        assert!(by_stand_in.is_none_or(|it| it == b"a\tb\nx{1,2}\n"));
    }
}
