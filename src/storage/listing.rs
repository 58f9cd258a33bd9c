//! Which files there are, and how they are cut into splits.
//!
//! Responsible for turning the entries of a `text` dataset into splits, in an
//! order that does not depend on the file system. It reads names and sizes, no
//! contents.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::remote::{self, SCHEMES};
use crate::ids::Host;
use crate::plan::PlacedSplit;
use crate::plan::operation::{Packing, Split};

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
    #[error("the name of {} is not UTF-8", .0.display())]
    Name(PathBuf),
    /// A kind of URL that cannot be read.
    #[error("`{url}` cannot be read: only files and URLs of file, {} can", SCHEMES.join(", "))]
    Scheme {
        /// As written.
        url: String,
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

/// The splits of one entry: a file, a folder, a pattern or a `file:` URL.
///
/// Folders are read with all they contain; in them, as in patterns, names that
/// begin with `.` or `_` are passed over, as they are by convention no data.
///
/// # Errors
/// There is nothing to read, or it cannot be looked at.
pub fn splits_of(entry: &str, hosts: &[Host], size: u64) -> Result<Vec<PlacedSplit>, ListingError> {
    if remote::is_remote(entry) {
        return remote_splits(entry, hosts, size);
    }
    let path = match entry.split_once(':') {
        Some(("file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some((scheme, rest)) if rest.starts_with("//") && !scheme.contains('/') => {
            return Err(ListingError::Scheme {
                url: entry.to_owned(),
            });
        }
        _ => entry,
    };
    // Tasks run in other folders than the driver.
    let path = std::path::absolute(path).map_err(|error| ListingError::Io {
        path: path.into(),
        error,
    })?;
    let path = path
        .to_str()
        .ok_or_else(|| ListingError::Name(path.clone()))?;
    let mut files = Vec::new();
    // A file may have the name of a pattern.
    if Path::new(path).exists() || !path.contains(['*', '?', '[']) {
        gather(Path::new(path), &mut files).map_err(|error| match error {
            ListingError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                ListingError::NoMatch(entry.to_owned())
            }
            other => other,
        })?;
    } else {
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let matches = glob::glob_with(path, options).map_err(|error| ListingError::Pattern {
            pattern: path.to_owned(),
            why: error.msg,
        })?;
        for found in matches {
            let found = found.map_err(|error| ListingError::Io {
                path: error.path().to_owned(),
                error: error.into(),
            })?;
            if found.is_file() && !is_hidden(&found) {
                gather(&found, &mut files)?;
            }
        }
        if files.is_empty() {
            return Err(ListingError::NoMatch(entry.to_owned()));
        }
    }
    files.sort();
    let mut splits = Vec::new();
    for (file, length) in files {
        let text = file
            .to_str()
            .ok_or_else(|| ListingError::Name(file.clone()))?;
        cut(text, length, size, hosts, &mut splits);
    }
    Ok(splits)
}

fn remote_splits(entry: &str, hosts: &[Host], size: u64) -> Result<Vec<PlacedSplit>, ListingError> {
    let objects = remote::list(entry).map_err(|error| ListingError::Remote {
        url: entry.to_owned(),
        error,
    })?;
    if objects.is_empty() {
        return Err(ListingError::NoMatch(entry.to_owned()));
    }
    let mut splits = Vec::new();
    for object in objects {
        cut(&object.url, object.size, size, hosts, &mut splits);
    }
    Ok(splits)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_")
    })
}

/// Adds a file, or all files of a folder, with their sizes.
fn gather(path: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<(), ListingError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| ListingError::Io { path, error }
    };
    let mut to_visit = vec![path.to_owned()];
    while let Some(path) = to_visit.pop() {
        let about = fs::metadata(&path).map_err(failed(&path))?;
        if !about.is_dir() {
            files.push((path, about.len()));
            continue;
        }
        for entry in fs::read_dir(&path).map_err(failed(&path))? {
            let entry = entry.map_err(failed(&path))?;
            let path = entry.path();
            // A link to a folder could lead round in a circle.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_hidden(&path) || (is_link && path.is_dir()) {
                continue;
            }
            to_visit.push(path);
        }
    }
    Ok(())
}

/// Cuts a file into splits of about the same size, none larger than `size`.
fn cut(text: &str, length: u64, size: u64, hosts: &[Host], splits: &mut Vec<PlacedSplit>) {
    let path: std::sync::Arc<str> = text.into();
    let packing = Packing::of(text);
    let count = match packing {
        Packing::Plain => length.div_ceil(size.max(1)),
        Packing::Gzip | Packing::Zstd => u64::from(length > 0),
    };
    for index in 0..count {
        let at = |index: u64| {
            let at = u128::from(length) * u128::from(index) / u128::from(count);
            u64::try_from(at).expect("not beyond the file's length")
        };
        let (start, end) = (at(index), at(index + 1));
        splits.push(PlacedSplit {
            split: Split {
                path: std::sync::Arc::clone(&path),
                start,
                length: (packing == Packing::Plain).then_some(end - start),
                packing,
            },
            hosts: hosts.to_vec(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, size) in [
            ("a.txt", 10),
            ("b.txt", 0),
            ("c.gz", 9),
            ("_SUCCESS", 1),
            (".x", 1),
        ] {
            fs::write(folder.path().join(name), "x".repeat(size)).expect("written");
        }
        fs::create_dir(folder.path().join("sub")).expect("made");
        fs::write(folder.path().join("sub/d.txt"), "xyz").expect("written");
        folder
    }

    fn listed(folder: &tempfile::TempDir, entry: &str) -> Result<Vec<String>, String> {
        let base = folder.path().to_str().expect("text");
        let splits = splits_of(&entry.replace("BASE", base), &[], 4);
        let splits = splits.map_err(|error| error.to_string().replace(base, "BASE"))?;
        let shown = splits.iter().map(|placed| {
            let Split {
                path,
                start,
                length,
                ..
            } = &placed.split;
            let length = length.map_or("all".into(), |it| it.to_string());
            format!("{} {start}+{length}", path.replace(base, "BASE"))
        });
        Ok(shown.collect())
    }

    #[test]
    fn folders_patterns_and_files_are_found_and_cut() {
        let folder = folder();
        let a = ["BASE/a.txt 0+3", "BASE/a.txt 3+3", "BASE/a.txt 6+4"];
        assert_eq!(listed(&folder, "BASE/a.txt").expect("there"), a);
        assert_eq!(listed(&folder, "file://BASE/a.txt").expect("there"), a);
        let all = listed(&folder, "BASE").expect("there");
        assert_eq!(all[..3], a);
        assert_eq!(all[3..], ["BASE/c.gz 0+all", "BASE/sub/d.txt 0+3"]);
        let deep = listed(&folder, "BASE/**/*.txt").expect("there");
        assert_eq!(deep.len(), 4);
        assert_eq!(listed(&folder, "BASE/b.txt").expect("there"), [""; 0]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let folder = folder();
        assert_eq!(
            listed(&folder, "BASE/*.csv").expect_err("none"),
            "no file matches `BASE/*.csv`"
        );
        assert_eq!(
            listed(&folder, "BASE/no").expect_err("none"),
            "no file matches `BASE/no`"
        );
        assert!(
            listed(&folder, "ftp://bucket/x")
                .expect_err("none")
                .contains("cannot be read")
        );
        assert!(
            listed(&folder, "BASE/***")
                .expect_err("none")
                .contains("is no pattern")
        );
    }
}
