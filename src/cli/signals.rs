//! Signals, as far as they are the same for every command.
//!
//! Responsible for the two that end a process on the spot unless somebody
//! listens. What a signal that asks for an end leads to is each command's own
//! business.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A file grew beyond what the process may write (`ulimit -f`).
const SIGXFSZ: i32 = 25;

/// Has writes beyond the allowed size of a file fail, like those to a full disk,
/// instead of ending the process with all it has begun. Needs a runtime, and
/// lasts for as long as the process.
///
/// # Errors
/// The system does not allow it.
pub fn outlive_size_limit() -> io::Result<()> {
    let listening: Signal = signal(SignalKind::from_raw(SIGXFSZ))?;
    // The handler stays when nobody listens any more.
    drop(listening);
    Ok(())
}

/// Whether whoever started this process wants a signal to be ignored.
pub fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_set_is_not_ignored_and_sigpipe_is() {
        // Programs in Rust ignore it from the start.
        assert!(is_ignored(SignalKind::pipe()));
        assert!(!is_ignored(SignalKind::child()));
    }
}
