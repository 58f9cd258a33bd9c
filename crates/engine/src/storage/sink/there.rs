//! What is in the folder of a save.
//!
//! Responsible for telling what a save of ours wrote, which may be replaced, from what
//! others put there; and for finding the files of partitions. It moves nothing: that is
//! the business of `folder` and `objects`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::error::{SinkError, io_error};
use super::manifest::{Manifest, PARTIAL, SUCCESS, TEMPORARY, part_number};

/// Names, with the sizes of those that are files.
type There = BTreeMap<String, Option<u64>>;

const MARKERS: [&str; 2] = [SUCCESS, PARTIAL];

/// What is in a folder, if it is there: its own entries, and of `opened` folders theirs.
fn look(
    to: &Path,
    prefix: &str,
    opened: &BTreeSet<String>,
    there: &mut There,
) -> Result<(), SinkError> {
    let folder = to.join(prefix);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_error("read folder", &folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(io_error("read folder", &folder))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if name == TEMPORARY {
            continue;
        }
        // Of a link this is its own size, and not that of what it leads to.
        let about = entry
            .metadata()
            .map_err(io_error("look at", &entry.path()))?;
        if about.is_dir() && opened.contains(&name) {
            look(to, &format!("{name}/"), opened, there)?;
        } else {
            there.insert(name, about.is_file().then_some(about.len()));
        }
    }
    Ok(())
}

/// The folders that these files are in, below that of the save.
pub(super) fn folders_of<'a>(files: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let slashes = files.flat_map(|name| name.match_indices('/').map(move |(at, _)| &name[..at]));
    slashes.map(str::to_owned).collect()
}

/// What the marker of a save says, if there is one.
fn marker_of(to: &Path) -> Result<Vec<u8>, SinkError> {
    for name in [PARTIAL, SUCCESS] {
        let path = to.join(name);
        if path.symlink_metadata().is_ok_and(|it| it.is_file()) {
            return fs::read(&path).map_err(io_error("read", &path));
        }
    }
    Ok(Vec::new())
}

/// Whether a save of ours came to its end here.
pub(super) fn is_marked(to: &Path) -> Result<bool, SinkError> {
    Ok(Manifest::read(&marker_of(to)?).is_some())
}

/// The names of what is in the folder, apart from what is being written: all of
/// it ours and to be replaced. An error names the first that is not.
pub(super) fn judge(to: &Path, overwrite: bool) -> Result<Vec<String>, SinkError> {
    let text = if overwrite {
        marker_of(to)?
    } else {
        Vec::new()
    };
    let opened = Manifest::read(&text).map(|it| folders_of(it.files.keys()));
    let mut there = There::new();
    look(to, "", &opened.unwrap_or_default(), &mut there)?;
    judge_names(&text_of(to), &there, &text, overwrite)
}

/// The same for what was found in any kind of folder: names, with the sizes of
/// those that are files, and what `_SUCCESS` says.
pub(super) fn judge_names(
    folder: &str,
    there: &There,
    manifest: &[u8],
    overwrite: bool,
) -> Result<Vec<String>, SinkError> {
    // The marker is there in any case: anything else says more.
    let names = || {
        let is_marker = |name: &&String| MARKERS.contains(&name.as_str());
        let others = there.keys().filter(move |name| !is_marker(name));
        others.chain(there.keys().filter(is_marker))
    };
    if !overwrite {
        return match names().next() {
            None => Ok(Vec::new()),
            Some(first) => Err(SinkError::NotEmpty {
                folder: folder.to_owned(),
                first: first.clone(),
            }),
        };
    }
    let manifest = Manifest::read(manifest);
    let is_ours = |name: &String| {
        let manifest = manifest.as_ref()?;
        let size = there.get(name).copied().flatten()?;
        let is_marker = MARKERS.contains(&name.as_str());
        (is_marker || manifest.files.get(name) == Some(&size)).then_some(())
    };
    match names().find(|name| is_ours(name).is_none()) {
        Some(first) => Err(SinkError::Foreign {
            folder: folder.to_owned(),
            first: first.clone(),
        }),
        None => Ok(there.keys().cloned().collect()),
    }
}

/// The files of partitions in a folder, if it is there, by partition: one, or those in
/// the folder that has the partition's name.
pub(super) fn parts_in(folder: &Path) -> Result<BTreeMap<u32, Vec<String>>, SinkError> {
    let mut there = There::new();
    look(folder, "", &BTreeSet::new(), &mut there)?;
    let mut parts = BTreeMap::new();
    for (name, size) in there {
        let Some(number) = part_number(&name) else {
            continue;
        };
        let names = match size {
            Some(_) => vec![name],
            None => names_below(&folder.join(name), "")?,
        };
        parts.insert(number, names);
    }
    Ok(parts)
}

/// The names of all files in a folder and in those below it.
fn names_below(folder: &Path, prefix: &str) -> Result<Vec<String>, SinkError> {
    let mut there = There::new();
    look(folder, prefix, &BTreeSet::new(), &mut there)?;
    let mut names = Vec::new();
    for (name, size) in there {
        match size {
            Some(_) => names.push(name),
            None => names.extend(names_below(folder, &format!("{name}/"))?),
        }
    }
    Ok(names)
}

pub(super) fn text_of(path: &Path) -> String {
    path.display().to_string()
}
