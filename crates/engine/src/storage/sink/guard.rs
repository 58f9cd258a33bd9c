//! What no save may replace, whatever the job file says.
//!
//! Responsible for the truth of the file system: where a folder really is, with
//! all links followed, and what else is there. What may be removed within a
//! folder is the [`folder`](super::folder)'s business.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{SinkError, io_error};
use crate::storage::remote::Place;

/// Where a path leads, with all links followed, also if it is not there yet.
pub(super) fn real(path: &Path) -> io::Result<PathBuf> {
    let mut there = path;
    let mut rest = PathBuf::new();
    loop {
        match there.canonicalize() {
            Ok(found) if rest.as_os_str().is_empty() => return Ok(found),
            Ok(found) => return Ok(found.join(rest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (there.parent(), there.file_name()) else {
                    return Err(error);
                };
                rest = if rest.as_os_str().is_empty() {
                    name.into()
                } else {
                    Path::new(name).join(rest)
                };
                there = parent;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a folder may be overwritten at all, if its contents are.
pub(super) fn check<'a>(
    to: &Path,
    inputs: impl Iterator<Item = &'a Path>,
) -> Result<(), SinkError> {
    let protected = |why: String| SinkError::Protected {
        folder: to.to_owned(),
        why,
    };
    match to.symlink_metadata() {
        // Nothing is there that could be lost.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("look at", to)(error)),
        Ok(about) if about.is_symlink() => {
            let target = std::fs::read_link(to).unwrap_or_default();
            let target = target.display();
            return Err(protected(format!(
                "is a link to {target}: name the folder itself"
            )));
        }
        Ok(_) => {}
    }
    let found = real(to).map_err(io_error("look at", to))?;
    if found.parent().is_none() {
        return Err(protected("is the root of the file system".into()));
    }
    let here = std::env::current_dir().and_then(|it| it.canonicalize());
    let home = std::env::home_dir().and_then(|it| it.canonicalize().ok());
    for (folder, name) in [(here.ok(), "working"), (home, "home")] {
        match folder {
            Some(folder) if folder == found => {
                return Err(protected(format!("is the {name} folder")));
            }
            Some(folder) if folder.starts_with(&found) => {
                return Err(protected(format!("has the {name} folder in it")));
            }
            _ => {}
        }
    }
    for input in inputs {
        // What is not there can be read by nobody.
        if real(input).is_ok_and(|it| it.starts_with(&found)) {
            let input = input.display();
            return Err(protected(format!("has the input {input} in it")));
        }
    }
    Ok(())
}

/// The same for a folder of an object store, which has only inputs to fear for.
pub(super) fn check_objects<'a>(
    url: &str,
    mut inputs: impl Iterator<Item = &'a str>,
) -> Result<(), SinkError> {
    let is_below = |input: &str| {
        let input = Place::of(input).map(|it| it.url()).unwrap_or_default();
        let below = input.strip_prefix(url);
        below.is_some_and(|it| it.starts_with('/') || url.ends_with('/'))
    };
    match inputs.find(|input| is_below(input)) {
        None => Ok(()),
        Some(input) => Err(SinkError::Protected {
            folder: url.into(),
            why: format!("has the input {input} in it"),
        }),
    }
}

/// Whether each save has a folder of its own.
pub(super) fn check_apart(folders: impl Iterator<Item = PathBuf>) -> Result<(), SinkError> {
    let mut all = Vec::new();
    for folder in folders {
        let is_url = folder.to_str().is_some_and(|it| Place::of(it).is_some());
        all.push(if is_url {
            folder
        } else {
            real(&folder).map_err(io_error("look at", &folder))?
        });
    }
    // What lies within a folder comes right after it.
    all.sort();
    for pair in all.windows(2) {
        if pair[1].starts_with(&pair[0]) {
            return Err(SinkError::Twice {
                first: pair[0].clone(),
                second: pair[1].clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn refused(to: &Path, inputs: &[&Path]) -> String {
        check(to, inputs.iter().copied())
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn places_that_are_not_for_results_are_refused() {
        let here = std::env::current_dir().expect("a folder");
        assert!(refused(&here, &[]).contains("is the working folder"));
        let parent = here.parent().expect("not the root");
        assert!(refused(parent, &[]).contains("has the working folder in it"));
        assert!(refused(Path::new("/"), &[]).contains("root"));
        let home = std::env::home_dir().expect("a home");
        assert!(refused(&home, &[]).contains("cannot be overwritten"));
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("in")).expect("made");
        let input = data.join("in/a.txt");
        fs::write(&input, "a").expect("written");
        assert!(refused(&data, &[&input]).contains("has the input"));
        // Under another name.
        let other = folder.path().join("other");
        symlink(&input, &other).expect("linked");
        assert!(refused(&data, &[&other]).contains("other in it"));
        let link = folder.path().join("link");
        symlink(&data, &link).expect("linked");
        assert!(refused(&link, &[]).contains("is a link to"));
        check(&data, std::iter::once(here.as_path())).expect("it is elsewhere");
        check(&folder.path().join("new"), std::iter::empty()).expect("nothing is there");
    }

    #[test]
    fn saves_that_would_meet_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir(&a).expect("made");
        symlink(&a, &b).expect("linked");
        let apart =
            |folders: &[&Path]| check_apart(folders.iter().map(|it| it.to_path_buf())).is_ok();
        assert!(!apart(&[&a, &b]), "the same one by a link");
        assert!(!apart(&[&a.join("x/y"), &b]), "one within the other");
        assert!(apart(&[
            &a.join("x"),
            &b.join("x-y"),
            &folder.path().join("c")
        ]));
    }
}
