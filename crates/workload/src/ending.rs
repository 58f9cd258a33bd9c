//! How a process ended, in words that a driver and its executors share. Pure.

use std::fmt;

/// What an executor says of what it ran if its process was told to end, and not by its
/// agent: all of it is lost, and one of them may have done it.
pub const TOLD_TO_END: &str = "its executor was told to end by signal 15 (SIGTERM), and not by its \
                               agent";

/// What an executor says of a task that it is given while it ends.
pub const SHUTTING_DOWN: &str = "its executor was shutting down";

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
