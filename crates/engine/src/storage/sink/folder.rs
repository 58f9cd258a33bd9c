//! The folder of a save, on a file system.
//!
//! Responsible for files that appear whole, or not at all, and for removing
//! nothing that is not ours. Each attempt writes into a folder of its own
//! ([`part`](super::part)); the attempt that the driver lets commit moves its
//! file beside those of the others; when all are there the driver moves them to
//! their final names, `_SUCCESS` last.
//!
//! ```text
//! TO/_temporary/_mesquite              whose it is; locked while that run lives
//! TO/_temporary/attempt-APP-TASK/...   being written
//! TO/_temporary/committed/part-00000   complete, one for each partition: a file, or a
//!                                      folder of `country=de/part-00000` and its like
//! TO/_temporary/moving                 they get their final names
//! TO/_temporary/replaced/...           what was there before, until it is done
//! TO/part-00000 ... TO/_SUCCESS        the job is done
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Commit;
use super::error::{SinkError, io_error};
use super::manifest::{Manifest, PARTIAL, SUCCESS, TEMPORARY, part_number, tree_name};
use super::owner::Owner;
use super::partial::{self, Earlier};
use super::there::{is_marked, judge, parts_in, text_of};
use crate::ids::Partition;
use crate::storage::lock::Lock;

pub(super) const COMMITTED: &str = "committed";
const MOVING: &str = "moving";
const REPLACED: &str = "replaced";
const OWNER: &str = "_mesquite";

/// What the move to the final names is about, written down before it begins.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Moving {
    replaced: Vec<String>,
    new: Vec<String>,
}

/// Does something that may have been done already.
fn once(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Whether a save may use this folder. What a dead run left in it goes.
pub(super) fn check(to: &Path, overwrite: bool, items: Option<&str>) -> Result<(), SinkError> {
    settle(to)?;
    replaced_by(to, overwrite, earlier(to, overwrite, items)?.as_ref()).map(drop)
}

fn earlier(to: &Path, overwrite: bool, items: Option<&str>) -> Result<Option<Earlier>, SinkError> {
    let earlier = items.map(|items| partial::earlier(to, items, overwrite));
    earlier.transpose().map(Option::flatten)
}

/// What is replaced by a save: all that is there, or, where an earlier run is gone on
/// with, only what that one said.
fn replaced_by(
    to: &Path,
    overwrite: bool,
    earlier: Option<&Earlier>,
) -> Result<Vec<String>, SinkError> {
    match earlier {
        Some(_) => Ok(vec![PARTIAL.to_owned()]),
        None => judge(to, overwrite),
    }
}

/// Makes a folder ready that was found fit by [`check`].
pub(super) fn begin(to: &Path) -> Result<Lock, SinkError> {
    settle(to)?;
    let is_new = !to.exists();
    fs::create_dir_all(to).map_err(io_error("make folder", to))?;
    let begun = claim(to, is_new);
    if begun.is_err() && is_new {
        let _ = fs::remove_dir(to);
    }
    begun
}

fn claim(to: &Path, is_new: bool) -> Result<Lock, SinkError> {
    let temporary = to.join(TEMPORARY);
    match fs::create_dir(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(busy(to)),
        made => made.map_err(io_error("make folder", &temporary))?,
    }
    let path = temporary.join(OWNER);
    let claimed = (|| {
        let Some(mut lock) = Lock::make(&path).map_err(io_error("lock", &path))? else {
            return Err(busy(to));
        };
        lock.write(&Owner::of_this_run(is_new).text())
            .map_err(io_error("write", &path))?;
        let committed = temporary.join(COMMITTED);
        fs::create_dir(&committed).map_err(io_error("make folder", &committed))?;
        Ok(lock)
    })();
    if claimed.is_err() {
        clear(&temporary);
    }
    claimed
}

/// Takes the folder over from a driver that died, to go on; `None` if that one
/// had come to the end.
pub(super) fn resume(to: &Path) -> Result<Option<Lock>, SinkError> {
    let path = to.join(TEMPORARY).join(OWNER);
    match Lock::take(&path) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(busy(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("lock", &path)(error)),
    }
}

fn busy(to: &Path) -> SinkError {
    let text = fs::read_to_string(to.join(TEMPORARY).join(OWNER)).unwrap_or_default();
    SinkError::Busy {
        folder: text_of(to),
        who: Owner::read(&text).to_string(),
    }
}

/// Takes away what a dead run left; an error if it is not dead, or not ours.
fn settle(to: &Path) -> Result<(), SinkError> {
    let temporary = to.join(TEMPORARY);
    let foreign = || SinkError::Foreign {
        folder: text_of(to),
        first: TEMPORARY.to_owned(),
    };
    match fs::symlink_metadata(&temporary) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(io_error("look at", &temporary)(error)),
        Ok(about) if !about.is_dir() => return Err(foreign()),
        Ok(_) => {}
    }
    let path = temporary.join(OWNER);
    match Lock::take(&path) {
        // It was killed before it could say whose it is: nothing is in it yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::remove_dir(&temporary).map_err(|_| foreign())
        }
        Err(error) => Err(io_error("lock", &path)(error)),
        Ok(None) => Err(busy(to)),
        Ok(Some(mut lock)) => {
            let owner = Owner::read(&lock.read().map_err(io_error("read", &path))?);
            if let Some(host) = owner.elsewhere() {
                return Err(SinkError::Elsewhere {
                    folder: text_of(to),
                    host: host.to_owned(),
                    left: text_of(&temporary),
                });
            }
            tracing::info!(folder = %to.display(), "taking away what a dead run left");
            undo(to)?;
            clear(&temporary);
            Ok(())
        }
    }
}

/// Moves all committed files to their final names, and what they replace out of
/// the way. It may be repeated, if it is not known how far it came.
pub(super) fn commit(
    to: &Path,
    commit: &Commit<'_>,
    overwrite: bool,
    items: Option<&str>,
) -> Result<(), SinkError> {
    let temporary = to.join(TEMPORARY);
    let committed = temporary.join(COMMITTED);
    let begun = read_moving(to)?;
    // The folder of those that are to be moved is the first to go at the end.
    let is_over = !committed.exists();
    let mut parts = parts_in(&committed)?;
    // What was made of nothing stays there, and goes with the folder.
    parts.retain(|number, _| !commit.without.contains(&Partition(*number)));
    let earlier = if begun.is_some() || is_over {
        parts.extend(parts_in(to)?);
        None
    } else {
        earlier(to, overwrite, items)?
    };
    let is_done = is_over && is_marked(to)?;
    let is_there = |partition: &u32| {
        is_done
            || parts.contains_key(partition)
            || commit.without.contains(&Partition(*partition))
            || earlier.as_ref().is_some_and(|it| it.has(*partition))
    };
    if let Some(missing) = (0..commit.partitions).find(|partition| !is_there(partition)) {
        return Err(SinkError::Missing {
            folder: text_of(to),
            partition: Partition(missing),
        });
    }
    if !is_over {
        let moving = match begun {
            Some(moving) => moving,
            None => {
                let replaced = replaced_by(to, overwrite, earlier.as_ref())?;
                let manifest = manifest_of(&committed, &parts, earlier, items)?;
                let marker = if commit.complete { SUCCESS } else { PARTIAL };
                begin_moving(to, parts, replaced, (marker, &manifest))?
            }
        };
        put_in_place(to, &moving)?;
    }
    clear(&temporary);
    Ok(())
}

/// What there will be: what is to be moved, and what is there and stays.
fn manifest_of(
    committed: &Path,
    parts: &BTreeMap<u32, Vec<String>>,
    earlier: Option<Earlier>,
    items: Option<&str>,
) -> Result<Manifest, SinkError> {
    let mut sizes = earlier.map_or_else(BTreeMap::new, |it| it.files);
    for name in parts.values().flatten() {
        let path = committed.join(waiting(name));
        let about = fs::metadata(&path).map_err(io_error("look at", &path))?;
        sizes.insert(name.clone(), about.len());
    }
    Ok(Manifest::of_items(sizes, items))
}

/// Writes down what is about to be moved.
fn begin_moving(
    to: &Path,
    parts: BTreeMap<u32, Vec<String>>,
    replaced: Vec<String>,
    (marker, manifest): (&str, &Manifest),
) -> Result<Moving, SinkError> {
    let temporary = to.join(TEMPORARY);
    write_whole(&temporary.join(COMMITTED).join(marker), &manifest.text())?;
    let mut new: Vec<_> = parts.into_values().flatten().collect();
    new.push(marker.to_owned());
    let moving = Moving { replaced, new };
    let aside = temporary.join(REPLACED);
    fs::create_dir_all(&aside).map_err(io_error("make folder", &aside))?;
    let text = serde_json::to_string(&moving).expect("names are text");
    write_whole(&temporary.join(MOVING), &text)?;
    Ok(moving)
}

fn read_moving(to: &Path) -> Result<Option<Moving>, SinkError> {
    let path = to.join(TEMPORARY).join(MOVING);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", &path)(error)),
        Ok(text) => {
            let moving = serde_json::from_slice(&text);
            Ok(Some(
                moving.map_err(|error| io_error("read", &path)(error.into()))?,
            ))
        }
    }
}

/// A file that has all of its text, or is not there.
fn write_whole(path: &Path, text: &str) -> Result<(), SinkError> {
    let begun = path.with_extension("begun");
    let write = || {
        let mut file = File::create(&begun)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&begun, path)
    };
    write().map_err(io_error("write", path))
}

/// Where the file of this name waits until it gets there, among those of all
/// partitions.
fn waiting(name: &str) -> PathBuf {
    match part_number(name) {
        Some(number) if name.contains('/') => Path::new(&tree_name(number)).join(name),
        _ => name.into(),
    }
}

/// Moves a file, also into folders that are not there yet.
fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match (fs::rename(from, to), to.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            if !from.exists() || parent.exists() {
                return Err(error);
            }
            fs::create_dir_all(parent)?;
            fs::rename(from, to)
        }
        (moved, _) => moved,
    }
}

/// Removes the folders of values that these files were in, where nothing else is.
fn remove_empty<'a>(to: &Path, names: impl Iterator<Item = &'a String>) {
    let folders: BTreeSet<_> = names
        .flat_map(|name| Path::new(name).ancestors().skip(1))
        .filter(|it| !it.as_os_str().is_empty())
        .collect();
    // What is within another one comes after it.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(to.join(folder));
    }
}

fn put_in_place(to: &Path, moving: &Moving) -> Result<(), SinkError> {
    let committed = to.join(TEMPORARY).join(COMMITTED);
    let aside = to.join(TEMPORARY).join(REPLACED);
    let new: BTreeSet<_> = moving.new.iter().collect();
    for name in &moving.replaced {
        // Where the new one has left its place, the name is the new one's.
        if !new.contains(name) || committed.join(waiting(name)).exists() {
            let path = to.join(name);
            once(move_file(&path, &aside.join(name))).map_err(io_error("replace", &path))?;
        }
    }
    for name in &moving.new {
        let path = to.join(name);
        match move_file(&committed.join(waiting(name)), &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => {}
            moved => moved.map_err(io_error("write", &path))?,
        }
    }
    remove_empty(to, moving.replaced.iter());
    Ok(())
}

/// Puts back what a move that did not come to its end replaced.
fn undo(to: &Path) -> Result<(), SinkError> {
    let Some(moving) = read_moving(to)? else {
        return Ok(());
    };
    let committed = to.join(TEMPORARY).join(COMMITTED);
    let aside = to.join(TEMPORARY).join(REPLACED);
    // The marker is moved last.
    let is_over = |marker: &String| !committed.join(marker).exists();
    if moving.new.last().is_none_or(is_over) {
        remove_empty(to, moving.replaced.iter());
        return Ok(());
    }
    for name in &moving.new {
        let path = to.join(name);
        let is_ours_there = !committed.join(waiting(name)).exists()
            && (!moving.replaced.contains(name) || aside.join(name).exists());
        if is_ours_there {
            once(fs::remove_file(&path)).map_err(io_error("remove", &path))?;
        }
    }
    for name in &moving.replaced {
        let path = to.join(name);
        once(move_file(&aside.join(name), &path)).map_err(io_error("put back", &path))?;
    }
    remove_empty(to, moving.new.iter());
    Ok(())
}

/// Removes what a job that failed has written; the folder too if it was made for
/// it and nothing else is in it.
pub(super) fn abort(to: &Path) {
    let temporary = to.join(TEMPORARY);
    let owner = fs::read_to_string(temporary.join(OWNER)).unwrap_or_default();
    if let Err(error) = undo(to) {
        // What was replaced is still there, and the next run puts it back.
        tracing::warn!("{error}");
        return;
    }
    clear(&temporary);
    if Owner::read(&owner).made_folder {
        let _ = fs::remove_dir(to);
    }
}

/// Removes what a run has for itself, and nothing else; whose it is goes last,
/// for who begins again from here must know that.
fn clear(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        let is_folder = name.starts_with("attempt-") || name == COMMITTED;
        if is_folder {
            remove_all(&path);
        }
    }
    remove_all(&temporary.join(REPLACED));
    for name in [MOVING, OWNER] {
        let _ = fs::remove_file(temporary.join(name));
    }
    if let Err(error) = once(fs::remove_dir(temporary)) {
        tracing::warn!("cannot remove {}: {error}", temporary.display());
    }
}

/// An attempt that was given up may still write while its folder is removed.
fn remove_all(path: &Path) {
    for _ in 0..10 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            _ => return,
        }
    }
}

/// Where an attempt writes, and where its file goes when it may commit.
pub(super) struct Places {
    pub(super) own: PathBuf,
    pub(super) committed: PathBuf,
}

impl Places {
    pub(super) fn of(to: &Path, app: &str, task: u64) -> Self {
        let temporary = to.join(TEMPORARY);
        let app = app.replace('/', "_");
        Self {
            own: temporary.join(format!("attempt-{app}-{task}")),
            committed: temporary.join(COMMITTED),
        }
    }
}

#[cfg(test)]
mod tests;
