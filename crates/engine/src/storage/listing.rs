//! Which files there are, and how they are cut into splits.
//!
//! Responsible for turning the entries of a `text` dataset into splits, in an
//! order that does not depend on the file system. It reads names and sizes, no
//! contents.

use std::io;
use std::path::Path;

use super::files;
pub use super::listing_error::ListingError;
use super::remote;
use crate::ids::Host;
use crate::plan::PlacedSplit;
use crate::plan::limits::MOST_PARTITIONS;
use crate::plan::split::{Packing, Split};

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
    let path = super::path::local(entry)
        .map_err(|why| ListingError::Url {
            url: entry.to_owned(),
            why,
        })?
        .ok_or_else(|| ListingError::Scheme {
            url: entry.to_owned(),
        })?;
    // Tasks run in other folders than the driver.
    let path = std::path::absolute(&path).map_err(|error| ListingError::Io {
        path: path.clone(),
        error,
    })?;
    let path = path
        .to_str()
        .ok_or_else(|| ListingError::Name(path.clone()))?;
    // A file may have the name of a pattern.
    let is_pattern = path.contains(['*', '?', '[']) && !Path::new(path).exists();
    let files = if is_pattern {
        files::of_pattern(path)?
    } else {
        files::of_path(Path::new(path)).map_err(|error| match error {
            ListingError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                ListingError::NoMatch(entry.to_owned())
            }
            other => other,
        })?
    };
    if files.is_empty() && is_pattern {
        return Err(ListingError::NoMatch(entry.to_owned()));
    }
    let mut splits = Vec::new();
    for (file, length) in files {
        let text = file
            .to_str()
            .ok_or_else(|| ListingError::Name(file.clone()))?;
        cut(text, length, size, hosts, &mut splits)?;
    }
    Ok(splits)
}

fn remote_splits(entry: &str, hosts: &[Host], size: u64) -> Result<Vec<PlacedSplit>, ListingError> {
    let objects = remote::list(entry, size).map_err(|error| ListingError::Remote {
        url: entry.to_owned(),
        error,
    })?;
    if objects.is_empty() {
        return Err(ListingError::NoMatch(entry.to_owned()));
    }
    let mut splits = Vec::new();
    for object in objects {
        // What cannot be read from its middle on is one split.
        let size = if object.in_parts { size } else { u64::MAX };
        cut(&object.url, Some(object.size), size, hosts, &mut splits)?;
    }
    Ok(splits)
}

/// Cuts a file into splits of about the same size, none larger than `size`. One
/// whose length nobody knows is read to its end.
fn cut(
    text: &str,
    length: Option<u64>,
    size: u64,
    hosts: &[Host],
    splits: &mut Vec<PlacedSplit>,
) -> Result<(), ListingError> {
    let path: std::sync::Arc<str> = text.into();
    let packing = Packing::of(text);
    if let Some(end) = Packing::unread(text) {
        return Err(ListingError::Packed {
            path: text.to_owned(),
            end,
        });
    }
    let is_cut = packing == Packing::Plain && length.is_some();
    let length = length.unwrap_or(1);
    let count = if is_cut {
        length.div_ceil(size.max(1))
    } else {
        u64::from(length > 0)
    };
    let all = count.saturating_add(splits.len() as u64);
    if all > u64::from(MOST_PARTITIONS) {
        return Err(ListingError::TooManySplits {
            entry: text.to_owned(),
            splits: all,
            size,
        });
    }
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
                length: is_cut.then_some(end - start),
                packing,
                header: false,
            },
            hosts: hosts.to_vec(),
            bytes: end - start,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    #[test]
    fn what_is_packed_is_one_split_or_refused() {
        let folder = folder();
        for name in ["x.bz2", "x.XZ", "x.Gz"] {
            fs::write(folder.path().join(name), "xxxxxxxxx").expect("written");
            let found = listed(&folder, &format!("BASE/{name}")).expect("read");
            assert_eq!(found, [format!("BASE/{name} 0+all")]);
        }
        for name in ["x.zip", "x.Z", "x.lz4", "x.tar.gz"] {
            fs::write(folder.path().join(name), "xxxxxxxxx").expect("written");
            let error = listed(&folder, &format!("BASE/{name}")).expect_err("not read");
            assert!(
                error.contains(&format!("BASE/{name} is no text")),
                "{error}"
            );
            fs::remove_file(folder.path().join(name)).expect("removed");
        }
    }
}
