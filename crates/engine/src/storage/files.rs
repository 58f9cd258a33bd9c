//! Which files a path, a folder or a pattern names.
//!
//! Responsible for the file system: walking folders, matching patterns, and
//! telling what can be read to an end from what cannot. Names need not be UTF-8
//! as long as nothing asks for them.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use glob::Pattern;
use nix::sys::statfs::{
    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, statfs,
};

use super::listing_error::ListingError;

/// A file, with its size where that is known before it is read.
pub(super) type Found = (PathBuf, Option<u64>);

/// What there is under a name.
enum Kind {
    Folder,
    File(Option<u64>),
    /// Nothing that keeps bytes.
    Other(&'static str),
}

/// The files of a path: itself, or all in it.
pub(super) fn of_path(path: &Path) -> Result<Vec<Found>, ListingError> {
    let path = &without_self(path);
    let mut files = Vec::new();
    match look(path)? {
        Kind::Folder => gather(path, &mut files)?,
        Kind::File(size) => files.push((path.clone(), size)),
        Kind::Other(what) => {
            return Err(ListingError::Special {
                path: path.clone(),
                what,
            });
        }
    }
    files.sort();
    Ok(files)
}

/// The files that a pattern matches.
pub(super) fn of_pattern(pattern: &str) -> Result<Vec<Found>, ListingError> {
    let mut there: BTreeSet<PathBuf> = [PathBuf::from("/")].into();
    let mut parts = pattern.split('/').filter(|it| !it.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let wanted = Part::of(part).map_err(|why| ListingError::Pattern {
            pattern: pattern.to_owned(),
            why,
        })?;
        let mut next = BTreeSet::new();
        for folder in there {
            wanted.expand(&folder, is_last, &mut next)?;
        }
        there = next;
    }
    let mut files = Vec::new();
    for path in there {
        if let Kind::File(size) = look(&path)? {
            files.push((path, size));
        }
    }
    Ok(files)
}

/// What stands between two slashes of a pattern.
enum Part<'a> {
    Name(&'a str),
    /// `**`.
    AllBelow,
    Some {
        pattern: Pattern,
        /// It begins as hidden names do, so it means them.
        of_hidden: bool,
    },
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Result<Self, &'static str> {
        if !text.contains(['*', '?', '[']) {
            return Ok(Self::Name(text));
        }
        let pattern = Pattern::new(text).map_err(|error| error.msg)?;
        if text == "**" {
            return Ok(Self::AllBelow);
        }
        Ok(Self::Some {
            pattern,
            of_hidden: text.starts_with(['.', '_']),
        })
    }

    fn expand(
        &self,
        folder: &Path,
        is_last: bool,
        found: &mut BTreeSet<PathBuf>,
    ) -> Result<(), ListingError> {
        match self {
            Self::Name(name) => {
                let path = folder.join(name);
                if path.symlink_metadata().is_ok() {
                    found.insert(path);
                }
                Ok(())
            }
            Self::AllBelow if is_last => {
                let mut files = Vec::new();
                gather(folder, &mut files)?;
                found.extend(files.into_iter().map(|(path, _)| path));
                Ok(())
            }
            Self::AllBelow => {
                let mut to_visit = vec![folder.to_owned()];
                while let Some(folder) = to_visit.pop() {
                    for (path, is_link) in entries(&folder)? {
                        if !is_hidden(&path) && !is_link && path.is_dir() {
                            to_visit.push(path);
                        }
                    }
                    found.insert(folder);
                }
                Ok(())
            }
            Self::Some { pattern, of_hidden } => {
                for (path, _) in entries(folder)? {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let fits = pattern.matches(&name) && (*of_hidden || !is_hidden(&path));
                    if fits && (is_last || path.is_dir()) {
                        found.insert(path);
                    }
                }
                Ok(())
            }
        }
    }
}

/// What is in a folder, and which of it are links; nothing if it is none.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>, ListingError> {
    let failed = |error| ListingError::Io {
        path: folder.to_owned(),
        error,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        all.push((entry.path(), is_link));
    }
    Ok(all)
}

/// Adds all files of a folder. What keeps no bytes, a socket say, is no file.
fn gather(folder: &Path, files: &mut Vec<Found>) -> Result<(), ListingError> {
    let mut to_visit = vec![folder.to_owned()];
    while let Some(folder) = to_visit.pop() {
        for (path, is_link) in entries(&folder)? {
            if is_hidden(&path) {
                continue;
            }
            match look(&path)? {
                // It could lead round in a circle.
                Kind::Folder if is_link => {
                    let path = path.display();
                    tracing::warn!(
                        "{path} is a link to a folder, and is not followed: name it by itself"
                    );
                }
                Kind::Folder => to_visit.push(path),
                Kind::File(size) => files.push((path, size)),
                Kind::Other(_) => {}
            }
        }
    }
    Ok(())
}

/// What is under a name, all links followed.
fn look(path: &Path) -> Result<Kind, ListingError> {
    let about = fs::metadata(path).map_err(|error| match fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => ListingError::Dangling {
            path: path.to_owned(),
            target,
        },
        _ => ListingError::Io {
            path: path.to_owned(),
            error,
        },
    })?;
    let kind = about.file_type();
    Ok(if kind.is_dir() {
        Kind::Folder
    } else if kind.is_file() {
        Kind::File(size_of(path, &about))
    } else if kind.is_fifo() {
        Kind::Other(
            "a named pipe, which can be read once only, and a task that fails reads its input \
             again: write what comes out of it to a file first",
        )
    } else if kind.is_char_device() {
        Kind::Other("a device that has no end, and no file")
    } else if kind.is_block_device() {
        Kind::Other("a block device, and no file")
    } else {
        Kind::Other("a socket, and no file")
    })
}

/// The size of a file; `None` if its system makes it up as it is read.
fn size_of(path: &Path, about: &Metadata) -> Option<u64> {
    let made_up = || {
        let kind = statfs(path).map(|it| it.filesystem_type());
        let kinds = [
            PROC_SUPER_MAGIC,
            SYSFS_MAGIC,
            CGROUP_SUPER_MAGIC,
            CGROUP2_SUPER_MAGIC,
        ];
        kind.is_ok_and(|kind| kinds.contains(&kind))
    };
    let is_odd = about.len() == 0 || about.len() == 4096;
    (!is_odd || !made_up()).then_some(about.len())
}

/// Names that mean another file in each process are followed here, and not in a
/// task's.
fn without_self(path: &Path) -> PathBuf {
    let mut parts = path.components().skip(1).map(Component::as_os_str);
    let first = (parts.next(), parts.next());
    let names =
        |text: Option<&std::ffi::OsStr>| text.and_then(|it| it.to_str()).unwrap_or("").to_owned();
    let is_own = match (names(first.0).as_str(), names(first.1).as_str()) {
        ("dev", second) => second == "fd" || second.starts_with("std"),
        ("proc", second) => second == "self" || second == "thread-self",
        _ => false,
    };
    let real = is_own.then(|| path.canonicalize().ok()).flatten();
    real.unwrap_or_else(|| path.to_owned())
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(b"_")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "a.txt",
            "b.log",
            "_c.txt",
            ".d.txt",
            "sub/e.txt",
            "sub/deep/f.txt",
            "_sub/g.txt",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, name).expect("written");
        }
        folder
    }

    fn shown(folder: &tempfile::TempDir, found: Result<Vec<Found>, ListingError>) -> String {
        let base = format!("{}/", folder.path().display());
        match found {
            Ok(files) => {
                let names = files
                    .iter()
                    .map(|(path, _)| path.to_string_lossy().replace(&base, ""));
                names.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string().replace(&base, ""),
        }
    }

    fn matched(folder: &tempfile::TempDir, pattern: &str) -> String {
        let pattern = format!("{}/{pattern}", folder.path().display());
        shown(folder, of_pattern(&pattern))
    }

    #[test]
    fn patterns_match_as_they_do_in_a_shell() {
        let folder = folder();
        for (pattern, wanted) in [
            ("*.txt", "a.txt"),
            ("*", "a.txt b.log"),
            ("_*", "_c.txt"),
            ("*/*.txt", "sub/e.txt"),
            ("**/*.txt", "a.txt sub/deep/f.txt sub/e.txt"),
            ("sub/**", "sub/deep/f.txt sub/e.txt"),
            ("**/**/f.txt", "sub/deep/f.txt"),
            ("[ab].*", "a.txt b.log"),
            ("?.log/x", ""),
            ("s*/deep/f.txt", "sub/deep/f.txt"),
        ] {
            assert_eq!(matched(&folder, pattern), wanted, "{pattern}");
        }
        assert!(matched(&folder, "a**").contains("is no pattern"));
    }

    #[test]
    fn a_name_that_is_no_text_troubles_nobody_who_does_not_ask_for_it() {
        let folder = folder();
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff.bin")), "x").expect("written");
        fs::create_dir(folder.path().join(OsStr::from_bytes(b"\xfe"))).expect("made");
        assert_eq!(matched(&folder, "*.txt"), "a.txt");
        assert_eq!(matched(&folder, "**/f.txt"), "sub/deep/f.txt");
        assert_eq!(matched(&folder, "*.bin"), "\u{fffd}.bin");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named_and_one_to_a_folder_is_not_followed() {
        let folder = folder();
        symlink(
            folder.path().join("sub"),
            folder.path().join("sub/deep/round"),
        )
        .expect("linked");
        let all = shown(&folder, of_path(folder.path()));
        assert_eq!(all, "a.txt b.log sub/deep/f.txt sub/e.txt");
        symlink("nowhere", folder.path().join("sub/link")).expect("linked");
        for found in [
            shown(&folder, of_path(folder.path())),
            matched(&folder, "sub/l*"),
        ] {
            assert_eq!(
                found,
                "sub/link is a link to nowhere, which is not there: remove it, or mend it"
            );
        }
    }

    #[test]
    fn what_has_no_end_is_refused_and_what_the_kernel_makes_up_is_read_to_its_end() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("made");
        assert!(shown(&folder, of_path(&pipe)).contains("cannot read pipe: it is a named pipe"));
        assert!(shown(&folder, of_path(Path::new("/dev/zero"))).contains("has no end"));
        assert_eq!(
            shown(&folder, of_path(folder.path())),
            "a.txt b.log sub/deep/f.txt sub/e.txt"
        );
        let sizes = |path| of_path(Path::new(path)).expect("there")[0].1;
        assert_eq!(sizes("/proc/meminfo"), None);
        let own = of_path(Path::new("/proc/self/status")).expect("there");
        let id = std::process::id();
        assert_eq!(own[0].0, Path::new(&format!("/proc/{id}/status")));
    }
}
