//! How many files and connections this process may have open.
//!
//! Responsible for raising that to what the system allows, for sharing it out
//! between the listeners, so that strangers at one of them leave enough for all
//! else, and for knowing what it was: commands are started with that, since some
//! go through all descriptors that they may have, or rely on small numbers.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The name of the environment variable by which a process that raised it tells
/// its executors what it was.
pub const BEFORE: &str = "MESQUITE_DESCRIPTORS";

/// No share is smaller, however little there is.
const LEAST: usize = 8;

/// What it was before it was raised, for commands.
static AT_FIRST: OnceLock<u64> = OnceLock::new();

/// Raises it to what is allowed. `told` is what it was in the process that
/// started this one, if that has raised it.
pub fn raise(told: Option<&str>) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let told = told.and_then(|it| it.parse().ok());
    AT_FIRST.get_or_init(|| told.unwrap_or(soft).min(soft));
    if soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        // There are enough for small runs.
        tracing::debug!(%error, "cannot raise the number of open files from {soft} to {hard}");
    }
}

/// What it was, if it was raised.
pub fn before() -> Option<u64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    AT_FIRST.get().copied().filter(|it| *it < soft)
}

/// So many of them as are wished for, but no more than one of so many parts of
/// all.
pub fn share(wished: usize, parts: usize) -> usize {
    let all = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    part(usize::try_from(all).unwrap_or(usize::MAX), wished, parts)
}

fn part(all: usize, wished: usize, parts: usize) -> usize {
    wished.min((all / parts.max(1)).max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_what_is_wished_for_if_there_is_enough() {
        assert_eq!(part(1 << 20, 1024, 4), 1024);
        assert_eq!(part(1024, 1024, 4), 256);
        assert_eq!(part(16, 1024, 4), LEAST);
        assert_eq!(part(16, 2, 4), 2);
    }

    #[test]
    fn it_is_raised_to_what_is_allowed_and_what_it_was_is_known() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("known");
        raise(None);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE), Ok((hard, hard)));
        assert_eq!(before(), (soft < hard).then_some(soft));
    }
}
