//! What the end of a command means. Pure.
//!
//! Responsible for whether it is a failure, and for telling that with what the
//! command said and what is often meant.

use std::ops::RangeInclusive;

use super::pipeline::last_pipeline_runs;
use mesquite_workload::ending::BySignal;

/// The numbers of signals.
const SIGNALS: RangeInclusive<i32> = 1..=64;

/// How a shell tells that a program was ended by SIGPIPE.
const BY_SIGPIPE: i32 = 128 + 13;

/// Programs that end with 1 if nothing matches.
const SEARCHES: [&str; 8] = [
    "grep", "egrep", "fgrep", "zgrep", "zstdgrep", "pgrep", "rg", "ag",
];

/// How a process ended.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

/// Why a command that ended so has failed, if it has. With `pipefail` its exit code
/// may be of any part of its last pipeline.
pub(super) fn failure(command: &str, end: End, pipefail: bool, stderr: &[u8]) -> Option<String> {
    let how = match end {
        End::Code(0) => return None,
        // Its output is read to the end: so a part was ended because a later one had
        // seen enough, as in `yes | head`.
        End::Code(BY_SIGPIPE) if pipefail => return None,
        End::Code(code) if SIGNALS.contains(&(code - 128)) => format!(
            "exit code {code}, by which a shell tells of a command that {}",
            BySignal(code - 128)
        ),
        End::Code(code) => format!("exit code {code}"),
        End::Signal(signal) => format!("it {}", BySignal(signal)),
        End::Unknown => "an unknown end".to_owned(),
    };
    let stderr = String::from_utf8_lossy(stderr);
    let stderr = stderr.trim_end();
    let hint = hint(command, end, pipefail, stderr);
    Some(match stderr {
        "" => format!("command {command:?} failed: {how}{hint}"),
        stderr => {
            format!("command {command:?} failed: {how}{hint}; its stderr ends with: {stderr}")
        }
    })
}

/// What is often meant by such an end.
fn hint(command: &str, end: End, pipefail: bool, stderr: &str) -> &'static str {
    match end {
        End::Code(1) if last_pipeline_runs(command, &SEARCHES, pipefail) => {
            " (grep ends with 1 if no line matches: if that is no failure, write \
             `(grep ... || true)`, or use `filter = \"...\"`)"
        }
        End::Code(_) if pipefail && (stderr.contains("roken pipe") || stderr.contains("EPIPE")) => {
            " (a part of it wrote on after a later one had ended: if that is no failure, write \
             `(... || true) | ...`)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_with_what_is_often_meant() {
        let told = |command, code, pipefail, stderr: &str| {
            failure(command, End::Code(code), pipefail, stderr.as_bytes())
        };
        assert_eq!(told("cat", 0, true, "warning"), None);
        assert_eq!(told("yes | head -1", 141, true, ""), None);
        assert!(told("sh -c 'exit 141'", 141, false, "").is_some());
        let killed = failure("x", End::Signal(11), false, b"").expect("a failure");
        assert!(killed.contains("it crashed with signal 11"), "{killed}");
        let hinted = |command, code, pipefail, stderr| {
            let told = told(command, code, pipefail, stderr).expect("a failure");
            (told.contains("no line matches"), told.contains("wrote on"))
        };
        assert_eq!(hinted("grep x", 1, false, ""), (true, false));
        assert_eq!(hinted("grep x | sort", 1, true, ""), (true, false));
        assert_eq!(hinted("grep x", 2, false, "grep: bad"), (false, false));
        assert_eq!(hinted("false", 1, false, ""), (false, false));
        assert_eq!(
            hinted(
                "python a.py | head",
                1,
                true,
                "BrokenPipeError: [Errno 32] Broken pipe"
            ),
            (false, true)
        );
        assert_eq!(
            told("false", 1, false, "why\n").as_deref(),
            Some("command \"false\" failed: exit code 1; its stderr ends with: why")
        );
    }
}
