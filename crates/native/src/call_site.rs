//! Where in the user's program something is said.

use std::fmt;
use std::panic::Location;

/// What was called, and where: what people find their datasets by.
#[derive(Clone, Copy)]
pub(crate) struct CallSite {
    what: &'static str,
    location: &'static Location<'static>,
}

impl CallSite {
    /// The caller of the caller, who has to be marked `#[track_caller]`.
    #[track_caller]
    pub(crate) fn of(what: &'static str) -> Self {
        Self {
            what,
            location: Location::caller(),
        }
    }
}

/// As in `map at wordcount.rs:14`.
impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.location.file();
        let file = file.rsplit_once('/').map_or(file, |(_, name)| name);
        write!(f, "{} at {file}:{}", self.what, self.location.line())
    }
}
