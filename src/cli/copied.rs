//! Event logs of an object store, kept on this machine like those that are there.
//!
//! Responsible for fetching what is new, and for letting go of what is gone: whatever
//! shows logs reads files. The copy is in a folder of its own, which goes with the
//! command; what one that was killed left there goes with the next.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesquite_engine::storage::lock::WorkFolder;
use mesquite_engine::storage::remote;
use mesquite_status::logs::folder::Folder;

use super::exit_code::Failure;

/// It is looked so often what is new.
const OFTEN: Duration = Duration::from_secs(5);

/// A copy of the logs of a store.
pub struct Copied {
    store: remote::Folder,
    folder: WorkFolder,
    /// What is here already, by its name there.
    has: BTreeMap<String, remote::Found>,
}

impl Copied {
    /// A copy of what is there, if that is no folder of this machine.
    ///
    /// # Errors
    /// The store cannot be asked, or there is no room for a copy.
    pub fn of(place: &Path) -> Result<Option<Self>, Failure> {
        let Some(store) = place.to_str().and_then(remote::Folder::of) else {
            return Ok(None);
        };
        let failed = |error| Failure::LogsOfStore(store.url(), error);
        let folder = WorkFolder::make(&std::env::temp_dir()).map_err(failed)?;
        let mut copied = Self {
            store: store.clone(),
            folder,
            has: BTreeMap::new(),
        };
        let wrong = copied.refresh().map_err(failed)?;
        match wrong {
            Some(error) if copied.has.is_empty() => Err(failed(error)),
            _ => Ok(Some(copied)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The logs, as pages show them.
    pub fn folder(&self) -> Folder {
        Folder::copy(self.path(), self.store.url())
    }

    /// Fetches what is new. Returns what kept it from fetching something, if anything did.
    ///
    /// # Errors
    /// The store cannot be asked.
    fn refresh(&mut self) -> io::Result<Option<io::Error>> {
        let found = self.store.list("")?;
        let found: BTreeMap<_, _> = found
            .into_iter()
            .filter(|it| is_of_a_log(&it.name))
            .map(|it| (it.name.clone(), it))
            .collect();
        let gone = self.has.keys().filter(|it| !found.contains_key(*it));
        for name in gone.cloned().collect::<Vec<_>>() {
            // One that is not removed shows what was there once.
            let _ = fs::remove_file(self.path().join(&name));
            self.has.remove(&name);
        }
        let mut wrong = None;
        for (name, it) in found {
            if self.has.get(&name) == Some(&it) {
                continue;
            }
            match self.fetch(&it) {
                Ok(()) => drop(self.has.insert(name, it)),
                Err(error) => {
                    let why = io::Error::other(format!("{name}: {error}"));
                    wrong.get_or_insert(why);
                }
            }
        }
        Ok(wrong)
    }

    /// Brings an object here: whole, or not.
    fn fetch(&self, it: &remote::Found) -> io::Result<()> {
        let path = self.path().join(&it.name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // By its first sign no log.
        let coming: PathBuf = self.path().join(".coming");
        let mut file = File::create(&coming)?;
        io::copy(&mut self.store.open(&it.name)?, &mut file)?;
        file.set_modified(it.modified)?;
        fs::rename(&coming, &path)
    }
}

/// Whether an object may be a log, or a file of one that rolls. Names are others' words.
fn is_of_a_log(name: &str) -> bool {
    let is_plain = |it: &str| !it.is_empty() && !it.starts_with(['.', '_']);
    match name.split('/').collect::<Vec<_>>()[..] {
        [file] => is_plain(file),
        [folder, file] => folder.starts_with("eventlog_v2_") && is_plain(file),
        _ => false,
    }
}

/// Keeps a copy up to date for as long as it is polled. What goes wrong is told when it
/// begins to.
pub async fn keep(copy: Option<Copied>, tell: impl Fn(&str)) {
    let Some(mut copy) = copy else {
        return std::future::pending().await;
    };
    let mut told = None;
    loop {
        tokio::time::sleep(OFTEN).await;
        let looked = tokio::task::spawn_blocking(move || {
            let looked = copy.refresh();
            (copy, looked)
        });
        let Ok((back, looked)) = looked.await else {
            return;
        };
        copy = back;
        let why = looked.unwrap_or_else(Some).map(|it| it.to_string());
        if let Some(why) = &why
            && told.as_ref() != Some(why)
        {
            let url = copy.store.url();
            tell(&format!(
                "warning: what is new in {url} is not all here: {why}"
            ));
        }
        told = why;
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_a_log;

    #[test]
    fn what_has_the_name_of_no_log_is_not_fetched() {
        for name in ["app", "app.zstd.inprogress", "eventlog_v2_a/events_1_a"] {
            assert!(is_of_a_log(name), "{name}");
        }
        for name in [
            "",
            "..",
            ".app",
            "_SUCCESS",
            "a/b",
            "../a",
            "eventlog_v2_a/..",
            "x/y/z",
        ] {
            assert!(!is_of_a_log(name), "{name}");
        }
        assert!(!is_of_a_log("eventlog_v2_a/events_1/../../x"));
    }
}
