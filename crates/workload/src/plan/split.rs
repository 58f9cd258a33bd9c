//! Parts of files, and how files are packed.
//!
//! Responsible for what is known of a file by its name, and for saying which part of it
//! is read. Which splits make a partition is [`splits`](super::splits)'s business. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// A path or URL.
    pub path: Arc<str>,
    /// Where it begins, in bytes. A line belongs to the split in which its
    /// first byte lies.
    pub start: u64,
    /// How long it is; `None` for all that is left (compressed files, and
    /// those whose size is not known).
    pub length: Option<u64>,
    /// How the file is packed.
    pub packing: Packing,
    /// Whether the first line of the file is no record.
    #[serde(default)]
    pub header: bool,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// `.gz`.
    Gzip,
    /// `.zst`.
    Zstd,
    /// `.bz2`.
    Bzip2,
    /// `.xz`.
    Xz,
}

/// By which ends of names packed files are known.
const PACKED: [(&str, Packing); 4] = [
    (".gz", Packing::Gzip),
    (".zst", Packing::Zstd),
    (".bz2", Packing::Bzip2),
    (".xz", Packing::Xz),
];

/// By which ends of names archives are known that are unpacked for commands.
const ARCHIVES: [(&str, Packing); 8] = [
    (".tar", Packing::Plain),
    (".tar.gz", Packing::Gzip),
    (".tgz", Packing::Gzip),
    (".tar.zst", Packing::Zstd),
    (".tar.bz2", Packing::Bzip2),
    (".tbz2", Packing::Bzip2),
    (".tar.xz", Packing::Xz),
    (".txz", Packing::Xz),
];

/// Their bytes are nobody's lines.
const UNREAD: [&str; 19] = [
    ".7z", ".tar", ".tar.bz2", ".tar.gz", ".tar.xz", ".tar.zst", ".tbz2", ".tgz", ".txz", ".lz",
    ".lz4", ".lzma", ".lzo", ".rar", ".snappy", ".zip", ".z", ".parquet", ".orc",
];

impl Packing {
    /// By the end of a file's name.
    pub fn of(path: &str) -> Self {
        let found = PACKED.iter().find(|(end, _)| ends_with(path, end));
        found.map_or(Self::Plain, |(_, packing)| *packing)
    }

    /// How an archive is packed, by the end of its name; none if it is none that can be
    /// unpacked for commands.
    pub fn of_archive(path: &str) -> Option<Self> {
        let found = ARCHIVES.iter().find(|(end, _)| ends_with(path, end));
        found.map(|(_, packing)| *packing)
    }

    /// The ends of names of archives.
    pub fn archives() -> String {
        let ends = ARCHIVES.iter().map(|(end, _)| *end);
        ends.collect::<Vec<_>>().join(", ")
    }

    /// The end of a name that says that a file is packed in a way that is not
    /// read.
    pub fn unread(path: &str) -> Option<&'static str> {
        let found = UNREAD.iter().find(|end| ends_with(path, end));
        found.copied()
    }
}

fn ends_with(path: &str, end: &str) -> bool {
    let at = path.len().checked_sub(end.len());
    at.and_then(|at| path.get(at..))
        .is_some_and(|it| it.eq_ignore_ascii_case(end))
}
