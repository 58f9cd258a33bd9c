//! The folder in which a command starts.
//!
//! Responsible for what is in it by which name, and for its end with the command. Files are
//! links to what the executor has, and so are folders of archives: a command that writes into one writes into that of
//! others, which their modes forbid and the [`store`](super::store) notices.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::fetch::no_room;
use crate::storage::private;
use crate::task::TaskError;

/// See the module. Gone when it is dropped.
#[derive(Debug)]
pub struct TaskFolder {
    path: PathBuf,
}

impl TaskFolder {
    /// Makes one at a path at which there is nothing, with these files by name.
    pub(super) fn make<'n>(
        path: PathBuf,
        files: impl IntoIterator<Item = (&'n str, PathBuf)>,
    ) -> Result<Self, TaskError> {
        let failed = |at: &Path, error: io::Error| no_room(at, &error);
        private::make_folder(&path).map_err(|error| failed(&path, error))?;
        let folder = Self { path };
        for (name, there) in files {
            let to = folder.path.join(name);
            put(&there, &to).map_err(|error| failed(&to, error))?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A link is cheaper, where the file system has them, and is not followed to another name
/// as Python follows symbolic ones.
fn put(there: &Path, to: &Path) -> io::Result<()> {
    if there.is_dir() {
        return symlink(there, to);
    }
    match fs::hard_link(there, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
        Err(_) => fs::copy(there, to).map(|_| ()),
        Ok(()) => Ok(()),
    }
}

impl Drop for TaskFolder {
    fn drop(&mut self) {
        private::remove_all(&self.path);
    }
}
