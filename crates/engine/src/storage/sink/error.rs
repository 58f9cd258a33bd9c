//! Why a save cannot go where it is wanted.

use std::io;
use std::path::{Path, PathBuf};

use crate::ids::Partition;

/// Why a folder cannot be used or filled. Folders of object stores are told by
/// their URLs.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It has something in it.
    #[error(
        "folder {folder} is not empty, it has `{first}`: choose another, or set `overwrite = true` \
         if an earlier save of Mesquite is to be replaced"
    )]
    NotEmpty {
        /// The folder.
        folder: String,
        /// One of the things in it.
        first: String,
    },
    /// It has something in it that no save of ours wrote.
    #[error(
        "`overwrite = true` replaces only what an earlier save of Mesquite wrote, and `{first}` in \
         {folder} is not of it, or was changed since: choose another folder, or empty it yourself"
    )]
    Foreign {
        /// The folder.
        folder: String,
        /// The first thing that is not ours.
        first: String,
    },
    /// An earlier run left something out there, of other items.
    #[error(
        "{folder} has what an earlier run could finish of its items, and {why}: choose another \
         folder, or set `overwrite = true` to make all anew"
    )]
    Unlike {
        /// The folder.
        folder: String,
        /// Why this run cannot go on with it.
        why: String,
    },
    /// Replacing it would be a mistake in any case.
    #[error("{} cannot be overwritten: it {why}", .folder.display())]
    Protected {
        /// The folder.
        folder: PathBuf,
        /// Why.
        why: String,
    },
    /// Two saves go to the same place.
    #[error(
        "two saves would get into each other's way, in {} and in {}: give each a folder of its own",
        .first.display(), .second.display()
    )]
    Twice {
        /// One.
        first: PathBuf,
        /// The same, or one within it.
        second: PathBuf,
    },
    /// Another run is at it.
    #[error(
        "another run writes to {folder} at this moment ({who}): let it end, or choose another folder"
    )]
    Busy {
        /// The folder.
        folder: String,
        /// Who, as far as is known.
        who: String,
    },
    /// A run of another machine was at it; whether it lives cannot be known here.
    #[error(
        "a run on {host} began to write to {folder} and has not ended it: if it is dead, remove \
         {left} or run there once more, else choose another folder"
    )]
    Elsewhere {
        /// The folder.
        folder: String,
        /// The machine.
        host: String,
        /// What is to be removed.
        left: String,
    },
    /// No place that can be written to.
    #[error("cannot save to `{to}`: {why}")]
    Place {
        /// As written.
        to: String,
        /// Why.
        why: String,
    },
    /// A partition was committed by nobody.
    #[error(
        "partition {partition} is missing in {folder}: a folder must be the same one on every \
         agent and on the machine of the driver"
    )]
    Missing {
        /// The folder.
        folder: String,
        /// The partition.
        partition: Partition,
    },
    /// An object store refused something.
    #[error("cannot {what} {url}: {error}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// With what.
        url: String,
        /// What went wrong.
        error: io::Error,
    },
    /// A file or folder.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SinkError {
    let path = path.to_owned();
    move |error| SinkError::Io { what, path, error }
}
