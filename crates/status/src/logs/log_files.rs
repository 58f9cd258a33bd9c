//! Which files of a folder are event logs, by their names, and how they are opened.
//!
//! Responsible for Spark's naming: `APP`, `APP.zstd`, `.inprogress` behind it while the
//! run lasts, and folders `eventlog_v2_APP` whose files follow each other. Symbolic links
//! are not followed: whoever may write to the folder is not to have files read for him
//! that he cannot read himself.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::OFlag;

/// Behind the name of a log whose run lasts.
const IN_PROGRESS: &str = ".inprogress";

/// What is before the name of an application, if its log is a folder.
const ROLLING: &str = "eventlog_v2_";

/// How a log is compressed, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// With zstd.
    Zstd,
}

/// Why a file is no log that can be read.
#[derive(Debug, thiserror::Error)]
pub enum LogFilesError {
    /// It cannot be looked at.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("is no regular file; links are not followed")]
    NoFile,
    /// It is compressed in a way that we cannot undo.
    #[error(
        "is compressed with {0}, which is not read here; have Spark write zstd \
         (spark.eventLog.compression.codec=zstd)"
    )]
    Compression(String),
    /// A folder of a log has no events.
    #[error("has no file events_N in it")]
    Empty,
}

/// What shows that a log has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes.
    pub length: u64,
    /// When it was written to last.
    pub modified: SystemTime,
    /// Whether its name says that the run lasts.
    pub in_progress: bool,
}

/// A log: its files, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFiles {
    /// The file or folder.
    pub path: PathBuf,
    /// What it consists of.
    pub files: Vec<PathBuf>,
    /// How it is now.
    pub mark: Mark,
}

impl LogFiles {
    /// The log at a path; none if its name says that it is something else.
    ///
    /// # Errors
    /// It looks like one and cannot be one.
    pub fn at(path: &Path) -> Result<Option<Self>, LogFilesError> {
        let name = path.file_name().map(|it| it.to_string_lossy());
        let Some(name) = name.filter(|it| !it.starts_with(['.', '_'])) else {
            return Ok(None);
        };
        let about = path.symlink_metadata()?;
        if about.is_dir() {
            return match name.strip_prefix(ROLLING) {
                Some(_) => Self::rolling(path).map(Some),
                None => Ok(None),
            };
        }
        codec(&name)?;
        Ok(Some(
            Self {
                path: path.to_owned(),
                files: vec![path.to_owned()],
                mark: Mark {
                    length: about.len(),
                    modified: about.modified()?,
                    in_progress: name.ends_with(IN_PROGRESS),
                },
            }
            .of_file(&about)?,
        ))
    }

    fn of_file(self, about: &Metadata) -> Result<Self, LogFilesError> {
        if about.is_file() {
            Ok(self)
        } else {
            Err(LogFilesError::NoFile)
        }
    }

    /// A log in a folder: `events_N_APP` in the order of N; `appstatus_APP` says whether
    /// the run lasts.
    fn rolling(path: &Path) -> Result<Self, LogFilesError> {
        let mut files = Vec::new();
        let mut mark = Mark {
            length: 0,
            modified: SystemTime::UNIX_EPOCH,
            in_progress: false,
        };
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("appstatus_") {
                mark.in_progress |= name.ends_with(IN_PROGRESS);
                // In an object store it is put there again and again as long as the run lasts.
                mark.modified = mark.modified.max(entry.metadata()?.modified()?);
            }
            let Some(number) = name.strip_prefix("events_") else {
                continue;
            };
            let number = number.split('_').next().and_then(|it| it.parse().ok());
            let Some(number): Option<u64> = number else {
                continue;
            };
            codec(&name)?;
            // Of the entry itself, not of where it leads.
            let about = entry.metadata()?;
            if !about.is_file() {
                return Err(LogFilesError::NoFile);
            }
            mark.length += about.len();
            mark.modified = mark.modified.max(about.modified()?);
            files.push((number, entry.path()));
        }
        files.sort();
        if files.is_empty() {
            return Err(LogFilesError::Empty);
        }
        Ok(Self {
            path: path.to_owned(),
            files: files.into_iter().map(|(_, path)| path).collect(),
            mark,
        })
    }

    /// What an archive of it has, by name: files, and the folder that they are in, if there
    /// is one.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn archived(&self) -> io::Result<Vec<(String, Option<PathBuf>)>> {
        let name = self.name();
        if self.files == [self.path.as_path()] {
            return Ok(vec![(name, Some(self.path.clone()))]);
        }
        let mut all = vec![(format!("{name}/"), None)];
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let own = entry.file_name();
                let own = own.to_string_lossy();
                all.push((format!("{name}/{own}"), Some(entry.path())));
            }
        }
        all.sort();
        Ok(all)
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// How a file of this name is compressed.
///
/// # Errors
/// In a way that we cannot undo.
pub fn codec(name: &str) -> Result<Compression, LogFilesError> {
    let name = name.strip_suffix(IN_PROGRESS).unwrap_or(name);
    match name.rsplit_once('.') {
        Some((_, "zstd")) => Ok(Compression::Zstd),
        Some((_, other @ ("lz4" | "lzf" | "snappy"))) => {
            Err(LogFilesError::Compression(other.to_owned()))
        }
        _ => Ok(Compression::Plain),
    }
}

/// Opens a file of a log, and says how it is compressed.
///
/// # Errors
/// It cannot be opened, or is no regular file any more.
pub fn open(path: &Path) -> Result<(File, Compression), LogFilesError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let codec = codec(&name)?;
    // A pipe in its place would not let go of whoever opens it.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok((file, codec))
    } else {
        Err(LogFilesError::NoFile)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in [
            "app",
            "app.inprogress",
            "a.zstd",
            "a.zstd.inprogress",
            "a.lz4",
            ".hidden",
        ] {
            fs::write(path(name), "x").expect("written");
        }
        fs::create_dir(path("other")).expect("made");
        std::os::unix::fs::symlink(path("app"), path("link")).expect("made");
        let at = |name| LogFiles::at(&path(name));
        let is_running = |name| at(name).expect("a log").map(|it| it.mark.in_progress);
        assert_eq!(is_running("app"), Some(false));
        assert_eq!(is_running("a.zstd.inprogress"), Some(true));
        assert_eq!((is_running(".hidden"), is_running("other")), (None, None));
        assert!(matches!(at("a.lz4"), Err(LogFilesError::Compression(it)) if it == "lz4"));
        assert!(matches!(at("link"), Err(LogFilesError::NoFile)));
        assert!(open(&path("link")).is_err());
        assert!(matches!(open(&path("a.zstd")), Ok((_, Compression::Zstd))));
    }

    #[test]
    fn a_folder_of_a_log_has_its_files_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("eventlog_v2_app");
        fs::create_dir(&log).expect("made");
        assert!(matches!(LogFiles::at(&log), Err(LogFilesError::Empty)));
        for name in [
            "events_10_app",
            "events_2_app",
            "appstatus_app.inprogress",
            "extra",
        ] {
            fs::write(log.join(name), "x").expect("written");
        }
        let place = LogFiles::at(&log).expect("readable").expect("a log");
        assert!(place.mark.in_progress);
        assert_eq!(
            place.files,
            [log.join("events_2_app"), log.join("events_10_app")]
        );
        let archived = place.archived().expect("readable");
        let names: Vec<_> = archived.iter().map(|(name, _)| name.as_str()).collect();
        let all = [
            "eventlog_v2_app/",
            "eventlog_v2_app/appstatus_app.inprogress",
            "eventlog_v2_app/events_10_app",
            "eventlog_v2_app/events_2_app",
            "eventlog_v2_app/extra",
        ];
        assert_eq!(names, all);
    }
}
