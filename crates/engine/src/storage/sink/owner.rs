//! Who writes to a folder.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::storage::lock::Lock;

/// What says that this run writes to a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    /// The file of the lock, if it is there for nothing else: a store knows no
    /// locks.
    file: Option<PathBuf>,
    _lock: Lock,
}

impl Claim {
    pub(super) const fn of(lock: Lock) -> Self {
        Self {
            file: None,
            _lock: lock,
        }
    }

    pub(super) const fn with_file(lock: Lock, file: PathBuf) -> Self {
        Self {
            file: Some(file),
            _lock: lock,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// What a run says of itself where it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Owner {
    /// The machine of its driver.
    pub(super) host: String,
    /// Its driver's process there.
    pub(super) process: u32,
    /// Whether the folder was not there before.
    pub(super) made_folder: bool,
    /// A file of that machine that is locked while the run lives, if what it
    /// writes to can hold no lock.
    pub(super) lock: Option<String>,
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl Owner {
    pub(super) fn of_this_run(made_folder: bool) -> Self {
        Self {
            host: host_name(),
            process: std::process::id(),
            made_folder,
            lock: None,
        }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("text and numbers")
    }

    /// What was written; of nobody if it was cut off.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Its machine, if that is another one.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        let is_known = !self.host.is_empty();
        (is_known && self.host != host_name()).then_some(&self.host)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            return f.write_str("which has only begun");
        }
        write!(f, "process {} on {}", self.process, self.host)
    }
}
