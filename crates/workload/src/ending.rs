//! How a process ended, in words that a driver and its executors share. Pure.

use std::fmt;

/// What an executor says of what it ran if its process was told to end, and not by its
/// agent: all of it is lost, and one of them may have done it.
pub const TOLD_TO_END: &str = "its executor was told to end by signal 15 (SIGTERM), and not by its \
                               agent";

/// What an executor says of a task that it is given while it ends.
pub const SHUTTING_DOWN: &str = "its executor was shutting down";

/// The exit code of an executor of no agent that was told to end.
pub const TERMINATED: u8 = 143;

/// The exit code of an executor that cannot speak with its agent as it was told to, so
/// that it can tell nobody why.
pub const NO_AGENT: u8 = 76;

/// How a process ended. Shown, it is a sentence without an end: `it was killed ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) if *code == i32::from(TERMINATED) => {
                f.write_str("it was told to end by signal 15 (SIGTERM)")
            }
            Self::Code(code) => write!(f, "it ended by itself with exit code {code}"),
            Self::Signal(signal) => write!(f, "it {}", BySignal(*signal)),
        }
    }
}

/// Signals that a process gets for what it did itself.
const CRASHES: [(i32, &str, &str); 5] = [
    (
        4,
        "SIGILL",
        "an instruction that the processor does not know",
    ),
    (6, "SIGABRT", "it gave itself up"),
    (
        7,
        "SIGBUS",
        "an access to memory or a file that is not there",
    ),
    (8, "SIGFPE", "a division that cannot be made"),
    (11, "SIGSEGV", "an access to memory that is not its own"),
];

/// Other signals that end a process, by number.
const KILLS: [(i32, &str); 7] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
];

/// What a signal did to a process. Shown, it is the end of a sentence: `was killed
/// by ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BySignal(pub i32);

impl fmt::Display for BySignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = self.0;
        if let Some((_, name, why)) = CRASHES.iter().find(|it| it.0 == signal) {
            return write!(f, "crashed with signal {signal} ({name}: {why})");
        }
        if signal == 9 {
            return f.write_str(
                "was killed by signal 9 (SIGKILL: by a task, by somebody on its host, or by the \
                 kernel for want of memory)",
            );
        }
        match KILLS.iter().find(|it| it.0 == signal) {
            Some((_, name)) => write!(f, "was killed by signal {signal} ({name})"),
            None => write!(f, "was killed by signal {signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_kills_and_crashes_are_told_apart() {
        for (exit, words) in [
            (Exit::Code(3), "ended by itself with exit code 3"),
            (Exit::Code(143), "told to end by signal 15 (SIGTERM)"),
            (Exit::Signal(9), "killed by signal 9 (SIGKILL"),
            (Exit::Signal(11), "crashed with signal 11 (SIGSEGV"),
            (Exit::Signal(15), "killed by signal 15 (SIGTERM)"),
            (Exit::Signal(40), "killed by signal 40"),
        ] {
            let text = exit.to_string();
            assert!(text.contains(words), "{text}");
        }
    }
}
