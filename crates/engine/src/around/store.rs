//! What an executor has fetched.
//!
//! Responsible for each file being fetched once, by the first task that wants it, while
//! others that want it wait; for a failure being that of all who waited, and of none who
//! come later; and for noticing that a command has changed what is there for all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::Pieces;
use super::archive::unpack;
use super::fetch::{from_driver, from_url, no_room};
use super::folder::TaskFolder;
use crate::hex::hex;
use crate::plan::surroundings::{Brought, Origin, packing_of};
use crate::storage::private;
use crate::task::{Cancel, TaskContext, TaskError};
use ring::digest::{SHA256, digest};

/// The folder of all of it, within the work folder.
const FOLDER: &str = "around";

/// Whoever waits looks so often whether its task is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// See the module.
pub struct Store {
    folder: PathBuf,
    /// Of the host, for people.
    host: String,
    pieces: Arc<dyn Pieces>,
    things: Mutex<BTreeMap<String, Thing>>,
    /// Something has come, or will not.
    settled: Condvar,
    /// The number of the next folder.
    next: AtomicU64,
}

/// What is known of a file, by its name in the folder.
enum Thing {
    /// A task fetches it; how that fails.
    Coming(Arc<OnceLock<Why>>),
    /// It is there; a file is what it was with this.
    There(Option<Stamp>),
}

/// Why a file does not come, and whether a later attempt may have it.
#[derive(Clone)]
struct Why {
    text: String,
    permanent: bool,
}

/// By what it shows that a file was written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let about = fs::symlink_metadata(path)?;
        Ok(Self {
            bytes: about.len(),
            changed: (about.mtime(), about.mtime_nsec()),
        })
    }
}

impl Store {
    /// That of an executor with this work folder, on a host that people call so.
    pub fn new(work_folder: &Path, host: &str, pieces: Arc<dyn Pieces>) -> Self {
        Self {
            folder: work_folder.join(FOLDER),
            host: host.to_owned(),
            pieces,
            things: Mutex::default(),
            settled: Condvar::new(),
            next: AtomicU64::new(0),
        }
    }

    /// A folder for a command, with these files in it.
    ///
    /// # Errors
    /// One of them cannot be had, or the task is to stop.
    pub fn folder(
        &self,
        files: &[Brought],
        context: &TaskContext,
    ) -> Result<TaskFolder, TaskError> {
        let mut there = Vec::new();
        for file in files {
            let path = self.have(file, context).map_err(|error| {
                let what = format!("cannot bring `{}` to {}", file.name, self.host);
                match error {
                    TaskError::Failed(why) => TaskError::Failed(format!("{what}: {why}")),
                    TaskError::Permanent(why) => TaskError::Permanent(format!("{what}: {why}")),
                    other => other,
                }
            })?;
            there.push((file.name.as_str(), path));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        TaskFolder::make(self.folder.join(format!("at-{number}")), there)
    }

    /// Where a file is, once it is there.
    fn have(&self, file: &Brought, context: &TaskContext) -> Result<PathBuf, TaskError> {
        let name = name_of(file)?;
        let path = self.folder.join(&name);
        let Some(fetching) = self.claim(&name, &path, &context.cancel)? else {
            return Ok(path);
        };
        let fetched = self.make_folder().and_then(|()| match file.unpacked {
            None => {
                self.fetch(&file.from, &path, &context.cancel)?;
                let stamp = Stamp::of(&path).map_err(|error| no_room(&path, &error))?;
                Ok(Some(stamp))
            }
            Some(most) => {
                self.unpack(&file.from, &path, most, context)?;
                Ok(None)
            }
        });
        fetching.settle(fetched)?;
        Ok(path)
    }

    /// Fetches a file to a path.
    fn fetch(&self, from: &Origin, to: &Path, cancel: &Cancel) -> Result<(), TaskError> {
        match from {
            Origin::Driver { content, .. } => {
                let content = content.as_ref().ok_or_else(unknown)?;
                from_driver(&*self.pieces, content, to, cancel)
            }
            Origin::Remote { url } => from_url(url, to, cancel),
        }
    }

    /// Fetches an archive, and has what is in it in a folder.
    fn unpack(
        &self,
        from: &Origin,
        to: &Path,
        most: u64,
        context: &TaskContext,
    ) -> Result<(), TaskError> {
        let packing = packing_of(from.written()).ok_or_else(|| {
            TaskError::Permanent("its name is that of no archive which can be unpacked".into())
        })?;
        let (packed, part) = (to.with_extension("packed"), to.with_extension("part-d"));
        let unpacked = self
            .fetch(from, &packed, &context.cancel)
            .and_then(|()| unpack(&packed, packing, &part, most, context))
            .and_then(|()| fs::rename(&part, to).map_err(|error| no_room(to, &error)));
        let _ = fs::remove_file(&packed);
        if unpacked.is_err() {
            private::remove_all(&part);
        }
        unpacked
    }

    /// Made when something is brought.
    fn make_folder(&self) -> Result<(), TaskError> {
        match private::make_folder(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(no_room(&self.folder, &error))
            }
            _ => Ok(()),
        }
    }

    fn things(&self) -> MutexGuard<'_, BTreeMap<String, Thing>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to fetch a file; none if it is there.
    fn claim<'s>(
        &'s self,
        name: &'s str,
        path: &Path,
        cancel: &Cancel,
    ) -> Result<Option<Fetching<'s>>, TaskError> {
        let mut things = self.things();
        loop {
            cancel.check()?;
            let failure = match things.get(name) {
                None => break,
                Some(Thing::There(stamp)) => {
                    if stamp.is_none_or(|it| Stamp::of(path).is_ok_and(|now| now == it)) {
                        return Ok(None);
                    }
                    tracing::warn!(
                        "a command has written into a file that is there for all of them, or has \
                         removed it: it is fetched anew ({})",
                        path.display()
                    );
                    // What links to it has it for as long as it wants.
                    let _ = fs::remove_file(path);
                    break;
                }
                Some(Thing::Coming(failure)) => Arc::clone(failure),
            };
            let waited = self.settled.wait_timeout(things, LOOK);
            (things, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = failure.get() {
                return Err(why.clone().into());
            }
        }
        let failure = Arc::<OnceLock<Why>>::default();
        things.insert(name.to_owned(), Thing::Coming(Arc::clone(&failure)));
        Ok(Some(Fetching {
            store: self,
            name,
            failure,
            there: None,
        }))
    }
}

/// What a file is called in the folder.
fn name_of(file: &Brought) -> Result<String, TaskError> {
    let (digest, executable) = match &file.from {
        Origin::Driver { content, .. } => {
            let content = content.as_ref().ok_or_else(unknown)?;
            (content.digest.clone(), content.executable)
        }
        Origin::Remote { url } => (hex(digest(&SHA256, url.as_bytes()).as_ref()), true),
    };
    let kind = match (file.unpacked.is_some(), executable) {
        (true, _) => "-d",
        (false, true) => "-x",
        (false, false) => "",
    };
    Ok(format!("{digest}{kind}"))
}

fn unknown() -> TaskError {
    TaskError::Permanent("the driver has not said what it has in it".into())
}

impl From<Why> for TaskError {
    fn from(why: Why) -> Self {
        if why.permanent {
            Self::Permanent(why.text)
        } else {
            Self::Failed(why.text)
        }
    }
}

/// The right to fetch a file. Dropped without it being there, it is another task's.
struct Fetching<'s> {
    store: &'s Store,
    name: &'s str,
    failure: Arc<OnceLock<Why>>,
    there: Option<Option<Stamp>>,
}

impl Fetching<'_> {
    /// It is there, or is not.
    fn settle(mut self, fetched: Result<Option<Stamp>, TaskError>) -> Result<(), TaskError> {
        let error = match fetched {
            Ok(stamp) => {
                self.there = Some(stamp);
                return Ok(());
            }
            Err(error) => error,
        };
        let permanent = matches!(error, TaskError::Permanent(_));
        // That this task is to stop says nothing of those that wait.
        if permanent || matches!(error, TaskError::Failed(_)) {
            let text = error.to_string();
            let _ = self.failure.set(Why { text, permanent });
        }
        Err(error)
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        let mut things = self.store.things();
        match self.there {
            Some(stamp) => things.insert(self.name.to_owned(), Thing::There(stamp)),
            None => things.remove(self.name),
        };
        self.store.settled.notify_all();
    }
}

#[cfg(test)]
mod tests;
