//! How large a plan may be.
//!
//! Responsible for the numbers beyond which a slip of the pen would take all
//! memory or a day, and not give a result. Each is far above what a run of real
//! use has; whoever reads job files or builds plans asks here. Pure.

/// Partitions of one dataset. The driver holds about 200 bytes for each while
/// they are computed.
pub const MOST_PARTITIONS: u32 = 5_000_000;

/// Partitions that a shuffle makes: each map task keeps a place for each.
pub const MOST_REDUCERS: u32 = 1_000_000;

/// Blocks of one shuffle: its map tasks times its partitions. Each may be a
/// request of its own.
pub const MOST_BLOCKS: u64 = 10_000_000_000;

/// Operations that one task chains, each of which calls the one before it: a
/// task's stack holds them all.
pub const LONGEST_CHAIN: u32 = 1_000;

/// Rounds of a loop. The driver and each executor know all of them from the
/// beginning, with some 400 bytes for each dataset of each.
pub const MOST_ROUNDS: u32 = 1_000;

/// Bytes of a shell command. Linux takes 128 KiB as one argument of a program;
/// some are left for what is put before it.
pub const LONGEST_COMMAND: usize = 127 * 1024;

/// What is wrong with a shell command, to follow its name.
///
/// # Errors
/// It can never be started.
pub fn check_command(command: &str) -> Result<(), String> {
    if command.trim().is_empty() {
        Err("is empty".to_owned())
    } else if command.contains('\0') {
        Err("has a NUL, which no command may have".to_owned())
    } else if command.len() > LONGEST_COMMAND {
        Err(format!(
            "has {} bytes, and the system takes a command of at most {LONGEST_COMMAND}: put it \
             into a file that it runs",
            command.len()
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_no_system_takes_is_refused() {
        assert_eq!(check_command("cat"), Ok(()));
        assert_eq!(check_command(&"x".repeat(LONGEST_COMMAND)), Ok(()));
        for (command, why) in [
            (" \n".to_owned(), "is empty"),
            ("a\0b".to_owned(), "NUL"),
            ("x".repeat(LONGEST_COMMAND + 1), "at most 130048"),
        ] {
            let error = check_command(&command).expect_err("refused");
            assert!(error.contains(why), "{error}");
        }
    }
}
