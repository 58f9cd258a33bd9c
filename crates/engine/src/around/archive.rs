//! An archive, unpacked into a folder.
//!
//! Responsible for nothing of it being anywhere else: no name that leads out, no link that
//! does, no device, and no more than was allowed. Files are first and links last, so that
//! no file is written through a link. What is there can be read and not be changed.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use tar::{Archive, Entry, EntryType};

use super::fetch::no_room;
use crate::conf::ByteSize;
use crate::plan::split::Packing;
use crate::storage::unpack::unpack as unpacked;
use crate::task::{CHUNK, Cancel, TaskContext, TaskError};

/// More files than these are no archive that a command needs.
const MOST_ENTRIES: usize = 1_000_000;

/// What stands before the bytes of a file - its name, and what is known of it - is shorter.
const LONGEST_HEAD: u64 = 1 << 20;

/// Unpacks an archive into a folder that is not there yet. Its files may come to so many
/// bytes.
pub(super) fn unpack(
    archive: &Path,
    packing: Packing,
    to: &Path,
    most: u64,
    context: &TaskContext,
) -> Result<(), TaskError> {
    let path = archive.to_string_lossy();
    let open = || -> io::Result<Box<dyn Read + Send>> { Ok(Box::new(File::open(archive)?)) };
    let unpacked = unpacked(packing, &path, open, context)?;
    let left = Rc::new(Cell::new(LONGEST_HEAD));
    let bounded = Bounded {
        from: unpacked.from,
        left: Rc::clone(&left),
    };
    let unpacking = Unpacking {
        to,
        most,
        bytes: 0,
        folders: BTreeSet::new(),
        links: Vec::new(),
        cancel: &context.cancel,
        piece: vec![0; CHUNK],
    };
    unpacking.all(Archive::new(bounded), &left)
}

/// What is read between two files is bounded: it is held in memory.
struct Bounded<R> {
    from: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a name in it is longer than 1 MiB"));
        }
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.from.read(&mut buffer[..most])?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

struct Unpacking<'u> {
    to: &'u Path,
    most: u64,
    bytes: u64,
    /// Those that were made, in an order in which each comes after the one around it.
    folders: BTreeSet<PathBuf>,
    /// Links and what they lead to.
    links: Vec<(PathBuf, PathBuf)>,
    cancel: &'u Cancel,
    piece: Vec<u8>,
}

impl Unpacking<'_> {
    fn all<R: Read>(mut self, mut archive: Archive<R>, left: &Cell<u64>) -> Result<(), TaskError> {
        self.folder(self.to)?;
        let mut entries = archive.entries().map_err(|error| damaged(&error))?;
        for number in 0.. {
            self.cancel.check()?;
            left.set(LONGEST_HEAD);
            let Some(entry) = entries.next() else {
                break;
            };
            if number == MOST_ENTRIES {
                let what = format!("it has more than {MOST_ENTRIES} entries");
                return Err(refused(&what, "make several of it"));
            }
            left.set(u64::MAX);
            self.entry(entry.map_err(|error| damaged(&error))?)?;
        }
        for (at, target) in &self.links {
            self.link(at, target)?;
        }
        self.check_links()?;
        for folder in self.folders.iter().rev() {
            let read_only = Permissions::from_mode(0o500);
            fs::set_permissions(folder, read_only).map_err(|error| no_room(folder, &error))?;
        }
        Ok(())
    }

    fn entry<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), TaskError> {
        let named = entry.path().map_err(|error| damaged(&error))?.into_owned();
        let shown = named.display().to_string();
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let inside = inside(&named).ok_or_else(|| {
            let what = format!("its entry `{shown}` leads out of the folder");
            refused(
                &what,
                "make it of names without `..`, from the folder itself on",
            )
        })?;
        let at = self.to.join(inside);
        if kind == EntryType::Directory {
            return self.folders_to(&at);
        }
        self.folders_to(at.parent().unwrap_or(self.to))?;
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(&mut entry, &at, &shown)
            }
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name().map_err(|error| damaged(&error))?;
                let target =
                    target.ok_or_else(|| damaged(&io::Error::other("a link to nothing")))?;
                if kind == EntryType::Symlink {
                    self.links.push((at, target.into_owned()));
                    return Ok(());
                }
                let there = self::inside(&target).map(|it| self.to.join(it));
                let there = there.ok_or_else(|| leaves(&shown, &target))?;
                fs::hard_link(&there, &at).map_err(|error| no_room(&at, &error))
            }
            _ => {
                let what = format!("its entry `{shown}` is a device, or nothing that keeps bytes");
                Err(refused(&what, "make it without that"))
            }
        }
    }

    /// Makes a folder, and all around it.
    fn folders_to(&mut self, at: &Path) -> Result<(), TaskError> {
        let below = at.strip_prefix(self.to).unwrap_or(Path::new(""));
        let mut folder = self.to.to_owned();
        for part in below {
            folder.push(part);
            if !self.folders.contains(&folder) {
                self.folder(&folder)?;
            }
        }
        Ok(())
    }

    fn folder(&mut self, at: &Path) -> Result<(), TaskError> {
        let made = DirBuilder::new().mode(0o700).create(at);
        made.map_err(|error| no_room(at, &error))?;
        self.folders.insert(at.to_owned());
        Ok(())
    }

    fn file(
        &mut self,
        from: &mut Entry<'_, impl Read>,
        at: &Path,
        shown: &str,
    ) -> Result<(), TaskError> {
        let mode = from.header().mode().map_err(|error| damaged(&error))?;
        let executable = mode & 0o111 != 0;
        // As `tar` has it, of two entries of one name the last one counts.
        let _ = fs::remove_file(at);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        options.mode(if executable { 0o500 } else { 0o400 });
        let mut file = options.open(at).map_err(|error| no_room(at, &error))?;
        loop {
            self.cancel.check()?;
            let count = match from.read(&mut self.piece) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(damaged(&error)),
            };
            self.bytes += count as u64;
            if self.bytes > self.most {
                let most = ByteSize(self.most);
                let what = format!("unpacked it has more than {most}, with `{shown}`");
                return Err(refused(
                    &what,
                    "if it is meant so, set mesquite.archives.maxSize",
                ));
            }
            file.write_all(&self.piece[..count])
                .map_err(|error| no_room(at, &error))?;
        }
    }

    fn link(&self, at: &Path, target: &Path) -> Result<(), TaskError> {
        let shown = at.strip_prefix(self.to).unwrap_or(at).display().to_string();
        if target.is_absolute() {
            return Err(leaves(&shown, target));
        }
        symlink(target, at).map_err(|error| no_room(at, &error))
    }

    /// Whether all links lead to something within the folder. Links may lead to links, so
    /// only the system knows where one ends.
    fn check_links(&self) -> Result<(), TaskError> {
        let root = self.to.canonicalize();
        let root = root.map_err(|error| no_room(self.to, &error))?;
        let is_fine = |at: &Path| at.canonicalize().is_ok_and(|it| it.starts_with(&root));
        match self.links.iter().find(|(at, _)| !is_fine(at)) {
            None => Ok(()),
            Some((at, target)) => {
                let shown = at.strip_prefix(self.to).unwrap_or(at).display();
                Err(leaves(&shown.to_string(), target))
            }
        }
    }
}

/// A name as a path within a folder; none if it leads out.
fn inside(named: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in named.components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

fn leaves(shown: &str, target: &Path) -> TaskError {
    let what = format!(
        "its link `{shown}` leads to {}, which is nothing within it",
        target.display()
    );
    refused(&what, "make it with the file itself (`tar --dereference`)")
}

fn refused(what: &str, help: &str) -> TaskError {
    TaskError::Permanent(format!("{what}: {help}"))
}

fn damaged(error: &io::Error) -> TaskError {
    TaskError::Permanent(format!("it is no sound archive ({error}): make it anew"))
}

#[cfg(test)]
mod tests;
