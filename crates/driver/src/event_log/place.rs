//! Where the event log of a run is, and what it is called while the run lasts and after it.
//!
//! Responsible for Spark's names: a file `APP`, or a folder `eventlog_v2_APP` with a file
//! for each part; and for logs that are there already. What is written into the files is
//! the business of [`files`](super::files).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::EventLogError;
use crate::conf::Conf;
use crate::conf::properties::event_log::{
    EVENT_LOG_COMPRESS, EVENT_LOG_DIR, EVENT_LOG_OVERWRITE, EVENT_LOG_ROLLING,
};

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
    app: String,
    /// Behind the names of files.
    codec: &'static str,
    is_rolling: bool,
}

impl Place {
    /// Of the log of this application.
    ///
    /// # Errors
    /// Logs are not written where it is wanted.
    pub(super) fn of(app: &str, conf: &Conf) -> Result<Self, EventLogError> {
        let folder = folder(&conf.get(&EVENT_LOG_DIR))?;
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
            app: app.to_owned(),
            codec,
            is_rolling,
        })
    }

    /// The log, once the run is over.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
        if let Some(there) = there.into_iter().find(|it| it.exists() && !replaces) {
            return Err(EventLogError::Exists(there.clone()));
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

    /// Removes the files of a log in a folder, and nothing else that is there.
    fn clear(&self) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("events_") || name.starts_with("appstatus_") {
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

/// The folder that a setting names.
pub(super) fn folder(text: &str) -> Result<PathBuf, EventLogError> {
    let wrong = |why: String| Err(EventLogError::Place(why));
    let path = match text.split_once(':') {
        Some(("file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some((scheme, _)) if !scheme.contains('/') => {
            return wrong(format!(
                "`{text}` is not a folder of this machine; this version writes event logs to no \
                 other place"
            ));
        }
        _ => text,
    };
    let path = Path::new(path);
    if path.is_dir() {
        Ok(path.to_owned())
    } else {
        wrong(format!(
            "there is no folder {}; make it, or name another one",
            path.display()
        ))
    }
}
