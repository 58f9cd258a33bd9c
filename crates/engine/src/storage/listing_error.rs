//! Why the files of a dataset cannot be listed.

use std::io;
use std::path::PathBuf;

use super::remote::SCHEMES;
use crate::plan::limits::MOST_PARTITIONS;

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// Nothing has this name.
    #[error("no file matches `{0}`")]
    NoMatch(String),
    /// It is no pattern.
    #[error("`{pattern}` is no pattern: {why}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It cannot be looked at.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// Its name is no text.
    #[error("the name of {} is not UTF-8: rename it, or leave it out by a pattern", .0.display())]
    Name(PathBuf),
    /// A link that leads nowhere.
    #[error(
        "{} is a link to {}, which is not there: remove it, or mend it",
        path.display(), target.display()
    )]
    Dangling {
        /// The link.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// No file, and nothing that can be read twice.
    #[error("cannot read {}: it is {what}", path.display())]
    Special {
        /// The name.
        path: PathBuf,
        /// What it is, and what to do.
        what: &'static str,
    },
    /// A file whose bytes are no lines.
    #[error(
        "{path} is no text: files that end with `{end}` are not unpacked, only .gz, .zst, .bz2 and \
         .xz are; leave it out by a pattern, unpack it, or give its name as an item to a `pipe` that \
         does that"
    )]
    Packed {
        /// The file.
        path: String,
        /// The end of its name.
        end: &'static str,
    },
    /// A kind of URL that cannot be read.
    #[error("`{url}` cannot be read: only files and URLs of file, {} can", SCHEMES.join(", "))]
    Scheme {
        /// As written.
        url: String,
    },
    /// It names no file of this machine.
    #[error("cannot read `{url}`: {why}")]
    Url {
        /// As written.
        url: String,
        /// Why.
        why: String,
    },
    /// It would be cut into more splits than a dataset may have.
    #[error(
        "`{entry}` would be {splits} splits of at most {size} bytes: a dataset has \
         {MOST_PARTITIONS} partitions at most"
    )]
    TooManySplits {
        /// The file.
        entry: String,
        /// How many it would be, with those before it.
        splits: u64,
        /// How large a split may be.
        size: u64,
    },
    /// An object store or a web server did not answer well.
    #[error("cannot read {url}: {error}")]
    Remote {
        /// What was asked for.
        url: String,
        /// What went wrong.
        error: io::Error,
    },
}
