//! Where the event log of a run is, and what it is called while the run lasts and after it.
//!
//! Responsible for Spark's names: a file `APP`, or a folder `eventlog_v2_APP` with a file
//! for each part; and for logs that are there already. What is written into the files is
//! the business of [`files`](super::files). A log for an object store grows in a folder of
//! this machine, under the same names; how it gets there is that of
//! [`uploads`](super::uploads).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mesquite_engine::storage::remote::Folder;

use super::EventLogError;
use crate::conf::Conf;
use crate::conf::properties::event_log::{
    EVENT_LOG_COMPRESS, EVENT_LOG_DIR, EVENT_LOG_OVERWRITE, EVENT_LOG_ROLLING,
};
use crate::conf::properties::storage::LOCAL_DIR;

/// Behind the name of a log whose run lasts.
const IN_PROGRESS: &str = ".inprogress";

/// Before the name of an application whose log is a folder.
const ROLLING: &str = "eventlog_v2_";

/// Its user writes it; others who are in the folder's group may read it, such as a
/// history server.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// Where a log is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The file or folder, once the run is over.
    path: PathBuf,
    /// The application, and which of its drivers writes, in Spark's words `APP_1`.
    app: String,
    /// Behind the names of files.
    codec: &'static str,
    is_rolling: bool,
    /// The store that it is brought to.
    store: Option<Folder>,
}

impl Place {
    /// Of the log of this application.
    ///
    /// # Errors
    /// Logs are not written where it is wanted.
    pub(super) fn of(app: &str, attempt: Option<u32>, conf: &Conf) -> Result<Self, EventLogError> {
        let (folder, store) = match wanted(&conf.get(&EVENT_LOG_DIR))? {
            Wanted::Here(folder) => (folder, None),
            Wanted::Store(store) => {
                let failed = |error: io::Error| EventLogError::Place(error.to_string());
                (spool(app, conf).map_err(failed)?, Some(store))
            }
        };
        let app = attempt.map_or_else(|| app.to_owned(), |attempt| format!("{app}_{attempt}"));
        let codec = if conf.get(&EVENT_LOG_COMPRESS) {
            ".zstd"
        } else {
            ""
        };
        let is_rolling = conf.get(&EVENT_LOG_ROLLING);
        let name = match is_rolling {
            true => format!("{ROLLING}{app}"),
            false => format!("{app}{codec}"),
        };
        Ok(Self {
            path: folder.join(name),
            app,
            codec,
            is_rolling,
            store,
        })
    }

    /// The log, once the run is over, for people.
    pub(super) fn shown(&self) -> String {
        match &self.store {
            Some(store) => format!("{}/{}", store.url().trim_end_matches('/'), self.name()),
            None => self.path.display().to_string(),
        }
    }

    /// The store that it is brought to.
    pub(super) const fn store(&self) -> Option<&Folder> {
        self.store.as_ref()
    }

    /// The folder of this machine in which it is.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// There will be no such log.
    pub(super) fn forget(&self) {
        if self.store.is_some() {
            // Nothing is in it yet, or what an earlier driver of the run left.
            let _ = std::fs::remove_dir(self.folder());
        }
    }

    /// What shows that a run lasts, if that is a file of its own.
    pub(super) fn status_while_it_lasts(&self) -> Option<PathBuf> {
        self.is_rolling.then(|| self.status(true))
    }

    /// The file that shows, once the run is over, that the log is whole.
    pub(super) fn last(&self) -> PathBuf {
        match self.is_rolling {
            true => self.status(false),
            false => self.path.clone(),
        }
    }

    /// The log, while the run lasts.
    pub(super) fn lasting(&self) -> PathBuf {
        match self.is_rolling {
            true => self.path.clone(),
            false => self.part(1),
        }
    }

    /// Makes room: what an earlier driver of this run left is replaced, and whatever else
    /// is called so only if that is wanted.
    ///
    /// # Errors
    /// There is a log of this name, or the disk cannot be written to.
    pub(super) fn make(&self, goes_on: bool, conf: &Conf) -> Result<(), EventLogError> {
        let replaces = goes_on || conf.get(&EVENT_LOG_OVERWRITE);
        let growing = with_end(&self.path, IN_PROGRESS);
        let there = [&self.path, &growing];
        if let Some(store) = &self.store {
            self.make_in(store, replaces)?;
        } else if let Some(there) = there.into_iter().find(|it| it.exists() && !replaces) {
            return Err(EventLogError::Exists(there.display().to_string()));
        }
        if !self.is_rolling {
            return Ok(());
        }
        let failed = |error| EventLogError::File {
            path: self.path.clone(),
            error,
        };
        self.clear().map_err(failed)?;
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.path);
        made.map_err(failed)?;
        // By it readers know a run that lasts; it has no other content.
        create(&self.status(true)).map_err(failed)?;
        Ok(())
    }

    /// Makes room in a store.
    fn make_in(&self, store: &Folder, replaces: bool) -> Result<(), EventLogError> {
        let failed = |error| EventLogError::Place(format!("{}: {error}", self.shown()));
        let name = self.name();
        if !self.is_rolling {
            // An object is replaced as a whole.
            let is_there = !replaces && store.has(&name).map_err(failed)?;
            return match is_there {
                true => Err(EventLogError::Exists(self.shown())),
                false => Ok(()),
            };
        }
        let there = store.list(&name).map_err(failed)?;
        if !there.is_empty() && !replaces {
            return Err(EventLogError::Exists(self.shown()));
        }
        for it in there {
            if it.name.rsplit('/').next().is_some_and(is_of_a_log) {
                store.remove(&it.name).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Removes the files of a log in a folder, and nothing else that is there.
    fn clear(&self) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if is_of_a_log(&name.to_string_lossy()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn status(&self, lasts: bool) -> PathBuf {
        let end = if lasts { IN_PROGRESS } else { "" };
        self.path.join(format!("appstatus_{}{end}", self.app))
    }

    /// The file of this part, counted from 1, while the run lasts. A log that is no folder
    /// has one part.
    pub(super) fn part(&self, number: u32) -> PathBuf {
        match self.is_rolling {
            true => self
                .path
                .join(format!("events_{number}_{}{}", self.app, self.codec)),
            false => with_end(&self.path, IN_PROGRESS),
        }
    }

    /// The run is over: its log is called so from now on.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn over(&self) -> io::Result<()> {
        match self.is_rolling {
            true => std::fs::rename(self.status(true), self.status(false)),
            false => std::fs::rename(self.part(1), &self.path),
        }
    }
}

/// Whether a file in the folder of a log that rolls is one of it.
fn is_of_a_log(name: &str) -> bool {
    name.starts_with("events_") || name.starts_with("appstatus_")
}

/// Makes a file of a log, and holds it.
///
/// # Errors
/// The disk.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)?;
    // Held as long as it is written to: by it `mesquite history` tells a run that lasts from
    // one that was cut off. Where files cannot be locked it goes by time.
    let _ = file.try_lock();
    Ok(file)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// The folder of this machine in which the log of an application grows. What an earlier
/// driver of the run left there goes with it at the end: the log of this one has all of it.
///
/// # Errors
/// It cannot be made, or is somebody else's.
fn spool(app: &str, conf: &Conf) -> io::Result<PathBuf> {
    let within = conf.get(&LOCAL_DIR).unwrap_or_else(std::env::temp_dir);
    let path = within.join(format!("mesquite-event-log-{app}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = std::fs::symlink_metadata(&path)?;
            let is_ours = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
            if !is_ours {
                return Err(io::Error::other(format!(
                    "{} is not a folder of this user's own",
                    path.display()
                )));
            }
        }
        made => made?,
    }
    Ok(path)
}

/// Where logs are wanted.
pub(super) enum Wanted {
    /// In a folder of this machine.
    Here(PathBuf),
    /// In an object store.
    Store(Folder),
}

/// What a setting names.
///
/// # Errors
/// Logs are not written there.
pub(super) fn wanted(text: &str) -> Result<Wanted, EventLogError> {
    let wrong = |why: String| Err(EventLogError::Place(why));
    let path = match text.split_once(':') {
        Some(("file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some((scheme, _)) if !scheme.contains('/') => {
            return match Folder::of(text) {
                Some(store) => Ok(Wanted::Store(store)),
                None => wrong(format!(
                    "`{text}` is neither a folder of this machine nor one of an object store \
                     (s3://, gs://, az://); event logs are written to no other place"
                )),
            };
        }
        _ => text,
    };
    let path = Path::new(path);
    if path.is_dir() {
        Ok(Wanted::Here(path.to_owned()))
    } else {
        wrong(format!(
            "there is no folder {}; make it, or name another one",
            path.display()
        ))
    }
}
